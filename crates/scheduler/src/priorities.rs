//! Priorities: how good is each of the nodes that fit?
//!
//! One file per family; [`named`] is the registry by upstream name.
//!
//! Invariant: scores are whole numbers from 0 to [`MAX`], one for each node, in the order given.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/algorithm/priorities`.

mod equal;
mod resource_allocation;
mod selector_spread;

use std::fmt;
use std::sync::Arc;

use crate::pod::{PodInfo, Selectors};
use crate::snapshot::{NodeInfo, Snapshot};

/// The best score.
pub const MAX: i64 = 10;

/// What priorities may look at besides the nodes.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The pod to place.
    pub pod: &'a PodInfo,
    /// What groups the pod with others.
    pub selectors: &'a Selectors,
    /// Everything else.
    pub snapshot: &'a Snapshot,
}

/// One measure of nodes for a pod.
pub trait Priority: Send + Sync + fmt::Debug {
    /// Upstream's name, as in a policy file.
    fn name(&self) -> &'static str;

    /// The score of each node.
    fn score(&self, request: &Request<'_>, nodes: &[&NodeInfo]) -> Vec<i64>;
}

type Make = fn() -> Arc<dyn Priority>;

/// Priorities that take no argument.
const REGISTRY: &[(&str, Make)] = &[
    ("LeastRequestedPriority", || Arc::new(resource_allocation::LeastRequested)),
    ("MostRequestedPriority", || Arc::new(resource_allocation::MostRequested)),
    ("BalancedResourceAllocation", || Arc::new(resource_allocation::Balanced)),
    ("SelectorSpreadPriority", || Arc::new(selector_spread::SelectorSpread)),
    ("EqualPriority", || Arc::new(equal::Equal)),
];

/// The priority with this name, if there is one.
#[must_use]
pub fn named(name: &str) -> Option<Arc<dyn Priority>> {
    REGISTRY.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

#[cfg(test)]
mod tests;
