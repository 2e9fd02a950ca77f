//! When a pod that fitted nowhere is tried again.
//!
//! A pod is *active* (free to be tried), in *back-off* after a failure, or *unschedulable*. The
//! back-off is 1 s after the first failure and doubles up to 60 s; when it ends the pod is tried
//! again. A change in the cluster that may let pods fit moves all of them to active, save that no
//! pod is tried twice within a second.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/core/scheduling_queue.go`, `pkg/scheduler/util`
//! (`PodBackoff`).
//! Deviation: upstream 1.11 lets a pod wait out its back-off even when the cluster changes, and then
//! tries it at the next heartbeat of any node; here a change counts at once and a heartbeat never.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;
use world::Time;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Entry {
    failures: u32,
    tried: Time,
    until: Time,
    /// The pod as it was tried.
    pod: Arc<Value>,
}

/// The pods that have failed to fit.
#[derive(Debug, Default)]
pub struct Queue {
    unschedulable: BTreeMap<Key, Entry>,
}

impl Queue {
    /// How long `pod` must still wait; zero when it may be tried. A pod that was changed since it
    /// failed starts afresh.
    pub fn wait(&mut self, key: &Key, pod: &Value, now: Time) -> Duration {
        let Some(entry) = self.unschedulable.get(key) else { return Duration::ZERO };
        if is_changed(&entry.pod, pod) {
            self.unschedulable.remove(key);
            return Duration::ZERO;
        }
        entry.until.since(now)
    }

    /// Records that `pod` fits nowhere. Gives its back-off.
    pub fn failed(&mut self, key: &Key, pod: &Arc<Value>, now: Time) -> Duration {
        let failures = self.unschedulable.get(key).map_or(0, |entry| entry.failures);
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let wait = FIRST.saturating_mul(factor).min(LONGEST);
        let entry = Entry {
            failures: failures.saturating_add(1),
            tried: now,
            until: now + wait,
            pod: Arc::clone(pod),
        };
        self.unschedulable.insert(key.clone(), entry);
        wait
    }

    /// Forgets a pod that is placed or gone.
    pub fn forget(&mut self, key: &Key) {
        self.unschedulable.remove(key);
    }

    /// Frees all pods to be tried, because the cluster has changed. Gives their keys.
    pub fn move_all_to_active(&mut self) -> Vec<Key> {
        for entry in self.unschedulable.values_mut() {
            entry.until = entry.until.min(entry.tried + FIRST);
        }
        self.unschedulable.keys().cloned().collect()
    }
}

/// Whether something was changed that may matter for where the pod fits.
fn is_changed(old: &Value, new: &Value) -> bool {
    old.uid() != new.uid() || old.labels() != new.labels() || old.at(&["spec"]) != new.at(&["spec"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_unix_seconds(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn back_off_doubles_to_a_minute() {
        let mut queue = Queue::default();
        let (key, pod) = (Key::new("ns", "a"), Arc::new(json!({})));
        let mut waits = Vec::new();
        for _ in 0..8 {
            waits.push(queue.failed(&key, &pod, at(0)).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        queue.forget(&key);
        assert_eq!(queue.failed(&key, &pod, at(0)).as_secs(), 1);
    }

    #[test]
    fn a_change_in_the_cluster_ends_the_wait_but_for_the_first_second() {
        let mut queue = Queue::default();
        let (key, pod) = (Key::new("ns", "a"), Arc::new(json!({})));
        for _ in 0..6 {
            queue.failed(&key, &pod, at(10));
        }
        assert_eq!(queue.wait(&key, &pod, at(11)).as_secs(), 31);
        assert_eq!(queue.move_all_to_active(), std::slice::from_ref(&key));
        assert_eq!(queue.wait(&key, &pod, at(10)).as_secs(), 1);
        assert_eq!(queue.wait(&key, &pod, at(11)).as_secs(), 0);
    }

    #[test]
    fn a_changed_pod_is_tried_at_once() {
        let mut queue = Queue::default();
        let key = Key::new("ns", "a");
        queue.failed(&key, &Arc::new(json!({"spec": {"a": 1}})), at(0));
        let told = json!({"spec": {"a": 1}, "status": {"conditions": []}});
        assert_eq!(queue.wait(&key, &told, at(0)).as_secs(), 1);
        let changed = json!({"spec": {"a": 2}});
        assert_eq!(queue.wait(&key, &changed, at(0)).as_secs(), 0);
    }
}
