//! Definitions of custom resources.
//!
//! Mirrors: `ValidateCustomResourceDefinition` and below of
//! `k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation` in Kubernetes 1.11.

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

pub(super) fn create(object: &Value, errors: &mut ErrorList) {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let (group, plural) = (spec.str_at(&["group"]), spec.str_at(&["names", "plural"]));
    if object.name() != format!("{plural}.{group}") {
        let text = "must be spec.names.plural+\".\"+spec.group";
        errors.push(Error::invalid(&Path::new("metadata").child("name"), object.name(), text));
    }
    let path = Path::new("spec");
    place(spec, &path, errors);
    versions(spec, &path, errors);
    for field in ["plural", "singular", "kind", "listKind"] {
        if spec.str_at(&["names", field]).is_empty() {
            errors.push(Error::required(&path.child("names").child(field), ""));
        }
    }
    let none = Value::Null;
    names(spec.get("names").unwrap_or(&none), &path.child("names"), errors);
    let status = object.get("status").unwrap_or(&none);
    let path = Path::new("status");
    let accepted = status.get("acceptedNames").unwrap_or(&none);
    names(accepted, &path.child("acceptedNames"), errors);
    stored_versions(status, spec, &path.child("storedVersions"), errors);
}

fn place(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let group = spec.str_at(&["group"]);
    let complaints = validation::dns1123_subdomain(group);
    if checks::required(spec, path, "group", errors) {
        let path = path.child("group");
        if !complaints.is_empty() {
            errors.push(Error::invalid(&path, group, &complaints.join(",")));
        } else if !group.contains('.') {
            let text = "should be a domain with at least one dot";
            errors.push(Error::invalid(&path, group, text));
        }
    }
    if checks::required(spec, path, "scope", errors) {
        checks::one_of(spec, path, "scope", &["Cluster", "Namespaced"], errors);
    }
}

fn versions(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let versions = spec.list_at(&["versions"]);
    let list = path.child("versions");
    let invalid_list = |text: &str| {
        let error = Error::invalid(&list, Value::from(versions), text);
        error.shown_as(&shown_versions(versions))
    };
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        let name = version.str_at(&["name"]);
        seen.insert(name);
        label(name, name, "", &list.index(index).child("name"), errors);
    }
    if seen.len() < versions.len() {
        errors.push(invalid_list("must contain unique version names"));
    }
    if versions.iter().filter(|version| version.bool_at(&["storage"])).count() != 1 {
        errors.push(invalid_list("must have exactly one version marked as storage version"));
    }
    let only = spec.str_at(&["version"]);
    if !only.is_empty() {
        let path = path.child("version");
        label(only, only, "", &path, errors);
        if versions.first().is_some_and(|first| first.str_at(&["name"]) != only) {
            let text = "must match the first version in spec.versions";
            errors.push(Error::invalid(&path, only, text));
        }
    }
}

/// A DNS-1035 label; `value` is what the message shows.
fn label(text: &str, value: &str, before: &str, path: &Path, errors: &mut ErrorList) {
    let complaints = validation::dns1035_label(text);
    if !complaints.is_empty() {
        let text = format!("{before}{}", complaints.join(","));
        errors.push(Error::invalid(path, value, &text));
    }
}

fn names(names: &Value, path: &Path, errors: &mut ErrorList) {
    const MIXED: &str = "may have mixed case, but should otherwise match: ";
    for field in ["plural", "singular", "kind", "listKind"] {
        let name = names.str_at(&[field]);
        if name.is_empty() {
            continue;
        }
        let (text, before) = match field {
            "plural" | "singular" => (name.to_owned(), ""),
            _ => (name.to_lowercase(), MIXED),
        };
        label(&text, name, before, &path.child(field), errors);
    }
    for field in ["shortNames", "categories"] {
        for (index, name) in names.list_at(&[field]).iter().filter_map(Value::as_str).enumerate() {
            label(name, name, "", &path.child(field).index(index), errors);
        }
    }
    let kind = names.str_at(&["kind"]);
    if !kind.is_empty() && kind == names.str_at(&["listKind"]) {
        let text = "kind and listKind may not be the same";
        errors.push(Error::invalid(&path.child("listKind"), kind, text));
    }
}

fn stored_versions(status: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let stored: Vec<&str> =
        status.list_at(&["storedVersions"]).iter().filter_map(Value::as_str).collect();
    let versions = spec.list_at(&["versions"]);
    if stored.is_empty() {
        let text = "must have at least one stored version";
        errors.push(Error::invalid(path, Value::Null, text).shown_as("[]string(nil)"));
        return;
    }
    for version in versions.iter().filter(|version| version.bool_at(&["storage"])) {
        let name = version.str_at(&["name"]);
        if !stored.contains(&name) {
            let text = format!("must have the storage version {name}");
            let error = Error::invalid(path, version.clone(), &text);
            errors.push(error.shown_as(&shown_version(version)));
        }
    }
    for (index, name) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version.str_at(&["name"]) == *name) {
            errors.push(Error::invalid(&path.index(index), *name, "must appear in spec.versions"));
        }
    }
}

/// How Go prints a version.
fn shown_version(version: &Value) -> String {
    format!(
        "apiextensions.CustomResourceDefinitionVersion{{Name:{:?}, Served:{}, Storage:{}}}",
        version.str_at(&["name"]),
        version.bool_at(&["served"]),
        version.bool_at(&["storage"]),
    )
}

fn shown_versions(versions: &[Value]) -> String {
    if versions.is_empty() {
        return "[]apiextensions.CustomResourceDefinitionVersion(nil)".to_owned();
    }
    let list: Vec<String> = versions.iter().map(shown_version).collect();
    format!("[]apiextensions.CustomResourceDefinitionVersion{{{}}}", list.join(", "))
}
