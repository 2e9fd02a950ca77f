//! Lifecycle hooks of deployment strategies.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Value};

use super::{checks, environment};
use crate::views::image::ImageReference;

/// Checks the hook `name` of `params`, when there is one.
pub(super) fn check(params: &Value, name: &str, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let Some(hook) = params.get(name).filter(|value| !value.is_null()) else { return };
    let path = path.child(name);
    checks::required(hook, &path, "failurePolicy", errors);
    let exec = hook.get("execNewPod").filter(|value| !value.is_null());
    let tags = hook.list_at(&["tagImages"]);
    match exec {
        Some(_) if !tags.is_empty() => {
            let text = "only one of 'execNewPod' or 'tagImages' may be specified";
            errors.push(Error::invalid(&path, "<hook>", text));
        }
        Some(exec) => exec_new_pod(exec, &path.child("execNewPod"), errors),
        None if tags.is_empty() => {
            let text = "One of execNewPod or tagImages must be specified";
            errors.push(Error::invalid(&path, "<empty>", text));
        }
        None => {
            for (index, tag) in tags.iter().enumerate() {
                tag_image(tag, spec, &path.child("tagImages").index(index), errors);
            }
        }
    }
}

fn exec_new_pod(exec: &Value, path: &Path, errors: &mut ErrorList) {
    if exec.list_at(&["command"]).is_empty() {
        errors.push(Error::required(&path.child("command"), ""));
    }
    checks::required(exec, path, "containerName", errors);
    environment(exec.list_at(&["env"]), &path.child("env"), errors);
    for (index, volume) in exec.list_at(&["volumes"]).iter().enumerate() {
        if volume.as_str().is_none_or(str::is_empty) {
            let path = path.child("volumes").index(index);
            errors.push(Error::invalid(&path, "", "must not be empty"));
        }
    }
}

fn tag_image(tag: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let name = tag.str_at(&["containerName"]);
    if name.is_empty() {
        let text = "a containerName is required";
        errors.push(Error::required(&path.child("containerName"), text));
    } else if let Some(problem) = container_problem(name, spec) {
        errors.push(Error::invalid(&path.child("containerName"), name, &problem));
    }
    let kind = tag.str_at(&["to", "kind"]);
    if kind != "ImageStreamTag" {
        let path = path.child("to").child("kind");
        errors.push(Error::invalid(&path, kind, "Must be 'ImageStreamTag'"));
    }
    if tag.str_at(&["to", "name"]).is_empty() {
        let text = "a destination tag name is required";
        errors.push(Error::required(&path.child("to").child("name"), text));
    }
}

fn container_problem(name: &str, spec: &Value) -> Option<String> {
    let pod = spec.at(&["template", "spec"]).unwrap_or(&Value::Null);
    let mut containers =
        pod.list_at(&["containers"]).iter().chain(pod.list_at(&["initContainers"]));
    let Some(container) = containers.find(|container| container.str_at(&["name"]) == name) else {
        return Some(format!("no container {name:?} found"));
    };
    let image = container.str_at(&["image"]);
    ImageReference::parse(image)
        .is_none()
        .then(|| format!("container {name:?} has an invalid image {image:?}"))
}
