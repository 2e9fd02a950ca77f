//! One metric of an autoscaler: flat (`targetAverageValue`) and nested (`target.averageValue`).

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};

/// Flat and nested names of the three amounts.
const AMOUNTS: [(&str, &str); 3] = [
    ("AverageUtilization", "averageUtilization"),
    ("AverageValue", "averageValue"),
    ("Value", "value"),
];

const SOURCES: [&str; 4] = ["resource", "pods", "object", "external"];

/// What a metric asks for, as `v2beta1` says it; a metric that is flat already stays as it is.
#[must_use]
pub fn flat(metric: &Value) -> Value {
    reshape(metric, |kind, source| to_flat(kind, source, "target"))
}

/// What was measured, as `v2beta1` says it.
pub(super) fn flat_status(metric: &Value) -> Value {
    reshape(metric, |kind, source| to_flat(kind, source, "current"))
}

/// What a metric asks for, as `v2` says it.
pub(super) fn nested(metric: &Value) -> Value {
    reshape(metric, |kind, source| to_nested(kind, source, "target"))
}

/// What was measured, as `v2` says it.
pub(super) fn nested_status(metric: &Value) -> Value {
    reshape(metric, |kind, source| to_nested(kind, source, "current"))
}

fn reshape(metric: &Value, shape: impl Fn(&str, &Map) -> Value) -> Value {
    let mut metric = metric.clone();
    for kind in SOURCES {
        if let Some(source) = metric.get(kind).and_then(Value::as_object) {
            metric[kind] = shape(kind, source);
        }
    }
    metric
}

/// `member` is `target` or `current`: the nested object and the prefix of the flat fields.
fn to_flat(kind: &str, source: &Map, member: &str) -> Value {
    let mut given = source.clone();
    let amounts = match given.get(member) {
        // A flat `object` metric has its object there.
        Some(Value::Object(map)) if !map.contains_key("kind") => map.clone(),
        _ => Map::new(),
    };
    if !amounts.is_empty() || given.contains_key("metric") {
        given.remove(member);
    }
    let mut flat = Map::new();
    if let Some(Value::Object(metric)) = given.remove("metric") {
        let selector = if kind == "external" { "metricSelector" } else { "selector" };
        for (from, to) in [("name", "metricName"), ("selector", selector)] {
            if let Some(value) = metric.get(from) {
                flat.insert(to.to_owned(), value.clone());
            }
        }
    }
    if let Some(object) = given.remove("describedObject") {
        flat.insert("target".to_owned(), object);
    }
    for (flat_name, nested_name) in AMOUNTS {
        if let Some(value) = amounts.get(nested_name).filter(|value| !value.is_null()) {
            flat.insert(format!("{member}{flat_name}"), value.clone());
        }
    }
    flat.extend(given);
    Value::Object(flat)
}

fn to_nested(kind: &str, source: &Map, member: &str) -> Value {
    let mut given = source.clone();
    let mut nested = Map::new();
    if kind != "resource" {
        let mut metric = Map::new();
        let selector = if kind == "external" { "metricSelector" } else { "selector" };
        for (from, to) in [("metricName", "name"), (selector, "selector")] {
            if let Some(value) = given.remove(from) {
                metric.insert(to.to_owned(), value);
            }
        }
        if !metric.is_empty() {
            nested.insert("metric".to_owned(), Value::Object(metric));
        }
    }
    if kind == "object"
        && let Some(object) = given.remove("target")
    {
        nested.insert("describedObject".to_owned(), object);
    }
    let mut amounts = Map::new();
    for (flat_name, nested_name) in AMOUNTS {
        if let Some(value) = given.remove(&format!("{member}{flat_name}")) {
            amounts.insert(nested_name.to_owned(), value);
        }
    }
    if member == "target" && !amounts.is_empty() {
        amounts.insert("type".to_owned(), json!(target_type(&Value::Object(amounts.clone()))));
    }
    if !amounts.is_empty() {
        nested.insert(member.to_owned(), Value::Object(amounts));
    }
    nested.extend(given);
    Value::Object(nested)
}

fn target_type(amounts: &Value) -> &'static str {
    let has = |field: &str| amounts.at(&[field]).is_some_and(|value| !value.is_null());
    if has("averageUtilization") {
        "Utilization"
    } else if has("averageValue") {
        "AverageValue"
    } else {
        "Value"
    }
}
