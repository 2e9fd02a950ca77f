//! Running the probes of a pod's containers.

use std::time::Duration;

use apimachinery::{ObjectExt as _, Text};
use controller_runtime::EventType;
use cri::{Error, Reply};
use world::Time;

use super::Worker;
use super::io::{Io, Purpose};
use crate::probe::{Kind, Outcome, Probe, TRIES, command, outcome};

impl Worker {
    /// Draws the phase of every probe.
    pub(super) fn plan_probes(&mut self, io: &Io<'_, '_>) {
        for container in self.pod.list_at(&["spec", "containers"]) {
            for kind in Kind::ALL {
                let Some(period) = Probe::period_of(container, kind) else { continue };
                let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
                let phase = Duration::from_millis(io.cx.world.random_below(millis));
                let name = container.text_at(&["name"]);
                if let Some(probe) = Probe::new(container, kind, io.now() + phase) {
                    self.probes.insert((name, kind), probe);
                }
            }
        }
    }

    /// A container has been started: its probes begin anew.
    pub(super) fn begin_probes(&mut self, name: &str, started: Time) {
        for kind in Kind::ALL {
            let Some(probe) = self.probes.get_mut(&(name.into(), kind)) else { continue };
            probe.restart(started);
            let record = self.record.container_mut(name);
            match kind {
                Kind::Readiness => record.readiness = Some(false),
                Kind::Startup => record.started = Some(false),
                Kind::Liveness => {}
            }
        }
    }

    /// When `probe` wants to ask container `name`, if it may.
    pub(super) fn probe_is_due_at(&self, name: &str, probe: &Probe) -> Option<Time> {
        let record = self.record.container(name)?;
        record.running()?;
        let starting = record.started == Some(false);
        let held = probe.in_flight
            || record.failed_probe.is_some()
            || self.kills.contains_key(name)
            || record.started.is_some() && starting != (probe.kind == Kind::Startup);
        (!held).then_some(probe.next_at)
    }

    pub(super) fn run_probes(&mut self, io: &mut Io<'_, '_>) {
        let now = io.now();
        let due: Vec<(Text, Kind)> = self
            .probes
            .iter()
            .filter(|((name, _), p)| self.probe_is_due_at(name, p).is_some_and(|at| at <= now))
            .map(|(key, _)| key.clone())
            .collect();
        for (name, kind) in due {
            self.ask(&name, kind, io);
        }
    }

    fn ask(&mut self, name: &str, kind: Kind, io: &mut Io<'_, '_>) {
        let Some(instance) = self.record.container(name).and_then(|r| r.running()) else { return };
        let (id, started) = (instance.id.clone(), instance.started_at.unwrap_or_default());
        let ip = self.record.ip();
        let ip = if ip.is_empty() { self.node.config.address.as_str() } else { ip };
        let Some(command) = self.spec_of(name).and_then(|c| command(c, kind, &id, ip)) else {
            return;
        };
        if let Some(probe) = self.probes.get_mut(&(name.into(), kind)) {
            probe.in_flight = true;
            probe.schedule(started, io.now());
        }
        match command {
            Ok(command) => self.submit(io, Purpose::Probe(name.into(), kind, id), command),
            Err(text) => {
                let text = format!("{} probe errored: {text}", kind.word());
                self.container_event(io, name, EventType::Warning, "Unhealthy", &text);
                if let Some(probe) = self.probes.get_mut(&(name.into(), kind)) {
                    probe.in_flight = false;
                }
            }
        }
    }

    pub(super) fn probe_done(
        &mut self,
        name: &str,
        kind: Kind,
        id: &str,
        result: Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        let current = self.record.container(name).and_then(|r| r.running());
        if current.is_none_or(|instance| *instance.id != *id) {
            return;
        }
        let away = matches!(result, Err(Error::Unavailable(_)));
        let outcome = outcome(result);
        let Some(probe) = self.probes.get_mut(&(name.into(), kind)) else { return };
        probe.in_flight = false;
        let verdict = match &outcome {
            Outcome::Errored(_) if away => return,
            Outcome::Errored(_) if probe.tries > 1 => {
                probe.tries -= 1;
                return self.ask(name, kind, io);
            }
            Outcome::Errored(_) => None,
            Outcome::Success => probe.count(true),
            Outcome::Failure(_) => probe.count(false),
        };
        probe.tries = TRIES;
        let text = match outcome {
            Outcome::Success => None,
            Outcome::Failure(output) => Some(format!("{} probe failed: {output}", kind.word())),
            Outcome::Errored(error) => Some(format!("{} probe errored: {error}", kind.word())),
        };
        if let Some(text) = text {
            self.container_event(io, name, EventType::Warning, "Unhealthy", &text);
        }
        if let Some(verdict) = verdict {
            self.conclude(name, kind, verdict, io.now());
        }
    }

    fn conclude(&mut self, name: &str, kind: Kind, verdict: bool, now: Time) {
        let record = self.record.container_mut(name);
        match kind {
            Kind::Readiness if record.readiness != Some(verdict) => {
                record.readiness = Some(verdict);
                self.status_dirty = true;
            }
            Kind::Startup if verdict && record.started == Some(false) => {
                record.started = Some(true);
                self.status_dirty = true;
                self.begin_waiting_probes(name, now);
            }
            Kind::Liveness | Kind::Startup if !verdict && record.failed_probe.is_none() => {
                record.failed_probe = Some(kind);
                self.dirty = true;
            }
            _ => {}
        }
    }

    /// The probes that waited for the startup probe go on at their next turn.
    fn begin_waiting_probes(&mut self, name: &str, now: Time) {
        let instance = self.record.container(name).and_then(|record| record.running());
        let started = instance.and_then(|instance| instance.started_at).unwrap_or_default();
        for kind in [Kind::Liveness, Kind::Readiness] {
            if let Some(probe) = self.probes.get_mut(&(name.into(), kind)) {
                probe.schedule(started, now);
            }
        }
    }
}
