//! The objects of one resource, by key.
//!
//! Invariant: the keys in order are those of the objects.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use apimachinery::{ObjectExt as _, Value};
use rustc_hash::FxHashMap;

use crate::key::Key;

/// Looking one up takes the same time however many there are; lists come in key order.
#[derive(Debug, Default)]
pub(super) struct Objects {
    held: FxHashMap<Held, Arc<Value>>,
    order: BTreeSet<Key>,
}

/// A key that is found by the texts it is made of.
#[derive(Debug, Clone)]
struct Held(Key);

/// Namespace and name.
trait Place {
    fn parts(&self) -> (&str, &str);
}

impl Objects {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.held.get(key as &dyn Place)
    }

    pub(super) fn named(&self, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.held.get(&(namespace, name) as &dyn Place)
    }

    /// The key under which the object of that name is held.
    pub(super) fn key_of(&self, object: &Value) -> Option<Key> {
        let place = (object.namespace(), object.name());
        self.held.get_key_value(&place as &dyn Place).map(|(key, _)| key.0.clone())
    }

    /// All keys, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.order.iter()
    }

    /// The objects from `start` on, in key order.
    pub(super) fn from(&self, start: Key) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.order.range(start..).filter_map(|key| Some((key, self.get(key)?)))
    }

    /// Puts `object` in the place of that of its name; `None` when there is none.
    pub(super) fn replace(&mut self, object: &Arc<Value>) -> Option<Arc<Value>> {
        let held = self.held.get_mut(&(object.namespace(), object.name()) as &dyn Place)?;
        Some(std::mem::replace(held, Arc::clone(object)))
    }

    /// Takes in the object of `key`, which was not there.
    pub(super) fn add(&mut self, key: &Key, object: &Arc<Value>) {
        self.order.insert(key.clone());
        self.held.insert(Held(key.clone()), Arc::clone(object));
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        self.order.remove(key);
        self.held.remove(key as &dyn Place)
    }
}

impl Place for Key {
    fn parts(&self) -> (&str, &str) {
        self.parts()
    }
}

impl Place for (&str, &str) {
    fn parts(&self) -> (&str, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Place + 'a> for Held {
    fn borrow(&self) -> &(dyn Place + 'a) {
        &self.0
    }
}

impl PartialEq for dyn Place + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Place + '_ {}

impl Hash for dyn Place + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Held {}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.parts().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn an_object_is_found_by_its_names_and_listed_in_order() {
        let mut objects = Objects::default();
        let names = [("b", "a"), ("", "ab"), ("a", "b")];
        for (namespace, name) in names {
            let object = json!({"metadata": {"namespace": namespace, "name": name}});
            assert!(objects.replace(&Arc::new(object.clone())).is_none());
            objects.add(&Key::new(namespace, name), &Arc::new(object));
        }
        for (namespace, name) in names {
            let found = objects.named(namespace, name).unwrap();
            assert_eq!((found.namespace(), found.name()), (namespace, name));
            assert_eq!(objects.get(&Key::new(namespace, name)), Some(found));
            assert_eq!(objects.key_of(found), Some(Key::new(namespace, name)));
            assert!(objects.replace(&Arc::clone(found)).is_some());
        }
        assert!(objects.named("ab", "").is_none());
        let listed = objects.from(Key::new("a", "")).map(|(key, _)| key.to_string());
        assert_eq!(listed.collect::<Vec<_>>(), ["a/b", "b/a"]);
        assert!(objects.remove(&Key::new("a", "b")).is_some());
        assert_eq!(objects.keys().map(Key::to_string).collect::<Vec<_>>(), ["ab", "b/a"]);
    }
}
