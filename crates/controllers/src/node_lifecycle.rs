//! The node lifecycle controller: nodes that no longer report are marked, and after five minutes their
//! pods are sent elsewhere.
//!
//! A node's key comes up when its readiness changes and when its next heartbeat is overdue; a
//! heartbeat in time costs nothing.
//!
//! Invariant: where no node of the cluster is ready nothing is evicted; when the first one comes
//! back, the five minutes of all others start again.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/nodelifecycle` of 1.11, with taints by condition and
//! eviction by taint off, as OpenShift 3.11 has them.

mod health;
mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::views::pod::{condition, is_ready};
use api::{NODES, PODS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::DeleteOptions;
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching,
};
use world::Time;

pub use self::health::{Health, Limits, health, unknown_status};
pub use self::zone::{Disruption, Rate, disruption, rate, zone_of};

const COMPONENT: &str = "node-controller";

/// Reason in the status of a pod whose node does not answer.
const LOST: &str = "NodeLost";

/// Watches over the heartbeats of all nodes.
#[derive(Debug, Default)]
pub struct NodeLifecycle {
    limits: Limits,
    /// Readiness by node, of the nodes that were told of as registered.
    known: BTreeMap<String, Known>,
    zones: BTreeMap<String, Zone>,
    /// When the cluster last had no ready node.
    all_lost_until: Option<Time>,
    /// Whether the nodes that are not ready must be looked at: how fast they are emptied depends on
    /// all others.
    shares_changed: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Known {
    zone: String,
    ready: bool,
    /// Whether its pods were evicted since it was last ready.
    evicted: bool,
    uid: String,
}

/// A failure domain.
#[derive(Debug, Default)]
struct Zone {
    nodes: usize,
    not_ready: usize,
    /// When the next node may be emptied.
    next: Option<Time>,
}

impl NodeLifecycle {
    /// A controller with other times than upstream's defaults.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes note of a node as it is now; gives whether it is new.
    fn note(&mut self, name: &str, node: Option<&Value>, now: Time) -> bool {
        let all_lost = self.all_lost();
        let before = self.known.remove(name);
        if let Some(zone) = before.as_ref().and_then(|known| self.zones.get_mut(&known.zone)) {
            zone.nodes -= 1;
            zone.not_ready -= usize::from(before.as_ref().is_some_and(|known| !known.ready));
        }
        if let Some(node) = node {
            let (zone, ready) = (zone_of(node), api::views::node::is_ready(node));
            let entry = self.zones.entry(zone.clone()).or_default();
            entry.nodes += 1;
            entry.not_ready += usize::from(!ready);
            let evicted = !ready && before.as_ref().is_some_and(|known| known.evicted);
            let uid = node.uid().to_owned();
            self.known.insert(name.to_owned(), Known { zone, ready, evicted, uid });
        }
        self.zones.retain(|_, zone| zone.nodes > 0);
        let share = |known: &Known| (known.zone.clone(), known.ready);
        if before.as_ref().map(share) != self.known.get(name).map(share) {
            self.shares_changed = true;
        }
        if all_lost && !self.all_lost() {
            self.all_lost_until = Some(now);
        }
        before.is_none() && node.is_some()
    }

    fn all_lost(&self) -> bool {
        !self.zones.is_empty() && self.zones.values().all(|zone| zone.nodes == zone.not_ready)
    }

    /// How long until the pods of a node that was lost at `since` may be evicted; `None` while that
    /// depends on other nodes.
    fn eviction_wait(&self, known: &Known, since: Time, now: Time) -> Option<Duration> {
        let base = self.all_lost_until.map_or(since, |until| until.max(since));
        let due = base + self.limits.eviction_timeout;
        if due > now {
            return Some(due.since(now));
        }
        let zone = self.zones.get(&known.zone)?;
        match rate(disruption(zone.nodes, zone.not_ready), zone.nodes, self.all_lost()) {
            Rate::Stopped => None,
            Rate::Every(_) => Some(zone.next.map_or(Duration::ZERO, |next| next.since(now))),
        }
    }

    /// Empties the node if its time has come; gives when to look again.
    fn evict(
        &mut self,
        cx: &mut Context<'_>,
        node: &Value,
        since: Time,
    ) -> Result<Requeue, Status> {
        let now = cx.world.now();
        let Some(known) = self.known.get(node.name()).cloned() else { return Ok(Requeue::Done) };
        // A change of the readiness of any node brings this one up again.
        let Some(wait) = self.eviction_wait(&known, since, now) else { return Ok(Requeue::Done) };
        if !wait.is_zero() && !known.evicted {
            return Ok(Requeue::After(wait));
        }
        if !known.evicted
            && let Some(zone) = self.zones.get_mut(&known.zone)
        {
            let lost = zone.nodes == zone.not_ready && self.known.values().all(|node| !node.ready);
            let rate = rate(disruption(zone.nodes, zone.not_ready), zone.nodes, lost);
            if let Rate::Every(period) = rate {
                zone.next = Some(now + period);
            }
        }
        evict_pods(cx, node)?;
        if let Some(known) = self.known.get_mut(node.name()) {
            known.evicted = true;
        }
        Ok(Requeue::Done)
    }
}

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&NODES, touched), Watching::new(&PODS, node_of_new_pod)]
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Option<Vec<Key>> {
        if !std::mem::take(&mut self.shares_changed) {
            return Some(Vec::new());
        }
        let lost = self.known.iter().filter(|(_, known)| !known.ready);
        Some(lost.map(|(name, _)| Key::new("", name)).collect())
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let now = cx.world.now();
        let node = cx.caches.get_key(&NODES, key);
        let before = self.known.get(key.name()).map(|known| known.uid.clone());
        let is_new = self.note(key.name(), node.as_deref(), now);
        let Some(node) = node else {
            if let Some(uid) = before {
                tell_of_removal(cx, key.name(), &uid);
            }
            return Ok(Requeue::Done);
        };
        if is_new {
            let message = format!("Node {0} event: Registered Node {0} in Controller", node.name());
            tell(cx, &node, "RegisteredNode", &message);
        }
        let ready = condition(&node, "Ready").map_or("", |ready| ready.str_at(&["status"]));
        match health(&node, now, self.limits) {
            Health::Alive { overdue_in } if ready == "True" => Ok(Requeue::After(overdue_in)),
            Health::Alive { overdue_in } => {
                let since = health::not_ready_since(&node).unwrap_or(now);
                let wish = self.evict(cx, &node, since)?;
                Ok(wish.sooner(Requeue::After(overdue_in)))
            }
            Health::Silent { .. } if ready != "Unknown" => {
                let mut updated = (*node).clone();
                updated.set(&["status", "conditions"], unknown_status(&node, now));
                cx.client.update_status(&NODES, updated)?;
                if ready == "True" {
                    let message = format!("Node {} status is now: NodeNotReady", node.name());
                    tell(cx, &node, "NodeNotReady", &message);
                }
                // The write brings the node up again.
                Ok(Requeue::Done)
            }
            Health::Silent { since } => {
                mark_pods_not_ready(cx, node.name())?;
                Ok(self.evict(cx, &node, since)?)
            }
        }
    }
}

fn tell(cx: &mut Context<'_>, node: &Value, reason: &str, message: &str) {
    cx.recorder.event(COMPONENT, node, EventType::Normal, reason, message);
}

fn tell_of_removal(cx: &mut Context<'_>, name: &str, uid: &str) {
    let gone = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": uid}});
    let message = format!("Node {name} event: Removing Node {name} from Controller");
    tell(cx, &gone, "RemovingNode", &message);
}

/// The node, when it came, went or changed its readiness or zone.
fn touched(_: &Caches, change: &Change) -> Vec<Key> {
    let readiness = |node: &Value| {
        let ready = condition(node, "Ready");
        (ready.map(|ready| ready.str_at(&["status"]).to_owned()), zone_of(node))
    };
    let sides = (change.old.as_deref().map(readiness), change.new.as_deref().map(readiness));
    if sides.0 == sides.1 { Vec::new() } else { vec![change.key()] }
}

/// The node that is not ready and got a pod all the same.
fn node_of_new_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    if change.is_of_status() {
        return Vec::new();
    }
    let name = node_of(change.new.as_ref());
    if name.is_empty() || name == node_of(change.old.as_ref()) {
        return Vec::new();
    }
    let lost = caches.get(&NODES, "", name).is_some_and(|node| !api::views::node::is_ready(&node));
    if lost { vec![Key::new("", name)] } else { Vec::new() }
}

/// The node that a pod is bound to.
fn node_of(pod: Option<&Arc<Value>>) -> &str {
    pod.map_or("", |pod| pod.str_at(&["spec", "nodeName"]))
}

/// Nobody can say any more whether the pods of a silent node are ready.
fn mark_pods_not_ready(cx: &Context<'_>, node: &str) -> Result<(), Status> {
    let now = cx.world.now().rfc3339();
    for pod in cx.caches.by_node(&PODS, node).iter().filter(|pod| is_ready(pod)) {
        let mut updated = (**pod).clone();
        let mut conditions = pod.list_at(&["status", "conditions"]).to_vec();
        for ready in conditions.iter_mut().filter(|c| c.str_at(&["type"]) == "Ready") {
            ready.set(&["status"], json!("False"));
            ready.set(&["lastTransitionTime"], json!(now));
        }
        updated.set(&["status", "conditions"], Value::from(conditions));
        ignore_gone(cx.client.update_status(&PODS, updated))?;
    }
    Ok(())
}

/// Marks every pod of the node as lost and deletes it; those of daemon sets stay.
fn evict_pods(cx: &mut Context<'_>, node: &Value) -> Result<(), Status> {
    let name = node.name();
    let pods = cx.caches.by_node(&PODS, name);
    let goes = |pod: &Value| pod.deletion_timestamp().is_none() && !of_daemon(pod);
    if pods.iter().any(|pod| goes(pod)) {
        let message = format!("Node {name} event: Deleting all Pods from Node {name}.");
        tell(cx, node, "DeletingAllPods", &message);
    }
    for pod in pods {
        if pod.str_at(&["status", "reason"]) != LOST {
            ignore_gone(cx.client.update_status(&PODS, marked_lost(&pod, name)))?;
        }
        if !goes(&pod) {
            continue;
        }
        let message = format!("Marking for deletion Pod {} from Node {name}", pod.name());
        tell(cx, &pod, "NodeControllerEviction", &message);
        let options = DeleteOptions { uid: Some(pod.uid().to_owned()), ..DeleteOptions::default() };
        ignore_gone(cx.client.delete(&PODS, pod.namespace(), pod.name(), options))?;
    }
    Ok(())
}

/// The pod with a status that says that its node does not answer.
fn marked_lost(pod: &Value, node: &str) -> Value {
    let mut lost = pod.clone();
    let message = format!("Node {node} which was running pod {} is unresponsive", pod.name());
    lost.set(&["status", "reason"], json!(LOST));
    lost.set(&["status", "message"], json!(message));
    lost
}

fn of_daemon(pod: &Value) -> bool {
    pod.controller_ref().is_some_and(|owner| owner.kind() == "DaemonSet")
}

fn ignore_gone<T>(result: Result<T, Status>) -> Result<(), Status> {
    match result {
        Err(status) if !status.is_not_found() => Err(status),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
