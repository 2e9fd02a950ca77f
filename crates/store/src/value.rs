//! What the store keeps and what it tells: values, keys with their revisions, events.

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;

use crate::lease::LeaseId;

/// A point in the store's history. An empty store is at revision 1, the first change makes 2.
///
/// Mirrors: `etcd-io/etcd:server/storage/mvcc/kvstore.go`.
pub type Revision = u64;

/// What can be stored.
pub trait Value: Clone + PartialEq + Send + Sync + 'static {
    /// Called once, under the writer's lock, with the revision the value is stored at.
    fn committed(&mut self, _revision: Revision) {}

    /// Called once, under the writer's lock, on the copy of the last value that the event of a
    /// deletion carries.
    fn deleted(&mut self, _revision: Revision) {}

    /// About how many bytes of memory the value takes; always the same for the same value. What is
    /// 0 bytes large does not count towards [`Options::retain_bytes`](crate::Options).
    fn size(&self) -> usize {
        0
    }

    /// Orders two values for the `<` and `>` of a transaction; `None` when they have no order.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Value for Bytes {
    fn size(&self) -> usize {
        self.len()
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Value for Vec<u8> {
    fn size(&self) -> usize {
        self.len()
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Value for String {
    fn size(&self) -> usize {
        self.len()
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue<V> {
    /// The key; all its versions share one allocation.
    pub key: Arc<str>,
    /// The value of this version.
    pub value: V,
    /// The revision at which the key last came into being.
    pub create_revision: Revision,
    /// The revision of this version; in the event of a deletion, that of the deletion.
    pub mod_revision: Revision,
    /// The number of puts since the key came into being, this one included; 0 in the event of a
    /// deletion.
    pub version: u64,
    /// The lease with which the key ends.
    pub lease: Option<LeaseId>,
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The key was created or changed.
    Put,
    /// The key was deleted.
    Delete,
}

/// One change of one key.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<V> {
    /// What happened.
    pub kind: EventKind,
    /// The new version. For a deletion: the key's last value (after [`Value::deleted`]) with the
    /// revision of the deletion as `mod_revision`.
    pub kv: Arc<KeyValue<V>>,
    /// The version before; `None` when the key did not exist.
    pub prev: Option<Arc<KeyValue<V>>>,
    /// The revision of the change.
    pub revision: Revision,
}

impl<V> Event<V> {
    /// Whether the key came into being with this event.
    #[must_use]
    pub fn is_create(&self) -> bool {
        self.kind == EventKind::Put && self.prev.is_none()
    }
}

// Derived, it would ask for `V: Clone`; only the shared pointers are cloned.
impl<V> Clone for Event<V> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            kv: Arc::clone(&self.kv),
            prev: self.prev.clone(),
            revision: self.revision,
        }
    }
}
