//! A rollout is a `ReplicationController`: how it is named, made and read.
//!
//! Invariant: a pod template is copied as a document; nothing in it can be lost.
//!
//! Mirrors: `openshift/origin pkg/apps/util/util.go` (`MakeDeployment`).

use std::sync::Arc;

use apimachinery::json;
use apimachinery::names::joined;
use apimachinery::object::controller_owner_reference;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Caches;
use serde::Deserialize;

use crate::keys;

/// Phase of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No deployer pod yet.
    New,
    /// The deployer pod waits to run.
    Pending,
    /// The deployer pod runs.
    Running,
    /// The rollout succeeded.
    Complete,
    /// The rollout failed or was cancelled.
    Failed,
}

impl Phase {
    /// Reads the phase of `rc`; an unknown or missing one is `New`.
    #[must_use]
    pub fn of(rc: &Value) -> Self {
        match rc.annotation(keys::PHASE).unwrap_or_default() {
            "Pending" => Self::Pending,
            "Running" => Self::Running,
            "Complete" => Self::Complete,
            "Failed" => Self::Failed,
            _ => Self::New,
        }
    }

    /// The word in the annotation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }

    /// Whether the rollout is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed)
    }

    /// Whether a rollout may go from `self` to `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::New => next != Self::New,
            Self::Pending => matches!(next, Self::Running | Self::Failed | Self::Complete),
            Self::Running => matches!(next, Self::Failed | Self::Complete),
            Self::Complete | Self::Failed => false,
        }
    }
}

/// Number of the rollout that `rc` is; 0 when it is none.
#[must_use]
pub fn version_of(rc: &Value) -> i64 {
    rc.annotation(keys::LATEST_VERSION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether cancellation of the rollout was asked for.
#[must_use]
pub fn is_cancelled(rc: &Value) -> bool {
    rc.annotation(keys::CANCELLED).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// `spec.replicas` of a controller.
#[must_use]
pub fn replicas(rc: &Value) -> i64 {
    rc.int_at(&["spec", "replicas"]).unwrap_or(0)
}

/// The `DeploymentConfig` as it was when the rollout was made.
#[must_use]
pub fn decode_config(rc: &Value) -> Option<Value> {
    serde_json::from_str(rc.annotation(keys::ENCODED_CONFIG)?).ok()
}

/// The pod template of the `DeploymentConfig` as it was when the rollout was made. It is asked for
/// at every change of the config, so nothing else of the config is built.
#[must_use]
pub fn decode_template(rc: &Value) -> Option<Value> {
    #[derive(Deserialize)]
    struct Config {
        spec: Spec,
    }
    #[derive(Deserialize)]
    struct Spec {
        template: Option<Value>,
    }
    let config: Config = serde_json::from_str(rc.annotation(keys::ENCODED_CONFIG)?).ok()?;
    config.spec.template
}

/// `<dc>-<version>`.
#[must_use]
pub fn rollout_name(dc: &Value, version: i64) -> String {
    format!("{}-{version}", dc.name())
}

/// `<rollout>-deploy`, shortened with a hash when it would be longer than 253 characters.
#[must_use]
pub fn deployer_pod_name(rollout: &str) -> String {
    joined(rollout, "deploy", 253)
}

/// The rollouts in `namespace` that carry the label of the config `name`, in the order of names. The
/// cost grows with their number, not with that of the rollouts of other configs.
pub(crate) fn of_config(caches: &Caches, namespace: &str, name: &str) -> Vec<Arc<Value>> {
    let labels = json!({"matchLabels": {keys::CONFIG_NAME: name}});
    let selector = LabelSelector::from_json(&labels).unwrap_or_else(|_| LabelSelector::nothing());
    caches.selected(&api::REPLICATION_CONTROLLERS, namespace, &selector)
}

/// The versions of all rollouts, newest first.
pub fn newest_first(rollouts: &mut [Arc<Value>]) {
    rollouts.sort_by_key(|rc| std::cmp::Reverse(version_of(rc)));
}

/// The `ReplicationController` of rollout `status.latestVersion` of `dc`, with no replicas yet.
#[must_use]
pub fn make(dc: &Value) -> Value {
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let name = rollout_name(dc, version);
    let mut labels = dc.labels().cloned().unwrap_or_default();
    labels.insert(keys::CONFIG_NAME.to_owned(), json!(dc.name()));
    let mut selector = dc.map_at(&["spec", "selector"]).cloned().unwrap_or_default();
    selector.insert(keys::CONFIG_LABEL.to_owned(), json!(dc.name()));
    selector.insert(keys::DEPLOYMENT_LABEL.to_owned(), json!(name));
    let mut spec = json!({
        "replicas": 0,
        "selector": selector,
        "template": template(dc, &name, version),
    });
    if let Some(seconds) = dc.int_at(&["spec", "minReadySeconds"]).filter(|seconds| *seconds > 0) {
        spec["minReadySeconds"] = json!(seconds);
    }
    json!({
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {
            "name": name,
            "namespace": dc.namespace(),
            "labels": labels,
            "annotations": annotations(dc, version),
            "ownerReferences": [controller_owner_reference(dc)],
        },
        "spec": spec,
    })
}

fn annotations(dc: &Value, version: i64) -> Value {
    let mut config = dc.clone();
    config.remove(&["metadata", "managedFields"]);
    let encoded = serde_json::to_string(&config).unwrap_or_default();
    let mut annotations = json!({
        keys::CONFIG_NAME: dc.name(),
        keys::LATEST_VERSION: version.to_string(),
        keys::ENCODED_CONFIG: format!("{encoded}\n"),
        keys::PHASE: Phase::New.as_str(),
        keys::DESIRED_REPLICAS: dc.int_at(&["spec", "replicas"]).unwrap_or(0).to_string(),
        keys::REPLICAS: "0",
    });
    let why = dc.str_at(&["status", "details", "message"]);
    if !why.is_empty() {
        annotations[keys::STATUS_REASON] = json!(why);
    }
    if let Some(ignore) = dc.annotation(keys::IGNORE_POD) {
        annotations[keys::IGNORE_POD] = json!(ignore);
    }
    annotations
}

fn template(dc: &Value, name: &str, version: i64) -> Value {
    let mut template = dc.at(&["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    template.set(&["metadata", "labels", keys::CONFIG_LABEL], json!(dc.name()));
    template.set(&["metadata", "labels", keys::DEPLOYMENT_LABEL], json!(name));
    template.set_annotation(keys::DEPLOYMENT_NAME, name);
    template.set_annotation(keys::CONFIG_NAME, dc.name());
    template.set_annotation(keys::LATEST_VERSION, &version.to_string());
    for list in ["containers", "initContainers"] {
        let containers = template.pointer_mut("/spec").and_then(|spec| spec.get_mut(list));
        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
            let image = container.str_at(&["image"]).trim().to_owned();
            container["image"] = json!(image);
        }
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_carries_what_clients_read() {
        let dc = json!({
            "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
            "metadata": {"name": "web", "namespace": "p", "uid": "u", "labels": {"app": "web"}},
            "spec": {"replicas": 3, "selector": {"app": "web"}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": " web:1 "}], "future": {"kept": true}}}},
            "status": {"latestVersion": 2, "details": {"message": "config change"}},
        });
        let rc = make(&dc);
        assert_eq!(rc.name(), "web-2");
        assert_eq!(replicas(&rc), 0);
        assert_eq!(version_of(&rc), 2);
        assert_eq!(Phase::of(&rc), Phase::New);
        assert_eq!(rc.annotation(keys::DESIRED_REPLICAS), Some("3"));
        assert_eq!(rc.annotation(keys::STATUS_REASON), Some("config change"));
        assert_eq!(
            rc["spec"]["selector"],
            json!({"app": "web", "deployment": "web-2", "deploymentconfig": "web"})
        );
        let pod = &rc["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], "web:1");
        assert_eq!(pod["future"]["kept"], true);
        assert_eq!(decode_config(&rc).as_ref(), Some(&dc));
        assert_eq!(rc.controller_ref().map(|owner| owner.kind()), Some("DeploymentConfig"));
    }

    #[test]
    fn phases_only_move_forward() {
        assert!(Phase::New.may_become(Phase::Running));
        assert!(!Phase::Running.may_become(Phase::Pending));
        assert!(!Phase::Complete.may_become(Phase::Failed));
    }

    #[test]
    fn long_deployer_names_are_hashed() {
        let long = "x".repeat(250);
        assert_eq!(deployer_pod_name("web-1"), "web-1-deploy");
        assert_eq!(deployer_pod_name(&long).len(), 253);
        assert!(deployer_pod_name(&long).ends_with("-deploy"));
    }
}
