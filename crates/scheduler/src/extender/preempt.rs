//! What extenders say about whom to send away: each in turn is told the nodes on which room could be
//! made, with the victims, and gives back those that will do.
//!
//! Invariant: pure. Nobody is sent away whom the scheduler has not seen on that node.
//!
//! Mirrors: `ProcessPreemption` of `k8s.io/kubernetes/pkg/scheduler/core/extender.go`,
//! `processPreemptionWithExtenders` of `generic_scheduler.go`.

use std::collections::BTreeMap;

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};

use super::{Answers, Extender, Question, Verb};
use crate::pod::PodInfo;
use crate::preemption::Victims;
use crate::profile::Profile;
use crate::snapshot::Snapshot;

/// Where room could be made, by node.
type Nodes = BTreeMap<String, Victims>;

/// What comes next for the sake of a pod that fits nowhere.
#[derive(Debug, Clone)]
pub enum Choice {
    /// This must be answered first.
    Ask(Question),
    /// On these nodes room may be made.
    Among(Nodes),
    /// An extender that may not be ignored failed; nobody is sent away.
    Failed(String),
}

/// Asks the extenders about `nodes`, one after the other, as far as they have not answered.
#[must_use]
pub fn choose(
    profile: &Profile,
    snapshot: &Snapshot,
    pod: &PodInfo,
    mut nodes: Nodes,
    answers: &Answers,
) -> Choice {
    for (index, extender) in profile.extenders.iter().enumerate() {
        if nodes.is_empty() {
            break;
        }
        if extender.preempt.is_empty() || !extender.is_interested(pod) {
            continue;
        }
        let Some(answer) = answers.get(&(index, Verb::Preempt)) else {
            let body = arguments(extender, pod, &nodes);
            return Choice::Ask(Question { extender: index, verb: Verb::Preempt, body });
        };
        match answer.as_ref().map_err(Clone::clone).and_then(|answer| chosen(snapshot, answer)) {
            Ok(narrowed) => nodes = narrowed,
            Err(_) if extender.ignorable => {}
            Err(text) => return Choice::Failed(text),
        }
    }
    Choice::Among(nodes)
}

/// The victims, as an extender is told them: uids to one that knows the pods, else whole objects.
fn arguments(extender: &Extender, pod: &PodInfo, nodes: &Nodes) -> Value {
    let (field, by_uid) = match extender.node_cache_capable {
        true => ("nodeNameToMetaVictims", true),
        false => ("nodeToVictims", false),
    };
    let shown = |victim: &PodInfo| {
        if by_uid { json!({"uid": victim.pod.uid()}) } else { Value::clone(&victim.pod) }
    };
    let entry = |(name, victims): (&String, &Victims)| {
        let pods: Vec<Value> = victims.pods.iter().map(shown).collect();
        (name.clone(), json!({"pods": pods, "numPDBViolations": victims.violations}))
    };
    let nodes: Map = nodes.iter().map(entry).collect();
    json!({"pod": *pod.pod, field: nodes})
}

/// The nodes and victims of an answer.
fn chosen(snapshot: &Snapshot, answer: &Value) -> Result<Nodes, String> {
    let field = |value: &Value, upper: &str, lower: &str| {
        value.get(lower).or_else(|| value.get(upper)).cloned().unwrap_or_default()
    };
    let nodes = field(answer, "NodeNameToMetaVictims", "nodeNameToMetaVictims");
    let mut chosen = Nodes::new();
    for (name, victims) in nodes.as_object().into_iter().flatten() {
        let node = snapshot.node(name);
        let mut pods = Vec::new();
        for meta in field(victims, "Pods", "pods").as_array().into_iter().flatten() {
            let uid = field(meta, "UID", "uid");
            let uid = uid.as_str().unwrap_or_default();
            let known = node.and_then(|node| node.pods.values().find(|pod| pod.pod.uid() == uid));
            let known = known.ok_or_else(|| {
                format!("the extender names pod {uid:?}, which is not on node {name:?}")
            })?;
            pods.push(known.clone());
        }
        let violations = field(victims, "NumPDBViolations", "numPDBViolations");
        let violations = violations.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        chosen.insert(name.to_string(), Victims { pods, violations });
    }
    Ok(chosen)
}
