//! The controllers of Kubernetes that OpenShift stands on.
//!
//! One module a controller: [`replication`] and [`replica_set`] keep pods at a number (they share
//! `replica`), [`deployment`] rolls replica sets, [`stateful_set`] and [`daemon_set`] keep pods with
//! names and pods on nodes (their templates' past is [`history`]), [`job`] and [`cron_job`] run pods
//! to their end ([`ttl`] clears up after them), [`endpoints`] says which pods a service reaches
//! ([`endpoint_slices`] says it again for newer clients), [`kubernetes_service`] keeps the API's own,
//! [`namespace`] empties what is being deleted, [`garbage_collector`] removes what lost its owner.
//! [`autoscaler`] and [`disruption`] bound how many pods there are, [`node_lifecycle`],
//! [`taint_eviction`] and [`pod_gc`] look after pods whose nodes are lost, [`persistent_volume`]
//! gives claims their volumes.
//! `claim`, `pod` and `pod_control` are what pod-owning controllers share. [`all`] is the list that
//! a cluster runs.
//!
//! Invariant: decisions are pure functions of what was observed; only the thin `reconcile` writes.
//! Invariant: a cluster in which nothing changes sees no writes from here.

pub mod autoscaler;
pub mod claim;
pub mod cron_job;
pub mod custom_resource_definition;
pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slices;
pub mod endpoints;
pub mod garbage_collector;
pub mod history;
pub mod job;
pub mod kubernetes_service;
pub mod namespace;
pub mod node_lifecycle;
pub mod persistent_volume;
pub mod pod;
pub mod pod_control;
pub mod pod_gc;
pub mod replica;
pub mod replica_set;
pub mod replication;
pub mod stateful_set;
pub mod taint_eviction;
pub mod ttl;

use std::sync::Arc;

use controller_runtime::Controller;
use cri::PodMetrics;

/// Every controller of this crate.
#[must_use]
pub fn all() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(replication::ReplicationController),
        Box::new(replica_set::ReplicaSet),
        Box::new(deployment::Deployment),
        Box::new(stateful_set::StatefulSet),
        Box::new(daemon_set::DaemonSet::default()),
        Box::new(job::Job),
        Box::new(cron_job::CronJob),
        Box::new(ttl::TtlAfterFinished),
        Box::new(endpoints::Endpoints),
        Box::new(endpoint_slices::EndpointSlices),
        Box::new(disruption::Disruption),
        Box::new(kubernetes_service::KubernetesService::default()),
        Box::new(namespace::Namespace),
        Box::new(custom_resource_definition::CustomResourceDefinition),
        Box::new(garbage_collector::GarbageCollector::default()),
    ]
}

/// What the controllers of nodes and of the load on them are told.
#[derive(Debug)]
pub struct NodeOptions {
    /// Whether nodes report regularly; without heartbeats nobody can miss one.
    pub heartbeats: bool,
    /// What pods use.
    pub metrics: Arc<dyn PodMetrics>,
}

/// The controllers that need Node objects and a runtime's figures.
#[must_use]
pub fn of_nodes(options: NodeOptions) -> Vec<Box<dyn Controller>> {
    let mut all: Vec<Box<dyn Controller>> = vec![
        Box::new(autoscaler::Autoscaler::new(options.metrics)),
        Box::new(taint_eviction::TaintEviction::default()),
        Box::new(pod_gc::PodGc::default()),
        Box::new(persistent_volume::PersistentVolumeBinder::default()),
    ];
    if options.heartbeats {
        all.push(Box::new(node_lifecycle::NodeLifecycle::default()));
    }
    all
}
