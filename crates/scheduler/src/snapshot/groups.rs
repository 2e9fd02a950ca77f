//! Pods by what other pods can see of them: namespace, labels, affinity and whether they are going.
//!
//! Pods made from one template are one group, so there are few groups however many pods there are;
//! counting what a selector selects touches those instead of every pod.
//!
//! Invariant: a group is there while a pod of it is; its number is never given to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::{Map, Text};

use crate::pod::PodInfo;

/// One group.
#[derive(Debug)]
pub struct Group {
    /// Any pod of the group.
    pub sample: PodInfo,
    /// How many of its pods each node runs.
    pub nodes: BTreeMap<Arc<str>, u32>,
    /// The namespace of the sample, which every group is asked for when a new kind of pod comes.
    namespace: Text,
    /// Whether the sample is being deleted, likewise.
    going: bool,
}

impl Group {
    fn of(pod: &PodInfo) -> Self {
        let namespace = pod.pod.namespace().into();
        let going = pod.pod.deletion_timestamp().is_some();
        Self { sample: pod.clone(), nodes: BTreeMap::new(), namespace, going }
    }

    /// The namespace of its pods.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The labels of its pods.
    #[must_use]
    pub fn labels(&self) -> Option<&Map> {
        self.sample.pod.labels()
    }

    /// Whether its pods are being deleted.
    #[must_use]
    pub fn is_going(&self) -> bool {
        self.going
    }
}

/// All groups.
#[derive(Debug, Default)]
pub struct Groups {
    ids: BTreeMap<Arc<str>, u32>,
    table: BTreeMap<u32, Group>,
    next: u32,
    influential: usize,
}

impl Groups {
    pub(super) fn add(&mut self, pod: &PodInfo, node: &Arc<str>) -> u32 {
        let id = match self.ids.get(&pod.group) {
            Some(id) => *id,
            None => {
                let id = self.next;
                self.next += 1;
                self.ids.insert(Arc::clone(&pod.group), id);
                self.influential += usize::from(pod.affinity.has_influence());
                self.table.insert(id, Group::of(pod));
                id
            }
        };
        if let Some(group) = self.table.get_mut(&id) {
            *group.nodes.entry(Arc::clone(node)).or_insert(0) += 1;
        }
        id
    }

    pub(super) fn remove(&mut self, id: u32, node: &str) {
        let Some(group) = self.table.get_mut(&id) else { return };
        if let Some(count) = group.nodes.get_mut(node) {
            *count -= 1;
            if *count == 0 {
                group.nodes.remove(node);
            }
        }
        if group.nodes.is_empty() {
            self.influential -= usize::from(group.sample.affinity.has_influence());
            self.ids.remove(&group.sample.group);
            self.table.remove(&id);
        }
    }

    /// Every group with its number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Group)> {
        self.table.iter().map(|(id, group)| (*id, group))
    }

    /// One group.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Group> {
        self.table.get(&id)
    }

    /// Whether some pod's affinity counts when other pods' nodes are scored.
    #[must_use]
    pub fn have_influence(&self) -> bool {
        self.influential > 0
    }
}
