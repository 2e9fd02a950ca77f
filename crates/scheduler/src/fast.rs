//! The decision without looking at every node.
//!
//! Pods made from one template ask the same questions. For each such *class* this remembers, node by
//! node, whether a pod fits and what it would score, and looks again only at nodes that have changed
//! since ([`crate::snapshot::Snapshot`] keeps the changes in order). Nodes that agree in everything
//! that counts form a [bucket](buckets); scores are worked out once a bucket, and the node whose turn
//! it is among the best is found by counting bits.
//!
//! Two layers: [`spec`] remembers what depends on the pod's spec and the node (shared by all pods that
//! ask alike, whatever their names, labels and namespace), [`class`] what depends on other pods.
//!
//! Invariant: [`Fast::choose`] gives the outcome that [`crate::decide`] gives, or `None` when it does
//! not know how; it is a cache, and losing it changes nothing.

mod buckets;
mod class;
mod nodes;
mod spec;

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;

use crate::decision::{Outcome, decide};
use crate::fast::class::{Class, Surroundings};
use crate::fast::nodes::Nodes;
use crate::fast::spec::{Spec, SpecKeys};
use crate::pod::PodInfo;
use crate::profile::Profile;
use crate::snapshot::Snapshot;

/// How much memory the classes may take together, in bytes.
const MEMORY: usize = 64 << 20;

/// What was decided, and whether it was a matter of turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether a turn was taken among the best.
    pub took_turn: bool,
}

/// What is remembered between decisions.
#[derive(Debug, Default)]
pub struct Fast {
    epoch: u64,
    avoids: bool,
    nodes: Nodes,
    specs: BTreeMap<Arc<str>, Spec>,
    classes: BTreeMap<Arc<str>, Class>,
    uses: u64,
}

impl Fast {
    /// Chooses a node for `pod`, as [`crate::decide`] would; `None` for pods with volumes, and while
    /// extenders or pods that wait for room have a say.
    pub fn choose(
        &mut self,
        profile: &Profile,
        snapshot: &mut Snapshot,
        pod: &PodInfo,
        turn: u64,
    ) -> Option<Choice> {
        let ahead = |key: &controller_runtime::Key| {
            key.name() != pod.pod.name() || key.namespace() != pod.pod.namespace()
        };
        if pod.has_volumes
            || snapshot.is_empty()
            || profile.extenders.iter().any(|extender| extender.is_interested(pod))
            || snapshot.nominated.keys().any(ahead)
        {
            return None;
        }
        self.follow(profile, snapshot);
        let keys = SpecKeys::of(profile, pod, self.avoids);
        let spec = match self.specs.get_mut(&keys.spec) {
            Some(spec) => spec,
            None => self.specs.entry(Arc::clone(&keys.spec)).or_default(),
        };
        self.uses += 1;
        spec.refresh(profile, snapshot, pod, self.uses);
        let around = Surroundings { profile, snapshot, nodes: &mut self.nodes, spec };
        let class = match self.classes.get_mut(&keys.class) {
            Some(class) => class,
            None => {
                let class = Class::new(pod, &keys.spec);
                self.classes.entry(Arc::clone(&keys.class)).or_insert(class)
            }
        };
        class.used = self.uses;
        class.refresh(around);
        let choice = match class.pick(profile, self.nodes.names(), turn) {
            Some((node, took_turn)) => {
                Choice { outcome: Outcome::Node(node.to_string()), took_turn }
            }
            None => {
                let text = class.refusal(snapshot, || decide(profile, snapshot, pod, turn).outcome);
                Choice { outcome: text, took_turn: false }
            }
        };
        self.trim();
        Some(choice)
    }

    /// Starts over when the nodes are numbered anew.
    fn follow(&mut self, profile: &Profile, snapshot: &mut Snapshot) {
        let epoch = snapshot.ranked();
        let avoids = snapshot.avoided > 0;
        if epoch != self.epoch || avoids != self.avoids {
            self.specs.clear();
            self.classes.clear();
            self.nodes = Nodes::of(profile, snapshot);
            (self.epoch, self.avoids) = (epoch, avoids);
        }
    }

    /// Forgets the class that was used longest ago when there are too many.
    fn trim(&mut self) {
        let most = (MEMORY / (self.nodes.names().len() * 24 + 4096)).max(16);
        if self.classes.len() <= most {
            return;
        }
        let oldest = self.classes.iter().min_by_key(|(_, class)| class.used);
        let Some((key, class)) = oldest.map(|(key, class)| (Arc::clone(key), class.spec.clone()))
        else {
            return;
        };
        self.classes.remove(&key);
        if !self.classes.values().any(|other| other.spec == class) {
            self.specs.remove(&class);
        }
    }
}

#[cfg(test)]
mod tests;
