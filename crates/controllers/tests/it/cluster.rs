//! A cluster for tests: every controller of the crate, and a kubelet that only pretends.
//!
//! The kubelet binds pods to the node `n`, makes them ready after a random delay (never, when the
//! image is `broken`) and removes them when they are deleted. A pod of the image `done` succeeds and
//! one of the image `fails` fails, after a random delay too.

use std::sync::Arc;
use std::time::Duration;

use api::views::pod::{is_ready, is_terminal};
use api::{EVENTS, NAMESPACES, NODES, PODS, Resource};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Admission, ApiServer, Client, DeleteOptions};
use controller_runtime::{
    Context, Controller, Driver, Error, Key, Requeue, Step, Watching, same_key,
};
use cri::PodMetrics;
use world::World;

pub(crate) const NS: &str = "dev";

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) driver: Driver,
    pub(crate) client: Client,
    server: ApiServer,
}

impl Cluster {
    /// A cluster with an empty namespace [`NS`].
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_admission(seed, None)
    }

    pub(crate) fn with_admission(seed: u64, admission: Option<Box<dyn Admission>>) -> Self {
        let world = World::simulated(seed);
        let mut builder = ApiServer::builder(world.clone());
        if let Some(admission) = admission {
            builder = builder.admission(admission);
        }
        let server = builder.build();
        let mut driver = Driver::new(world.clone(), server.clone());
        for controller in controllers::all() {
            driver.add(controller);
        }
        driver.add(Box::new(Kubelet));
        let client = driver.client().clone();
        // Events of nodes go to `default`.
        for name in [NS, "default"] {
            client.create(&NAMESPACES, "", json!({"metadata": {"name": name}})).unwrap();
        }
        Self { world, driver, client, server }
    }

    /// A cluster whose nodes report every ten seconds, until [`Cluster::stop_node`].
    pub(crate) fn with_nodes(seed: u64, nodes: &[&str], metrics: Arc<dyn PodMetrics>) -> Self {
        let mut cluster = Self::new(seed);
        let options = controllers::NodeOptions { heartbeats: true, metrics };
        for controller in controllers::of_nodes(options) {
            cluster.driver.add(controller);
        }
        cluster.driver.add(Box::new(Heart));
        for name in nodes {
            let node = json!({"metadata": {"name": name}});
            cluster.client.create(&NODES, "", node).unwrap();
        }
        cluster
    }

    /// Lets a node fall silent, or report again.
    pub(crate) fn stop_node(&self, name: &str, stopped: bool) {
        let mark = if stopped { json!("yes") } else { Value::Null };
        let patch = json!({"metadata": {"annotations": {"stopped": mark}}});
        self.client.patch(&NODES, "", name, apiserver::PatchKind::Merge, patch).unwrap();
    }

    pub(crate) fn create(&self, resource: &'static Resource, object: Value) -> Arc<Value> {
        self.client.create(resource, NS, object).unwrap()
    }

    pub(crate) fn get(&self, resource: &'static Resource, name: &str) -> Arc<Value> {
        self.client.get(resource, NS, name).unwrap()
    }

    pub(crate) fn list(&self, resource: &'static Resource) -> Vec<Arc<Value>> {
        self.client.list(resource, NS).unwrap()
    }

    pub(crate) fn patch(&self, resource: &'static Resource, name: &str, patch: Value) {
        let kind = apiserver::PatchKind::Merge;
        self.client.patch(resource, NS, name, kind, patch).unwrap();
    }

    pub(crate) fn delete(&self, resource: &'static Resource, name: &str, policy: &str) {
        let options = DeleteOptions {
            propagation_policy: Some(policy.to_owned()),
            ..DeleteOptions::default()
        };
        self.client.delete(resource, NS, name, options).unwrap();
    }

    /// Runs for `seconds` of virtual time, calling `check` after every step.
    pub(crate) fn run(&mut self, seconds: u64, mut check: impl FnMut(&Client)) {
        let deadline = self.world.now() + Duration::from_secs(seconds);
        loop {
            let step = self.driver.step();
            check(&self.client);
            if let Step::Idle { next } = step {
                match next.filter(|next| *next <= deadline) {
                    Some(next) => self.world.advance_to(next),
                    None => break self.world.advance_to(deadline),
                }
            }
        }
    }

    pub(crate) fn settle(&mut self, seconds: u64) {
        self.run(seconds, |_| {});
    }

    /// Pods that are not being deleted.
    pub(crate) fn pods(&self) -> Vec<Arc<Value>> {
        let mut pods = self.list(&PODS);
        pods.retain(|pod| pod.deletion_timestamp().is_none());
        pods
    }

    /// Messages of the events with this reason.
    pub(crate) fn told(&self, reason: &str) -> Vec<String> {
        let events = self.list(&EVENTS);
        let told = events.iter().filter(|event| event.str_at(&["reason"]) == reason);
        told.map(|event| event.str_at(&["message"]).to_owned()).collect()
    }

    /// Runs ten minutes in which nobody may write anything.
    pub(crate) fn assert_quiet(&mut self) {
        let before = self.server.store().revision();
        self.settle(600);
        assert_eq!(self.server.store().revision(), before, "a quiet cluster makes no writes");
    }
}

/// A pod template with the label `app` and one container of `image`.
pub(crate) fn template(app: &str, image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": "main", "image": image,
            "ports": [{"name": "http", "containerPort": 8080}]}]},
    })
}

/// Reports for every node that is not stopped.
#[derive(Debug)]
struct Heart;

impl Controller for Heart {
    fn name(&self) -> &'static str {
        "heart"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&NODES, |_, change| {
            let stopped = |node: &Option<Arc<Value>>| {
                node.as_ref().map(|n| n.annotation("stopped").is_some())
            };
            if stopped(&change.old) == stopped(&change.new) {
                return Vec::new();
            }
            same_key(&controller_runtime::Caches::default(), change)
        })]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let node = cx.caches.get_key(&NODES, key);
        let Some(node) = node.filter(|node| node.annotation("stopped").is_none()) else {
            return Ok(Requeue::Done);
        };
        let now = cx.world.now().rfc3339();
        let mut updated = (*node).clone();
        let ready = json!({"type": "Ready", "status": "True", "lastHeartbeatTime": now,
            "lastTransitionTime": now, "reason": "KubeletReady"});
        updated.set(&["status", "conditions"], json!([ready]));
        cx.client.update_status(&NODES, updated)?;
        Ok(Requeue::After(Duration::from_secs(10)))
    }
}

/// The nodes that pods may be bound to: those that are ready, or `n` where there are none.
fn pick_node(cx: &Context<'_>) -> Option<String> {
    let nodes = cx.caches.list(&NODES, "");
    if nodes.is_empty() {
        return Some("n".to_owned());
    }
    let fit = |node: &&Arc<Value>| {
        let tainted = !api::views::node::taints(node).is_empty();
        api::views::node::is_ready(node) && !api::views::node::is_unschedulable(node) && !tainted
    };
    let ready: Vec<_> = nodes.iter().filter(fit).collect();
    let index = usize::try_from(cx.world.random_below(ready.len().max(1) as u64)).unwrap();
    ready.get(index).map(|node| node.name().to_owned())
}

/// Whether the kubelet of the pod's node has been stopped.
fn is_stopped(cx: &Context<'_>, pod: &Value) -> bool {
    let node = cx.caches.get(&NODES, "", pod.str_at(&["spec", "nodeName"]));
    node.is_some_and(|node| node.annotation("stopped").is_some())
}

/// Pretends to run pods.
#[derive(Debug)]
struct Kubelet;

impl Controller for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&PODS, same_key),
            Watching::new(&NODES, |caches, change| {
                let pods = caches.by_node(&PODS, change.object().name());
                let unbound = caches.by_node(&PODS, "");
                pods.iter().chain(&unbound).map(|pod| Key::of(pod)).collect()
            }),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(pod) = cx.caches.get_key(&PODS, key) else { return Ok(Requeue::Done) };
        if is_stopped(cx, &pod) {
            return Ok(Requeue::Done);
        }
        if pod.deletion_timestamp().is_some() {
            let options = DeleteOptions::now(pod.uid());
            cx.client.delete(&PODS, key.namespace(), key.name(), options)?;
            return Ok(Requeue::Done);
        }
        if pod.str_at(&["spec", "nodeName"]).is_empty() {
            let Some(node) = pick_node(cx) else {
                return Ok(Requeue::After(Duration::from_secs(5)));
            };
            let binding =
                json!({"metadata": {"name": key.name()}, "target": {"kind": "Node", "name": node}});
            cx.client.subresource_create(&PODS, key.namespace(), key.name(), "binding", binding)?;
            return Ok(Requeue::Done);
        }
        let image = pod.list_at(&["spec", "containers"])[0].str_at(&["image"]);
        if is_ready(&pod) || is_terminal(&pod) || image == "broken" {
            return Ok(Requeue::Done);
        }
        if cx.world.random_below(3) > 0 {
            // In whole seconds, so that much happens at the same instant.
            return Ok(Requeue::After(Duration::from_secs(cx.world.random_below(4))));
        }
        let mut ready = (*pod).clone();
        if let Some(phase) = [("done", "Succeeded"), ("fails", "Failed")]
            .iter()
            .find_map(|(name, phase)| (image == *name).then_some(*phase))
        {
            let ended = json!({"terminated": {"finishedAt": cx.world.now().rfc3339()}});
            ready.set(&["status", "phase"], json!(phase));
            ready.set(
                &["status", "containerStatuses"],
                json!([{"name": "main", "image": image, "imageID": "", "ready": false,
                    "restartCount": 0, "state": ended}]),
            );
            cx.client.update_status(&PODS, ready)?;
            return Ok(Requeue::Done);
        }
        let ip = format!("10.128.{}.{}", cx.world.random_below(250), cx.world.random_below(250));
        ready.set(&["status", "phase"], json!("Running"));
        ready.set(&["status", "podIP"], json!(ip));
        let mut conditions = pod.list_at(&["status", "conditions"]).to_vec();
        conditions.retain(|condition| condition.str_at(&["type"]) != "Ready");
        conditions.push(json!({"type": "Ready", "status": "True",
            "lastTransitionTime": cx.world.now().rfc3339()}));
        ready.set(&["status", "conditions"], json!(conditions));
        cx.client.update_status(&PODS, ready)?;
        Ok(Requeue::Done)
    }
}
