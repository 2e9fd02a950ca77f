//! Who is tried when.
//!
//! A pod that waits for a node is *active* (tried as soon as it is its turn: the most important first,
//! then the one that came first), in *back-off* (it failed a moment ago), or *unschedulable* (it
//! fitted nowhere and nothing has changed since). The back-off is 1 s after the first failure and
//! doubles up to 60 s; when it ends the pod is tried again. A change in the cluster that may let pods
//! fit moves those that are unschedulable on, save that no pod is tried twice within a second.
//!
//! Invariant: a pod is in one of the three at most; a pod is active only once.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/core/scheduling_queue.go`, `pkg/scheduler/util`
//! (`PodBackoff`).
//! Deviation: upstream 1.11 lets a pod wait until anything changes, and then counts every heartbeat of
//! any node; here a heartbeat never counts and the back-off ends by itself.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;
use rustc_hash::FxHashMap;
use world::Time;

use crate::pod::PodInfo;
use crate::snapshot::News;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Where a pod stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Free to be tried.
    Active,
    /// Being tried; not in the queue.
    Trying,
    /// Failed a moment ago, and something has changed since.
    BackOff,
    /// Fitted nowhere, and nothing has changed since.
    Unschedulable,
}

type Turn = (Reverse<i64>, u64, Key);

#[derive(Debug)]
struct Entry {
    pod: PodInfo,
    standing: Standing,
    failures: u32,
    tried: Time,
    until: Time,
    sequence: u64,
}

impl Entry {
    fn turn(&self, key: &Key) -> Turn {
        (Reverse(self.pod.priority), self.sequence, key.clone())
    }
}

/// The pods that wait for a node.
#[derive(Debug, Default)]
pub struct Queue {
    /// Only asked, never listed.
    entries: FxHashMap<Key, Entry>,
    active: BTreeSet<Turn>,
    timers: BTreeSet<(Time, Key)>,
    unschedulable: BTreeSet<Key>,
    sequence: u64,
}

impl Queue {
    /// Takes in a pod as it is now. One that is new, or was changed since it failed, is active; gives
    /// whether it has become so.
    pub fn add(&mut self, key: &Key, pod: &Arc<Value>) -> bool {
        if let Some(entry) = self.entries.get_mut(key)
            && !is_changed(&entry.pod.pod, pod)
        {
            entry.pod = entry.pod.renewed(pod.clone());
            return false;
        }
        self.forget(key);
        let time = Time::from_unix_seconds(0);
        let entry = Entry {
            pod: PodInfo::new(pod.clone()),
            standing: Standing::Trying,
            failures: 0,
            tried: time,
            until: time,
            sequence: 0,
        };
        self.entries.insert(key.clone(), entry);
        self.activate(key);
        true
    }

    /// Takes the active pod whose turn it is.
    pub fn pop(&mut self) -> Option<(Key, PodInfo)> {
        let (_, _, key) = self.active.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        entry.standing = Standing::Trying;
        Some((key, entry.pod.clone()))
    }

    /// Where a pod stands; `None` when it does not wait.
    #[must_use]
    pub fn standing(&self, key: &Key) -> Option<Standing> {
        self.entries.get(key).map(|entry| entry.standing)
    }

    /// Records that a pod that was tried did not get a node.
    pub fn failed(&mut self, key: &Key, now: Time) {
        self.leave(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        let factor = 1_u32.checked_shl(entry.failures).unwrap_or(u32::MAX);
        let wait = FIRST.saturating_mul(factor).min(LONGEST);
        entry.failures = entry.failures.saturating_add(1);
        (entry.tried, entry.until) = (now, now + wait);
        entry.standing = Standing::Unschedulable;
        self.timers.insert((entry.until, key.clone()));
        self.unschedulable.insert(key.clone());
    }

    /// Makes a pod active that is being tried; its turn is where it was.
    pub fn retry(&mut self, key: &Key) {
        if self.standing(key) == Some(Standing::Trying) {
            self.activate(key);
        }
    }

    /// Forgets a pod that is placed or gone.
    pub fn forget(&mut self, key: &Key) {
        self.leave(key);
        self.entries.remove(key);
    }

    /// Moves unschedulable pods on, because the cluster has changed: those that may fit by it.
    pub fn move_on(&mut self, news: News) {
        if news == News::Nothing || self.unschedulable.is_empty() {
            return;
        }
        let entries = &self.entries;
        let moved: Vec<Key> = self
            .unschedulable
            .iter()
            .filter(|key| {
                let wants = |entry: &Entry| !entry.pod.affinity.required.is_empty();
                news == News::Room || entries.get(*key).is_some_and(wants)
            })
            .cloned()
            .collect();
        for key in moved {
            self.leave(&key);
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.standing = Standing::BackOff;
            entry.until = entry.until.min(entry.tried + FIRST);
            self.timers.insert((entry.until, key));
        }
    }

    /// Makes pods active whose back-off has ended. Gives their keys.
    pub fn release_due(&mut self, now: Time) -> Vec<Key> {
        let mut released = Vec::new();
        while let Some((until, _)) = self.timers.first()
            && *until <= now
        {
            let Some((_, key)) = self.timers.pop_first() else { break };
            self.activate(&key);
            released.push(key);
        }
        released
    }

    /// When the next back-off ends.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.timers.first().map(|(until, _)| *until)
    }

    /// How many pods are active, in back-off and unschedulable.
    #[must_use]
    pub fn lengths(&self) -> (usize, usize, usize) {
        let unschedulable = self.unschedulable.len();
        (self.active.len(), self.timers.len() - unschedulable, unschedulable)
    }

    fn activate(&mut self, key: &Key) {
        self.leave(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.sequence == 0 {
            self.sequence += 1;
            entry.sequence = self.sequence;
        }
        entry.standing = Standing::Active;
        self.active.insert(entry.turn(key));
    }

    /// Takes a pod out of wherever it stands.
    fn leave(&mut self, key: &Key) {
        let Some(entry) = self.entries.get(key) else { return };
        match entry.standing {
            Standing::Active => {
                self.active.remove(&entry.turn(key));
            }
            Standing::Trying => {}
            Standing::BackOff | Standing::Unschedulable => {
                self.timers.remove(&(entry.until, key.clone()));
                self.unschedulable.remove(key);
            }
        }
    }
}

/// Whether something was changed that may matter for where the pod fits.
fn is_changed(old: &Value, new: &Value) -> bool {
    let going = |pod: &Value| pod.deletion_timestamp().is_some();
    old.uid() != new.uid()
        || old.labels() != new.labels()
        || going(old) != going(new)
        || old.at(&["spec"]) != new.at(&["spec"])
}

#[cfg(test)]
mod tests;
