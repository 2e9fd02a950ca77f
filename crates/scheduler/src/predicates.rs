//! Predicates: may this pod run on this node?
//!
//! One file per family; [`named`] is the registry by upstream name and [`ORDER`] the order in which
//! they are asked.
//!
//! Invariant: a predicate is pure; an empty answer means that the pod fits.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/algorithm/predicates`.

mod general;
mod host_name;
mod host_ports;
mod node_condition;
mod node_selector;
mod resources;
mod taints;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::pod::PodInfo;
use crate::snapshot::{NodeInfo, Snapshot};

/// Why a pod does not fit a node, in the words of the `FailedScheduling` event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason(pub Cow<'static, str>);

impl Reason {
    const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What predicates may look at besides the node.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The pod to place.
    pub pod: &'a PodInfo,
    /// Everything else.
    pub snapshot: &'a Snapshot,
}

/// One condition on the pair of a pod and a node.
pub trait Predicate: Send + Sync + fmt::Debug {
    /// Upstream's name, as in a policy file.
    fn name(&self) -> &'static str;

    /// Why the pod may not run there; nothing when it may.
    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Vec<Reason>;
}

/// The order in which predicates are asked; the first that fails ends the questions about a node.
pub const ORDER: &[&str] = &[
    "CheckNodeCondition",
    "CheckNodeUnschedulable",
    "GeneralPredicates",
    "HostName",
    "PodFitsHostPorts",
    "MatchNodeSelector",
    "PodFitsResources",
    "NoDiskConflict",
    "PodToleratesNodeTaints",
    "PodToleratesNodeNoExecuteTaints",
    "CheckNodeLabelPresence",
    "CheckServiceAffinity",
    "MaxEBSVolumeCount",
    "MaxGCEPDVolumeCount",
    "MaxCSIVolumeCount",
    "MaxAzureDiskVolumeCount",
    "CheckVolumeBinding",
    "NoVolumeZoneConflict",
    "CheckNodeMemoryPressure",
    "CheckNodePIDPressure",
    "CheckNodeDiskPressure",
    "MatchInterPodAffinity",
];

type Make = fn() -> Arc<dyn Predicate>;

/// Predicates that take no argument.
const REGISTRY: &[(&str, Make)] = &[
    ("CheckNodeCondition", || Arc::new(node_condition::CheckNodeCondition)),
    ("GeneralPredicates", || Arc::new(general::GeneralPredicates)),
    ("HostName", || Arc::new(host_name::HostName)),
    ("PodFitsHostPorts", || Arc::new(host_ports::PodFitsHostPorts)),
    ("PodFitsPorts", || Arc::new(host_ports::PodFitsHostPorts)),
    ("MatchNodeSelector", || Arc::new(node_selector::MatchNodeSelector)),
    ("PodFitsResources", || Arc::new(resources::PodFitsResources)),
    ("PodToleratesNodeTaints", || Arc::new(taints::PodToleratesNodeTaints)),
];

/// The predicate with this name, if there is one.
#[must_use]
pub fn named(name: &str) -> Option<Arc<dyn Predicate>> {
    REGISTRY.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

#[cfg(test)]
mod tests;
