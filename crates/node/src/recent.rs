//! What was made lately, for those who want the same again.
//!
//! Invariant: what is remembered follows from its key alone, so that nobody sees whether it was.

use std::collections::VecDeque;

/// How many values are remembered.
const REMEMBERED: usize = 16;

/// The newest values, by what each follows from.
#[derive(Debug)]
pub(crate) struct Recent<K, V>(VecDeque<(K, V)>);

impl<K, V: Clone> Recent<K, V> {
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn get(&self, is: impl Fn(&K) -> bool) -> Option<V> {
        self.0.iter().find(|(key, _)| is(key)).map(|(_, value)| value.clone())
    }

    /// The first value for which `is` says so.
    pub(crate) fn find(&self, is: impl Fn(&V) -> bool) -> Option<V> {
        self.0.iter().find(|(_, value)| is(value)).map(|(_, value)| value.clone())
    }

    pub(crate) fn put(&mut self, key: K, value: V) -> V {
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front((key, value.clone()));
        value
    }
}
