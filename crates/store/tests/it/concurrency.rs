//! Many threads at once: nothing is lost, nothing is torn, everyone wakes up.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use store::{Op, Range, Store, Txn};
use world::World;

use crate::{new_store, text};

const WRITERS: usize = 4;
const INCREMENTS: usize = 500;

/// Adds one to the number at `key`, again and again until nobody was faster.
fn increment(store: &Store<String>, key: &str) {
    loop {
        let kv = store.get(key).expect("the counter exists");
        let next: u64 = kv.value.parse::<u64>().expect("a number") + 1;
        if store.put_at(key, kv.mod_revision, next.to_string(), None).is_ok() {
            return;
        }
    }
}

/// Follows `prefix`, parked while there is nothing, until `last` has been seen.
fn follow(store: &Store<String>, prefix: &str, last: u64) -> Vec<u64> {
    let mut watcher = store.watch(prefix, 1).expect("nothing is compacted");
    let thread = thread::current();
    watcher.set_wake(Arc::new(move || thread.unpark()));
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        match watcher.try_next().expect("all is retained") {
            Some(event) => seen.push(event.revision),
            None => thread::park(),
        }
    }
    seen
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// As [`follow`], by the way of tasks.
fn follow_as_task(store: &Store<String>, prefix: &str, last: u64) -> Vec<u64> {
    let mut watcher = store.watch(prefix, 1).expect("nothing is compacted");
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        match watcher.poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(event) => seen.push(event.expect("all is retained").revision),
            Poll::Pending => thread::park(),
        }
    }
    seen
}

#[test]
fn optimistic_writers_lose_no_update_and_watchers_no_event() {
    let store = new_store();
    store.put("counter", text("0"));
    let last = 2 + (WRITERS * INCREMENTS) as u64;
    thread::scope(|scope| {
        let store = &store;
        let watchers: Vec<_> = ["", "count", "counter"]
            .into_iter()
            .flat_map(|prefix| {
                let by_thread = scope.spawn(move || follow(store, prefix, last));
                let by_task = scope.spawn(move || follow_as_task(store, prefix, last));
                [by_thread, by_task]
            })
            .collect();
        for _ in 0..WRITERS {
            scope.spawn(|| (0..INCREMENTS).for_each(|_| increment(store, "counter")));
        }
        for watcher in watchers {
            assert_eq!(watcher.join().unwrap(), (2..=last).collect::<Vec<_>>());
        }
    });
    assert_eq!(store.get("counter").unwrap().value, (WRITERS * INCREMENTS).to_string());
}

#[test]
fn readers_see_transactions_whole() {
    let store = Store::new(World::simulated(1));
    let put_both = |n: usize| {
        let (left, right) = (Op::put("left", n.to_string()), Op::put("right", n.to_string()));
        store.txn(Txn::new().then(left).then(right)).expect("nothing speaks against it");
    };
    put_both(0);
    thread::scope(|scope| {
        let writer = scope.spawn(|| (1..2000).for_each(put_both));
        while !writer.is_finished() {
            let now = store.range(&Range::all()).unwrap();
            assert_eq!(now.kvs[0].value, now.kvs[1].value);
            let past = store.range(&Range::all().at(now.revision)).unwrap();
            assert_eq!(past.kvs, now.kvs);
        }
    });
}
