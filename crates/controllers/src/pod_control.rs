//! Creating and deleting the pods of a controller, with the events that tell of it.
//!
//! Invariant: at most [`BURST`] creations or deletions per sync.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/controller_utils.go` (`RealPodControl`),
//! `replica_set.go` (`slowStartBatch`).

use api::PODS;
use apimachinery::object::{controller_owner_reference, map_of};
use apimachinery::{ObjectExt as _, Status, Value};
use controller_runtime::{Context, EventType};

/// How many pods one sync creates or deletes at most.
pub(crate) const BURST: usize = 500;

/// The pod that `template` describes, owned by `owner`; the server picks the end of its name.
pub(crate) fn from_template(template: &Value, owner: &Value) -> Value {
    let mut metadata = map_of([
        ("generateName", format!("{}-", owner.name()).into()),
        ("namespace", owner.namespace().into()),
        ("ownerReferences", vec![controller_owner_reference(owner)].into()),
    ]);
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template.at(&["metadata", field]) {
            metadata.set(&[field], value.clone());
        }
    }
    let spec = template.at(&["spec"]).cloned().unwrap_or_default();
    map_of([
        ("apiVersion", "v1".into()),
        ("kind", "Pod".into()),
        ("metadata", metadata),
        ("spec", spec),
    ])
}

/// Calls `create` up to `count` times in batches of 1, 2, 4, …; a batch with a failure is the last.
/// Gives the successes and the first failure.
///
/// When something is wrong with all of them (a quota, say), few attempts find it out.
pub fn slow_start<E>(
    count: usize,
    mut create: impl FnMut() -> Result<(), E>,
) -> (usize, Option<E>) {
    let (mut remaining, mut batch, mut successes) = (count, 1, 0);
    while remaining > 0 {
        let size = batch.min(remaining);
        let mut failure = None;
        for _ in 0..size {
            match create() {
                Ok(()) => successes += 1,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if failure.is_some() {
            return (successes, failure);
        }
        remaining -= size;
        batch *= 2;
    }
    (successes, None)
}

/// Creates one pod of `owner` and tells of it as `component`.
pub(crate) fn create(
    cx: &mut Context<'_>,
    component: &str,
    owner: &Value,
    template: &Value,
) -> Result<(), Status> {
    create_pod(cx, component, owner, from_template(template, owner))
}

/// Creates `pod`, made by [`from_template`] and changed since.
pub(crate) fn create_pod(
    cx: &mut Context<'_>,
    component: &str,
    owner: &Value,
    pod: Value,
) -> Result<(), Status> {
    if pod.map_at(&["metadata", "labels"]).is_none_or(apimachinery::Map::is_empty) {
        return Err(Status::bad_request("unable to create pods, no labels"));
    }
    match cx.client.create(&PODS, owner.namespace(), pod) {
        Ok(pod) => {
            let message = format!("Created pod: {}", pod.name());
            cx.recorder.event(component, owner, EventType::Normal, "SuccessfulCreate", &message);
            Ok(())
        }
        Err(status) => {
            let message = format!("Error creating: {status}");
            cx.recorder.event(component, owner, EventType::Warning, "FailedCreate", &message);
            Err(status)
        }
    }
}

/// Deletes one pod of `owner` and tells of it as `component`. A pod already gone is no failure.
pub(crate) fn delete(
    cx: &mut Context<'_>,
    component: &str,
    owner: &Value,
    name: &str,
) -> Result<(), Status> {
    match cx.client.delete(&PODS, owner.namespace(), name, apiserver::DeleteOptions::default()) {
        Ok(_) => {
            let message = format!("Deleted pod: {name}");
            cx.recorder.event(component, owner, EventType::Normal, "SuccessfulDelete", &message);
            Ok(())
        }
        Err(status) if status.is_not_found() => Ok(()),
        Err(status) => {
            let message = format!("Error deleting: {status}");
            cx.recorder.event(component, owner, EventType::Warning, "FailedDelete", &message);
            Err(status)
        }
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn bursts_double_and_stop_at_the_first_failing_batch() {
        // (wanted, calls that may succeed, successes, calls made)
        for (count, limit, successes, calls) in
            [(0, 0, 0, 0), (10, 0, 0, 1), (10, 5, 5, 7), (10, 10, 10, 10), (10, 8, 8, 10)]
        {
            let mut made = 0;
            let (done, failure) = slow_start(count, || {
                made += 1;
                if made > limit { Err("fake error") } else { Ok(()) }
            });
            assert_eq!((done, made), (successes, calls), "{count} with limit {limit}");
            assert_eq!(failure.is_some(), done < count);
        }
    }

    #[test]
    fn a_pod_carries_the_template_and_its_owner() {
        let owner = json!({"apiVersion": "v1", "kind": "ReplicationController",
            "metadata": {"name": "web-1", "namespace": "dev", "uid": "u"}});
        let template = json!({"metadata": {"labels": {"app": "web"}, "name": "ignored"},
            "spec": {"containers": []}});
        let pod = from_template(&template, &owner);
        assert_eq!(pod.str_at(&["metadata", "generateName"]), "web-1-");
        assert_eq!(pod.name(), "");
        assert_eq!(pod.label("app"), "web");
        assert_eq!(pod.controller_ref().unwrap().kind(), "ReplicationController");
    }
}
