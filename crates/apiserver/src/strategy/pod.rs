//! Pods: they start out pending, and they end gracefully.
//!
//! Mirrors: `kubernetes/pkg/registry/core/pod/strategy.go`.

use api::views::pod::qos_class;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use super::{Strategy, StrategyContext, copy_field, keep_all_but_status};

#[derive(Debug)]
pub(super) struct PodStrategy;

impl Strategy for PodStrategy {
    fn prepare_for_create(
        &self,
        _: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        let class = qos_class(object);
        object.set(&["status"], json!({"phase": "Pending", "qosClass": class}));
        Ok(())
    }

    fn prepare_for_update(
        &self,
        _: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        copy_field(new, old, "status");
        Ok(())
    }

    fn prepare_for_status_update(
        &self,
        _: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_all_but_status(new, old);
        if let (Some(new), Some(old)) = (new.get_mut("metadata"), old.get("metadata")) {
            copy_field(new, old, "ownerReferences");
        }
        Ok(())
    }

    fn grace_period_seconds(&self, object: &Value, requested: Option<i64>) -> Option<i64> {
        let phase = object.str_at(&["status", "phase"]);
        let ended = phase == "Succeeded" || phase == "Failed";
        if ended || object.str_at(&["spec", "nodeName"]).is_empty() {
            return Some(0);
        }
        let own = || object.int_at(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(0);
        Some(requested.unwrap_or_else(own))
    }

    fn returns_deleted_object(&self) -> bool {
        true
    }
}
