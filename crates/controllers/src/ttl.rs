//! Deletes jobs that finished `ttlSecondsAfterFinished` ago, with their pods.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/ttlafterfinished`.

use std::time::Duration;

use api::JOBS;
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;
use controller_runtime::{Context, Controller, Error, Key, Requeue, Watching, same_key};
use world::Time;

/// Removes finished jobs in time.
#[derive(Debug, Default)]
pub struct TtlAfterFinished;

impl Controller for TtlAfterFinished {
    fn name(&self) -> &'static str {
        "ttl-after-finished-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&JOBS, same_key)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(job) = cx.caches.get_key(&JOBS, key) else { return Ok(Requeue::Done) };
        let Some(at) = expires_at(&job) else { return Ok(Requeue::Done) };
        let now = cx.world.now();
        if now < at {
            return Ok(Requeue::After(at.since(now)));
        }
        let options = DeleteOptions {
            propagation_policy: Some("Foreground".to_owned()),
            ..DeleteOptions::default()
        };
        match cx.client.delete(&JOBS, key.namespace(), key.name(), options) {
            Err(status) if !status.is_not_found() => Err(status.into()),
            _ => Ok(Requeue::Done),
        }
    }
}

/// When a job is to be deleted; `None` while it runs, is going already or has no limit.
#[must_use]
pub fn expires_at(job: &Value) -> Option<Time> {
    let ttl = job.int_at(&["spec", "ttlSecondsAfterFinished"])?;
    if job.deletion_timestamp().is_some() {
        return None;
    }
    let conditions = job.list_at(&["status", "conditions"]).iter();
    let mut ended = conditions.filter(|condition| {
        matches!(condition.str_at(&["type"]), "Complete" | "Failed")
            && condition.str_at(&["status"]) == "True"
    });
    let at = Time::parse_rfc3339(ended.next()?.str_at(&["lastTransitionTime"]))?;
    Some(at + Duration::from_secs(u64::try_from(ttl).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_job_expires_its_time_after_it_finished() {
        let job = |ttl: Value, kind: &str| {
            json!({"spec": {"ttlSecondsAfterFinished": ttl}, "status": {"conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2018-10-11T12:00:00Z"}]}})
        };
        let at = Time::parse_rfc3339("2018-10-11T12:01:40Z");
        assert_eq!(expires_at(&job(json!(100), "Complete")), at);
        assert_eq!(expires_at(&job(json!(100), "Failed")), at);
        assert_eq!(expires_at(&job(json!(100), "Suspended")), None);
        assert_eq!(expires_at(&job(Value::Null, "Complete")), None);
    }
}
