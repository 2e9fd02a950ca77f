//! Which keys a read or a deletion covers, and what a read answers.

use std::collections::Bound;
use std::sync::Arc;

use crate::value::{KeyValue, Revision};

/// Where a range of keys ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// After the last key that begins with this text.
    Prefix(String),
    /// After exactly this key.
    Key(String),
    /// Before this key.
    Before(String),
    /// After the last key of the store.
    Unbounded,
}

/// A run of keys in byte order, read as of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Where the run begins.
    pub start: Bound<String>,
    /// Where the run ends.
    pub end: End,
    /// The greatest number of keys to return; 0 for all.
    pub limit: usize,
    /// The revision to read at; `None` for the present.
    pub revision: Option<Revision>,
    /// Whether only to count.
    pub count_only: bool,
}

impl Range {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        Self::new(Bound::Included(prefix.clone()), End::Prefix(prefix))
    }

    /// The one key `key`.
    pub fn key(key: impl Into<String>) -> Self {
        let key = key.into();
        Self::new(Bound::Included(key.clone()), End::Key(key))
    }

    /// The keys from `start` to before `end`.
    pub fn between(start: impl Into<String>, end: impl Into<String>) -> Self {
        Self::new(Bound::Included(start.into()), End::Before(end.into()))
    }

    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Bound::Unbounded, End::Unbounded)
    }

    fn new(start: Bound<String>, end: End) -> Self {
        Self { start, end, limit: 0, revision: None, count_only: false }
    }

    /// Returns at most `limit` keys; 0 for all.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Reads as of `revision`.
    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Leaves out all keys up to and including `key`: how the next page of a limited range is read.
    #[must_use]
    pub fn after(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        if !self.starts_behind(&key) {
            self.start = Bound::Excluded(key);
        }
        self
    }

    /// Leaves out all keys before `key`.
    #[must_use]
    pub fn starting_at(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        if !self.starts_behind(&key) {
            self.start = Bound::Included(key);
        }
        self
    }

    /// Counts the keys and returns none.
    #[must_use]
    pub fn count_only(mut self) -> Self {
        self.count_only = true;
        self
    }

    fn starts_behind(&self, key: &str) -> bool {
        match &self.start {
            Bound::Included(start) => key < start.as_str(),
            Bound::Excluded(start) => key <= start.as_str(),
            Bound::Unbounded => false,
        }
    }

    /// The start in the form ordered maps take.
    pub(crate) fn start_bound(&self) -> Bound<&str> {
        match &self.start {
            Bound::Included(key) => Bound::Included(key),
            Bound::Excluded(key) => Bound::Excluded(key),
            Bound::Unbounded => Bound::Unbounded,
        }
    }

    /// Whether `key`, which does not lie before the start, lies before the end.
    pub(crate) fn before_end(&self, key: &str) -> bool {
        match &self.end {
            End::Prefix(prefix) => key.starts_with(prefix.as_str()),
            End::Key(only) => key == only,
            End::Before(end) => key < end.as_str(),
            End::Unbounded => true,
        }
    }

    /// Whether the range covers `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        let started = match &self.start {
            Bound::Included(start) => key >= start.as_str(),
            Bound::Excluded(start) => key > start.as_str(),
            Bound::Unbounded => true,
        };
        started && self.before_end(key)
    }
}

/// The answer to a [`Range`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeResponse<V> {
    /// The keys in byte order.
    pub kvs: Vec<Arc<KeyValue<V>>>,
    /// Whether the limit cut keys off.
    pub more: bool,
    /// The number of keys from the range's start on, those cut off included.
    pub count: usize,
    /// The number of keys cut off.
    pub remaining: usize,
    /// The revision that was read: the one asked for, or the store's.
    pub revision: Revision,
}
