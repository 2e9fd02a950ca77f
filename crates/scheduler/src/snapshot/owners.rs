//! What groups a pod with others: the selectors of services and controllers.
//!
//! Invariant: the generation changes exactly when a selector does.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::Map;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;
use rustc_hash::FxHashMap;

use crate::pod::{from_json, from_map};

type Name = (Arc<str>, Arc<str>);

/// The selectors of everything that groups pods, by namespace; services come first.
#[derive(Debug, Default)]
pub struct Owners {
    services: BTreeMap<Key, LabelSelector>,
    controllers: BTreeMap<Arc<str>, BTreeMap<Name, LabelSelector>>,
    /// What each owner's selector was read from, by plural and key; only asked, never listed.
    written: FxHashMap<(&'static str, Key), Value>,
    generation: u64,
}

impl Owners {
    /// Takes in an owner as it is now. Gives whether its selector is new.
    pub(super) fn set(&mut self, plural: &'static str, key: &Key, object: Option<&Value>) -> bool {
        let owner = (plural, key.clone());
        let written = object.and_then(|object| object.at(&["spec", "selector"]));
        if self.written.get(&owner) == written {
            // Most changes are of a status.
            return false;
        }
        match written {
            Some(written) => self.written.insert(owner, written.clone()),
            None => self.written.remove(&owner),
        };
        let selector = match plural {
            "services" | "replicationcontrollers" => from_map(written.and_then(Value::as_object)),
            _ => from_json(written),
        };
        let old = if plural == "services" {
            replace(&mut self.services, key.clone(), selector.clone())
        } else {
            let namespace = self.controllers.entry(Arc::from(key.namespace())).or_default();
            let name = (Arc::from(plural), Arc::from(key.name()));
            let old = replace(namespace, name, selector.clone());
            if namespace.is_empty() {
                self.controllers.remove(key.namespace());
            }
            old
        };
        let changed = old != selector;
        self.generation += u64::from(changed);
        changed
    }

    /// Changes whenever a selector does.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The selectors of the services of `namespace` that select `labels`, by name.
    pub fn services<'a>(
        &'a self,
        namespace: &'a str,
        labels: Option<&'a Map>,
    ) -> impl Iterator<Item = &'a LabelSelector> {
        let range = self.services.range(Key::new(namespace, "")..);
        range
            .take_while(move |(key, _)| key.namespace() == namespace)
            .map(|(_, selector)| selector)
            .filter(move |selector| selector.matches(labels))
    }

    /// The selectors of services and controllers of `namespace` that select `labels`.
    pub fn all<'a>(
        &'a self,
        namespace: &'a str,
        labels: Option<&'a Map>,
    ) -> impl Iterator<Item = &'a LabelSelector> {
        let controllers = self.controllers.get(namespace).into_iter().flatten();
        let controllers = controllers.map(|(_, selector)| selector);
        self.services(namespace, labels)
            .chain(controllers.filter(move |selector| selector.matches(labels)))
    }
}

fn replace<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}
