//! A decision of the scheduler, made again, with what people need to read it.
//!
//! Invariant: the verdicts, scores and tie of [`Placement::decision`] are what [`scheduler::explain`]
//! says, its outcome what [`scheduler::decide`] says: the words of the event.

use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::Client;
use scheduler::{Decision, Outcome, PodInfo, Profile, Snapshot, recall};
use serde::Serialize;

use crate::glossary;
use crate::remedy;

/// A rule of the policy and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Upstream's name, or the one that the policy gives.
    pub name: String,
    /// The question it asks, or what it likes.
    pub means: String,
}

/// Why a node was refused, with figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The node.
    pub node: String,
    /// The predicate.
    pub predicate: String,
    /// The reason, in the scheduler's words.
    pub reason: String,
    /// What exactly is wanting.
    pub detail: String,
}

/// A decision and its reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The revision of the store that the facts are of.
    pub revision: u64,
    /// The node that the pod was bound to; nothing when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<String>,
    /// Whether the decision comes out as recorded; nothing when there is nothing to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
    /// Whether another policy than the cluster's was asked for.
    pub other_policy: bool,
    /// The predicates of the policy, in the order in which they are asked.
    pub predicates: Vec<Rule>,
    /// The priorities of the policy.
    pub priorities: Vec<Rule>,
    /// The decision.
    pub decision: Decision,
    /// Why nodes were refused.
    pub refusals: Vec<Refusal>,
    /// What would let the pod fit; nothing when it fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The revision.
    pub revision: u64,
    /// The cluster.
    pub snapshot: &'a Snapshot,
    /// The pod.
    pub pod: &'a PodInfo,
    /// How many decisions had been a matter of turns before.
    pub turn: u64,
}

impl Placement {
    /// The decision about a pod by `profile`.
    #[must_use]
    pub fn of(facts: Facts<'_>, profile: &Profile) -> Self {
        let Facts { revision, snapshot, pod, turn } = facts;
        let mut decision = scheduler::explain(profile, snapshot, pod, turn);
        decision.outcome = scheduler::decide(profile, snapshot, pod, turn).outcome;
        let predicates = profile.predicates.iter().map(|predicate| Rule {
            name: predicate.name().to_owned(),
            means: glossary::question(&**predicate),
        });
        let priorities = profile.priorities.iter().map(|(priority, _)| Rule {
            name: priority.name().to_owned(),
            means: glossary::liking(&**priority),
        });
        let refusals = remedy::refusals(snapshot, pod, &decision);
        let fits = matches!(decision.outcome, Outcome::Node(_));
        let help =
            if fits { Vec::new() } else { remedy::remedies(snapshot, pod, &decision, &refusals) };
        Self {
            revision,
            recorded: None,
            agrees: None,
            other_policy: false,
            predicates: predicates.collect(),
            priorities: priorities.collect(),
            decision,
            refusals,
            help,
        }
    }

    /// The node that the decision chooses.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match &self.decision.outcome {
            Outcome::Node(node) => Some(node),
            _ => None,
        }
    }

    /// The names of the nodes go: for those who may not see nodes.
    pub fn veil(&mut self) {
        self.decision.verdicts.clear();
        self.decision.scores.clear();
        self.decision.tie_break = None;
        self.refusals.clear();
        self.help.clear();
    }
}

/// The decision about a pod by `profile`: as it was made if the pod is bound, else as it would be made
/// now. `None` when the pod's node was chosen by someone else, or the record of it is gone.
///
/// # Errors
/// 410 when the store's history does not reach back that far.
pub fn of_pod(
    client: &Client,
    profile: &Profile,
    pod: &std::sync::Arc<Value>,
) -> Result<Option<Placement>, Status> {
    let node = pod.str_at(&["spec", "nodeName"]);
    if !node.is_empty() {
        let Some(recall) = recall(client, pod.namespace(), pod.name())? else { return Ok(None) };
        let facts = Facts {
            revision: recall.revision,
            snapshot: &recall.snapshot,
            pod: &recall.pod,
            turn: recall.turn,
        };
        let mut placement = Placement::of(facts, profile);
        placement.agrees = Some(placement.node() == Some(node));
        placement.recorded = Some(node.to_owned());
        return Ok(Some(placement));
    }
    let revision = client.server().store().revision();
    let snapshot = scheduler::facts_at(client, revision)?;
    let pod = PodInfo::new(std::sync::Arc::clone(pod));
    let facts = Facts { revision, snapshot: &snapshot, pod: &pod, turn: 0 };
    Ok(Some(Placement::of(facts, profile)))
}
