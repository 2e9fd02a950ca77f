//! One metric of an autoscaler, in its flat shape.
//!
//! Mirrors: `validateMetricSpec` and below of `pkg/apis/autoscaling/validation` in Kubernetes 1.11.
//! Deviation: metrics of `v2` are named by the fields of the flat shape as well.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quantity::Quantity;
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::cross_version_reference;
use crate::validation::checks;

const SOURCES: [(&str, &str); 4] =
    [("Object", "object"), ("External", "external"), ("Pods", "pods"), ("Resource", "resource")];

const NO_SOURCE: &str = "must populate information for the given metric source";
const NOT_POSITIVE: &str = "must be positive";

pub(super) fn check(metric: &Value, path: &Path, errors: &mut ErrorList) {
    let kind = metric.str_at(&["type"]);
    let known = SOURCES.iter().find(|(name, _)| *name == kind).map(|(_, field)| *field);
    if kind.is_empty() {
        errors.push(Error::required(&path.child("type"), "must specify a metric source type"));
    }
    if known.is_none() {
        let supported = ["External", "Object", "Pods", "Resource"];
        errors.push(Error::not_supported(&path.child("type"), kind, &supported));
    }
    let present: Vec<&str> =
        SOURCES.iter().map(|(_, field)| *field).filter(|f| checks::is_set(metric, f)).collect();
    if let Some(first) = present.first() {
        source(first, &metric[*first], &path.child(first), errors);
    }
    let expected = known.map_or_else(|| kind.to_lowercase(), str::to_owned);
    if !present.contains(&expected.as_str()) {
        let path = if expected.is_empty() { path.key("") } else { path.child(&expected) };
        errors.push(Error::required(&path, NO_SOURCE));
    }
    if present.len() != 1 {
        for other in present.into_iter().filter(|field| *field != expected) {
            let text = "must populate the given metric source only";
            errors.push(Error::forbidden(&path.child(other), text));
        }
    }
}

fn source(kind: &str, source: &Value, path: &Path, errors: &mut ErrorList) {
    match kind {
        "object" => {
            let target = source.get("target").unwrap_or(&Value::Null);
            cross_version_reference(target, &path.child("target"), errors);
            metric_name(source, path, errors);
            positive(source, "targetValue", path, errors);
        }
        "pods" => {
            metric_name(source, path, errors);
            positive(source, "targetAverageValue", path, errors);
        }
        "external" => external(source, path, errors),
        _ => resource(source, path, errors),
    }
}

fn metric_name(source: &Value, path: &Path, errors: &mut ErrorList) -> bool {
    let named = !source.str_at(&["metricName"]).is_empty();
    if !named {
        let text = "must specify a metric name";
        errors.push(Error::required(&path.child("metricName"), text));
    }
    named
}

fn is_positive(value: &Value) -> bool {
    Quantity::from_json(value).is_ok_and(|amount| !amount.is_zero() && !amount.is_negative())
}

/// The amount at `field` must be there.
fn positive(source: &Value, field: &str, path: &Path, errors: &mut ErrorList) {
    if !source.get(field).is_some_and(is_positive) {
        let text = "must specify a positive target value";
        errors.push(Error::required(&path.child(field), text));
    }
}

/// The amount at `field` may be absent.
fn positive_if_set(source: &Value, field: &str, path: &Path, errors: &mut ErrorList) {
    if let Some(value) = source.get(field).filter(|value| !value.is_null())
        && !is_positive(value)
    {
        errors.push(Error::invalid(&path.child(field), value.clone(), NOT_POSITIVE));
    }
}

fn external(source: &Value, path: &Path, errors: &mut ErrorList) {
    if metric_name(source, path, errors) {
        let name = source.str_at(&["metricName"]);
        let complaints = validation::path_segment_name(name);
        checks::invalid(&path.child("metricName"), name, &complaints, errors);
    }
    let whole = checks::is_set(source, "targetValue");
    let per_pod = checks::is_set(source, "targetAverageValue");
    if !whole && !per_pod {
        let text = "must set either a target value for metric or a per-pod target";
        errors.push(Error::required(&path.child("targetValue"), text));
    }
    if whole && per_pod {
        let text = "may not set both a target value for metric and a per-pod target";
        errors.push(Error::forbidden(&path.child("targetValue"), text));
    }
    positive_if_set(source, "targetAverageValue", path, errors);
    positive_if_set(source, "targetValue", path, errors);
}

fn resource(source: &Value, path: &Path, errors: &mut ErrorList) {
    if source.str_at(&["name"]).is_empty() {
        let text = "must specify a resource name";
        errors.push(Error::required(&path.child("name"), text));
    }
    let percent = source.int_at(&["targetAverageUtilization"]);
    let amount = checks::is_set(source, "targetAverageValue");
    let percent_path = path.child("targetAverageUtilization");
    if percent.is_none() && !amount {
        let text = "must set either a target raw value or a target utilization";
        errors.push(Error::required(&percent_path, text));
    }
    if let Some(percent) = percent.filter(|percent| *percent < 1) {
        errors.push(Error::invalid(&percent_path, percent, "must be greater than 0"));
    }
    if percent.is_some() && amount {
        let text = "may not set both a target raw value and a target utilization";
        errors.push(Error::forbidden(&path.child("targetAverageValue"), text));
    }
    positive_if_set(source, "targetAverageValue", path, errors);
}
