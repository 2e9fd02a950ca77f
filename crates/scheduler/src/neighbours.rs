//! What the pods that are there mean for one pod, by place: which places their anti-affinity bars,
//! where its own terms find pods, and how much they draw it.
//!
//! A *place* is a set of nodes that share the values of some labels; counting by place instead of by
//! node is what keeps affinity cheap.
//!
//! Invariant: after any sequence of [`Neighbours::shift`] the counts are those of the pods that are
//! there; no entry is zero.
//!
//! Mirrors: `predicates/metadata.go`, `priorities/interpod_affinity.go`.

use std::collections::BTreeMap;

use apimachinery::Map;
use apimachinery::ObjectExt as _;

use crate::affinity::{all_match, place_of, value_of};
use crate::pod::PodInfo;
use crate::snapshot::Snapshot;

/// Counts by label key and value.
pub type ByPlace = BTreeMap<String, BTreeMap<String, i64>>;

/// The labels of a node.
type NodeLabels<'a> = Option<&'a Map>;

/// What the pods that are there mean for one pod.
#[derive(Debug, Clone, Default)]
pub struct Neighbours {
    /// Places that pods there keep the pod out of, with how many do.
    pub barred: ByPlace,
    /// Where pods are that all required terms of the pod mean.
    pub near: BTreeMap<Vec<String>, i64>,
    /// How many such pods there are anywhere.
    pub near_anywhere: i64,
    /// Where pods are that all its required anti-affinity terms mean.
    pub far: BTreeMap<Vec<String>, i64>,
    /// How much a place draws the pod.
    pub pull: ByPlace,
}

impl Neighbours {
    /// What the pods of `snapshot` mean for `pod`.
    #[must_use]
    pub fn of(snapshot: &Snapshot, pod: &PodInfo, hard_weight: i64) -> Self {
        let mut neighbours = Self::default();
        for (_, group) in snapshot.groups.iter() {
            if !concerns(pod, &group.sample) {
                continue;
            }
            for (node, count) in &group.nodes {
                if let Some(info) = snapshot.node(node) {
                    let count = i64::from(*count);
                    neighbours.shift(pod, &group.sample, info.labels(), count, hard_weight);
                }
            }
        }
        neighbours
    }

    /// Adds (or takes away) `count` pods like `other` on a node. Gives the label keys of places whose
    /// meaning changed; the node's values tell which places.
    pub fn shift(
        &mut self,
        pod: &PodInfo,
        other: &PodInfo,
        node: NodeLabels<'_>,
        count: i64,
        hard_weight: i64,
    ) -> Shifted {
        let mut shifted = Shifted::default();
        self.shift_requirements(pod, other, node, count, &mut shifted);
        self.shift_pull(pod, other, node, count, hard_weight, &mut shifted);
        shifted
    }

    fn shift_requirements(
        &mut self,
        pod: &PodInfo,
        other: &PodInfo,
        node: NodeLabels<'_>,
        count: i64,
        shifted: &mut Shifted,
    ) {
        let (namespace, labels) = (pod.pod.namespace(), pod.pod.labels());
        for term in &other.affinity.required_anti {
            if term.matches(namespace, labels)
                && let Some(value) = value_of(node, &term.topology_key)
                && bump(self.barred.entry(term.topology_key.clone()).or_default(), value, count)
            {
                shifted.add(&term.topology_key);
            }
        }
        let (namespace, labels) = (other.pod.namespace(), other.pod.labels());
        let own = &pod.affinity;
        if all_match(&own.required, namespace, labels) {
            let before = self.near_anywhere;
            self.near_anywhere += count;
            shifted.everywhere |= (before == 0) != (self.near_anywhere == 0);
            if let Some(place) = place_of(node, &own.required)
                && bump_place(&mut self.near, &place, count)
            {
                shifted.add(&own.required[0].topology_key);
            }
        }
        if all_match(&own.required_anti, namespace, labels)
            && let Some(place) = place_of(node, &own.required_anti)
            && bump_place(&mut self.far, &place, count)
        {
            shifted.add(&own.required_anti[0].topology_key);
        }
    }

    fn shift_pull(
        &mut self,
        pod: &PodInfo,
        other: &PodInfo,
        node: NodeLabels<'_>,
        count: i64,
        hard_weight: i64,
        shifted: &mut Shifted,
    ) {
        let mut pull = |key: &str, weight: i64| {
            if weight != 0
                && let Some(value) = value_of(node, key)
            {
                let places = self.pull.entry(key.to_owned()).or_default();
                bump(places, value, weight * count);
                shifted.add(key);
            }
        };
        for (weight, term) in &pod.affinity.preferred {
            if term.matches(other.pod.namespace(), other.pod.labels()) {
                pull(&term.topology_key, *weight);
            }
        }
        let (namespace, labels) = (pod.pod.namespace(), pod.pod.labels());
        for term in &other.affinity.required {
            if term.matches(namespace, labels) {
                pull(&term.topology_key, hard_weight);
            }
        }
        for (weight, term) in &other.affinity.preferred {
            if term.matches(namespace, labels) {
                pull(&term.topology_key, *weight);
            }
        }
    }

    /// Whether a pod there keeps the pod off a node.
    #[must_use]
    pub fn bars(&self, node: NodeLabels<'_>) -> bool {
        self.barred.iter().any(|(key, places)| {
            !places.is_empty()
                && value_of(node, key).is_some_and(|value| places.contains_key(value))
        })
    }

    /// Whether the pod's own affinity allows a node. The first of a series whose members want each
    /// other may go anywhere.
    #[must_use]
    pub fn is_near(&self, pod: &PodInfo, node: NodeLabels<'_>) -> bool {
        let terms = &pod.affinity.required;
        if terms.is_empty()
            || place_of(node, terms).is_some_and(|place| self.near.contains_key(&place))
        {
            return true;
        }
        self.near_anywhere == 0 && all_match(terms, pod.pod.namespace(), pod.pod.labels())
    }

    /// Whether the pod's own anti-affinity allows a node.
    #[must_use]
    pub fn is_far(&self, pod: &PodInfo, node: NodeLabels<'_>) -> bool {
        let terms = &pod.affinity.required_anti;
        terms.is_empty()
            || !place_of(node, terms).is_some_and(|place| self.far.contains_key(&place))
    }

    /// How much a node draws the pod.
    #[must_use]
    pub fn pull_of(&self, node: NodeLabels<'_>) -> i64 {
        let places = self.pull.iter();
        places.filter_map(|(key, places)| places.get(value_of(node, key)?)).sum()
    }
}

/// The label keys of the places that a shift changed.
#[derive(Debug, Default)]
pub struct Shifted {
    /// The keys.
    pub keys: Vec<String>,
    /// Every node may be touched.
    pub everywhere: bool,
}

impl Shifted {
    fn add(&mut self, key: &str) {
        if !self.keys.iter().any(|known| known == key) {
            self.keys.push(key.to_owned());
        }
    }
}

/// Whether pods like `other` mean anything for `pod`.
#[must_use]
pub fn concerns(pod: &PodInfo, other: &PodInfo) -> bool {
    let own = &pod.affinity;
    if !own.is_empty() {
        let (namespace, labels) = (other.pod.namespace(), other.pod.labels());
        if all_match(&own.required, namespace, labels)
            || all_match(&own.required_anti, namespace, labels)
            || own.preferred.iter().any(|(_, term)| term.matches(namespace, labels))
        {
            return true;
        }
    }
    let theirs = &other.affinity;
    if theirs.is_empty() {
        return false;
    }
    let (namespace, labels) = (pod.pod.namespace(), pod.pod.labels());
    let terms = theirs.required.iter().chain(&theirs.required_anti);
    terms
        .chain(theirs.preferred.iter().map(|(_, term)| term))
        .any(|term| term.matches(namespace, labels))
}

/// Changes a count; gives whether it came to or from nothing.
fn bump(places: &mut BTreeMap<String, i64>, value: &str, by: i64) -> bool {
    if let Some(count) = places.get_mut(value) {
        *count += by;
        if *count != 0 {
            return false;
        }
        places.remove(value);
        return true;
    }
    if by != 0 {
        places.insert(value.to_owned(), by);
    }
    by != 0
}

fn bump_place(places: &mut BTreeMap<Vec<String>, i64>, place: &[String], by: i64) -> bool {
    let count = places.entry(place.to_owned()).or_insert(0);
    let before = *count;
    *count += by;
    if *count == 0 {
        places.remove(place);
        return before != 0;
    }
    before == 0
}
