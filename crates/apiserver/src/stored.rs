//! What the store keeps for an API object: the document and, once asked for, its bytes.
//!
//! Invariant: a committed object's `metadata.resourceVersion` is the revision it was stored at; the
//! object in the event of a deletion carries the revision of the deletion.
//! Invariant: the cached bytes are those of `value`; all clones share one serialisation.

use std::fmt;
use std::sync::{Arc, OnceLock};

use apimachinery::ObjectExt as _;
use bytes::Bytes;
use serde_json::Value;
use store::Revision;

/// What most objects take, so that writing them seldom moves them.
const EXPECTED_BYTES: usize = 4096;

/// An immutable API object; cheap to clone.
#[derive(Clone)]
pub struct Stored {
    /// The document, in the version it was asked for (in the store: the storage version).
    pub value: Arc<Value>,
    json: Arc<OnceLock<Bytes>>,
    size: usize,
}

impl Stored {
    /// Wraps a document.
    #[must_use]
    pub fn new(value: Value) -> Self {
        let size = footprint(&value);
        Self { value: Arc::new(value), json: Arc::default(), size }
    }

    /// The document as JSON, serialised at most once for all clones.
    #[must_use]
    pub fn json(&self) -> Bytes {
        let serialise = || {
            let mut json = Vec::with_capacity(EXPECTED_BYTES);
            serde_json::to_writer(&mut json, &*self.value).unwrap_or_default();
            json.shrink_to_fit();
            Bytes::from(json)
        };
        self.json.get_or_init(serialise).clone()
    }

    /// The document on its own, copied only when others hold it too.
    #[must_use]
    pub fn into_value(self) -> Value {
        Arc::try_unwrap(self.value).unwrap_or_else(|shared| (*shared).clone())
    }

    fn stamp(&mut self, revision: Revision) {
        let value = Arc::make_mut(&mut self.value);
        value.set(&["metadata", "resourceVersion"], Value::String(revision.to_string()));
        self.json = Arc::default();
    }
}

/// A node of the tree that a JSON object is: room for eleven members and some links.
const MAP_NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
/// How full such nodes are in the middle.
const MAP_NODE_MEMBERS: usize = 8;

/// About how many bytes a document takes besides its root, with its text, which goes out sooner or
/// later.
fn footprint(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() * 2,
        Value::Array(items) => items.iter().map(|item| footprint(item) + size_of::<Value>()).sum(),
        Value::Object(members) => {
            let nodes = members.len().div_ceil(MAP_NODE_MEMBERS);
            let members: usize =
                members.iter().map(|(key, value)| key.len() * 2 + footprint(value)).sum();
            nodes * MAP_NODE + members
        }
    }
}

impl store::Value for Stored {
    fn size(&self) -> usize {
        self.size
    }

    fn committed(&mut self, revision: Revision) {
        self.stamp(revision);
    }

    fn deleted(&mut self, revision: Revision) {
        self.stamp(revision);
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value) || self.value == other.value
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value, f)
    }
}
