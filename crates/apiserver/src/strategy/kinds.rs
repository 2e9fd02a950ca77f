//! The built-in strategies and the tables of how kinds differ.
//!
//! Mirrors: `kubernetes/pkg/registry/*/strategy.go`, `openshift/origin/pkg/*/registry`.

use std::time::Duration;

use api::Resource;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use super::daemon_set::DaemonSetStrategy;
use super::job::JobStrategy;
use super::namespace::NamespaceStrategy;
use super::pod::PodStrategy;
use super::route::RouteStrategy;
use super::service::ServiceStrategy;
use super::{Strategy, StrategyContext, copy_field, keep_all_but_status};
use crate::call::Propagation;
use crate::custom::strategy::DefinitionStrategy;
use crate::legacy;

/// The strategy of every kind without one of its own.
#[derive(Debug)]
pub(crate) struct Generic;

impl Strategy for Generic {}

/// The strategies the server brings along.
pub(crate) fn built_in() -> Vec<(&'static Resource, Box<dyn Strategy>)> {
    vec![
        (&api::PODS, Box::new(PodStrategy)),
        (&api::SERVICES, Box::new(ServiceStrategy)),
        (&api::ROUTES, Box::new(RouteStrategy)),
        (&api::NAMESPACES, Box::new(NamespaceStrategy)),
        (&api::DEPLOYMENTS, Box::new(DeploymentStrategy)),
        (&api::DAEMON_SETS, Box::new(DaemonSetStrategy)),
        (&api::JOBS, Box::new(JobStrategy)),
        (&api::NODES, Box::new(NodeStrategy)),
        (&api::EVENTS, Box::new(EventStrategy)),
        (&api::CUSTOM_RESOURCE_DEFINITIONS, Box::new(DefinitionStrategy)),
        (&api::PERSISTENT_VOLUMES, Box::new(PendingStrategy)),
        (&api::PERSISTENT_VOLUME_CLAIMS, Box::new(PendingStrategy)),
    ]
}

/// Events are forgotten two hours after they were last counted, as OpenShift sets it.
#[derive(Debug)]
struct EventStrategy;

impl Strategy for EventStrategy {
    fn time_to_live(&self) -> Option<Duration> {
        Some(Duration::from_secs(2 * 60 * 60))
    }
}

/// Nodes register themselves with their status.
#[derive(Debug)]
struct NodeStrategy;

impl Strategy for NodeStrategy {
    fn prepare_for_create(&self, _: &StrategyContext<'_>, _: &mut Value) -> Result<(), Status> {
        Ok(())
    }
}

/// Volumes and claims wait for each other.
#[derive(Debug)]
struct PendingStrategy;

impl Strategy for PendingStrategy {
    fn prepare_for_create(
        &self,
        _: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        object.set(&["status"], json!({"phase": "Pending"}));
        Ok(())
    }
}

/// Deployments count changes of annotations as well and keep their labels through `status`.
#[derive(Debug)]
struct DeploymentStrategy;

impl Strategy for DeploymentStrategy {
    fn prepare_for_status_update(
        &self,
        _: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_all_but_status(new, old);
        keep_labels(new, old);
        Ok(())
    }

    fn bumps_generation(&self, new: &Value, old: &Value) -> bool {
        let annotations = ["metadata", "annotations"];
        new.get("spec") != old.get("spec") || new.at(&annotations) != old.at(&annotations)
    }
}

/// Takes the labels from the stored object.
pub(super) fn keep_labels(new: &mut Value, old: &Value) {
    if let (Some(new), Some(old)) = (new.get_mut("metadata"), old.get("metadata")) {
        copy_field(new, old, "labels");
    }
}

pub(super) fn tracks_generation(resource: &Resource) -> bool {
    matches!(
        resource.plural,
        "deployments"
            | "replicasets"
            | "statefulsets"
            | "daemonsets"
            | "replicationcontrollers"
            | "ingresses"
            | "networkpolicies"
            | "poddisruptionbudgets"
            | "customresourcedefinitions"
            | "deploymentconfigs"
            | "imagestreams"
    )
}

pub(super) fn default_propagation(resource: &Resource) -> Propagation {
    let old_version = resource.group == "extensions" || resource.version.starts_with("v1beta");
    match resource.plural {
        "deploymentconfigs" | "buildconfigs" if legacy::grouped(resource).is_some() => {
            Propagation::Orphan
        }
        "replicationcontrollers" | "jobs" | "cronjobs" => Propagation::Orphan,
        "deployments" | "replicasets" | "daemonsets" | "statefulsets" if old_version => {
            Propagation::Orphan
        }
        "events" => Propagation::Unsupported,
        _ => Propagation::Background,
    }
}

pub(super) fn allow_unconditional_update(resource: &Resource) -> bool {
    let openshift =
        resource.storage.0.ends_with(".openshift.io") || resource.group.ends_with(".openshift.io");
    !openshift
        && !matches!(
            resource.plural,
            "poddisruptionbudgets" | "customresourcedefinitions" | "leases" | "priorityclasses"
        )
}

pub(super) fn allow_create_on_update(resource: &Resource) -> bool {
    matches!(
        resource.plural,
        "endpoints"
            | "events"
            | "limitranges"
            | "leases"
            | "roles"
            | "rolebindings"
            | "clusterroles"
            | "clusterrolebindings"
    ) && !resource.group.ends_with(".openshift.io")
        && legacy::grouped(resource).is_none()
}
