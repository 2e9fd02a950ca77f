//! The controller of `EndpointSlice`s: the endpoints of a service in the form that today's clients
//! read (`kubectl describe service`).
//!
//! Invariant: the slices say what the `Endpoints` object of the service says, which stays the truth.
//!
//! Deviation: OpenShift 3.11 has no slices; they are made from `Endpoints`, one slice a subset and
//! at most 100 addresses in each.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{ENDPOINT_SLICES, ENDPOINTS};
use apimachinery::hash::{fnv32a, safe_encode};
use apimachinery::json;
use apimachinery::object::controller_owner_reference;
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;
use controller_runtime::{Context, Controller, Error, Key, Requeue, Watching, same_key};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const LARGEST: usize = 100;

/// Keeps the `EndpointSlice`s of each `Endpoints` object.
#[derive(Debug, Default)]
pub struct EndpointSlices;

/// A write.
#[derive(Debug, PartialEq)]
enum Action {
    Create(Value),
    Update(Value),
    Delete(String),
}

impl Controller for EndpointSlices {
    fn name(&self) -> &'static str {
        "endpointslice-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&ENDPOINTS, same_key),
            Watching::new(&ENDPOINT_SLICES, |_, change| owner_key(change.object())),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(endpoints) = cx.caches.get_key(&ENDPOINTS, key) else { return Ok(Requeue::Done) };
        let existing = cx.caches.owned_by(&ENDPOINT_SLICES, endpoints.uid());
        for action in plan(&endpoints, &existing) {
            let result = match action {
                Action::Create(slice) => {
                    cx.client.create(&ENDPOINT_SLICES, key.namespace(), slice).map(drop)
                }
                Action::Update(slice) => cx.client.update(&ENDPOINT_SLICES, slice).map(drop),
                Action::Delete(name) => {
                    let options = DeleteOptions::default();
                    cx.client.delete(&ENDPOINT_SLICES, key.namespace(), &name, options).map(drop)
                }
            };
            match result {
                Err(status) if !status.is_not_found() => return Err(status.into()),
                _ => {}
            }
        }
        Ok(Requeue::Done)
    }
}

/// The key of the endpoints that a slice is made from. Slices of other makers have none.
fn owner_key(slice: &Value) -> Vec<Key> {
    if slice.label(MANAGED_BY) != MANAGER {
        return Vec::new();
    }
    vec![Key::new(slice.namespace(), slice.label(SERVICE_NAME))]
}

/// The writes that bring `existing` to what `endpoints` says. When the endpoints go, the garbage
/// collector takes the slices.
fn plan(endpoints: &Value, existing: &[Arc<Value>]) -> Vec<Action> {
    let mut wanted: BTreeMap<String, Value> = BTreeMap::new();
    for subset in endpoints.list_at(&["subsets"]) {
        for (index, chunk) in slice_endpoints(subset).chunks(LARGEST).enumerate() {
            let slice = slice(endpoints, subset.list_at(&["ports"]), chunk, index);
            wanted.insert(slice.name().to_owned(), slice);
        }
    }
    let mut actions = Vec::new();
    for old in existing {
        match wanted.remove(old.name()) {
            None => actions.push(Action::Delete(old.name().to_owned())),
            Some(new) if ["endpoints", "ports"].iter().all(|field| old[field] == new[field]) => {}
            Some(new) => {
                let mut updated = (**old).clone();
                for field in ["endpoints", "ports"] {
                    updated[field] = new[field].clone();
                }
                actions.push(Action::Update(updated));
            }
        }
    }
    actions.extend(wanted.into_values().map(Action::Create));
    actions
}

fn slice(endpoints: &Value, ports: &[Value], chunk: &[Value], index: usize) -> Value {
    let named = |port: &Value| {
        let mut port = port.clone();
        let name = port.str_at(&["name"]).to_owned();
        port.set(&["name"], json!(name));
        port
    };
    let ports: Vec<Value> = ports.iter().map(named).collect();
    let identity = format!("{}#{index}", Value::from(ports.clone()));
    let suffix = safe_encode(&fnv32a(identity.as_bytes()).to_string());
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{}-{suffix}", endpoints.name()),
            "namespace": endpoints.namespace(),
            "labels": {SERVICE_NAME: endpoints.name(), MANAGED_BY: MANAGER},
            "ownerReferences": [controller_owner_reference(endpoints)],
        },
        "addressType": "IPv4",
        "endpoints": chunk,
        "ports": ports,
    })
}

fn slice_endpoints(subset: &Value) -> Vec<Value> {
    let of = |field: &'static str, ready: bool| {
        subset.list_at(&[field]).iter().map(move |address| endpoint(address, ready))
    };
    of("addresses", true).chain(of("notReadyAddresses", false)).collect()
}

fn endpoint(address: &Value, ready: bool) -> Value {
    let mut endpoint = json!({
        "addresses": [address.str_at(&["ip"])],
        "conditions": {"ready": ready, "serving": ready, "terminating": false},
    });
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(value) = address.at(&[field]) {
            endpoint[field] = value.clone();
        }
    }
    endpoint.remove(&["targetRef", "resourceVersion"]);
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(ready: &[&str], not_ready: &[&str]) -> Value {
        let addresses = |ips: &[&str]| -> Vec<Value> {
            ips.iter()
                .map(|ip| json!({"ip": ip, "targetRef": {"name": ip, "resourceVersion": "1"}}))
                .collect()
        };
        let mut subset = json!({"ports": [{"port": 8080, "protocol": "TCP"}]});
        for (field, ips) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
            if !ips.is_empty() {
                subset[field] = Value::from(addresses(ips));
            }
        }
        json!({"metadata": {"name": "web", "namespace": "dev", "uid": "e"}, "subsets": [subset]})
    }

    fn created(actions: &[Action]) -> Vec<Arc<Value>> {
        let created = actions.iter().map(|action| match action {
            Action::Create(slice) => Arc::new(slice.clone()),
            other => panic!("{other:?}"),
        });
        created.collect()
    }

    #[test]
    fn a_slice_says_what_the_subset_says() {
        let slices = created(&plan(&endpoints(&["10.0.0.1"], &["10.0.0.2"]), &[]));
        assert_eq!(slices.len(), 1);
        assert_eq!(slices[0].label(SERVICE_NAME), "web");
        assert_eq!(
            slices[0]["endpoints"],
            json!([
                {"addresses": ["10.0.0.1"], "targetRef": {"name": "10.0.0.1"},
                    "conditions": {"ready": true, "serving": true, "terminating": false}},
                {"addresses": ["10.0.0.2"], "targetRef": {"name": "10.0.0.2"},
                    "conditions": {"ready": false, "serving": false, "terminating": false}},
            ])
        );
        assert_eq!(slices[0]["ports"], json!([{"name": "", "port": 8080, "protocol": "TCP"}]));
    }

    #[test]
    fn slices_follow_changes_and_rest_otherwise() {
        let slices = created(&plan(&endpoints(&["10.0.0.1"], &[]), &[]));
        assert_eq!(plan(&endpoints(&["10.0.0.1"], &[]), &slices), []);
        let changed = plan(&endpoints(&["10.0.0.2"], &[]), &slices);
        assert!(matches!(&changed[..], [Action::Update(_)]), "{changed:?}");
        let mut empty = endpoints(&[], &[]);
        empty.remove(&["subsets"]);
        assert_eq!(plan(&empty, &slices), [Action::Delete(slices[0].name().to_owned())]);
    }

    #[test]
    fn many_addresses_take_several_slices() {
        let ips: Vec<String> = (0..250).map(|n| format!("10.0.0.{n}")).collect();
        let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
        let slices = created(&plan(&endpoints(&ips, &[]), &[]));
        let mut sizes: Vec<usize> =
            slices.iter().map(|slice| slice.list_at(&["endpoints"]).len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [50, 100, 100]);
    }
}
