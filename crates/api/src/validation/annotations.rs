//! Annotations of pods that carry a meaning of their own.
//!
//! Mirrors: `ValidatePodSpecificAnnotations` and `ValidatePodSpecificAnnotationUpdates` of
//! `pkg/apis/core/validation` in Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Value};

use super::checks;

const MIRROR: &str = "kubernetes.io/config.mirror";
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Checks the annotations in `metadata` of something with the pod spec `spec`.
pub(super) fn check(metadata: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    for (key, value) in metadata.map_at(&["annotations"]).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if key == MIRROR && spec.str_at(&["nodeName"]).is_empty() {
            let text = "must set spec.nodeName if mirror pod annotation is set";
            errors.push(Error::invalid(&path.key(key), value, text));
        }
        if key == SECCOMP_OF_POD || key.starts_with(SECCOMP) {
            seccomp(value, &path.child(key), errors);
        }
        if let Some(container) = key.strip_prefix(APPARMOR) {
            app_armor(container, value, spec, &path.key(key), errors);
        }
    }
}

pub(super) fn seccomp(profile: &str, path: &Path, errors: &mut ErrorList) {
    match profile {
        "runtime/default" | "docker/default" | "unconfined" => {}
        _ => match profile.strip_prefix("localhost/") {
            Some(file) => checks::descending_path(file, path, errors),
            None => errors.push(Error::invalid(path, profile, "must be a valid seccomp profile")),
        },
    }
}

fn app_armor(container: &str, profile: &str, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let mut all = ["containers", "initContainers"].iter().flat_map(|list| spec.list_at(&[list]));
    if !all.any(|known| known.str_at(&["name"]) == container) {
        errors.push(Error::invalid(path, container, "container not found"));
    }
    app_armor_profile(profile, profile, path, errors);
}

/// Checks the form of a profile's name; `value` is what the message shows.
pub(super) fn app_armor_profile(profile: &str, value: &str, path: &Path, errors: &mut ErrorList) {
    let known = matches!(profile, "" | "runtime/default" | "unconfined");
    if !known && !profile.starts_with("localhost/") {
        let text = format!("invalid AppArmor profile name: {profile:?}");
        errors.push(Error::invalid(path, value, &text));
    }
}

/// Checks what an update of a pod changes in them.
pub(super) fn update(new: &Value, old: &Value, errors: &mut ErrorList) {
    let path = Path::new("metadata").child("annotations");
    let kind = |key: &str| match key {
        MIRROR => Some("mirror pod annotation"),
        _ if key.starts_with(APPARMOR) => Some("AppArmor annotations"),
        _ => None,
    };
    let all = |pod: &Value| pod.map_at(&["metadata", "annotations"]).cloned().unwrap_or_default();
    let (now, before) = (all(new), all(old));
    for (key, value) in &before {
        if let Some(what) = kind(key)
            && now.get(key) != Some(value)
        {
            let text = format!("may not remove or update {what}");
            errors.push(Error::forbidden(&path.key(key), &text));
        }
    }
    for key in now.keys().filter(|key| !before.contains_key(key)) {
        if let Some(what) = kind(key) {
            errors.push(Error::forbidden(&path.key(key), &format!("may not add {what}")));
        }
    }
}
