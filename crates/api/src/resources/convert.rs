//! Re-shaping an object between the versions of its resource.
//!
//! Most versions differ in nothing but `apiVersion`; the few that differ in shape stand here.
//! Deviation: `apiextensions.k8s.io/v1beta1` definitions keep their shape when read as `v1`.

mod access;
mod autoscaler;
mod event;
mod ingress;

pub use self::access::rule_to_openshift;
pub use self::autoscaler::{current_metrics, flat as flat_metric, metrics};

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::Resource;

const RBAC: &str = "rbac.authorization.k8s.io";
const OPENSHIFT_ACCESS: &str = "authorization.openshift.io";
const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Turns an object of `from` into one of `to`, two versions of the same resource.
pub fn convert(object: &mut Value, from: &Resource, to: &Resource) {
    if (from.group, from.version) == (to.group, to.version) {
        return;
    }
    object.set(&["apiVersion"], json!(to.api_version()));
    match to.kind {
        "Deployment" => deployment(object, to),
        "DaemonSet" => daemon_set(object, to),
        "Ingress" => ingress::convert(object, to),
        "Event" => event::convert(object, from, to),
        "HorizontalPodAutoscaler" => autoscaler::convert(object, from, to),
        "RoleBinding" | "ClusterRoleBinding"
            if from.group == RBAC && to.group == OPENSHIFT_ACCESS =>
        {
            access::to_openshift(object);
        }
        "RoleBinding" | "ClusterRoleBinding" if from.group == OPENSHIFT_ACCESS => {
            access::to_rbac(object);
        }
        "Role" | "ClusterRole" if from.group == RBAC && to.group == OPENSHIFT_ACCESS => {
            access::role_to_openshift(object);
        }
        "Role" | "ClusterRole" if from.group == OPENSHIFT_ACCESS => access::role_to_rbac(object),
        _ => {}
    }
}

/// `spec.rollbackTo` became an annotation.
fn deployment(object: &mut Value, to: &Resource) {
    let old = to.group == "extensions" || to.version == "v1beta1";
    if old {
        let path = ["metadata", "annotations", ROLLBACK_TO];
        let revision = object.annotation(ROLLBACK_TO).and_then(|text| text.parse::<i64>().ok());
        if let Some(revision) = revision {
            drop(object.remove(&path));
            object.set(&["spec", "rollbackTo", "revision"], json!(revision));
        }
    } else if let Some(target) = object.remove(&["spec", "rollbackTo"]) {
        let revision = target.int_at(&["revision"]).unwrap_or(0);
        object.set_annotation(ROLLBACK_TO, &revision.to_string());
    }
}

/// `spec.templateGeneration` became an annotation.
fn daemon_set(object: &mut Value, to: &Resource) {
    if to.group == "extensions" {
        let path = ["metadata", "annotations", TEMPLATE_GENERATION];
        let generation = object.remove(&path);
        let generation = generation.and_then(|text| text.as_str()?.parse::<i64>().ok());
        object.set(&["spec", "templateGeneration"], json!(generation.unwrap_or(0)));
    } else if let Some(generation) = object.remove(&["spec", "templateGeneration"]) {
        object.set_annotation(TEMPLATE_GENERATION, &generation.to_string());
    }
}

/// Renames a field, when it is there.
fn rename(object: &mut Value, from: &[&str], to: &[&str]) {
    if let Some(value) = object.remove(from) {
        object.set(to, value);
    }
}

#[cfg(test)]
mod tests;
