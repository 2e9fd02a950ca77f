//! Killing containers and pods.
//!
//! Mirrors: `pkg/kubelet/kuberuntime/kuberuntime_container.go` `killContainer`.

use std::time::Duration;

use apimachinery::ObjectExt as _;
use controller_runtime::EventType;
use cri::{Command, Error, Reply};
use world::Time;

use super::io::{Io, Purpose};
use super::{Active, Worker};
use crate::record::Sandbox;

/// The least time a container gets after its preStop hook.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// A container being killed.
#[derive(Debug)]
pub(super) struct Kill {
    id: String,
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
        let hook = self.spec_of(name).and_then(|container| {
            let handler = container.at(&["lifecycle", "preStop"])?;
            crate::probe::handler(container, handler, &id, self.record.ip(), grace)
        });
        let stopping = hook.is_none();
        self.kills.insert(name.to_owned(), Kill { id: id.clone(), deadline, stopping });
        match hook {
            Some(command) => self.submit(io, Purpose::PreStop(name.to_owned()), command),
            None => self.stop(name, id, grace, io),
        }
    }

    fn stop(&self, name: &str, id: String, grace: Duration, io: &mut Io<'_, '_>) {
        self.submit(io, Purpose::Stop(name.to_owned()), Command::StopContainer { id, grace });
    }

    fn stop_after_hook(&mut self, name: &str, io: &mut Io<'_, '_>) {
        let now = io.now();
        let Some(kill) = self.kills.get_mut(name).filter(|kill| !kill.stopping) else { return };
        kill.stopping = true;
        let (id, left) = (kill.id.clone(), kill.deadline.since(now).max(LEAST_GRACE));
        self.stop(name, id, left, io);
    }

    pub(super) fn pre_stop_done(
        &mut self,
        name: &str,
        result: &Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        if let Some(message) = self.hook_failure(name, "preStop", result) {
            self.container_event(io, name, EventType::Warning, "FailedPreStopHook", &message);
        }
        self.stop_after_hook(name, io);
    }

    /// The event message of a lifecycle hook that failed.
    pub(super) fn hook_failure(
        &self,
        name: &str,
        hook: &str,
        result: &Result<Reply, Error>,
    ) -> Option<String> {
        let (error, output) = match result {
            Ok(Reply::Exec { exit_code, output }) if *exit_code != 0 => {
                (format!("command exited with {exit_code}"), output.clone())
            }
            Ok(_) => return None,
            Err(error) => (error.to_string(), String::new()),
        };
        let handler = self.spec_of(name).and_then(|c| c.at(&["lifecycle", hook]));
        let (kind, what) = match handler.and_then(|handler| handler.at(&["exec", "command"])) {
            Some(words) => {
                let words = words.as_array().into_iter().flatten();
                let words: Vec<&str> = words.filter_map(|word| word.as_str()).collect();
                ("Exec", format!("[{}]", words.join(" ")))
            }
            None => {
                let path = handler.map_or("", |handler| handler.str_at(&["httpGet", "path"]));
                ("Http", path.to_owned())
            }
        };
        Some(format!(
            "{kind} lifecycle hook ({what}) for Container {name:?} in Pod {:?} failed - error: \
             {error}, message: {output:?}",
            self.full_name()
        ))
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
        let due: Vec<String> = self
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
