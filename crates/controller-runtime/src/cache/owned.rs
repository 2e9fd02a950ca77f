//! Which objects each controller has, and how many of its pods stand how.
//!
//! A controller of many pods is asked after every change to one of them; the tally answers how many
//! there are without looking at any.
//!
//! Invariant: the tally of an owner is what counting its pods would give.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use api::views::pod::{is_active, is_ready};
use apimachinery::Map;
use apimachinery::{ObjectExt as _, Value};

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
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    labels: Arc<str>,
    active: bool,
    ready: bool,
}

/// The objects of one owner.
#[derive(Debug, Default)]
struct Objects {
    entries: BTreeMap<Key, Option<Standing>>,
    tally: BTreeMap<Arc<str>, Alike>,
}

/// Objects by the UID of their controller.
#[derive(Debug, Default)]
pub(super) struct Owned {
    by_uid: BTreeMap<String, Objects>,
    /// Whether they are pods, which are counted.
    counted: bool,
}

impl Owned {
    pub(super) fn new(counted: bool) -> Self {
        Self { counted, ..Self::default() }
    }

    pub(super) fn keys(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.by_uid.get(uid).into_iter().flat_map(|objects| objects.entries.keys())
    }

    pub(super) fn tally(&self, uid: &str) -> impl Iterator<Item = &Alike> {
        self.by_uid.get(uid).into_iter().flat_map(|objects| objects.tally.values())
    }

    /// Takes in an object of `uid` that was not there.
    pub(super) fn insert(&mut self, uid: &str, key: &Key, object: &Value) {
        let standing = self.counted.then(|| Standing::of(object, text_of(object)));
        let objects = self.by_uid.entry(uid.to_owned()).or_default();
        if let Some(standing) = &standing {
            objects.count(standing, object);
        }
        objects.entries.insert(key.clone(), standing);
    }

    /// Takes in a newer form that has the same labels and the same owner.
    pub(super) fn renew(&mut self, uid: &str, key: &Key, object: &Value) {
        let Some(objects) = self.by_uid.get_mut(uid) else { return };
        let Some(Some(old)) = objects.entries.get_mut(key) else { return };
        let new = Standing::of(object, Arc::clone(&old.labels));
        if *old != new {
            let old = std::mem::replace(old, new.clone());
            objects.count(&new, object);
            objects.discount(&old);
        }
    }

    pub(super) fn remove(&mut self, uid: &str, key: &Key) {
        let Some(objects) = self.by_uid.get_mut(uid) else { return };
        if let Some(Some(standing)) = objects.entries.remove(key) {
            objects.discount(&standing);
        }
        if objects.entries.is_empty() {
            self.by_uid.remove(uid);
        }
    }
}

impl Standing {
    fn of(pod: &Value, labels: Arc<str>) -> Self {
        Self { labels, active: is_active(pod), ready: is_ready(pod) }
    }
}

impl Objects {
    fn count(&mut self, standing: &Standing, object: &Value) {
        let alike = match self.tally.get_mut(&standing.labels) {
            Some(alike) => alike,
            None => {
                let labels = object.labels().cloned();
                let alike = Alike { labels, ..Alike::default() };
                self.tally.entry(Arc::clone(&standing.labels)).or_insert(alike)
            }
        };
        alike.total += 1;
        alike.active += usize::from(standing.active);
        alike.ready += usize::from(standing.active && standing.ready);
    }

    fn discount(&mut self, standing: &Standing) {
        let Some(alike) = self.tally.get_mut(&standing.labels) else { return };
        alike.total -= 1;
        alike.active -= usize::from(standing.active);
        alike.ready -= usize::from(standing.active && standing.ready);
        if alike.total == 0 {
            self.tally.remove(&standing.labels);
        }
    }
}

/// The labels in a form that can be a key.
fn text_of(object: &Value) -> Arc<str> {
    let mut text = String::with_capacity(64);
    for (label, value) in object.labels().into_iter().flatten() {
        let _ = writeln!(text, "{label}={}", value.as_str().unwrap_or_default());
    }
    Arc::from(text)
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn pod(label: &str, phase: &str, ready: &str) -> Arc<Value> {
        let conditions = json!([{"type": "Ready", "status": ready}]);
        Arc::new(json!({"metadata": {"labels": {"app": label}},
            "status": {"phase": phase, "conditions": conditions}}))
    }

    fn tally(owned: &Owned) -> Vec<(String, usize, usize)> {
        let label = |alike: &Alike| alike.labels.as_ref().unwrap()["app"].as_str().unwrap().into();
        owned.tally("u").map(|alike| (label(alike), alike.active, alike.ready)).collect()
    }

    #[test]
    fn the_tally_follows_every_change() {
        let mut owned = Owned::new(true);
        let (a, b, c) = (Key::new("ns", "a"), Key::new("ns", "b"), Key::new("ns", "c"));
        owned.insert("u", &a, &pod("web", "Pending", "False"));
        owned.insert("u", &b, &pod("web", "Running", "True"));
        owned.insert("u", &c, &pod("db", "Failed", "True"));
        assert_eq!(tally(&owned), [("db".into(), 0, 0), ("web".into(), 2, 1)]);
        owned.renew("u", &a, &pod("web", "Running", "True"));
        owned.renew("u", &b, &pod("web", "Succeeded", "True"));
        assert_eq!(tally(&owned), [("db".into(), 0, 0), ("web".into(), 1, 1)]);
        owned.remove("u", &c);
        owned.remove("u", &a);
        assert_eq!(tally(&owned), [("web".into(), 0, 0)]);
        owned.remove("u", &b);
        assert_eq!(tally(&owned), []);
        assert_eq!(owned.keys("u").count(), 0);
    }
}
