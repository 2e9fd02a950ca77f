//! Predicates: may this pod run on this node?
//!
//! One file per family; [`named`] is the registry by upstream name and [`ORDER`] the order in which
//! they are asked.
//!
//! Invariant: a predicate is pure; an empty answer means that the pod fits.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/algorithm/predicates`.

mod disk_conflict;
mod general;
mod host_name;
mod host_ports;
mod inter_pod_affinity;
mod label_presence;
mod max_volume_count;
mod node_condition;
mod node_selector;
mod pressure;
mod resources;
mod service_affinity;
mod taints;
mod volume_binding;
mod volume_zone;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::neighbours::Neighbours;
use crate::pod::PodInfo;
pub use crate::predicates::label_presence::CheckNodeLabelPresence;
pub use crate::predicates::max_volume_count::{Filter, MaxVolumeCount};
pub use crate::predicates::service_affinity::CheckServiceAffinity;
pub(crate) use crate::predicates::service_affinity::wanted as wanted_of_siblings;
pub use crate::predicates::volume_binding::{Binding, bindings};
use crate::snapshot::{NodeInfo, Snapshot};
pub(crate) use api::views::node::{expressions_match, term_matches};

/// Why a pod does not fit a node, in the words of the `FailedScheduling` event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
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

/// The reasons against a node, or why the question cannot be answered, which ends the attempt.
pub type Answer = Result<Vec<Reason>, String>;

/// The answer of a predicate that knows one reason.
fn unless(fits: bool, reason: &Reason) -> Answer {
    Ok(if fits { Vec::new() } else { vec![reason.clone()] })
}

/// What predicates may look at besides the node.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The pod to place.
    pub pod: &'a PodInfo,
    /// Everything else.
    pub snapshot: &'a Snapshot,
    /// What the pods that are there mean for the pod.
    pub neighbours: &'a Neighbours,
}

/// What an answer depends on besides the pod's own fields and the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nothing.
    Node,
    /// Claims and volumes, of pods that have any.
    Volumes,
    /// Pods by place.
    Neighbours,
    /// The first pod of the same kind and where it is.
    Siblings,
}

/// One condition on the pair of a pod and a node.
pub trait Predicate: Send + Sync + fmt::Debug {
    /// Upstream's name, or the one that the policy gives it.
    fn name(&self) -> &str;

    /// Upstream's name of the rule, which has a place in [`ORDER`].
    fn rule(&self) -> &'static str;

    /// What the answer depends on.
    fn scope(&self) -> Scope {
        Scope::Node
    }

    /// The node labels whose values of the first sibling the answer depends on.
    fn sibling_labels(&self) -> &[String] {
        &[]
    }

    /// Why the pod may not run there; nothing when it may.
    ///
    /// # Errors
    /// When it cannot be said; the attempt ends with this text.
    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer;
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
    ("CheckNodeUnschedulable", || Arc::new(node_condition::CheckNodeUnschedulable)),
    ("GeneralPredicates", || Arc::new(general::GeneralPredicates::default())),
    ("HostName", || Arc::new(host_name::HostName)),
    ("PodFitsHostPorts", || Arc::new(host_ports::PodFitsHostPorts)),
    ("PodFitsPorts", || Arc::new(host_ports::PodFitsHostPorts)),
    ("MatchNodeSelector", || Arc::new(node_selector::MatchNodeSelector)),
    ("PodFitsResources", || Arc::new(resources::PodFitsResources::default())),
    ("NoDiskConflict", || Arc::new(disk_conflict::NoDiskConflict)),
    ("PodToleratesNodeTaints", || Arc::new(taints::PodToleratesNodeTaints)),
    ("PodToleratesNodeNoExecuteTaints", || Arc::new(taints::PodToleratesNodeNoExecuteTaints)),
    ("MaxEBSVolumeCount", || Arc::new(MaxVolumeCount::new(Filter::Ebs, None))),
    ("MaxGCEPDVolumeCount", || Arc::new(MaxVolumeCount::new(Filter::GcePd, None))),
    ("MaxAzureDiskVolumeCount", || Arc::new(MaxVolumeCount::new(Filter::AzureDisk, None))),
    ("MaxCSIVolumeCountPred", || Arc::new(MaxVolumeCount::new(Filter::Csi, None))),
    ("MaxCSIVolumeCount", || Arc::new(MaxVolumeCount::new(Filter::Csi, None))),
    ("CheckVolumeBinding", || Arc::new(volume_binding::CheckVolumeBinding)),
    ("NoVolumeNodeConflict", || Arc::new(volume_binding::NoVolumeNodeConflict)),
    ("NoVolumeZoneConflict", || Arc::new(volume_zone::NoVolumeZoneConflict)),
    ("CheckNodeMemoryPressure", || Arc::new(pressure::CheckNodeMemoryPressure)),
    ("CheckNodePIDPressure", || Arc::new(pressure::CheckNodePidPressure)),
    ("CheckNodeDiskPressure", || Arc::new(pressure::CheckNodeDiskPressure)),
    ("MatchInterPodAffinity", || Arc::new(inter_pod_affinity::MatchInterPodAffinity)),
];

/// The predicate with this name, if there is one.
#[must_use]
pub fn named(name: &str) -> Option<Arc<dyn Predicate>> {
    REGISTRY.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// Leaves counting some extended resources to others.
pub(crate) fn ignore_resources(predicates: &mut [Arc<dyn Predicate>], names: &[String]) {
    let ignoring = || resources::PodFitsResources { ignored: names.iter().cloned().collect() };
    for predicate in predicates {
        match predicate.rule() {
            "PodFitsResources" => *predicate = Arc::new(ignoring()),
            "GeneralPredicates" => {
                *predicate = Arc::new(general::GeneralPredicates { resources: ignoring() });
            }
            _ => {}
        }
    }
}

/// Everything that stands between a pod and its claims before any node is asked; `None` when
/// nothing does.
///
/// Mirrors: `podPassesBasicChecks` of `core/generic_scheduler.go`.
#[must_use]
pub fn missing_claim(snapshot: &Snapshot, pod: &PodInfo) -> Option<String> {
    use apimachinery::ObjectExt as _;
    if !pod.has_volumes {
        return None;
    }
    for volume in pod.pod.list_at(&["spec", "volumes"]) {
        let name = volume.str_at(&["persistentVolumeClaim", "claimName"]);
        if volume.get("persistentVolumeClaim").is_none_or(apimachinery::Value::is_null) {
            continue;
        }
        match snapshot.volumes.claim(pod.pod.namespace(), name) {
            None => return Some(format!("persistentvolumeclaim {name:?} not found")),
            Some(claim) if claim.deletion_timestamp().is_some() => {
                return Some(format!("persistentvolumeclaim {name:?} is being deleted"));
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
