//! The handle: every request to the store, each under one short hold of its lock.
//!
//! Invariant: values are dropped and watchers woken after the lock is free.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use world::{Time, World};

use crate::error::{Conflict, Error};
use crate::lease::{LeaseId, LeaseInfo};
use crate::range::{Range, RangeResponse};
use crate::state::{Effects, State};
use crate::txn::{Txn, TxnResponse};
use crate::value::{KeyValue, Revision, Value};
use crate::watch::Watcher;

/// Compacted events dropped under one hold of the write lock.
const COMPACT_CHUNK: usize = 256;

/// How a store keeps its history: as long as both limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The number of revisions that stay readable behind the present; at least 1 and
    /// [`usize::MAX`] for all. What falls behind is compacted a little with every change.
    ///
    /// The default is 20,000.
    ///
    /// Deviation: etcd keeps all until told to compact, which kube-apiserver does for what is older
    /// than five minutes; a number of revisions bounds memory in a burst as well.
    pub retain_revisions: usize,
    /// How many bytes, by [`Value::size`], the versions may take that only the history keeps:
    /// superseded and deleted ones. Live keys are kept in any case and do not count, and the newest
    /// revision is always there to be watched.
    ///
    /// The default is 64 MiB: a burst of changes to large objects cannot fill the memory, as it
    /// could with a number of revisions alone.
    pub retain_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { retain_revisions: 20_000, retain_bytes: 64 * 1024 * 1024 }
    }
}

/// A handle on a store; clones share it.
pub struct Store<V> {
    world: World,
    state: Arc<RwLock<State<V>>>,
}

impl<V> Clone for Store<V> {
    fn clone(&self) -> Self {
        Self { world: self.world.clone(), state: Arc::clone(&self.state) }
    }
}

impl<V> fmt::Debug for Store<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.read();
        f.debug_struct("Store")
            .field("revision", &state.revision)
            .field("compacted", &state.compacted)
            .finish_non_exhaustive()
    }
}

impl<V: Value> Store<V> {
    /// An empty store at revision 1, whose leases run on `world`'s clock.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self::with_options(world, Options::default())
    }

    /// An empty store that keeps its history as `options` say.
    #[must_use]
    pub fn with_options(world: World, options: Options) -> Self {
        Self { world, state: Arc::new(RwLock::new(State::new(options))) }
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.state.read().revision
    }

    /// The oldest revision that can be read, and the oldest after which can be watched.
    #[must_use]
    pub fn compacted_revision(&self) -> Revision {
        self.state.read().compacted
    }

    /// The key as it is.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Arc<KeyValue<V>>> {
        self.state.read().index.current(key).cloned()
    }

    /// The key as it was at `revision`.
    ///
    /// # Errors
    /// [`Error::Compacted`] or [`Error::FutureRevision`] when that revision cannot be read.
    pub fn get_at(&self, key: &str, revision: Revision) -> Result<Option<Arc<KeyValue<V>>>, Error> {
        let state = self.state.read();
        state.check_readable(revision)?;
        Ok(state.index.at(key, revision).cloned())
    }

    /// The keys of `range`, all as of one revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] or [`Error::FutureRevision`] when the range's revision cannot be read.
    pub fn range(&self, range: &Range) -> Result<RangeResponse<V>, Error> {
        self.state.read().range(range)
    }

    /// Whether a key exists whose last slash is that at the end of `directory`. Cheap where there is none.
    #[must_use]
    pub fn has_in(&self, directory: &str) -> bool {
        self.state.read().index.has_in(directory)
    }

    /// Runs `txn` as a whole or, on an error, not at all.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`] when a branch would change a key twice, [`Error::LeaseNotFound`] when
    /// a put names a lease that does not exist, [`Error::Compacted`] or [`Error::FutureRevision`]
    /// when a range's revision cannot be read.
    pub fn txn(&self, txn: Txn<V>) -> Result<TxnResponse<V>, Error> {
        txn.check_duplicates()?;
        self.write(|state, effects| state.txn(txn, effects))
    }

    /// Creates or changes `key`, whatever it was. Takes it off the lease it had.
    pub fn put(&self, key: &str, value: V) -> Arc<KeyValue<V>> {
        self.write(|state, effects| {
            let change = state.put(key, value, None, effects);
            state.commit(effects);
            change.kv
        })
    }

    /// Creates `key`, or changes it if `expected` is not 0, which must be the revision of its last
    /// change. It ends with `lease` if that is given, and with no other.
    ///
    /// # Errors
    /// [`Conflict`] when it is at another revision, or there is no such lease.
    pub fn put_at(
        &self,
        key: &str,
        expected: Revision,
        value: V,
        lease: Option<LeaseId>,
    ) -> Result<Arc<KeyValue<V>>, Conflict<V>> {
        self.write(|state, effects| match state.put_at(key, expected, value, lease, effects) {
            Ok(change) => {
                state.commit(effects);
                Ok(change.kv)
            }
            Err(current) => Err(Conflict { current, revision: state.revision }),
        })
    }

    /// Deletes `key`, which must not have changed since `mod_revision` if that is given. Returns its
    /// last version and the revision of the deletion.
    ///
    /// # Errors
    /// [`Conflict`] when it has changed or does not exist.
    pub fn delete(
        &self,
        key: &str,
        mod_revision: Option<Revision>,
    ) -> Result<(Arc<KeyValue<V>>, Revision), Conflict<V>> {
        self.write(|state, effects| {
            let current = state.index.current(key);
            let expected = mod_revision
                .is_none_or(|expected| current.is_some_and(|kv| kv.mod_revision == expected));
            if !expected {
                return Err(Conflict { current: current.cloned(), revision: state.revision });
            }
            let Some(deleted) = state.delete(key, effects) else {
                return Err(Conflict { current: None, revision: state.revision });
            };
            state.commit(effects);
            Ok((deleted, state.revision))
        })
    }

    /// Follows the changes after revision `after` of all keys that begin with `prefix`. `after` may
    /// lie in the future.
    ///
    /// # Errors
    /// [`Error::Compacted`] when the changes after `after` are no longer all retained.
    pub fn watch(&self, prefix: &str, after: Revision) -> Result<Watcher<V>, Error> {
        Watcher::open(&self.state, prefix, after)
    }

    /// Lets go of the history before `revision`, which itself stays readable.
    ///
    /// # Errors
    /// [`Error::Compacted`] when that has happened already, [`Error::FutureRevision`] when
    /// `revision` has not.
    pub fn compact(&self, revision: Revision) -> Result<(), Error> {
        self.write(|state, _| {
            if revision <= state.compacted {
                return Err(Error::Compacted { compact_revision: state.compacted });
            }
            state.check_readable(revision)?;
            state.compacted = revision;
            Ok(())
        })?;
        while self.write(|state, effects| state.trim(COMPACT_CHUNK, effects)) {}
        Ok(())
    }

    /// Grants a lease that ends `ttl` from now unless it is kept alive.
    #[must_use]
    pub fn lease_grant(&self, ttl: Duration) -> LeaseId {
        let now = self.world.now();
        self.state.write().leases.grant(ttl, now)
    }

    /// Puts the end of a lease off to its time to live from now, and returns that instant.
    ///
    /// # Errors
    /// [`Error::LeaseNotFound`] when the lease does not exist or its end has come.
    pub fn lease_keep_alive(&self, lease: LeaseId) -> Result<Time, Error> {
        let now = self.world.now();
        let deadline = self.state.write().leases.keep_alive(lease, now);
        deadline.ok_or(Error::LeaseNotFound { lease })
    }

    /// Ends a lease and deletes its keys, all at one revision. Returns the store's revision.
    ///
    /// # Errors
    /// [`Error::LeaseNotFound`] when the lease does not exist.
    pub fn lease_revoke(&self, lease: LeaseId) -> Result<Revision, Error> {
        self.write(|state, effects| {
            if state.revoke(lease, effects) {
                Ok(state.revision)
            } else {
                Err(Error::LeaseNotFound { lease })
            }
        })
    }

    /// The lease as it stands; `None` when it does not exist.
    #[must_use]
    pub fn lease(&self, lease: LeaseId) -> Option<LeaseInfo> {
        self.state.read().leases.info(lease)
    }

    /// The leases that exist, in the order they were granted.
    #[must_use]
    pub fn leases(&self) -> Vec<LeaseId> {
        self.state.read().leases.ids()
    }

    /// Ends every lease whose deadline has come, earliest first, each at a revision of its own.
    /// Returns them.
    pub fn expire_leases(&self) -> Vec<LeaseId> {
        let now = self.world.now();
        let mut expired = Vec::new();
        // A look under the shared lock first: this is asked often and seldom has anything to do.
        while self.state.read().leases.first_due(now).is_some() {
            expired.extend(self.write(|state, effects| {
                let due = state.leases.first_due(now)?;
                state.revoke(due, effects).then_some(due)
            }));
        }
        expired
    }

    /// The instant at which [`Self::expire_leases`] next has something to do.
    #[must_use]
    pub fn next_lease_deadline(&self) -> Option<Time> {
        self.state.read().leases.next_deadline()
    }

    fn write<R>(&self, change: impl FnOnce(&mut State<V>, &mut Effects<V>) -> R) -> R {
        let mut effects = Effects::new();
        let result = change(&mut self.state.write(), &mut effects);
        effects.run();
        result
    }
}
