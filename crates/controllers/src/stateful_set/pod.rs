//! The identity of a stateful set's pod: its name, its labels, its claims.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_utils.go`.

use api::views::pod::{is_ready, is_terminating, phase};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::{history, pod_control};

/// Label with the pod's own name, so that a service can choose one pod.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Label with the name of the revision that the pod was made from.
pub const REVISION: &str = "controller-revision-hash";

/// The set's name and the ordinal in the name of a pod; `None` when it has no ordinal.
#[must_use]
pub fn parent_and_ordinal(pod: &str) -> Option<(&str, i64)> {
    let (parent, ordinal) = pod.rsplit_once('-')?;
    if ordinal.is_empty() || !ordinal.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((parent, ordinal.parse::<i32>().ok()?.into()))
}

/// Whether the pod's name is one of `set`'s.
#[must_use]
pub fn is_member(set: &Value, pod: &Value) -> bool {
    parent_and_ordinal(pod.name()).is_some_and(|(parent, _)| parent == set.name())
}

/// The ordinal of a pod; -1 when its name has none.
#[must_use]
pub fn ordinal(pod: &Value) -> i64 {
    parent_and_ordinal(pod.name()).map_or(-1, |(_, ordinal)| ordinal)
}

/// The name of the revision that the pod was made from.
#[must_use]
pub fn revision(pod: &Value) -> &str {
    pod.label(REVISION)
}

pub(crate) fn is_running_and_ready(pod: &Value) -> bool {
    phase(pod) == "Running" && is_ready(pod)
}

pub(crate) fn is_healthy(pod: &Value) -> bool {
    is_running_and_ready(pod) && !is_terminating(pod)
}

/// The pod of `set` with `ordinal`, made from `revision`.
#[must_use]
pub fn make(set: &Value, revision: &Value, ordinal: i64) -> Value {
    let mut pod = pod_control::from_template(&history::template(revision), set);
    let name = format!("{}-{ordinal}", set.name());
    pod.set(&["metadata", "name"], json!(name));
    pod.set(&["spec", "hostname"], json!(name));
    pod.set(&["spec", "subdomain"], json!(set.str_at(&["spec", "serviceName"])));
    pod.set(&["metadata", "labels", REVISION], json!(revision.name()));
    identify(set, &mut pod);
    store(set, &mut pod);
    pod
}

/// Whether the pod is who its set says it is.
#[must_use]
pub fn identity_matches(set: &Value, pod: &Value) -> bool {
    is_member(set, pod) && pod.namespace() == set.namespace() && pod.label(POD_NAME) == pod.name()
}

/// Whether the pod mounts its claims.
#[must_use]
pub fn storage_matches(set: &Value, pod: &Value) -> bool {
    let volumes = pod.list_at(&["spec", "volumes"]);
    claims(set, ordinal(pod)).iter().all(|(template, claim)| {
        volumes.iter().any(|volume| {
            volume.str_at(&["name"]) == template
                && volume.str_at(&["persistentVolumeClaim", "claimName"]) == claim.name()
        })
    })
}

/// Gives the pod its identity.
pub(crate) fn identify(set: &Value, pod: &mut Value) {
    let name = format!("{}-{}", set.name(), ordinal(pod));
    pod.set(&["metadata", "namespace"], json!(set.namespace()));
    pod.set(&["metadata", "labels", POD_NAME], json!(name));
}

/// Gives the pod its claims as volumes; those of the template with the same names give way.
pub(crate) fn store(set: &Value, pod: &mut Value) {
    let claims = claims(set, ordinal(pod));
    if claims.is_empty() {
        return;
    }
    let mut volumes: Vec<Value> = claims
        .iter()
        .map(|(template, claim)| {
            json!({"name": template, "persistentVolumeClaim": {"claimName": claim.name()}})
        })
        .collect();
    let claimed = |volume: &&Value| claims.iter().any(|(name, _)| name == volume.str_at(&["name"]));
    let others = pod.list_at(&["spec", "volumes"]).iter().filter(|volume| !claimed(volume));
    volumes.extend(others.cloned());
    pod.set(&["spec", "volumes"], Value::from(volumes));
}

/// The claims of the pod with `ordinal`, by the names of their templates.
#[must_use]
pub fn claims(set: &Value, ordinal: i64) -> Vec<(String, Value)> {
    let templates = set.list_at(&["spec", "volumeClaimTemplates"]).iter();
    templates
        .map(|template| {
            let mut claim = template.clone();
            drop(claim.remove(&["status"]));
            let short = template.name().to_owned();
            claim.set(&["apiVersion"], json!("v1"));
            claim.set(&["kind"], json!("PersistentVolumeClaim"));
            let name = format!("{short}-{}-{ordinal}", set.name());
            claim.set(&["metadata", "name"], json!(name));
            claim.set(&["metadata", "namespace"], json!(set.namespace()));
            if let Some(labels) = set.at(&["spec", "selector", "matchLabels"]) {
                claim.set(&["metadata", "labels"], labels.clone());
            }
            (short, claim)
        })
        .collect()
}
