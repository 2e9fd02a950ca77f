//! Components that are killed and started anew, for simulations of failure.
//!
//! A killed component loses all that it knows; another one of its kind starts at once and finds out
//! from the API, and from the runtime, what there is. What containers run and what the store keeps
//! outlives it.
//!
//! Invariant: on a real engine nothing is killed.

use std::collections::BTreeMap;
use std::sync::Arc;

use controller_runtime::{Controller, Faults, Step};
use cri::builtin::WithBuiltins;
use cri::sim::{SimRuntime, Strain};
use cri::{
    Command, ContainerConfig, ContainerRuntime, Event, Logs, PodMetrics, Streams, Ticket, Wake,
};
use world::Time;

use crate::{Cluster, Error, Plan};

/// Above every ticket that an agent takes by itself, which begin with the time.
const FIRST_TICKET: Ticket = 1 << 63;

/// What survives when components are killed: the engine, which many agents talk to one after the
/// other.
#[derive(Debug)]
pub(crate) struct Revival {
    pub(crate) engine: SimRuntime,
    last_ticket: Arc<parking_lot::Mutex<Ticket>>,
}

impl Revival {
    pub(crate) fn new(engine: SimRuntime) -> Self {
        Self { engine, last_ticket: Arc::new(parking_lot::Mutex::new(FIRST_TICKET)) }
    }

    /// What the next agent of a cluster of `plan` talks to.
    pub(crate) fn session(&self, plan: &Plan) -> Session<WithBuiltins<SimRuntime>> {
        let runtime = WithBuiltins::new(self.engine.clone(), plan.builtin.clone());
        let (faults, last_ticket) = (plan.faults.clone(), Arc::clone(&self.last_ticket));
        Session { runtime, faults, last_ticket, asked: BTreeMap::new() }
    }
}

/// One agent's talk with the engine. Whatever was asked before is done, but nobody is told: two
/// agents may live and die at one virtual instant and take the same numbers for their tickets. An
/// agent that was killed in the middle of its work asks for nothing more.
#[derive(Debug)]
pub(crate) struct Session<R> {
    runtime: R,
    faults: Option<Faults>,
    last_ticket: Arc<parking_lot::Mutex<Ticket>>,
    /// The agent's tickets by the engine's.
    asked: BTreeMap<Ticket, Ticket>,
}

impl<R: ContainerRuntime> ContainerRuntime for Session<R> {
    fn version(&self) -> String {
        self.runtime.version()
    }

    fn scheme(&self) -> &'static str {
        self.runtime.scheme()
    }

    fn submit(&mut self, ticket: Ticket, command: Command) {
        if self.faults.as_ref().is_some_and(Faults::has_killed) {
            return;
        }
        let own = {
            let mut last = self.last_ticket.lock();
            *last += 1;
            *last
        };
        self.asked.insert(own, ticket);
        self.runtime.submit(own, command);
    }

    fn poll(&mut self) -> Vec<Event> {
        let events = self.runtime.poll().into_iter();
        events
            .filter_map(|event| match event {
                Event::Done { ticket, result } => {
                    let ticket = self.asked.remove(&ticket)?;
                    Some(Event::Done { ticket, result })
                }
                other => Some(other),
            })
            .collect()
    }

    fn next_event_at(&self) -> Option<Time> {
        self.runtime.next_event_at()
    }

    fn set_wake(&mut self, wake: Wake) {
        self.runtime.set_wake(wake);
    }

    fn command_of(&self, config: &ContainerConfig) -> Vec<String> {
        self.runtime.command_of(config)
    }

    fn logs(&self) -> Arc<dyn Logs> {
        self.runtime.logs()
    }

    fn streams(&self) -> Arc<dyn Streams> {
        self.runtime.streams()
    }

    fn metrics(&self) -> Arc<dyn PodMetrics> {
        self.runtime.metrics()
    }
}

impl Cluster {
    /// The names of the components that can be killed, by number.
    #[must_use]
    pub fn components(&self) -> Vec<&'static str> {
        self.driver.controllers()
    }

    /// Kills component number `component` between two of its acts and starts it anew; gives whether
    /// that can be done here.
    pub fn kill(&mut self, component: usize) -> bool {
        let Some(fresh) = self.fresh(component) else { return false };
        self.driver.replace(component, fresh);
        true
    }

    /// The numbers of the components that are about to do something and may have a successor beside
    /// them, see [`Self::usurp`]: all but the agent, whose engine would be the same.
    #[must_use]
    pub fn busy(&self) -> Vec<usize> {
        let agent = self.components().len() - 1;
        self.driver.busy().into_iter().filter(|component| *component != agent).collect()
    }

    /// Starts component number `component` anew although the old one has not died: when `steps` steps
    /// are over that goes on, with what it knew, until it has made `writes` writes.
    pub fn usurp(&mut self, component: usize, steps: u64, writes: u64) {
        if let Some(fresh) = self.fresh(component) {
            self.driver.usurp(component, fresh, (steps, writes));
        }
    }

    /// Component number `component` as it is when its process starts, where that can be done.
    fn fresh(&self, component: usize) -> Option<Box<dyn Controller>> {
        let runtime = Box::new(self.revival.as_ref()?.session(&self.plan));
        self.plan.components(runtime, &self.driver).into_iter().nth(component)
    }

    /// The API server answers the watch number `watch` (round and round) of the components with "too
    /// old resource version".
    pub fn cut_watch(&mut self, watch: usize) {
        self.driver.cut_watch(watch);
    }

    /// Lets the agents of nodes fall silent and go on, however often they are killed meanwhile.
    #[must_use]
    pub fn agents(&self) -> &node::AgentControl {
        &self.plan.control
    }

    /// The engine goes away with this message, or comes back; a real one cannot be told.
    pub fn set_engine(&self, trouble: Option<&str>) {
        if let Some(revival) = &self.revival {
            revival.engine.control().set_engine(trouble);
        }
    }

    /// The engine is slow and fails now and then, or is well again; a real one cannot be told.
    pub fn set_strain(&self, strain: Option<Strain>) {
        if let Some(revival) = &self.revival {
            revival.engine.control().set_strain(strain);
        }
    }

    /// Kills everything, the API server with it, and starts it anew on the store and the containers
    /// that are there. Clients of the old server are of no use any more.
    ///
    /// # Errors
    /// When the objects that every cluster has cannot be made.
    pub fn kill_all(self) -> Result<Self, Error> {
        let Some(revival) = &self.revival else { return Ok(self) };
        let runtime = revival.session(&self.plan);
        let store = self.server.store().clone();
        let Self { plan, revival, .. } = self;
        let mut cluster = Self::compose(plan, runtime, Some(store))?;
        cluster.driver.sync();
        Ok(Self { revival, ..cluster })
    }

    /// One turn of the loop: something is done or, when there is nothing to do, time passes, until
    /// `deadline` at most. Components that the cluster's faults killed in it are started anew; their
    /// numbers are given. `None` when `deadline` has come.
    pub fn turn(&mut self, deadline: Time) -> Option<Vec<usize>> {
        let step = self.driver.step();
        let killed = self.driver.take_killed();
        for component in &killed {
            self.kill(*component);
        }
        match step {
            Step::Idle { next } if killed.is_empty() => {
                self.driver.pass_time(next, deadline).then_some(killed)
            }
            _ => Some(killed),
        }
    }
}
