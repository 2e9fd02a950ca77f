//! How many pods with which labels each node runs, by namespace.
//!
//! Pods made from one template share their labels, so a namespace has few entries however many pods
//! it has; counting what a selector selects touches those instead of every pod.
//!
//! Invariant: pods that are being deleted are not counted; no entry is empty.

use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;
use apimachinery::selector::LabelSelector;
use serde_json::{Map, Value};

use crate::pod::{Labels, PodInfo};

type Counts = BTreeMap<String, i64>;

/// Counts of pods by namespace, labels and node.
#[derive(Debug, Default)]
pub struct Spread {
    by_namespace: BTreeMap<String, BTreeMap<Labels, Counts>>,
}

impl Spread {
    pub(super) fn add(&mut self, pod: &PodInfo, node: &str) {
        if pod.pod.deletion_timestamp().is_some() {
            return;
        }
        let namespace = self.by_namespace.entry(pod.pod.namespace().to_owned()).or_default();
        let counts = namespace.entry(pod.label_key()).or_default();
        *counts.entry(node.to_owned()).or_insert(0) += 1;
    }

    pub(super) fn remove(&mut self, pod: &PodInfo, node: &str) {
        if pod.pod.deletion_timestamp().is_some() {
            return;
        }
        let labels = pod.label_key();
        let Some(namespace) = self.by_namespace.get_mut(pod.pod.namespace()) else { return };
        let Some(counts) = namespace.get_mut(&labels) else { return };
        if let Some(count) = counts.get_mut(node) {
            *count -= 1;
        }
        counts.retain(|_, count| *count > 0);
        namespace.retain(|_, counts| !counts.is_empty());
        if namespace.is_empty() {
            self.by_namespace.remove(pod.pod.namespace());
        }
    }

    /// How many pods of `namespace` that any of `selectors` selects each node runs.
    #[must_use]
    pub fn counts(&self, namespace: &str, selectors: &[LabelSelector]) -> BTreeMap<&str, i64> {
        let mut total = BTreeMap::new();
        if selectors.is_empty() {
            return total;
        }
        for (labels, counts) in self.by_namespace.get(namespace).into_iter().flatten() {
            let labels: Map<String, Value> =
                labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
            if selectors.iter().any(|selector| selector.matches(Some(&labels))) {
                for (node, count) in counts {
                    *total.entry(node.as_str()).or_insert(0) += count;
                }
            }
        }
        total
    }
}
