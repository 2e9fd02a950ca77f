//! What a server fills in when a client leaves it out.
//!
//! One file per family of kinds; [`apply`] picks. An object sent in an older version gets that
//! version's defaults first and then those of the version it is stored in, because upstream defaults
//! again whenever it reads an object from storage.
//!
//! Invariant: applying twice changes nothing more.
//! Invariant: what the client gave stays, except where upstream rewrites it (quantities in canonical
//! form, `stringData`, `image: ImageStream` triggers).

mod core;
mod deployment_config;
mod openshift;
mod platform;
pub mod pod;
mod volume;
mod workload;

use apimachinery::json;
use apimachinery::quantity::Quantity;
use apimachinery::{ObjectExt as _, Value};

use crate::Resource;

/// Fills the defaults of an object of `resource`, on create and on update.
pub fn apply(resource: &Resource, object: &mut Value) {
    by_kind(resource.group, resource.version, resource.kind, object);
    let other_shape = resource.group == "authorization.openshift.io"
        || resource.kind == "HorizontalPodAutoscaler";
    if (resource.group, resource.version) != resource.storage && !other_shape {
        by_kind(resource.storage.0, resource.storage.1, resource.kind, object);
    }
}

fn by_kind(group: &str, version: &str, kind: &str, object: &mut Value) {
    match group {
        "" => core::apply(kind, object),
        "apps" | "extensions" | "batch" | "autoscaling" => {
            workload::apply(group, version, kind, object);
            platform::apply(group, version, kind, object);
        }
        "apps.openshift.io" if kind == "DeploymentConfig" => deployment_config::apply(object),
        _ if group.ends_with(".openshift.io") => openshift::apply(kind, object),
        _ => platform::apply(group, version, kind, object),
    }
}

/// Sets the value at `path` when there is none: absent, null or an empty text.
fn fill(object: &mut Value, path: &[&str], value: Value) {
    if is_unset(object.at(path)) {
        object.set(path, value);
    }
}

fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

/// Calls `change` for every element of the list at `path`.
fn each(object: &mut Value, path: &[&str], mut change: impl FnMut(&mut Value)) {
    if let Some(list) = at_mut(object, path).and_then(Value::as_array_mut) {
        list.iter_mut().for_each(&mut change);
    }
}

/// Calls `change` for the map at `path`, when there is one.
fn within(object: &mut Value, path: &[&str], change: impl FnOnce(&mut Value)) {
    if let Some(value) = at_mut(object, path).filter(|value| value.is_object()) {
        change(value);
    }
}

fn at_mut<'a>(object: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(object, |value, key| value.as_object_mut()?.get_mut(key))
}

/// Copies the labels of the pod template to the labels of the object when it has none.
fn labels_from_template(object: &mut Value) {
    let labels = object.at(&["spec", "template", "metadata", "labels"]).cloned();
    let has_labels = object.labels().is_some_and(|labels| !labels.is_empty());
    if let Some(labels) = labels.filter(is_filled_map)
        && !has_labels
    {
        object.set(&["metadata", "labels"], labels);
    }
}

/// Copies the labels of the pod template to `path` when there is nothing.
fn selector_from_template(object: &mut Value, path: &[&str]) {
    let labels = object.at(&["spec", "template", "metadata", "labels"]).cloned();
    let has_selector = object.at(&["spec", "selector"]).is_some_and(is_filled_map);
    if let Some(labels) = labels.filter(is_filled_map)
        && !has_selector
    {
        object.set(path, labels);
    }
}

fn is_filled_map(value: &Value) -> bool {
    value.as_object().is_some_and(|map| !map.is_empty())
}

/// Writes quantities as upstream does after reading them: `1000m` as `1`, `1.5Gi` as `1536Mi`.
fn canonical_quantities(object: &mut Value, path: &[&str]) {
    let Some(quantities) = at_mut(object, path).and_then(Value::as_object_mut) else { return };
    for quantity in quantities.values_mut() {
        if let Ok(parsed) = Quantity::from_json(quantity) {
            // Nothing is counted in less than thousandths.
            let thousandths = Quantity::from_millis(parsed.milli_value());
            let kept = if thousandths == parsed { parsed } else { thousandths };
            *quantity = json!(kept.canonical());
        }
    }
}

#[cfg(test)]
mod tests;
