//! The `DeploymentConfig` controller: decides that a rollout begins, makes its controller, and keeps
//! replicas where the newest complete rollout wants them.
//!
//! [`plan`] is the whole decision; it sees the config and its rollouts and answers with one
//! [`Plan`]. The order of its checks is the order of upstream and matters to clients.
//!
//! Invariant: a new rollout is made only when every older one has ended.
//! Invariant: after a failed rollout the newest complete one serves again.
//!
//! Mirrors: `openshift/origin pkg/apps/controller/deploymentconfig`.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::views::deployment_config::image_changes;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::{DeleteOptions, PatchKind};
use controller_runtime::{
    Change, Context, Controller, Error, EventType, Key, Requeue, Watching, controller_owner_of,
    same_key,
};

use crate::deployer_controller::MAX_RETRIES;
use crate::keys;
use crate::rollout::{self, Phase, is_cancelled, newest_first, replicas, rollout_name, version_of};
use crate::status::{Progressing, calculate};
use crate::trigger::{Decision, decide, has_config_change};

const NAME: &str = "deploymentconfig-controller";

/// The controller. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct DeploymentConfigController;

/// What is to be done for one config.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Nothing but a current status.
    Refresh,
    /// Remove old rollouts, then a current status.
    Prune,
    /// `status.latestVersion` goes up by one, for this reason (absent: to catch up with a rollout of
    /// a higher number).
    Bump(Option<Value>),
    /// Cancel these rollouts (names) and come back; empty when all are cancelled already.
    AwaitCancellation(Vec<String>),
    /// Status only, without taking note of the generation: the rollout is under way.
    InProgress,
    /// Scale these rollouts (name, from, to), prune, status.
    Reconcile(Vec<(String, i64, i64)>),
    /// Make the controller of the newest rollout.
    Create,
}

/// Decides what one pass does. `rollouts` are the config's own, in any order.
#[must_use]
pub fn plan(dc: &Value, rollouts: &[Arc<Value>]) -> Plan {
    let latest_version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let no_triggers = !has_config_change(dc) && image_changes(dc).next().is_none();
    if (latest_version == 0 && no_triggers) || dc.deletion_timestamp().is_some() {
        return Plan::Refresh;
    }
    if dc.bool_at(&["spec", "paused"]) {
        return Plan::Prune;
    }
    if rollouts.iter().any(|rc| version_of(rc) > latest_version) {
        return Plan::Bump(None);
    }
    let latest = rollouts.iter().find(|rc| version_of(rc) == latest_version);
    if latest.is_none() {
        let running: Vec<&Arc<Value>> =
            rollouts.iter().filter(|rc| !Phase::of(rc).is_terminal()).collect();
        if !running.is_empty() {
            let to_cancel = running.iter().filter(|rc| !is_cancelled(rc));
            return Plan::AwaitCancellation(to_cancel.map(|rc| rc.name().to_owned()).collect());
        }
    }
    let containers = dc.list_at(&["spec", "template", "spec", "containers"]);
    if containers.iter().any(|container| container.str_at(&["image"]).trim().is_empty()) {
        return Plan::Refresh;
    }
    if let Decision::Trigger { details } = decide(dc, latest.map(|rc| &**rc)) {
        return Plan::Bump(Some(details));
    }
    match latest {
        Some(rc) if !Phase::of(rc).is_terminal() => Plan::InProgress,
        Some(_) => Plan::Reconcile(replica_changes(dc, rollouts)),
        None if latest_version == 0 => Plan::Refresh,
        None => Plan::Create,
    }
}

/// The newest complete rollout gets `spec.replicas`, every other 0; a test config gets 0 throughout.
fn replica_changes(dc: &Value, rollouts: &[Arc<Value>]) -> Vec<(String, i64, i64)> {
    let active = active_version(rollouts);
    let test = dc.bool_at(&["spec", "test"]);
    let wanted = |rc: &Value| {
        let serves = Some(version_of(rc)) == active && !test;
        if serves { dc.int_at(&["spec", "replicas"]).unwrap_or(0) } else { 0 }
    };
    let changes = rollouts.iter().map(|rc| (rc.name().to_owned(), replicas(rc), wanted(rc)));
    changes.filter(|(_, from, to)| from != to).collect()
}

fn active_version(rollouts: &[Arc<Value>]) -> Option<i64> {
    let complete = rollouts.iter().filter(|rc| Phase::of(rc) == Phase::Complete);
    complete.map(|rc| version_of(rc)).max()
}

/// Names of the rollouts beyond `revisionHistoryLimit`, oldest first. Those with replicas are kept, and
/// nothing newer goes in their place.
#[must_use]
pub fn plan_pruning(dc: &Value, rollouts: &[Arc<Value>]) -> Vec<String> {
    let Some(limit) = dc.int_at(&["spec", "revisionHistoryLimit"]) else { return Vec::new() };
    let latest_version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let active = active_version(rollouts);
    let old = |rc: &&Arc<Value>| match active {
        Some(active) => version_of(rc) < active,
        None => version_of(rc) != latest_version,
    };
    let mut candidates: Vec<&Arc<Value>> = rollouts.iter().filter(old).collect();
    candidates.sort_by_key(|rc| version_of(rc));
    let surplus = candidates.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    let beyond = candidates.into_iter().take(surplus);
    beyond.filter(|rc| replicas(rc) == 0).map(|rc| rc.name().to_owned()).collect()
}

impl Controller for DeploymentConfigController {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&api::DEPLOYMENT_CONFIGS, same_key),
            Watching::new(&api::REPLICATION_CONTROLLERS, |_, change| config_of(change)),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(dc) = cx.caches.get_key(&api::DEPLOYMENT_CONFIGS, key) else {
            return Ok(Requeue::Done);
        };
        let mut rollouts = claim(cx, &dc)?;
        newest_first(&mut rollouts);
        let plan = plan(&dc, &rollouts);
        match act(cx, &dc, &rollouts, plan) {
            Err(Error::Retry(status)) if cx.retries >= MAX_RETRIES => {
                Err(Error::Terminal(status.message))
            }
            done => done.map(|()| Requeue::Done),
        }
    }
}

/// The config that a changed rollout belongs to, by owner or by label.
fn config_of(change: &Change) -> Vec<Key> {
    let mut keys = controller_owner_of(change, "DeploymentConfig");
    let rc = change.object();
    let label = rc.label(keys::CONFIG_NAME);
    if keys.is_empty() && !label.is_empty() {
        keys.push(Key::new(rc.namespace(), label));
    }
    keys
}

/// The rollouts of `dc`: those it owns that still carry its label, and ownerless ones that do, which
/// are adopted.
fn claim(cx: &Context<'_>, dc: &Value) -> Result<Vec<Arc<Value>>, Error> {
    let mut rollouts = Vec::new();
    for rc in candidates(cx, dc) {
        let labelled = rc.label(keys::CONFIG_NAME) == dc.name();
        match rc.controller_ref() {
            Some(owner) if owner.str_at(&["uid"]) == dc.uid() => {
                if labelled {
                    rollouts.push(rc);
                } else if dc.deletion_timestamp().is_none() {
                    release(cx, dc, &rc)?;
                }
            }
            None if labelled
                && rc.deletion_timestamp().is_none()
                && dc.deletion_timestamp().is_none() =>
            {
                rollouts.push(adopt(cx, dc, &rc)?);
            }
            _ => {}
        }
    }
    Ok(rollouts)
}

/// What `dc` owns, and what carries its label, in the order of names.
fn candidates(cx: &Context<'_>, dc: &Value) -> Vec<Arc<Value>> {
    let labelled = rollout::of_config(cx.caches, dc.namespace(), dc.name());
    let owned = cx.caches.owned_by(&api::REPLICATION_CONTROLLERS, dc.uid());
    let by_name: BTreeMap<String, Arc<Value>> =
        labelled.into_iter().chain(owned).map(|rc| (rc.name().to_owned(), rc)).collect();
    by_name.into_values().collect()
}

fn release(cx: &Context<'_>, dc: &Value, rc: &Value) -> Result<(), Error> {
    let patch = json!({"metadata": {
        "uid": rc.uid(), "ownerReferences": [{"$patch": "delete", "uid": dc.uid()}]}});
    patch_rollout(cx, rc, PatchKind::Strategic, patch).map(|_| ())
}

fn adopt(cx: &Context<'_>, dc: &Value, rc: &Value) -> Result<Arc<Value>, Error> {
    let fresh = cx.client.get(&api::DEPLOYMENT_CONFIGS, dc.namespace(), dc.name())?;
    if fresh.uid() != dc.uid() || fresh.deletion_timestamp().is_some() {
        return Err(Error::Terminal(format!("{} is being deleted", dc.name())));
    }
    let owner = apimachinery::object::controller_owner_reference(dc);
    let patch = json!({"metadata": {"uid": rc.uid(), "ownerReferences": [owner]}});
    patch_rollout(cx, rc, PatchKind::Strategic, patch)
}

fn patch_rollout(
    cx: &Context<'_>,
    rc: &Value,
    kind: PatchKind,
    patch: Value,
) -> Result<Arc<Value>, Error> {
    let resource = &api::REPLICATION_CONTROLLERS;
    Ok(cx.client.patch(resource, rc.namespace(), rc.name(), kind, patch)?)
}

fn act(cx: &mut Context<'_>, dc: &Value, rollouts: &[Arc<Value>], plan: Plan) -> Result<(), Error> {
    match plan {
        Plan::Refresh => write_status(cx, dc, rollouts, None, true),
        Plan::Prune => {
            prune(cx, dc, rollouts, "DeploymentCleanupFailed", "deployments");
            write_status(cx, dc, rollouts, None, true)
        }
        Plan::InProgress => write_status(cx, dc, rollouts, None, false),
        Plan::Bump(details) => bump(cx, dc, details),
        Plan::AwaitCancellation(names) => cancel(cx, dc, rollouts, &names),
        Plan::Reconcile(changes) => {
            scale(cx, dc, rollouts, &changes)?;
            let (reason, what) = ("ReplicationControllerCleanupFailed", "replication controllers");
            prune(cx, dc, rollouts, reason, what);
            write_status(cx, dc, rollouts, None, true)
        }
        Plan::Create => create(cx, dc, rollouts),
    }
}

fn write_status(
    cx: &Context<'_>,
    dc: &Value,
    rollouts: &[Arc<Value>],
    progressing: Option<&Progressing>,
    observe_generation: bool,
) -> Result<(), Error> {
    let status = calculate(dc, rollouts, progressing, observe_generation, cx.world.now());
    if dc.get("status") == Some(&status) {
        return Ok(());
    }
    let mut updated = dc.clone();
    updated["status"] = status;
    cx.client.update_status(&api::DEPLOYMENT_CONFIGS, updated)?;
    Ok(())
}

fn bump(cx: &Context<'_>, dc: &Value, details: Option<Value>) -> Result<(), Error> {
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let mut updated = dc.clone();
    updated.set(&["status", "latestVersion"], json!(version + 1));
    if let Some(details) = details {
        updated.set(&["status", "details"], details);
    }
    cx.client.update_status(&api::DEPLOYMENT_CONFIGS, updated)?;
    Ok(())
}

fn cancel(
    cx: &mut Context<'_>,
    dc: &Value,
    rollouts: &[Arc<Value>],
    names: &[String],
) -> Result<(), Error> {
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    for rc in rollouts.iter().filter(|rc| names.iter().any(|name| name == rc.name())) {
        let patch = json!({"metadata": {"annotations": {
            keys::CANCELLED: "true",
            keys::STATUS_REASON: "newer deployment was found running"}}});
        let name = rc.name();
        match patch_rollout(cx, rc, PatchKind::Merge, patch) {
            Ok(_) => {
                let text = format!("Cancelled deployment {name:?} superceded by version {version}");
                cx.recorder.event(NAME, dc, EventType::Normal, "DeploymentCancelled", &text);
            }
            Err(error) => {
                let text = format!(
                    "Failed to cancel deployment {name:?} superceded by version {version}: {error}"
                );
                let reason = "DeploymentCancellationFailed";
                cx.recorder.event(NAME, dc, EventType::Warning, reason, &text);
            }
        }
    }
    let text = format!(
        "Deployment of version {version} awaiting cancellation of older running deployments"
    );
    cx.recorder.event(NAME, dc, EventType::Normal, "DeploymentAwaitingCancellation", &text);
    Err(Error::Retry(Status::new(Reason::Unknown, text)))
}

fn scale(
    cx: &mut Context<'_>,
    dc: &Value,
    rollouts: &[Arc<Value>],
    changes: &[(String, i64, i64)],
) -> Result<(), Error> {
    for (name, from, to) in changes {
        let Some(rc) = rollouts.iter().find(|rc| rc.name() == name) else { continue };
        let patch = json!({"spec": {"replicas": to}});
        match patch_rollout(cx, rc, PatchKind::Merge, patch) {
            Ok(_) => {
                let text = format!("Scaled replication controller {name:?} from {from} to {to}");
                let reason = "ReplicationControllerScaled";
                cx.recorder.event(NAME, dc, EventType::Normal, reason, &text);
            }
            Err(error) => {
                let text = format!(
                    "Failed to scale replication controler {name:?} from {from} to {to}: {error}"
                );
                let reason = "ReplicationControllerScaleFailed";
                cx.recorder.event(NAME, dc, EventType::Warning, reason, &text);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Deletes old rollouts; a failure is an event, not an error.
fn prune(cx: &mut Context<'_>, dc: &Value, rollouts: &[Arc<Value>], reason: &str, what: &str) {
    for name in plan_pruning(dc, rollouts) {
        let resource = &api::REPLICATION_CONTROLLERS;
        let result = cx.client.delete(resource, dc.namespace(), &name, DeleteOptions::background());
        if let Err(status) = result
            && !status.is_not_found()
        {
            let text = format!("Couldn't clean up {what}: {status}");
            cx.recorder.event(NAME, dc, EventType::Warning, reason, &text);
        }
    }
}

fn create(cx: &mut Context<'_>, dc: &Value, rollouts: &[Arc<Value>]) -> Result<(), Error> {
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let name = rollout_name(dc, version);
    let made = rollout::make(dc);
    match cx.client.create(&api::REPLICATION_CONTROLLERS, dc.namespace(), made) {
        Ok(_) => {
            let text = format!("Created new replication controller {name:?} for version {version}");
            cx.recorder.event(NAME, dc, EventType::Normal, "DeploymentCreated", &text);
            prune(cx, dc, rollouts, "DeploymentCleanupFailed", "deployments");
            let condition = Progressing {
                status: "True",
                reason: "NewReplicationControllerCreated",
                message: text,
            };
            write_status(cx, dc, rollouts, Some(&condition), true)
        }
        Err(status) => {
            let status = if status.is_already_exists() {
                let what = format!("{}/{name}", dc.namespace());
                let text = format!("deployment {what} already exists and it couldn't be adopted");
                Status::new(Reason::AlreadyExists, text)
            } else {
                status
            };
            let text = format!("Couldn't deploy version {version}: {status}");
            cx.recorder.event(NAME, dc, EventType::Warning, "DeploymentCreationFailed", &text);
            let condition = Progressing {
                status: "False",
                reason: "ReplicationControllerCreateError",
                message: status.message.clone(),
            };
            write_status(cx, dc, rollouts, Some(&condition), true)?;
            Err(Error::Retry(status))
        }
    }
}

#[cfg(test)]
mod tests;
