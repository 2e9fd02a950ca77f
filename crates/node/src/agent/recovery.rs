//! An agent's beginning: it asks the runtime what there is before it looks at any pod.
//!
//! Invariant: what ends before anyone looks after its pod is not forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use controller_runtime::{Context, Key};
use cri::{
    Command, ContainerExit, ContainerState, ContainerStatus, Id, Reply, SandboxStatus, Ticket,
};
use world::Time;

use super::Agent;
use crate::config::HOUSEKEEPING;
use crate::worker::Input;

/// How long after it was asked what an agent has asked for is done, whether it lives to hear of it or
/// not.
pub(super) const UNDER_WAY: Duration = Duration::from_secs(30);

/// What the runtime has of one pod.
type Found = (Vec<SandboxStatus>, Vec<ContainerStatus>);

/// How far an agent's beginning has got.
#[derive(Debug)]
pub(super) enum Recovery {
    /// Nothing has been asked yet.
    Begins,
    /// The runtime is being asked; these have ended meanwhile.
    Asks(Vec<Ended>),
    /// Known; what was found waits for its pods by their uids.
    Over(BTreeMap<Id, Found>),
}

/// What has ended while no worker looked after it.
#[derive(Debug)]
pub(super) enum Ended {
    Container(ContainerExit),
    Sandbox(Id),
}

impl Recovery {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over(_))
    }

    /// What was found of pod `uid`.
    pub(super) fn take(&mut self, uid: &str) -> Found {
        match self {
            Self::Over(found) => found.remove(uid).unwrap_or_default(),
            Self::Begins | Self::Asks(_) => Found::default(),
        }
    }

    /// Whether what was found of pod `uid` waits for it.
    pub(super) fn awaits(&self, uid: &str) -> bool {
        matches!(self, Self::Over(found) if found.contains_key(uid))
    }

    /// Something has ended that no worker looks after, perhaps because none has come to it yet.
    pub(super) fn note(&mut self, ended: Ended) {
        match (self, ended) {
            (Self::Begins, _) => {}
            (Self::Asks(all), ended) => all.push(ended),
            (Self::Over(found), Ended::Container(exit)) => {
                let mut containers = found.values_mut().flat_map(|(_, containers)| containers);
                if let Some(container) = containers.find(|container| container.id == exit.id) {
                    container.state = ContainerState::Exited;
                    container.exit = Some(Box::new(exit));
                }
            }
            (Self::Over(found), Ended::Sandbox(id)) => {
                let mut sandboxes = found.values_mut().flat_map(|(sandboxes, _)| sandboxes);
                if let Some(sandbox) = sandboxes.find(|sandbox| sandbox.id == id) {
                    sandbox.running = false;
                }
            }
        }
    }
}

impl Agent {
    /// Asks the runtime what there is: once, and again when it could not say.
    pub(super) fn begin(&mut self, now: Time) {
        let begins = matches!(self.recovery, Recovery::Begins);
        let waits = !self.recovery.is_over() || self.ask_again.is_some();
        let due = waits && self.idle() && self.ask_again.is_none_or(|at| at <= now);
        if begins || due {
            // An agent before this one used smaller numbers.
            self.tickets.begin_after(u64::try_from(now.unix_nanos()).unwrap_or_default());
            if !self.recovery.is_over() {
                self.recovery = Recovery::Asks(Vec::new());
            }
            self.list(now);
        }
    }

    /// Whether the runtime can be asked what there is and is not being asked.
    pub(super) fn idle(&self) -> bool {
        self.listing.is_none() && self.trouble.is_none()
    }

    /// The runtime has said what there is.
    pub(super) fn recovered(&mut self, reply: Reply) -> Vec<Key> {
        let Reply::List { sandboxes, containers } = reply else { return Vec::new() };
        let mut found: BTreeMap<Id, Found> = BTreeMap::new();
        for sandbox in sandboxes {
            found.entry(sandbox.pod_uid.clone()).or_default().0.push(sandbox);
        }
        for container in containers {
            found.entry(container.pod_uid.clone()).or_default().1.push(container);
        }
        let before = std::mem::replace(&mut self.recovery, Recovery::Over(found));
        if let Recovery::Asks(ended) = before {
            ended.into_iter().for_each(|ended| self.recovery.note(ended));
        }
        self.look_at_all = true;
        Vec::new()
    }

    /// Once it is known what there is: the keys of all pods of our nodes. What was found of pods that
    /// are not there any more is removed.
    pub(super) fn after_recovery(&mut self, cx: &Context<'_>) -> Vec<Key> {
        if !std::mem::take(&mut self.look_at_all) {
            return Vec::new();
        }
        let nodes = self.nodes.keys();
        let bound: Vec<Arc<Value>> =
            nodes.flat_map(|node| cx.caches.by_node(&api::PODS, node)).collect();
        let Recovery::Over(found) = &mut self.recovery else { return Vec::new() };
        let known: BTreeSet<&str> = bound.iter().map(|pod| pod.uid()).collect();
        let gone: Vec<Id> = found.keys().filter(|uid| !known.contains(&***uid)).cloned().collect();
        for uid in gone {
            let (sandboxes, _) = found.remove(&uid).unwrap_or_default();
            for sandbox in sandboxes {
                self.leftovers.add(sandbox.id);
            }
        }
        // Even when nothing was found: an agent before this one may have asked for something.
        self.look_by(cx.world.now() + UNDER_WAY);
        bound.iter().map(|pod| Key::of(pod)).collect()
    }

    /// Sees to it that the runtime is asked at `at` at the latest what it has that nobody wants.
    pub(super) fn look_by(&mut self, at: Time) {
        self.look_again_at = Some(self.look_again_at.map_or(at, |planned| planned.min(at)));
    }

    /// Looks once more for what an agent before this one had asked for when it died, and whether what
    /// could not be removed runs.
    pub(super) fn look_again(&mut self, now: Time) {
        if self.idle() && self.look_again_at.is_some_and(|at| at <= now) {
            self.look_again_at = None;
            self.list(now);
        }
    }

    /// What the runtime has that nobody wants: containers are for their pods' workers to remove, whose
    /// keys are given. What cannot be told yet is looked at again.
    pub(super) fn notice_strays(&mut self, reply: &Reply, now: Time) -> Vec<Key> {
        let Reply::List { sandboxes, containers } = reply else { return Vec::new() };
        let mut keys = Vec::new();
        for container in containers {
            let Some(worker) = self.workers.get_mut(&*container.pod_uid) else { continue };
            if worker.is_strange(container) {
                let home = sandboxes.iter().find(|one| one.id == container.sandbox);
                let home = home.cloned().map(Box::new);
                worker.push(Input::Found(Box::new(container.clone()), home));
                keys.push(worker.key.clone());
            }
        }
        for sandbox in sandboxes {
            let worker = self.workers.get(&*sandbox.pod_uid);
            if worker.is_some_and(|worker| worker.has_sandbox(&sandbox.id)) {
                continue;
            }
            if worker.is_some_and(|worker| worker.makes_sandbox()) {
                self.look_by(now + UNDER_WAY);
            } else {
                self.strange.push((sandbox.id.clone(), sandbox.pod_uid.clone()));
            }
        }
        keys
    }

    /// Removes sandboxes that nobody wants, until that succeeds.
    pub(super) fn clean_up(&mut self, cx: &Context<'_>) {
        if !self.strange.is_empty() {
            let nodes = self.nodes.keys();
            let bound = nodes.flat_map(|node| cx.caches.by_node(&api::PODS, node));
            let node = |pod: &Value| pod.str_at(&["spec", "nodeName"]).to_owned();
            let bound: BTreeMap<Id, String> =
                bound.map(|pod| (Id::from(pod.uid()), node(&pod))).collect();
            for (id, uid) in std::mem::take(&mut self.strange) {
                let known = self.workers.contains_key(&*uid);
                match bound.get(&uid).filter(|_| !known) {
                    // Looked at when the node speaks again.
                    Some(node) if self.control.is_stopped(node) => {}
                    // For the worker that the pod is about to get.
                    Some(_) if self.recovery.awaits(&uid) => {
                        self.look_by(cx.world.now() + UNDER_WAY);
                    }
                    _ => self.leftovers.add(id),
                }
            }
        }
        for id in self.leftovers.due(cx.world.now()) {
            let ticket = self.tickets.fresh();
            self.leftovers.asked(ticket, &id);
            self.runtime.submit(ticket, Command::RemovePodSandbox { id });
        }
    }
}

/// Sandboxes that nobody wants.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// When each is to be removed; those without a time are being removed.
    sandboxes: BTreeMap<Id, Option<Time>>,
    asked: BTreeMap<Ticket, Id>,
}

impl Leftovers {
    pub(super) fn add(&mut self, id: Id) {
        self.sandboxes.entry(id).or_insert_with(|| Some(Time::default()));
    }

    fn due(&self, now: Time) -> Vec<Id> {
        let due = self.sandboxes.iter().filter(|(_, at)| at.is_some_and(|at| at <= now));
        due.map(|(id, _)| id.clone()).collect()
    }

    fn asked(&mut self, ticket: Ticket, id: &Id) {
        self.sandboxes.insert(Id::clone(id), None);
        self.asked.insert(ticket, Id::clone(id));
    }

    /// Hears how a command ended; gives whether it was one of these.
    pub(super) fn answered(&mut self, ticket: Ticket, removed: bool, now: Time) -> bool {
        let Some(id) = self.asked.remove(&ticket) else { return false };
        if removed {
            self.sandboxes.remove(&id);
        } else {
            self.sandboxes.insert(id, Some(now + HOUSEKEEPING));
        }
        true
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.sandboxes.values().copied().flatten().min()
    }
}
