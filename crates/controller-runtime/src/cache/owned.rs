//! Which objects each controller has, and how many of its pods stand how.
//!
//! A controller of many pods is asked after every change to one of them; the tally answers how many
//! there are without looking at any.
//!
//! Invariant: the tally of an owner is what counting its pods would give.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use api::views::pod::{is_active, is_ready};
use apimachinery::{Map, ObjectExt as _, Value};
use rustc_hash::FxHashMap;

use crate::key::Key;

/// Pods of one owner that have the same labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alike {
    /// Their labels.
    pub labels: Option<Map>,
    /// How many have neither ended nor are being deleted.
    pub active: usize,
    /// How many of those are ready.
    pub ready: usize,
    /// How many there are.
    pub total: usize,
}

/// What is counted of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    active: bool,
    ready: bool,
}

/// The objects of one owner.
#[derive(Debug, Default)]
struct Objects {
    keys: BTreeSet<Key>,
    /// By their labels.
    tally: BTreeMap<Box<str>, Alike>,
}

/// Objects by the UID of their controller.
#[derive(Debug, Default)]
pub(super) struct Owned {
    by_uid: FxHashMap<Box<str>, Objects>,
    /// Whether they are pods, which are counted.
    counted: bool,
}

impl Owned {
    pub(super) fn new(counted: bool) -> Self {
        Self { counted, ..Self::default() }
    }

    pub(super) fn keys(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.by_uid.get(uid).into_iter().flat_map(|objects| objects.keys.iter())
    }

    pub(super) fn tally(&self, uid: &str) -> impl Iterator<Item = &Alike> {
        self.by_uid.get(uid).into_iter().flat_map(|objects| objects.tally.values())
    }

    /// Takes in an object of `uid` that was not there.
    pub(super) fn insert(&mut self, uid: &str, key: &Key, object: &Value) {
        let objects = match self.by_uid.get_mut(uid) {
            Some(objects) => objects,
            None => self.by_uid.entry(Box::from(uid)).or_default(),
        };
        if self.counted {
            objects.count(&text_of(object), Standing::of(object), object);
        }
        objects.keys.insert(key.clone());
    }

    /// Takes in a newer form of an object that has the same labels and the same owner.
    pub(super) fn renew(&mut self, uid: &str, old: &Value, new: &Value) {
        let (was, is) = (Standing::of(old), Standing::of(new));
        if !self.counted || was == is {
            return;
        }
        let Some(objects) = self.by_uid.get_mut(uid) else { return };
        let labels = text_of(new);
        objects.count(&labels, is, new);
        objects.discount(&labels, was);
    }

    /// Forgets an object of `uid` that was as `object` is.
    pub(super) fn remove(&mut self, uid: &str, key: &Key, object: &Value) {
        let Some(objects) = self.by_uid.get_mut(uid) else { return };
        if objects.keys.remove(key) && self.counted {
            objects.discount(&text_of(object), Standing::of(object));
        }
        if objects.keys.is_empty() {
            self.by_uid.remove(uid);
        }
    }
}

impl Standing {
    fn of(pod: &Value) -> Self {
        Self { active: is_active(pod), ready: is_ready(pod) }
    }
}

impl Objects {
    fn count(&mut self, labels: &str, standing: Standing, object: &Value) {
        let alike = match self.tally.get_mut(labels) {
            Some(alike) => alike,
            None => {
                let alike = Alike { labels: object.labels().cloned(), ..Alike::default() };
                self.tally.entry(Box::from(labels)).or_insert(alike)
            }
        };
        alike.total += 1;
        alike.active += usize::from(standing.active);
        alike.ready += usize::from(standing.active && standing.ready);
    }

    fn discount(&mut self, labels: &str, standing: Standing) {
        let Some(alike) = self.tally.get_mut(labels) else { return };
        alike.total -= 1;
        alike.active -= usize::from(standing.active);
        alike.ready -= usize::from(standing.active && standing.ready);
        if alike.total == 0 {
            self.tally.remove(labels);
        }
    }
}

/// The labels in a form that can be a key.
fn text_of(object: &Value) -> String {
    let mut text = String::with_capacity(64);
    for (label, value) in object.labels().into_iter().flatten() {
        let _ = writeln!(text, "{label}={}", value.as_str().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn pod(label: &str, phase: &str, ready: &str) -> Value {
        let conditions = json!([{"type": "Ready", "status": ready}]);
        json!({"metadata": {"labels": {"app": label}},
            "status": {"phase": phase, "conditions": conditions}})
    }

    fn tally(owned: &Owned) -> Vec<(String, usize, usize)> {
        let label = |alike: &Alike| alike.labels.as_ref().unwrap()["app"].as_str().unwrap().into();
        owned.tally("u").map(|alike| (label(alike), alike.active, alike.ready)).collect()
    }

    #[test]
    fn the_tally_follows_every_change() {
        let mut owned = Owned::new(true);
        let (a, b, c) = (Key::new("ns", "a"), Key::new("ns", "b"), Key::new("ns", "c"));
        let (waiting, running, ended) = ("Pending", "Running", "Succeeded");
        owned.insert("u", &a, &pod("web", waiting, "False"));
        owned.insert("u", &b, &pod("web", running, "True"));
        owned.insert("u", &c, &pod("db", "Failed", "True"));
        assert_eq!(tally(&owned), [("db".into(), 0, 0), ("web".into(), 2, 1)]);
        owned.renew("u", &pod("web", waiting, "False"), &pod("web", running, "True"));
        owned.renew("u", &pod("web", running, "True"), &pod("web", ended, "True"));
        assert_eq!(tally(&owned), [("db".into(), 0, 0), ("web".into(), 1, 1)]);
        owned.remove("u", &c, &pod("db", "Failed", "True"));
        owned.remove("u", &a, &pod("web", running, "True"));
        assert_eq!(tally(&owned), [("web".into(), 0, 0)]);
        owned.remove("u", &b, &pod("web", ended, "True"));
        assert_eq!(tally(&owned), []);
        assert_eq!(owned.keys("u").count(), 0);
    }
}
