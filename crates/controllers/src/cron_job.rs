//! The controller of `CronJob`s: jobs at the times of a schedule.
//!
//! Reading order: [`api::cron`] (when), [`plan()`] (what is due), this file (observe and act).
//!
//! Deviation: upstream of 1.11 looks at everything every ten seconds; here a cron job is looked at
//! when it or its jobs change and at the very instant it is due.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/cronjob/cronjob_controller.go`.

mod plan;

use std::sync::Arc;

use api::{CRON_JOBS, JOBS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::DeleteOptions;
use controller_runtime::{
    Context, Controller, Error, EventType, Key, Requeue, Watching, controller_owner_of, same_key,
};

pub use self::plan::{Note, Plan, plan, reference, surplus, unmet_times};

const COMPONENT: &str = "cronjob-controller";

/// Starts the jobs of each `CronJob`.
#[derive(Debug, Default)]
pub struct CronJob;

impl Controller for CronJob {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        let of_job = |_: &_, change: &_| controller_owner_of(change, CRON_JOBS.kind);
        vec![Watching::new(&CRON_JOBS, same_key), Watching::new(&JOBS, of_job)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(cron_job) = cx.caches.get_key(&CRON_JOBS, key) else {
            return Ok(Requeue::Done);
        };
        let jobs = cx.caches.owned_by(&JOBS, cron_job.uid());
        let mut plan = plan(&cron_job, &jobs, cx.world.now());
        for Note { event_type, reason, message } in &plan.notes {
            cx.recorder.event(COMPONENT, &cron_job, *event_type, reason, message);
        }
        let mut latest = write_books(cx, &cron_job, &plan)?;
        if let Some((job, due)) = plan.start.take() {
            for reference in &plan.replace {
                delete_job(cx, &cron_job, reference.str_at(&["name"]))?;
            }
            let started = start(cx, &cron_job, *job)?;
            plan.active.push(reference(&started));
            let mut updated = (*latest).clone();
            updated.set(&["status", "active"], json!(plan.active));
            updated.set(&["status", "lastScheduleTime"], json!(due.rfc3339()));
            latest = cx.client.update_status(&CRON_JOBS, updated)?;
        }
        let surplus = surplus(&cron_job, &jobs);
        for job in surplus.iter().filter(|job| job.deletion_timestamp().is_none()) {
            delete_job(cx, &latest, job.name())?;
        }
        Ok(plan.resync.map_or(Requeue::Done, Requeue::After))
    }
}

/// Writes which jobs are active and when one last succeeded, where that changed. Those about to be
/// replaced still are active.
fn write_books(cx: &Context<'_>, cron_job: &Arc<Value>, plan: &Plan) -> Result<Arc<Value>, Error> {
    let active = [&plan.active[..], &plan.replace].concat();
    let succeeded = plan.succeeded.map(|at| at.rfc3339());
    let mut updated = (**cron_job).clone();
    if active.is_empty() {
        drop(updated.remove(&["status", "active"]));
    } else {
        updated.set(&["status", "active"], json!(active));
    }
    if let Some(succeeded) = succeeded {
        updated.set(&["status", "lastSuccessfulTime"], json!(succeeded));
    }
    if updated == **cron_job {
        return Ok(Arc::clone(cron_job));
    }
    Ok(cx.client.update_status(&CRON_JOBS, updated)?)
}

/// Creates the job. One that is there already was made before its status could be written.
fn start(cx: &mut Context<'_>, cron_job: &Value, job: Value) -> Result<Arc<Value>, Error> {
    let (namespace, name) = (cron_job.namespace(), job.name().to_owned());
    match cx.client.create(&JOBS, namespace, job) {
        Ok(created) => {
            tell(
                cx,
                cron_job,
                EventType::Normal,
                "SuccessfulCreate",
                &format!("Created job {name}"),
            );
            Ok(created)
        }
        Err(status) if status.is_already_exists() && is_ours(cx, cron_job, &name) => {
            Ok(cx.client.get(&JOBS, namespace, &name)?)
        }
        Err(status) => {
            let message = format!("Error creating job: {status}");
            tell(cx, cron_job, EventType::Warning, "FailedCreate", &message);
            Err(status.into())
        }
    }
}

fn is_ours(cx: &Context<'_>, cron_job: &Value, name: &str) -> bool {
    let job = cx.client.get(&JOBS, cron_job.namespace(), name).ok();
    let owner = job.as_ref().and_then(|job| job.controller_ref());
    owner.is_some_and(|owner| owner.str_at(&["uid"]) == cron_job.uid())
}

/// Deletes a job with its pods.
fn delete_job(cx: &mut Context<'_>, cron_job: &Value, name: &str) -> Result<(), Error> {
    let options = DeleteOptions {
        propagation_policy: Some("Background".to_owned()),
        ..DeleteOptions::default()
    };
    let result: Result<_, Status> = cx.client.delete(&JOBS, cron_job.namespace(), name, options);
    match result {
        Ok(_) => {
            tell(
                cx,
                cron_job,
                EventType::Normal,
                "SuccessfulDelete",
                &format!("Deleted job {name}"),
            );
            Ok(())
        }
        Err(status) if status.is_not_found() => Ok(()),
        Err(status) => {
            let message = format!("Deleted job: {status}");
            tell(cx, cron_job, EventType::Warning, "FailedDelete", &message);
            Err(status.into())
        }
    }
}

fn tell(cx: &mut Context<'_>, about: &Value, kind: EventType, reason: &str, message: &str) {
    cx.recorder.event(COMPONENT, about, kind, reason, message);
}

#[cfg(test)]
mod tests;
