//! The controller of `StatefulSet`s: pods with names, in order, with claims of their own.
//!
//! Reading order: [`pod`] (names, labels, claims), [`plan()`] (the decision), this file (observe
//! and act), [`crate::history`] (revisions).
//!
//! Invariant: at most one pod of an ordinal exists; claims are deleted only where
//! `persistentVolumeClaimRetentionPolicy` asks for it.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/statefulset`.

mod plan;
pub mod pod;
mod retention;

use std::collections::BTreeSet;
use std::sync::Arc;

use api::views::pod::{condition, is_terminating, phase};
use api::{CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::DeleteOptions;
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching, same_key,
};

pub use self::plan::{Action, Observed, Plan, plan};
use crate::{claim, history};

const COMPONENT: &str = "statefulset-controller";

/// Keeps the pods of each `StatefulSet`.
#[derive(Debug, Default)]
pub struct StatefulSet;

impl Controller for StatefulSet {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&STATEFUL_SETS, same_key),
            Watching::new(&PODS, sets_of_pod),
            Watching::reading(&CONTROLLER_REVISIONS),
            Watching::reading(&PERSISTENT_VOLUME_CLAIMS),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(set) = cx.caches.get_key(&STATEFUL_SETS, key) else { return Ok(Requeue::Done) };
        let pods = claimed_pods(cx, &set)?;
        let revisions = history::claimed(cx, (&STATEFUL_SETS, &set), &claim::selector(&set))?;
        let (update, collisions) = if set.deletion_timestamp().is_some() {
            let Some(last) = revisions.last() else { return Ok(Requeue::Done) };
            (Arc::clone(last), set.int_at(&["status", "collisionCount"]).unwrap_or(0))
        } else {
            history::ensure(cx, &set, &revisions, |number, collisions| {
                let hash = history::hash(&history::data(&set), Some(collisions));
                history::revision(&set, number, history::HASH_LABEL, &hash)
            })?
        };
        let named = set.str_at(&["status", "currentRevision"]);
        let current = revisions.iter().find(|revision| revision.name() == named);
        let current = current.unwrap_or(&update);
        let now = cx.world.now();
        let observed =
            Observed { set: &set, pods: &pods, current, update: &update, collisions, now };
        let plan = plan(&observed);
        retention::keep(cx, &set, &pods)?;
        for action in &plan.actions {
            apply(cx, &set, action)?;
        }
        if set.at(&["status"]) != Some(&plan.status) {
            let mut updated = (*set).clone();
            updated.set(&["status"], plan.status);
            ignore_gone(cx.client.update_status(&STATEFUL_SETS, updated))?;
        }
        let mut live: BTreeSet<&str> = pods.iter().map(|pod| pod::revision(pod)).collect();
        live.extend([current.name(), update.name()]);
        let limit = set.int_at(&["spec", "revisionHistoryLimit"]).unwrap_or(10);
        history::delete(cx, key.namespace(), &history::surplus(&revisions, &live, limit))?;
        Ok(plan.resync.map_or(Requeue::Done, Requeue::After))
    }
}

fn claimed_pods(cx: &Context<'_>, set: &Value) -> Result<Vec<Arc<Value>>, Error> {
    let selector = claim::selector(set);
    let candidates = claim::candidates(cx, set, &selector, &PODS).into_iter();
    let members = candidates.filter(|pod| pod::is_member(set, pod));
    let claims = claim::claim(set, &selector, members);
    claim::carry_out(cx, (&STATEFUL_SETS, set), &PODS, &claims)?;
    Ok(claims.owned)
}

/// The owner now and before; for an orphan every set of the namespace that selects it.
fn sets_of_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    let selects = |set: &Value, pod: &Value| {
        pod::is_member(set, pod) && claim::selector(set).matches_object(pod)
    };
    claim::claimants((caches, change), &STATEFUL_SETS, || claim::is_news(change, facts), selects)
}

/// Everything about a pod that a decision depends on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    let state = (phase(pod), is_terminating(pod), condition(pod, "Ready"));
    (pod.uid(), state, pod.labels(), pod.owner_references())
}

fn ignore_gone<T>(result: Result<T, Status>) -> Result<(), Error> {
    match result {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(()),
    }
}

fn apply(cx: &mut Context<'_>, set: &Value, action: &Action) -> Result<(), Error> {
    match action {
        Action::TellFailed(name) => {
            let place = format!("{}/{}", set.namespace(), set.name());
            let message = format!("StatefulSet {place} is recreating failed Pod {name}");
            cx.recorder.event(COMPONENT, set, EventType::Warning, "RecreatingFailedPod", &message);
            Ok(())
        }
        Action::Create { pod, claims } => {
            make_claims(cx, set, pod.name(), claims)
                .inspect_err(|status| tell(cx, set, "create", pod.name(), Some(status)))?;
            let result = cx.client.create(&PODS, set.namespace(), (**pod).clone());
            match result {
                Err(status) if status.is_already_exists() => Err(status.into()),
                result => told(cx, set, "create", pod.name(), result),
            }
        }
        Action::Update { pod, claims } => {
            make_claims(cx, set, pod.name(), claims)
                .inspect_err(|status| tell(cx, set, "update", pod.name(), Some(status)))?;
            let result = cx.client.update(&PODS, (**pod).clone());
            told(cx, set, "update", pod.name(), result)
        }
        Action::Delete(name) => {
            let options = DeleteOptions::default();
            match cx.client.delete(&PODS, set.namespace(), name, options) {
                Err(status) if status.is_not_found() => Ok(()),
                result => told(cx, set, "delete", name, result),
            }
        }
    }
}

/// Passes a result on and tells of it.
fn told<T>(
    cx: &mut Context<'_>,
    set: &Value,
    verb: &str,
    pod: &str,
    result: Result<T, Status>,
) -> Result<(), Error> {
    tell(cx, set, verb, pod, result.as_ref().err());
    result.map(drop).map_err(Error::from)
}

fn tell(cx: &mut Context<'_>, set: &Value, verb: &str, pod: &str, failure: Option<&Status>) {
    let what = match verb {
        "create" => "Create",
        "update" => "Update",
        _ => "Delete",
    };
    let name = set.name();
    let (event_type, reason, message) = match failure {
        None => (
            EventType::Normal,
            format!("Successful{what}"),
            format!("{verb} Pod {pod} in StatefulSet {name} successful"),
        ),
        Some(error) => (
            EventType::Warning,
            format!("Failed{what}"),
            format!("{verb} Pod {pod} in StatefulSet {name} failed error: {error}"),
        ),
    };
    cx.recorder.event(COMPONENT, set, event_type, &reason, &message);
}

/// Makes the claims that are not there; the first refusal counts, the others are tried all the same.
fn make_claims(
    cx: &mut Context<'_>,
    set: &Value,
    pod: &str,
    claims: &[Value],
) -> Result<(), Status> {
    let mut failure = None;
    for claim in claims {
        let (namespace, name) = (set.namespace(), claim.name());
        if cx.caches.get(&PERSISTENT_VOLUME_CLAIMS, namespace, name).is_some() {
            continue;
        }
        let set_name = set.name();
        match cx.client.create(&PERSISTENT_VOLUME_CLAIMS, namespace, claim.clone()) {
            Ok(_) => {
                let message =
                    format!("create Claim {name} Pod {pod} in StatefulSet {set_name} success");
                cx.recorder.event(COMPONENT, set, EventType::Normal, "SuccessfulCreate", &message);
            }
            Err(status) if status.is_already_exists() => {}
            Err(status) => {
                let message = format!(
                    "create Claim {name} for Pod {pod} in StatefulSet {set_name} failed error: {status}"
                );
                cx.recorder.event(COMPONENT, set, EventType::Warning, "FailedCreate", &message);
                let mut told = status.clone();
                told.message = format!("Failed to create PVC {name}: {status}");
                failure = failure.or(Some(told));
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
