//! The store as simply as it can be said: a full copy of all keys for every revision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use store::{
    Compare, CompareOp, Error, EventKind, KeyValue, LeaseId, Op, OpResponse, Range, RangeResponse,
    Revision, Target, Txn, TxnResponse,
};
use world::Time;

pub(crate) type Kv = Arc<KeyValue<String>>;
pub(crate) type Keys = BTreeMap<String, Kv>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelEvent {
    pub(crate) kind: EventKind,
    pub(crate) kv: Kv,
    pub(crate) prev: Option<Kv>,
    pub(crate) revision: Revision,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    ttl: Duration,
    deadline: Time,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) revision: Revision,
    pub(crate) compacted: Revision,
    pub(crate) snapshots: BTreeMap<Revision, Keys>,
    pub(crate) events: Vec<ModelEvent>,
    retain: u64,
    granted: u64,
    leases: BTreeMap<LeaseId, Lease>,
}

impl Model {
    pub(crate) fn new(retain: usize) -> Self {
        Self {
            revision: 1,
            compacted: 0,
            snapshots: BTreeMap::from([(0, Keys::new()), (1, Keys::new())]),
            events: Vec::new(),
            retain: retain as u64,
            granted: 0,
            leases: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> &Keys {
        &self.snapshots[&self.revision]
    }

    pub(crate) fn readable(&self, revision: Revision) -> Result<&Keys, Error> {
        if revision < self.compacted {
            return Err(Error::Compacted { compact_revision: self.compacted });
        }
        let current = self.revision;
        let future = Error::FutureRevision { requested: revision, current };
        self.snapshots.get(&revision).ok_or(future)
    }

    pub(crate) fn range(&self, range: &Range) -> Result<RangeResponse<String>, Error> {
        let revision = range.revision.unwrap_or(self.revision);
        Ok(read(self.readable(revision)?, range, revision))
    }

    pub(crate) fn compact(&mut self, revision: Revision) -> Result<(), Error> {
        if revision <= self.compacted {
            return Err(Error::Compacted { compact_revision: self.compacted });
        }
        self.readable(revision)?;
        self.compacted = revision;
        Ok(())
    }

    pub(crate) fn txn(&mut self, txn: &Txn<String>) -> Result<TxnResponse<String>, Error> {
        for branch in [&txn.then, &txn.otherwise] {
            check_duplicates(branch)?;
        }
        let succeeded = txn.compares.iter().all(|c| holds(c, self.now().get(&*c.key)));
        let branch = if succeeded { &txn.then } else { &txn.otherwise };
        for op in branch {
            match op {
                Op::Put { lease: Some(lease), .. } if !self.leases.contains_key(lease) => {
                    return Err(Error::LeaseNotFound { lease: *lease });
                }
                Op::Range(Range { revision: Some(revision), .. }) => {
                    self.readable(*revision)?;
                }
                _ => {}
            }
        }
        let mut next = Next::after(self);
        let responses = branch.iter().map(|op| self.step(op, &mut next)).collect();
        self.commit(next);
        Ok(TxnResponse { succeeded, revision: self.revision, responses })
    }

    fn step(&self, op: &Op<String>, next: &mut Next) -> OpResponse<String> {
        match op {
            Op::Put { key, value, lease } => next.put(key, value, *lease),
            Op::Delete { key } => next.delete(|other| other == &**key),
            Op::DeleteRange(range) => next.delete(|key| range.contains(key)),
            Op::Range(range) => OpResponse::Range(match range.revision {
                Some(revision) => read(&self.snapshots[&revision], range, revision),
                None if next.events.is_empty() => read(&next.keys, range, self.revision),
                None => read(&next.keys, range, next.revision),
            }),
        }
    }

    fn commit(&mut self, next: Next) {
        if next.events.is_empty() {
            return;
        }
        self.revision = next.revision;
        self.snapshots.insert(next.revision, next.keys);
        self.events.extend(next.events);
        self.compacted = self.compacted.max(self.revision.saturating_sub(self.retain));
    }

    pub(crate) fn grant(&mut self, ttl: Duration, now: Time) -> LeaseId {
        self.granted += 1;
        let id = LeaseId::new(self.granted);
        self.leases.insert(id, Lease { ttl, deadline: now + ttl });
        id
    }

    pub(crate) fn keep_alive(&mut self, id: LeaseId, now: Time) -> Result<Time, Error> {
        let lease = self.leases.get_mut(&id).filter(|lease| lease.deadline > now);
        let lease = lease.ok_or(Error::LeaseNotFound { lease: id })?;
        lease.deadline = now + lease.ttl;
        Ok(lease.deadline)
    }

    pub(crate) fn revoke(&mut self, id: LeaseId) -> Result<Revision, Error> {
        self.leases.remove(&id).ok_or(Error::LeaseNotFound { lease: id })?;
        let mut next = Next::after(self);
        let attached: Vec<_> = self
            .now()
            .values()
            .filter(|kv| kv.lease == Some(id))
            .map(|kv| kv.key.clone())
            .collect();
        next.delete(|key| attached.iter().any(|other| &**other == key));
        self.commit(next);
        Ok(self.revision)
    }

    pub(crate) fn expire(&mut self, now: Time) -> Vec<LeaseId> {
        let mut due: Vec<_> = self
            .leases
            .iter()
            .filter(|(_, l)| l.deadline <= now)
            .map(|(id, l)| (l.deadline, *id))
            .collect();
        due.sort();
        let due: Vec<_> = due.into_iter().map(|(_, id)| id).collect();
        for id in &due {
            self.revoke(*id).expect("the lease exists");
        }
        due
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.leases.values().map(|lease| lease.deadline).min()
    }
}

/// The revision in the making.
struct Next {
    revision: Revision,
    keys: Keys,
    events: Vec<ModelEvent>,
}

impl Next {
    fn after(model: &Model) -> Self {
        Self { revision: model.revision + 1, keys: model.now().clone(), events: Vec::new() }
    }

    fn put(&mut self, key: &Arc<str>, value: &str, lease: Option<LeaseId>) -> OpResponse<String> {
        let (revision, prev) = (self.revision, self.keys.get(&**key).cloned());
        let kv = Arc::new(KeyValue {
            key: Arc::clone(key),
            value: value.to_owned(),
            create_revision: prev.as_ref().map_or(revision, |kv| kv.create_revision),
            mod_revision: revision,
            version: prev.as_ref().map_or(0, |kv| kv.version) + 1,
            lease,
        });
        self.keys.insert(key.to_string(), kv.clone());
        let (kind, event) = (EventKind::Put, kv.clone());
        self.events.push(ModelEvent { kind, kv: event, prev: prev.clone(), revision });
        OpResponse::Put { kv, prev }
    }

    fn delete(&mut self, doomed: impl Fn(&str) -> bool) -> OpResponse<String> {
        let revision = self.revision;
        let deleted: Vec<_> = self.keys.values().filter(|kv| doomed(&kv.key)).cloned().collect();
        for prev in &deleted {
            let kv =
                KeyValue { mod_revision: revision, version: 0, lease: None, ..(**prev).clone() };
            let (kind, kv, prev) = (EventKind::Delete, Arc::new(kv), Some(prev.clone()));
            self.events.push(ModelEvent { kind, kv, prev, revision });
        }
        self.keys.retain(|key, _| !doomed(key));
        OpResponse::Delete { deleted }
    }
}

fn read(keys: &Keys, range: &Range, revision: Revision) -> RangeResponse<String> {
    let mut kvs: Vec<_> = keys.values().filter(|kv| range.contains(&kv.key)).cloned().collect();
    let count = kvs.len();
    if range.count_only {
        return RangeResponse { kvs: vec![], more: false, count, remaining: 0, revision };
    }
    if range.limit > 0 {
        kvs.truncate(range.limit);
    }
    let remaining = count - kvs.len();
    RangeResponse { kvs, more: remaining > 0, count, remaining, revision }
}

fn check_duplicates(ops: &[Op<String>]) -> Result<(), Error> {
    let mut twice = BTreeSet::new();
    for (place, op) in ops.iter().enumerate() {
        let Op::Put { key, .. } = op else { continue };
        let again = ops.iter().enumerate().any(|(other, op)| match op {
            Op::Put { key: put, .. } => other != place && put == key,
            Op::Delete { key: deleted } => deleted == key,
            Op::DeleteRange(range) => range.contains(key),
            Op::Range(_) => false,
        });
        if again {
            twice.insert(Arc::clone(key));
        }
    }
    // Which of several keys is named does not matter; the property compares kinds of errors.
    twice.pop_first().map_or(Ok(()), |key| Err(Error::DuplicateKey { key }))
}

fn holds(compare: &Compare<String>, kv: Option<&Kv>) -> bool {
    let (less, equal, greater) = match &compare.target {
        Target::Version(n) => relations(&kv.map_or(0, |kv| kv.version), n),
        Target::CreateRevision(n) => relations(&kv.map_or(0, |kv| kv.create_revision), n),
        Target::ModRevision(n) => relations(&kv.map_or(0, |kv| kv.mod_revision), n),
        Target::Lease(lease) => relations(&kv.and_then(|kv| kv.lease), lease),
        Target::Value(value) => match kv {
            Some(kv) => relations(&kv.value, value),
            None => return false,
        },
    };
    match compare.op {
        CompareOp::Equal => equal,
        CompareOp::NotEqual => !equal,
        CompareOp::Less => less,
        CompareOp::Greater => greater,
    }
}

fn relations<T: Ord>(left: &T, right: &T) -> (bool, bool, bool) {
    (left < right, left == right, left > right)
}
