//! An agent's beginning: it asks the runtime what there is before it looks at any pod.
//!
//! Invariant: what ends before anyone looks after its pod is not forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use controller_runtime::{Context, Key};
use cri::{Command, ContainerExit, ContainerState, ContainerStatus, Reply, SandboxStatus};
use serde_json::Value;
use world::Time;

use super::Agent;

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
    Over(BTreeMap<String, Found>),
}

/// What has ended while no worker looked after it.
#[derive(Debug)]
pub(super) enum Ended {
    Container(ContainerExit),
    Sandbox(String),
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

    /// Something has ended that no worker looks after, perhaps because none has come to it yet.
    pub(super) fn note(&mut self, ended: Ended) {
        match (self, ended) {
            (Self::Begins, _) => {}
            (Self::Asks(all), ended) => all.push(ended),
            (Self::Over(found), Ended::Container(exit)) => {
                let mut containers = found.values_mut().flat_map(|(_, containers)| containers);
                if let Some(container) = containers.find(|container| container.id == exit.id) {
                    container.state = ContainerState::Exited;
                    container.exit = Some(exit);
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
    /// Asks the runtime what there is, once.
    pub(super) fn begin(&mut self, now: Time) {
        let again = !self.recovery.is_over() && self.idle();
        let due = self.ask_again.is_none_or(|at| at <= now);
        if matches!(self.recovery, Recovery::Begins) || again && due {
            // An agent before this one used smaller numbers.
            self.tickets.begin_after(u64::try_from(now.unix_nanos()).unwrap_or_default());
            self.recovery = Recovery::Asks(Vec::new());
            self.list();
        }
    }

    /// Whether the question has been lost, as when the engine was away.
    fn idle(&self) -> bool {
        self.listing.is_none() && self.trouble.is_none()
    }

    /// The runtime has said what there is.
    pub(super) fn recovered(&mut self, reply: Reply) -> Vec<Key> {
        let Reply::List { sandboxes, containers } = reply else { return Vec::new() };
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
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
        let gone: Vec<String> =
            found.keys().filter(|uid| !known.contains(uid.as_str())).cloned().collect();
        for uid in gone {
            let (sandboxes, _) = found.remove(&uid).unwrap_or_default();
            for SandboxStatus { id, .. } in sandboxes {
                let ticket = self.tickets.fresh();
                self.runtime.submit(ticket, Command::RemovePodSandbox { id });
            }
        }
        bound.iter().map(|pod| Key::of(pod)).collect()
    }
}
