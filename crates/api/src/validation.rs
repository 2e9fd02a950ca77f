//! What a server refuses, in upstream's words.
//!
//! Both entry points take defaulted objects. [`create`] checks the whole object, [`update`] also what
//! may not change. Reading order: [`mod@self`] (names and dispatch), `checks` (small rules shared by
//! all), `pod` with `container`, `volume` and `scheduling`, then one file per family.
//!
//! Invariant: pure; what needs other objects (quotas, references, cluster IP ranges) is checked
//! elsewhere.

mod annotations;
mod autoscaling;
mod batch;
mod checks;
mod container;
mod core;
mod custom_resource_definition;
mod deployment_config;
mod event;
mod go_text;
mod image;
mod node;
mod openshift;
mod platform;
mod pod;
mod pod_security_policy;
mod scheduling;
mod service;
mod status;
mod storage;
mod volume;
mod volume_attachment;
mod workload;

use apimachinery::Value;
use apimachinery::field::{ErrorList, Path};
use apimachinery::validation::object_meta::{
    NameRule, name_is_dns_label, name_is_dns_subdomain, name_is_dns1035_label,
    name_is_path_segment, validate_object_meta, validate_object_meta_update,
};

use crate::Resource;

/// All errors of a new object.
#[must_use]
pub fn create(resource: &Resource, object: &Value) -> ErrorList {
    let mut errors = metadata(resource, object);
    spec(resource, object, &mut errors);
    if (resource.group, resource.kind) == ("", "Pod") {
        pod::create_only(object, &mut errors);
    }
    errors
}

/// All errors of a Pod that was sent to its `ephemeralcontainers`.
#[must_use]
pub fn update_ephemeral_containers(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    container::ephemeral::update(new, old, &mut errors);
    errors
}

/// All errors of an object that is to replace `old`. Metadata that an update may leave out must have
/// been carried over before.
#[must_use]
pub fn update(resource: &Resource, new: &Value, old: &Value) -> ErrorList {
    if is_status_change(resource, new, old) {
        let mut errors = ErrorList::new();
        status::update(resource, new, old, &mut errors);
        return errors;
    }
    let null = Value::Null;
    let (new_meta, old_meta) =
        (new.get("metadata").unwrap_or(&null), old.get("metadata").unwrap_or(&null));
    let mut errors = metadata(resource, new);
    let changes = validate_object_meta_update(new_meta, old_meta, &Path::new("metadata"));
    errors.extend(changes.into_iter().filter(|error| !mentions_version(error)));
    spec(resource, new, &mut errors);
    status::update(resource, new, old, &mut errors);
    match (resource.group, resource.kind) {
        ("", "Pod") => pod::update(new, old, &mut errors),
        ("apps" | "extensions", _) => workload::update(resource, new, old, &mut errors),
        ("batch", "Job") => batch::update_job(new, old, &mut errors),
        ("policy", kind) => autoscaling::update(kind, new, old, &mut errors),
        ("", "Service") => service::update(new, old, &mut errors),
        ("apps.openshift.io", "DeploymentConfig") => {
            deployment_config::update(new, old, &mut errors);
        }
        ("", _) => core::update(resource.kind, new, old, &mut errors),
        (_, "RoleBinding" | "ClusterRoleBinding" | "PriorityClass" | "StorageClass") => {
            platform::update(resource.kind, new, old, &mut errors);
        }
        (_, "VolumeAttachment") => volume_attachment::update(new, old, &mut errors),
        (group, kind) if group.ends_with(".openshift.io") => {
            openshift::update(kind, new, old, &mut errors);
        }
        _ => {}
    }
    errors
}

/// Whether nothing changes but the status of a workload. What was valid when it was written is not
/// looked at again, as upstream does not when a status is written: this is what most writes are.
fn is_status_change(resource: &Resource, new: &Value, old: &Value) -> bool {
    let is_workload = match (resource.group, resource.kind) {
        ("", "Pod" | "ReplicationController") | ("batch", "Job") => true,
        ("apps" | "extensions", kind) => kind != "ControllerRevision",
        _ => false,
    };
    let count = |object: &Value| object.as_object().map_or(0, apimachinery::Map::len);
    let mut members = new.as_object().into_iter().flatten();
    is_workload
        && new.get("status").is_some()
        && old.get("status").is_some()
        && count(new) == count(old)
        && members.all(|(name, member)| name == "status" || old.get(name) == Some(member))
}

/// Whether a resourceVersion is required depends on the resource's strategy, not on its validation.
fn mentions_version(error: &apimachinery::field::Error) -> bool {
    error.field.to_string() == "metadata.resourceVersion"
}

fn metadata(resource: &Resource, object: &Value) -> ErrorList {
    // Reviews are questions, not objects: they need no name.
    if resource.kind.ends_with("Review") {
        return ErrorList::new();
    }
    let null = Value::Null;
    let meta = object.get("metadata").unwrap_or(&null);
    let rule = name_rule(resource);
    validate_object_meta(meta, resource.namespaced(), rule, &Path::new("metadata"))
}

/// The rule for the names of a resource's objects.
#[must_use]
pub fn name_rule(resource: &Resource) -> NameRule {
    match (resource.group, resource.kind) {
        ("", "Service") => name_is_dns1035_label,
        ("", "Namespace") | ("project.openshift.io", "Project" | "ProjectRequest") => {
            name_is_dns_label
        }
        (_, "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" | "APIService") => {
            name_is_path_segment
        }
        (_, "CertificateSigningRequest") => |_, _| Vec::new(),
        (
            "image.openshift.io"
            | "user.openshift.io"
            | "oauth.openshift.io"
            | "network.openshift.io"
            | "authorization.openshift.io",
            _,
        ) => name_is_path_segment,
        _ => name_is_dns_subdomain,
    }
}

fn spec(resource: &Resource, object: &Value, errors: &mut ErrorList) {
    match (resource.group, resource.kind) {
        ("", "Pod") => pod::create(object, errors),
        ("", "ReplicationController") => workload::replication_controller(object, errors),
        ("", "Service") => service::create(object, errors),
        ("", "Endpoints") => service::endpoints(object, errors),
        ("", kind) => core::create(kind, object, errors),
        (
            "apps" | "extensions",
            kind @ ("ControllerRevision" | "DaemonSet" | "Deployment" | "ReplicaSet"
            | "StatefulSet"),
        ) => {
            workload::create(kind, object, errors);
        }
        (_, "Ingress" | "NetworkPolicy") => platform::create(resource.kind, object, errors),
        ("batch", kind) => batch::create(kind, object, errors),
        ("events.k8s.io", "Event") => event::create(object, errors),
        (_, "VolumeAttachment") => volume_attachment::create(object, errors),
        (_, "PodSecurityPolicy") => pod_security_policy::create(object, errors),
        (_, "CustomResourceDefinition") => custom_resource_definition::create(object, errors),
        ("autoscaling" | "policy", kind) => autoscaling::create(kind, object, errors),
        ("apps.openshift.io", "DeploymentConfig") => deployment_config::create(object, errors),
        ("image.openshift.io", kind) => image::create(kind, object, errors),
        (group, kind) if group.ends_with(".openshift.io") => {
            openshift::create(kind, object, errors);
        }
        (_, kind) => platform::create(kind, object, errors),
    }
}

#[cfg(test)]
mod tests;
