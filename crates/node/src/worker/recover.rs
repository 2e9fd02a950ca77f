//! Taking over what an agent before this one left running.

use std::time::Duration;

use apimachinery::ObjectExt as _;
use cri::{Command, ContainerState, ContainerStatus, Id, SandboxStatus};
use world::Time;

use super::io::{Io, Purpose};
use super::{Active, Stray, Worker, exit_of};
use crate::config::HOUSEKEEPING;
use crate::container::{HASH, IMAGE, IMAGE_ID};
use crate::record::{Instance, Sandbox};

impl Worker {
    /// Takes over the sandboxes and containers that the runtime has of this pod, each sandbox with a
    /// container in it.
    ///
    /// Only one in which something has begun is used: what agents before this one have asked for may
    /// still be done, and one of them may have found the sandbox empty and be removing it.
    pub(crate) fn adopt(
        &mut self,
        mut sandboxes: Vec<SandboxStatus>,
        mut containers: Vec<ContainerStatus>,
        io: &mut Io<'_, '_>,
    ) {
        let started = Time::parse_rfc3339(self.pod.str_at(&["status", "startTime"]));
        self.record.started_at = started.unwrap_or(self.record.started_at);
        sandboxes.sort_by_key(|sandbox| sandbox.attempt);
        for sandbox in &sandboxes {
            self.own_sandbox(&sandbox.id, io);
        }
        self.record.sandboxes = sandboxes.last().map_or(0, |newest| newest.attempt + 1);
        let has_begun = |sandbox: &SandboxStatus| {
            let mut inside = containers.iter().filter(|one| one.sandbox == sandbox.id);
            inside.any(|one| one.state != ContainerState::Created)
        };
        if let Some(used) = sandboxes.into_iter().rfind(has_begun) {
            self.use_sandbox(used);
        }
        containers.sort_by_key(|container| container.attempt);
        for container in containers {
            self.own(&container.id, io);
            if container.state == ContainerState::Created {
                // Nobody knows whether its start is under way; another one takes its place.
                self.remove_stray(container.id, io);
                continue;
            }
            self.adopt_container(&container, io);
        }
        if !self.record.containers.is_empty() {
            self.volumes_changed(io);
        }
    }

    fn use_sandbox(&mut self, sandbox: SandboxStatus) {
        let SandboxStatus { id, ip, running, .. } = sandbox;
        self.record.sandbox =
            if running { Sandbox::Ready { id, ip } } else { Sandbox::Stopped { id, ip } };
    }

    /// Removes an instance that an agent before this one made and that may be starting. Nothing is
    /// started before that has succeeded.
    pub(super) fn remove_stray(&mut self, id: Id, io: &mut Io<'_, '_>) {
        self.strays.entry(Id::clone(&id)).or_default().again_at = None;
        self.submit(io, Purpose::Stray(Id::clone(&id)), Command::RemoveContainer { id });
    }

    pub(super) fn stray_removed(&mut self, id: &Id, removed: bool, now: Time) {
        if removed {
            self.strays.remove(id);
            self.dirty = true;
        } else if let Some(stray) = self.strays.get_mut(id) {
            stray.again_at = Some(now + HOUSEKEEPING);
        }
    }

    /// Whether something could not be removed, perhaps because it runs.
    pub(crate) fn wants_look(&self) -> bool {
        self.strays.values().any(|stray| stray.again_at.is_some())
    }

    /// Looks at a container of this pod that the runtime has, in the sandbox `home`: one that could not
    /// be removed because it has started is taken over after all, a second one that runs is ended.
    pub(super) fn found(
        &mut self,
        mut container: Box<ContainerStatus>,
        home: Option<Box<SandboxStatus>>,
        io: &mut Io<'_, '_>,
    ) {
        if let Some(exit) = self.strays.get(&container.id).and_then(|stray| stray.exit.clone()) {
            // Since the runtime was asked.
            container.state = ContainerState::Exited;
            container.exit = Some(exit);
        }
        let current = self.record.container(&container.name).and_then(|r| r.current.as_ref());
        let alone = current.is_none_or(|current| current.exit.is_some());
        let is_current = current.is_some_and(|current| current.id == container.id);
        let runs = container.state == ContainerState::Running;
        if self.strays.contains_key(&container.id) && alone {
            if container.state != ContainerState::Created {
                self.strays.remove(&container.id);
                if let Some(home) = home.filter(|_| self.record.sandbox == Sandbox::None) {
                    self.use_sandbox(*home);
                }
                self.adopt_container(&container, io);
                self.dirty = true;
            }
        } else if runs && !is_current {
            let (id, grace) = (container.id.clone(), Duration::ZERO);
            self.submit(io, Purpose::Forget, Command::StopContainer { id, grace });
            self.remove_stray(container.id.clone(), io);
        }
    }

    /// Tries again to remove what could not be removed.
    pub(super) fn remove_strays(&mut self, io: &mut Io<'_, '_>) {
        let now = io.now();
        let is_due = |stray: &Stray| stray.again_at.is_some_and(|at| at <= now);
        let due = self.strays.iter().filter(|(_, stray)| is_due(stray));
        let due: Vec<Id> = due.map(|(id, _)| id.clone()).collect();
        for id in due {
            self.remove_stray(id, io);
        }
    }

    /// Whether a container of this pod is to be looked at.
    pub(crate) fn is_strange(&self, container: &ContainerStatus) -> bool {
        let record = self.record.container(&container.name);
        let current = record.and_then(|record| record.current.as_ref());
        let runs = container.state == ContainerState::Running;
        runs && current.is_none_or(|current| current.id != container.id)
            || self.strays.contains_key(&container.id)
    }

    /// Whether the worker knows of sandbox `id` of its pod.
    pub(crate) fn has_sandbox(&self, id: &str) -> bool {
        self.owned.iter().any(|own| **own == *id)
    }

    /// Whether a sandbox that the worker does not know of may be the one that it has asked for.
    pub(crate) fn makes_sandbox(&self) -> bool {
        self.active == Some(Active::Sandbox)
    }

    /// Whether a sandbox may have been made although the engine said that it was not; told once.
    pub(crate) fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.doubt)
    }

    fn adopt_container(&mut self, container: &ContainerStatus, io: &mut Io<'_, '_>) {
        let said = |key: &str| container.annotations.get(key).map_or("", String::as_str);
        let instance = Instance {
            id: container.id.clone(),
            attempt: container.attempt,
            image: said(IMAGE).into(),
            image_id: said(IMAGE_ID).into(),
            created_at: container.created_at,
            started_at: container.started_at,
            exit: container.exit.as_ref().map(|exit| Box::new(exit_of(exit))),
            hash: u64::from_str_radix(said(HASH), 16).unwrap_or_default(),
        };
        let record = self.record.container_mut(&container.name);
        let oldest = std::mem::replace(&mut record.previous, record.current.take().map(Box::new));
        let running = instance.runs().then_some(instance.started_at).flatten();
        record.current = Some(instance);
        if let Some(oldest) = oldest {
            self.submit(io, Purpose::Forget, Command::RemoveContainer { id: oldest.id });
        }
        if let Some(started) = running {
            self.begin_probes(&container.name, started);
        }
    }
}
