//! The objects of one resource, by key.
//!
//! Invariant: the keys in order are those of the objects.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::Arc;

use apimachinery::{ObjectExt as _, Value};
use rustc_hash::FxHashMap;

use crate::key::{Key, joined};

/// Looking one up takes the same time however many there are; lists come in key order.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// With the key once more: a map does not show the key of what it lends to be changed.
    held: FxHashMap<Held, (Key, Arc<Value>)>,
    order: BTreeSet<Key>,
}

/// A key that is found by its text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Held(Key);

impl Objects {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.held.get(key.text()).map(|(_, object)| object)
    }

    pub(super) fn named(&self, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        joined(namespace, name, |text| self.held.get(text)).map(|(_, object)| object)
    }

    /// All keys, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.order.iter()
    }

    /// The objects from `start` on, in key order.
    pub(super) fn from(&self, start: Key) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.order.range(start..).filter_map(|key| Some((key, self.get(key)?)))
    }

    /// Puts `object` in the place of that of its name, which is given with its key; `None` when there
    /// is none.
    pub(super) fn replace(&mut self, object: &Arc<Value>) -> Option<(Key, Arc<Value>)> {
        let (key, held) =
            joined(object.namespace(), object.name(), |text| self.held.get_mut(text))?;
        Some((key.clone(), std::mem::replace(held, Arc::clone(object))))
    }

    /// Takes in the object of `key`, which was not there.
    pub(super) fn add(&mut self, key: &Key, object: &Arc<Value>) {
        self.order.insert(key.clone());
        self.held.insert(Held(key.clone()), (key.clone(), Arc::clone(object)));
    }

    /// Takes the object of `key` away; gives it with the key that it was held under.
    pub(super) fn remove(&mut self, key: &Key) -> Option<(Key, Arc<Value>)> {
        self.order.remove(key);
        self.held.remove(key.text())
    }
}

impl Borrow<str> for Held {
    fn borrow(&self) -> &str {
        self.0.text()
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
            let replaced = objects.replace(&Arc::clone(found)).map(|(key, _)| key);
            assert_eq!(replaced, Some(Key::new(namespace, name)));
        }
        assert!(objects.named("ab", "").is_none());
        let listed = objects.from(Key::new("a", "")).map(|(key, _)| key.to_string());
        assert_eq!(listed.collect::<Vec<_>>(), ["a/b", "b/a"]);
        assert!(objects.remove(&Key::new("a", "b")).is_some());
        assert_eq!(objects.keys().map(Key::to_string).collect::<Vec<_>>(), ["ab", "b/a"]);
    }
}
