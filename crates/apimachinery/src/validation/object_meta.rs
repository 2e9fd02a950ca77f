//! Checks of `metadata`: names, labels, annotations, owners, finalizers, and what may change.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/api/validation/objectmeta.go` and the finalizer check of
//! `pkg/apis/core/validation`.

use std::collections::BTreeSet;

use crate::{Map, Value};

use super::{
    dns1035_label, dns1123_label, dns1123_subdomain, label_value, path_segment_name,
    path_segment_prefix, qualified_name,
};
use crate::field::{self, ErrorList, Path};
use crate::gvk::Gvk;
use crate::object::ObjectExt as _;

/// The most bytes that keys and values of annotations may have together.
pub const ANNOTATIONS_SIZE_MAX: usize = 256 * 1024;
/// The complaint about a field that may not change.
pub const IMMUTABLE: &str = "field is immutable";
/// The complaint about a negative number.
pub const NEGATIVE: &str = "must be greater than or equal to 0";

const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// A rule for names of one kind. With `prefix` the text is a `generateName`, so it may end where a
/// finished name may not.
pub type NameRule = fn(text: &str, prefix: bool) -> Vec<String>;

fn without_trailing_dash(text: &str, prefix: bool) -> String {
    match text.strip_suffix('-') {
        Some(start) if prefix => format!("{start}a"),
        _ => text.to_owned(),
    }
}

/// The name must be a DNS-1123 subdomain.
#[must_use]
pub fn name_is_dns_subdomain(text: &str, prefix: bool) -> Vec<String> {
    dns1123_subdomain(&without_trailing_dash(text, prefix))
}

/// The name must be a DNS-1123 label.
#[must_use]
pub fn name_is_dns_label(text: &str, prefix: bool) -> Vec<String> {
    dns1123_label(&without_trailing_dash(text, prefix))
}

/// The name must be a DNS-1035 label.
#[must_use]
pub fn name_is_dns1035_label(text: &str, prefix: bool) -> Vec<String> {
    dns1035_label(&without_trailing_dash(text, prefix))
}

/// The name must be a segment of a URL path.
#[must_use]
pub fn name_is_path_segment(text: &str, prefix: bool) -> Vec<String> {
    if prefix { path_segment_prefix(text) } else { path_segment_name(text) }
}

fn invalid_each<'a>(
    path: &'a Path,
    value: &'a str,
    complaints: Vec<String>,
) -> impl Iterator<Item = field::Error> + 'a {
    complaints.into_iter().map(move |text| field::Error::invalid(path, value, &text))
}

/// Checks the metadata of a new object.
#[must_use]
pub fn validate_object_meta(
    meta: &Value,
    namespaced: bool,
    name_rule: NameRule,
    path: &Path,
) -> ErrorList {
    let mut errors = ErrorList::new();
    let generate_name = meta.str_at(&["generateName"]);
    if !generate_name.is_empty() {
        let complaints = name_rule(generate_name, true);
        errors.extend(invalid_each(&path.child("generateName"), generate_name, complaints));
    }
    let name = meta.str_at(&["name"]);
    if name.is_empty() {
        let text = "name or generateName is required";
        errors.push(field::Error::required(&path.child("name"), text));
    } else {
        errors.extend(invalid_each(&path.child("name"), name, name_rule(name, false)));
    }
    errors.extend(validate_namespace(meta.str_at(&["namespace"]), namespaced, path));
    let cluster = meta.str_at(&["clusterName"]);
    if !cluster.is_empty() {
        let complaints = name_is_dns_subdomain(cluster, false);
        errors.extend(invalid_each(&path.child("clusterName"), cluster, complaints));
    }
    let generation = meta.int_at(&["generation"]).unwrap_or(0);
    if generation < 0 {
        errors.push(field::Error::invalid(&path.child("generation"), generation, NEGATIVE));
    }
    errors.extend(validate_mutable(meta, path));
    let finalizers = meta.list_at(&["finalizers"]);
    let finalizers_path = path.child("finalizers");
    errors.extend(validate_finalizers(finalizers, &finalizers_path));
    for (index, finalizer) in finalizers.iter().filter_map(Value::as_str).enumerate() {
        errors.extend(validate_finalizer_is_known(finalizer, &finalizers_path.index(index)));
    }
    errors
}

fn validate_namespace(namespace: &str, namespaced: bool, path: &Path) -> ErrorList {
    let path = path.child("namespace");
    match (namespaced, namespace.is_empty()) {
        (true, true) => vec![field::Error::required(&path, "")],
        (true, false) => {
            invalid_each(&path, namespace, name_is_dns_label(namespace, false)).collect()
        }
        (false, false) => vec![field::Error::forbidden(&path, "not allowed on this type")],
        (false, true) => Vec::new(),
    }
}

fn validate_mutable(meta: &Value, path: &Path) -> ErrorList {
    let mut errors = validate_labels(meta.map_at(&["labels"]), &path.child("labels"));
    let annotations = meta.map_at(&["annotations"]);
    errors.extend(validate_annotations(annotations, &path.child("annotations")));
    let owners = meta.list_at(&["ownerReferences"]);
    errors.extend(validate_owner_references(owners, &path.child("ownerReferences")));
    errors
}

/// Checks keys and values of a map of labels.
#[must_use]
pub fn validate_labels(labels: Option<&Map>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (key, value) in labels.into_iter().flatten() {
        errors.extend(invalid_each(path, key, qualified_name(key)));
        let value = value.as_str().unwrap_or_default();
        errors.extend(invalid_each(path, value, label_value(value)));
    }
    errors
}

/// Checks the keys of annotations and their total size.
#[must_use]
pub fn validate_annotations(annotations: Option<&Map>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        errors.extend(invalid_each(path, key, qualified_name(&key.to_lowercase())));
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_SIZE_MAX {
        errors.push(field::Error::too_long(path, "", ANNOTATIONS_SIZE_MAX));
    }
    errors
}

/// Checks every owner reference, and that at most one of them is the controller.
///
/// Deviation: a reference shown as the offending value is JSON, not a Go struct.
#[must_use]
pub fn validate_owner_references(owners: &[Value], path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut controller: Option<&str> = None;
    for owner in owners {
        errors.extend(validate_owner_reference(owner, path));
        if !owner.bool_at(&["controller"]) {
            continue;
        }
        let name = owner.str_at(&["name"]);
        if let Some(first) = controller {
            let text = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references \
                 for {first} and {name}"
            );
            errors.push(field::Error::invalid(path, owners.to_vec(), &text));
        } else {
            controller = Some(name);
        }
    }
    errors
}

fn validate_owner_reference(owner: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let api_version = owner.api_version();
    let gvk = Gvk::from_api_version(api_version, owner.kind());
    if gvk.version.is_empty() {
        let text = "version must not be empty";
        errors.push(field::Error::invalid(&path.child("apiVersion"), api_version, text));
    }
    for key in ["kind", "name", "uid"] {
        if owner.str_at(&[key]).is_empty() {
            let text = format!("{key} must not be empty");
            errors.push(field::Error::invalid(&path.child(key), "", &text));
        }
    }
    if gvk.group.is_empty() && gvk.version == "v1" && gvk.kind == "Event" {
        let text = "/v1, Kind=Event is disallowed from being an owner";
        errors.push(field::Error::invalid(path, owner.clone(), text));
    }
    errors
}

/// Checks the names of finalizers and that the two of garbage collection are not combined.
#[must_use]
pub fn validate_finalizers(finalizers: &[Value], path: &Path) -> ErrorList {
    let names: Vec<&str> = finalizers.iter().filter_map(Value::as_str).collect();
    let mut errors = ErrorList::new();
    for name in &names {
        errors.extend(invalid_each(path, name, qualified_name(name)));
    }
    if names.contains(&"orphan") && names.contains(&"foregroundDeletion") {
        let text = "finalizer orphan and foregroundDeletion cannot be both set";
        let shown = format!("[]string{}", go_list(&names));
        errors.push(field::Error::invalid(path, finalizers.to_vec(), text).shown_as(&shown));
    }
    errors
}

/// A finalizer without a domain must be one of the system's own.
#[must_use]
pub fn validate_finalizer_is_known(name: &str, path: &Path) -> ErrorList {
    if name.contains('/') || STANDARD_FINALIZERS.contains(&name) {
        return Vec::new();
    }
    let text = "name is neither a standard finalizer name nor is it fully qualified";
    vec![field::Error::invalid(path, name, text)]
}

/// Fills what an update may leave out with what the stored object has: uid, creation time, and a
/// deletion that is already under way.
pub fn carry_over_object_meta(new: &mut Value, old: &Value) {
    for key in ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let absent = new.get(key).is_none_or(|value| value.is_null() || value == "");
        if absent && let Some(value) = old.get(key) {
            new.set(&[key], value.clone());
        }
    }
    if let Some(created) = old.get("creationTimestamp").filter(|value| !value.is_null()) {
        new.set(&["creationTimestamp"], created.clone());
    }
}

/// Checks the metadata of an update against the stored one; call [`carry_over_object_meta`] first.
#[must_use]
pub fn validate_object_meta_update(new: &Value, old: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if !old.str_at(&["deletionTimestamp"]).is_empty() {
        errors.extend(validate_no_new_finalizers(new, old, &path.child("finalizers")));
    }
    if new.str_at(&["resourceVersion"]).is_empty() {
        let text = "must be specified for an update";
        errors.push(field::Error::invalid(&path.child("resourceVersion"), "", text));
    }
    let generation = new.int_at(&["generation"]).unwrap_or(0);
    if generation < old.int_at(&["generation"]).unwrap_or(0) {
        let text = "must not be decremented";
        errors.push(field::Error::invalid(&path.child("generation"), generation, text));
    }
    for key in ["name", "namespace", "uid"] {
        errors.extend(validate_immutable(new, old, key, path));
    }
    if old.get("creationTimestamp").is_some_and(|value| !value.is_null()) {
        errors.extend(validate_immutable(new, old, "creationTimestamp", path));
    }
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "clusterName"] {
        errors.extend(validate_immutable(new, old, key, path));
    }
    errors.extend(validate_mutable(new, path));
    errors
}

fn validate_immutable(new: &Value, old: &Value, key: &str, path: &Path) -> Option<field::Error> {
    let read = |meta: &Value| match meta.get(key) {
        None => Value::Null,
        Some(Value::String(text)) if text.is_empty() => Value::Null,
        Some(value) => value.clone(),
    };
    let (new, old) = (read(new), read(old));
    if new == old {
        return None;
    }
    let path = path.child(key);
    match (&new, key.ends_with("Timestamp")) {
        (Value::Null, _) if matches!(key, "name" | "namespace" | "uid") => {
            Some(field::Error::invalid(&path, "", IMMUTABLE))
        }
        (Value::Null, _) if key == "creationTimestamp" => {
            let error = field::Error::invalid(&path, new, IMMUTABLE);
            Some(error.shown_as("0001-01-01 00:00:00 +0000 UTC"))
        }
        (Value::String(text), true) => {
            let shown = text.replacen("T", " ", 1).replace("Z", " +0000 UTC");
            Some(field::Error::invalid(&path, new, IMMUTABLE).shown_as(&shown))
        }
        _ => Some(field::Error::invalid(&path, new, IMMUTABLE)),
    }
}

fn validate_no_new_finalizers(new: &Value, old: &Value, path: &Path) -> Option<field::Error> {
    let read = |meta: &Value| -> BTreeSet<String> {
        let list = meta.list_at(&["finalizers"]).iter();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let old = read(old);
    let new = read(new);
    let extra: Vec<&str> = new.difference(&old).map(String::as_str).collect();
    if extra.is_empty() {
        return None;
    }
    let text = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers \
         []string{}",
        go_list(&extra)
    );
    Some(field::Error::forbidden(path, &text))
}

fn go_list(items: &[&str]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| field::quote(item)).collect();
    format!("{{{}}}", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::json;

    use super::*;

    fn check(meta: &Value, namespaced: bool) -> Vec<String> {
        let path = Path::new("metadata");
        let errors = validate_object_meta(meta, namespaced, name_is_dns_subdomain, &path);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_generate_name_may_end_with_a_dash() {
        assert!(check(&json!({"name": "test", "generateName": "foo-"}), false).is_empty());
    }

    #[test]
    fn namespaces_must_fit_the_scope() {
        assert_eq!(check(&json!({"name": "a"}), true), ["metadata.namespace: Required value"]);
        assert_eq!(
            check(&json!({"name": "a", "namespace": "b"}), false),
            ["metadata.namespace: Forbidden: not allowed on this type"]
        );
        assert_eq!(
            check(&json!({}), false),
            ["metadata.name: Required value: name or generateName is required"]
        );
    }

    #[test]
    fn owners_are_checked() {
        let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "controller": true});
        let texts = check(&json!({"name": "a", "ownerReferences": [owner, owner]}), false);
        assert_eq!(
            texts[0],
            "metadata.ownerReferences.uid: Invalid value: \"\": uid must not be empty"
        );
        assert!(texts[2].contains("Found \"true\" in references for p and p"), "{texts:?}");
    }

    #[test]
    fn annotations_have_a_size_limit() {
        let meta = json!({"name": "a", "annotations": {"k": "x".repeat(ANNOTATIONS_SIZE_MAX)}});
        assert_eq!(
            check(&meta, false),
            ["metadata.annotations: Too long: must have at most 262144 characters"]
        );
    }

    #[test]
    fn finalizers_are_checked() {
        let texts = check(&json!({"name": "a", "finalizers": ["orphan", "mine"]}), false);
        let rule = "name is neither a standard finalizer name nor is it fully qualified";
        assert_eq!(texts, [format!("metadata.finalizers[1]: Invalid value: \"mine\": {rule}")]);
    }

    fn check_update(mut new: Value, old: &Value) -> Vec<String> {
        carry_over_object_meta(&mut new, old);
        let errors = validate_object_meta_update(&new, old, &Path::new("field"));
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_update_may_leave_out_but_not_change() {
        let old = json!({"name": "a", "uid": "1", "creationTimestamp": "1970-01-01T00:00:10Z",
            "deletionTimestamp": "1970-01-01T00:16:40Z", "resourceVersion": "1"});
        assert!(check_update(json!({"name": "a", "resourceVersion": "1"}), &old).is_empty());
        let texts = check_update(
            json!({"name": "b", "resourceVersion": "", "finalizers": ["x/a"],
                "deletionTimestamp": "1970-01-01T00:33:20Z"}),
            &old,
        );
        assert_eq!(
            texts,
            [
                "field.finalizers: Forbidden: no new finalizers can be added if the object is \
                 being deleted, found new finalizers []string{\"x/a\"}",
                "field.resourceVersion: Invalid value: \"\": must be specified for an update",
                "field.name: Invalid value: \"b\": field is immutable",
                "field.deletionTimestamp: Invalid value: 1970-01-01 00:33:20 +0000 UTC: field is \
                 immutable",
            ]
        );
    }
}
