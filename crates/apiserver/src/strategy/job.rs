//! Jobs: a selector of their own, so that two jobs never share pods.
//!
//! Mirrors: `kubernetes/pkg/registry/batch/job/strategy.go`.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use super::{Strategy, StrategyContext, reset_status};

#[derive(Debug)]
pub(super) struct JobStrategy;

impl Strategy for JobStrategy {
    fn prepare_for_create(&self, cx: &StrategyContext<'_>, job: &mut Value) -> Result<(), Status> {
        reset_status(cx.resource, job);
        if job.bool_at(&["spec", "manualSelector"]) || job.at(&["spec", "selector"]).is_some() {
            return Ok(());
        }
        let uid = json!(job.uid());
        for (key, value) in [("controller-uid", uid.clone()), ("job-name", json!(cx.name))] {
            job.set(&["spec", "template", "metadata", "labels", key], value);
        }
        job.set(&["spec", "selector"], json!({"matchLabels": {"controller-uid": uid}}));
        if job.labels().is_none_or(apimachinery::Map::is_empty)
            && let Some(labels) = job.at(&["spec", "template", "metadata", "labels"]).cloned()
        {
            job.set(&["metadata", "labels"], labels);
        }
        Ok(())
    }
}
