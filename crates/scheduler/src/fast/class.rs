//! What depends on other pods: kin by node, affinity by place, siblings, and the buckets that all of it
//! amounts to.
//!
//! Invariant: after [`Class::refresh`] the buckets are those that looking at every node would give.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::selector::LabelSelector;

use crate::affinity::value_of;
use crate::decision::Outcome;
use crate::fast::buckets::{Bucket, Buckets, nth_from_top};
use crate::fast::nodes::{NOWHERE, Nodes};
use crate::fast::spec::Spec;
use crate::neighbours::{Neighbours, Shifted, concerns};
use crate::pod::PodInfo;
use crate::predicates::{Scope, wanted_of_siblings};
use crate::priorities::{Item, Kin, Source, are_kin};
use crate::profile::Profile;
use crate::snapshot::{Group, PodChange, Snapshot};

/// What a class is refreshed from.
pub(super) struct Surroundings<'a> {
    pub(super) profile: &'a Profile,
    pub(super) snapshot: &'a Snapshot,
    pub(super) nodes: &'a mut Nodes,
    pub(super) spec: &'a Spec,
}

/// What pods of a group mean for the class.
#[derive(Debug)]
struct Effect {
    /// Of which kinds of kin they are.
    kin: Vec<usize>,
    /// A pod of the group, if its place matters.
    sample: Option<PodInfo>,
}

/// Pods of one kind that count as one's own.
#[derive(Debug)]
struct KinCount {
    kin: Kin,
    selectors: Vec<LabelSelector>,
    by_node: Vec<i64>,
}

/// What a part of a bucket's key tells of a node.
#[derive(Debug, Clone, Copy)]
enum Column {
    /// The next of the numbers that the node has for itself.
    Raw,
    /// How many pods there are one's own; an index of [`Class::kin`].
    Kin(usize),
    /// How much the pods there draw.
    Pull,
}

/// What placing a node takes, the same for all nodes.
struct Rules<'a> {
    /// The key's columns, with the places that the same priority looks at.
    columns: Vec<(Column, &'a [u32])>,
    /// Whether the spec alone says where the pod fits.
    anywhere: bool,
    /// Whether other pods have a say.
    neighbours: bool,
}

/// Pods that ask the same and that other pods cannot tell apart.
#[derive(Debug)]
pub(super) struct Class {
    /// The name of what they ask of a node.
    pub(super) spec: Arc<str>,
    /// When it was used last.
    pub(super) used: u64,
    pod: PodInfo,
    generation: u64,
    spec_cursor: usize,
    pod_cursor: u64,
    owners: u64,
    kin: Vec<KinCount>,
    /// By group: 0 not looked at, 1 means nothing, else an index of `effects` + 2.
    known: Vec<u32>,
    effects: Vec<Effect>,
    neighbours: Neighbours,
    wanted: BTreeMap<String, String>,
    buckets: Buckets,
    refused: Option<((u64, u64, u64), Outcome)>,
}

impl Class {
    pub(super) fn new(pod: &PodInfo, spec: &Arc<str>) -> Self {
        Self {
            spec: Arc::clone(spec),
            used: 0,
            pod: pod.clone(),
            generation: 0,
            spec_cursor: 0,
            pod_cursor: 0,
            owners: 0,
            kin: Vec::new(),
            known: Vec::new(),
            effects: Vec::new(),
            neighbours: Neighbours::default(),
            wanted: BTreeMap::new(),
            buckets: Buckets::default(),
            refused: None,
        }
    }

    /// Brings the buckets up to date.
    pub(super) fn refresh(&mut self, mut around: Surroundings<'_>) {
        let (profile, snapshot) = (around.profile, around.snapshot);
        let wanted = wanted(&mut around, &self.pod);
        let owners = snapshot.owners.generation();
        let same_owners = self.generation != 0
            && (owners == self.owners
                || self
                    .kin
                    .iter()
                    .all(|k| k.selectors == k.kin.selectors(&snapshot.owners, &self.pod)));
        self.owners = owners;
        let news = snapshot.changes.pods_since(self.pod_cursor);
        if self.generation != around.spec.generation || !same_owners || wanted != self.wanted {
            self.wanted = wanted;
            self.rebuild(&around);
        } else if let Some(news) = news {
            let mut dirty = around.spec.since(self.spec_cursor).to_vec();
            let mut everywhere = false;
            for change in news {
                everywhere |= self.apply(change, &mut around, &mut dirty);
            }
            if everywhere {
                dirty = (0..count(snapshot)).collect();
            }
            self.place_all(dirty.into_iter(), &around);
        } else {
            self.rebuild(&around);
        }
        debug_assert!(profile.priorities.len() == around.nodes.places.len(), "one profile");
        self.spec_cursor = around.spec.end();
        self.pod_cursor = snapshot.changes.pods_end();
    }

    /// Looks at everything.
    fn rebuild(&mut self, around: &Surroundings<'_>) {
        let (profile, snapshot) = (around.profile, around.snapshot);
        let nodes = snapshot.changes.names().len();
        self.generation = around.spec.generation;
        self.refused = None;
        self.kin.clear();
        for (priority, _) in &profile.priorities {
            if let Source::Kin(kin) = priority.source()
                && !self.kin.iter().any(|known| known.kin == kin)
            {
                let selectors = kin.selectors(&snapshot.owners, &self.pod);
                self.kin.push(KinCount { kin, selectors, by_node: vec![0; nodes] });
            }
        }
        (self.known, self.effects) = (Vec::new(), Vec::new());
        self.neighbours = profile.neighbours(snapshot, &self.pod);
        for (id, group) in snapshot.groups.iter() {
            let Some(effect) = self.effect(id, Some(group), profile) else { continue };
            for (name, count) in &group.nodes {
                let Some(node) = snapshot.node(name) else { continue };
                for kin in &self.effects[effect].kin {
                    self.kin[*kin].by_node[node.rank as usize] += i64::from(*count);
                }
            }
        }
        self.buckets = Buckets::new(nodes);
        self.place_all(0..count(snapshot), around);
    }

    /// The effect of a group, if it has any.
    fn effect(&mut self, id: u32, group: Option<&Group>, profile: &Profile) -> Option<usize> {
        let index = id as usize;
        if self.known.len() <= index {
            self.known.resize(index + 1, 0);
        }
        if self.known[index] == 0 {
            // A group that is gone and was never looked at has come and gone unseen.
            let group = group?;
            let namespace = self.pod.pod.namespace();
            let kin = self.kin.iter().enumerate();
            let kin: Vec<usize> = kin
                .filter(|(_, kin)| are_kin(&kin.selectors, namespace, group))
                .map(|(index, _)| index)
                .collect();
            let near = profile.asks_neighbours() && concerns(&self.pod, &group.sample);
            self.known[index] = 1;
            if near || !kin.is_empty() {
                self.effects.push(Effect { kin, sample: near.then(|| group.sample.clone()) });
                self.known[index] = u32::try_from(self.effects.len() + 1).unwrap_or(u32::MAX);
            }
        }
        (self.known[index] as usize).checked_sub(2)
    }

    /// Takes in that a pod came or left; gives whether every node must be looked at.
    fn apply(
        &mut self,
        change: PodChange,
        around: &mut Surroundings<'_>,
        dirty: &mut Vec<u32>,
    ) -> bool {
        let group = around.snapshot.groups.get(change.group);
        let Some(effect) = self.effect(change.group, group, around.profile) else { return false };
        let effect = &self.effects[effect];
        let by = if change.added { 1 } else { -1 };
        for kin in &effect.kin {
            self.kin[*kin].by_node[change.rank as usize] += by;
            dirty.push(change.rank);
        }
        let Some(sample) = &effect.sample else { return false };
        let name = &around.snapshot.changes.names()[change.rank as usize];
        let Some(node) = around.snapshot.node(name) else { return true };
        let weight = around.profile.hard_pod_affinity_weight;
        let Shifted { keys, everywhere } =
            self.neighbours.shift(&self.pod, sample, node.labels(), by, weight);
        for key in keys {
            if let Some(value) = value_of(node.labels(), &key) {
                let there = around.nodes.by_label(around.snapshot, &key).get(value);
                dirty.extend(there.into_iter().flatten());
            }
        }
        everywhere
    }

    /// Puts nodes where they belong.
    fn place_all(&mut self, ranks: impl Iterator<Item = u32>, around: &Surroundings<'_>) {
        let rules = self.rules(around);
        let mut key = Vec::new();
        for rank in ranks {
            if self.fits(rank, around, &rules) {
                self.write_key(&mut key, rank, around, &rules);
                self.buckets.put(rank, Some(&key));
            } else {
                self.buckets.put(rank, None);
            }
        }
    }

    fn rules<'a>(&self, around: &'a Surroundings<'_>) -> Rules<'a> {
        let (profile, places) = (around.profile, &around.nodes.places);
        let priorities = profile.priorities.iter().zip(places);
        let columns = priorities.filter_map(|((priority, _), places)| {
            let column = match priority.source() {
                Source::Node if priority.is_relative() => Column::Raw,
                Source::Node => return None,
                Source::Kin(kin) => Column::Kin(
                    self.kin.iter().position(|known| known.kin == kin).unwrap_or_default(),
                ),
                Source::Pull => Column::Pull,
            };
            Some((column, places.as_slice()))
        });
        let columns = columns.collect();
        let alone = self.neighbours.barred.is_empty()
            && self.pod.affinity.required.is_empty()
            && self.pod.affinity.required_anti.is_empty();
        let mut predicates = profile.predicates.iter();
        let asked = predicates.any(|predicate| predicate.scope() == Scope::Neighbours);
        Rules { columns, anywhere: alone && self.wanted.is_empty(), neighbours: !alone && asked }
    }

    fn write_key(
        &self,
        key: &mut Vec<i64>,
        rank: u32,
        around: &Surroundings<'_>,
        rules: &Rules<'_>,
    ) {
        let state = around.spec.state(rank);
        key.clear();
        key.push(state.fixed);
        let mut raw = state.raw.iter();
        for (column, places) in &rules.columns {
            key.push(match column {
                Column::Raw => raw.next().copied().unwrap_or_default(),
                Column::Kin(kin) => self.kin[*kin].by_node[rank as usize],
                Column::Pull if self.neighbours.pull.is_empty() => 0,
                Column::Pull => {
                    let name = &around.snapshot.changes.names()[rank as usize];
                    let node = around.snapshot.node(name);
                    node.map_or(0, |node| self.neighbours.pull_of(node.labels()))
                }
            });
            let place = places.get(rank as usize).copied().unwrap_or(NOWHERE);
            key.push(i64::from(place));
        }
    }

    fn fits(&self, rank: u32, around: &Surroundings<'_>, rules: &Rules<'_>) -> bool {
        if !around.spec.state(rank).fits {
            return false;
        }
        if rules.anywhere {
            return true;
        }
        let name = &around.snapshot.changes.names()[rank as usize];
        let Some(node) = around.snapshot.node(name) else { return false };
        let labels = node.labels();
        if self.wanted.iter().any(|(key, value)| value_of(labels, key) != Some(value)) {
            return false;
        }
        !rules.neighbours
            || (!self.neighbours.bars(labels)
                && self.neighbours.is_near(&self.pod, labels)
                && self.neighbours.is_far(&self.pod, labels))
    }

    /// The node whose turn it is among the best, and whether a turn was taken; `None` when none fits.
    pub(super) fn pick<'a>(
        &self,
        profile: &Profile,
        names: &'a [Arc<str>],
        turn: u64,
    ) -> Option<(&'a Arc<str>, bool)> {
        let buckets: Vec<&Bucket> = self.buckets.iter().collect();
        if self.buckets.len() <= 1 {
            let rank = nth_from_top(&buckets, 0)?;
            return names.get(rank as usize).map(|name| (name, false));
        }
        let totals = totals(profile, &buckets);
        let top = totals.iter().copied().max()?;
        let tied = buckets.iter().zip(&totals).filter(|(_, total)| **total == top);
        let tied: Vec<&Bucket> = tied.map(|(bucket, _)| *bucket).collect();
        let count: u64 = tied.iter().map(|bucket| u64::from(bucket.count)).sum();
        let index = usize::try_from(turn % count).ok()?;
        let rank = nth_from_top(&tied, index)?;
        names.get(rank as usize).map(|name| (name, true))
    }

    /// Why no node fits, worked out once while nothing changes.
    pub(super) fn refusal(
        &mut self,
        snapshot: &Snapshot,
        work: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let changes = &snapshot.changes;
        let now = (changes.epoch(), changes.nodes_end(), changes.pods_end());
        if let Some((then, outcome)) = &self.refused
            && *then == now
        {
            return outcome.clone();
        }
        let outcome = work();
        self.refused = Some((now, outcome.clone()));
        outcome
    }
}

fn count(snapshot: &Snapshot) -> u32 {
    u32::try_from(snapshot.changes.names().len()).unwrap_or(u32::MAX)
}

/// The weighted sum of every bucket.
fn totals(profile: &Profile, buckets: &[&Bucket]) -> Vec<i64> {
    let mut totals: Vec<i64> = buckets.iter().map(|bucket| bucket.key[0]).collect();
    let mut items: Vec<Item> = Vec::with_capacity(buckets.len());
    let mut column = 1;
    for (priority, weight) in &profile.priorities {
        if priority.source() == Source::Node && !priority.is_relative() {
            continue;
        }
        items.clear();
        items.extend(buckets.iter().map(|bucket| Item {
            value: bucket.key[column],
            place: u32::try_from(bucket.key[column + 1]).ok().filter(|place| *place != NOWHERE),
            count: i64::from(bucket.count),
        }));
        priority.reduce(&mut items);
        for (total, item) in totals.iter_mut().zip(&items) {
            *total += item.value * weight;
        }
        column += 2;
    }
    totals
}

/// The values of labels that siblings hold the class to.
fn wanted(around: &mut Surroundings<'_>, pod: &PodInfo) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for predicate in &around.profile.predicates {
        let labels = predicate.sibling_labels();
        let selector = pod.pod.map_at(&["spec", "nodeSelector"]);
        let matters = labels.iter().any(|label| {
            value_of(selector, label).is_some()
                || !around.nodes.by_label(around.snapshot, label).is_empty()
        });
        if matters {
            let wanted = wanted_of_siblings(labels, around.snapshot, pod);
            all.extend(wanted.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())));
        }
    }
    all
}
