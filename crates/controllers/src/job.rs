//! The controller of `Job`s: pods that run to an end, so many times.
//!
//! [`plan()`] decides, with `index` (numbered pods) and `policy` (what a failure means); this file
//! observes and acts.
//!
//! Upstream 1.11 looks at a job again as soon as its new pod is there, through a cache that has not
//! seen the failure counted yet, so each failure uses up two attempts: `backoffLimit: 2` means two
//! pods, the second waited for 20 s. So it was recorded, and so it is here.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/job/job_controller.go`.

mod index;
mod plan;
mod policy;

use std::sync::Arc;

use api::views::pod::{phase, total_restart_count};
use api::{JOBS, PODS};
use apimachinery::{ObjectExt as _, Status, Value};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching, same_key,
};

pub use self::plan::{
    ATTEMPTS_PER_FAILURE, Note, Observed, Plan, backoff, finished, plan, retries,
};
use crate::{claim, pod_control};

const COMPONENT: &str = "job-controller";

/// Runs the pods of each `Job`.
#[derive(Debug, Default)]
pub struct Job;

impl Controller for Job {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&JOBS, same_key), Watching::new(&PODS, jobs_of_pod)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(job) = cx.caches.get_key(&JOBS, key) else { return Ok(Requeue::Done) };
        if finished(&job).is_some() {
            return Ok(Requeue::Done);
        }
        let selector = claim::selector(&job);
        let candidates = claim::candidates(cx, &job, &selector, &PODS).into_iter();
        let claims = claim::claim(&job, &selector, candidates);
        claim::carry_out(cx, (&JOBS, &job), &PODS, &claims)?;
        let pods = &claims.owned;
        let now = cx.world.now();
        let retries = retries(&job, pods);
        let plan = plan(&Observed { job: &job, pods, retries, now });
        let (created, deleted, failure) = apply(cx, &job, &plan);
        if let Some(status) = plan.status_after(created, deleted)
            && job.at(&["status"]) != Some(&status)
            && let Some(written) = write_status(cx, &job, status)?
            && deleted == plan.delete.len()
            && let Some(second) = plan.second
        {
            write_status(cx, &written, second)?;
            warn(cx, &job, &plan.warnings);
        }
        match failure {
            Some(status) => Err(status.into()),
            None => Ok(plan.resync.map_or(Requeue::Done, Requeue::After)),
        }
    }
}

/// Gives how many pods were created and deleted, and the first refusal.
fn apply(cx: &mut Context<'_>, job: &Value, plan: &Plan) -> (usize, usize, Option<Status>) {
    let (mut deleted, mut failure) = (0, None);
    for name in &plan.delete {
        match pod_control::delete(cx, COMPONENT, job, name) {
            Ok(()) => deleted += 1,
            Err(status) => failure = failure.or(Some(status)),
        }
    }
    let template = job.at(&["spec", "template"]).cloned().unwrap_or_default();
    let mut indexes = plan.indexes.iter();
    let create = || {
        let mut pod = pod_control::from_template(&template, job);
        if let Some(index) = indexes.next() {
            index::number(job, &mut pod, *index);
        }
        pod_control::create_pod(cx, COMPONENT, job, pod)
    };
    let (created, refused) = pod_control::slow_start(plan.create, create);
    for (reason, message) in &plan.notes {
        cx.recorder.event(COMPONENT, job, EventType::Normal, reason, message);
    }
    warn(cx, job, &plan.warnings);
    (created, deleted, failure.or(refused))
}

fn warn(cx: &mut Context<'_>, job: &Value, warnings: &[Note]) {
    for (reason, message) in warnings {
        cx.recorder.event(COMPONENT, job, EventType::Warning, reason, message);
    }
}

/// Gives the job as written; `None` when it is gone.
fn write_status(
    cx: &Context<'_>,
    job: &Value,
    status: Value,
) -> Result<Option<Arc<Value>>, Status> {
    let mut updated = job.clone();
    updated.set(&["status"], status);
    match cx.client.update_status(&JOBS, updated) {
        Ok(written) => Ok(Some(written)),
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}

/// The owner now and before; for an orphan every job of the namespace that selects it.
fn jobs_of_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    let selects = |job: &Value, pod: &Value| claim::selector(job).matches_object(pod);
    claim::claimants((caches, change), &JOBS, || claim::is_news(change, facts), selects)
}

/// Everything about a pod that a decision depends on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    let going = pod.deletion_timestamp().is_some();
    let state = (phase(pod), going, total_restart_count(pod));
    (pod.uid(), state, pod.labels(), pod.owner_references())
}

#[cfg(test)]
mod tests;
