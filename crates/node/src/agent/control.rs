//! Interference with the agent from outside: for scenarios and tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use controller_runtime::{Context, Key};
use parking_lot::Mutex;

use super::{Agent, Recovery};

/// A handle on a running agent; cheap to clone. What it is told happens in the loop's next turn.
#[derive(Debug, Clone, Default)]
pub struct AgentControl {
    wishes: Arc<Mutex<Wishes>>,
}

#[derive(Debug, Default)]
struct Wishes {
    /// Nodes whose agent does not run.
    stopped: BTreeSet<String>,
    /// Nodes whose agent has just been started again.
    started: BTreeSet<String>,
    /// The agent is to lose all that it knows.
    crash: bool,
}

impl AgentControl {
    /// Lets the agent of `node` fall silent: no heartbeat, no status, no start and no stop. Its
    /// containers run on.
    pub fn stop_node(&self, node: &str) {
        let mut wishes = self.wishes.lock();
        wishes.started.remove(node);
        wishes.stopped.insert(node.to_owned());
    }

    /// Lets the agent of `node` go on.
    pub fn start_node(&self, node: &str) {
        let mut wishes = self.wishes.lock();
        if wishes.stopped.remove(node) {
            wishes.started.insert(node.to_owned());
        }
    }

    /// Kills the process of the agent and starts another one, which finds out from the API and from
    /// the runtime what there is.
    pub fn crash(&self) {
        self.wishes.lock().crash = true;
    }

    pub(super) fn is_stopped(&self, node: &str) -> bool {
        self.wishes.lock().stopped.contains(node)
    }
}

impl Agent {
    /// Does what the control was told; gives the keys to look at.
    pub(super) fn obey(&mut self, cx: &Context<'_>) -> Vec<Key> {
        let (started, crash) = {
            let mut wishes = self.control.wishes.lock();
            (std::mem::take(&mut wishes.started), std::mem::take(&mut wishes.crash))
        };
        if crash {
            self.forget(cx);
        }
        let mut keys = Vec::new();
        if !started.is_empty() && self.recovery.is_over() {
            // Pods may have gone whose sandboxes no worker has taken over.
            self.look_by(cx.world.now());
        }
        for node in started {
            keys.push(Key::new("", &node));
            let bound = cx.caches.by_node(&api::PODS, &node);
            keys.extend(bound.iter().map(|pod| Key::of(pod)));
            let own = self.in_order().filter(|worker| worker.node.config.name == node);
            for worker in own {
                worker.mark_dirty();
                keys.push(worker.key.clone());
            }
        }
        keys
    }

    fn forget(&mut self, cx: &Context<'_>) {
        self.workers.clear();
        self.used.clear();
        self.shown.clear();
        self.uids.clear();
        self.timers.clear();
        self.timer_of.clear();
        self.tickets = super::Tickets::default();
        self.listing = None;
        self.ask_again = None;
        self.compares = false;
        self.look_again_at = None;
        self.strange.clear();
        self.leftovers = super::Leftovers::default();
        self.trouble = None;
        self.recovery = Recovery::Begins;
        self.next_heartbeat = Some(cx.world.now());
    }
}
