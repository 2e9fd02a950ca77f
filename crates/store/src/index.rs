//! Keys, listed in byte order and looked up by hash, each with its retained versions.
//!
//! A key that was put at 3 and 5, deleted at 7 and put again at 9 looks like this:
//!
//! ```text
//! "/pods/a"   current: 9 → kv(create 9, mod 9, version 1)
//!             past:    3 → kv(create 3, mod 3, version 1)
//!                      5 → kv(create 3, mod 5, version 2)
//!                      7 → nothing
//! ```
//!
//! Reading at 6 finds the last version not younger than 6, which is that of 5. When the history up
//! to 7 goes, so do the versions that 7 replaced and the nothing of 7 itself.
//!
//! Mirrors: `etcd-io/etcd:server/storage/mvcc/key_index.go`.
//!
//! Invariant: `past` is in ascending order and younger than `current`.
//! Invariant: a key without a current value and without a past is not there once the history up to its
//! deletion has been forgotten.
//! Invariant: every key is in `entries` and in `order`, and counted by its directory.

use std::collections::{BTreeSet, Bound, VecDeque, hash_map};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::lease::LeaseId;
use crate::place::{self, Directories, Place, Rank, Sought};
use crate::range::Range;
use crate::value::{KeyValue, Revision, Value};

#[derive(Debug)]
pub(crate) struct Index<V> {
    /// Only asked, never listed.
    entries: FxHashMap<Arc<str>, Entry<V>>,
    /// The same keys, to be listed.
    order: BTreeSet<Place>,
    directories: Directories,
}

#[derive(Debug)]
struct Entry<V> {
    current: Version<V>,
    past: Past<V>,
}

/// The retained versions before the current one. Most keys have none, which takes one word.
#[derive(Debug)]
#[expect(clippy::box_collection, reason = "one word in the place of four for most keys")]
struct Past<V>(Option<Box<VecDeque<Version<V>>>>);

impl<V> Past<V> {
    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |versions| versions.len())
    }

    fn get(&self, index: usize) -> Option<&Version<V>> {
        self.0.as_ref()?.get(index)
    }

    fn front(&self) -> Option<&Version<V>> {
        self.get(0)
    }

    fn pop_front(&mut self) {
        let Some(versions) = &mut self.0 else { return };
        versions.pop_front();
        if versions.is_empty() {
            self.0 = None;
        }
    }

    fn push_back(&mut self, version: Version<V>) {
        self.0.get_or_insert_with(|| Box::new(VecDeque::with_capacity(1))).push_back(version);
    }

    /// How many versions are not younger than `revision`.
    fn until(&self, revision: Revision) -> usize {
        let until = |version: &Version<V>| version.revision <= revision;
        self.0.as_ref().map_or(0, |versions| versions.partition_point(until))
    }
}

/// What the key was from `revision` on; no `kv` means that it did not exist.
#[derive(Debug)]
struct Version<V> {
    revision: Revision,
    kv: Option<Arc<KeyValue<V>>>,
}

/// A version as it now is, with the one it replaced.
pub(crate) struct Change<V> {
    pub(crate) kv: Arc<KeyValue<V>>,
    pub(crate) prev: Option<Arc<KeyValue<V>>>,
}

impl<V> Entry<V> {
    fn at(&self, revision: Revision) -> Option<&Arc<KeyValue<V>>> {
        if self.current.revision <= revision {
            return self.current.kv.as_ref();
        }
        self.past.get(self.past.until(revision).checked_sub(1)?)?.kv.as_ref()
    }

    fn replace(&mut self, version: Version<V>) {
        debug_assert!(self.current.revision < version.revision, "one change per key and revision");
        self.past.push_back(std::mem::replace(&mut self.current, version));
    }

    /// Drops what no read at `revision` or later can see; true when nothing is left.
    fn forget_before(&mut self, revision: Revision) -> bool {
        while self.past.front().is_some_and(|v| v.revision < revision) {
            // The version before `revision` is still seen unless `revision` itself replaced it.
            let next = self.past.get(1).map_or(self.current.revision, |v| v.revision);
            if next > revision {
                break;
            }
            self.past.pop_front();
        }
        if self.past.front().is_some_and(|v| v.revision <= revision && v.kv.is_none()) {
            self.past.pop_front();
        }
        self.past.len() == 0 && self.current.revision <= revision && self.current.kv.is_none()
    }
}

impl<V: Value> Entry<V> {
    /// A key that comes into being.
    fn new(
        key: &Arc<str>,
        mut value: V,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> (Self, Change<V>) {
        value.committed(revision);
        let kv = created(Arc::clone(key), value, lease, revision);
        let current = Version { revision, kv: Some(Arc::clone(&kv)) };
        (Self { current, past: Past(None) }, Change { kv, prev: None })
    }

    fn put(
        &mut self,
        key: impl Into<Arc<str>>,
        mut value: V,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> Change<V> {
        value.committed(revision);
        let prev = self.current.kv.clone();
        let kv = match &prev {
            Some(prev) => Arc::new(KeyValue {
                key: Arc::clone(&prev.key),
                value,
                create_revision: prev.create_revision,
                mod_revision: revision,
                version: prev.version + 1,
                lease,
            }),
            None => created(key.into(), value, lease, revision),
        };
        self.replace(Version { revision, kv: Some(Arc::clone(&kv)) });
        Change { kv, prev }
    }
}

impl<V> Index<V> {
    pub(crate) fn new() -> Self {
        Self {
            entries: FxHashMap::default(),
            order: BTreeSet::new(),
            directories: Directories::default(),
        }
    }

    pub(crate) fn current(&self, key: &str) -> Option<&Arc<KeyValue<V>>> {
        self.entries.get(key)?.current.kv.as_ref()
    }

    pub(crate) fn at(&self, key: &str, revision: Revision) -> Option<&Arc<KeyValue<V>>> {
        self.entries.get(key)?.at(revision)
    }

    /// The keys of `range` that exist at `revision`, or at present, in order; the limit is the
    /// caller's.
    pub(crate) fn range<'a>(
        &'a self,
        range: &'a Range,
        revision: Option<Revision>,
    ) -> impl Iterator<Item = &'a Arc<KeyValue<V>>> {
        let start = range.start_bound().map(|key| self.directories.seek(key));
        let start = start.as_ref().map(|sought: &Sought<'_>| sought as &dyn Rank);
        self.order
            .range::<dyn Rank, _>((start, Bound::Unbounded))
            .take_while(|place| range.before_end(&place.key))
            .filter_map(|place| self.entries.get(&place.key))
            .filter_map(move |entry| match revision {
                Some(revision) => entry.at(revision),
                None => entry.current.kv.as_ref(),
            })
    }

    /// Whether a key of `directory`, which ends with a slash, exists at present.
    pub(crate) fn has_in(&self, directory: &str) -> bool {
        let all = Range::prefix(directory);
        let is_in = |kv: &Arc<KeyValue<V>>| place::directory(&kv.key) == directory;
        self.directories.has(directory) && self.range(&all, None).any(is_in)
    }

    /// Forgets the versions of `key` that no read at `revision` or later can see.
    pub(crate) fn forget_before(&mut self, key: &str, revision: Revision) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.forget_before(revision) {
            self.entries.remove(key);
            let sought: &dyn Rank = &self.directories.seek(key);
            self.order.remove(sought);
            self.directories.leave(key);
        }
    }
}

impl<V: Value> Index<V> {
    pub(crate) fn put<K>(
        &mut self,
        key: K,
        value: V,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> Change<V>
    where
        K: AsRef<str> + Into<Arc<str>>,
    {
        match self.entries.get_mut(key.as_ref()) {
            Some(entry) => entry.put(key, value, lease, revision),
            None => {
                let key = key.into();
                let (entry, change) = Entry::new(&key, value, lease, revision);
                self.order.insert(self.directories.enter(Arc::clone(&key)));
                self.entries.insert(key, entry);
                change
            }
        }
    }

    /// Puts `key` if it was last changed at `expected` (0: it does not exist); otherwise gives what it
    /// is.
    pub(crate) fn put_at(
        &mut self,
        key: &str,
        expected: Revision,
        value: V,
        lease: Option<LeaseId>,
        revision: Revision,
    ) -> Result<Change<V>, Option<Arc<KeyValue<V>>>> {
        let entry = if expected == 0 {
            // Most likely new: the key is looked for once.
            match self.entries.entry(key.into()) {
                hash_map::Entry::Vacant(vacant) => {
                    let key = vacant.key();
                    let (entry, change) = Entry::new(key, value, lease, revision);
                    self.order.insert(self.directories.enter(Arc::clone(key)));
                    vacant.insert(entry);
                    return Ok(change);
                }
                hash_map::Entry::Occupied(occupied) => occupied.into_mut(),
            }
        } else {
            self.entries.get_mut(key).ok_or(None)?
        };
        let current = &entry.current.kv;
        if current.as_ref().map_or(0, |kv| kv.mod_revision) != expected {
            return Err(current.clone());
        }
        Ok(entry.put(key, value, lease, revision))
    }

    /// Deletes `key`; `None` when it does not exist. The change's `kv` is the deletion's mark.
    pub(crate) fn delete(&mut self, key: &str, revision: Revision) -> Option<Change<V>> {
        let entry = self.entries.get_mut(key)?;
        let prev = entry.current.kv.clone()?;
        let mut value = prev.value.clone();
        value.deleted(revision);
        entry.replace(Version { revision, kv: None });
        let kv = Arc::new(KeyValue {
            key: Arc::clone(&prev.key),
            value,
            create_revision: prev.create_revision,
            mod_revision: revision,
            version: 0,
            lease: None,
        });
        Some(Change { kv, prev: Some(prev) })
    }
}

fn created<V>(
    key: Arc<str>,
    value: V,
    lease: Option<LeaseId>,
    revision: Revision,
) -> Arc<KeyValue<V>> {
    let (create_revision, mod_revision) = (revision, revision);
    Arc::new(KeyValue { key, value, create_revision, mod_revision, version: 1, lease })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_leaves_what_later_reads_see_and_nothing_of_deleted_keys() {
        let mut index: Index<String> = Index::new();
        for revision in [3, 5] {
            index.put("a", revision.to_string(), None, revision);
        }
        index.delete("a", 7);
        index.put("a", "9".to_owned(), None, 9);
        index.delete("a", 11);
        let versions = |index: &Index<String>| index.entries.get("a").map(|e| e.past.len() + 1);
        let at =
            |index: &Index<String>, revision| index.at("a", revision).map(|kv| kv.mod_revision);
        assert_eq!((at(&index, 4), at(&index, 6), at(&index, 8)), (Some(3), Some(5), None));
        for (forgotten, left) in [(5, 4), (7, 2), (9, 2), (11, 0)] {
            index.forget_before("a", forgotten);
            assert_eq!(versions(&index).unwrap_or(0), left, "up to {forgotten}");
            assert_eq!(at(&index, 10), (forgotten < 11).then_some(9), "up to {forgotten}");
        }
    }
}
