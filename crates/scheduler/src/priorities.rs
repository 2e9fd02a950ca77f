//! Priorities: how good is each node that fits?
//!
//! A priority gives every node a raw number first; then the raw numbers of all nodes that fit are
//! reduced to scores together. Nodes that agree in everything that counts need be reduced but once,
//! which is why [`Item`] has a count.
//!
//! Invariant: a priority is pure; scores are from 0 to [`MAX`].
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/algorithm/priorities`.

mod equal;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_label;
mod prefer_avoid_pods;
mod requested_to_capacity_ratio;
mod resource_allocation;
mod resource_limits;
mod selector_spread;
mod service_anti_affinity;
mod taint_toleration;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::selector::LabelSelector;

use crate::neighbours::Neighbours;
use crate::pod::PodInfo;
pub use crate::priorities::image_locality::normalised as normalised_image_name;
pub use crate::priorities::node_label::NodeLabel;
pub use crate::priorities::requested_to_capacity_ratio::{RequestedToCapacityRatio, Shape};
pub use crate::priorities::service_anti_affinity::ServiceAntiAffinity;
use crate::snapshot::{Group, NodeInfo, Owners, Snapshot};

/// The best score.
pub const MAX: i64 = 10;

/// What priorities may look at besides the nodes.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The pod to place.
    pub pod: &'a PodInfo,
    /// Everything else.
    pub snapshot: &'a Snapshot,
    /// What the pods that are there mean for the pod.
    pub neighbours: &'a Neighbours,
}

/// Which pods count as of one kind with the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kin {
    /// Those that any service or controller of the pod selects.
    AllOwners,
    /// Those that any service of the pod selects.
    Services,
    /// Those that the first service of the pod selects.
    FirstService,
}

impl Kin {
    /// The selectors of `pod`'s kin.
    #[must_use]
    pub fn selectors(self, owners: &Owners, pod: &PodInfo) -> Vec<LabelSelector> {
        let (namespace, labels) = (pod.pod.namespace(), pod.pod.labels());
        match self {
            Self::AllOwners => owners.all(namespace, labels).cloned().collect(),
            Self::Services => owners.services(namespace, labels).cloned().collect(),
            Self::FirstService => owners.services(namespace, labels).take(1).cloned().collect(),
        }
    }
}

/// Whether pods of `group` are kin of a pod in `namespace` whose kin `selectors` select. Pods that are
/// being deleted are nobody's.
#[must_use]
pub fn are_kin(selectors: &[LabelSelector], namespace: &str, group: &Group) -> bool {
    group.namespace() == namespace
        && !group.is_going()
        && selectors.iter().any(|selector| selector.matches(group.labels()))
}

/// Where the raw number of a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the node and the pod alone: [`Priority::raw`].
    Node,
    /// How many of the pod's kin run there.
    Kin(Kin),
    /// How much the pods around draw the pod.
    Pull,
}

/// A node, or several that cannot be told apart: the raw number, becoming the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The raw number; the score once it is reduced.
    pub value: i64,
    /// The number of [`Priority::place`], if there is one.
    pub place: Option<u32>,
    /// How many nodes there are like this.
    pub count: i64,
}

/// One measure of nodes for a pod.
pub trait Priority: Send + Sync + fmt::Debug {
    /// Upstream's name, or the one that the policy gives it.
    fn name(&self) -> &str;

    /// Where raw numbers come from.
    fn source(&self) -> Source {
        Source::Node
    }

    /// The raw number of a node, for those that come from the node.
    fn raw(&self, _pod: &PodInfo, _node: &NodeInfo) -> i64 {
        0
    }

    /// The place of a node, where places matter: its zone, or the value of a label.
    fn place(&self, _node: &NodeInfo) -> Option<String> {
        None
    }

    /// Whether scores depend on the other nodes. If not, a raw number is a score.
    fn is_relative(&self) -> bool {
        self.source() != Source::Node
    }

    /// Whether the raw numbers depend on more of the pod than what predicates look at.
    fn reads(&self) -> Reads {
        Reads::Nothing
    }

    /// Turns raw numbers of all nodes that fit into scores.
    fn reduce(&self, _items: &mut [Item]) {}
}

/// What else of a pod a priority looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Nothing that predicates do not.
    Nothing,
    /// Its images.
    Images,
    /// Its limits.
    Limits,
    /// Its controller, when some node would rather not have its pods.
    Controller,
}

/// The score of each node.
#[must_use]
pub fn scores(priority: &dyn Priority, request: &Request<'_>, nodes: &[&NodeInfo]) -> Vec<i64> {
    let counts = match priority.source() {
        Source::Kin(kin) => kin_by_node(kin, request),
        _ => BTreeMap::new(),
    };
    let mut places = BTreeMap::new();
    let mut items: Vec<Item> = nodes
        .iter()
        .map(|node| {
            let value = match priority.source() {
                Source::Node => priority.raw(request.pod, node),
                Source::Kin(_) => counts.get(&*node.name).copied().unwrap_or(0),
                Source::Pull => request.neighbours.pull_of(node.labels()),
            };
            let place = priority.place(node).map(|place| {
                let next = u32::try_from(places.len()).unwrap_or(u32::MAX);
                *places.entry(place).or_insert(next)
            });
            Item { value, place, count: 1 }
        })
        .collect();
    priority.reduce(&mut items);
    items.iter().map(|item| item.value).collect()
}

/// How many of the pod's kin each node runs.
fn kin_by_node<'a>(kin: Kin, request: &Request<'a>) -> BTreeMap<&'a str, i64> {
    let selectors = kin.selectors(&request.snapshot.owners, request.pod);
    let mut counts = BTreeMap::new();
    if selectors.is_empty() {
        return counts;
    }
    for (_, group) in request.snapshot.groups.iter() {
        if are_kin(&selectors, request.pod.pod.namespace(), group) {
            for (node, count) in &group.nodes {
                *counts.entry(&**node).or_insert(0) += i64::from(*count);
            }
        }
    }
    counts
}

/// Scales raw numbers so that the highest becomes [`MAX`], or, reversed, 0.
///
/// Mirrors: `NormalizeReduce`.
fn normalise(items: &mut [Item], reverse: bool) {
    let max = items.iter().map(|item| item.value).max().unwrap_or(0);
    for item in items {
        let score = if max == 0 { 0 } else { MAX * item.value / max };
        item.value = if reverse { MAX - score } else { score };
    }
}

type Make = fn() -> Arc<dyn Priority>;

/// Priorities that take no argument.
const REGISTRY: &[(&str, Make)] = &[
    ("LeastRequestedPriority", || Arc::new(resource_allocation::LeastRequested)),
    ("MostRequestedPriority", || Arc::new(resource_allocation::MostRequested)),
    ("BalancedResourceAllocation", || Arc::new(resource_allocation::Balanced)),
    ("SelectorSpreadPriority", || Arc::new(selector_spread::SelectorSpread)),
    ("ServiceSpreadingPriority", || Arc::new(selector_spread::ServiceSpreading)),
    ("EqualPriority", || Arc::new(equal::Equal)),
    ("NodeAffinityPriority", || Arc::new(node_affinity::NodeAffinity)),
    ("TaintTolerationPriority", || Arc::new(taint_toleration::TaintToleration)),
    ("InterPodAffinityPriority", || Arc::new(inter_pod_affinity::InterPodAffinity)),
    ("NodePreferAvoidPodsPriority", || Arc::new(prefer_avoid_pods::NodePreferAvoidPods)),
    ("ImageLocalityPriority", || Arc::new(image_locality::ImageLocality)),
    ("ResourceLimitsPriority", || Arc::new(resource_limits::ResourceLimits)),
    ("RequestedToCapacityRatioPriority", || Arc::new(RequestedToCapacityRatio::default())),
];

/// The priority with this name, if there is one.
#[must_use]
pub fn named(name: &str) -> Option<Arc<dyn Priority>> {
    REGISTRY.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

#[cfg(test)]
mod tests;
