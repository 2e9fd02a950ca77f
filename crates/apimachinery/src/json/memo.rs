//! What was found out about maps, for as long as the very same map comes again.
//!
//! A controller makes its pods from one template, so their specs are one map in memory; what follows
//! from it alone need be worked out only once.
//!
//! Invariant: a remembered map is held, so no other map can have its place in memory.

use std::cell::RefCell;

use super::Map;
use crate::recent::Recent;

/// The last few maps and what was found out about each.
#[derive(Debug, Default)]
pub struct Memo<T>(RefCell<Recent<Map, T>>);

impl<T: Clone> Memo<T> {
    /// Remembers nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(RefCell::new(Recent::new()))
    }

    /// What was found out about this very map; an equal one does not count.
    pub fn get(&self, map: &Map) -> Option<T> {
        self.0.borrow().get(|known| known.is_same(map))
    }

    /// Remembers what was found out about a map, which is not empty.
    pub fn put(&self, map: Map, found: T) {
        self.0.borrow_mut().put(map, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn only_the_very_same_map_is_remembered() {
        let map = |value: &crate::Value| value.as_object().unwrap().clone();
        let (one, equal) = (map(&json!({"a": 1})), map(&json!({"a": 1})));
        let memo = Memo::new();
        memo.put(one.clone(), "found");
        assert_eq!((memo.get(&one), memo.get(&equal)), (Some("found"), None));
        let mut changed = one.clone();
        changed.insert("b", json!(2));
        assert_eq!(memo.get(&changed), None);
    }
}
