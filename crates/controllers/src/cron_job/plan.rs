//! What is due of a cron job, and what of its jobs is kept.
//!
//! [`plan`] has two halves, as upstream's sync: the books (which jobs are active) and the start of
//! a job that is due; [`surplus`] says which finished jobs are too old to keep.
//!
//! Invariant: all is pure; a time that has been served is never served again.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/cronjob`.

use std::sync::Arc;
use std::time::Duration;

use api::cron::Schedule;
use apimachinery::json;
use apimachinery::object::controller_owner_reference;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::EventType;
use world::Time;

use crate::job::finished;

/// More missed times than this and none is served.
const MAX_MISSED: usize = 100;

/// An event about the cron job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Normal or Warning.
    pub event_type: EventType,
    /// One word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// What is due.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What to tell.
    pub notes: Vec<Note>,
    /// `status.active` by the jobs that are there.
    pub active: Vec<Value>,
    /// When a job last succeeded, if one did.
    pub succeeded: Option<Time>,
    /// Jobs to delete before the start: references out of `active`.
    pub replace: Vec<Value>,
    /// The job to start, and the time it is started for.
    pub start: Option<(Box<Value>, Time)>,
    /// When to look again although nothing changed.
    pub resync: Option<Duration>,
}

fn normal(reason: &'static str, message: String) -> Note {
    Note { event_type: EventType::Normal, reason, message }
}

fn warning(reason: &'static str, message: String) -> Note {
    Note { event_type: EventType::Warning, reason, message }
}

/// The times since the last served one, oldest first.
///
/// # Errors
/// The schedule cannot be read, or more than a hundred times were missed.
pub fn unmet_times(cron_job: &Value, now: Time) -> Result<Vec<Time>, String> {
    let text = cron_job.str_at(&["spec", "schedule"]);
    let schedule = Schedule::parse(text, cron_job.str_at(&["spec", "timeZone"]))
        .map_err(|problem| format!("Unparseable schedule: {text} : {problem}"))?;
    let last = cron_job.str_at(&["status", "lastScheduleTime"]);
    let created = || Time::parse_rfc3339(cron_job.creation_timestamp());
    let mut at = Time::parse_rfc3339(last).or_else(created).unwrap_or_default();
    if let Some(deadline) = deadline(cron_job) {
        let oldest = i64::try_from(deadline.as_nanos()).unwrap_or(i64::MAX);
        at = at.max(Time::from_unix_nanos(now.unix_nanos().saturating_sub(oldest)));
    }
    let mut times = Vec::new();
    while let Some(next) = schedule.next(at).filter(|next| *next <= now) {
        times.push(next);
        if times.len() > MAX_MISSED {
            return Err("Too many missed start time (> 100). Set or decrease \
                        .spec.startingDeadlineSeconds or check clock skew."
                .to_owned());
        }
        at = next;
    }
    Ok(times)
}

fn deadline(cron_job: &Value) -> Option<Duration> {
    let seconds = cron_job.int_at(&["spec", "startingDeadlineSeconds"])?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// What is due of `cron_job`, whose jobs are `jobs`, at `now`.
#[must_use]
pub fn plan(cron_job: &Value, jobs: &[Arc<Value>], now: Time) -> Plan {
    let mut plan = books(cron_job, jobs);
    if cron_job.deletion_timestamp().is_none() && !cron_job.bool_at(&["spec", "suspend"]) {
        start(cron_job, now, &mut plan);
        plan.resync = next_time(cron_job, now);
    }
    plan
}

/// Which jobs are active, and what to tell of those that came and went.
fn books(cron_job: &Value, jobs: &[Arc<Value>]) -> Plan {
    let mut plan = Plan::default();
    let listed = cron_job.list_at(&["status", "active"]);
    let is = |reference: &Value, job: &Value| reference.str_at(&["uid"]) == job.uid();
    for job in jobs {
        let found = listed.iter().any(|reference| is(reference, job));
        let name = job.name();
        if !found && finished(job).is_none() {
            let text = "Saw a job that the controller did not create or forgot";
            plan.notes.push(warning("UnexpectedJob", format!("{text}: {name}")));
        } else if found && finished(job).is_some() {
            plan.notes.push(normal("SawCompletedJob", format!("Saw completed job: {name}")));
        }
    }
    for reference in listed {
        match jobs.iter().find(|job| is(reference, job)) {
            None => {
                let name = reference.str_at(&["name"]);
                plan.notes.push(normal("MissingJob", format!("Active job went missing: {name}")));
            }
            Some(job) if finished(job).is_some() => {}
            Some(_) => plan.active.push(reference.clone()),
        }
    }
    let completed = jobs.iter().filter(|job| finished(job) == Some("Complete"));
    let times = completed.map(|job| job.str_at(&["status", "completionTime"]));
    let known = cron_job.str_at(&["status", "lastSuccessfulTime"]);
    plan.succeeded = times.chain([known]).filter_map(Time::parse_rfc3339).max();
    plan
}

/// Starts what is due, unless it is too late or another job stands in the way.
fn start(cron_job: &Value, now: Time, plan: &mut Plan) {
    let times = match unmet_times(cron_job, now) {
        Ok(times) => times,
        Err(problem) => {
            let text = "Cannot determine if job needs to be started";
            plan.notes.push(warning("FailedNeedsStart", format!("{text}: {problem}")));
            return;
        }
    };
    let Some(due) = times.last().copied() else { return };
    if deadline(cron_job).is_some_and(|deadline| due + deadline < now) {
        let text = "Missed scheduled time to start a job";
        plan.notes.push(warning("MissSchedule", format!("{text}: {}", rfc1123z(due))));
        return;
    }
    match cron_job.str_at(&["spec", "concurrencyPolicy"]) {
        "Forbid" if !plan.active.is_empty() => return,
        "Replace" => plan.replace = std::mem::take(&mut plan.active),
        _ => {}
    }
    plan.start = Some((Box::new(job(cron_job, due)), due));
}

fn next_time(cron_job: &Value, now: Time) -> Option<Duration> {
    let text = cron_job.str_at(&["spec", "schedule"]);
    let schedule = Schedule::parse(text, cron_job.str_at(&["spec", "timeZone"])).ok()?;
    schedule.next(now).map(|next| next.since(now))
}

/// Go's `time.RFC1123Z` in UTC: `Mon, 02 Jan 2006 15:04:05 +0000`.
fn rfc1123z(time: Time) -> String {
    let timestamp = jiff::Timestamp::from_second(time.unix_seconds());
    timestamp
        .map_or_else(|_| String::new(), |t| t.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string())
}

/// The job for the time `due`. Its name is the time's, so that it can be made only once.
fn job(cron_job: &Value, due: Time) -> Value {
    let template = cron_job.at(&["spec", "jobTemplate"]).unwrap_or(&Value::Null);
    let mut metadata = json!({
        "name": format!("{}-{}", cron_job.name(), due.unix_seconds()),
        "namespace": cron_job.namespace(),
        "ownerReferences": [controller_owner_reference(cron_job)],
    });
    for field in ["labels", "annotations"] {
        if let Some(map) = template.map_at(&["metadata", field]) {
            metadata[field] = json!(map);
        }
    }
    let spec = template.at(&["spec"]).cloned().unwrap_or_default();
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
}

/// A reference to a started job, for `status.active`.
#[must_use]
pub fn reference(job: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "namespace": job.namespace(),
        "name": job.name(),
        "uid": job.uid(),
        "resourceVersion": job.resource_version(),
    })
}

/// The finished jobs beyond the limits of the history, oldest first.
#[must_use]
pub fn surplus(cron_job: &Value, jobs: &[Arc<Value>]) -> Vec<Arc<Value>> {
    let limits = [("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")];
    let mut gone = Vec::new();
    for (kind, field) in limits {
        let Some(limit) = cron_job.int_at(&["spec", field]) else { continue };
        let of_kind = jobs.iter().filter(|job| finished(job) == Some(kind));
        let mut of_kind: Vec<Arc<Value>> = of_kind.cloned().collect();
        of_kind.sort_by(|a, b| start_order(a).cmp(&start_order(b)));
        let surplus = of_kind.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        gone.extend(of_kind.into_iter().take(surplus));
    }
    gone
}

/// By start, one that has none last; then by name.
fn start_order(job: &Value) -> (bool, &str, &str) {
    let start = job.str_at(&["status", "startTime"]);
    (start.is_empty(), start, job.name())
}
