//! Autoscalers: `v1` has one CPU target, `v2` a list of metrics. What `v1` cannot say stands in
//! annotations there.

use apimachinery::{ObjectExt as _, Value};
use serde_json::json;

use crate::Resource;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Where the parts that only `v2` has are kept.
const KEPT: &[(&[&str], &str)] = &[
    (&["spec", "metrics"], METRICS),
    (&["status", "currentMetrics"], CURRENT_METRICS),
    (&["status", "conditions"], CONDITIONS),
    (&["spec", "behavior"], BEHAVIOR),
];

pub(super) fn convert(object: &mut Value, to: &Resource) {
    if to.version == "v1" {
        to_v1(object);
    } else {
        to_v2(object);
    }
}

fn is_cpu_utilization(metric: &Value, member: &str) -> bool {
    metric.str_at(&["type"]) == "Resource"
        && metric.str_at(&["resource", "name"]) == "cpu"
        && metric.at(&["resource", member, "averageUtilization"]).is_some()
}

fn to_v1(object: &mut Value) {
    for (list, member, field) in [
        (["spec", "metrics"], "target", ["spec", "targetCPUUtilizationPercentage"]),
        (["status", "currentMetrics"], "current", ["status", "currentCPUUtilizationPercentage"]),
    ] {
        let mut metrics = object.list_at(&list).to_vec();
        if let Some(index) = metrics.iter().position(|metric| is_cpu_utilization(metric, member)) {
            let cpu = metrics.remove(index);
            let percent = cpu.at(&["resource", member, "averageUtilization"]);
            object.set(&field, percent.cloned().unwrap_or(Value::Null));
        }
        if object.at(&list).is_some() {
            object.set(&list, json!(metrics));
        }
    }
    for (path, annotation) in KEPT {
        let Some(value) = object.remove(path) else { continue };
        let empty = value.as_array().is_some_and(Vec::is_empty) || value.is_null();
        if !empty {
            object.set_annotation(annotation, &value.to_string());
        }
    }
}

fn to_v2(object: &mut Value) {
    for (path, annotation) in KEPT {
        let Some(text) = object.remove(&["metadata", "annotations", annotation]) else { continue };
        if let Ok(value) = serde_json::from_str::<Value>(text.as_str().unwrap_or_default()) {
            object.set(path, value);
        }
    }
    for (list, member, field) in [
        (["spec", "metrics"], "target", ["spec", "targetCPUUtilizationPercentage"]),
        (["status", "currentMetrics"], "current", ["status", "currentCPUUtilizationPercentage"]),
    ] {
        let Some(percent) = object.remove(&field).filter(|value| !value.is_null()) else {
            continue;
        };
        let mut amount = json!({"averageUtilization": percent});
        if member == "target" {
            amount.set(&["type"], json!("Utilization"));
        }
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", member: amount}});
        let mut metrics = vec![metric];
        metrics.extend(object.list_at(&list).iter().cloned());
        object.set(&list, json!(metrics));
    }
}
