//! The other OpenShift kinds: projects, routes, builds, templates.
//!
//! Mirrors: `pkg/{project,route,build,template}/apis/*/validation` of OpenShift 3.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Text, Value};

use super::checks;

pub(super) fn create(kind: &str, object: &Value, errors: &mut ErrorList) {
    match kind {
        "Project" => project(object, errors),
        "ProjectRequest" => {
            short_name(object, errors);
            display_name(object.str_at(&["displayName"]), &Path::new("displayName"), errors);
        }
        "Route" => route(object, errors),
        "BuildConfig" | "Build" => build(object, errors),
        "Template" => template(object, errors),
        _ => {}
    }
}

fn short_name(object: &Value, errors: &mut ErrorList) {
    let name = object.name();
    if !name.is_empty() && name.len() < 2 {
        let text = "must be at least 2 characters long";
        errors.push(Error::invalid(&Path::new("metadata").child("name"), name, text));
    }
}

fn display_name(text: &str, path: &Path, errors: &mut ErrorList) {
    if text.contains(['\n', '\t']) {
        let complaint = "may not contain a new line or tab";
        errors.push(Error::invalid(path, text, complaint));
    }
}

fn project(object: &Value, errors: &mut ErrorList) {
    short_name(object, errors);
    let annotations = Path::new("metadata").child("annotations");
    let name = object.annotation("openshift.io/display-name").unwrap_or_default();
    display_name(name, &annotations.key("openshift.io/display-name"), errors);
}

fn route(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let host = spec.str_at(&["host"]);
    if !host.is_empty() && !validation::dns1123_subdomain(host).is_empty() {
        let text = "host must conform to DNS 952 subdomain conventions";
        errors.push(Error::invalid(&path.child("host"), host, text));
    }
    if host.is_empty() && spec.str_at(&["wildcardPolicy"]) == "Subdomain" {
        let text = "host name not specified for wildcard policy";
        errors.push(Error::invalid(&path.child("wildcardPolicy"), "Subdomain", text));
    }
    let route_path = spec.str_at(&["path"]);
    if !route_path.is_empty() && !route_path.starts_with('/') {
        let text = "path must begin with /";
        errors.push(Error::invalid(&path.child("path"), route_path, text));
    }
    if !route_path.is_empty() && spec.str_at(&["tls", "termination"]) == "passthrough" {
        let text = "passthrough termination does not support paths";
        errors.push(Error::invalid(&path.child("path"), route_path, text));
    }
    if spec.str_at(&["to", "name"]).is_empty() {
        errors.push(Error::required(&path.child("to").child("name"), ""));
    }
    backend(spec.get("to").unwrap_or(&Value::Null), &path.child("to"), errors);
    let alternates = spec.list_at(&["alternateBackends"]);
    if alternates.len() > 3 {
        let text = "cannot specify more than 3 additional backends";
        errors.push(Error::required(&path.child("alternateBackends"), text));
    }
    for (index, alternate) in alternates.iter().enumerate() {
        let path = path.child("alternateBackends").index(index);
        checks::required(alternate, &path, "name", errors);
        backend(alternate, &path, errors);
    }
    tls(spec, &path, errors);
}

fn backend(backend: &Value, path: &Path, errors: &mut ErrorList) {
    if backend.str_at(&["kind"]) != "Service" {
        let text = "must reference a Service";
        errors.push(Error::invalid(&path.child("kind"), backend.str_at(&["kind"]), text));
    }
    if let Some(weight) = backend.int_at(&["weight"]).filter(|w| !(0..=256).contains(w)) {
        let text = "weight must be an integer between 0 and 256";
        errors.push(Error::invalid(&path.child("weight"), weight, text));
    }
}

fn tls(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let Some(tls) = spec.get("tls").filter(|value| !value.is_null()) else { return };
    let path = path.child("tls");
    let termination = tls.str_at(&["termination"]);
    if !matches!(termination, "edge" | "passthrough" | "reencrypt") {
        let text = "invalid value for termination, acceptable values are edge, passthrough, \
                    reencrypt, or empty (no tls specified)";
        errors.push(Error::invalid(&path.child("termination"), termination, text));
    }
    if termination == "passthrough" {
        for field in ["certificate", "key", "caCertificate", "destinationCACertificate"] {
            if !tls.str_at(&[field]).is_empty() {
                let text = "passthrough termination does not support certificates";
                errors.push(Error::invalid(&path.child(field), "redacted", text));
            }
        }
    }
}

fn build(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let strategy = spec.get("strategy").unwrap_or(&Value::Null);
    let members = ["dockerStrategy", "sourceStrategy", "customStrategy", "jenkinsPipelineStrategy"];
    let given = members.iter().filter(|key| checks::is_set(strategy, key)).count();
    if given != 1 {
        let text = "must provide a value for exactly one of sourceStrategy, customStrategy, \
                    dockerStrategy, or jenkinsPipelineStrategy";
        errors.push(Error::invalid(&path.child("strategy"), strategy.clone(), text));
    }
    if let Some(source) = strategy.get("sourceStrategy").filter(|value| !value.is_null()) {
        let path = path.child("strategy").child("sourceStrategy").child("from");
        let from = source.get("from").unwrap_or(&Value::Null);
        checks::required(from, &path, "name", errors);
    }
    if let Some(git) = spec.at(&["source", "git"]).filter(|value| !value.is_null()) {
        checks::required(git, &path.child("source").child("git"), "uri", errors);
    }
}

fn template(object: &Value, errors: &mut ErrorList) {
    for (index, parameter) in object.list_at(&["parameters"]).iter().enumerate() {
        let path = Path::new("parameters").index(index);
        let name = parameter.str_at(&["name"]);
        if name.is_empty() {
            errors.push(Error::required(&path.child("name"), ""));
        } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let text = "does not match ^[a-zA-Z0-9\\_]+$";
            errors.push(Error::invalid(&path.child("name"), name, text));
        }
    }
}

/// Checks what an update changes.
pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut ErrorList) {
    if kind == "Project" {
        project_update(new, old, errors);
    }
}

/// Through a project only its display name and description may change.
fn project_update(new: &Value, old: &Value, errors: &mut ErrorList) {
    const TEXT: &str = "field is immutable, try updating the namespace";
    const MUTABLE: [&str; 2] = ["openshift.io/display-name", "openshift.io/description"];
    let path = Path::new("metadata");
    for field in ["annotations", "labels"] {
        let read =
            |object: &Value| object.map_at(&["metadata", field]).cloned().unwrap_or_default();
        let (now, before) = (read(new), read(old));
        let mut keys: Vec<&Text> = now.keys().chain(before.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let mutable = field == "annotations" && MUTABLE.contains(&key.as_str());
            if !mutable && now.get(key) != before.get(key) {
                let value = now.get(key).cloned().unwrap_or(Value::Null);
                errors.push(Error::invalid(&path.child(field).key(key), value, TEXT));
            }
        }
    }
}
