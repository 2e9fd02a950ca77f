//! How a request to the store can fail.

use std::fmt;
use std::sync::Arc;

use crate::lease::LeaseId;
use crate::value::{KeyValue, Revision};

/// A request the store refuses; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The history asked for is no longer retained.
    #[error("required revision has been compacted, history starts at revision {compact_revision}")]
    Compacted {
        /// The oldest revision that can be read, and the oldest after which can be watched.
        compact_revision: Revision,
    },
    /// The revision asked for has not happened yet.
    #[error("required revision {requested} is a future revision, the store is at {current}")]
    FutureRevision {
        /// The revision asked for.
        requested: Revision,
        /// The store's revision.
        current: Revision,
    },
    /// The lease was never granted, was revoked, or has expired.
    #[error("lease {lease} not found")]
    LeaseNotFound {
        /// The lease asked for.
        lease: LeaseId,
    },
    /// One branch of a transaction would change a key twice.
    #[error("key {key:?} would change twice in one transaction")]
    DuplicateKey {
        /// The key in question.
        key: Arc<str>,
    },
}

/// A guarded write found the key in another state than expected; nothing was changed.
pub struct Conflict<V> {
    /// The key as it is; `None` when it does not exist.
    pub current: Option<Arc<KeyValue<V>>>,
    /// The store's revision at which that was seen.
    pub revision: Revision,
}

impl<V> fmt::Debug for Conflict<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflict")
            .field("current", &self.current.as_ref().map(|kv| (&kv.key, kv.mod_revision)))
            .field("revision", &self.revision)
            .finish()
    }
}

impl<V> fmt::Display for Conflict<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.current {
            Some(kv) => write!(f, "key {:?} is at revision {}", kv.key, kv.mod_revision),
            None => write!(f, "key does not exist at revision {}", self.revision),
        }
    }
}

impl<V> std::error::Error for Conflict<V> {}
