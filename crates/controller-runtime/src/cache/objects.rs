//! The objects of one resource, by key.
//!
//! Of pods, which may be a hundred thousand, the stored form is kept: it takes a sixth of the memory
//! once the pod has not changed for a while. Everything else is there as a tree.
//!
//! Invariant: what is handed out is the newest form that was put in.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use apimachinery::Value;
use apiserver::Stored;

use crate::key::Key;

#[derive(Debug)]
enum Object {
    Tree(Arc<Value>),
    Stored(Stored),
}

impl Object {
    fn value(&self) -> Arc<Value> {
        match self {
            Self::Tree(tree) => Arc::clone(tree),
            Self::Stored(stored) => stored.value(),
        }
    }
}

/// The objects of one resource.
#[derive(Debug, Default)]
pub(super) struct Objects {
    by_key: BTreeMap<Key, Object>,
    /// Whether there may be very many.
    many: bool,
}

impl Objects {
    pub(super) fn new(many: bool) -> Self {
        Self { by_key: BTreeMap::new(), many }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.by_key.get(key).map(Object::value)
    }

    pub(super) fn stored(&self, key: &Key) -> Option<Stored> {
        self.by_key.get(key).map(|object| match object {
            Object::Tree(tree) => Stored::from(Arc::clone(tree)),
            Object::Stored(stored) => stored.clone(),
        })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_key.keys()
    }

    /// The objects from `start` on, in key order.
    pub(super) fn from<'a>(
        &'a self,
        start: Bound<Key>,
    ) -> impl Iterator<Item = (&'a Key, Seen<'a>)> {
        self.by_key.range((start, Bound::Unbounded)).map(|(key, object)| (key, Seen(object)))
    }

    /// Puts `object` under `key`; gives what was there.
    pub(super) fn insert(&mut self, key: Key, object: Stored) -> Option<Arc<Value>> {
        let object = if self.many { Object::Stored(object) } else { Object::Tree(object.value()) };
        self.by_key.insert(key, object).map(|old| old.value())
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        self.by_key.remove(key).map(|old| old.value())
    }
}

/// An object that was come across and not looked at yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a>(&'a Object);

impl Seen<'_> {
    pub(super) fn value(self) -> Arc<Value> {
        self.0.value()
    }
}
