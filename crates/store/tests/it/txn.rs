//! Transactions: what compares with what, what shares a revision, what is refused.

use std::sync::Arc;
use std::time::Duration;

use store::{Compare, Error, EventKind, LeaseId, Op, OpResponse, Range, Store, Txn, Value};
use world::World;

use crate::{new_store, text};

#[test]
fn compares_read_the_key_as_it_is_and_a_missing_key_as_zero() {
    let store = new_store();
    let lease = store.lease_grant(Duration::from_secs(5));
    store.put("a", text("m")); // revision 2
    store.txn(Txn::new().then(Op::put_leased("a", text("n"), lease))).unwrap(); // revision 3
    let cases: [(&str, Compare<String>, bool); 24] = [
        ("version =", Compare::version("a").equal(2), true),
        ("version !=", Compare::version("a").not_equal(2), false),
        ("version <", Compare::version("a").less(3), true),
        ("version >", Compare::version("a").greater(2), false),
        ("create =", Compare::create_revision("a").equal(2), true),
        ("create >", Compare::create_revision("a").greater(1), true),
        ("mod =", Compare::mod_revision("a").equal(3), true),
        ("mod <", Compare::mod_revision("a").less(3), false),
        ("value =", Compare::value("a").equal(text("n")), true),
        ("value !=", Compare::value("a").not_equal(text("n")), false),
        ("value <", Compare::value("a").less(text("o")), true),
        ("value >", Compare::value("a").greater(text("o")), false),
        ("lease =", Compare::lease("a").equal(Some(lease)), true),
        ("lease >", Compare::lease("a").greater(None), true),
        ("present", Compare::present("a"), true),
        ("absent", Compare::absent("a"), false),
        ("missing version =", Compare::version("b").equal(0), true),
        ("missing create <", Compare::create_revision("b").less(1), true),
        ("missing mod !=", Compare::mod_revision("b").not_equal(0), false),
        ("missing lease =", Compare::lease("b").equal(None), true),
        ("missing value =", Compare::value("b").equal(text("")), false),
        ("missing value !=", Compare::value("b").not_equal(text("n")), false),
        ("missing present", Compare::present("b"), false),
        ("missing absent", Compare::absent("b"), true),
    ];
    for (name, compare, expected) in cases {
        let response = store.txn(Txn::new().when(compare)).unwrap();
        assert_eq!(response.succeeded, expected, "{name}");
    }
}

#[test]
fn all_changes_of_one_transaction_share_one_revision_in_the_order_of_its_steps() {
    let store = new_store();
    store.put("c/1", text("old"));
    store.put("c/2", text("old"));
    let mut watcher = store.watch("", store.revision()).unwrap();
    let txn = Txn::new()
        .when(Compare::absent("b"))
        .then(Op::put("b", text("1")))
        .then(Op::Range(Range::prefix("")))
        .then(Op::delete_prefix("c/"))
        .then(Op::put("a", text("2")))
        .otherwise(Op::get("b"));
    let response = store.txn(txn.clone()).unwrap();
    assert!(response.succeeded);
    assert_eq!(response.revision, 4);
    let OpResponse::Range(seen) = &response.responses[1] else { unreachable!() };
    assert_eq!(seen.kvs.iter().map(|kv| &*kv.key).collect::<Vec<_>>(), ["b", "c/1", "c/2"]);
    assert_eq!(seen.revision, 4);

    let events = watcher.next_batch(10).unwrap();
    let told: Vec<_> = events.iter().map(|e| (e.kind, &*e.kv.key, e.revision)).collect();
    use EventKind::{Delete, Put};
    assert_eq!(told, [(Put, "b", 4), (Delete, "c/1", 4), (Delete, "c/2", 4), (Put, "a", 4)]);

    let again = store.txn(txn).unwrap();
    assert!(!again.succeeded);
    assert_eq!(again.revision, 4, "reading changes nothing");
}

#[test]
fn a_branch_that_changes_a_key_twice_is_refused() {
    let (put, delete) = (|key: &str| Op::put(key, text("x")), |key: &str| Op::delete(key));
    let cases = [
        ("two puts", vec![put("a"), put("a")], true),
        ("put and delete", vec![delete("a"), put("a")], true),
        ("put and delete of its range", vec![put("a/b"), Op::delete_prefix("a/")], true),
        ("put and delete of another range", vec![put("b"), Op::delete_prefix("a/")], false),
        ("two deletes", vec![delete("a"), Op::delete_prefix("a")], false),
        ("put and read", vec![put("a"), Op::get("a")], false),
    ];
    for (name, ops, refused) in cases {
        for txn in
            [Txn { then: ops.clone(), ..Txn::new() }, Txn { otherwise: ops.clone(), ..Txn::new() }]
        {
            let store = new_store();
            let result = store.txn(txn);
            assert_eq!(matches!(result, Err(Error::DuplicateKey { .. })), refused, "{name}");
            assert!(!refused || store.revision() == 1, "{name}: nothing was changed");
        }
    }
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let store = new_store();
    let put = || Txn::new().then(Op::put("a", text("x")));
    let lease = LeaseId::new(7);
    let result = store.txn(put().then(Op::put_leased("b", text("x"), lease)));
    assert_eq!(result, Err(Error::LeaseNotFound { lease }));
    let result = store.txn(put().then(Op::Range(Range::all().at(9))));
    assert_eq!(result, Err(Error::FutureRevision { requested: 9, current: 1 }));
    assert_eq!((store.revision(), store.get("a")), (1, None));
}

/// A value that notes the revision it was stored or deleted at.
#[derive(Debug, Clone, PartialEq)]
struct Stamped(Vec<u64>);

impl Value for Stamped {
    fn committed(&mut self, revision: u64) {
        self.0.push(revision);
    }

    fn deleted(&mut self, revision: u64) {
        self.0.push(revision);
    }
}

#[test]
fn a_value_learns_its_revision_once() {
    let store = Store::new(World::simulated(1));
    let kv = store.put_at("a", 0, Stamped(vec![]), None).unwrap();
    assert_eq!(kv.value, Stamped(vec![2]));
    let kv = store.put_at("a", 2, kv.value.clone(), None).unwrap();
    assert_eq!(kv.value, Stamped(vec![2, 3]));
    let mut watcher = store.watch("a", 3).unwrap();
    let (deleted, revision) = store.delete("a", None).unwrap();
    assert_eq!((deleted.value.clone(), revision), (Stamped(vec![2, 3]), 4));
    let event = watcher.try_next().unwrap().unwrap();
    assert_eq!(event.kv.value, Stamped(vec![2, 3, 4]));
    assert!(Arc::ptr_eq(&event.prev.unwrap(), &deleted));
}

#[test]
fn a_conflict_shows_the_key_as_it_is() {
    let store = new_store();
    let first = store.put_at("a", 0, text("1"), None).unwrap();
    let conflict = store.put_at("a", 0, text("2"), None).unwrap_err();
    assert_eq!(conflict.current, Some(first));
    assert_eq!(conflict.to_string(), "key \"a\" is at revision 2");
    assert_eq!(store.put_at("a", 1, text("2"), None).unwrap_err().revision, 2);
    let missing = store.put_at("b", 2, text("2"), None).unwrap_err();
    assert_eq!(missing.current, None);
    assert_eq!(missing.to_string(), "key does not exist at revision 2");
    assert!(store.delete("b", None).is_err());
    assert!(store.delete("a", Some(1)).is_err());
    assert_eq!(store.revision(), 2, "a conflict changes nothing");
}
