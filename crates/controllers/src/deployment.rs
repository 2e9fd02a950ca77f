//! The controller of `Deployment`s (apps/v1).
//!
//! Reading order: `sync` (the decision as a whole), `rollout` (the two strategies),
//! `scaling` (size changes), `progress` (status and conditions), `history`, `rollback`;
//! `replica_sets` and `bounds` are what they stand on. This file observes and acts.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment/deployment_controller.go`.

mod bounds;
mod hash;
mod history;
mod progress;
mod replica_sets;
mod rollback;
mod rollout;
pub mod rules;
mod scaling;
mod sync;

use std::sync::Arc;

use api::views::pod::is_terminal;
use api::{DEPLOYMENTS, PODS, REPLICA_SETS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::DeleteOptions;
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching,
    controller_owner_of, same_key,
};

use crate::claim;
use crate::deployment::replica_sets::same_template;
use crate::deployment::sync::{Action, Note, Observed};

const COMPONENT: &str = "deployment-controller";

/// Rolls each `Deployment`'s pods to its template, one replica set a revision.
#[derive(Debug, Default)]
pub struct Deployment;

impl Controller for Deployment {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&DEPLOYMENTS, same_key),
            Watching::new(&REPLICA_SETS, deployments_of_replica_set),
            Watching::new(&PODS, deployment_of_ended_pod),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(deployment) = cx.caches.get_key(&DEPLOYMENTS, key) else {
            return Ok(Requeue::Done);
        };
        let observed = observe(cx, &deployment)?;
        let plan = sync::plan(observed);
        apply(cx, &deployment, plan.actions)?;
        Ok(plan.resync.map_or(Requeue::Done, Requeue::After))
    }
}

/// The owner now and before; for an orphan every deployment of the namespace that selects it.
fn deployments_of_replica_set(caches: &Caches, change: &Change) -> Vec<Key> {
    let selects = |deployment: &Value, set: &Value| claim::selector(deployment).matches_object(set);
    claim::claimants((caches, change), &DEPLOYMENTS, || true, selects)
}

/// A pod that is gone or has ended may be what a `Recreate` deployment waits for.
fn deployment_of_ended_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    if change.new.as_ref().is_some_and(|pod| !is_terminal(pod)) {
        return Vec::new();
    }
    let sets = controller_owner_of(change, REPLICA_SETS.kind);
    let sets = sets.iter().filter_map(|key| caches.get_key(&REPLICA_SETS, key));
    let owners = sets.filter_map(|set| {
        let owner = set.controller_ref().filter(|owner| owner.kind() == DEPLOYMENTS.kind)?;
        Some(Key::new(set.namespace(), owner.str_at(&["name"])))
    });
    owners.collect()
}

/// Claims the replica sets and gathers what the decision needs.
fn observe<'a>(cx: &Context<'_>, deployment: &'a Arc<Value>) -> Result<Observed<'a>, Error> {
    let selector = claim::selector(deployment);
    let candidates = claim::candidates(cx, deployment, &selector, &REPLICA_SETS).into_iter();
    let claims = claim::claim(deployment, &selector, candidates);
    claim::carry_out(cx, (&DEPLOYMENTS, deployment), &REPLICA_SETS, &claims)?;
    let sets = claims.owned.iter();
    let pods = sets.flat_map(|set| cx.caches.owned_by(&PODS, set.uid())).collect();
    Ok(Observed { deployment, replica_sets: claims.owned, pods, now: cx.world.now() })
}

fn apply(cx: &mut Context<'_>, deployment: &Arc<Value>, actions: Vec<Action>) -> Result<(), Error> {
    let mut latest = Arc::clone(deployment);
    for action in actions {
        match action {
            Action::CreateReplicaSet(set, notes) => {
                create_replica_set(cx, &latest, set)?;
                tell(cx, deployment, notes);
            }
            Action::UpdateReplicaSet(set, notes) => {
                cx.client.update(&REPLICA_SETS, set)?;
                tell(cx, deployment, notes);
            }
            Action::DeleteReplicaSet(name) => {
                let options = DeleteOptions::default();
                let result =
                    cx.client.delete(&REPLICA_SETS, deployment.namespace(), &name, options);
                if let Err(status) = result
                    && !status.is_not_found()
                {
                    return Err(status.into());
                }
            }
            Action::UpdateDeployment(mut value) => {
                value.set(&["metadata", "resourceVersion"], json!(latest.resource_version()));
                latest = cx.client.update(&DEPLOYMENTS, value)?;
            }
            Action::UpdateStatus(status, revision) => {
                latest = write_status(cx, &latest, status, revision.as_deref())?;
            }
            Action::Event(note) => tell(cx, deployment, vec![note]),
        }
    }
    Ok(())
}

/// Writes the status; annotations travel with it.
fn write_status(
    cx: &Context<'_>,
    latest: &Value,
    status: Value,
    revision: Option<&str>,
) -> Result<Arc<Value>, Status> {
    let mut updated = latest.clone();
    updated.set(&["status"], status);
    if let Some(revision) = revision {
        updated.set_annotation(replica_sets::REVISION, revision);
    }
    cx.client.update_status(&DEPLOYMENTS, updated)
}

fn tell(cx: &mut Context<'_>, deployment: &Value, notes: Vec<Note>) {
    for note in notes {
        cx.recorder.event(COMPONENT, deployment, note.event_type, note.reason, &note.message);
    }
}

/// Creates `set`. A name that is taken by another template counts as a collision, which changes the
/// hash of the next attempt; any other refusal is told and recorded.
fn create_replica_set(
    cx: &mut Context<'_>,
    deployment: &Arc<Value>,
    set: Value,
) -> Result<(), Error> {
    let name = set.name().to_owned();
    let Err(refusal) = cx.client.create(&REPLICA_SETS, deployment.namespace(), set) else {
        return Ok(());
    };
    if refusal.is_already_exists() {
        let existing = cx.client.get(&REPLICA_SETS, deployment.namespace(), &name)?;
        if is_ours(deployment, &existing) {
            return Ok(());
        }
        let mut status = deployment.at(&["status"]).cloned().unwrap_or_default();
        let collisions = status.int_at(&["collisionCount"]).unwrap_or(0) + 1;
        status.set(&["collisionCount"], json!(collisions));
        write_status(cx, deployment, status, None)?;
        return Err(refusal.into());
    }
    let message = format!("Failed to create new replica set {name:?}: {refusal}");
    if let Some(status) = progress::creation_failed(deployment, &message, cx.world.now())
        && deployment.at(&["status"]) != Some(&status)
    {
        write_status(cx, deployment, status, None)?;
    }
    let reason = "ReplicaSetCreateError";
    cx.recorder.event(COMPONENT, deployment, EventType::Warning, reason, &message);
    Err(refusal.into())
}

fn is_ours(deployment: &Value, set: &Value) -> bool {
    let template = ["spec", "template"];
    set.controller_ref().is_some_and(|owner| owner.str_at(&["uid"]) == deployment.uid())
        && same_template(deployment.at(&template), set.at(&template))
}

#[cfg(test)]
mod tests;
