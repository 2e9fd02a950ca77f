//! `env` and `envFrom`.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

/// Fields of the pod that an environment variable may be taken from.
const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.podIP",
];

/// Fields that `v1` knows as field labels of pods.
const KNOWN_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
];

const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

pub(super) fn variables(variables: &[Value], path: &Path, errors: &mut ErrorList) {
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        let name = variable.str_at(&["name"]);
        if checks::required(variable, &path, "name", errors) {
            let complaints = validation::env_var_name(name);
            checks::invalid(&path.child("name"), name, &complaints, errors);
        }
        if let Some(source) = variable.get("valueFrom").filter(|value| !value.is_null()) {
            let has_value = !variable.str_at(&["value"]).is_empty();
            value_from(source, has_value, &path.child("valueFrom"), errors);
        }
    }
}

fn value_from(source: &Value, has_value: bool, path: &Path, errors: &mut ErrorList) {
    let mut count = 0;
    for kind in ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"] {
        let Some(selector) = source.get(kind).filter(|value| !value.is_null()) else { continue };
        count += 1;
        let path = path.child(kind);
        match kind {
            "fieldRef" => field_reference(selector, FIELDS, &path, errors),
            "resourceFieldRef" => resource_reference(selector, &path, errors),
            _ => key_reference(selector, &path, errors),
        }
    }
    let complaint = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or \
             `secretKeyRef`"
        }
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(Error::invalid(path, "", complaint));
}

/// Checks a downward-API reference to one of `fields`.
pub(in crate::validation) fn field_reference(
    selector: &Value,
    fields: &[&str],
    path: &Path,
    errors: &mut ErrorList,
) {
    if !checks::required(selector, path, "apiVersion", errors)
        || !checks::required(selector, path, "fieldPath", errors)
    {
        return;
    }
    let field_path = selector.str_at(&["fieldPath"]);
    let whole = path;
    let path = path.child("fieldPath");
    if let Some((map, key)) = field_path.strip_suffix("']").and_then(|text| text.split_once("['")) {
        match map {
            "metadata.annotations" => {
                let key = key.to_lowercase();
                checks::invalid(whole, &key, &validation::qualified_name(&key), errors);
            }
            "metadata.labels" => {
                checks::invalid(whole, key, &validation::qualified_name(key), errors);
            }
            _ => {
                let text = format!(
                    "error converting fieldPath: field label does not support subscript: \
                     {field_path}"
                );
                errors.push(Error::invalid(&path, field_path, &text));
            }
        }
        return;
    }
    if !FIELDS.contains(&field_path) && !KNOWN_FIELDS.contains(&field_path) {
        let text = format!("error converting fieldPath: field label not supported: {field_path}");
        errors.push(Error::invalid(&path, field_path, &text));
    } else if !fields.contains(&field_path) {
        errors.push(Error::not_supported(&path, field_path, fields));
    }
}

fn resource_reference(selector: &Value, path: &Path, errors: &mut ErrorList) {
    if checks::required(selector, path, "resource", errors) {
        checks::one_of(selector, path, "resource", RESOURCES, errors);
    }
}

fn key_reference(selector: &Value, path: &Path, errors: &mut ErrorList) {
    checks::dns_subdomain(selector.str_at(&["name"]), &path.child("name"), errors);
    if checks::required(selector, path, "key", errors) {
        let key = selector.str_at(&["key"]);
        checks::invalid(&path.child("key"), key, &validation::config_map_key(key), errors);
    }
}

pub(super) fn sources(sources: &[Value], path: &Path, errors: &mut ErrorList) {
    // Upstream leaves the index out when the source itself is wrong.
    let list = path;
    for (index, source) in sources.iter().enumerate() {
        let path = path.index(index);
        let prefix = source.str_at(&["prefix"]);
        if !prefix.is_empty() {
            let complaints = validation::env_var_name(prefix);
            checks::invalid(&path.child("prefix"), prefix, &complaints, errors);
        }
        let mut count = 0;
        for kind in ["configMapRef", "secretRef"] {
            let Some(reference) = source.get(kind).filter(|value| !value.is_null()) else {
                continue;
            };
            count += 1;
            let path = path.child(kind);
            if checks::required(reference, &path, "name", errors) {
                checks::dns_subdomain(reference.str_at(&["name"]), &path.child("name"), errors);
            }
        }
        let complaint = match count {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        errors.push(Error::invalid(list, "", complaint));
    }
}
