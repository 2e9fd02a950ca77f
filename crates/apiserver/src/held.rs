//! A stored object that is looked at now and then, by whoever keeps it for long.
//!
//! Its tree is there from the first look until [`Held::rest`]; meanwhile looking costs nothing.
//!
//! Invariant: at rest it keeps no tree in memory beyond what the store does.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use apimachinery::Value;

use crate::stored::Stored;

/// A stored object, read as one looks at it. A clone is at rest.
pub struct Held {
    stored: Stored,
    tree: OnceLock<Arc<Value>>,
}

impl Held {
    /// Whether both hold one object, not only equal ones; neither is looked at.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.stored.is_same(&other.stored)
    }

    /// Lets go of the tree; the next look reads it again.
    pub fn rest(&mut self) {
        self.tree.take();
    }
}

impl From<Stored> for Held {
    fn from(stored: Stored) -> Self {
        Self { stored, tree: OnceLock::new() }
    }
}

impl From<Arc<Value>> for Held {
    fn from(tree: Arc<Value>) -> Self {
        Self::from(Stored::from(tree))
    }
}

impl Deref for Held {
    type Target = Arc<Value>;

    fn deref(&self) -> &Arc<Value> {
        self.tree.get_or_init(|| self.stored.value())
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        Self::from(self.stored.clone())
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.stored, f)
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;
    use store::Value as _;

    use super::*;

    #[test]
    fn a_tree_is_kept_from_the_first_look_until_rest() {
        let stored = Stored::new(json!({"kind": "Pod"}));
        stored.cool();
        let mut held = Held::from(stored.clone());
        let seen = Arc::downgrade(&held);
        assert_eq!(held["kind"], "Pod");
        assert!(seen.upgrade().is_some_and(|tree| Arc::ptr_eq(&tree, &held.clone())));
        held.rest();
        assert!(seen.upgrade().is_none());
        assert_eq!(held["kind"], "Pod");
    }
}
