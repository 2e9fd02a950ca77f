//! Compaction: what stays readable, and that what does not is really gone.

use std::sync::Arc;

use store::{Error, Op, Options, Range, Store, Txn, Value};
use world::World;

use crate::{new_store, retaining, text};

/// A value whose copies can be counted.
#[derive(Debug, Clone)]
struct Counted(Arc<()>);

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Value for Counted {}

#[test]
fn the_compacted_revision_itself_stays_readable() {
    let store = new_store();
    for value in ["1", "2", "3", "4"] {
        store.put("a", text(value)); // revisions 2 to 5
    }
    store.compact(4).unwrap();
    assert_eq!(store.compacted_revision(), 4);
    let gone = Error::Compacted { compact_revision: 4 };
    assert_eq!(store.get_at("a", 3), Err(gone.clone()));
    assert_eq!(store.range(&Range::all().at(3)), Err(gone.clone()));
    assert_eq!(store.watch("a", 3).err(), Some(gone.clone()));
    assert_eq!(store.get_at("a", 4).unwrap().unwrap().value, "3");
    assert_eq!(store.watch("a", 4).unwrap().try_next().unwrap().unwrap().revision, 5);
    assert_eq!(store.compact(4), Err(gone));
    assert_eq!(store.compact(6), Err(Error::FutureRevision { requested: 6, current: 5 }));
    store.compact(5).unwrap();
    assert_eq!(store.get("a").unwrap().version, 4, "the present is not touched");
}

#[test]
fn a_key_untouched_since_long_ago_survives_compaction() {
    let store = retaining(5);
    store.put("old", text("x"));
    for _ in 0..100 {
        store.put("new", text("x"));
    }
    assert_eq!(store.get("old").unwrap().mod_revision, 2);
    let oldest = store.compacted_revision();
    assert_eq!(store.get_at("old", oldest).unwrap().unwrap().mod_revision, 2);
}

#[test]
fn retention_keeps_the_promised_revisions_and_frees_the_rest_as_it_goes() {
    let options = Options { retain_revisions: 10, ..Options::default() };
    let store = Store::with_options(World::simulated(1), options);
    let token = Arc::new(());
    for n in 0..1000 {
        store.put(["a", "b", "c"][n % 3], Counted(Arc::clone(&token)));
        assert_eq!(store.compacted_revision(), store.revision().saturating_sub(10));
        // Ten changes and what each of them replaced, beside the test's own.
        assert!(Arc::strong_count(&token) <= 1 + 10 + 3, "after put {n}");
    }
}

#[test]
fn a_backlog_left_by_a_large_transaction_shrinks_with_later_changes() {
    let store = Store::with_options(
        World::simulated(1),
        Options { retain_revisions: 10, ..Options::default() },
    );
    let token = Arc::new(());
    let mut txn = Txn::new();
    for n in 0..100 {
        store.put(&n.to_string(), Counted(Arc::clone(&token)));
        txn = txn.then(Op::delete(n.to_string()));
    }
    store.txn(txn).unwrap();
    for _ in 0..100 {
        store.put("a", Counted(Arc::clone(&token)));
    }
    assert!(Arc::strong_count(&token) <= 1 + 10 + 1);
}

#[test]
fn compaction_frees_superseded_and_deleted_values() {
    let store = Store::new(World::simulated(1));
    let token = Arc::new(());
    for n in 0..1000 {
        store.put(&format!("{}", n % 100), Counted(Arc::clone(&token)));
    }
    for n in 0..50 {
        store.delete(&format!("{n}"), None).unwrap();
    }
    assert_eq!(Arc::strong_count(&token), 1 + 1000 + 50);
    store.compact(store.revision()).unwrap();
    assert_eq!(Arc::strong_count(&token), 1 + 50);
    assert_eq!(store.range(&Range::all()).unwrap().count, 50);
}

#[test]
fn no_history_is_lost_when_all_is_to_be_kept() {
    let store = retaining(usize::MAX);
    for n in 0..30_000 {
        store.put("a", n.to_string());
    }
    assert_eq!(store.compacted_revision(), 0);
    assert_eq!(store.get_at("a", 2).unwrap().unwrap().value, "0");
}

#[test]
fn history_is_bounded_by_bytes_as_well() {
    let options = Options { retain_bytes: 1_000, ..Options::default() };
    let store = Store::with_options(World::simulated(1), options);
    let mut slow = store.watch("", 1).unwrap();
    let mut quick = store.watch("large", 1).unwrap();
    for _ in 0..50 {
        store.put("large", vec![0_u8; 100]); // revisions 2 to 51
        assert!(quick.try_next().unwrap().is_some(), "who keeps up misses nothing");
    }
    // 49 versions were replaced; of these the last ten fit.
    assert_eq!(store.compacted_revision(), 41);
    assert_eq!(store.get_at("large", 41).unwrap().unwrap().version, 40);
    assert_eq!(slow.try_next(), Err(Error::Compacted { compact_revision: 41 }));
    let first = store.watch("", 41).unwrap().try_next().unwrap().unwrap();
    assert_eq!(first.revision, 42);
}

#[test]
fn the_newest_revision_can_be_watched_however_large() {
    let options = Options { retain_bytes: 10, ..Options::default() };
    let store = Store::with_options(World::simulated(1), options);
    let mut watcher = store.watch("", 1).unwrap();
    store.put("a", vec![0_u8; 100]);
    assert!(watcher.try_next().unwrap().is_some());
    store.delete("a", None).unwrap();
    assert!(watcher.try_next().unwrap().is_some());
    store.put("b", vec![0_u8; 100]);
    assert_eq!(store.compacted_revision(), 3, "the deletion is history now and too large for it");
    assert!(watcher.try_next().unwrap().is_some());
}
