//! The status of a deployment: counters, conditions, and when a rollout has stalled.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment` (`progress.go`, `calculateStatus`).

use std::time::Duration;

use api::views::pod::condition;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use crate::deployment::bounds;
use crate::deployment::replica_sets::Set;
use crate::deployment::sync::Sync;

const PROGRESSING: &str = "Progressing";
const REPLICA_FAILURE: &str = "ReplicaFailure";
const AVAILABLE_REASON: &str = "NewReplicaSetAvailable";
const TIMED_OUT_REASON: &str = "ProgressDeadlineExceeded";

fn deadline(deployment: &Value) -> Option<Duration> {
    let seconds = deployment.int_at(&["spec", "progressDeadlineSeconds"])?;
    // Clients write the largest 32-bit number for "no deadline".
    let seconds = u64::try_from(seconds).ok().filter(|s| *s != u64::from(i32::MAX.unsigned_abs()));
    seconds.map(Duration::from_secs)
}

fn make(kind: &str, status: &str, reason: &str, message: &str, now: Time) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": now.rfc3339(), "lastTransitionTime": now.rfc3339()})
}

fn find<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a Value> {
    conditions.iter().find(|condition| condition.str_at(&["type"]) == kind)
}

fn remove(conditions: &mut Vec<Value>, kind: &str) {
    conditions.retain(|condition| condition.str_at(&["type"]) != kind);
}

/// Puts `condition` in place of the one of its type. One with the same status and reason stays as
/// it is; the same status keeps its transition time.
pub(crate) fn set_condition(conditions: &mut Vec<Value>, mut condition: Value) {
    let kind = condition.str_at(&["type"]).to_owned();
    if let Some(current) = find(conditions, &kind) {
        let same = |field: &str| current.str_at(&[field]) == condition.str_at(&[field]);
        if same("status") && same("reason") {
            return;
        }
        if same("status") {
            condition["lastTransitionTime"] = current["lastTransitionTime"].clone();
        }
    }
    remove(conditions, &kind);
    conditions.push(condition);
}

/// Records that the deployment was paused or resumed, so that the deadline does not run on; gives the
/// status that says so, when it did not yet.
pub(crate) fn note_pause(sync: &mut Sync<'_>) -> Option<Value> {
    deadline(sync.deployment)?;
    let current = find(&sync.conditions, PROGRESSING).map_or("", |c| c.str_at(&["reason"]));
    let paused = sync.deployment.bool_at(&["spec", "paused"]);
    let (reason, message) = match (paused, current) {
        (_, TIMED_OUT_REASON) | (true, "DeploymentPaused") => return None,
        (true, _) => ("DeploymentPaused", "Deployment is paused"),
        (false, "DeploymentPaused") => ("DeploymentResumed", "Deployment is resumed"),
        (false, _) => return None,
    };
    let condition = make(PROGRESSING, "Unknown", reason, message, sync.now);
    set_condition(&mut sync.conditions, condition);
    let mut status = sync.deployment.at(&["status"]).cloned().unwrap_or_default();
    status.set(&["conditions"], sync.conditions.clone().into());
    Some(status)
}

/// Starts counting progress of a replica set that was there before a deadline was.
pub(crate) fn note_found(sync: &mut Sync<'_>, index: usize) {
    if deadline(sync.deployment).is_some() && find(&sync.conditions, PROGRESSING).is_none() {
        let message = format!("Found new replica set {:?}", sync.sets[index].name());
        let condition = make(PROGRESSING, "True", "FoundNewReplicaSet", &message, sync.now);
        set_condition(&mut sync.conditions, condition);
    }
}

/// Starts counting progress of a replica set about to be created.
pub(crate) fn note_created(sync: &mut Sync<'_>, index: usize) {
    if deadline(sync.deployment).is_some() {
        let message = format!("Created new replica set {:?}", sync.sets[index].name());
        let condition = make(PROGRESSING, "True", "NewReplicaSetCreated", &message, sync.now);
        set_condition(&mut sync.conditions, condition);
    }
}

/// The status that says why the replica set could not be created; `None` without a deadline.
pub(crate) fn creation_failed(deployment: &Value, message: &str, now: Time) -> Option<Value> {
    deadline(deployment)?;
    let mut conditions = deployment.list_at(&["status", "conditions"]).to_vec();
    let failed = make(PROGRESSING, "False", "ReplicaSetCreateError", message, now);
    set_condition(&mut conditions, failed);
    let mut status = deployment.at(&["status"]).cloned().unwrap_or_default();
    status.set(&["conditions"], Value::from(conditions));
    Some(status)
}

/// The status by count, with the `Available` condition. Counters of zero are left out.
pub(crate) fn count(sync: &Sync<'_>) -> Value {
    let deployment = sync.deployment;
    let (total, available) = (sync.total(), sync.available());
    let sum = |field: &str| sync.sets.iter().map(|set| set.counted(field)).sum::<i64>();
    let counters = [
        ("observedGeneration", deployment.generation()),
        ("replicas", sum("replicas")),
        ("updatedReplicas", sync.new_set().map_or(0, |set| set.counted("replicas"))),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (total - available).max(0)),
    ];
    let mut status = json!({});
    for (field, number) in counters.into_iter().filter(|(_, number)| *number != 0) {
        status[field] = json!(number);
    }
    if let Some(collisions) = deployment.at(&["status", "collisionCount"]) {
        status["collisionCount"] = collisions.clone();
    }
    let mut conditions = sync.conditions.clone();
    let enough = available >= sync.desired() - bounds::max_unavailable(deployment);
    let (state, reason, text) = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    set_condition(&mut conditions, make("Available", state, reason, text, sync.now));
    status["conditions"] = Value::from(conditions);
    status
}

fn number(status: &Value, field: &str) -> i64 {
    status.int_at(&[field]).unwrap_or(0)
}

/// Whether `status` says that every replica is of the current template and available.
pub(crate) fn is_complete_by(deployment: &Value, status: &Value) -> bool {
    let desired = bounds::desired(deployment);
    let all = ["updatedReplicas", "replicas", "availableReplicas"];
    all.iter().all(|field| number(status, field) == desired)
        && number(status, "observedGeneration") >= deployment.generation()
}

/// Whether the stored status says that the deployment is complete.
pub(crate) fn is_complete(sync: &Sync<'_>) -> bool {
    let status = sync.deployment.at(&["status"]).unwrap_or(&Value::Null);
    is_complete_by(sync.deployment, status)
}

/// Whether `new` is further on than `old`.
pub(crate) fn is_progressing(old: &Value, new: &Value) -> bool {
    let outdated = |status| number(status, "replicas") - number(status, "updatedReplicas");
    let grew = |field| number(new, field) > number(old, field);
    grew("updatedReplicas")
        || outdated(new) < outdated(old)
        || grew("readyReplicas")
        || grew("availableReplicas")
}

/// Whether the deadline has passed since the last progress that `conditions` tell of.
pub(crate) fn is_timed_out(deployment: &Value, conditions: &[Value], now: Time) -> bool {
    let (Some(deadline), Some(current)) = (deadline(deployment), find(conditions, PROGRESSING))
    else {
        return false;
    };
    match current.str_at(&["reason"]) {
        AVAILABLE_REASON => false,
        TIMED_OUT_REASON => true,
        _ => Time::parse_rfc3339(current.str_at(&["lastUpdateTime"]))
            .is_some_and(|since| since + deadline < now),
    }
}

/// Writes the status with progress judged, or sets the timer of the deadline when nothing changed.
pub(crate) fn write_status(sync: &mut Sync<'_>) {
    let mut status = count(sync);
    let mut conditions = status.list_at(&["conditions"]).to_vec();
    if deadline(sync.deployment).is_none() {
        remove(&mut conditions, PROGRESSING);
    } else {
        judge(sync, &status, &mut conditions);
    }
    match replica_failure(sync) {
        Some(failure) => set_condition(&mut conditions, failure),
        None => remove(&mut conditions, REPLICA_FAILURE),
    }
    sync.resync = next_check(sync, &status, &conditions);
    status["conditions"] = Value::from(conditions);
    sync.write_status(status);
}

/// Sets the `Progressing` condition by comparing the stored status with the new one.
fn judge(sync: &Sync<'_>, status: &Value, conditions: &mut Vec<Value>) {
    let current = find(&sync.conditions, PROGRESSING);
    let settled = number(status, "replicas") == number(status, "updatedReplicas")
        && current.is_some_and(|c| c.str_at(&["reason"]) == AVAILABLE_REASON);
    if settled {
        return;
    }
    let subject = sync.new_set().map_or_else(
        || format!("Deployment {:?}", sync.deployment.name()),
        |set| format!("ReplicaSet {:?}", set.name()),
    );
    let stored = sync.deployment.at(&["status"]).unwrap_or(&Value::Null);
    if is_complete_by(sync.deployment, status) {
        let message = format!("{subject} has successfully progressed.");
        let done = make(PROGRESSING, "True", AVAILABLE_REASON, &message, sync.now);
        set_condition(conditions, done);
    } else if is_progressing(stored, status) {
        let message = format!("{subject} is progressing.");
        let mut moving = make(PROGRESSING, "True", "ReplicaSetUpdated", &message, sync.now);
        if let Some(current) = current.filter(|c| c.str_at(&["status"]) == "True") {
            moving["lastTransitionTime"] = current["lastTransitionTime"].clone();
        }
        remove(conditions, PROGRESSING);
        conditions.push(moving);
    } else if is_timed_out(sync.deployment, conditions, sync.now) {
        let message = format!("{subject} has timed out progressing.");
        let late = make(PROGRESSING, "False", TIMED_OUT_REASON, &message, sync.now);
        set_condition(conditions, late);
    }
}

/// The failure of the new replica set, else of any, as a condition of the deployment.
fn replica_failure(sync: &Sync<'_>) -> Option<Value> {
    let of = |set: &Set| condition(&set.value, REPLICA_FAILURE).cloned();
    let mut failure = sync.new_set().and_then(of).or_else(|| sync.sets.iter().find_map(of))?;
    failure["lastUpdateTime"] = failure["lastTransitionTime"].clone();
    Some(failure)
}

/// When the deadline must be looked at again: never without one, nor once all is decided.
pub(crate) fn next_check(
    sync: &Sync<'_>,
    status: &Value,
    conditions: &[Value],
) -> Option<Duration> {
    let deadline = deadline(sync.deployment)?;
    let current = find(conditions, PROGRESSING)?;
    let decided = current.str_at(&["reason"]) == TIMED_OUT_REASON;
    if decided || is_complete_by(sync.deployment, status) {
        return None;
    }
    let since = Time::parse_rfc3339(current.str_at(&["lastUpdateTime"]))?;
    // A second more, so that the check does not come at the very edge.
    Some((since + deadline).since(sync.now) + Duration::from_secs(1))
}
