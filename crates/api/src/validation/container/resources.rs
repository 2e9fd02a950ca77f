//! `resources`: requests and limits.

use apimachinery::Map;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quantity::Quantity;
use apimachinery::validation::{self, object_meta};
use apimachinery::{ObjectExt as _, Value};

use super::checks;

const STANDARD: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];

/// Whether the name is one of Kubernetes' own resources.
pub(in crate::validation) fn is_standard_resource(name: &str) -> bool {
    STANDARD.contains(&name) || name.starts_with("hugepages-")
}

/// Checks a `ResourceRequirements`.
///
/// Deviation: errors come in the order of resource names; upstream's order is random.
pub(in crate::validation) fn check(
    requirements: Option<&Value>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let Some(requirements) = requirements else { return };
    let empty = Map::new();
    let limits = requirements.map_at(&["limits"]).unwrap_or(&empty);
    let limits_path = path.child("limits");
    for (name, value) in limits {
        let path = limits_path.key(name);
        resource_name(name, &path, errors);
        let _quantity = quantity(name, value, &path, errors);
        if name == "ephemeral-storage" {
            let text = "ResourceEphemeralStorage field disabled by feature-gate for \
                        ResourceRequirements";
            errors.push(Error::forbidden(&limits_path, text));
        }
    }
    let requests = requirements.map_at(&["requests"]).unwrap_or(&empty);
    let any = |is: fn(&str) -> bool| limits.keys().chain(requests.keys()).any(|name| is(name));
    if any(|name| name.starts_with("hugepages-")) && !any(|name| matches!(name, "cpu" | "memory")) {
        errors.push(Error::forbidden(path, "HugePages require cpu or memory"));
    }
    for (name, value) in requests {
        let requests_path = path.child("requests");
        let path = requests_path.key(name);
        resource_name(name, &path, errors);
        let Some(request) = quantity(name, value, &path, errors) else { continue };
        let overcommit = !name.contains('/') && !name.starts_with("hugepages-");
        match limits.get(name).and_then(|limit| Quantity::from_json(limit).ok()) {
            Some(limit) if !overcommit && request != limit => {
                let text = format!("must be equal to {name} limit");
                errors.push(Error::invalid(&requests_path, request.canonical(), &text));
            }
            Some(limit) if request > limit => {
                let text = format!("must be less than or equal to {name} limit");
                errors.push(Error::invalid(&requests_path, request.canonical(), &text));
            }
            None if !overcommit => {
                let text = "Limit must be set for non overcommitable resources";
                errors.push(Error::required(&limits_path, text));
            }
            _ => {}
        }
    }
}

fn resource_name(name: &str, path: &Path, errors: &mut ErrorList) {
    checks::invalid(path, name, &validation::qualified_name(name), errors);
    if name.contains('/') {
        return;
    }
    if !is_standard_resource(name) {
        let text = "must be a standard resource type or fully qualified";
        errors.push(Error::invalid(path, name, text));
    }
    let for_containers = matches!(name, "cpu" | "memory" | "ephemeral-storage");
    if !for_containers && !name.starts_with("hugepages-") {
        errors.push(Error::invalid(path, name, "must be a standard resource for containers"));
    }
}

fn quantity(name: &str, value: &Value, path: &Path, errors: &mut ErrorList) -> Option<Quantity> {
    let quantity = Quantity::from_json(value).ok()?;
    if quantity.is_negative() {
        errors.push(Error::invalid(path, quantity.canonical(), object_meta::NEGATIVE));
    }
    if name.contains('/') && quantity.milli_value() % 1000 != 0 {
        errors.push(Error::invalid(path, quantity.canonical(), "must be an integer"));
    }
    Some(quantity)
}
