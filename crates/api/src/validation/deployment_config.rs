//! DeploymentConfigs.
//!
//! Mirrors: `pkg/apps/apis/apps/validation` of OpenShift 3.11.

mod hook;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::json;
use apimachinery::validation::{self, object_meta};
use apimachinery::{ObjectExt as _, Value};

use super::{checks, container, go_text, workload};
use crate::views::image::is_path_component;

const DEFAULT_TIMEOUT_SECONDS: i64 = 600;
const INT_OR_PERCENT: &str = "value should be int(5) or percentage(5%)";

pub(super) fn create(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let triggers = spec.list_at(&["triggers"]);
    for (index, one) in triggers.iter().enumerate() {
        trigger(one, &path.child("triggers").index(index), errors);
    }
    strategy(spec, &path.child("strategy"), errors);
    checks::non_negative(spec, &path, "revisionHistoryLimit", errors);
    checks::non_negative(spec, &path, "minReadySeconds", errors);
    min_ready_seconds(spec, &path.child("minReadySeconds"), errors);
    if let Some(replicas) = spec.int_at(&["replicas"]).filter(|replicas| *replicas < 0) {
        let text = "replicas cannot be negative";
        errors.push(Error::invalid(&path.child("replicas"), replicas, text));
    }
    let selector = spec.get("selector");
    if checks::is_empty(selector) {
        let value = selector.cloned().unwrap_or(Value::Null);
        let error = Error::invalid(&path.child("selector"), value, "selector cannot be empty");
        errors.push(error.shown_as(&go_text::string_map(selector)));
    }
    workload::template_for_map_selector(&with_images_to_come(spec, triggers), &path, errors);
    status(object, errors);
}

/// Containers whose image a trigger will fill in may leave it out.
fn with_images_to_come(spec: &Value, triggers: &[Value]) -> Value {
    let mut spec = spec.clone();
    let path = ["template", "spec", "containers"];
    let mut containers = spec.list_at(&path).to_vec();
    for container in &mut containers {
        let name = container.get("name").cloned().unwrap_or(Value::Null);
        let triggered = triggers.iter().any(|trigger| {
            trigger.str_at(&["type"]) == "ImageChange"
                && trigger.list_at(&["imageChangeParams", "containerNames"]).contains(&name)
        });
        if triggered && container.str_at(&["image"]).is_empty() {
            container.set(&["image"], json!("unset"));
        }
    }
    if !containers.is_empty() {
        spec.set(&path, Value::from(containers));
    }
    spec
}

/// OpenShift wants C identifiers where Kubernetes has become more lenient.
fn environment(variables: &[Value], path: &Path, errors: &mut ErrorList) {
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        if checks::required(variable, &path, "name", errors) {
            let name = variable.str_at(&["name"]);
            checks::invalid(&path.child("name"), name, &validation::c_identifier(name), errors);
        }
    }
}

fn timeout_seconds(strategy: &Value) -> Option<i64> {
    strategy
        .int_at(&["rollingParams", "timeoutSeconds"])
        .or_else(|| strategy.int_at(&["recreateParams", "timeoutSeconds"]))
}

fn min_ready_seconds(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let strategy = spec.get("strategy").unwrap_or(&Value::Null);
    let minimum = spec.int_at(&["minReadySeconds"]).unwrap_or(0);
    let timeout = timeout_seconds(strategy).unwrap_or(DEFAULT_TIMEOUT_SECONDS);
    if timeout > 0 && minimum >= timeout {
        let text = format!("must be less than the deployment timeout ({timeout}s)");
        errors.push(Error::invalid(path, minimum, &text));
    }
    if let Some(deadline) = strategy.int_at(&["activeDeadlineSeconds"])
        && minimum >= deadline
    {
        let text = format!(
            "must be less than activeDeadlineSeconds ({deadline}s - used by the deployer pod)"
        );
        errors.push(Error::invalid(path, minimum, &text));
    }
}

fn strategy(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let strategy = spec.get("strategy").unwrap_or(&Value::Null);
    let member = |key: &str| strategy.get(key).filter(|value| !value.is_null());
    if let Some(custom) = member("customParams") {
        let path = path.child("customParams").child("environment");
        environment(custom.list_at(&["environment"]), &path, errors);
    }
    let kind = strategy.str_at(&["type"]);
    match kind {
        "" => errors.push(Error::required(&path.child("type"), "strategy type is required")),
        "Rolling" if member("rollingParams").is_none() => {
            errors.push(Error::required(&path.child("rollingParams"), ""));
        }
        "Custom" if member("customParams").is_none() => {
            errors.push(Error::required(&path.child("customParams"), ""));
        }
        "Rolling" | "Recreate" | "Custom" => {}
        other => {
            let text = "unsupported strategy type, use \"Custom\" instead and specify your own \
                        strategy";
            errors.push(Error::invalid(&path.child("type"), other, text));
        }
    }
    if let Some(params) = member("rollingParams").filter(|_| matches!(kind, "Rolling" | "Custom")) {
        rolling(params, spec, &path.child("rollingParams"), errors);
    }
    if let Some(params) = member("recreateParams").filter(|_| matches!(kind, "Recreate" | "Custom"))
    {
        let path = path.child("recreateParams");
        positive(params, "timeoutSeconds", &path, errors);
        for name in ["pre", "mid", "post"] {
            hook::check(params, name, spec, &path, errors);
        }
    }
    checks::labels(strategy.get("labels"), &path.child("labels"), errors);
    let annotations = strategy.map_at(&["annotations"]);
    errors.extend(object_meta::validate_annotations(annotations, &path.child("annotations")));
    container::check_resources(strategy.get("resources"), &path.child("resources"), errors);
    active_deadline(strategy, kind, path, errors);
}

fn active_deadline(strategy: &Value, kind: &str, path: &Path, errors: &mut ErrorList) {
    let Some(deadline) = strategy.int_at(&["activeDeadlineSeconds"]) else { return };
    checks::non_negative(strategy, path, "activeDeadlineSeconds", errors);
    let timeout = match kind {
        "Rolling" => strategy.int_at(&["rollingParams", "timeoutSeconds"]),
        "Recreate" => strategy.int_at(&["recreateParams", "timeoutSeconds"]),
        _ => None,
    };
    if timeout.is_some_and(|timeout| deadline <= timeout) {
        let text = "activeDeadlineSeconds must be greater than timeoutSeconds";
        errors.push(Error::invalid(&path.child("activeDeadlineSeconds"), deadline, text));
    }
}

fn positive(params: &Value, field: &str, path: &Path, errors: &mut ErrorList) {
    if let Some(value) = params.int_at(&[field]).filter(|value| *value < 1) {
        errors.push(Error::invalid(&path.child(field), value, "must be >0"));
    }
}

fn rolling(params: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    for field in ["intervalSeconds", "updatePeriodSeconds", "timeoutSeconds"] {
        positive(params, field, path, errors);
    }
    let (unavailable, surge) = (params.get("maxUnavailable"), params.get("maxSurge"));
    let unavailable_path = path.child("maxUnavailable");
    limit(unavailable, &unavailable_path, errors);
    limit(surge, &path.child("maxSurge"), errors);
    let zero = |value: Option<&Value>| {
        checks::percent_of(value).or_else(|| value.and_then(Value::as_i64)).unwrap_or(0) == 0
    };
    let shown = go_text::int_or_string(unavailable);
    let value = unavailable.cloned().unwrap_or(Value::Null);
    if zero(unavailable) && zero(surge) {
        let text = "cannot be 0 when maxSurge is 0 as well";
        let error = Error::invalid(&unavailable_path, value.clone(), text);
        errors.push(error.shown_as(&shown));
    }
    if checks::percent_of(unavailable).is_some_and(|percent| percent > 100) {
        let error = Error::invalid(&unavailable_path, value, "should not be more than 100%");
        errors.push(error.shown_as(&shown));
    }
    for name in ["pre", "post"] {
        hook::check(params, name, spec, path, errors);
    }
}

fn limit(value: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    match value {
        Some(Value::String(text)) if !validation::percent(text).is_empty() => {
            let shown = go_text::int_or_string(value);
            errors.push(Error::invalid(path, text.as_str(), INT_OR_PERCENT).shown_as(&shown));
        }
        Some(Value::Number(number)) if number.as_i64().is_some_and(|number| number < 0) => {
            errors.push(Error::invalid(path, number.clone(), "must be non-negative"));
        }
        _ => {}
    }
}

fn trigger(trigger: &Value, path: &Path, errors: &mut ErrorList) {
    checks::required(trigger, path, "type", errors);
    if trigger.str_at(&["type"]) != "ImageChange" {
        return;
    }
    let path = path.child("imageChangeParams");
    let Some(params) = trigger.get("imageChangeParams").filter(|value| !value.is_null()) else {
        errors.push(Error::required(&path, ""));
        return;
    };
    let from_path = path.child("from");
    let from = params.get("from").unwrap_or(&Value::Null);
    let name = from.str_at(&["name"]);
    if name.is_empty() {
        errors.push(Error::required(&from_path, ""));
    } else {
        image_stream_tag(from, name, &from_path, errors);
    }
    if params.list_at(&["containerNames"]).is_empty() {
        errors.push(Error::required(&path.child("containerNames"), ""));
    }
}

fn image_stream_tag(from: &Value, name: &str, path: &Path, errors: &mut ErrorList) {
    let kind = from.str_at(&["kind"]);
    if kind != "ImageStreamTag" {
        let text = "kind must be an ImageStreamTag";
        errors.push(Error::invalid(&path.child("kind"), kind, text));
    }
    let stream = name.split_once(':').filter(|(_, tag)| !tag.is_empty() && !tag.contains(':'));
    let name_path = path.child("name");
    match stream {
        Some((stream, _)) if !is_path_component(stream) => {
            let text = "ImageStreamTag name is invalid";
            errors.push(Error::invalid(&name_path, name, text));
        }
        Some(_) => {}
        None => {
            let text = "must be in the form of <name>:<tag>";
            errors.push(Error::invalid(&name_path, name, text));
        }
    }
    let namespace = from.str_at(&["namespace"]);
    if !namespace.is_empty() && !validation::dns1123_subdomain(namespace).is_empty() {
        let text = "namespace must be a valid subdomain";
        errors.push(Error::invalid(&path.child("namespace"), namespace, text));
    }
}

fn status(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("status");
    let status = object.get("status").unwrap_or(&Value::Null);
    for (field, text) in [
        ("latestVersion", object_meta::NEGATIVE),
        ("observedGeneration", object_meta::NEGATIVE),
        ("replicas", object_meta::NEGATIVE),
        ("readyReplicas", object_meta::NEGATIVE),
        ("availableReplicas", object_meta::NEGATIVE),
        ("unavailableReplicas", object_meta::NEGATIVE),
    ] {
        if let Some(value) = status.int_at(&[field]).filter(|value| *value < 0) {
            errors.push(Error::invalid(&path.child(field), value, text));
        }
    }
}

/// Checks what an update changes.
pub(super) fn update(new: &Value, old: &Value, errors: &mut ErrorList) {
    // Upstream looks at the status once for itself and once as the next one.
    status(new, errors);
    for field in ["latestVersion", "observedGeneration"] {
        let read = |object: &Value| object.int_at(&["status", field]).unwrap_or(0);
        if read(new) < read(old) {
            let text = format!("{field} cannot be decremented");
            errors.push(Error::invalid(&Path::new("status").child(field), read(new), &text));
        } else if field == "latestVersion" && read(new) > read(old) + 1 {
            let text = "latestVersion can only be incremented by 1";
            errors.push(Error::invalid(&Path::new("status").child(field), read(new), text));
        }
    }
}
