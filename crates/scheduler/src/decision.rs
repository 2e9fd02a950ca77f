//! The decision about one pod, with everything that led to it.
//!
//! Invariant: [`decide`] is pure.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/core/generic_scheduler.go`.

use std::collections::BTreeMap;

use crate::pod::{PodInfo, Selectors};
use crate::predicates::{self, Reason};
use crate::priorities;
use crate::profile::Profile;
use crate::snapshot::{NodeInfo, Snapshot};

/// What the predicates say about one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVerdict {
    /// The node.
    pub node: String,
    /// Every predicate asked, with its reasons; none when the pod fits by it.
    pub predicates: Vec<(&'static str, Vec<Reason>)>,
}

impl NodeVerdict {
    /// Whether the pod fits.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.predicates.iter().all(|(_, reasons)| reasons.is_empty())
    }

    /// All reasons against the node.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.predicates.iter().flat_map(|(_, reasons)| reasons)
    }
}

/// What the priorities say about one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeScore {
    /// The node.
    pub node: String,
    /// Name, score and weight of every priority.
    pub priorities: Vec<(&'static str, i64, i64)>,
    /// The weighted sum.
    pub total: i64,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The pod goes there.
    Node(String),
    /// The pod goes nowhere, for this reason: the text of the event and the condition.
    Unschedulable(String),
}

/// A decision and its explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Every node, by name.
    pub verdicts: Vec<NodeVerdict>,
    /// The nodes that fit, best first; empty when there was nothing to compare.
    pub scores: Vec<NodeScore>,
    /// The nodes that share the best score, in the order in which they take turns.
    pub best: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Decision {
    /// Whether a turn was taken among the best: the next decision must be given the next number.
    #[must_use]
    pub fn took_turn(&self) -> bool {
        !self.best.is_empty()
    }
}

/// Chooses a node for `pod`. `turn` counts the decisions so far in which nodes took turns.
#[must_use]
pub fn decide(
    profile: &Profile,
    snapshot: &Snapshot,
    pod: &PodInfo,
    selectors: &Selectors,
    turn: u64,
) -> Decision {
    let verdicts: Vec<NodeVerdict> =
        snapshot.nodes().map(|node| judge(profile, snapshot, pod, node)).collect();
    let fits = |(verdict, node)| NodeVerdict::fits(verdict).then_some(node);
    let feasible: Vec<&NodeInfo> = verdicts.iter().zip(snapshot.nodes()).filter_map(fits).collect();
    let (scores, best, outcome) = match feasible.as_slice() {
        [] => (vec![], vec![], Outcome::Unschedulable(refusal(&verdicts))),
        [only] => (vec![], vec![], Outcome::Node(only.name.clone())),
        nodes => {
            let request = priorities::Request { pod, selectors, snapshot };
            let scores = score(profile, &request, nodes);
            let best = best(&scores);
            let index = turn % best.len() as u64;
            let node = best[usize::try_from(index).unwrap_or(0)].clone();
            (scores, best, Outcome::Node(node))
        }
    };
    Decision { verdicts, scores, best, outcome }
}

fn judge(profile: &Profile, snapshot: &Snapshot, pod: &PodInfo, node: &NodeInfo) -> NodeVerdict {
    let request = predicates::Request { pod, snapshot };
    let mut asked = Vec::with_capacity(profile.predicates.len());
    for predicate in &profile.predicates {
        let reasons = predicate.check(&request, node);
        let failed = !reasons.is_empty();
        asked.push((predicate.name(), reasons));
        if failed && !profile.always_check_all_predicates {
            break;
        }
    }
    NodeVerdict { node: node.name.clone(), predicates: asked }
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match node selector.`
fn refusal(verdicts: &[NodeVerdict]) -> String {
    if verdicts.is_empty() {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut counts: BTreeMap<&Reason, usize> = BTreeMap::new();
    for reason in verdicts.iter().flat_map(NodeVerdict::reasons) {
        *counts.entry(reason).or_insert(0) += 1;
    }
    let mut texts: Vec<String> =
        counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    texts.sort();
    format!("0/{} nodes are available: {}.", verdicts.len(), texts.join(", "))
}

/// The weighted scores, best first, ties by name from the end of the alphabet.
fn score(
    profile: &Profile,
    request: &priorities::Request<'_>,
    nodes: &[&NodeInfo],
) -> Vec<NodeScore> {
    let equal = || priorities::named("EqualPriority").map(|priority| (priority, 1));
    let fallback: Vec<_> =
        if profile.priorities.is_empty() { equal().into_iter().collect() } else { vec![] };
    let blank = |node: &&NodeInfo| NodeScore {
        node: node.name.clone(),
        priorities: Vec::with_capacity(profile.priorities.len()),
        total: 0,
    };
    let mut scores: Vec<NodeScore> = nodes.iter().map(blank).collect();
    for (priority, weight) in profile.priorities.iter().chain(&fallback) {
        for (entry, score) in scores.iter_mut().zip(priority.score(request, nodes)) {
            entry.priorities.push((priority.name(), score, *weight));
            entry.total += score * weight;
        }
    }
    scores.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| b.node.cmp(&a.node)));
    scores
}

fn best(scores: &[NodeScore]) -> Vec<String> {
    let top = scores.first().map(|score| score.total);
    let best = scores.iter().take_while(|score| Some(score.total) == top);
    best.map(|score| score.node.clone()).collect()
}

#[cfg(test)]
mod tests;
