//! What was made lately, for those who want the same again.
//!
//! Invariant: what is remembered follows from its key alone, so that nobody sees whether it was.

use std::collections::VecDeque;

/// How many values are remembered.
const REMEMBERED: usize = 16;

/// The newest values, by what each follows from.
#[derive(Debug)]
pub struct Recent<K, V>(VecDeque<(K, V)>);

impl<K, V> Recent<K, V> {
    /// Remembers nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }
}

impl<K, V: Clone> Recent<K, V> {
    /// The newest value of a key for which `is` says so.
    pub fn get(&self, is: impl Fn(&K) -> bool) -> Option<V> {
        self.0.iter().find(|(key, _)| is(key)).map(|(_, value)| value.clone())
    }

    /// Remembers the value of a key, and gives it.
    pub fn put(&mut self, key: K, value: V) -> V {
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front((key, value.clone()));
        value
    }
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let mut squares = Recent::new();
        for number in 0..2 * REMEMBERED {
            assert_eq!(squares.put(number, number * number), number * number);
        }
        let known = |number: usize| squares.get(|known| *known == number);
        assert_eq!(known(REMEMBERED - 1), None);
        assert_eq!(known(REMEMBERED), Some(REMEMBERED * REMEMBERED));
    }
}
