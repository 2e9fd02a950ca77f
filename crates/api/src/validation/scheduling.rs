//! What says where pods may run: affinity, tolerations, taints.

use apimachinery::field::{Error, ErrorList, Path, quote};
use apimachinery::json;
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) fn affinity(affinity: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    let Some(affinity) = affinity else { return };
    if let Some(node) = affinity.get("nodeAffinity").filter(|value| !value.is_null()) {
        node_affinity(node, &path.child("nodeAffinity"), errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(terms) = affinity.get(kind).filter(|value| !value.is_null()) else { continue };
        let path = path.child(kind);
        for (index, term) in terms.list_at(&[REQUIRED]).iter().enumerate() {
            pod_term(term, &path.child(REQUIRED).index(index), errors);
        }
        for (index, term) in terms.list_at(&[PREFERRED]).iter().enumerate() {
            let path = path.child(PREFERRED).index(index);
            weight(term, &path, errors);
            let term = term.get("podAffinityTerm").unwrap_or(&Value::Null);
            pod_term(term, &path.child("podAffinityTerm"), errors);
        }
    }
}

fn weight(term: &Value, path: &Path, errors: &mut ErrorList) {
    let weight = term.int_at(&["weight"]).unwrap_or(0);
    if !(1..=100).contains(&weight) {
        errors.push(Error::invalid(&path.child("weight"), weight, "must be in the range 1-100"));
    }
}

fn node_affinity(affinity: &Value, path: &Path, errors: &mut ErrorList) {
    if let Some(required) = affinity.get(REQUIRED).filter(|value| !value.is_null()) {
        node_selector(required, &path.child(REQUIRED), errors);
    }
    for (index, term) in affinity.list_at(&[PREFERRED]).iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        if term.int_at(&["weight"]).is_none_or(|weight| !(1..=100).contains(&weight)) {
            weight(term, &path, errors);
        }
        let term = term.get("preference").unwrap_or(&Value::Null);
        node_term(term, &path.child("preference"), errors);
    }
}

/// A `NodeSelector`: some term must hold.
pub(super) fn node_selector(selector: &Value, path: &Path, errors: &mut ErrorList) {
    let path = path.child("nodeSelectorTerms");
    let terms = selector.list_at(&["nodeSelectorTerms"]);
    if terms.is_empty() {
        errors.push(Error::required(&path, "must have at least one node selector term"));
    }
    for (index, term) in terms.iter().enumerate() {
        node_term(term, &path.index(index), errors);
    }
}

fn node_term(term: &Value, path: &Path, errors: &mut ErrorList) {
    for (index, requirement) in term.list_at(&["matchExpressions"]).iter().enumerate() {
        let path = path.child("matchExpressions").index(index);
        let values = requirement.list_at(&["values"]).len();
        let values_path = path.child("values");
        match requirement.str_at(&["operator"]) {
            "In" | "NotIn" if values == 0 => {
                let text = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(Error::required(&values_path, text));
            }
            "Exists" | "DoesNotExist" if values > 0 => {
                let text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(Error::forbidden(&values_path, text));
            }
            "Gt" | "Lt" if values != 1 => {
                let text = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.push(Error::required(&values_path, text));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => {
                let text = "not a valid selector operator";
                errors.push(Error::invalid(&path.child("operator"), other, text));
            }
        }
        checks::label_name(requirement.str_at(&["key"]), &path.child("key"), errors);
    }
    for (index, requirement) in term.list_at(&["matchFields"]).iter().enumerate() {
        node_field(requirement, &path.child("matchFields").index(index), errors);
    }
}

fn node_field(requirement: &Value, path: &Path, errors: &mut ErrorList) {
    let values = requirement.list_at(&["values"]);
    match requirement.str_at(&["operator"]) {
        "In" | "NotIn" if values.len() == 1 => {}
        "In" | "NotIn" => {
            let text = "must be only one value when `operator` is 'In' or 'NotIn' for node field \
                        selector";
            errors.push(Error::required(&path.child("values"), text));
        }
        other => {
            let text = "not a valid selector operator";
            errors.push(Error::invalid(&path.child("operator"), other, text));
        }
    }
    match requirement.str_at(&["key"]) {
        "metadata.name" => {
            for (index, name) in values.iter().filter_map(Value::as_str).enumerate() {
                checks::dns_subdomain(name, &path.child("values").index(index), errors);
            }
        }
        other => {
            let text = "not a valid field selector key";
            errors.push(Error::invalid(&path.child("key"), other, text));
        }
    }
}

fn pod_term(term: &Value, path: &Path, errors: &mut ErrorList) {
    // Upstream gives the selector the name of a part of it.
    checks::label_selector(term.get("labelSelector"), &path.child("matchExpressions"), errors);
    for namespace in term.list_at(&["namespaces"]).iter().filter_map(Value::as_str) {
        checks::dns_label(namespace, &path.child("namespace"), errors);
    }
    let key = term.str_at(&["topologyKey"]);
    if key.is_empty() {
        errors.push(Error::required(&path.child("topologyKey"), "can not be empty"));
    }
    checks::label_name(key, &path.child("topologyKey"), errors);
}

pub(super) fn tolerations(tolerations: &[Value], path: &Path, errors: &mut ErrorList) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let path = path.index(index);
        let key = toleration.str_at(&["key"]);
        let operator = toleration.str_at(&["operator"]);
        let value = toleration.str_at(&["value"]);
        let effect = toleration.str_at(&["effect"]);
        if !key.is_empty() {
            checks::label_name(key, &path.child("key"), errors);
        } else if operator != "Exists" {
            let text = "operator must be Exists when `key` is empty, which means \"match all \
                        values and all keys\"";
            errors.push(Error::invalid(&path.child("operator"), operator, text));
        }
        if checks::is_set(toleration, "tolerationSeconds") && effect != "NoExecute" {
            let text = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(Error::invalid(&path.child("effect"), effect, text));
        }
        match operator {
            "" | "Equal" => {
                let complaints = validation::label_value(value);
                if !complaints.is_empty() {
                    let text = complaints.join(";");
                    errors.push(Error::invalid(&path.child("operator"), value, &text));
                }
            }
            "Exists" if !value.is_empty() => {
                let text = "value must be empty when `operator` is 'Exists'";
                let seconds = toleration.int_at(&["tolerationSeconds"]);
                let shown = format!(
                    "core.Toleration{{Key:{}, Operator:{}, Value:{}, Effect:{}, \
                     TolerationSeconds:{}}}",
                    quote(key),
                    quote(operator),
                    quote(value),
                    quote(effect),
                    seconds.map_or_else(|| "(*int64)(nil)".to_owned(), |s| s.to_string()),
                );
                let path = path.child("operator");
                errors.push(Error::invalid(&path, json!(toleration), text).shown_as(&shown));
            }
            "Exists" => {}
            other => {
                let path = path.child("operator");
                errors.push(Error::not_supported(&path, other, &["Equal", "Exists"]));
            }
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            errors.push(Error::not_supported(&path.child("effect"), effect, EFFECTS));
        }
    }
}

/// Taints of a Node.
pub(super) fn taints(taints: &[Value], path: &Path, errors: &mut ErrorList) {
    let mut seen = Vec::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        let (key, effect) = (taint.str_at(&["key"]), taint.str_at(&["effect"]));
        checks::label_name(key, &path.child("key"), errors);
        let value = taint.str_at(&["value"]);
        let complaints = validation::label_value(value);
        if !complaints.is_empty() {
            errors.push(Error::invalid(&path.child("value"), value, &complaints.join(";")));
        }
        if effect.is_empty() {
            errors.push(Error::required(&path.child("effect"), ""));
        } else if !EFFECTS.contains(&effect) {
            errors.push(Error::not_supported(&path.child("effect"), effect, EFFECTS));
        }
        if seen.contains(&(key, effect)) {
            let shown = format!(
                "core.Taint{{Key:{}, Value:{}, Effect:{}, TimeAdded:<nil>}}",
                quote(key),
                quote(value),
                quote(effect)
            );
            let mut error = Error::duplicate(&path, json!(taint)).shown_as(&shown);
            error.detail = "taints must be unique by key and effect pair".to_owned();
            errors.push(error);
        }
        seen.push((key, effect));
    }
}
