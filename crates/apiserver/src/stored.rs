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
}

impl Stored {
    /// Wraps a document.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self { value: Arc::new(value), json: Arc::default() }
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

impl store::Value for Stored {
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
