//! Finding objects by labels, and selectors by the labels they ask for, without looking at all.
//!
//! A pod stands in one bucket for every label it has, and in one for every claim it uses. An object with a selector stands in one bucket
//! for one label that it asks for, or in its namespace's rest when it asks for no single label.
//!
//! Invariant: what a lookup gives is a superset of what matches; the caller compares.

use std::collections::BTreeSet;

use apimachinery::selector::{LabelSelector, Operator};
use apimachinery::{ObjectExt as _, Value};
use rustc_hash::FxHashMap;

use super::{Sets, add_to, drop_from};
use crate::key::Key;

/// Namespace, label and value, joined by a character that none of them may hold.
type Bucket = String;

fn bucket(namespace: &str, label: &str, value: &str) -> Bucket {
    format!("{namespace}\n{label}\n{value}")
}

/// Keys by label.
#[derive(Debug, Default)]
pub(super) struct Labels {
    keys: Sets,
}

impl Labels {
    pub(super) fn insert(&mut self, key: &Key, object: &Value) {
        for bucket in buckets(key.namespace(), object) {
            add_to(&mut self.keys, &bucket, key);
        }
    }

    pub(super) fn remove(&mut self, key: &Key, object: &Value) {
        for bucket in buckets(key.namespace(), object) {
            drop_from(&mut self.keys, &bucket, key);
        }
    }

    pub(super) fn using_claim(&self, namespace: &str, claim: &str) -> Option<&BTreeSet<Key>> {
        self.keys.get(&bucket(namespace, CLAIM, claim))
    }

    /// The smallest bucket that holds everything `selector` may mean; `None` when it names no label
    /// with one value.
    pub(super) fn candidates(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Option<Option<&BTreeSet<Key>>> {
        if self.keys.is_empty() {
            return exact(selector).next().map(|_| None);
        }
        let sets = exact(selector).map(|(label, value)| {
            let set = self.keys.get(&bucket(namespace, label, value));
            (set.map_or(0, BTreeSet::len), set)
        });
        sets.min_by_key(|(len, _)| *len).map(|(_, set)| set)
    }
}

fn buckets<'a>(namespace: &'a str, object: &'a Value) -> impl Iterator<Item = Bucket> + 'a {
    let labels = object.labels().into_iter().flatten();
    let volumes = object.list_at(&["spec", "volumes"]).iter();
    let claims = volumes.map(|volume| volume.str_at(&["persistentVolumeClaim", "claimName"]));
    labels
        .map(move |(label, value)| bucket(namespace, label, value.as_str().unwrap_or_default()))
        .chain(claims.filter(|it| !it.is_empty()).map(move |it| bucket(namespace, CLAIM, it)))
}

/// What stands in a bucket in place of a label where it is about a claim; no label begins so.
const CLAIM: &str = "\nclaim";

/// The labels that a selector wants to have one certain value.
fn exact(selector: &LabelSelector) -> impl Iterator<Item = (&str, &str)> {
    let single = selector.requirements().iter().filter(|requirement| {
        let kinds = [Operator::In, Operator::Equals, Operator::DoubleEquals];
        kinds.contains(&requirement.operator) && requirement.values.len() == 1
    });
    single.filter_map(|requirement| {
        Some((requirement.key.as_str(), requirement.values.first()?.as_str()))
    })
}

/// Objects with a selector, by a label that it asks for.
#[derive(Debug, Default)]
pub(super) struct Selectors {
    keys: Sets,
    chosen: FxHashMap<Key, Bucket>,
}

impl Selectors {
    pub(super) fn insert(&mut self, key: &Key, object: &Value) {
        let Some(selector) = object.at(&["spec", "selector"]).filter(|it| it.is_object()) else {
            return;
        };
        // The label that fewest ask for tells most.
        let wanted = wanted(selector).map(|(label, value)| bucket(key.namespace(), label, value));
        let rare = wanted.min_by_key(|bucket| self.keys.get(bucket).map_or(0, BTreeSet::len));
        let bucket = rare.unwrap_or_else(|| bucket(key.namespace(), "", ""));
        add_to(&mut self.keys, &bucket, key);
        self.chosen.insert(key.clone(), bucket);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(bucket) = self.chosen.remove(key) {
            drop_from(&mut self.keys, &bucket, key);
        }
    }

    /// The keys of the objects that may select `object`, in order.
    pub(super) fn candidates(&self, object: &Value) -> BTreeSet<Key> {
        if self.keys.is_empty() {
            return BTreeSet::new();
        }
        let namespace = object.namespace();
        let rest = bucket(namespace, "", "");
        let buckets = buckets(namespace, object).chain([rest]);
        buckets.filter_map(|bucket| self.keys.get(&bucket)).flatten().cloned().collect()
    }
}

/// The labels that a plain map or `matchLabels` asks for.
fn wanted(selector: &Value) -> impl Iterator<Item = (&str, &str)> {
    let typed = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let map = if typed { selector.map_at(&["matchLabels"]) } else { selector.as_object() };
    let pairs = map.into_iter().flatten();
    pairs.filter_map(|(label, value)| Some((label.as_str(), value.as_str()?)))
}
