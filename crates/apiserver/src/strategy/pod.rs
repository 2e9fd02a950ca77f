//! Pods: they start out pending, and they end gracefully.
//!
//! Mirrors: `kubernetes/pkg/registry/core/pod/strategy.go`.

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
        let class = quality_of_service(object);
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
        if new.str_at(&["status", "qosClass"]).is_empty() {
            new.set(&["status", "qosClass"], json!(old.str_at(&["status", "qosClass"])));
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

/// `Guaranteed` when every container has cpu and memory limits equal to its requests, `BestEffort`
/// when none has either, else `Burstable`.
///
/// Mirrors: `kubernetes/pkg/apis/core/helper/qos`.
fn quality_of_service(pod: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    let lists = [pod.list_at(&["spec", "containers"]), pod.list_at(&["spec", "initContainers"])];
    for container in lists.into_iter().flatten() {
        for name in ["cpu", "memory"] {
            let limit = container.at(&["resources", "limits", name]).filter(|it| !is_zero(it));
            let request = container.at(&["resources", "requests", name]).filter(|it| !is_zero(it));
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

fn is_zero(quantity: &Value) -> bool {
    match quantity {
        Value::String(text) => text
            .trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .chars()
            .all(|c| "0.".contains(c)),
        other => other.as_f64() == Some(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(resources: &Value) -> &'static str {
        quality_of_service(&json!({"spec": {"containers": [{"resources": resources}]}}))
    }

    #[test]
    fn class_follows_requests_and_limits() {
        assert_eq!(class(&json!({})), "BestEffort");
        assert_eq!(class(&json!({"requests": {"cpu": "0"}})), "BestEffort");
        assert_eq!(class(&json!({"requests": {"cpu": "100m"}})), "Burstable");
        let both = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(class(&json!({"limits": both, "requests": both})), "Guaranteed");
        assert_eq!(class(&json!({"limits": both, "requests": {"cpu": "500m"}})), "Burstable");
    }
}
