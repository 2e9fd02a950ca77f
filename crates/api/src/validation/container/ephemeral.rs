//! Ephemeral containers: they come through a sub-resource of a pod that is there, and stay as they came.
//!
//! Mirrors: `validateEphemeralContainers` and `ValidatePodEphemeralContainersUpdate` of
//! `pkg/apis/core/validation` in Kubernetes 1.33.

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Value};

use super::{check_one, checks};

const LIST: &str = "ephemeralContainers";

/// What a container that joins a running pod cannot have.
const FORBIDDEN: [&str; 6] =
    ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy"];

/// Refuses ephemeral containers where a pod or a template of one is written as a whole.
pub(in crate::validation) fn none(spec: &Value, path: &Path, text: &str, errors: &mut ErrorList) {
    if !spec.list_at(&[LIST]).is_empty() {
        errors.push(Error::forbidden(&path.child(LIST), text));
    }
}

/// Checks what a write to the sub-resource changes in `old`.
pub(in crate::validation) fn update(new: &Value, old: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec").child(LIST);
    let spec = new.get("spec").unwrap_or(&Value::Null);
    check_list(spec, &path, errors);
    let now = spec.list_at(&[LIST]);
    for before in old.list_at(&["spec", LIST]) {
        let name = before.str_at(&["name"]);
        let text = match now.iter().find(|container| container.str_at(&["name"]) == name) {
            Some(after) if checks::same(Some(after), Some(before)) => continue,
            Some(_) => format!("existing ephemeral containers {name:?} may not be changed"),
            None => format!("existing ephemeral containers {name:?} may not be removed"),
        };
        errors.push(Error::forbidden(&path, &text));
    }
}

fn check_list(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let names = |list: &str| spec.list_at(&[list]).iter().map(|c| c.str_at(&["name"]));
    let targets: BTreeSet<&str> = names("containers").collect();
    let mut taken: BTreeSet<&str> = names("initContainers").chain(targets.clone()).collect();
    let volumes: BTreeSet<&str> = names("volumes").collect();
    for (index, container) in spec.list_at(&[LIST]).iter().enumerate() {
        let path = path.index(index);
        let name = container.str_at(&["name"]);
        if checks::required(container, &path, "name", errors) {
            checks::dns_label(name, &path.child("name"), errors);
        }
        if !taken.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        check_one(container, &volumes, &path, errors);
        let target = container.str_at(&["targetContainerName"]);
        if !target.is_empty() && !targets.contains(target) {
            errors.push(Error::not_found(&path.child("targetContainerName"), target));
        }
        for field in FORBIDDEN {
            if checks::is_set(container, field) {
                let text = "cannot be set for an Ephemeral Container";
                errors.push(Error::forbidden(&path.child(field), text));
            }
        }
        if container.map_at(&["resources"]).is_some_and(|resources| !resources.is_empty()) {
            let text = "cannot be set for an Ephemeral Container";
            errors.push(Error::forbidden(&path.child("resources"), text));
        }
        for (at, mount) in container.list_at(&["volumeMounts"]).iter().enumerate() {
            for field in ["subPath", "subPathExpr"] {
                let value = mount.str_at(&[field]);
                if !value.is_empty() {
                    let path = path.child("volumeMounts").index(at).child(field);
                    errors
                        .push(Error::forbidden(&path, "cannot be set for an Ephemeral Container"));
                }
            }
        }
    }
}
