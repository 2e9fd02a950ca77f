//! Running the probes of a pod's containers.

use std::time::Duration;

use apimachinery::ObjectExt as _;
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
            for kind in [Kind::Liveness, Kind::Readiness] {
                let Some(period) = Probe::period_of(container, kind) else { continue };
                let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
                let phase = Duration::from_millis(io.cx.world.random_below(millis));
                let name = container.str_at(&["name"]).to_owned();
                if let Some(probe) = Probe::new(container, kind, io.now() + phase) {
                    self.probes.insert((name, kind), probe);
                }
            }
        }
    }

    /// A container has been started: its probes begin anew.
    pub(super) fn begin_probes(&mut self, name: &str, started: Time) {
        for kind in [Kind::Liveness, Kind::Readiness] {
            let Some(probe) = self.probes.get_mut(&(name.to_owned(), kind)) else { continue };
            probe.restart(started);
            if kind == Kind::Readiness {
                self.record.container_mut(name).readiness = Some(false);
            }
        }
    }

    /// When `probe` wants to ask container `name`, if it may.
    pub(super) fn probe_is_due_at(&self, name: &str, probe: &Probe) -> Option<Time> {
        let record = self.record.container(name)?;
        record.running()?;
        let held = probe.in_flight || record.liveness_failed || self.kills.contains_key(name);
        (!held).then_some(probe.next_at)
    }

    pub(super) fn run_probes(&mut self, io: &mut Io<'_, '_>) {
        let now = io.now();
        let due: Vec<(String, Kind)> = self
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
        if let Some(probe) = self.probes.get_mut(&(name.to_owned(), kind)) {
            probe.in_flight = true;
            probe.schedule(started, io.now());
        }
        match command {
            Ok(command) => self.submit(io, Purpose::Probe(name.to_owned(), kind, id), command),
            Err(text) => {
                let text = format!("{} probe errored: {text}", kind.word());
                self.container_event(io, name, EventType::Warning, "Unhealthy", &text);
                if let Some(probe) = self.probes.get_mut(&(name.to_owned(), kind)) {
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
        if current.is_none_or(|instance| instance.id != id) {
            return;
        }
        let away = matches!(result, Err(Error::Unavailable(_)));
        let outcome = outcome(result);
        let Some(probe) = self.probes.get_mut(&(name.to_owned(), kind)) else { return };
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
            self.conclude(name, kind, verdict);
        }
    }

    fn conclude(&mut self, name: &str, kind: Kind, verdict: bool) {
        let record = self.record.container_mut(name);
        match kind {
            Kind::Readiness if record.readiness != Some(verdict) => {
                record.readiness = Some(verdict);
                self.status_dirty = true;
            }
            Kind::Liveness if !verdict && !record.liveness_failed => {
                record.liveness_failed = true;
                self.dirty = true;
            }
            _ => {}
        }
    }
}
