//! Autoscalers: `v1` has one CPU target, `v2beta1` metrics with flat targets, `v2` a list of metrics with
//! nested targets. What `v1` cannot say stands in annotations there, as flat metrics.
//!
//! Mirrors: `pkg/apis/autoscaling/{v1,v2beta1}/conversion.go` of Kubernetes.

mod metric;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

pub use self::metric::flat;
use self::metric::{flat_status, nested, nested_status};
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

const SPEC: [&str; 2] = ["spec", "metrics"];
const STATUS: [&str; 2] = ["status", "currentMetrics"];

pub(super) fn convert(object: &mut Value, from: &Resource, to: &Resource) {
    match from.version {
        "v1" => v1_to_flat(object),
        "v2" => each(object, flat, flat_status),
        _ => restore_behavior(object),
    }
    match to.version {
        "v1" => flat_to_v1(object),
        "v2" => each(object, nested, nested_status),
        _ => keep_behavior(object),
    }
}

/// `v2beta1` has no field for it.
fn keep_behavior(object: &mut Value) {
    if let Some(behavior) = object.remove(&["spec", "behavior"]) {
        object.set_annotation(BEHAVIOR, &behavior.to_string());
    }
}

fn restore_behavior(object: &mut Value) {
    let Some(text) = object.remove(&["metadata", "annotations", BEHAVIOR]) else { return };
    if let Ok(behavior) = serde_json::from_str::<Value>(text.as_str().unwrap_or_default()) {
        object.set(&["spec", "behavior"], behavior);
    }
}

/// Reshapes each metric, wanted and measured.
fn each(object: &mut Value, spec: fn(&Value) -> Value, status: fn(&Value) -> Value) {
    for (path, reshape) in [(SPEC, spec), (STATUS, status)] {
        if object.at(&path).is_some_and(Value::is_array) {
            let list: Vec<Value> = object.list_at(&path).iter().map(reshape).collect();
            object.set(&path, json!(list));
        }
    }
}

/// The metrics that an autoscaler of any version asks for, in the flat shape of `v2beta1`, the CPU target
/// of `v1` last.
#[must_use]
pub fn metrics(object: &Value) -> Vec<Value> {
    read(object, SPEC, METRICS, "targetCPUUtilizationPercentage", "targetAverageUtilization")
}

/// What was measured for the metrics of an autoscaler of any version, in the flat shape.
#[must_use]
pub fn current_metrics(object: &Value) -> Vec<Value> {
    let field = "currentCPUUtilizationPercentage";
    read(object, STATUS, CURRENT_METRICS, field, "currentAverageUtilization")
}

fn read(object: &Value, path: [&str; 2], kept: &str, cpu: &str, utilization: &str) -> Vec<Value> {
    let reshape = if path == SPEC { flat } else { flat_status };
    let mut found: Vec<Value> = object.list_at(&path).iter().map(reshape).collect();
    let text = object.annotation(kept).unwrap_or_default();
    if let Ok(Value::Array(list)) = serde_json::from_str::<Value>(text) {
        found.extend(list);
    }
    if let Some(percent) = object.int_at(&[path[0], cpu]) {
        let known = found.iter().any(|metric| metric.at(&["resource", utilization]).is_some());
        if !(path == STATUS && known) {
            let resource = json!({"name": "cpu", utilization: percent});
            found.push(json!({"type": "Resource", "resource": resource}));
        }
    }
    found
}

fn v1_to_flat(object: &mut Value) {
    let lists = [(SPEC, metrics(object)), (STATUS, current_metrics(object))];
    for (path, annotation) in KEPT {
        let Some(text) = object.remove(&["metadata", "annotations", annotation]) else { continue };
        if let Ok(value) = serde_json::from_str::<Value>(text.as_str().unwrap_or_default()) {
            object.set(path, value);
        }
    }
    drop(object.remove(&["spec", "targetCPUUtilizationPercentage"]));
    drop(object.remove(&["status", "currentCPUUtilizationPercentage"]));
    for (path, list) in lists {
        if !list.is_empty() {
            object.set(&path, json!(list));
        }
    }
}

fn is_cpu_utilization(metric: &Value, utilization: &str) -> bool {
    metric.str_at(&["type"]) == "Resource"
        && metric.str_at(&["resource", "name"]) == "cpu"
        && metric.at(&["resource", utilization]).is_some_and(|value| !value.is_null())
}

fn flat_to_v1(object: &mut Value) {
    for (path, field, utilization) in [
        (SPEC, "targetCPUUtilizationPercentage", "targetAverageUtilization"),
        (STATUS, "currentCPUUtilizationPercentage", "currentAverageUtilization"),
    ] {
        let mut metrics = object.list_at(&path).to_vec();
        let cpu = metrics.iter().position(|metric| is_cpu_utilization(metric, utilization));
        if let Some(index) = cpu {
            let percent = metrics[index].at(&["resource", utilization]).cloned();
            // What was measured has an amount as well, which only the annotation can say.
            if path == SPEC {
                metrics.remove(index);
            }
            object.set(&[path[0], field], percent.unwrap_or(Value::Null));
        }
        if object.at(&path).is_some() {
            object.set(&path, json!(metrics));
        }
    }
    for (path, annotation) in KEPT {
        let Some(value) = object.remove(path) else { continue };
        let empty = value.as_array().is_some_and(|list| list.is_empty()) || value.is_null();
        if !empty {
            object.set_annotation(annotation, &value.to_string());
        }
    }
}
