//! What a job does next, and its status.
//!
//! Invariant: [`plan`] is pure; a finished job is left alone for ever, a suspended one has no pods.
//!
//! Mirrors: `syncJob` and `manageJob` of `k8s.io/kubernetes/pkg/controller/job`; what 1.11 does not
//! know (`suspend`, `completionMode`, `podFailurePolicy`) as later releases do it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use api::views::pod::{is_active, phase};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::index::{self, Indexes};
use super::policy;
use crate::pod_control::BURST;
use crate::replica::to_delete;

/// The first delay after a failure; doubled by each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
/// The longest delay.
const MAX_BACKOFF: Duration = Duration::from_secs(360);

/// Attempts that one failure uses up: see the top of the module.
pub const ATTEMPTS_PER_FAILURE: i64 = 2;

/// What a decision is made from.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The job.
    pub job: &'a Value,
    /// Its pods, ended and terminating ones included.
    pub pods: &'a [Arc<Value>],
    /// How many attempts the failures since the last success have used up that were answered.
    pub retries: i64,
    /// The present.
    pub now: Time,
}

/// Something to tell about the job: reason and message.
pub type Note = (&'static str, Cow<'static, str>);

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Pods to create.
    pub create: usize,
    /// The completion indexes of those pods, one each, where the job gives out indexes.
    pub indexes: Vec<i64>,
    /// Pods to delete, in this order.
    pub delete: Vec<String>,
    /// What to tell as a `Warning`.
    pub warnings: Vec<Note>,
    /// What to tell as `Normal`.
    pub notes: Vec<Note>,
    /// The status to write; `None` when nothing counts yet or any more.
    pub status: Option<Value>,
    /// The status to write after that, while the warnings are told again: 1.11 looks at a job that it
    /// has just failed once more, through a cache that has seen the pods go but not the condition
    /// come; pods that were deleted on the way then do not count.
    pub second: Option<Value>,
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

/// The attempts used up by the failures since the last success that an earlier sync has answered.
///
/// Deviation: upstream counts the attempts of its work queue, which a restart forgets; here they
/// are read off the pods, so that a restarted controller goes on where it stood.
#[must_use]
pub fn retries(job: &Value, pods: &[Arc<Value>]) -> i64 {
    let succeeded = pods.iter().filter(|pod| phase(pod) == "Succeeded");
    let last_success = succeeded.map(|pod| ended_at(pod)).max();
    let since = failures(job, pods).filter(|pod| last_success.is_none_or(|at| ended_at(pod) > at));
    let answered = count(since.count());
    let new = count(failures(job, pods).count()) - job.int_at(&["status", "failed"]).unwrap_or(0);
    (answered - new.max(0)).max(0) * ATTEMPTS_PER_FAILURE
}

/// The failures that count: not those that the job's policy ignores, nor the ends of pods that were
/// deleted when the job was suspended.
fn failures<'a>(job: &'a Value, pods: &'a [Arc<Value>]) -> impl Iterator<Item = &'a Arc<Value>> {
    let interrupted = condition_of(job, SUSPENDED).is_some();
    pods.iter().filter(move |pod| {
        phase(pod) == "Failed"
            && !(interrupted && pod.deletion_timestamp().is_some())
            && !policy::ignores(job, pod)
    })
}

/// The type of the condition that says that a job is, or was, suspended.
const SUSPENDED: &str = "Suspended";

fn condition_of<'a>(job: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut conditions = job.list_at(&["status", "conditions"]).iter();
    conditions.find(|condition| condition.str_at(&["type"]) == kind)
}

fn is_suspended(job: &Value) -> bool {
    job.bool_at(&["spec", "suspend"])
}

/// Whether the job was suspended and no longer is.
fn resumes(job: &Value) -> bool {
    let suspended = condition_of(job, SUSPENDED);
    !is_suspended(job) && suspended.is_some_and(|found| found.str_at(&["status"]) == "True")
}

/// When the last container of the pod ended; where it does not say, when its deadline was, else its
/// creation.
fn ended_at(pod: &Value) -> Time {
    let statuses = pod.list_at(&["status", "containerStatuses"]).iter();
    let ends = statuses.filter_map(|status| {
        Time::parse_rfc3339(status.str_at(&["state", "terminated", "finishedAt"]))
    });
    let deadline = || {
        let start = Time::parse_rfc3339(pod.str_at(&["status", "startTime"]))?;
        let seconds = pod.int_at(&["spec", "activeDeadlineSeconds"])?;
        Some(start + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    };
    let created = || Time::parse_rfc3339(pod.creation_timestamp());
    ends.max().or_else(deadline).or_else(created).unwrap_or_default()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

struct Counts {
    active: i64,
    succeeded: i64,
    failed: i64,
    /// The indexes that are done, where the job gives out indexes.
    indexes: Option<Indexes>,
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
    let succeeded = observed.pods.iter().filter(|pod| phase(pod) == "Succeeded").count();
    let indexes = index::is_indexed(job).then(|| index::completed(job, observed.pods));
    let counts = Counts {
        active: count(active.len()),
        succeeded: indexes.as_ref().map_or_else(|| count(succeeded), Indexes::len),
        failed: count(failures(job, observed.pods).count()),
        indexes,
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

/// When the job began, or began again.
fn started(observed: &Observed<'_>) -> Time {
    if resumes(observed.job) {
        return observed.now;
    }
    let start = Time::parse_rfc3339(observed.job.str_at(&["status", "startTime"]));
    start.unwrap_or(observed.now)
}

/// How long until `activeDeadlineSeconds` have passed.
fn deadline_in(observed: &Observed<'_>) -> Option<Duration> {
    let job = Some(observed.job).filter(|job| !is_suspended(job))?;
    let seconds = job.int_at(&["spec", "activeDeadlineSeconds"])?;
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

fn failure(observed: &Observed<'_>, counts: &Counts, deadline: Option<Duration>) -> Option<Note> {
    let job = observed.job;
    if let Some(message) = policy::fails(job, observed.pods) {
        return Some(("PodFailurePolicy", message.into()));
    }
    let exhausted = has_new_failure(observed, counts)
        && counts.active != parallelism(job)
        && observed.retries + 1 > limit(job);
    if exhausted && waits(observed, counts).is_none() || restarted_too_often(observed) {
        let message = "Job has reached the specified backoff limit";
        return Some(("BackoffLimitExceeded", message.into()));
    }
    let passed = deadline.is_some_and(|deadline| deadline.is_zero());
    passed.then_some(("DeadlineExceeded", "Job was active longer than specified deadline".into()))
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
    let job = observed.job;
    let new = has_new_failure(observed, counts) && !is_suspended(job);
    if !new || counts.succeeded > succeeded {
        return None;
    }
    let last = failures(job, observed.pods).map(|pod| ended_at(pod)).max()?;
    let until = last + backoff(observed.retries);
    (until > observed.now).then(|| until.since(observed.now))
}

/// Ends the job: its pods go and count as failed.
fn fail(
    observed: &Observed<'_>,
    active: &[Arc<Value>],
    counts: &Counts,
    (reason, message): Note,
) -> Plan {
    let mut condition = condition("Failed", observed.now);
    condition["reason"] = json!(reason);
    condition["message"] = json!(message);
    let with = |failed: i64| {
        let indexes = counts.indexes.clone();
        let counts = Counts { active: 0, succeeded: counts.succeeded, failed, indexes };
        status(observed, &counts, vec![condition.clone()])
    };
    Plan {
        delete: active.iter().map(|pod| pod.name().to_owned()).collect(),
        warnings: vec![(reason, message)],
        status: Some(with(counts.failed + counts.active)),
        second: (counts.active > 0).then(|| with(counts.failed)),
        ..Plan::default()
    }
}

fn manage(observed: &Observed<'_>, active: &[Arc<Value>], counts: Counts) -> Plan {
    let job = observed.job;
    let mut plan = Plan::default();
    let mut counts = counts;
    if job.deletion_timestamp().is_none() {
        replace(&mut plan, job, active, &counts);
        counts.active += count(plan.create) - count(plan.delete.len());
    }
    let completed = match job.int_at(&["spec", "completions"]) {
        None => counts.succeeded > 0 && counts.active == 0,
        Some(completions) if counts.succeeded >= completions => {
            if counts.active > 0 {
                let message = "Too many active pods running after completion count reached";
                plan.warnings.push(("TooManyActivePods", message.into()));
            }
            if counts.succeeded > completions {
                let message = "Too many succeeded pods running after completion count reached";
                plan.warnings.push(("TooManySucceededPods", message.into()));
            }
            true
        }
        Some(_) => false,
    };
    let conditions = if completed {
        vec![condition("Complete", observed.now)]
    } else {
        suspension(observed, &mut plan)
    };
    plan.status = Some(status(observed, &counts, conditions));
    plan
}

/// Which pods go and how many come.
fn replace(plan: &mut Plan, job: &Value, active: &[Arc<Value>], counts: &Counts) {
    let parallelism = if is_suspended(job) { 0 } else { parallelism(job) };
    let (useless, useful) = match &counts.indexes {
        Some(done) if parallelism > 0 => index::sort(job, active, done),
        _ => (Vec::new(), active.to_vec()),
    };
    let surplus = usize::try_from(count(useful.len()) - parallelism).unwrap_or(0);
    let gone = useless.into_iter().chain(to_delete(&useful, surplus));
    plan.delete = gone.map(|pod| pod.name().to_owned()).collect();
    if is_suspended(job) {
        return;
    }
    plan.create = missing(job, counts, count(useful.len())).min(BURST);
    if let Some(done) = &counts.indexes {
        plan.indexes = index::free(job, &useful, done).take(plan.create).collect();
        plan.create = plan.indexes.len();
    }
}

/// Tells that the job was suspended or goes on, when that is new: as events and as a condition.
fn suspension(observed: &Observed<'_>, plan: &mut Plan) -> Vec<Value> {
    let job = observed.job;
    let known = condition_of(job, SUSPENDED);
    let is = known.is_some_and(|known| known.str_at(&["status"]) == "True");
    let (status, reason, told, message) = match (is_suspended(job), is) {
        (true, false) => ("True", "JobSuspended", "Suspended", "Job suspended"),
        (false, true) => ("False", "JobResumed", "Resumed", "Job resumed"),
        _ => return Vec::new(),
    };
    plan.notes.push((told, message.into()));
    let mut condition = condition(SUSPENDED, observed.now);
    condition["status"] = json!(status);
    condition["reason"] = json!(reason);
    condition["message"] = json!(message);
    vec![condition]
}

/// How many more pods must run.
fn missing(job: &Value, counts: &Counts, active: i64) -> usize {
    let wanted = match job.int_at(&["spec", "completions"]) {
        None if counts.succeeded > 0 => active,
        None => parallelism(job),
        Some(completions) => (completions - counts.succeeded).min(parallelism(job)),
    };
    usize::try_from(wanted - active).unwrap_or(0)
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

/// The status with these counts and the conditions that are new.
fn status(observed: &Observed<'_>, counts: &Counts, new: Vec<Value>) -> Value {
    let job = observed.job;
    let old = job.at(&["status"]);
    let mut status = old.filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
    if !is_suspended(job) {
        status["startTime"] = json!(started(observed).rfc3339());
    }
    for (field, count) in
        [("active", counts.active), ("succeeded", counts.succeeded), ("failed", counts.failed)]
    {
        set_count(&mut status, field, count);
    }
    if let Some(done) = counts.indexes.as_ref().filter(|done| done.len() > 0) {
        status["completedIndexes"] = json!(done.to_string());
    }
    for condition in new {
        if condition["type"] == "Complete" {
            status["completionTime"] = json!(observed.now.rfc3339());
        }
        let old = status.list_at(&["conditions"]).iter();
        let others = old.filter(|old| old["type"] != condition["type"]).cloned();
        let mut conditions: Vec<Value> = others.collect();
        conditions.push(condition);
        status["conditions"] = Value::from(conditions);
    }
    status
}
