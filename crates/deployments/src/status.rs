//! The status of a `DeploymentConfig`: counters and conditions computed from its rollouts.
//!
//! Invariant: pure; a status equal to the stored one means nothing is written.
//!
//! Mirrors: `openshift/origin pkg/apps/controller/deploymentconfig` (`calculateStatus`,
//! `updateConditions`).

use std::sync::Arc;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use crate::rollout::{Phase, is_cancelled, replicas, version_of};
use crate::strategy::resolve_fenceposts;

/// A condition to set beside those that follow from the rollouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progressing {
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// One word, may be empty.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// The new status of `dc`. `rollouts` are its controllers; `progressing` overrules what the newest
/// one says; `observe_generation` is false while the newest rollout is under way.
#[must_use]
pub fn calculate(
    dc: &Value,
    rollouts: &[Arc<Value>],
    progressing: Option<&Progressing>,
    observe_generation: bool,
    now: Time,
) -> Value {
    let latest_version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let latest = rollouts.iter().find(|rc| version_of(rc) == latest_version);
    let mut status = dc.get("status").cloned().unwrap_or_else(|| json!({}));
    status["latestVersion"] = json!(latest_version);
    let generation = if observe_generation {
        dc.generation()
    } else {
        dc.int_at(&["status", "observedGeneration"]).unwrap_or(0)
    };
    status["observedGeneration"] = json!(generation);
    count(&mut status, rollouts, latest);
    let availability = available(dc, &status);
    set_condition(&mut status, "Available", &availability, now);
    let newest = latest.and_then(|rc| from_phase(rc, dc, &status));
    if let Some((condition, progressed)) =
        progressing.map(|condition| (condition.clone(), false)).or(newest)
    {
        if progressed {
            remove_condition(&mut status, "Progressing");
        }
        set_condition(&mut status, "Progressing", &condition, now);
    }
    status
}

fn count(status: &mut Value, rollouts: &[Arc<Value>], latest: Option<&Arc<Value>>) {
    let sum = |path: &[&str]| -> i64 { rollouts.iter().filter_map(|rc| rc.int_at(path)).sum() };
    let wanted: i64 = rollouts.iter().map(|rc| replicas(rc)).sum();
    let available = sum(&["status", "availableReplicas"]);
    let updated = latest.and_then(|rc| rc.int_at(&["status", "replicas"])).unwrap_or(0);
    status["replicas"] = json!(sum(&["status", "replicas"]));
    status["updatedReplicas"] = json!(updated);
    status["availableReplicas"] = json!(available);
    status["unavailableReplicas"] = json!((wanted - available).max(0));
    let ready = sum(&["status", "readyReplicas"]);
    if ready > 0 {
        status["readyReplicas"] = json!(ready);
    } else {
        status.remove(&["readyReplicas"]);
    }
}

fn available(dc: &Value, status: &Value) -> Progressing {
    let desired = dc.int_at(&["spec", "replicas"]).unwrap_or(0);
    let rolling = dc.str_at(&["spec", "strategy", "type"]) == "Rolling";
    let params = dc.at(&["spec", "strategy", "rollingParams"]);
    let unavailable = if rolling { resolve_fenceposts(params, desired).1 } else { 0 };
    let count = status.int_at(&["availableReplicas"]).unwrap_or(0);
    let enough = count > 0 && count >= desired - unavailable;
    let (word, text) = if enough {
        ("True", "Deployment config has minimum availability.")
    } else {
        ("False", "Deployment config does not have minimum availability.")
    };
    Progressing { status: word, reason: "", message: text.to_owned() }
}

/// What the phase of the newest rollout says, and whether progress was seen.
fn from_phase(rc: &Value, dc: &Value, status: &Value) -> Option<(Progressing, bool)> {
    let name = rc.name();
    let condition = |status, reason, message| Progressing { status, reason, message };
    let rc_text = |tail: &str| format!("replication controller {name:?} {tail}");
    match Phase::of(rc) {
        Phase::New => None,
        Phase::Pending => {
            let text =
                rc_text(&format!("is waiting for pod {:?} to run", format!("{name}-deploy")));
            Some((condition("Unknown", "", text), false))
        }
        Phase::Running => progress_seen(dc, status).then(|| {
            (condition("True", "ReplicationControllerUpdated", rc_text("is progressing")), true)
        }),
        Phase::Failed if is_cancelled(rc) => {
            let text = format!("rollout of replication controller {name:?} was cancelled");
            Some((condition("False", "RolloutCancelled", text), false))
        }
        Phase::Failed => Some((
            condition("False", "ProgressDeadlineExceeded", rc_text("has failed progressing")),
            false,
        )),
        Phase::Complete => Some((
            condition(
                "True",
                "NewReplicationControllerAvailable",
                rc_text("successfully rolled out"),
            ),
            false,
        )),
    }
}

fn progress_seen(dc: &Value, status: &Value) -> bool {
    let number = |status: &Value, field: &str| status.int_at(&[field]).unwrap_or(0);
    let before = dc.get("status").unwrap_or(&Value::Null);
    let updated = |status: &Value| number(status, "updatedReplicas");
    let old = |status: &Value| number(status, "replicas") - updated(status);
    updated(status) > updated(before) || old(status) < old(before)
}

fn remove_condition(status: &mut Value, kind: &str) {
    if let Some(list) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        list.retain(|condition| condition.str_at(&["type"]) != kind);
    }
}

/// Sets a condition; one with the same status and reason is left as it is, one with the same status
/// keeps its transition time.
fn set_condition(status: &mut Value, kind: &str, wanted: &Progressing, now: Time) {
    let found = |condition: &&Value| condition.str_at(&["type"]) == kind;
    let current = status.list_at(&["conditions"]).iter().find(found).cloned();
    let mut transition = now.rfc3339();
    if let Some(current) = &current
        && current.str_at(&["status"]) == wanted.status
    {
        if current.str_at(&["reason"]) == wanted.reason {
            return;
        }
        transition = current.str_at(&["lastTransitionTime"]).to_owned();
    }
    let mut condition = json!({
        "type": kind,
        "status": wanted.status,
        "lastUpdateTime": now.rfc3339(),
        "lastTransitionTime": transition,
        "message": wanted.message,
    });
    if !wanted.reason.is_empty() {
        condition["reason"] = json!(wanted.reason);
    }
    remove_condition(status, kind);
    match status.get_mut("conditions").and_then(Value::as_array_mut) {
        Some(list) => list.push(condition),
        None => status["conditions"] = json!([condition]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    fn rc(version: i64, phase: Phase, replicas: i64, available: i64) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": format!("web-{version}"), "annotations": {
                keys::LATEST_VERSION: version.to_string(), keys::PHASE: phase.as_str()}},
            "spec": {"replicas": replicas},
            "status": {"replicas": replicas, "availableReplicas": available, "readyReplicas": available},
        }))
    }

    fn dc(latest: i64) -> Value {
        json!({"metadata": {"name": "web", "generation": 4},
               "spec": {"replicas": 2, "strategy": {"type": "Recreate"}},
               "status": {"latestVersion": latest, "observedGeneration": 3}})
    }

    fn condition(status: &Value, kind: &str) -> (String, String) {
        let list = status.list_at(&["conditions"]);
        let found = list.iter().find(|c| c.str_at(&["type"]) == kind).expect("is set");
        (found.str_at(&["status"]).to_owned(), found.str_at(&["reason"]).to_owned())
    }

    #[test]
    fn counters_sum_over_all_rollouts() {
        let rollouts = [rc(1, Phase::Complete, 1, 1), rc(2, Phase::Running, 2, 1)];
        let status = calculate(&dc(2), &rollouts, None, false, Time::default());
        assert_eq!(status["replicas"], 3);
        assert_eq!(status["updatedReplicas"], 2);
        assert_eq!(status["unavailableReplicas"], 1);
        assert_eq!(status["observedGeneration"], 3);
        assert_eq!(condition(&status, "Available"), ("True".to_owned(), String::new()));
        assert_eq!(
            condition(&status, "Progressing"),
            ("True".to_owned(), "ReplicationControllerUpdated".to_owned())
        );
    }

    #[test]
    fn conditions_follow_the_phase_of_the_newest_rollout() {
        let cases = [
            (Phase::Pending, "Unknown", ""),
            (Phase::Failed, "False", "ProgressDeadlineExceeded"),
            (Phase::Complete, "True", "NewReplicationControllerAvailable"),
        ];
        for (phase, word, reason) in cases {
            let status = calculate(&dc(1), &[rc(1, phase, 2, 2)], None, true, Time::default());
            assert_eq!(condition(&status, "Progressing"), (word.to_owned(), reason.to_owned()));
            assert_eq!(status["observedGeneration"], 4);
        }
    }

    #[test]
    fn an_unchanged_condition_keeps_its_times() {
        let mut config = dc(1);
        let rollouts = [rc(1, Phase::Complete, 2, 2)];
        config["status"] = calculate(&config, &rollouts, None, true, Time::default());
        let later = Time::from_unix_seconds(99);
        assert_eq!(calculate(&config, &rollouts, None, true, later), config["status"]);
    }
}
