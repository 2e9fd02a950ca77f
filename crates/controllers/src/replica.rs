//! What `ReplicationController` and `ReplicaSet` have in common: keep as many pods as asked for and
//! count them.
//!
//! [`plan`] decides how many pods to create or which to delete; [`status`] counts. Both are pure.
//! [`reconcile`] observes, plans and acts for either kind.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/replicaset`.

use std::sync::Arc;
use std::time::Duration;

use api::views::pod::{condition, is_active, is_ready};
use api::{PODS, Resource};
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Status, Value};
use controller_runtime::{Context, Error, Key, Requeue};
use serde_json::{Map, json};
use world::Time;

use crate::{claim, pod, pod_control};

/// What a decision is made from.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    /// The controller object.
    pub(crate) owner: &'a Value,
    /// Its active pods.
    pub(crate) pods: &'a [Arc<Value>],
    pub(crate) now: Time,
}

/// What must be done about the number of pods.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Create this many.
    Create(usize),
    /// Delete the pod of this name.
    Delete(String),
}

/// The two kinds that share this logic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flavor {
    pub(crate) resource: &'static Resource,
    pub(crate) component: &'static str,
    /// Reads the selector off an object.
    pub(crate) selector: fn(&Value) -> LabelSelector,
}

/// Why pods could not be brought to the wanted number.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    reason: &'static str,
    status: Status,
}

fn wanted(owner: &Value) -> usize {
    usize::try_from(owner.int_at(&["spec", "replicas"]).unwrap_or(1)).unwrap_or(0)
}

fn min_ready_seconds(owner: &Value) -> i64 {
    owner.int_at(&["spec", "minReadySeconds"]).unwrap_or(0)
}

/// The creations or deletions that bring the active pods to `spec.replicas`.
pub(crate) fn plan(observed: &Observed<'_>) -> Vec<Action> {
    if observed.owner.deletion_timestamp().is_some() {
        return Vec::new();
    }
    let (have, want) = (observed.pods.len(), wanted(observed.owner));
    if have < want {
        return vec![Action::Create((want - have).min(pod_control::BURST))];
    }
    let surplus = (have - want).min(pod_control::BURST);
    to_delete(observed.pods, surplus)
        .iter()
        .map(|pod| Action::Delete(pod.name().to_owned()))
        .collect()
}

/// The `count` pods to give up first. Nothing is ranked when all must go.
#[must_use]
pub fn to_delete(pods: &[Arc<Value>], count: usize) -> Vec<Arc<Value>> {
    let mut ranked = pods.to_vec();
    if count > 0 && count < ranked.len() {
        ranked.sort_by(|a, b| pod::deletion_order(a, b));
    }
    ranked.truncate(count);
    ranked
}

/// The status that the observed pods give; counters of zero are left out as upstream leaves them.
pub(crate) fn status(observed: &Observed<'_>, failure: Option<&Failure>) -> Value {
    let (owner, pods) = (observed.owner, observed.pods);
    let empty = Map::new();
    let template = owner.map_at(&["spec", "template", "metadata", "labels"]).unwrap_or(&empty);
    let labelled = |pod: &Value| {
        template.iter().all(|(key, value)| pod.labels().and_then(|l| l.get(key)) == Some(value))
    };
    let min_ready = min_ready_seconds(owner);
    let available = |pod: &Value| {
        pod::available_in(pod, min_ready, observed.now).is_some_and(|wait| wait.is_zero())
    };
    let (mut all_labels, mut ready, mut available_pods) = (0, 0, 0);
    // One look at each pod: this is done at every change to one of them.
    for pod in pods {
        all_labels += usize::from(labelled(pod));
        if is_ready(pod) {
            ready += 1;
            available_pods += usize::from(min_ready == 0 || available(pod));
        }
    }
    let mut status = json!({"replicas": pods.len()});
    let counters = [
        ("fullyLabeledReplicas", all_labels),
        ("readyReplicas", ready),
        ("availableReplicas", available_pods),
    ];
    for (field, count) in counters.into_iter().filter(|(_, count)| *count > 0) {
        status[field] = json!(count);
    }
    if owner.generation() > 0 {
        status["observedGeneration"] = json!(owner.generation());
    }
    let conditions = conditions(observed, failure);
    if !conditions.is_empty() {
        status["conditions"] = Value::Array(conditions);
    }
    status
}

/// The conditions with `ReplicaFailure` set, kept or removed.
fn conditions(observed: &Observed<'_>, failure: Option<&Failure>) -> Vec<Value> {
    let old = observed.owner.list_at(&["status", "conditions"]);
    let present = old.iter().any(|condition| condition.str_at(&["type"]) == "ReplicaFailure");
    let others = |condition: &&Value| condition.str_at(&["type"]) != "ReplicaFailure";
    match failure {
        None => old.iter().filter(others).cloned().collect(),
        Some(_) if present => old.to_vec(),
        Some(failure) => {
            let condition = json!({
                "type": "ReplicaFailure",
                "status": "True",
                "lastTransitionTime": observed.now.rfc3339(),
                "reason": failure.reason,
                "message": failure.status.message,
            });
            old.iter().cloned().chain([condition]).collect()
        }
    }
}

/// The status that `pods` give their controller, which failed to create or delete some with
/// `failure` (reason and message), if it did.
#[must_use]
pub fn status_of(
    owner: &Value,
    pods: &[Arc<Value>],
    failure: Option<(&'static str, &str)>,
    now: Time,
) -> Value {
    let failure = failure.map(|(reason, message)| {
        let status = Status::bad_request(message);
        Failure { reason, status }
    });
    status(&Observed { owner, pods, now }, failure.as_ref())
}

/// When a ready pod will have been ready for `minReadySeconds`; nothing in the API changes then.
fn next_available(observed: &Observed<'_>) -> Option<Duration> {
    let min_ready = min_ready_seconds(observed.owner);
    if min_ready == 0 {
        return None;
    }
    let waits = observed.pods.iter();
    waits
        .filter_map(|pod| pod::available_in(pod, min_ready, observed.now))
        .filter(|wait| !wait.is_zero())
        .min()
}

/// Brings the pods and the status of the object under `key` up to date.
pub(crate) fn reconcile(flavor: Flavor, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
    let Some(owner) = cx.caches.get_key(flavor.resource, key) else { return Ok(Requeue::Done) };
    let selector = (flavor.selector)(&owner);
    let candidates = claim::candidates(cx, &owner, &selector, &PODS);
    let candidates = candidates.into_iter().filter(|pod| is_active(pod));
    let claims = claim::claim(&owner, &selector, candidates);
    claim::carry_out(cx, (flavor.resource, &owner), &PODS, &claims)?;
    let observed = Observed { owner: &owner, pods: &claims.owned, now: cx.world.now() };
    let failure = apply(flavor, cx, &owner, plan(&observed)).err();
    update_status(flavor, cx, &owner, status(&observed, failure.as_ref()))?;
    match failure {
        Some(failure) => Err(failure.status.into()),
        None => Ok(next_available(&observed).map_or(Requeue::Done, Requeue::After)),
    }
}

fn apply(
    flavor: Flavor,
    cx: &mut Context<'_>,
    owner: &Value,
    actions: Vec<Action>,
) -> Result<(), Failure> {
    let mut first_failure = None;
    for action in actions {
        let (reason, failure) = match action {
            Action::Create(count) => {
                let template = owner.at(&["spec", "template"]).cloned().unwrap_or_default();
                let create = || pod_control::create(cx, flavor.component, owner, &template);
                ("FailedCreate", pod_control::slow_start(count, create).1)
            }
            Action::Delete(name) => {
                ("FailedDelete", pod_control::delete(cx, flavor.component, owner, &name).err())
            }
        };
        first_failure = first_failure.or_else(|| failure.map(|status| Failure { reason, status }));
    }
    first_failure.map_or(Ok(()), Err)
}

fn update_status(
    flavor: Flavor,
    cx: &Context<'_>,
    owner: &Value,
    status: Value,
) -> Result<(), Error> {
    if owner.at(&["status"]) == Some(&status) {
        return Ok(());
    }
    let mut updated = owner.clone();
    updated.set(&["status"], status);
    match cx.client.update_status(flavor.resource, updated) {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(()),
    }
}

/// The keys of the controllers of `resource` that may care about a changed pod: its owner now and
/// before, and for an orphan every controller of its namespace that selects it.
pub(crate) fn owners_of_pod(
    flavor: Flavor,
    caches: &controller_runtime::Caches,
    change: &controller_runtime::Change,
) -> Vec<Key> {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && facts(old) == facts(new)
    {
        return Vec::new();
    }
    let mut keys = controller_runtime::controller_owner_of(change, flavor.resource.kind);
    let pod = change.object();
    if change.new.is_some() && pod.controller_ref().is_none() {
        let selecting = caches.may_select(flavor.resource, pod).into_iter();
        let selecting = selecting.filter(|owner| (flavor.selector)(owner).matches_object(pod));
        keys.extend(selecting.map(|owner| Key::of(&owner)));
    }
    keys
}

/// Everything about a pod that its controller's number and status depend on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    let owners = pod.owner_references();
    (pod.uid(), is_active(pod), condition(pod, "Ready"), pod.labels(), owners)
}

#[cfg(test)]
mod tests;
