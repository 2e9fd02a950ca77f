//! What is the same for all classes while the nodes keep their numbers: names, places, and which
//! nodes share the value of a label.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::affinity::value_of;
use crate::profile::Profile;
use crate::snapshot::{NodeInfo, Snapshot};

/// No place.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Nodes by number.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    names: Vec<Arc<str>>,
    /// For each priority the place of each node; empty where places do not matter.
    pub(super) places: Vec<Vec<u32>>,
    by_label: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
}

impl Nodes {
    pub(super) fn of(profile: &Profile, snapshot: &Snapshot) -> Self {
        let places = profile.priorities.iter().map(|(priority, _)| {
            let mut known: BTreeMap<String, u32> = BTreeMap::new();
            let place = |node: &NodeInfo| {
                let Some(place) = priority.place(node) else { return NOWHERE };
                let next = u32::try_from(known.len()).unwrap_or(NOWHERE);
                *known.entry(place).or_insert(next)
            };
            let places: Vec<u32> = snapshot.nodes().map(place).collect();
            if places.iter().all(|place| *place == NOWHERE) { Vec::new() } else { places }
        });
        Self {
            names: snapshot.changes.names().to_vec(),
            places: places.collect(),
            by_label: BTreeMap::new(),
        }
    }

    pub(super) fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The nodes with a label, by its value.
    pub(super) fn by_label(
        &mut self,
        snapshot: &Snapshot,
        key: &str,
    ) -> &BTreeMap<String, Vec<u32>> {
        if !self.by_label.contains_key(key) {
            let mut values: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            for node in snapshot.nodes() {
                if let Some(value) = value_of(node.labels(), key) {
                    values.entry(value.to_owned()).or_default().push(node.rank);
                }
            }
            self.by_label.insert(key.to_owned(), values);
        }
        &self.by_label[key]
    }
}
