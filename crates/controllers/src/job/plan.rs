//! What a job does next, and its status.
//!
//! Invariant: [`plan`] is pure; a finished job is left alone for ever.
//!
//! Mirrors: `syncJob` and `manageJob` of `k8s.io/kubernetes/pkg/controller/job`.

use std::sync::Arc;
use std::time::Duration;

use api::views::pod::{is_active, phase};
use apimachinery::{ObjectExt as _, Value};
use serde_json::json;
use world::Time;

use crate::pod_control::BURST;
use crate::replica::to_delete;

/// The first delay after a failure; doubled by each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
/// The longest delay.
const MAX_BACKOFF: Duration = Duration::from_secs(360);

/// What a decision is made from.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The job.
    pub job: &'a Value,
    /// Its pods, ended and terminating ones included.
    pub pods: &'a [Arc<Value>],
    /// How many failures were answered by another attempt since the last success.
    pub retries: i64,
    /// The present.
    pub now: Time,
}

/// A `Warning` about the job: reason and message.
pub type Warning = (&'static str, &'static str);

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Pods to create.
    pub create: usize,
    /// Pods to delete, in this order.
    pub delete: Vec<String>,
    /// What to tell.
    pub warnings: Vec<Warning>,
    /// The status to write; `None` when nothing counts yet or any more.
    pub status: Option<Value>,
    /// When to look again although nothing changed.
    pub resync: Option<Duration>,
}

impl Plan {
    /// The status to write when only so many pods could be created and deleted.
    #[must_use]
    pub fn status_after(&self, created: usize, deleted: usize) -> Option<Value> {
        let mut status = self.status.clone()?;
        let failed = finished(&json!({"status": status})) == Some("Failed");
        let missed =
            count(self.delete.len()) - count(deleted) - count(self.create) + count(created);
        if missed != 0 && !failed {
            let active = status.int_at(&["active"]).unwrap_or(0) + missed;
            set_count(&mut status, "active", active);
        }
        Some(status)
    }
}

/// The condition that ended the job: its type.
#[must_use]
pub fn finished(job: &Value) -> Option<&str> {
    let conditions = job.list_at(&["status", "conditions"]).iter();
    let mut ended = conditions.filter(|condition| {
        matches!(condition.str_at(&["type"]), "Complete" | "Failed")
            && condition.str_at(&["status"]) == "True"
    });
    ended.next().map(|condition| condition.str_at(&["type"]))
}

/// How long a failed attempt is waited for after so many retries.
#[must_use]
pub fn backoff(retries: i64) -> Duration {
    if retries <= 0 {
        return Duration::ZERO;
    }
    let doublings = u32::try_from(retries - 1).unwrap_or(u32::MAX).min(10);
    (FIRST_BACKOFF * 2_u32.pow(doublings)).min(MAX_BACKOFF)
}

/// The failures since the last success that an earlier sync has answered.
///
/// Deviation: upstream counts the attempts of its work queue, which a restart forgets; here they
/// are read off the pods, so that a restarted controller goes on where it stood.
#[must_use]
pub fn retries(job: &Value, pods: &[Arc<Value>]) -> i64 {
    let ended = |wanted: &'static str| pods.iter().filter(move |pod| phase(pod) == wanted);
    let last_success = ended("Succeeded").map(|pod| ended_at(pod)).max();
    let since = ended("Failed").filter(|pod| last_success.is_none_or(|at| ended_at(pod) > at));
    let failures = count(since.count());
    let new = count(ended("Failed").count()) - job.int_at(&["status", "failed"]).unwrap_or(0);
    (failures - new.max(0)).max(0)
}

/// When the last container of the pod ended; its creation where it does not say.
fn ended_at(pod: &Value) -> Time {
    let statuses = pod.list_at(&["status", "containerStatuses"]).iter();
    let ends = statuses.filter_map(|status| {
        Time::parse_rfc3339(status.str_at(&["state", "terminated", "finishedAt"]))
    });
    let created = || Time::parse_rfc3339(pod.creation_timestamp());
    ends.max().or_else(created).unwrap_or_default()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct Counts {
    active: i64,
    succeeded: i64,
    failed: i64,
}

/// What to do about the job.
#[must_use]
pub fn plan(observed: &Observed<'_>) -> Plan {
    let job = observed.job;
    if finished(job).is_some() {
        return Plan::default();
    }
    let active: Vec<Arc<Value>> =
        observed.pods.iter().filter(|pod| is_active(pod)).cloned().collect();
    let in_phase =
        |wanted: &str| count(observed.pods.iter().filter(|p| phase(p) == wanted).count());
    let counts = Counts {
        active: count(active.len()),
        succeeded: in_phase("Succeeded"),
        failed: in_phase("Failed"),
    };
    let deadline = deadline_in(observed);
    let failure = failure(observed, &counts, deadline);
    if failure.is_none()
        && let Some(wait) = waits(observed, &counts)
    {
        let resync = deadline.map_or(wait, |deadline| deadline.min(wait));
        return Plan { resync: Some(resync), ..Plan::default() };
    }
    let mut plan = match failure {
        Some(failure) => fail(observed, &active, &counts, failure),
        None => manage(observed, &active, counts),
    };
    let ended =
        plan.status.as_ref().is_some_and(|status| finished(&json!({"status": status})).is_some());
    plan.resync = deadline.filter(|wait| !ended && !wait.is_zero());
    plan
}

fn started(observed: &Observed<'_>) -> Time {
    let start = Time::parse_rfc3339(observed.job.str_at(&["status", "startTime"]));
    start.unwrap_or(observed.now)
}

/// How long until `activeDeadlineSeconds` have passed.
fn deadline_in(observed: &Observed<'_>) -> Option<Duration> {
    let seconds = observed.job.int_at(&["spec", "activeDeadlineSeconds"])?;
    let end = started(observed) + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    Some(end.since(observed.now))
}

fn limit(job: &Value) -> i64 {
    job.int_at(&["spec", "backoffLimit"]).unwrap_or(6)
}

fn parallelism(job: &Value) -> i64 {
    job.int_at(&["spec", "parallelism"]).unwrap_or(1)
}

fn has_new_failure(observed: &Observed<'_>, counts: &Counts) -> bool {
    counts.failed > observed.job.int_at(&["status", "failed"]).unwrap_or(0)
}

fn failure(
    observed: &Observed<'_>,
    counts: &Counts,
    deadline: Option<Duration>,
) -> Option<Warning> {
    let job = observed.job;
    let exhausted = has_new_failure(observed, counts)
        && counts.active != parallelism(job)
        && observed.retries + 1 > limit(job);
    if exhausted && waits(observed, counts).is_none() || restarted_too_often(observed) {
        return Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    }
    let passed = deadline.is_some_and(|deadline| deadline.is_zero());
    passed.then_some(("DeadlineExceeded", "Job was active longer than specified deadline"))
}

/// Whether containers that are restarted in place have used up the limit. With a limit of 0 they
/// have at once: such a job of 1.11 fails before it began.
fn restarted_too_often(observed: &Observed<'_>) -> bool {
    let policy = ["spec", "template", "spec", "restartPolicy"];
    if observed.job.str_at(&policy) != "OnFailure" {
        return false;
    }
    let running = observed.pods.iter().filter(|pod| phase(pod) == "Running");
    let restarts = |pod: &Arc<Value>| -> i64 {
        let lists = ["initContainerStatuses", "containerStatuses"];
        let statuses = lists.iter().flat_map(|list| pod.list_at(&["status", list]));
        statuses.map(|status| status.int_at(&["restartCount"]).unwrap_or(0)).sum()
    };
    running.map(restarts).sum::<i64>() >= limit(observed.job)
}

/// How long a new failure is left unanswered; a success in between makes up for it.
fn waits(observed: &Observed<'_>, counts: &Counts) -> Option<Duration> {
    let succeeded = observed.job.int_at(&["status", "succeeded"]).unwrap_or(0);
    if !has_new_failure(observed, counts) || counts.succeeded > succeeded {
        return None;
    }
    let failed = observed.pods.iter().filter(|pod| phase(pod) == "Failed");
    let last = failed.map(|pod| ended_at(pod)).max()?;
    let until = last + backoff(observed.retries);
    (until > observed.now).then(|| until.since(observed.now))
}

/// Ends the job: its pods go and count as failed.
fn fail(
    observed: &Observed<'_>,
    active: &[Arc<Value>],
    counts: &Counts,
    (reason, message): Warning,
) -> Plan {
    let mut condition = condition("Failed", observed.now);
    condition["reason"] = json!(reason);
    condition["message"] = json!(message);
    let failed = counts.failed + counts.active;
    let counts = Counts { active: 0, succeeded: counts.succeeded, failed };
    Plan {
        delete: active.iter().map(|pod| pod.name().to_owned()).collect(),
        warnings: vec![(reason, message)],
        status: Some(status(observed, &counts, Some(condition))),
        ..Plan::default()
    }
}

fn manage(observed: &Observed<'_>, active: &[Arc<Value>], counts: Counts) -> Plan {
    let job = observed.job;
    let mut plan = Plan::default();
    let mut counts = counts;
    if job.deletion_timestamp().is_none() {
        let surplus = usize::try_from(counts.active - parallelism(job)).unwrap_or(0);
        let gone = to_delete(active, surplus);
        plan.delete = gone.iter().map(|pod| pod.name().to_owned()).collect();
        plan.create = missing(job, &counts).min(BURST);
        counts.active += count(plan.create) - count(plan.delete.len());
    }
    let completed = match job.int_at(&["spec", "completions"]) {
        None => counts.succeeded > 0 && counts.active == 0,
        Some(completions) if counts.succeeded >= completions => {
            if counts.active > 0 {
                plan.warnings.push((
                    "TooManyActivePods",
                    "Too many active pods running after completion count reached",
                ));
            }
            if counts.succeeded > completions {
                plan.warnings.push((
                    "TooManySucceededPods",
                    "Too many succeeded pods running after completion count reached",
                ));
            }
            true
        }
        Some(_) => false,
    };
    let condition = completed.then(|| condition("Complete", observed.now));
    plan.status = Some(status(observed, &counts, condition));
    plan
}

/// How many more pods must run.
fn missing(job: &Value, counts: &Counts) -> usize {
    let wanted = match job.int_at(&["spec", "completions"]) {
        None if counts.succeeded > 0 => counts.active,
        None => parallelism(job),
        Some(completions) => (completions - counts.succeeded).min(parallelism(job)),
    };
    usize::try_from(wanted - counts.active).unwrap_or(0)
}

fn condition(kind: &str, now: Time) -> Value {
    let now = now.rfc3339();
    json!({"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now})
}

/// Counts of zero are left out.
fn set_count(status: &mut Value, field: &str, count: i64) {
    if count == 0 {
        drop(status.remove(&[field]));
    } else {
        status[field] = json!(count);
    }
}

fn status(observed: &Observed<'_>, counts: &Counts, ended: Option<Value>) -> Value {
    let old = observed.job.at(&["status"]);
    let mut status = old.filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
    status["startTime"] = json!(started(observed).rfc3339());
    for (field, count) in
        [("active", counts.active), ("succeeded", counts.succeeded), ("failed", counts.failed)]
    {
        set_count(&mut status, field, count);
    }
    if let Some(condition) = ended {
        if condition["type"] == "Complete" {
            status["completionTime"] = json!(observed.now.rfc3339());
        }
        let mut conditions = status.list_at(&["conditions"]).to_vec();
        conditions.push(condition);
        status["conditions"] = Value::Array(conditions);
    }
    status
}
