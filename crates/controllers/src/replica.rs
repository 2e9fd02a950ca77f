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
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Status, Value};
use controller_runtime::cache::Alike;
use controller_runtime::{Caches, Change, Context, Error, Key, Requeue};
use world::Time;

use crate::{claim, pod, pod_control};

/// How many pods there are, of those that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    active: usize,
    fully_labelled: usize,
    ready: usize,
    available: usize,
}

/// What a decision is made from.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    /// The controller object.
    pub(crate) owner: &'a Value,
    /// Its active pods; not looked at while none of them may be too many.
    pub(crate) pods: &'a [Arc<Value>],
    pub(crate) counts: Counts,
    pub(crate) now: Time,
}

impl<'a> Observed<'a> {
    /// Counts `pods`, all of which are active.
    pub(crate) fn of(owner: &'a Value, pods: &'a [Arc<Value>], now: Time) -> Self {
        let min_ready = min_ready_seconds(owner);
        let mut counts = Counts { active: pods.len(), ..Counts::default() };
        for pod in pods {
            counts.fully_labelled += usize::from(has_template_labels(owner, pod.labels()));
            if is_ready(pod) {
                counts.ready += 1;
                let wait = || pod::available_in(pod, min_ready, now);
                let available = min_ready == 0 || wait().is_some_and(|wait| wait.is_zero());
                counts.available += usize::from(available);
            }
        }
        Self { owner, pods, counts, now }
    }
}

/// The counts of the pods of `owner`, where counting is all there is to do: none has to be given up,
/// adopted or released, and none becomes available by waiting.
fn glance(owner: &Value, selector: &LabelSelector, pods: &[&Alike]) -> Option<Counts> {
    if owner.deletion_timestamp().is_some() || min_ready_seconds(owner) > 0 {
        return None;
    }
    let mut counts = Counts::default();
    for alike in pods.iter().filter(|alike| alike.active > 0) {
        let labels = alike.labels.as_ref();
        if !selector.matches(labels) {
            return None;
        }
        let fully = has_template_labels(owner, labels);
        counts.fully_labelled += if fully { alike.active } else { 0 };
        counts.active += alike.active;
        counts.ready += alike.ready;
        counts.available += alike.ready;
    }
    (counts.active <= wanted(owner)).then_some(counts)
}

fn has_template_labels(owner: &Value, labels: Option<&Map>) -> bool {
    let template = owner.map_at(&["spec", "template", "metadata", "labels"]);
    template
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
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
    let (have, want) = (observed.counts.active, wanted(observed.owner));
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
    let (owner, counts) = (observed.owner, observed.counts);
    let mut status = json!({"replicas": counts.active});
    let counters = [
        ("fullyLabeledReplicas", counts.fully_labelled),
        ("readyReplicas", counts.ready),
        ("availableReplicas", counts.available),
    ];
    for (field, count) in counters.into_iter().filter(|(_, count)| *count > 0) {
        status[field] = json!(count);
    }
    if owner.generation() > 0 {
        status["observedGeneration"] = json!(owner.generation());
    }
    let conditions = conditions(observed, failure);
    if !conditions.is_empty() {
        status["conditions"] = Value::from(conditions);
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
    status(&Observed::of(owner, pods, now), failure.as_ref())
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
    let orphans = cx.caches.selected_orphans(&PODS, owner.namespace(), &selector);
    let alike: Vec<&Alike> = cx.caches.pods_of(owner.uid()).collect();
    let counts = glance(&owner, &selector, &alike).filter(|_| orphans.is_empty());
    let now = cx.world.now();
    let pods;
    let observed = match counts {
        Some(counts) => Observed { owner: &owner, pods: &[], counts, now },
        None => {
            let candidates = claim::candidates(cx, &owner, &selector, &PODS);
            let candidates = candidates.into_iter().filter(|pod| is_active(pod));
            let claims = claim::claim(&owner, &selector, candidates);
            claim::carry_out(cx, (flavor.resource, &owner), &PODS, &claims)?;
            pods = claims.owned;
            Observed::of(&owner, &pods, now)
        }
    };
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
    match cx.client.replace_status(flavor.resource, owner, status) {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(()),
    }
}

/// The keys of the controllers of `resource` that may care about a changed pod: its owner now and
/// before, and for an orphan every controller of its namespace that selects it.
pub(crate) fn owners_of_pod(flavor: Flavor, caches: &Caches, change: &Change) -> Vec<Key> {
    let selects = |owner: &Value, pod: &Value| (flavor.selector)(owner).matches_object(pod);
    claim::claimants((caches, change), flavor.resource, || claim::is_news(change, facts), selects)
}

/// Everything about a pod that its controller's number and status depend on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    let ready = condition(pod, "Ready").filter(|ready| ready.str_at(&["status"]) == "True");
    let since = ready.map(|ready| ready.str_at(&["lastTransitionTime"]));
    (pod.uid(), is_active(pod), since, pod.labels(), pod.owner_references())
}

#[cfg(test)]
mod tests;
