//! `metrics.k8s.io/v1beta1`: what pods and nodes use, as `kubectl top` asks for it.
//!
//! The figures are the container runtime's ([`PodMetrics`]): measured on an engine, scripted in a
//! simulated one. Nothing is stored; every answer is made when it is asked for.
//!
//! Invariant: a pod of which nothing runs, or nothing was measured yet, has no figures.
//!
//! Deviation: a node uses what its pods use; the system around them is not counted.
//!
//! Mirrors: `sigs.k8s.io/metrics-server/pkg/api`, `k8s.io/metrics/pkg/apis/metrics`.

mod figures;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Resource, Verb};
use apimachinery::{ObjectExt as _, Reason, Status};
use apimachinery::{Value, json};
use apiserver::server::Builder;
use apiserver::{Call, Client, HandlerContext, ListOptions, ObjectList, RestHandler, Stored};
use cri::PodMetrics;

use crate::figures::{Usage, node, pod};

const READ: &[Verb] = &[Verb::Get, Verb::List];

/// What nodes use.
pub static NODES: Resource =
    Resource::in_cluster("metrics.k8s.io", "v1beta1", "nodes", "", "NodeMetrics").only(READ);

/// What pods use.
pub static PODS: Resource =
    Resource::in_namespace("metrics.k8s.io", "v1beta1", "pods", "", "PodMetrics").only(READ);

/// Serves the figures.
#[must_use]
pub fn register(builder: Builder, figures: Arc<dyn PodMetrics>) -> Builder {
    builder
        .extension(&NODES, Box::new(Nodes(Arc::clone(&figures))))
        .extension(&PODS, Box::new(Pods(figures)))
}

/// Lets those who view, edit or administer a project see its figures, as metrics-server's manifests
/// do.
///
/// # Errors
/// When the role cannot be made.
pub fn bootstrap(client: &Client) -> Result<(), Status> {
    let aggregate = |role: &str| format!("rbac.authorization.k8s.io/aggregate-to-{role}");
    let role = json!({
        "metadata": {
            "name": "system:aggregated-metrics-reader",
            "labels": {
                aggregate("view"): "true",
                aggregate("edit"): "true",
                aggregate("admin"): "true",
            },
        },
        "rules": [{
            "apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"],
            "verbs": ["get", "list", "watch"],
        }],
    });
    match client.create(&api::CLUSTER_ROLES, "", role) {
        Err(status) if status.reason != Reason::AlreadyExists => Err(status),
        _ => Ok(()),
    }
}

/// The objects that the figures are of.
fn objects(
    cx: &HandlerContext<'_>,
    of: &'static Resource,
    options: &ListOptions,
) -> Result<ObjectList, Status> {
    let call = Call { resource: of, ..cx.call.clone() };
    cx.server.list(&call, options)
}

fn not_found(resource: &str, cx: &HandlerContext<'_>) -> Status {
    let (ns, name) = (cx.call.namespace, cx.call.name);
    let name = if ns.is_empty() { name.to_owned() } else { format!("{ns}/{name}") };
    Status::not_found("metrics.k8s.io", resource, &name)
}

#[derive(Debug)]
struct Pods(Arc<dyn PodMetrics>);

impl Pods {
    fn of(&self, of: &Value) -> Option<Value> {
        pod(of, &self.0.pod(of.uid()))
    }
}

impl RestHandler for Pods {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let call = Call { resource: &api::PODS, ..cx.call.clone() };
        let found = cx.server.get(&call).ok();
        let figures = found.and_then(|found| self.of(&found.value()));
        figures.map(Stored::new).ok_or_else(|| not_found("pods", cx))
    }

    fn list(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        let mut list = objects(cx, &api::PODS, options)?;
        let figures = list.items.iter().filter_map(|item| self.of(&item.value()));
        list.items = figures.map(Stored::new).collect();
        list.resource_version.clear();
        Ok(list)
    }
}

#[derive(Debug)]
struct Nodes(Arc<dyn PodMetrics>);

impl Nodes {
    /// What the pods of each node use together.
    fn usage(&self, cx: &HandlerContext<'_>) -> Result<BTreeMap<String, Usage>, Status> {
        let pods = Call { namespace: "", name: "", resource: &api::PODS, ..cx.call.clone() };
        let pods = cx.server.list(&pods, &ListOptions::default())?;
        let mut usage: BTreeMap<String, Usage> = BTreeMap::new();
        for pod in pods.items.iter().map(Stored::value) {
            let node = pod.str_at(&["spec", "nodeName"]);
            if !node.is_empty() {
                let sum = usage.entry(node.to_owned()).or_default();
                self.0.pod(pod.uid()).iter().for_each(|container| sum.add(container));
            }
        }
        Ok(usage)
    }
}

impl RestHandler for Nodes {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let call = Call { resource: &api::NODES, ..cx.call.clone() };
        let Ok(found) = cx.server.get(&call) else { return Err(not_found("nodes", cx)) };
        let usage = self.usage(cx)?.remove(cx.call.name).unwrap_or_default();
        Ok(Stored::new(node(&found.value(), &usage, cx.server.world().now())))
    }

    fn list(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        let mut list = objects(cx, &api::NODES, options)?;
        let mut usage = self.usage(cx)?;
        let now = cx.server.world().now();
        for item in &mut list.items {
            let of = usage.remove(item.value().name()).unwrap_or_default();
            *item = Stored::new(node(&item.value(), &of, now));
        }
        list.resource_version.clear();
        Ok(list)
    }
}
