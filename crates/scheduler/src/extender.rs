//! Extenders: programs that have a say over HTTP in which nodes fit, how good they are, who binds, and
//! whom to send away for a pod that fits nowhere.
//!
//! The loop never waits for one: [`next`] says, from the answers that are in, what to ask or what to
//! decide, and is asked again when another answer comes. The call itself is a [`Caller`]'s.
//!
//! Invariant: [`next`] is pure. What an extender has approved must still fit when it is bound.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/core/extender.go`.

mod preempt;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::decision::{Decision, NodeScore, NodeVerdict, Outcome, Score, Verdict, decide_with};
use crate::pod::PodInfo;
use crate::predicates::Reason;
use crate::profile::Profile;
use crate::snapshot::Snapshot;

pub use self::preempt::{Choice, choose};

/// Why an extender cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It scores nodes, but its scores weigh nothing.
    #[error("Priority for extender {0} should have a positive weight applied to it")]
    Weight(String),
    /// Several want to bind.
    #[error("Only one extender can implement bind, found {0}")]
    Binders(usize),
    /// A resource has two masters.
    #[error("Duplicate extender managed resource name {0}")]
    Resource(String),
}

/// One extender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extender {
    /// Where it listens; a verb follows after a slash.
    pub url_prefix: String,
    filter: String,
    prioritize: String,
    bind: String,
    preempt: String,
    weight: i64,
    /// Whether it is called over TLS.
    pub tls: bool,
    /// The certificates that are trusted, PEM.
    pub ca: Vec<u8>,
    /// How long an answer may take.
    pub timeout: Duration,
    node_cache_capable: bool,
    ignorable: bool,
    /// Name, and whether the scheduler leaves counting it to the extender.
    managed: Vec<(String, bool)>,
}

/// What an extender is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Which nodes fit.
    Filter,
    /// How good they are.
    Prioritize,
    /// To bind.
    Bind,
    /// From which nodes which pods may be sent away.
    Preempt,
}

impl Extender {
    /// Reads an entry of a policy.
    ///
    /// # Errors
    /// When its scores weigh nothing.
    pub fn read(entry: &Value) -> Result<Self, Error> {
        let text = |field: &str| entry.str_at(&[field]).to_owned();
        let weight = entry.int_at(&["weight"]).unwrap_or(0);
        let url_prefix = text("urlPrefix").trim_end_matches('/').to_owned();
        if !text("prioritizeVerb").is_empty() && weight <= 0 {
            return Err(Error::Weight(url_prefix));
        }
        let nanos = entry.int_at(&["httpTimeout"]).and_then(|nanos| u64::try_from(nanos).ok());
        let managed = entry.list_at(&["managedResources"]).iter();
        let managed = managed
            .map(|it| (it.str_at(&["name"]).to_owned(), it.bool_at(&["ignoredByScheduler"])));
        let ca = entry.str_at(&["tlsConfig", "caData"]);
        Ok(Self {
            filter: text("filterVerb"),
            prioritize: text("prioritizeVerb"),
            bind: text("bindVerb"),
            preempt: text("preemptVerb"),
            weight,
            tls: entry.bool_at(&["enableHttps"]),
            ca: ca.as_bytes().to_vec(),
            timeout: Duration::from_nanos(nanos.filter(|n| *n > 0).unwrap_or(5_000_000_000)),
            node_cache_capable: entry.bool_at(&["nodeCacheCapable"]),
            ignorable: entry.bool_at(&["ignorable"]),
            managed: managed.collect(),
            url_prefix,
        })
    }

    /// The resources that only the extender counts.
    pub fn ignored_resources(&self) -> impl Iterator<Item = &str> {
        self.managed.iter().filter(|(_, ignored)| *ignored).map(|(name, _)| name.as_str())
    }

    /// The address of a verb; `None` when the extender does not have it.
    #[must_use]
    pub fn url(&self, verb: Verb) -> Option<String> {
        let path = match verb {
            Verb::Filter => &self.filter,
            Verb::Prioritize => &self.prioritize,
            Verb::Bind => &self.bind,
            Verb::Preempt => &self.preempt,
        };
        (!path.is_empty()).then(|| format!("{}/{path}", self.url_prefix))
    }

    /// Whether the pod is of its business: it manages all resources, or one that the pod names.
    #[must_use]
    pub fn is_interested(&self, pod: &PodInfo) -> bool {
        let spec = ["containers", "initContainers"];
        let mut containers = spec.iter().flat_map(|list| pod.pod.list_at(&["spec", list]));
        self.managed.is_empty()
            || containers.any(|container| {
                let named = |(name, _): &(String, bool)| {
                    let in_list =
                        |list: &str| container.at(&["resources", list, name.as_str()]).is_some();
                    in_list("requests") || in_list("limits")
                };
                self.managed.iter().any(named)
            })
    }
}

/// Checks what only shows of all extenders together.
///
/// # Errors
/// When two want to bind, or manage one resource.
pub fn validate(extenders: &[Extender]) -> Result<(), Error> {
    let binders = extenders.iter().filter(|extender| !extender.bind.is_empty()).count();
    if binders > 1 {
        return Err(Error::Binders(binders));
    }
    let mut seen = BTreeSet::new();
    for (name, _) in extenders.iter().flat_map(|extender| &extender.managed) {
        if !seen.insert(name) {
            return Err(Error::Resource(name.clone()));
        }
    }
    Ok(())
}

/// Calls extenders, from wherever that may wait.
pub trait Caller: Send + Sync + fmt::Debug {
    /// Posts `body` and hands over the answer, at once or later, from any thread.
    fn post(&self, extender: &Extender, url: &str, body: &Value, done: Done);
}

/// Takes an answer.
pub type Done = Box<dyn FnOnce(Result<Value, String>) + Send>;

/// What extenders have said about a pod so far.
#[derive(Debug, Clone, Default)]
pub struct Advice {
    /// The nodes that still stand; all when nobody was asked.
    approved: Option<BTreeSet<String>>,
    /// Why others do not, in the extenders' words.
    refused: BTreeMap<String, String>,
    /// What is added to a node's score.
    scores: BTreeMap<String, Vec<Score>>,
}

impl Advice {
    /// Adds the extenders' refusal, if the predicates have none.
    pub(crate) fn judge(&self, verdict: &mut NodeVerdict) {
        let stands = self.approved.as_ref().is_none_or(|nodes| nodes.contains(&verdict.node));
        if !stands && verdict.fits() {
            let told = self.refused.get(&verdict.node).cloned();
            let told = told.unwrap_or_else(|| "node(s) were refused by an extender".to_owned());
            verdict.predicates.push(Verdict {
                predicate: "Extender".to_owned(),
                reasons: vec![Reason(told.into())],
                error: None,
            });
        }
    }

    /// Adds the extenders' scores.
    pub(crate) fn score(&self, entry: &mut NodeScore) {
        for score in self.scores.get(&entry.node).into_iter().flatten() {
            entry.total += score.score * score.weight;
            entry.priorities.push(score.clone());
        }
    }
}

/// A question to the extender at an index of the profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Which extender.
    pub extender: usize,
    /// What.
    pub verb: Verb,
    /// The arguments.
    pub body: Value,
}

/// The answers that are in.
pub type Answers = BTreeMap<(usize, Verb), Result<Value, String>>;

/// What comes next for a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// These must be answered first.
    Ask(Vec<Question>),
    /// It is decided.
    Decided(Box<Decision>),
}

/// What comes next for `pod`, after `answers`.
#[must_use]
pub fn next(
    profile: &Profile,
    snapshot: &Snapshot,
    pod: &PodInfo,
    turn: u64,
    answers: &Answers,
) -> Next {
    let mut advice = Advice::default();
    let mut decision = decide_with(profile, snapshot, pod, turn, &advice);
    for (index, extender) in profile.extenders.iter().enumerate() {
        let Outcome::Node(_) = decision.outcome else { return Next::Decided(Box::new(decision)) };
        if extender.filter.is_empty() || !extender.is_interested(pod) {
            continue;
        }
        let Some(answer) = answers.get(&(index, Verb::Filter)) else {
            let body = arguments(snapshot, pod, extender, &decision);
            return Next::Ask(vec![Question { extender: index, verb: Verb::Filter, body }]);
        };
        match filtered(answer) {
            Ok((nodes, refused)) => {
                advice.approved = Some(match advice.approved.take() {
                    Some(before) => before.intersection(&nodes).cloned().collect(),
                    None => nodes,
                });
                advice.refused.extend(refused);
            }
            Err(_) if extender.ignorable => continue,
            Err(text) => {
                decision.outcome = Outcome::Failed(text);
                return Next::Decided(Box::new(decision));
            }
        }
        decision = decide_with(profile, snapshot, pod, turn, &advice);
    }
    if decision.scores.is_empty() {
        return Next::Decided(Box::new(decision));
    }
    let mut questions = Vec::new();
    for (index, extender) in profile.extenders.iter().enumerate() {
        if extender.prioritize.is_empty() || !extender.is_interested(pod) {
            continue;
        }
        match answers.get(&(index, Verb::Prioritize)) {
            None => {
                let body = arguments(snapshot, pod, extender, &decision);
                questions.push(Question { extender: index, verb: Verb::Prioritize, body });
            }
            Some(answer) => prioritized(&mut advice, extender, answer),
        }
    }
    if questions.is_empty() {
        Next::Decided(Box::new(decide_with(profile, snapshot, pod, turn, &advice)))
    } else {
        Next::Ask(questions)
    }
}

/// The nodes that fit so far, as an extender is told them: names to one that knows the nodes, else
/// whole objects.
fn arguments(
    snapshot: &Snapshot,
    pod: &PodInfo,
    extender: &Extender,
    decision: &Decision,
) -> Value {
    let fitting = decision.verdicts.iter().filter(|verdict| verdict.fits());
    let names = fitting.map(|verdict| verdict.node.as_str());
    if extender.node_cache_capable {
        return json!({"pod": *pod.pod, "nodenames": names.collect::<Vec<_>>()});
    }
    let nodes: Vec<Value> =
        names.filter_map(|name| snapshot.node(name)?.node.as_deref().cloned()).collect();
    json!({"pod": *pod.pod, "nodes": {"metadata": {}, "items": nodes}})
}

type Filtered = (BTreeSet<String>, BTreeMap<String, String>);

/// The nodes that an extender lets stand, and why not the others.
fn filtered(answer: &Result<Value, String>) -> Result<Filtered, String> {
    let answer = answer.as_ref().map_err(Clone::clone)?;
    let field = |upper: &str, lower: &str| {
        answer.get(lower).or_else(|| answer.get(upper)).filter(|value| !value.is_null())
    };
    if let Some(text) = field("Error", "error").and_then(Value::as_str).filter(|t| !t.is_empty()) {
        return Err(text.to_owned());
    }
    let names = match field("NodeNames", "nodenames").and_then(Value::as_array) {
        Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => {
            let nodes = field("Nodes", "nodes").map_or(&[][..], |nodes| nodes.list_at(&["items"]));
            nodes.iter().map(|node| node.name().to_owned()).collect()
        }
    };
    let refused = field("FailedNodes", "failedNodes").and_then(Value::as_object);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let refused = refused.into_iter().flatten().map(|(node, why)| (node.to_string(), text(why)));
    Ok((names, refused.collect()))
}

/// Takes in an extender's scores; one that fails has none.
fn prioritized(advice: &mut Advice, extender: &Extender, answer: &Result<Value, String>) {
    let entries = answer
        .as_ref()
        .ok()
        .and_then(Value::as_array)
        .map_or(&[][..], apimachinery::List::as_slice);
    for entry in entries {
        let field = |upper: &str, lower: &str| entry.get(lower).or_else(|| entry.get(upper));
        let host = field("Host", "host").and_then(Value::as_str).unwrap_or_default();
        let score = field("Score", "score").and_then(Value::as_i64).unwrap_or(0);
        advice.scores.entry(host.to_owned()).or_default().push(Score {
            priority: extender.url_prefix.clone(),
            score,
            weight: extender.weight,
        });
    }
}

/// The extender that binds `pod`, if there is one, and what it is told.
#[must_use]
pub fn binding(profile: &Profile, pod: &PodInfo, node: &str) -> Option<Question> {
    let binds = |extender: &Extender| !extender.bind.is_empty() && extender.is_interested(pod);
    let extender = profile.extenders.iter().position(|extender| binds(extender))?;
    let body = json!({"podName": pod.pod.name(), "podNamespace": pod.pod.namespace(),
        "podUID": pod.pod.uid(), "node": node});
    Some(Question { extender, verb: Verb::Bind, body })
}

#[cfg(test)]
mod tests;
