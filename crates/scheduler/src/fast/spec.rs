//! What depends on a pod's spec and the node alone: whether it fits, and what the node scores for
//! itself.
//!
//! Invariant: after [`Spec::refresh`] every entry is what asking the node now would give, and every
//! entry that changed since a reader's cursor is in the log after it.

use std::fmt::Write as _;
use std::sync::Arc;

use apimachinery::ObjectExt as _;

use crate::neighbours::Neighbours;
use crate::pod::PodInfo;
use crate::predicates::{self, Scope};
use crate::priorities::{Reads, Source};
use crate::profile::Profile;
use crate::snapshot::{NodeInfo, Snapshot};

/// The names under which a pod's questions are remembered.
#[derive(Debug)]
pub(super) struct SpecKeys {
    /// What the spec asks of a node.
    pub(super) spec: Arc<str>,
    /// The same, and what other pods see of the pod.
    pub(super) class: Arc<str>,
}

impl SpecKeys {
    pub(super) fn of(profile: &Profile, pod: &PodInfo, avoids: bool) -> Self {
        let mut text = String::with_capacity(256);
        let (request, limits) = (&pod.request, &pod.limits);
        let _ = write!(
            text,
            "{} {} {} {:?} {:?} {:?} {}",
            request.milli_cpu,
            request.memory_bytes,
            request.ephemeral_storage_bytes,
            request.scalar,
            pod.non_zero,
            pod.host_ports,
            pod.best_effort
        );
        let spec =
            ["nodeName", "nodeSelector", "tolerations"].iter().map(|field| vec!["spec", field]);
        for path in spec.chain([vec!["spec", "affinity", "nodeAffinity"]]) {
            if let Some(value) = pod.pod.at(&path).filter(|value| !value.is_null()) {
                let _ = write!(text, "\n{} {value}", path[path.len() - 1]);
            }
        }
        for (priority, _) in &profile.priorities {
            let _ = match priority.reads() {
                Reads::Images => {
                    let containers = pod.pod.list_at(&["spec", "containers"]).iter();
                    let images: Vec<_> = containers.map(|c| c.str_at(&["image"])).collect();
                    write!(text, "\n{images:?}")
                }
                Reads::Limits => {
                    write!(text, "\n{} {}", limits.milli_cpu, limits.memory_bytes)
                }
                Reads::Controller if avoids => {
                    let owner = pod.pod.controller_ref();
                    let uid = owner.map_or("", |owner| owner.str_at(&["uid"]));
                    write!(text, "\n{} {uid}", owner.map_or("", |owner| owner.kind()))
                }
                Reads::Controller | Reads::Nothing => Ok(()),
            };
        }
        let spec: Arc<str> = Arc::from(text.as_str());
        let _ = write!(text, "\n\n{}", pod.group);
        Self { spec, class: Arc::from(text) }
    }
}

/// One node for one spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Whether every predicate that looks at the node alone lets the pod there.
    pub(super) fits: bool,
    /// The weighted sum of the priorities that need no comparison.
    pub(super) fixed: i64,
    /// The raw numbers of those that look at the node alone but compare.
    pub(super) raw: Vec<i64>,
}

/// All nodes for one spec.
#[derive(Debug, Default)]
pub(super) struct Spec {
    states: Vec<State>,
    /// Where in the log of nodes it stands.
    cursor: u64,
    /// Changes whenever readers must start over.
    pub(super) generation: u64,
    changed: Vec<u32>,
}

impl Spec {
    pub(super) fn state(&self, rank: u32) -> &State {
        &self.states[rank as usize]
    }

    /// How many changes there have been in this generation.
    pub(super) fn end(&self) -> usize {
        self.changed.len()
    }

    /// The nodes that changed since a cursor of this generation.
    pub(super) fn since(&self, cursor: usize) -> &[u32] {
        &self.changed[cursor..]
    }

    /// Looks again at nodes that have changed. `fresh` is a number never given before.
    pub(super) fn refresh(
        &mut self,
        profile: &Profile,
        snapshot: &Snapshot,
        pod: &PodInfo,
        fresh: u64,
    ) {
        let end = snapshot.changes.nodes_end();
        let count = snapshot.changes.names().len();
        let since = snapshot.changes.nodes_since(self.cursor);
        let since = since.filter(|_| self.generation != 0 && self.changed.len() < 8 * count + 4096);
        if let Some(since) = since {
            for rank in since {
                let name = &snapshot.changes.names()[rank as usize];
                let Some(node) = snapshot.node(name) else { continue };
                let state = look(profile, snapshot, pod, node);
                let known = &mut self.states[rank as usize];
                if *known != state {
                    *known = state;
                    self.changed.push(rank);
                }
            }
        } else {
            self.states = snapshot.nodes().map(|node| look(profile, snapshot, pod, node)).collect();
            self.changed.clear();
            self.generation = fresh;
        }
        self.cursor = end;
    }
}

/// Asks one node.
fn look(profile: &Profile, snapshot: &Snapshot, pod: &PodInfo, node: &NodeInfo) -> State {
    let nobody = Neighbours::default();
    let request = predicates::Request { pod, snapshot, neighbours: &nobody };
    let mut local = profile.predicates.iter().filter(|predicate| predicate.scope() == Scope::Node);
    let fits = local
        .all(|predicate| predicate.check(&request, node).is_ok_and(|reasons| reasons.is_empty()));
    let mut state = State { fits, ..State::default() };
    if !fits {
        return state;
    }
    for (priority, weight) in &profile.priorities {
        match (priority.source(), priority.is_relative()) {
            (Source::Node, false) => state.fixed += priority.raw(pod, node) * weight,
            (Source::Node, true) => state.raw.push(priority.raw(pod, node)),
            _ => {}
        }
    }
    state
}
