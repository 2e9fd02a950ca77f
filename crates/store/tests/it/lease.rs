//! Leases end at their deadline on the world's clock and take their keys with them.

use std::time::Duration;

use store::{Error, EventKind, LeaseId, Op, Store, Txn};
use world::World;

use crate::text;

const TTL: Duration = Duration::from_secs(10);

fn new_store() -> (World, Store<String>) {
    let world = World::simulated(1);
    (world.clone(), Store::new(world))
}

fn put_leased(store: &Store<String>, key: &str, lease: LeaseId) {
    store.txn(Txn::new().then(Op::put_leased(key, text("x"), lease))).expect("the lease exists");
}

#[test]
fn a_lease_expires_at_its_deadline_and_not_before() {
    let (world, store) = new_store();
    let lease = store.lease_grant(TTL);
    put_leased(&store, "b", lease);
    put_leased(&store, "a", lease);
    store.put("c", text("x"));
    let mut watcher = store.watch("", store.revision()).unwrap();
    let deadline = world.now() + TTL;
    assert_eq!(store.next_lease_deadline(), Some(deadline));
    world.advance_to(world.now() + (TTL - Duration::from_nanos(1)));
    assert_eq!(store.expire_leases(), []);
    world.advance_to(deadline);
    assert!(store.get("a").is_some(), "expiry is an act, not a reading of the clock");
    assert_eq!(store.expire_leases(), [lease]);
    let events = watcher.next_batch(10).unwrap();
    let told: Vec<_> = events.iter().map(|e| (e.kind, &*e.kv.key, e.revision)).collect();
    assert_eq!(told, [(EventKind::Delete, "a", 5), (EventKind::Delete, "b", 5)]);
    assert_eq!((store.next_lease_deadline(), store.leases()), (None, vec![]));
    assert_eq!(store.expire_leases(), []);
}

#[test]
fn leases_expire_in_the_order_of_their_deadlines() {
    let (world, store) = new_store();
    let late = store.lease_grant(TTL * 2);
    let soon = store.lease_grant(TTL);
    let same = store.lease_grant(TTL);
    put_leased(&store, "late", late);
    put_leased(&store, "soon", soon);
    world.advance_to(world.now() + TTL * 3);
    assert_eq!(store.expire_leases(), [soon, same, late]);
    assert_eq!(store.revision(), 5, "a lease without keys changes nothing");
}

#[test]
fn a_lease_kept_alive_lives_on_from_then() {
    let (world, store) = new_store();
    let lease = store.lease_grant(TTL);
    world.advance_to(world.now() + TTL / 2);
    let deadline = world.now() + TTL;
    assert_eq!(store.lease_keep_alive(lease), Ok(deadline));
    world.advance_to(world.now() + TTL / 2);
    assert_eq!(store.expire_leases(), []);
    world.advance_to(deadline);
    let gone = Err(Error::LeaseNotFound { lease });
    assert_eq!(store.lease_keep_alive(lease), gone, "its end has come");
    assert_eq!(store.expire_leases(), [lease]);
    assert_eq!(store.lease_keep_alive(lease), gone);
}

#[test]
fn a_guarded_put_needs_its_lease_and_leaves_the_one_before() {
    let (_, store) = new_store();
    let (first, second) = (store.lease_grant(TTL), store.lease_grant(TTL));
    let put = |at, lease| store.put_at("a", at, text("x"), lease).map(|kv| kv.lease);
    assert_eq!(put(0, Some(first)).unwrap(), Some(first));
    assert_eq!(put(2, Some(second)).unwrap(), Some(second));
    store.lease_revoke(first).expect("it is there");
    assert_eq!(put(3, Some(first)).unwrap_err().current, store.get("a"), "no such lease");
    assert_eq!(put(3, None).unwrap(), None);
    store.lease_revoke(second).expect("it is there");
    assert!(store.get("a").is_some(), "it has no lease any more");
}

#[test]
fn a_key_belongs_to_the_lease_of_its_last_put() {
    let (_, store) = new_store();
    let (first, second) = (store.lease_grant(TTL), store.lease_grant(TTL));
    for key in ["stays", "moves", "freed", "gone"] {
        put_leased(&store, key, first);
    }
    put_leased(&store, "moves", second);
    store.put("freed", text("x"));
    store.delete("gone", None).unwrap();
    store.put("gone", text("again"));
    let keys = |lease| store.lease(lease).unwrap().keys.iter().map(|k| k.to_string()).collect();
    let (of_first, of_second): (Vec<String>, Vec<String>) = (keys(first), keys(second));
    assert_eq!((of_first, of_second), (vec![text("stays")], vec![text("moves")]));
    assert_eq!(store.get("moves").unwrap().lease, Some(second));
    let revision = store.revision();
    assert_eq!(store.lease_revoke(first), Ok(revision + 1));
    assert_eq!(store.lease_revoke(first), Err(Error::LeaseNotFound { lease: first }));
    let left = store.range(&store::Range::all()).unwrap();
    assert_eq!(left.kvs.iter().map(|kv| &*kv.key).collect::<Vec<_>>(), ["freed", "gone", "moves"]);
}
