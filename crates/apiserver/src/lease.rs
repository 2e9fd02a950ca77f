//! Objects that go by themselves after a while: events.
//!
//! Objects written within the same minute share a lease of the store, so that ten thousand events
//! are a hundred leases.
//!
//! Mirrors: `k8s.io/apiserver/pkg/storage/etcd3/lease_manager.go`.

use std::time::Duration;

use parking_lot::Mutex;
use store::{LeaseId, Revision};
use world::Time;

use crate::server::ApiServer;
use crate::stored::Stored;
use crate::strategy::Strategy;

/// How long a lease is given to new objects; they live that much longer at most.
const SHARED_FOR: Duration = Duration::from_secs(60);

/// The lease that new objects get at present.
#[derive(Debug, Default)]
pub(crate) struct SharedLease(Mutex<Option<Current>>);

#[derive(Debug)]
struct Current {
    lease: LeaseId,
    time_to_live: Duration,
    until: Time,
}

impl ApiServer {
    /// Writes an object that is at `expected` (0: absent) with the lease its kind wants; `None` when
    /// somebody else wrote in between.
    pub(crate) fn put_at(
        &self,
        strategy: &dyn Strategy,
        key: &str,
        expected: Revision,
        value: Stored,
    ) -> Option<Stored> {
        let lease = strategy.time_to_live().map(|time_to_live| self.lease(time_to_live));
        let written = self.store().put_at(key, expected, value, lease);
        written.ok().map(|kv| kv.value.clone())
    }

    fn lease(&self, time_to_live: Duration) -> LeaseId {
        let now = self.world().now();
        let mut shared = self.shared_lease().0.lock();
        let usable = shared
            .as_ref()
            .filter(|current| current.time_to_live == time_to_live && now < current.until);
        if let Some(current) = usable {
            return current.lease;
        }
        let lease = self.store().lease_grant(time_to_live + SHARED_FOR);
        *shared = Some(Current { lease, time_to_live, until: now + SHARED_FOR });
        lease
    }
}
