//! The decision about one pod, with everything that led to it.
//!
//! [`decide`] asks every predicate about every node and scores every node that fits: slow, plain, and
//! what [`crate::fast`] must agree with. What it returns is the explanation.
//!
//! Invariant: [`decide`] is pure: the same facts, policy and turn give the same decision.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/core/generic_scheduler.go`.

use std::collections::BTreeMap;

use controller_runtime::Key;
use serde::Serialize;

use crate::extender::Advice;
use crate::neighbours::Neighbours;
use crate::pod::PodInfo;
use crate::predicates::{self, Reason};
use crate::priorities;
use crate::profile::Profile;
use crate::snapshot::{NodeInfo, Snapshot};

/// What one predicate says about one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The predicate's name.
    pub predicate: String,
    /// Why the pod does not fit; none when it does.
    pub reasons: Vec<Reason>,
    /// Why the question could not be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the predicates say about one node. Predicates after the first that failed were not asked,
/// unless the policy wants them to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeVerdict {
    /// The node.
    pub node: String,
    /// Every predicate asked, in order.
    pub predicates: Vec<Verdict>,
}

impl NodeVerdict {
    /// Whether the pod fits.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.predicates.iter().all(|asked| asked.reasons.is_empty() && asked.error.is_none())
    }

    /// All reasons against the node.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.predicates.iter().flat_map(|asked| &asked.reasons)
    }

    fn error(&self) -> Option<&String> {
        self.predicates.iter().find_map(|asked| asked.error.as_ref())
    }
}

/// What one priority says about one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// The priority's name.
    pub priority: String,
    /// From 0 to 10.
    pub score: i64,
    /// What the score is multiplied by.
    pub weight: i64,
}

/// What the priorities say about one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeScore {
    /// The node.
    pub node: String,
    /// Every priority.
    pub priorities: Vec<Score>,
    /// The weighted sum.
    pub total: i64,
}

/// How one of several best nodes was picked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TieBreak {
    /// The nodes that share the best score, in the order in which they take turns.
    pub nodes: Vec<String>,
    /// How many decisions had been a matter of turns before.
    pub turn: u64,
    /// The place in `nodes` of the one that was picked: the turn modulo their number.
    pub index: usize,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "result", content = "value")]
pub enum Outcome {
    /// The pod goes there.
    Node(String),
    /// The pod fits nowhere: the text of the event and the condition.
    Unschedulable(String),
    /// It could not be decided: the text of the event and the condition.
    Failed(String),
}

/// A decision and its explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The pod.
    pub pod: String,
    /// Every node, by name.
    pub verdicts: Vec<NodeVerdict>,
    /// The nodes that fit, best first; empty when there was nothing to compare.
    pub scores: Vec<NodeScore>,
    /// How the node was picked among the best; nothing when there was nothing to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie_break: Option<TieBreak>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Decision {
    /// Whether a turn was taken among the best: the next decision must be given the next number.
    #[must_use]
    pub fn took_turn(&self) -> bool {
        self.tie_break.is_some()
    }

    fn ended(pod: &PodInfo, outcome: Outcome) -> Self {
        let pod = Key::of(&pod.pod).to_string();
        Self { pod, verdicts: vec![], scores: vec![], tie_break: None, outcome }
    }
}

/// Chooses a node for `pod`. `turn` counts the decisions so far in which nodes took turns.
#[must_use]
pub fn decide(profile: &Profile, snapshot: &Snapshot, pod: &PodInfo, turn: u64) -> Decision {
    decide_with(profile, snapshot, pod, turn, &Advice::default())
}

/// Explains where `pod` goes: [`decide`], asking every predicate about every node even after one has
/// failed. A pod that is placed already is judged as if it were not.
#[must_use]
pub fn explain(profile: &Profile, snapshot: &Snapshot, pod: &PodInfo, turn: u64) -> Decision {
    let profile = Profile { always_check_all_predicates: true, ..profile.clone() };
    decide(&profile, snapshot, pod, turn)
}

/// Chooses a node for `pod`, minding what extenders have said.
#[must_use]
pub fn decide_with(
    profile: &Profile,
    snapshot: &Snapshot,
    pod: &PodInfo,
    turn: u64,
    advice: &Advice,
) -> Decision {
    if let Some(text) = predicates::missing_claim(snapshot, pod) {
        return Decision::ended(pod, Outcome::Failed(text));
    }
    if snapshot.is_empty() {
        let text = "no nodes available to schedule pods".to_owned();
        return Decision::ended(pod, Outcome::Failed(text));
    }
    let neighbours = profile.neighbours(snapshot, pod);
    let mut decision = Decision::ended(pod, Outcome::Failed(String::new()));
    decision.verdicts = snapshot
        .nodes()
        .map(|node| {
            let mut verdict = judge(profile, snapshot, &neighbours, pod, node);
            advice.judge(&mut verdict);
            verdict
        })
        .collect();
    if let Some(text) = errors(&decision.verdicts) {
        decision.outcome = Outcome::Failed(text);
        return decision;
    }
    let fits = |(verdict, node)| NodeVerdict::fits(verdict).then_some(node);
    let feasible: Vec<&NodeInfo> =
        decision.verdicts.iter().zip(snapshot.nodes()).filter_map(fits).collect();
    match feasible.as_slice() {
        [] => decision.outcome = Outcome::Unschedulable(refusal(&decision.verdicts)),
        [only] => decision.outcome = Outcome::Node(only.name.to_string()),
        nodes => {
            let request = priorities::Request { pod, snapshot, neighbours: &neighbours };
            decision.scores = score(profile, &request, nodes, advice);
            let nodes = best(&decision.scores);
            let index = usize::try_from(turn % nodes.len() as u64).unwrap_or(0);
            decision.outcome = Outcome::Node(nodes[index].clone());
            decision.tie_break = Some(TieBreak { nodes, turn, index });
        }
    }
    decision
}

/// Asks the predicates about a node: first as if the pods were there that room was made for and that
/// do not go later, then, if there are such, without them too.
///
/// Mirrors: `podFitsOnNode`.
fn judge(
    profile: &Profile,
    snapshot: &Snapshot,
    neighbours: &Neighbours,
    pod: &PodInfo,
    node: &NodeInfo,
) -> NodeVerdict {
    let key = Key::of(&pod.pod);
    let mut awaited = snapshot.nominated.iter().filter(|(other, (place, info))| {
        **place == *node.name && info.priority >= pod.priority && **other != key
    });
    if let Some(first) = awaited.next() {
        let (mut node, mut neighbours) = (node.clone(), neighbours.clone());
        for (key, (_, info)) in std::iter::once(first).chain(awaited) {
            neighbours.shift(pod, info, node.labels(), 1, profile.hard_pod_affinity_weight);
            node.add(key, info.clone());
        }
        let verdict = ask(profile, snapshot, &neighbours, pod, &node);
        if !verdict.fits() {
            return verdict;
        }
    }
    ask(profile, snapshot, neighbours, pod, node)
}

/// Asks the predicates about a node as it is.
pub(crate) fn ask(
    profile: &Profile,
    snapshot: &Snapshot,
    neighbours: &Neighbours,
    pod: &PodInfo,
    node: &NodeInfo,
) -> NodeVerdict {
    let request = predicates::Request { pod, snapshot, neighbours };
    let mut asked = Vec::with_capacity(profile.predicates.len());
    for predicate in &profile.predicates {
        let (reasons, error) = match predicate.check(&request, node) {
            Ok(reasons) => (reasons, None),
            Err(text) => (Vec::new(), Some(text)),
        };
        let failed = !reasons.is_empty() || error.is_some();
        asked.push(Verdict { predicate: predicate.name().to_owned(), reasons, error });
        if failed && !profile.always_check_all_predicates {
            break;
        }
    }
    NodeVerdict { node: node.name.to_string(), predicates: asked }
}

/// What could not be answered, each text with how often it was said; nothing when all was.
fn errors(verdicts: &[NodeVerdict]) -> Option<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for text in verdicts.iter().filter_map(NodeVerdict::error) {
        *counts.entry(text).or_insert(0) += 1;
    }
    let mut texts: Vec<String> = counts
        .into_iter()
        .map(|(text, count)| match count {
            1 => text.clone(),
            count => format!("{text} (repeated {count} times)"),
        })
        .collect();
    match texts.len() {
        0 => None,
        1 => texts.pop(),
        _ => Some(format!("[{}]", texts.join(", "))),
    }
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match node selector.`
fn refusal(verdicts: &[NodeVerdict]) -> String {
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
    advice: &Advice,
) -> Vec<NodeScore> {
    let blank = |node: &&NodeInfo| NodeScore {
        node: node.name.to_string(),
        priorities: Vec::with_capacity(profile.priorities.len()),
        total: 0,
    };
    let mut scores: Vec<NodeScore> = nodes.iter().map(blank).collect();
    for (priority, weight) in &profile.priorities {
        let given = priorities::scores(&**priority, request, nodes);
        for (entry, score) in scores.iter_mut().zip(given) {
            let priority = priority.name().to_owned();
            entry.priorities.push(Score { priority, score, weight: *weight });
            entry.total += score * weight;
        }
    }
    for entry in &mut scores {
        advice.score(entry);
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
