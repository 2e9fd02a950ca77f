//! The pod of a daemon set: what its template gets, and how its pods on one node rank.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/daemon/util/daemonset_util.go`.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

/// Label with the hash of the revision that the pod was made from.
pub const HASH: &str = "controller-revision-hash";
/// Label with the generation of the template that the pod was made from.
const GENERATION: &str = "pod-template-generation";
/// Annotation of the set with the generation of its template.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// What a daemon set's pods put up with: their nodes' troubles do not drive them away.
const TOLERATIONS: [(&str, &str); 4] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
];

/// The generation of the set's template.
fn template_generation(ds: &Value) -> Option<&str> {
    ds.annotation(TEMPLATE_GENERATION).filter(|text| text.parse::<i64>().is_ok())
}

/// The template of the pods of `ds` with this revision hash; empty when it is not known yet.
#[must_use]
pub fn template(ds: &Value, hash: &str) -> Value {
    let mut template = ds.at(&["spec", "template"]).cloned().unwrap_or_default();
    if let Some(generation) = template_generation(ds) {
        template.set(&["metadata", "labels", GENERATION], json!(generation));
    }
    if !hash.is_empty() {
        template.set(&["metadata", "labels", HASH], json!(hash));
    }
    let mut tolerations = template.list_at(&["spec", "tolerations"]).to_vec();
    for (key, effect) in TOLERATIONS {
        let wanted = json!({"key": key, "operator": "Exists", "effect": effect});
        // One of the template that differs in `tolerationSeconds` only gives way.
        let alike = |other: &&mut Value| {
            let same = |field: &str| other.str_at(&[field]) == wanted.str_at(&[field]);
            ["key", "operator", "effect", "value"].into_iter().all(same)
        };
        match tolerations.iter_mut().find(alike) {
            Some(other) => *other = wanted,
            None => tolerations.push(wanted),
        }
    }
    template.set(&["spec", "tolerations"], Value::from(tolerations));
    template
}

/// The template of the pod on `node`.
#[must_use]
pub fn template_on(ds: &Value, hash: &str, node: &str) -> Value {
    let mut template = template(ds, hash);
    template.set(&["spec", "nodeName"], json!(node));
    template
}

/// Whether the pod was made from the set's present template.
#[must_use]
pub fn is_updated(ds: &Value, pod: &Value, hash: &str) -> bool {
    let by_generation =
        template_generation(ds).is_some_and(|generation| pod.label(GENERATION) == generation);
    by_generation || !hash.is_empty() && pod.label(HASH) == hash
}

/// Orders the pods of one node, the one to keep first: older, then by name.
#[must_use]
pub fn keep_order(a: &Value, b: &Value) -> std::cmp::Ordering {
    (a.creation_timestamp(), a.name()).cmp(&(b.creation_timestamp(), b.name()))
}
