//! Leases: keys attached to one are deleted when it is revoked or not kept alive in time.
//!
//! Mirrors: `etcd-io/etcd:server/lease/lessor.go`.
//! Deviation: identifiers count from 1 instead of being random, so that a run repeats itself.
//!
//! Invariant: a key is attached to at most one lease, the one its current version names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;
use world::Time;

/// The name of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(u64);

impl LeaseId {
    /// The lease numbered `id`, whether or not it was granted.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The lease's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseInfo {
    /// The lease.
    pub id: LeaseId,
    /// The time it lasts after it was granted or kept alive.
    pub ttl: Duration,
    /// The instant it ends at unless it is kept alive.
    pub deadline: Time,
    /// The keys that end with it, in byte order.
    pub keys: Vec<Arc<str>>,
}

#[derive(Debug, Default)]
pub(crate) struct LeaseTable {
    granted: u64,
    leases: BTreeMap<LeaseId, Lease>,
    deadlines: BTreeSet<(Time, LeaseId)>,
}

#[derive(Debug)]
struct Lease {
    ttl: Duration,
    deadline: Time,
    keys: FxHashSet<Arc<str>>,
}

impl Lease {
    fn sorted_keys(&self) -> Vec<Arc<str>> {
        let mut keys: Vec<_> = self.keys.iter().cloned().collect();
        keys.sort_unstable();
        keys
    }
}

impl LeaseTable {
    pub(crate) fn grant(&mut self, ttl: Duration, now: Time) -> LeaseId {
        self.granted += 1;
        let id = LeaseId(self.granted);
        let deadline = now + ttl;
        self.leases.insert(id, Lease { ttl, deadline, keys: FxHashSet::default() });
        self.deadlines.insert((deadline, id));
        id
    }

    /// Puts the deadline off; `None` when the lease does not exist or its deadline has come.
    pub(crate) fn keep_alive(&mut self, id: LeaseId, now: Time) -> Option<Time> {
        let lease = self.leases.get_mut(&id).filter(|lease| lease.deadline > now)?;
        self.deadlines.remove(&(lease.deadline, id));
        lease.deadline = now + lease.ttl;
        self.deadlines.insert((lease.deadline, id));
        Some(lease.deadline)
    }

    pub(crate) fn contains(&self, id: LeaseId) -> bool {
        self.leases.contains_key(&id)
    }

    /// Moves `key` from the lease of its version before to that of its new version.
    pub(crate) fn reattach(&mut self, key: &Arc<str>, from: Option<LeaseId>, to: Option<LeaseId>) {
        if from == to {
            return;
        }
        if let Some(lease) = from.and_then(|id| self.leases.get_mut(&id)) {
            lease.keys.remove(key);
        }
        if let Some(lease) = to.and_then(|id| self.leases.get_mut(&id)) {
            lease.keys.insert(Arc::clone(key));
        }
    }

    /// Forgets the lease and returns its keys in byte order.
    pub(crate) fn remove(&mut self, id: LeaseId) -> Option<Vec<Arc<str>>> {
        let lease = self.leases.remove(&id)?;
        self.deadlines.remove(&(lease.deadline, id));
        Some(lease.sorted_keys())
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The lease whose deadline came first, if it has come.
    pub(crate) fn first_due(&self, now: Time) -> Option<LeaseId> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    pub(crate) fn info(&self, id: LeaseId) -> Option<LeaseInfo> {
        let lease = self.leases.get(&id)?;
        let (ttl, deadline, keys) = (lease.ttl, lease.deadline, lease.sorted_keys());
        Some(LeaseInfo { id, ttl, deadline, keys })
    }

    pub(crate) fn ids(&self) -> Vec<LeaseId> {
        self.leases.keys().copied().collect()
    }
}
