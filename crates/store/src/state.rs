//! What the store's lock guards, and how one change is applied to all of it.
//!
//! Invariant: a change under way has revision `revision + 1`; [`State::commit`] makes it the store's.
//! Invariant: nothing is changed before everything that can fail has been checked.

use std::sync::Arc;

use crate::error::Error;
use crate::index::{Change, Index};
use crate::lease::{LeaseId, LeaseTable};
use crate::log::Log;
use crate::range::{Range, RangeResponse};
use crate::store::Options;
use crate::txn::{Op, OpResponse, Txn, TxnResponse};
use crate::value::{Event, EventKind, KeyValue, Revision, Value};
use crate::watch::{Slot, WatchIndex};

#[derive(Debug)]
pub(crate) struct State<V> {
    pub(crate) revision: Revision,
    pub(crate) compacted: Revision,
    options: Options,
    pub(crate) index: Index<V>,
    pub(crate) log: Log<V>,
    pub(crate) leases: LeaseTable,
    pub(crate) watches: WatchIndex,
}

/// What a change leaves to be done once the lock is free: watchers to wake, old values to drop.
pub(crate) struct Effects<V> {
    changes: usize,
    wakes: Vec<Arc<Slot>>,
    garbage: Vec<Event<V>>,
}

impl<V: Value> Effects<V> {
    pub(crate) fn new() -> Self {
        Self { changes: 0, wakes: Vec::new(), garbage: Vec::new() }
    }

    pub(crate) fn run(self) {
        for slot in &self.wakes {
            slot.wake();
        }
        drop(self.garbage);
    }
}

impl<V> State<V> {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            revision: 1,
            compacted: 0,
            options,
            index: Index::new(),
            log: Log::new(),
            leases: LeaseTable::default(),
            watches: WatchIndex::default(),
        }
    }

    /// Whether `revision` can be read.
    pub(crate) fn check_readable(&self, revision: Revision) -> Result<(), Error> {
        if revision < self.compacted {
            return Err(Error::Compacted { compact_revision: self.compacted });
        }
        if revision > self.revision {
            return Err(Error::FutureRevision { requested: revision, current: self.revision });
        }
        Ok(())
    }

    pub(crate) fn range(&self, range: &Range) -> Result<RangeResponse<V>, Error> {
        if let Some(revision) = range.revision {
            self.check_readable(revision)?;
        }
        let mut found = self.index.range(range, range.revision);
        let limit = match range.limit {
            _ if range.count_only => 0,
            0 => usize::MAX,
            limit => limit,
        };
        let kvs: Vec<_> = found.by_ref().take(limit).cloned().collect();
        let remaining = if kvs.len() < limit { 0 } else { found.count() };
        let count = kvs.len() + remaining;
        let revision = range.revision.unwrap_or(self.revision);
        let (more, remaining) =
            if range.count_only { (false, 0) } else { (remaining > 0, remaining) };
        Ok(RangeResponse { kvs, more, count, remaining, revision })
    }
}

impl<V: Value> State<V> {
    /// Makes the change under way the store's and lets history go that is older than retained.
    pub(crate) fn commit(&mut self, effects: &mut Effects<V>) {
        if effects.changes == 0 {
            return;
        }
        self.revision += 1;
        let retain = self.options.retain_revisions.max(1) as u64;
        self.compacted = self.compacted.max(self.revision.saturating_sub(retain));
        // Twice what was added: a backlog shrinks, yet no single change pays for it.
        self.trim(effects.changes * 2 + 2, effects);
        self.trim_bytes(effects);
    }

    /// Lets events go, oldest first, until what is kept is small enough; those of the newest
    /// revision stay.
    fn trim_bytes(&mut self, effects: &mut Effects<V>) {
        while self.log.bytes() > self.options.retain_bytes {
            let oldest = self.log.first_revision().filter(|oldest| *oldest < self.revision);
            let Some(oldest) = oldest else { return };
            self.compacted = self.compacted.max(oldest);
            self.trim(1, effects);
        }
    }

    /// Lets at most `budget` compacted events go; false when none is left.
    pub(crate) fn trim(&mut self, budget: usize, effects: &mut Effects<V>) -> bool {
        for _ in 0..budget {
            let Some(event) = self.log.pop_until(self.compacted) else { return false };
            if event.kind == EventKind::Delete || event.prev.is_some() {
                self.index.forget_before(&event.kv.key, event.revision);
            }
            effects.garbage.push(event);
        }
        true
    }

    fn record(&mut self, kind: EventKind, change: &Change<V>, effects: &mut Effects<V>) {
        let Change { kv, prev } = change;
        let was = prev.as_ref().and_then(|kv| kv.lease);
        self.leases.reattach(&kv.key, was, kv.lease);
        let (kv, prev, revision) = (Arc::clone(kv), prev.clone(), kv.mod_revision);
        let sequence = self.log.push(Event { kind, kv, prev, revision });
        self.watches.mark(&change.kv.key, (sequence, revision), &mut effects.wakes);
        effects.changes += 1;
    }

    pub(crate) fn put<K>(
        &mut self,
        key: K,
        value: V,
        lease: Option<LeaseId>,
        effects: &mut Effects<V>,
    ) -> Change<V>
    where
        K: AsRef<str> + Into<Arc<str>>,
    {
        let change = self.index.put(key, value, lease, self.revision + 1);
        self.record(EventKind::Put, &change, effects);
        change
    }

    /// Creates or changes `key` if it is at `expected` (0: it does not exist) and there is such a lease;
    /// otherwise gives what it is.
    pub(crate) fn put_at(
        &mut self,
        key: &str,
        expected: Revision,
        value: V,
        lease: Option<LeaseId>,
        effects: &mut Effects<V>,
    ) -> Result<Change<V>, Option<Arc<KeyValue<V>>>> {
        if lease.is_some_and(|lease| !self.leases.contains(lease)) {
            return Err(self.index.current(key).cloned());
        }
        let change = self.index.put_at(key, expected, value, lease, self.revision + 1)?;
        self.record(EventKind::Put, &change, effects);
        Ok(change)
    }

    /// Deletes `key` and returns its last version; `None` when it does not exist.
    pub(crate) fn delete(
        &mut self,
        key: &str,
        effects: &mut Effects<V>,
    ) -> Option<Arc<KeyValue<V>>> {
        let change = self.index.delete(key, self.revision + 1)?;
        self.record(EventKind::Delete, &change, effects);
        change.prev
    }

    /// Ends the lease and, at one revision, deletes its keys; false when it does not exist.
    pub(crate) fn revoke(&mut self, id: LeaseId, effects: &mut Effects<V>) -> bool {
        let Some(keys) = self.leases.remove(id) else { return false };
        for key in keys {
            self.delete(&key, effects);
        }
        self.commit(effects);
        true
    }

    pub(crate) fn txn(
        &mut self,
        txn: Txn<V>,
        effects: &mut Effects<V>,
    ) -> Result<TxnResponse<V>, Error> {
        let succeeded = txn
            .compares
            .iter()
            .all(|compare| compare.holds(self.index.current(&compare.key).map(|kv| &**kv)));
        let ops = if succeeded { txn.then } else { txn.otherwise };
        ops.iter().try_for_each(|op| self.check(op))?;
        let responses =
            ops.into_iter().map(|op| self.apply(op, effects)).collect::<Result<_, _>>()?;
        self.commit(effects);
        Ok(TxnResponse { succeeded, revision: self.revision, responses })
    }

    /// Whether [`Self::apply`] can carry `op` out.
    fn check(&self, op: &Op<V>) -> Result<(), Error> {
        match op {
            Op::Put { lease: Some(lease), .. } if !self.leases.contains(*lease) => {
                Err(Error::LeaseNotFound { lease: *lease })
            }
            Op::Range(Range { revision: Some(revision), .. }) => self.check_readable(*revision),
            Op::Put { .. } | Op::Delete { .. } | Op::DeleteRange(_) | Op::Range(_) => Ok(()),
        }
    }

    fn apply(&mut self, op: Op<V>, effects: &mut Effects<V>) -> Result<OpResponse<V>, Error> {
        Ok(match op {
            Op::Put { key, value, lease } => {
                let Change { kv, prev } = self.put(key, value, lease, effects);
                OpResponse::Put { kv, prev }
            }
            Op::Delete { key } => {
                OpResponse::Delete { deleted: self.delete(&key, effects).into_iter().collect() }
            }
            Op::DeleteRange(range) => {
                let doomed: Vec<_> = self.index.range(&range, None).cloned().collect();
                for kv in &doomed {
                    self.delete(&kv.key, effects);
                }
                OpResponse::Delete { deleted: doomed }
            }
            Op::Range(range) => {
                let mut response = self.range(&range)?;
                if range.revision.is_none() && effects.changes > 0 {
                    response.revision = self.revision + 1;
                }
                OpResponse::Range(response)
            }
        })
    }
}
