//! The controllers of Kubernetes that OpenShift stands on.
//!
//! One module a controller: [`replication`] and [`replica_set`] keep pods at a number (they share
//! `replica`), [`deployment`] rolls replica sets, [`endpoints`] says which pods a service reaches
//! ([`endpoint_slices`] says it again for newer clients),
//! [`namespace`] empties what is being deleted, [`garbage_collector`] removes what lost its owner.
//! `claim`, `pod` and `pod_control` are what pod-owning controllers share. [`all`] is the list that
//! a cluster runs.
//!
//! Invariant: decisions are pure functions of what was observed; only the thin `reconcile` writes.
//! Invariant: a cluster in which nothing changes sees no writes from here.

mod claim;
pub mod deployment;
pub mod endpoint_slices;
pub mod endpoints;
pub mod garbage_collector;
pub mod namespace;
mod pod;
mod pod_control;
mod replica;
pub mod replica_set;
pub mod replication;

use controller_runtime::Controller;

/// Every controller of this crate.
#[must_use]
pub fn all() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(replication::ReplicationController),
        Box::new(replica_set::ReplicaSet),
        Box::new(deployment::Deployment),
        Box::new(endpoints::Endpoints),
        Box::new(endpoint_slices::EndpointSlices),
        Box::new(namespace::Namespace),
        Box::new(garbage_collector::GarbageCollector::default()),
    ]
}
