//! Which pods a pod wants near or far.
//!
//! Mirrors: `PodAffinity`, `PodAntiAffinity` of `k8s.io/api/core/v1` and
//! `pkg/scheduler/algorithm/priorities/util/topologies.go`.

use std::collections::BTreeSet;

use apimachinery::Map;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

/// One term: pods of some namespaces that a selector selects, within one part of a topology.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Where the other pods live.
    pub namespaces: BTreeSet<String>,
    /// Which pods.
    pub selector: LabelSelector,
    /// The label of nodes whose equal values mean the same place.
    pub topology_key: String,
}

impl Term {
    /// Reads a term of `pod`; a term that names no namespace means the pod's own.
    fn read(pod: &Value, term: &Value) -> Self {
        let listed = term.list_at(&["namespaces"]).iter().filter_map(Value::as_str);
        let mut namespaces: BTreeSet<String> = listed.map(str::to_owned).collect();
        if namespaces.is_empty() {
            namespaces.insert(pod.namespace().to_owned());
        }
        let selector = term.at(&["labelSelector"]).unwrap_or(&Value::Null);
        Self {
            namespaces,
            selector: LabelSelector::from_json(selector)
                .unwrap_or_else(|_| LabelSelector::nothing()),
            topology_key: term.str_at(&["topologyKey"]).to_owned(),
        }
    }

    /// Whether the term means a pod with these labels in this namespace.
    #[must_use]
    pub fn matches(&self, namespace: &str, labels: Option<&Map>) -> bool {
        self.namespaces.contains(namespace) && self.selector.matches(labels)
    }
}

/// All terms of a pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodAffinity {
    /// Pods that must be near.
    pub required: Vec<Term>,
    /// Pods that must be far.
    pub required_anti: Vec<Term>,
    /// Pods that had better be near (positive weight) or far (negative).
    pub preferred: Vec<(i64, Term)>,
}

impl PodAffinity {
    /// The terms of `pod`.
    #[must_use]
    pub fn of(pod: &Value) -> Self {
        const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
        const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
        let Some(affinity) = pod.at(&["spec", "affinity"]) else { return Self::default() };
        let required = |kind: &str| {
            affinity.list_at(&[kind, REQUIRED]).iter().map(|term| Term::read(pod, term)).collect()
        };
        let preferred = |kind: &str, sign: i64| {
            let terms = affinity.list_at(&[kind, PREFERRED]).iter();
            terms
                .map(|term| {
                    let weight = term.int_at(&["weight"]).unwrap_or(0) * sign;
                    let null = Value::Null;
                    (weight, Term::read(pod, term.at(&["podAffinityTerm"]).unwrap_or(&null)))
                })
                .collect::<Vec<_>>()
        };
        let mut wishes = preferred("podAffinity", 1);
        wishes.extend(preferred("podAntiAffinity", -1));
        Self {
            required: required("podAffinity"),
            required_anti: required("podAntiAffinity"),
            preferred: wishes,
        }
    }

    /// Whether there is no term at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.required_anti.is_empty() && self.preferred.is_empty()
    }

    /// Whether the pod counts when other pods' nodes are scored.
    #[must_use]
    pub fn has_influence(&self) -> bool {
        !self.required.is_empty() || !self.preferred.is_empty()
    }
}

/// Whether all terms, of which there is one at least, mean a pod.
#[must_use]
pub fn all_match(terms: &[Term], namespace: &str, labels: Option<&Map>) -> bool {
    !terms.is_empty() && terms.iter().all(|term| term.matches(namespace, labels))
}

/// Where a node stands by several labels at once; `None` when it lacks one of them.
#[must_use]
pub fn place_of(labels: Option<&Map>, terms: &[Term]) -> Option<Vec<String>> {
    terms.iter().map(|term| value_of(labels, &term.topology_key).map(str::to_owned)).collect()
}

/// The value of one label of a node, if it has the label.
#[must_use]
pub fn value_of<'a>(labels: Option<&'a Map>, key: &str) -> Option<&'a str> {
    if key.is_empty() {
        return None;
    }
    labels?.get(key).map(|value| value.as_str().unwrap_or_default())
}
