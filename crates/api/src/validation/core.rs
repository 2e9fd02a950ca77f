//! The other kinds of the core group.
//!
//! Mirrors: `pkg/apis/core/validation` of Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quantity::Quantity;
use apimachinery::validation::{self, object_meta};
use apimachinery::{ObjectExt as _, Value};
use base64::Engine as _;

use super::container::is_standard_resource;
use super::{checks, event, node, pod, storage, volume};

const MAX_DATA_BYTES: usize = 1024 * 1024;

pub(super) fn create(kind: &str, object: &Value, errors: &mut ErrorList) {
    match kind {
        "ConfigMap" => config_map(object, errors),
        "Secret" => secret(object, errors),
        "Namespace" => namespace(object, errors),
        "Node" => node::create(object, errors),
        "PersistentVolumeClaim" => {
            let spec = object.get("spec").unwrap_or(&Value::Null);
            claim_spec(spec, &Path::new("spec"), errors);
        }
        "PersistentVolume" => persistent_volume(object, errors),
        "PodTemplate" => {
            let template = object.get("template").unwrap_or(&Value::Null);
            pod::template(template, &Path::new("template"), errors);
        }
        "ResourceQuota" => resource_quota(object, errors),
        "LimitRange" => limit_range(object, errors),
        "Event" => event::create(object, errors),
        _ => {}
    }
}

fn config_map(object: &Value, errors: &mut ErrorList) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in object.map_at(&[field]).into_iter().flatten() {
            let path = Path::new(field).key(key);
            checks::invalid(&path, key, &validation::config_map_key(key), errors);
            if field == "data" && object.at(&["binaryData", key]).is_some() {
                let text = "duplicate of key present in binaryData";
                errors.push(Error::invalid(&Path::new(field).key(key), key.as_str(), text));
            }
            let text = value.as_str().unwrap_or_default();
            size += if field == "data" { text.len() } else { text.len() / 4 * 3 };
        }
    }
    if size > MAX_DATA_BYTES {
        errors.push(Error::too_long(&Path::new("[]"), "", MAX_DATA_BYTES));
    }
}

fn secret(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("data");
    let mut size = 0;
    for (key, value) in object.map_at(&["data"]).into_iter().flatten() {
        checks::invalid(&path.key(key), key, &validation::config_map_key(key), errors);
        size += value.as_str().unwrap_or_default().len() / 4 * 3;
    }
    if size > MAX_DATA_BYTES {
        errors.push(Error::too_long(&path, "", MAX_DATA_BYTES));
    }
    let needs = |keys: &[&str], errors: &mut ErrorList| {
        for key in keys.iter().filter(|key| object.at(&["data", key]).is_none()) {
            errors.push(Error::required(&path.key(key), ""));
        }
    };
    match object.str_at(&["type"]) {
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            if object.annotation(name).is_none_or(str::is_empty) {
                let path = Path::new("metadata").child("annotations").key(name);
                errors.push(Error::required(&path, ""));
            }
        }
        "kubernetes.io/dockercfg" => docker_config(object, ".dockercfg", errors),
        "kubernetes.io/dockerconfigjson" => docker_config(object, ".dockerconfigjson", errors),
        "kubernetes.io/basic-auth"
            if ["username", "password"].iter().all(|key| object.at(&["data", key]).is_none()) =>
        {
            needs(&["username", "password"], errors);
        }
        "kubernetes.io/ssh-auth" if object.str_at(&["data", "ssh-privatekey"]).is_empty() => {
            errors.push(Error::required(&path.key("%s").key("ssh-privatekey"), ""));
        }
        "kubernetes.io/tls" => needs(&["tls.crt", "tls.key"], errors),
        _ => {}
    }
}

fn docker_config(object: &Value, key: &str, errors: &mut ErrorList) {
    let path = Path::new("data").key(key);
    let Some(text) = object.at(&["data", key]).and_then(Value::as_str) else {
        errors.push(Error::required(&path, ""));
        return;
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    if serde_json::from_slice::<Value>(&bytes).is_err() {
        let first = String::from_utf8_lossy(&bytes).trim_start().chars().next();
        let text = match first {
            Some(c) if !"{[\"".contains(c) => {
                format!("invalid character '{c}' looking for beginning of value")
            }
            _ => "unexpected end of JSON input".to_owned(),
        };
        errors.push(Error::invalid(&path, "<secret contents redacted>", &text));
    }
}

fn namespace(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec").child("finalizers");
    for finalizer in object.list_at(&["spec", "finalizers"]).iter().filter_map(Value::as_str) {
        checks::invalid(&path, finalizer, &validation::qualified_name(finalizer), errors);
        errors.extend(object_meta::validate_finalizer_is_known(finalizer, &path));
    }
}

/// An amount that must not be negative.
pub(super) fn amount(value: &Value, path: &Path, errors: &mut ErrorList) {
    if let Ok(quantity) = Quantity::from_json(value)
        && quantity.is_negative()
    {
        errors.push(Error::invalid(path, quantity.canonical(), object_meta::NEGATIVE));
    }
}

/// Checks `spec` of a claim.
pub(super) fn claim_spec(spec: &Value, path: &Path, errors: &mut ErrorList) {
    volume::access_modes(spec, path, "at least 1 access mode is required", errors);
    checks::label_selector(spec.get("selector"), &path.child("selector"), errors);
    let storage_path = path.child("resources").key("storage");
    match spec.at(&["resources", "requests", "storage"]) {
        None => errors.push(Error::required(&storage_path, "")),
        Some(value) => {
            amount(value, &storage_path, errors);
            let positive =
                Quantity::from_json(value).is_ok_and(|q| !q.is_zero() && !q.is_negative());
            if !positive {
                let shown =
                    Quantity::from_json(value).map_or_else(|_| String::new(), |q| q.canonical());
                let path = path.child("resources").key("storage");
                errors.push(Error::invalid(&path, shown, "must be greater than zero"));
            }
        }
    }
    let class = spec.str_at(&["storageClassName"]);
    if !class.is_empty() {
        checks::dns_subdomain(class, &path.child("storageClassName"), errors);
    }
    volume::volume_name(spec.str_at(&["volumeName"]), &path.child("volumeName"), errors);
}

fn persistent_volume(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    volume::access_modes(spec, &path, "", errors);
    let capacity = spec.map_at(&["capacity"]);
    if capacity.is_none_or(apimachinery::Map::is_empty) {
        errors.push(Error::required(&path.child("capacity"), ""));
    }
    if capacity.is_none_or(|map| !map.contains_key("storage") || map.len() > 1) {
        let value = spec.get("capacity").cloned().unwrap_or(Value::Null);
        errors.push(Error::not_supported(&path.child("capacity"), value, &["storage"]));
    }
    for (name, value) in capacity.into_iter().flatten() {
        let path = path.child("capacity").key(name);
        amount(value, &path, errors);
        if let Some(zero) = Quantity::from_json(value).ok().filter(Quantity::is_zero) {
            errors.push(Error::invalid(&path, zero.canonical(), "must be greater than zero"));
        }
    }
    let supported = ["Delete", "Recycle", "Retain"];
    if checks::is_set(spec, "persistentVolumeReclaimPolicy") {
        checks::one_of(spec, &path, "persistentVolumeReclaimPolicy", &supported, errors);
    }
    volume::source(spec, &path, errors);
    storage::persistent_volume(spec, &path, errors);
}

fn resource_quota(object: &Value, errors: &mut ErrorList) {
    for (name, value) in object.map_at(&["spec", "hard"]).into_iter().flatten() {
        let path = Path::new("spec").child("hard").key(name);
        checks::invalid(&path, name, &validation::qualified_name(name), errors);
        let counted = name.starts_with("count/") || name.contains('/');
        if !counted && !is_standard_resource(name) {
            let text = "must be a standard resource type or fully qualified";
            errors.push(Error::invalid(&path, name.as_str(), text));
        }
        amount(value, &path, errors);
        storage::quota_limit(name, value, &path, errors);
    }
    let hard = object.map_at(&["spec", "hard"]).into_iter().flat_map(|hard| hard.keys());
    let hard: Vec<&str> = hard.map(AsRef::as_ref).collect();
    storage::quota_scopes(object.list_at(&["spec", "scopes"]), &hard, errors);
    if checks::is_set(object.get("spec").unwrap_or(&Value::Null), "scopeSelector") {
        let text = "ResourceQuotaScopeSelectors feature-gate is disabled";
        errors.push(Error::forbidden(&Path::new("spec").child("scopeSelector"), text));
    }
}

/// What a limit without a group in its name may be about.
const LIMITED: &[&str] = &["Container", "PersistentVolumeClaim", "Pod"];

fn limit_range(object: &Value, errors: &mut ErrorList) {
    let mut types = Vec::new();
    for (index, limit) in object.list_at(&["spec", "limits"]).iter().enumerate() {
        let path = Path::new("spec").child("limits").index(index);
        let kind = limit.str_at(&["type"]);
        let wrong = validation::qualified_name(kind);
        checks::invalid(&path.child("type"), kind, &wrong, errors);
        if wrong.is_empty() && !kind.contains('/') && !LIMITED.contains(&kind) {
            let text = "must be a standard limit type or fully qualified";
            errors.push(Error::invalid(&path.child("type"), kind, text));
        }
        if types.contains(&kind) {
            errors.push(Error::duplicate(&path.child("type"), kind));
        }
        types.push(kind);
        for field in ["max", "min", "default", "defaultRequest"] {
            for (name, value) in limit.map_at(&[field]).into_iter().flatten() {
                amount(value, &path.child(field).key(name), errors);
            }
        }
        if kind == "Pod" {
            for field in ["default", "defaultRequest"] {
                if limit.map_at(&[field]).is_some_and(|map| !map.is_empty()) {
                    let text = "may not be specified when `type` is 'Pod'";
                    errors.push(Error::forbidden(&path.child(field), text));
                }
            }
        }
        limit_order(limit, &path, errors);
        let bounded = ["min", "max"].iter().any(|of| limit.at(&[of, "storage"]).is_some());
        if kind == "PersistentVolumeClaim" && !bounded {
            let text =
                "either minimum or maximum storage value is required, but neither was provided";
            errors.push(Error::required(&path.child("limits"), text));
        }
    }
}

/// `min` ≤ `defaultRequest` ≤ `default` ≤ `max`, each pair where both are given.
fn limit_order(limit: &Value, path: &Path, errors: &mut ErrorList) {
    for (low, high, field, text) in [
        ("min", "max", "min", "min value"),
        ("min", "defaultRequest", "defaultRequest", "min value"),
        ("defaultRequest", "max", "defaultRequest", "default request value"),
        ("min", "default", "default", "min value"),
        ("default", "max", "default", "default value"),
        ("defaultRequest", "default", "defaultRequest", "default request value"),
    ] {
        for (name, low_value) in limit.map_at(&[low]).into_iter().flatten() {
            let Some(high_value) = limit.at(&[high, name]) else { continue };
            let (Ok(a), Ok(b)) = (Quantity::from_json(low_value), Quantity::from_json(high_value))
            else {
                continue;
            };
            if a > b {
                let (a, b) = (a.canonical(), b.canonical());
                let high_text = match high {
                    "max" => "max value",
                    "default" => "default limit value",
                    _ => "default request value",
                };
                let detail = format!("{text} {a} is greater than {high_text} {b}");
                let value = if field == low { a } else { b };
                errors.push(Error::invalid(&path.child(field).key(name), value, &detail));
            }
        }
    }
}

/// Checks what an update changes.
pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut ErrorList) {
    match kind {
        "Node" => node::update(new, old, errors),
        "Secret" => checks::immutable(new, old, &["type"], errors),
        "PersistentVolume" => storage::persistent_volume_change(new, old, errors),
        "PersistentVolumeClaim" => storage::claim_change(new, old, errors),
        _ => {}
    }
}
