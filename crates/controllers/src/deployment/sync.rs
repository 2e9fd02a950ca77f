//! One sync of a deployment: from what is observed to what must be written.
//!
//! [`plan`] is the whole decision. A [`Sync`] is the state it works on: the replica sets as they
//! shall become, the conditions as they shall read. The steps in `rollout`, `scaling`, `progress`,
//! `history` and `rollback` change it; [`Sync::finish`] turns the difference into actions.
//!
//! Invariant: pure; the same observation gives the same actions.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment` (`syncDeployment`).

use std::sync::Arc;
use std::time::Duration;

use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::EventType;
use world::Time;

use crate::deployment::replica_sets::{REVISION, ROLLBACK_TO, Set, new_set, same_template};
use crate::deployment::{bounds, history, progress, rollback, rollout, scaling};

/// What a decision is made from.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) deployment: &'a Value,
    /// The replica sets that belong to it.
    pub(crate) replica_sets: Vec<Arc<Value>>,
    /// The pods of those replica sets; looked at by `Recreate` only.
    pub(crate) pods: Vec<Arc<Value>>,
    pub(crate) now: Time,
}

/// Something to tell about the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) event_type: EventType,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Note {
    pub(crate) fn normal(reason: &'static str, message: String) -> Self {
        Self { event_type: EventType::Normal, reason, message }
    }

    pub(crate) fn warning(reason: &'static str, message: String) -> Self {
        Self { event_type: EventType::Warning, reason, message }
    }
}

/// A write or an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Create a replica set, then tell of its size.
    CreateReplicaSet(Value, Vec<Note>),
    /// Write a replica set, then tell of its size.
    UpdateReplicaSet(Value, Vec<Note>),
    /// Delete a replica set.
    DeleteReplicaSet(String),
    /// Write the deployment itself.
    UpdateDeployment(Value),
    /// Write the deployment's status and with it its revision annotation, if there is one.
    UpdateStatus(Value, Option<String>),
    /// Tell something.
    Event(Note),
}

/// What a sync comes to.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) actions: Vec<Action>,
    /// When to look again although nothing changes: the progress deadline.
    pub(crate) resync: Option<Duration>,
}

/// Decides everything about one deployment.
pub(crate) fn plan(observed: Observed<'_>) -> Plan {
    let deployment = observed.deployment;
    let selector = deployment.at(&["spec", "selector"]).unwrap_or(&Value::Null);
    if LabelSelector::from_json(selector).is_ok_and(|selector| selector.is_empty()) {
        return selecting_all(deployment);
    }
    let mut sync = Sync::new(observed);
    if deployment.deletion_timestamp().is_some() {
        sync.follow_revisions();
        sync.write_plain_status();
        return sync.finish();
    }
    let noted = progress::note_pause(&mut sync);
    if deployment.bool_at(&["spec", "paused"]) {
        scaling::sync(&mut sync);
        if deployment.annotation(ROLLBACK_TO).is_none() {
            history::prune(&mut sync);
        }
        sync.write_plain_status();
    } else if let Some(revision) = deployment.annotation(ROLLBACK_TO) {
        rollback::to(&mut sync, revision.parse().unwrap_or(0));
    } else if scaling::is_scaling_event(&sync) {
        scaling::sync(&mut sync);
        sync.write_plain_status();
    } else {
        rollout::advance(&mut sync);
        progress::write_status(&mut sync);
    }
    match noted {
        Some(status) => after_note(status, sync.finish()),
        None => sync.finish(),
    }
}

/// That the deployment was paused or resumed is written first and by itself. What the sync then does to
/// replica sets it does; its other writes of the deployment come too late and are made by the next
/// sync, which also goes on after a new replica set has been made.
fn after_note(status: Value, plan: Plan) -> Plan {
    let mut actions = vec![Action::UpdateStatus(status, None)];
    let creates = |action: &Action| matches!(action, Action::CreateReplicaSet(..));
    let created = plan.actions.iter().any(creates);
    actions.extend(plan.actions.into_iter().filter(|action| match action {
        Action::UpdateStatus(..) | Action::UpdateDeployment(_) => false,
        other => !created || creates(other),
    }));
    Plan { actions, resync: plan.resync }
}

/// A deployment that selects every pod is refused; only that it was seen is recorded.
fn selecting_all(deployment: &Value) -> Plan {
    let message = "This deployment is selecting all pods. A non-empty selector is required.";
    let note = Note::warning("SelectingAll", message.to_owned());
    let mut actions = vec![Action::Event(note)];
    let observed = deployment.int_at(&["status", "observedGeneration"]).unwrap_or(0);
    if observed < deployment.generation() {
        let mut status = deployment.at(&["status"]).cloned().unwrap_or_default();
        status.set(&["observedGeneration"], deployment.generation().into());
        actions.push(Action::UpdateStatus(status, None));
    }
    Plan { actions, resync: None }
}

/// The working state of one sync.
#[derive(Debug)]
pub(crate) struct Sync<'a> {
    pub(crate) deployment: &'a Value,
    pub(crate) pods: Vec<Arc<Value>>,
    pub(crate) now: Time,
    /// All replica sets, oldest first.
    pub(crate) sets: Vec<Set>,
    /// Index of the one for the current template.
    pub(crate) new: Option<usize>,
    /// Conditions of the deployment so far.
    pub(crate) conditions: Vec<Value>,
    /// Names of replica sets to delete.
    pub(crate) prune: Vec<String>,
    /// Writes and events about the deployment itself, last in the plan.
    pub(crate) closing: Vec<Action>,
    pub(crate) resync: Option<Duration>,
    status: Option<Value>,
    revision: Option<String>,
}

impl<'a> Sync<'a> {
    pub(crate) fn new(observed: Observed<'a>) -> Self {
        let deployment = observed.deployment;
        let mut sets: Vec<Set> = observed.replica_sets.into_iter().map(Set::of).collect();
        sets.sort_by_key(Set::age_key);
        let template = deployment.at(&["spec", "template"]);
        let fits = |set: &Set| same_template(template, set.value.at(&["spec", "template"]));
        Self {
            deployment,
            pods: observed.pods,
            now: observed.now,
            new: sets.iter().position(fits),
            sets,
            conditions: deployment.list_at(&["status", "conditions"]).to_vec(),
            prune: Vec::new(),
            closing: Vec::new(),
            resync: None,
            status: None,
            revision: None,
        }
    }

    /// `spec.replicas` of the deployment.
    pub(crate) fn desired(&self) -> i64 {
        bounds::desired(self.deployment)
    }

    /// The replica set for the current template.
    pub(crate) fn new_set(&self) -> Option<&Set> {
        self.new.map(|index| &self.sets[index])
    }

    /// Indexes of all other replica sets, oldest first.
    pub(crate) fn old(&self) -> Vec<usize> {
        (0..self.sets.len()).filter(|index| Some(*index) != self.new).collect()
    }

    /// Indexes of the other replica sets that want pods, oldest first.
    pub(crate) fn active_old(&self) -> Vec<usize> {
        let mut old = self.old();
        old.retain(|index| self.sets[*index].replicas() > 0);
        old
    }

    /// Σ `spec.replicas` over all replica sets.
    pub(crate) fn total(&self) -> i64 {
        self.sets.iter().map(Set::replicas).sum()
    }

    /// Σ `status.availableReplicas` over all replica sets.
    pub(crate) fn available(&self) -> i64 {
        self.sets.iter().map(Set::available).sum()
    }

    /// Scales one replica set. Gives whether its size changed.
    pub(crate) fn scale(&mut self, index: usize, replicas: i64) -> bool {
        self.sets[index].scale(replicas, self.deployment)
    }

    /// Brings the replica set for the current template, if there is one, in line with the
    /// deployment, and the deployment's revision in line with it.
    pub(crate) fn follow_revisions(&mut self) {
        let Some(index) = self.new else { return };
        let revision = self.next_revision();
        self.sets[index].follow(self.deployment, revision);
        self.revision = self.sets[index].value.annotation(REVISION).map(str::to_owned);
        progress::note_found(self, index);
    }

    /// Like [`Sync::follow_revisions`], creating the replica set when there is none.
    pub(crate) fn ensure_new(&mut self) {
        if self.new.is_some() {
            return self.follow_revisions();
        }
        let revision = self.next_revision();
        let set = new_set(self.deployment, revision);
        self.sets.push(set);
        let index = self.sets.len() - 1;
        self.new = Some(index);
        let size = rollout::new_size(self);
        let set = &mut self.sets[index];
        set.value.set(&["spec", "replicas"], size.into());
        if size > 0 {
            set.scalings.push(format!("Scaled up replica set {} to {size}", set.name()));
        }
        self.revision = Some(revision.to_string());
        progress::note_created(self, index);
    }

    /// One more than the highest revision of the old replica sets.
    fn next_revision(&self) -> i64 {
        let old = self.old();
        let revisions = old.iter().filter_map(|index| self.sets[*index].number(REVISION));
        revisions.max().unwrap_or(0) + 1
    }

    /// Writes the status by count alone, without judging progress.
    pub(crate) fn write_plain_status(&mut self) {
        let status = progress::count(self);
        self.write_status(status);
    }

    /// Writes `status` unless it is what is stored.
    pub(crate) fn write_status(&mut self, status: Value) {
        if self.deployment.at(&["status"]) != Some(&status) {
            self.status = Some(status);
        }
    }

    /// The difference between the working state and what is stored. A new replica set comes before
    /// the others change, so that nothing shrinks when it cannot be made.
    pub(crate) fn finish(mut self) -> Plan {
        let mut actions = Vec::new();
        self.sets.sort_by_key(|set| set.stored.is_some());
        for set in self.sets {
            let note = |message| Note::normal("ScalingReplicaSet", message);
            let notes = set.scalings.into_iter().map(note).collect();
            match set.stored {
                None => actions.push(Action::CreateReplicaSet(set.value, notes)),
                Some(stored) if *stored != set.value => {
                    actions.push(Action::UpdateReplicaSet(set.value, notes));
                }
                Some(_) => {}
            }
        }
        actions.extend(self.prune.into_iter().map(Action::DeleteReplicaSet));
        let recorded = self.deployment.annotation(REVISION);
        let revision = self.revision.filter(|revision| Some(revision.as_str()) != recorded);
        if self.status.is_some() || revision.is_some() {
            let stored = || self.deployment.at(&["status"]).cloned().unwrap_or_default();
            actions.push(Action::UpdateStatus(self.status.unwrap_or_else(stored), revision));
        }
        actions.extend(self.closing);
        Plan { actions, resync: self.resync }
    }
}
