//! When a pod becomes available, and which pod goes first when there are too many.
//!
//! Invariant: every function is pure; `now` is an argument.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller` (`ActivePods`).

use std::cmp::Ordering;
use std::time::Duration;

use api::views::pod::{
    available_at, is_available, is_ready, max_restart_count, phase, ready_since,
};
use apimachinery::{ObjectExt as _, Value};
use world::Time;

/// How long until the pod has been ready for `min_ready_seconds`: `Some(0)` when it is available,
/// `None` when it is not ready and so may never be.
///
/// Deviation: upstream wants strictly more than `minReadySeconds`; on a clock that stops at the
/// very instant of the timer that would cost one more timer for nothing.
pub(crate) fn available_in(pod: &Value, min_ready_seconds: i64, now: Time) -> Option<Duration> {
    if is_available(pod, min_ready_seconds, now) {
        return Some(Duration::ZERO);
    }
    available_at(pod, min_ready_seconds).map(|at| at.since(now))
}

/// Orders pods so that those to give up first come first.
///
/// Unassigned, then Pending, Unknown, Running; not ready before ready; more recently ready; more
/// restarts; newer.
#[must_use]
pub fn deletion_order(a: &Value, b: &Value) -> Ordering {
    let assigned = |pod: &Value| !pod.str_at(&["spec", "nodeName"]).is_empty();
    assigned(a)
        .cmp(&assigned(b))
        .then_with(|| phase_rank(a).cmp(&phase_rank(b)))
        .then_with(|| is_ready(a).cmp(&is_ready(b)))
        .then_with(|| {
            if is_ready(a) && is_ready(b) {
                later_first(ready_since(a), ready_since(b))
            } else {
                Ordering::Equal
            }
        })
        .then_with(|| max_restart_count(b).cmp(&max_restart_count(a)))
        .then_with(|| later_first(created(a), created(b)))
}

fn phase_rank(pod: &Value) -> u8 {
    match phase(pod) {
        "Unknown" => 1,
        "Running" => 2,
        _ => 0,
    }
}

fn created(object: &Value) -> Option<Time> {
    Time::parse_rfc3339(object.creation_timestamp())
}

/// The later time first; an unknown time counts as the latest.
fn later_first(a: Option<Time>, b: Option<Time>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.cmp(&a),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn pod(name: &str, node: &str, phase: &str, ready: &str, restarts: i64, age: &str) -> Value {
        let mut pod = json!({
            "metadata": {"name": name},
            "spec": {},
            "status": {"phase": phase, "containerStatuses": [{"restartCount": 0}, {"restartCount": restarts}]},
        });
        if !node.is_empty() {
            pod.set(&["spec", "nodeName"], json!(node));
        }
        if !ready.is_empty() {
            let mut ready_condition = json!({"type": "Ready", "status": "True"});
            if ready != "unknown" {
                ready_condition.set(&["lastTransitionTime"], json!(ready));
            }
            pod.set(&["status", "conditions"], json!([ready_condition]));
        }
        if !age.is_empty() {
            pod.set(&["metadata", "creationTimestamp"], json!(age));
        }
        pod
    }

    #[test]
    fn pods_are_given_up_in_upstreams_order() {
        let (now, before) = ("2018-10-11T12:00:00Z", "2018-10-11T11:00:00Z");
        let expected = [
            pod("unscheduled", "", "Pending", "", 0, ""),
            pod("pending", "foo", "Pending", "", 0, ""),
            pod("unknown", "foo", "Unknown", "", 0, ""),
            pod("running", "foo", "Running", "", 0, ""),
            pod("ready-at-unknown-time", "foo", "Running", "unknown", 0, ""),
            pod("ready-now", "foo", "Running", now, 0, ""),
            pod("ready-before", "foo", "Running", before, 0, ""),
            pod("restarted", "foo", "Running", "2018-10-11T10:00:00Z", 8, ""),
            pod("restarted-less", "foo", "Running", "2018-10-11T10:00:00Z", 5, now),
            pod("older", "foo", "Running", "2018-10-11T10:00:00Z", 5, before),
        ];
        for rotation in 0..expected.len() {
            let mut pods = expected.to_vec();
            pods.rotate_left(rotation);
            pods.sort_by(deletion_order);
            let names: Vec<&str> = pods.iter().map(|pod| pod.name()).collect();
            let want: Vec<&str> = expected.iter().map(|pod| pod.name()).collect();
            assert_eq!(names, want, "rotated by {rotation}");
        }
    }

    #[test]
    fn availability_waits_for_min_ready_seconds() {
        let now = Time::parse_rfc3339("2018-10-11T12:00:05Z").unwrap();
        let ready = pod("a", "n", "Running", "2018-10-11T12:00:00Z", 0, "");
        assert_eq!(available_in(&ready, 0, now), Some(Duration::ZERO));
        assert_eq!(available_in(&ready, 5, now), Some(Duration::ZERO));
        assert_eq!(available_in(&ready, 8, now), Some(Duration::from_secs(3)));
        assert_eq!(available_in(&pod("b", "n", "Running", "", 0, ""), 0, now), None);
    }
}
