//! Daemon sets: the generation of their template, which their pods and revisions carry.
//!
//! Mirrors: `kubernetes/pkg/registry/apps/daemonset/strategy.go`.

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};

use super::{Strategy, StrategyContext, keep_status, reset_status};

/// Where the stored version keeps what older versions call `spec.templateGeneration`.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

#[derive(Debug)]
pub(super) struct DaemonSetStrategy;

fn template_generation(ds: &Value) -> i64 {
    ds.annotation(TEMPLATE_GENERATION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl Strategy for DaemonSetStrategy {
    fn prepare_for_create(&self, cx: &StrategyContext<'_>, ds: &mut Value) -> Result<(), Status> {
        reset_status(cx.resource, ds);
        let generation = template_generation(ds).max(1);
        ds.set_annotation(TEMPLATE_GENERATION, &generation.to_string());
        Ok(())
    }

    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_status(cx.resource, new, old);
        let template = ["spec", "template"];
        let changed = i64::from(new.at(&template) != old.at(&template));
        let generation = template_generation(old) + changed;
        new.set_annotation(TEMPLATE_GENERATION, &generation.to_string());
        Ok(())
    }
}
