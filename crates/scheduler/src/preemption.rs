//! Preemption: whom to send away so that a more important pod fits.
//!
//! Invariant: pure; a victim's priority is always lower than the pod's.
//!
//! Mirrors: `Preempt` of `k8s.io/kubernetes/pkg/scheduler/core/generic_scheduler.go`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;

use crate::decision::{Decision, NodeVerdict, ask};
use crate::neighbours::Neighbours;
use crate::pod::PodInfo;
use crate::profile::Profile;
use crate::snapshot::{NodeInfo, Snapshot};

/// Reasons that stay, whoever goes.
const UNRESOLVABLE: [&str; 11] = [
    "node(s) didn't match node selector",
    "node(s) didn't match the requested hostname",
    "node(s) had taints that the pod didn't tolerate",
    "node(s) didn't have the requested labels",
    "node(s) were not ready",
    "node(s) had unavailable network",
    "node(s) were unschedulable",
    "node(s) had unknown conditions",
    "node(s) had no available volume zone",
    "node(s) had volume node affinity conflict",
    "node(s) didn't find available persistent volumes to bind",
];

/// Who must go from a node.
#[derive(Debug, Clone, Default)]
pub struct Victims {
    /// The pods; the most important one of each kind first.
    pub pods: Vec<PodInfo>,
    /// How many of them a disruption budget protects.
    pub violations: usize,
}

/// What to do for a pod that fits nowhere.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where room is made.
    pub node: String,
    /// Who must go; nobody when the pod fits by now.
    pub victims: Vec<PodInfo>,
    /// Less important pods that wait for room on the node and must look elsewhere.
    pub outranked: Vec<Key>,
}

/// The nodes on which room can be made for `pod`, about which `decision` was made, and who must go
/// from each.
#[must_use]
pub fn candidates(
    profile: &Profile,
    snapshot: &Snapshot,
    pod: &PodInfo,
    decision: &Decision,
) -> BTreeMap<String, Victims> {
    if !is_eligible(snapshot, pod) {
        return BTreeMap::new();
    }
    let neighbours = profile.neighbours(snapshot, pod);
    let helped = decision.verdicts.iter().filter(|verdict| might_help(verdict));
    let nodes = helped.filter_map(|verdict| {
        let node = snapshot.node(&verdict.node)?;
        let victims = victims(profile, snapshot, &neighbours, pod, node)?;
        Some((verdict.node.clone(), victims))
    });
    nodes.collect()
}

/// What to do for `pod`, for whom room can be made on these nodes; `None` when there are none.
#[must_use]
pub fn plan(
    snapshot: &Snapshot,
    pod: &PodInfo,
    mut nodes: BTreeMap<String, Victims>,
) -> Option<Plan> {
    let node = pick(&nodes)?.to_owned();
    let outranked = snapshot
        .nominated
        .iter()
        .filter(|(_, (place, other))| *place == node && other.priority < pod.priority)
        .map(|(key, _)| key.clone())
        .collect();
    let victims = nodes.remove(&node).unwrap_or_default().pods;
    Some(Plan { node, victims, outranked })
}

/// Whether `pod` may send others away: not while those of its last time are still going.
#[must_use]
pub fn is_eligible(snapshot: &Snapshot, pod: &PodInfo) -> bool {
    let nominated = pod.pod.str_at(&["status", "nominatedNodeName"]);
    let Some(node) = snapshot.node(nominated) else { return true };
    let going = |other: &PodInfo| other.pod.deletion_timestamp().is_some();
    !node.pods.values().any(|other| going(other) && other.priority < pod.priority)
}

/// Whether the reasons against a node may go with other pods.
#[must_use]
pub fn might_help(verdict: &NodeVerdict) -> bool {
    !verdict.fits() && !verdict.reasons().any(|reason| UNRESOLVABLE.contains(&&*reason.0))
}

/// The fewest pods that must go from `node` so that `pod` fits; `None` when it never does.
#[must_use]
pub fn victims(
    profile: &Profile,
    snapshot: &Snapshot,
    neighbours: &Neighbours,
    pod: &PodInfo,
    node: &NodeInfo,
) -> Option<Victims> {
    let mut trial =
        Trial { profile, snapshot, pod, node: node.clone(), neighbours: neighbours.clone() };
    trial.add_nominated();
    let lesser = node.pods.iter().filter(|(_, other)| other.priority < pod.priority);
    let mut lesser: Vec<(Key, PodInfo)> =
        lesser.map(|(key, other)| (key.clone(), other.clone())).collect();
    lesser.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (key, other) in &lesser {
        trial.remove(key, other);
    }
    if !trial.fits() {
        return None;
    }
    let (mut guarded, mut free): (Vec<_>, Vec<_>) =
        lesser.into_iter().partition(|(_, other)| is_guarded(snapshot, &other.pod));
    guarded.sort_by_key(|(_, other)| Reverse(other.priority));
    free.sort_by_key(|(_, other)| Reverse(other.priority));
    let mut victims = Victims::default();
    for (key, other) in guarded {
        if !trial.reprieve(&key, &other) {
            victims.violations += 1;
            victims.pods.push(other);
        }
    }
    for (key, other) in free {
        if !trial.reprieve(&key, &other) {
            victims.pods.push(other);
        }
    }
    Some(victims)
}

/// A node on which pods come and go for the sake of the argument.
struct Trial<'a> {
    profile: &'a Profile,
    snapshot: &'a Snapshot,
    pod: &'a PodInfo,
    node: NodeInfo,
    neighbours: Neighbours,
}

impl Trial<'_> {
    fn shift(&mut self, other: &PodInfo, by: i64) {
        let weight = self.profile.hard_pod_affinity_weight;
        self.neighbours.shift(self.pod, other, self.node.labels(), by, weight);
    }

    /// Adds the pods that room was made for and that do not go later.
    fn add_nominated(&mut self) {
        let own = Key::of(&self.pod.pod);
        for (key, (place, other)) in &self.snapshot.nominated {
            if **place == *self.node.name && other.priority >= self.pod.priority && *key != own {
                self.node.add(key, other.clone());
                self.shift(other, 1);
            }
        }
    }

    fn remove(&mut self, key: &Key, other: &PodInfo) {
        self.node.remove(key);
        self.shift(other, -1);
    }

    fn fits(&self) -> bool {
        ask(self.profile, self.snapshot, &self.neighbours, self.pod, &self.node).fits()
    }

    /// Whether the other pod may stay after all.
    fn reprieve(&mut self, key: &Key, other: &PodInfo) -> bool {
        self.node.add(key, other.clone());
        self.shift(other, 1);
        let fits = self.fits();
        if !fits {
            self.remove(key, other);
        }
        fits
    }
}

/// Whether a disruption budget that allows none protects the pod.
fn is_guarded(snapshot: &Snapshot, pod: &Value) -> bool {
    if pod.labels().is_none_or(apimachinery::Map::is_empty) {
        return false;
    }
    snapshot.budgets.values().filter(|budget| budget.namespace() == pod.namespace()).any(|budget| {
        let selector = budget.at(&["spec", "selector"]).unwrap_or(&Value::Null);
        let selector = LabelSelector::from_json(selector);
        selector.is_ok_and(|selector| !selector.is_empty() && selector.matches_object(pod))
            && budget.int_at(&["status", "disruptionsAllowed"]).unwrap_or(0) <= 0
    })
}

/// The node where it hurts least: fewest protected victims, then the least important most important
/// victim, then the smallest sum of importance, then the fewest, then the first.
#[must_use]
pub fn pick(nodes: &BTreeMap<String, Victims>) -> Option<&str> {
    const LIFT: i64 = 1 << 31;
    if let Some((name, _)) = nodes.iter().find(|(_, victims)| victims.pods.is_empty()) {
        return Some(name);
    }
    let cost = |victims: &Victims| {
        let top = victims.pods.first().map_or(0, |pod| pod.priority);
        let sum: i64 = victims.pods.iter().map(|pod| pod.priority + LIFT).sum();
        (victims.violations, top, sum, victims.pods.len())
    };
    nodes.iter().min_by_key(|(_, victims)| cost(victims)).map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests;
