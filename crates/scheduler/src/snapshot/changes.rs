//! What changed, in order, so that what was derived can be brought up to date instead of being
//! derived anew.
//!
//! Invariant: ranks number the nodes by name; whenever a node comes, goes or changes its labels the
//! numbering starts over (a new epoch) and everything derived from the old one is void.

use std::collections::VecDeque;
use std::sync::Arc;

/// How far back changes are remembered; who is further behind starts over.
const KEPT: usize = 1 << 16;

/// A pod came to a node or left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodChange {
    /// The pod's group.
    pub(crate) group: u32,
    /// The node.
    pub(crate) rank: u32,
    /// Came or left.
    pub(crate) added: bool,
}

#[derive(Debug)]
struct Log<T> {
    first: u64,
    entries: VecDeque<T>,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { first: 0, entries: VecDeque::new() }
    }
}

impl<T: Copy> Log<T> {
    fn push(&mut self, entry: T) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(entry);
    }

    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn since(&self, cursor: u64) -> Option<impl Iterator<Item = T>> {
        let skipped = usize::try_from(cursor.checked_sub(self.first)?).ok()?;
        Some(self.entries.range(skipped.min(self.entries.len())..).copied())
    }
}

/// The changes since some time ago.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    epoch: u64,
    stale: bool,
    names: Vec<Arc<str>>,
    pods: Log<PodChange>,
    /// Nodes whose own fields or whose sums changed.
    nodes: Log<u32>,
}

impl Changes {
    pub(super) fn node(&mut self, rank: u32) {
        if !self.stale && rank != u32::MAX {
            self.nodes.push(rank);
        }
    }

    pub(super) fn pod(&mut self, change: PodChange) {
        if !self.stale && change.rank != u32::MAX {
            self.nodes.push(change.rank);
            self.pods.push(change);
        }
    }

    pub(super) fn renumber(&mut self) {
        self.stale = true;
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }

    pub(super) fn numbered(&mut self, names: Vec<Arc<str>>) {
        self.epoch += 1;
        self.stale = false;
        self.names = names;
        self.pods = Log::default();
        self.nodes = Log::default();
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The names of the nodes by rank.
    pub(crate) fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// Where the log of pods ends now.
    pub(crate) fn pods_end(&self) -> u64 {
        self.pods.end()
    }

    /// Where the log of nodes ends now.
    pub(crate) fn nodes_end(&self) -> u64 {
        self.nodes.end()
    }

    /// What happened to pods since `cursor`; `None` when that is forgotten.
    pub(crate) fn pods_since(&self, cursor: u64) -> Option<impl Iterator<Item = PodChange>> {
        self.pods.since(cursor)
    }

    /// The nodes that changed since `cursor`; `None` when that is forgotten.
    pub(crate) fn nodes_since(&self, cursor: u64) -> Option<impl Iterator<Item = u32>> {
        self.nodes.since(cursor)
    }
}
