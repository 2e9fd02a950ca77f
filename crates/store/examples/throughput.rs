//! Prints how fast one thread puts values of 1 KiB and how soon a watcher has them.
//!
//! `cargo run --release -p store --example throughput`
#![expect(clippy::print_stdout, reason = "a program whose output is the point")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use store::{EventKind, Range, Store, Watcher};
use world::World;

const PUTS: u64 = 600_000;
const KEYS: u64 = 10_000;
const VALUE: usize = 1024;

fn main() {
    for (name, unrelated) in [("one watcher", 0), ("one watcher, 10,000 unrelated", 10_000)] {
        let rate = puts(unrelated, |watcher, _| drop(watcher.try_next()));
        println!("puts/s, {name}, every event fetched at once: {rate:.0}");
    }
    let rate = puts(0, |watcher, put| {
        if put % 256 == 0 {
            drop(watcher.next_batch(256));
        }
    });
    println!("puts/s, one watcher, fetched in batches of 256: {rate:.0}");
    println!("puts/s, no watcher: {:.0}", puts_bare());
    println!("put to delivery, same thread, median: {:?}", delivery_same_thread());
    println!("put to delivery, polling thread, median: {:?}", delivery_other_thread(false));
    println!("put to delivery, parked thread, median: {:?}", delivery_other_thread(true));
    slowest_puts();
    lists();
}

fn key(number: u64) -> String {
    format!("/registry/pods/project-{}/pod-{}", number % 17, number % KEYS)
}

fn keys() -> Vec<String> {
    (0..KEYS).map(key).collect()
}

fn rate(count: u64, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

fn puts(unrelated: u64, mut fetch: impl FnMut(&mut Watcher<Vec<u8>>, u64)) -> f64 {
    let world = World::real();
    let store: Store<Vec<u8>> = Store::new(world.clone());
    let mut watcher = store.watch("/registry/pods/", 1).expect("nothing is compacted");
    let _others: Vec<_> = (0..unrelated)
        .map(|n| store.watch(&format!("/registry/secrets/project-{n}/"), 1))
        .collect();
    let (keys, value) = (keys(), vec![7_u8; VALUE]);
    let start = world.now();
    let mut put = 0;
    while put < PUTS {
        for key in &keys {
            store.put(key, value.clone());
            put += 1;
            fetch(&mut watcher, put);
        }
    }
    rate(put, world.now() - start)
}

fn puts_bare() -> f64 {
    let world = World::real();
    let store: Store<Vec<u8>> = Store::new(world.clone());
    let (keys, value) = (keys(), vec![7_u8; VALUE]);
    let start = world.now();
    for n in 0..PUTS {
        store.put(&keys[usize::try_from(n % KEYS).unwrap_or(0)], value.clone());
    }
    rate(PUTS, world.now() - start)
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

fn delivery_same_thread() -> Duration {
    let world = World::real();
    let store: Store<Vec<u8>> = Store::new(world.clone());
    let mut watcher = store.watch("/registry/pods/", 1).expect("nothing is compacted");
    let took = (0..100_000).map(|n| {
        let (key, value) = (key(n), vec![7_u8; VALUE]);
        let start = world.now();
        store.put(&key, value);
        let event = watcher.try_next().expect("the watcher keeps up").expect("the put is seen");
        assert_eq!(event.kind, EventKind::Put);
        world.now() - start
    });
    median(took.collect())
}

fn delivery_other_thread(park: bool) -> Duration {
    let world = World::real();
    let store: Store<Vec<u8>> = Store::new(world.clone());
    let mut watcher = store.watch("/registry/pods/", 1).expect("nothing is compacted");
    let (seen, done) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
    let consumer = {
        let (world, seen, done) = (world.clone(), Arc::clone(&seen), Arc::clone(&done));
        std::thread::spawn(move || {
            let thread = std::thread::current();
            watcher.set_wake(Arc::new(move || thread.unpark()));
            let mut arrivals = Vec::new();
            while !done.load(Ordering::Acquire) {
                match watcher.try_next().expect("the watcher keeps up") {
                    Some(event) => {
                        arrivals.push(world.now());
                        seen.store(event.revision, Ordering::Release);
                    }
                    None if park => std::thread::park_timeout(Duration::from_millis(10)),
                    None => std::hint::spin_loop(),
                }
            }
            arrivals
        })
    };
    let mut starts = Vec::new();
    for n in 0..20_000 {
        let (key, value) = (key(n), vec![7_u8; VALUE]);
        starts.push(world.now());
        let kv = store.put(&key, value);
        while seen.load(Ordering::Acquire) < kv.mod_revision {
            std::hint::spin_loop();
        }
    }
    done.store(true, Ordering::Release);
    let arrivals = consumer.join().expect("the consumer does not panic");
    median(starts.iter().zip(arrivals).map(|(start, arrival)| arrival - *start).collect())
}

/// Long enough for the history to be full and compacted with every put.
fn slowest_puts() {
    let world = World::real();
    let store: Store<Vec<u8>> = Store::new(world.clone());
    let keys = keys();
    let took = (0..PUTS).map(|n| {
        let (key, value) = (&keys[usize::try_from(n % KEYS).unwrap_or(0)], vec![7_u8; VALUE]);
        let start = world.now();
        store.put(key, value);
        world.now() - start
    });
    let mut took: Vec<_> = took.collect();
    took.sort_unstable();
    let of = |parts: usize| took[took.len() - 1 - took.len() / parts];
    let (p99, p9999, slowest) = (of(100), of(10_000), took[took.len() - 1]);
    println!("time of a put: p99 {p99:?}, p99.99 {p9999:?}, slowest {slowest:?}");
}

fn lists() {
    let world = World::real();
    let store: Store<Vec<u8>> = Store::new(world.clone());
    for n in 0..KEYS {
        store.put(&key(n), vec![7_u8; VALUE]);
    }
    let took = |range: &Range| {
        let start = world.now();
        let found = store.range(range).expect("the revision is retained").kvs.len();
        println!("list of {found} among {KEYS}: {:?}", world.now() - start);
    };
    took(&Range::prefix("/registry/pods/").limit(1000));
    took(&Range::prefix("/registry/pods/"));
    took(&Range::prefix("/registry/pods/").at(KEYS / 2));
}
