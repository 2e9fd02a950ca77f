//! The controller of `Endpoints`: which pods a service reaches.
//!
//! Invariant: the `Endpoints` of a service without selector belong to the user and are left alone.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/endpoint`.
//! Deviation: a change of nothing but a pod's resourceVersion does not rewrite the endpoints.

pub mod subsets;

use std::collections::BTreeSet;
use std::sync::Arc;

use api::views::pod::is_ready;
use api::{ENDPOINTS, PODS, SERVICES};
use apimachinery::json;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};

use crate::endpoints::subsets::{Entry, pack, without_versions};

const TOLERATE_UNREADY: &str = "service.alpha.kubernetes.io/tolerate-unready-endpoints";

/// Keeps the `Endpoints` of each service with a selector.
#[derive(Debug, Default)]
pub struct Endpoints;

/// What a decision is made from.
#[derive(Debug)]
struct Observed<'a> {
    service: &'a Value,
    /// The pods that it selects.
    pods: &'a [Arc<Value>],
    current: Option<&'a Value>,
}

/// A write.
#[derive(Debug, PartialEq)]
enum Action {
    Create(Value),
    Update(Value),
}

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpoint-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&SERVICES, same_key),
            Watching::new(&PODS, services_of_pod),
            Watching::reading(&ENDPOINTS),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(service) = cx.caches.get_key(&SERVICES, key) else {
            return delete(cx, key);
        };
        let Some(selector) = selector(&service) else { return Ok(Requeue::Done) };
        let pods = cx.caches.selected(&PODS, key.namespace(), &selector);
        let current = cx.caches.get_key(&ENDPOINTS, key);
        let observed = Observed { service: &service, pods: &pods, current: current.as_deref() };
        match plan(&observed) {
            Some(Action::Create(endpoints)) => {
                cx.client.create(&ENDPOINTS, key.namespace(), endpoints)?;
            }
            Some(Action::Update(endpoints)) => {
                cx.client.update(&ENDPOINTS, endpoints)?;
            }
            None => {}
        }
        Ok(Requeue::Done)
    }
}

/// Endpoints go with their service.
fn delete(cx: &Context<'_>, key: &Key) -> Result<Requeue, Error> {
    if cx.caches.get_key(&ENDPOINTS, key).is_none() {
        return Ok(Requeue::Done);
    }
    match cx.client.delete(&ENDPOINTS, key.namespace(), key.name(), DeleteOptions::default()) {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(Requeue::Done),
    }
}

fn selector(service: &Value) -> Option<LabelSelector> {
    let labels = service.map_at(&["spec", "selector"]).filter(|labels| !labels.is_empty())?;
    Some(LabelSelector::from_map(labels))
}

/// The services that select the pod now or did before, when something they tell of has changed.
fn services_of_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && facts(old) == facts(new)
    {
        return Vec::new();
    }
    let selects = |service: &Value| {
        selector(service).is_some_and(|selector| {
            let mut sides = [&change.old, &change.new].into_iter().flatten();
            sides.any(|pod| selector.matches_object(pod))
        })
    };
    let relabelled = change.old.as_ref().is_none_or(|old| old.labels() != change.object().labels());
    let other = change.old.as_ref().filter(|_| relabelled);
    let sides = other.into_iter().chain([change.object()]);
    let asked = sides.flat_map(|pod| caches.may_select(&SERVICES, pod));
    let keys: BTreeSet<Key> =
        asked.filter(|service| selects(service)).map(|service| Key::of(&service)).collect();
    keys.into_iter().collect()
}

/// Everything about a pod that endpoints depend on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    (
        pod.labels(),
        pod.at(&["spec"]),
        (pod.str_at(&["status", "podIP"]), pod.str_at(&["status", "phase"])),
        is_ready(pod),
        pod.deletion_timestamp(),
        pod.uid(),
    )
}

/// The write that makes the endpoints tell of the pods, if they do not.
fn plan(observed: &Observed<'_>) -> Option<Action> {
    let service = observed.service;
    let labels = service.at(&["metadata", "labels"]);
    let entries = observed.pods.iter().flat_map(|pod| entries(service, pod)).collect();
    let packed = pack(entries);
    let mut endpoints = observed.current.cloned().unwrap_or_else(|| {
        json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": service.name(), "namespace": service.namespace()},
        })
    });
    if let Some(current) = observed.current {
        let told = current.list_at(&["subsets"]);
        if without_versions(told) == without_versions(&packed)
            && current.at(&["metadata", "labels"]) == labels
        {
            return None;
        }
    }
    match labels {
        Some(labels) => endpoints.set(&["metadata", "labels"], labels.clone()),
        None => drop(endpoints.remove(&["metadata", "labels"])),
    }
    if packed.is_empty() {
        endpoints.remove(&["subsets"]);
    } else {
        endpoints.set(&["subsets"], Value::from(packed));
    }
    Some(match observed.current {
        Some(_) => Action::Update(endpoints),
        None => Action::Create(endpoints),
    })
}

/// The address of a pod, once for each port of the service.
fn entries(service: &Value, pod: &Value) -> Vec<Entry> {
    let tolerate = service.bool_at(&["spec", "publishNotReadyAddresses"])
        || service.annotation(TOLERATE_UNREADY) == Some("true");
    let ready = tolerate || is_ready(pod);
    let has_address = !pod.str_at(&["status", "podIP"]).is_empty();
    let leaves = pod.deletion_timestamp().is_some() && !tolerate;
    if !has_address || leaves || !(ready || may_become_ready(pod)) {
        return Vec::new();
    }
    let address = address(service, pod);
    let ports = service.list_at(&["spec", "ports"]);
    let entry = |port| Entry { address: address.clone(), port, ready };
    if ports.is_empty() {
        let headless = service.str_at(&["spec", "clusterIP"]) == "None";
        return if headless { vec![entry(None)] } else { Vec::new() };
    }
    let reached = ports.iter().filter_map(|port| endpoint_port(port, pod));
    reached.map(|port| entry(Some(port))).collect()
}

/// Whether a pod that is not ready still may be: one that has ended for good may not.
#[must_use]
pub fn may_become_ready(pod: &Value) -> bool {
    let phase = pod.str_at(&["status", "phase"]);
    match pod.str_at(&["spec", "restartPolicy"]) {
        "Never" => !matches!(phase, "Failed" | "Succeeded"),
        "OnFailure" => phase != "Succeeded",
        _ => true,
    }
}

fn address(service: &Value, pod: &Value) -> Value {
    let mut address = json!({
        "ip": pod.str_at(&["status", "podIP"]),
        "targetRef": {
            "kind": "Pod",
            "namespace": pod.namespace(),
            "name": pod.name(),
            "uid": pod.uid(),
            "resourceVersion": pod.resource_version(),
        },
    });
    let node = pod.str_at(&["spec", "nodeName"]);
    if !node.is_empty() {
        address["nodeName"] = json!(node);
    }
    let hostname = pod.str_at(&["spec", "hostname"]);
    if !hostname.is_empty() && pod.str_at(&["spec", "subdomain"]) == service.name() {
        address["hostname"] = json!(hostname);
    }
    address
}

/// The port of the pod that a port of the service leads to; `None` when the pod has no such port.
fn endpoint_port(port: &Value, pod: &Value) -> Option<Value> {
    let protocol = Some(port.str_at(&["protocol"])).filter(|p| !p.is_empty()).unwrap_or("TCP");
    let number = match port.at(&["targetPort"]) {
        Some(Value::String(name)) if !name.is_empty() => named_port(pod, name, protocol)?,
        Some(Value::Number(number)) if number.as_i64() != Some(0) => number.as_i64()?,
        _ => port.int_at(&["port"])?,
    };
    let mut reached = json!({"port": number, "protocol": protocol});
    if let Some(name) = port.at(&["name"]) {
        reached["name"] = name.clone();
    }
    Some(reached)
}

fn named_port(pod: &Value, name: &str, protocol: &str) -> Option<i64> {
    let containers = pod.list_at(&["spec", "containers"]).iter();
    let mut ports = containers.flat_map(|container| container.list_at(&["ports"]));
    let named = ports.find(|port| {
        let of = Some(port.str_at(&["protocol"])).filter(|p| !p.is_empty()).unwrap_or("TCP");
        port.str_at(&["name"]) == name && of == protocol
    })?;
    named.int_at(&["containerPort"])
}

#[cfg(test)]
mod tests;
