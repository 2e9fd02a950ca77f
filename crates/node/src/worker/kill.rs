//! Killing containers and pods.
//!
//! Mirrors: `pkg/kubelet/kuberuntime/kuberuntime_container.go` `killContainer`.

use std::time::Duration;

use apimachinery::{ObjectExt as _, Text};
use controller_runtime::EventType;
use cri::{Command, Error, Id, Reply};
use world::Time;

use super::io::{Io, Purpose};
use super::{Active, Worker};
use crate::record::Sandbox;

/// The least time a container gets after its preStop hook.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// A container being killed.
#[derive(Debug)]
pub(super) struct Kill {
    id: Id,
    deadline: Time,
    /// Whether the stop has been submitted; until then the preStop hook runs.
    stopping: bool,
}

impl Kill {
    pub(super) fn timer(&self) -> Option<Time> {
        (!self.stopping).then_some(self.deadline)
    }
}

impl Worker {
    fn grace(&self) -> Duration {
        if let Some(grace) = self.grace_override {
            return grace;
        }
        let deletion = self.pod.int_at(&["metadata", "deletionGracePeriodSeconds"]);
        let own = self.pod.int_at(&["spec", "terminationGracePeriodSeconds"]);
        Duration::from_secs(u64::try_from(deletion.or(own).unwrap_or(30)).unwrap_or_default())
    }

    pub(super) fn begin_kill_pod(&mut self, io: &mut Io<'_, '_>) {
        let running: Vec<String> = self.record.running().map(|(name, _)| name.to_owned()).collect();
        for name in running {
            self.kill(&name, "Need to kill Pod", io);
        }
        self.active = Some(Active::KillPod);
        self.after_exit(io);
    }

    /// Begins to kill the running instance of `name`, unless that has begun.
    pub(super) fn kill(&mut self, name: &str, message: &str, io: &mut Io<'_, '_>) {
        let Some(running) = self.record.container(name).and_then(|record| record.running()) else {
            return;
        };
        if self.kills.contains_key(name) {
            return;
        }
        let id = running.id.clone();
        let text = format!("Killing container with id {}://{name}:{message}", io.runtime.scheme());
        self.container_event(io, name, EventType::Normal, "Killing", &text);
        let grace = self.grace();
        let deadline = io.now() + grace;
        let hook = self.hook(name, "preStop", &id).filter(|_| !grace.is_zero());
        let stopping = hook.is_none();
        self.kills.insert(name.into(), Kill { id: Id::clone(&id), deadline, stopping });
        match hook {
            Some(Ok(command)) => self.submit(io, Purpose::PreStop(name.into()), command),
            Some(Err(text)) => self.pre_stop_done(name, &Err(Error::Engine(text)), io),
            None => self.stop(name, id, grace, io),
        }
    }

    fn stop(&self, name: &str, id: Id, grace: Duration, io: &mut Io<'_, '_>) {
        self.submit(io, Purpose::Stop(name.into()), Command::StopContainer { id, grace });
    }

    fn stop_after_hook(&mut self, name: &str, io: &mut Io<'_, '_>) {
        let now = io.now();
        let Some(kill) = self.kills.get_mut(name).filter(|kill| !kill.stopping) else { return };
        kill.stopping = true;
        let (id, left) = (kill.id.clone(), kill.deadline.since(now).max(LEAST_GRACE));
        self.stop(name, id, left, io);
    }

    /// The command of a lifecycle hook of container `name`, whose instance is `id`.
    pub(super) fn hook(&self, name: &str, hook: &str, id: &str) -> Option<Result<Command, String>> {
        let container = self.spec_of(name)?;
        let handler = container.at(&["lifecycle", hook])?;
        let ip = self.record.ip();
        let ip = if ip.is_empty() { self.node.config.address.as_str() } else { ip };
        Some(crate::probe::hook(container, handler, id, ip))
    }

    pub(super) fn pre_stop_done(
        &mut self,
        name: &str,
        result: &Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        if let Some((_, message)) = self.hook_failure(name, "preStop", result) {
            self.container_event(io, name, EventType::Warning, "FailedPreStopHook", &message);
        }
        self.stop_after_hook(name, io);
    }

    /// What went wrong with a lifecycle hook, and the event's message about it.
    pub(super) fn hook_failure(
        &self,
        name: &str,
        hook: &str,
        result: &Result<Reply, Error>,
    ) -> Option<(String, String)> {
        let handler = self.spec_of(name).and_then(|c| c.at(&["lifecycle", hook]));
        let words = |separator: &str| -> Option<String> {
            let words = handler?.at(&["exec", "command"])?.as_array()?.iter();
            let words: Vec<&str> = words.filter_map(|word| word.as_str()).collect();
            Some(words.join(separator))
        };
        let (error, output) = match result {
            Ok(Reply::Exec { exit_code, output, stderr }) if *exit_code != 0 => {
                let command = words(" ").unwrap_or_default();
                (format!("command '{command}' exited with {exit_code}: {stderr}"), output.clone())
            }
            Ok(_) => return None,
            Err(error) => (error.to_string(), String::new()),
        };
        let path =
            handler.and_then(|handler| handler.at(&["httpGet"])).map(|get| get.str_at(&["path"]));
        let (kind, what) = match (words(" "), path) {
            (Some(words), _) => ("Exec", format!("[{words}]")),
            (None, Some(path)) => ("Http", path.to_owned()),
            (None, None) => {
                let message = format!("Cannot run handler: {error}");
                return Some((error, message));
            }
        };
        let message = format!(
            "{kind} lifecycle hook ({what}) for Container {name:?} in Pod {:?} failed - error: \
             {error}, message: {output:?}",
            self.full_name()
        );
        Some((error, message))
    }

    pub(super) fn stop_done(&mut self, name: &str, stopped: bool, io: &mut Io<'_, '_>) {
        if !stopped {
            // Tried again by the next sync.
            self.kills.remove(name);
            if matches!(self.active, Some(Active::KillPod | Active::Kill(_))) {
                self.active = None;
                self.steps.clear();
            }
            self.fail_sync(io);
        }
    }

    /// Cuts preStop hooks off that run beyond the grace period.
    pub(super) fn run_kill_timers(&mut self, io: &mut Io<'_, '_>) {
        let now = io.now();
        let due: Vec<Text> = self
            .kills
            .iter()
            .filter(|(_, kill)| kill.timer().is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.stop_after_hook(&name, io);
        }
    }

    /// A second deletion may shorten the grace period of a stop under way.
    pub(super) fn shorten_kills(&mut self, io: &mut Io<'_, '_>) {
        let (now, grace) = (io.now(), self.grace());
        let mut again = Vec::new();
        for (name, kill) in &mut self.kills {
            if now + grace < kill.deadline {
                kill.deadline = now + grace;
                if kill.stopping {
                    again.push((name.clone(), kill.id.clone()));
                }
            }
        }
        for (name, id) in again {
            self.stop(&name, id, grace, io);
        }
    }

    /// Goes on with a kill that waited for exits.
    pub(super) fn after_exit(&mut self, io: &mut Io<'_, '_>) {
        match &self.active {
            Some(Active::Kill(name)) => {
                let over = self.record.container(name).is_none_or(|r| r.running().is_none());
                if over {
                    self.active = None;
                }
            }
            Some(Active::KillPod) if self.record.running().next().is_none() => {
                self.active = None;
                if let Sandbox::Ready { id, .. } = &self.record.sandbox {
                    let id = id.clone();
                    self.active = Some(Active::StopSandbox);
                    self.submit(io, Purpose::Step, Command::StopPodSandbox { id });
                }
            }
            _ => {}
        }
    }

    pub(super) fn sandbox_stopped(&mut self, stopped: bool, io: &mut Io<'_, '_>) {
        if !stopped {
            self.steps.clear();
            return self.fail_sync(io);
        }
        if let Sandbox::Ready { id, ip } = &self.record.sandbox {
            self.record.sandbox = Sandbox::Stopped { id: id.clone(), ip: ip.clone() };
        }
        self.dirty = true;
    }
}
