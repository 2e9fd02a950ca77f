//! Components that are killed and started anew, for simulations of failure.
//!
//! A killed component loses all that it knows; another one of its kind starts at once and finds out
//! from the API, and from the runtime, what there is. What containers run and what the store keeps
//! outlives it.
//!
//! Invariant: on a real engine nothing is killed.

use controller_runtime::Step;
use cri::builtin::WithBuiltins;
use cri::sim::SimRuntime;
use world::Time;

use crate::{Cluster, Error};

impl Cluster {
    /// The names of the components that can be killed, by number.
    #[must_use]
    pub fn components(&self) -> Vec<&'static str> {
        self.driver.controllers()
    }

    /// Kills component number `component` between two of its acts and starts it anew; gives whether
    /// that can be done here.
    pub fn kill(&mut self, component: usize) -> bool {
        let Some(sim) = &self.revival else { return false };
        let runtime = Box::new(WithBuiltins::new(sim.clone(), self.plan.builtin.clone()));
        let fresh = self.plan.components(runtime, &self.driver).into_iter().nth(component);
        if let Some(fresh) = fresh {
            self.driver.replace(component, fresh);
        }
        true
    }

    /// Kills everything, the API server with it, and starts it anew on the store and the containers
    /// that are there. Clients of the old server are of no use any more.
    ///
    /// # Errors
    /// When the objects that every cluster has cannot be made.
    pub fn kill_all(self) -> Result<Self, Error> {
        let Some(sim) = &self.revival else { return Ok(self) };
        let sim: SimRuntime = sim.clone();
        let runtime = WithBuiltins::new(sim.clone(), self.plan.builtin.clone());
        let store = self.server.store().clone();
        let Self { plan, .. } = self;
        let cluster = Self::compose(plan, runtime, Some(store))?;
        Ok(Self { revival: Some(sim), ..cluster })
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
