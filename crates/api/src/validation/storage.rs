//! Persistent volumes, what claims may change, storage classes and quotas' amounts.
//!
//! Mirrors: `pkg/apis/core/validation` and `pkg/apis/storage/validation` of Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::json;
use apimachinery::quantity::Quantity;
use apimachinery::validation::object_meta;
use apimachinery::{ObjectExt as _, Value};

use super::{checks, scheduling, volume};

/// The annotation that named the class before claims had a field for it.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Checks what a persistent volume has beside its capacity and source.
pub(super) fn persistent_volume(spec: &Value, path: &Path, errors: &mut ErrorList) {
    if let Some(affinity) = spec.get("nodeAffinity").filter(|value| !value.is_null()) {
        let path = path.child("nodeAffinity").child("required");
        match affinity.get("required").filter(|value| !value.is_null()) {
            Some(required) => scheduling::node_selector(required, &path, errors),
            None => errors.push(Error::required(&path, "must specify required node constraints")),
        }
    }
    let host_path = spec.str_at(&["hostPath", "path"]);
    let recycled = spec.str_at(&["persistentVolumeReclaimPolicy"]) == "Recycle";
    if recycled && !host_path.is_empty() && cleaned(host_path) == "/" {
        let text = "may not be 'recycle' for a hostPath mount of '/'";
        errors.push(Error::forbidden(&path.child("persistentVolumeReclaimPolicy"), text));
    }
    if let Some(local) = spec.get("local").filter(|value| !value.is_null()) {
        checks::no_backsteps(local.str_at(&["path"]), &path.child("local").child("path"), errors);
        if !checks::is_set(spec, "nodeAffinity") {
            let path = Path::new("metadata").child("annotations");
            errors.push(Error::required(&path, "Local volume requires node affinity"));
        }
    }
}

/// An absolute path with its `..` carried out, as Go's `path.Clean` gives it.
fn cleaned(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Checks what an update changes in a persistent volume.
pub(super) fn persistent_volume_change(new: &Value, old: &Value, errors: &mut ErrorList) {
    let spec = Path::new("spec");
    let source = |object: &Value| {
        let fields = object.map_at(&["spec"]).into_iter().flatten();
        let fields = fields.filter(|(name, _)| volume::is_source(name));
        fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Value>()
    };
    if !checks::same(Some(&source(new)), Some(&source(old))) {
        let path = spec.child("persistentvolumesource");
        errors.push(Error::forbidden(&path, "is immutable after creation"));
    }
    let affinity = |object: &Value| object.at(&["spec", "nodeAffinity"]).cloned();
    if let Some(before) = affinity(old).filter(|value| !value.is_null())
        && !checks::same(affinity(new).as_ref(), Some(&before))
    {
        let now = affinity(new).unwrap_or(Value::Null);
        let path = Path::new("nodeAffinity");
        errors.push(Error::invalid(&path, now, object_meta::IMMUTABLE));
    }
}

/// Checks what an update changes in a claim: only its volume, once, and its size, once it is bound.
pub(super) fn claim_change(new: &Value, old: &Value, errors: &mut ErrorList) {
    const SIZE: &[&str] = &["spec", "resources", "requests", "storage"];
    let (mut now, mut before) = (new.clone(), old.clone());
    if old.str_at(&["spec", "volumeName"]).is_empty() {
        drop(now.remove(&["spec", "volumeName"]));
        drop(before.remove(&["spec", "volumeName"]));
    }
    let size = |claim: &Value| claim.at(SIZE).and_then(|value| Quantity::from_json(value).ok());
    let bound = new.str_at(&["status", "phase"]) == "Bound";
    if bound && let Some(value) = old.at(SIZE) {
        now.set(SIZE, value.clone());
    }
    let class = old.annotation(CLASS).unwrap_or_default();
    let moved = !class.is_empty()
        && old.str_at(&["spec", "storageClassName"]).is_empty()
        && new.str_at(&["spec", "storageClassName"]) == class;
    if moved {
        before.set(&["spec", "storageClassName"], json!(class));
    }
    if !checks::same(now.get("spec"), before.get("spec")) {
        let text = "field is immutable after creation";
        errors.push(Error::forbidden(&Path::new("spec"), text));
    } else if bound && size(new) < size(old) {
        let path = Path::new("spec").child("resources").child("requests").child("storage");
        errors.push(Error::forbidden(&path, "field can not be less than previous value"));
    }
    let named = new.annotation(CLASS).unwrap_or_default();
    if named != class && !(moved && named.is_empty()) {
        let path = Path::new("metadata").child("annotations").child(CLASS);
        errors.push(Error::invalid(&path, named, object_meta::IMMUTABLE));
    }
}

/// Checks a storage class.
pub(super) fn storage_class(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("parameters");
    let mut size = 0;
    for (key, value) in object.map_at(&["parameters"]).into_iter().flatten() {
        if key.is_empty() {
            errors.push(Error::invalid(&path, key.as_str(), "field can not be empty."));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if object.map_at(&["parameters"]).is_some_and(|parameters| parameters.len() > 512) {
        errors.push(Error::too_long(&path, "", 512));
    } else if size > 256 * 1024 {
        errors.push(Error::too_long(&path, "", 256 * 1024));
    }
    for (field, supported) in [
        ("reclaimPolicy", ["Delete", "Retain"]),
        ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"]),
    ] {
        let value = object.str_at(&[field]);
        if !value.is_empty() && !supported.contains(&value) {
            errors.push(Error::not_supported(&Path::new(field), value, &supported));
        }
    }
}

/// Names that a quota may limit without a domain.
const QUOTA: &[&str] = &[
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// Checks one limit of a quota beside its name's form.
pub(super) fn quota_limit(name: &str, value: &Value, path: &Path, errors: &mut ErrorList) {
    let known = QUOTA.contains(&name) || name.starts_with("requests.hugepages-");
    if !name.contains('/') && !known {
        errors.push(Error::invalid(path, name, "must be a standard resource for quota"));
    }
    let counted =
        known && !name.contains("cpu") && !name.contains("memory") && !name.contains("storage");
    if let Ok(quantity) = Quantity::from_json(value)
        && counted
        && quantity.milli_value() % 1000 != 0
    {
        errors.push(Error::invalid(path, quantity.canonical(), "must be an integer"));
    }
}

/// What a quota with scopes may limit.
const OF_PODS: &[&str] =
    &["cpu", "limits.cpu", "limits.memory", "memory", "pods", "requests.cpu", "requests.memory"];

/// Checks the scopes of a quota that limits `hard`.
///
/// Mirrors: `validateResourceQuotaScopes`.
pub(super) fn quota_scopes(scopes: &[Value], hard: &[&str], errors: &mut ErrorList) {
    let path = Path::new("spec").child("scopes");
    let has = |scope: &str| scopes.iter().any(|known| known == scope);
    for scope in scopes.iter().filter_map(Value::as_str) {
        let fits: fn(&&str) -> bool = match scope {
            "BestEffort" => |name| *name == "pods",
            "NotBestEffort" | "Terminating" | "NotTerminating" | "PriorityClass" => {
                |name| OF_PODS.contains(name)
            }
            _ => {
                errors.push(Error::invalid(&path, json!(scopes), "unsupported scope"));
                |_| true
            }
        };
        let known = hard.iter().filter(|name| QUOTA.contains(name));
        for _ in known.filter(|name| !fits(name)) {
            let text = "unsupported scope applied to resource";
            errors.push(Error::invalid(&path, json!(scopes), text));
        }
    }
    for (a, b) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if has(a) && has(b) {
            errors.push(Error::invalid(&path, json!(scopes), "conflicting scopes"));
        }
    }
}
