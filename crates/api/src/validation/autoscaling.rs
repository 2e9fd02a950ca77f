//! Autoscalers and disruption budgets.
//!
//! Mirrors: `pkg/apis/{autoscaling,policy}/validation` of Kubernetes 1.11.

mod metric;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;
use crate::resources::metrics;

pub(super) fn create(kind: &str, object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    match kind {
        "HorizontalPodAutoscaler" => autoscaler(object, spec, &path, errors),
        "PodDisruptionBudget" => disruption_budget(spec, &path, errors),
        _ => {}
    }
}

fn autoscaler(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let minimum = spec.int_at(&["minReplicas"]);
    let maximum = spec.int_at(&["maxReplicas"]).unwrap_or(0);
    if let Some(minimum) = minimum.filter(|minimum| *minimum < 1) {
        let text = "must be greater than 0";
        errors.push(Error::invalid(&path.child("minReplicas"), minimum, text));
    }
    if maximum < 1 {
        let text = "must be greater than 0";
        errors.push(Error::invalid(&path.child("maxReplicas"), maximum, text));
    }
    if minimum.is_some_and(|minimum| maximum < minimum) {
        let text = "must be greater than or equal to `minReplicas`";
        errors.push(Error::invalid(&path.child("maxReplicas"), maximum, text));
    }
    let target = spec.get("scaleTargetRef").unwrap_or(&Value::Null);
    cross_version_reference(target, &path.child("scaleTargetRef"), errors);
    for (index, metric) in metrics(object).iter().enumerate() {
        metric::check(metric, &path.child("metrics").index(index), errors);
    }
}

fn cross_version_reference(target: &Value, path: &Path, errors: &mut ErrorList) {
    for field in ["kind", "name"] {
        if checks::required(target, path, field, errors) {
            let text = target.str_at(&[field]);
            let complaints = validation::path_segment_name(text);
            checks::invalid(&path.child(field), text, &complaints, errors);
        }
    }
}

/// Checks what an update changes.
pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut ErrorList) {
    if kind == "PodDisruptionBudget" && !checks::same(new.get("spec"), old.get("spec")) {
        let text = "updates to poddisruptionbudget spec are forbidden.";
        errors.push(Error::forbidden(&Path::new("spec"), text));
    }
}

fn disruption_budget(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let (unavailable, available) = (spec.get("maxUnavailable"), spec.get("minAvailable"));
    if checks::is_set(spec, "maxUnavailable") && checks::is_set(spec, "minAvailable") {
        let text = "minAvailable and maxUnavailable cannot be both set";
        errors.push(Error::invalid(path, spec.clone(), text));
    }
    for (field, value) in [("minAvailable", available), ("maxUnavailable", unavailable)] {
        checks::int_or_percent(value, &path.child(field), errors);
        checks::at_most_100_percent(value, &path.child(field), errors);
    }
    checks::label_selector(spec.get("selector"), &path.child("selector"), errors);
}
