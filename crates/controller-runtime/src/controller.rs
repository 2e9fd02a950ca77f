//! The shape of a controller: what it watches, how a key is reconciled, what it may use.
//!
//! Invariant: reconcilers are level-driven: their input is a key, never an event's payload.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::Resource;
use apimachinery::{Map, ObjectExt as _, Status, Text, Value};
use apiserver::Client;
use world::{Time, World};

use crate::cache::Caches;
use crate::key::Key;
use crate::recorder::Recorder;

/// One reconciler, driven by the [`crate::Driver`].
pub trait Controller: Send + fmt::Debug {
    /// Name of the queue and source component of events, e.g. `replication-controller`.
    fn name(&self) -> &'static str;

    /// The resources it reads, each with the keys that a change gives rise to.
    fn watches(&self) -> Vec<Watching>;

    /// Brings the world closer to what the object under `key` asks for.
    ///
    /// # Errors
    /// [`Error::Retry`] to be called again after a back-off, [`Error::Terminal`] to be left alone
    /// until something changes.
    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error>;

    /// Takes in what arrived from outside the API (runtime events) and says which keys to look at;
    /// asked before every step. `None` when nothing will any more: it is not asked again.
    fn poll(&mut self, _cx: &mut Context<'_>) -> Option<Vec<Key>> {
        None
    }

    /// Custom resources that it reads from now on too; asked before the first step, and whenever a
    /// definition of one has changed.
    fn new_watches(&mut self, _caches: &Caches) -> Vec<Watching> {
        Vec::new()
    }

    /// The earliest time at which [`Controller::poll`] will have something; `None` when unknown or
    /// never (a real edge calls the driver's wake function instead).
    fn next_wakeup(&self) -> Option<Time> {
        None
    }
}

/// What a reconcile may use.
#[derive(Debug)]
pub struct Context<'a> {
    /// Writes, and reads that must not come from a cache.
    pub client: &'a Client,
    /// Current objects of every watched resource.
    pub caches: &'a Caches,
    /// Time and names.
    pub world: &'a World,
    /// Events.
    pub recorder: &'a mut Recorder,
    /// How often in a row the reconcile of this key has failed before.
    pub retries: u32,
}

/// When to look at a key again although nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeue {
    /// Not before something changes.
    Done,
    /// After this long.
    After(Duration),
}

impl Requeue {
    /// The earlier of two wishes.
    #[must_use]
    pub fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::After(a), Self::After(b)) => Self::After(a.min(b)),
            (Self::After(a), Self::Done) | (Self::Done, Self::After(a)) => Self::After(a),
            (Self::Done, Self::Done) => Self::Done,
        }
    }
}

/// Why a reconcile did not finish.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The API refused or failed; called again after a back-off.
    #[error("{0}")]
    Retry(#[from] Status),
    /// Nothing can be done until something changes.
    #[error("{0}")]
    Terminal(String),
}

/// A change to one cached object.
#[derive(Debug, Clone)]
pub struct Change {
    /// The object before; `None` when it was created.
    pub old: Option<Arc<Value>>,
    /// The object after; `None` when it was deleted.
    pub new: Option<Arc<Value>>,
    key: Key,
    is_of_status: OnceCell<bool>,
}

impl Change {
    /// What was `old` is `new`; one of them may be missing.
    #[must_use]
    pub fn new(old: Option<Arc<Value>>, new: Option<Arc<Value>>) -> Self {
        let key = new.as_ref().or(old.as_ref()).map_or_else(|| Key::new("", ""), |it| Key::of(it));
        Self::under(key, old, new)
    }

    /// What was `old` under `key` is `new`.
    pub(crate) fn under(key: Key, old: Option<Arc<Value>>, new: Option<Arc<Value>>) -> Self {
        Self { old, new, key, is_of_status: OnceCell::new() }
    }

    /// The object's key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key.clone()
    }

    /// Whether nothing but the object's status is another: most changes are such, and nothing to
    /// those who look at other parts.
    #[must_use]
    pub fn is_of_status(&self) -> bool {
        *self.is_of_status.get_or_init(|| {
            let sides = self.old.as_deref().zip(self.new.as_deref());
            let maps = sides.and_then(|(old, new)| old.as_object().zip(new.as_object()));
            maps.is_some_and(|(old, new)| {
                same_but(old, new, |name, old, new| match name {
                    "status" => true,
                    "metadata" => old.as_object().zip(new.as_object()).is_some_and(|(old, new)| {
                        same_but(old, new, |name, _, _| name == "resourceVersion")
                    }),
                    _ => false,
                })
            })
        })
    }

    /// The newest form of the object.
    ///
    /// # Panics
    /// Never: a change has at least one side.
    #[must_use]
    pub fn object(&self) -> &Arc<Value> {
        self.new.as_ref().or(self.old.as_ref()).expect("a change has a side")
    }

    /// Whether the object has and had a controller, and never one of kind `kind`: most changes are of
    /// such objects, and nothing to the controllers of all other kinds.
    #[must_use]
    pub fn is_of_others_than(&self, kind: &str) -> bool {
        let of_other = |object: &Arc<Value>| {
            object.controller_ref().is_some_and(|controller| controller.kind() != kind)
        };
        let before = self.old.as_ref().filter(|_| !self.keeps_owners());
        of_other(self.object()) && before.is_none_or(of_other)
    }

    /// Whether the object had the same owners before: what stays the same is the same list in both.
    fn keeps_owners(&self) -> bool {
        let sides = self.old.as_deref().zip(self.new.as_deref());
        sides.is_some_and(|(old, new)| std::ptr::eq(old.owner_references(), new.owner_references()))
    }
}

/// Whether both have the same members, but for those of which `may_differ` says so.
fn same_but(old: &Map, new: &Map, may_differ: impl Fn(&str, &Value, &Value) -> bool) -> bool {
    let same = |((name, old), (other, new)): ((&Text, &Value), (&Text, &Value))| {
        name == other && (may_differ(name, old, new) || old == new)
    };
    old.len() == new.len() && old.iter().zip(new).all(same)
}

/// Turns a change into the keys that must be looked at.
pub type MapFn = fn(&Caches, &Change) -> Vec<Key>;

/// One watched resource of a controller.
#[derive(Debug, Clone, Copy)]
pub struct Watching {
    /// The resource, in its storage version.
    pub resource: &'static Resource,
    /// Keys that a change gives rise to.
    pub map: MapFn,
}

impl Watching {
    /// Watches `resource`, mapping changes by `map`.
    #[must_use]
    pub fn new(resource: &'static Resource, map: MapFn) -> Self {
        Self { resource, map }
    }

    /// Keeps `resource` in the caches without waking the controller.
    #[must_use]
    pub fn reading(resource: &'static Resource) -> Self {
        Self { resource, map: |_, _| Vec::new() }
    }
}

/// The changed object's own key.
#[must_use]
pub fn same_key(_: &Caches, change: &Change) -> Vec<Key> {
    vec![change.key()]
}

/// The keys of the controllers (by `controllerRef`) of kind `kind` that own the object now or owned
/// it before.
#[must_use]
pub fn controller_owner_of(change: &Change, kind: &str) -> Vec<Key> {
    let owner = |object: &Arc<Value>| {
        let owner = object.controller_ref().filter(|owner| owner.kind() == kind)?;
        Some(Key::new(object.namespace(), owner.str_at(&["name"])))
    };
    let before = change.old.as_ref().filter(|_| !change.keeps_owners()).and_then(owner);
    let mut keys: Vec<Key> = before.into_iter().chain(owner(change.object())).collect();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_change_of_the_status_is_told_from_others() {
        let pod = json!({
            "metadata": {"name": "a", "resourceVersion": "1"}, "spec": {}, "status": {"phase": "Pending"},
        });
        let cases = [
            (["metadata", "resourceVersion"], "2", true),
            (["status", "phase"], "Running", true),
            (["metadata", "deletionTimestamp"], "2018-10-11T12:00:00Z", false),
            (["metadata", "name"], "b", false),
            (["spec", "nodeName"], "n1", false),
        ];
        for (path, value, expected) in cases {
            let mut new = pod.clone();
            new.set(&path, json!(value));
            let change = Change::new(Some(Arc::new(pod.clone())), Some(Arc::new(new)));
            assert_eq!(change.is_of_status(), expected, "{path:?}");
        }
        assert!(!Change::new(None, Some(Arc::new(pod))).is_of_status());
    }
}
