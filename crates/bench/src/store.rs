//! The store in process: puts with a watcher, and how soon the watcher has them.
//!
//! Invariant: every event is fetched while the clock runs; a put that nobody saw does not count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use store::{Store, Watcher};
use world::World;

use crate::figure::{Figure, Target, median, microseconds, per_second};

const ROUNDS: usize = 5;
const PUTS: usize = 300_000;
const KEYS: usize = 10_000;
const VALUE: usize = 1024;
const DELIVERIES: usize = 20_000;
const PREFIX: &str = "/registry/pods/";

/// Measures puts and deliveries.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let rates = (0..ROUNDS).map(|_| puts(0)).collect::<Result<Vec<_>>>()?;
    let puts_target = Target::AtLeast(300_000.0);
    report(Figure::number("store.puts", median(rates), "puts/s").target(puts_target));
    let crowded = puts(10_000)?;
    report(Figure::number("store.puts-10000-other-watchers", crowded, "puts/s"));
    let delivery_target = Target::Below(5.0);
    let delivery = |name, took| Figure::number(name, microseconds(took), "us");
    report(delivery("store.delivery", delivery_same_thread()?).target(delivery_target));
    report(
        delivery("store.delivery-other-thread", delivery_thread(false)?).target(delivery_target),
    );
    report(delivery("store.delivery-parked-thread", delivery_thread(true)?));
    Ok(())
}

fn key(number: usize) -> String {
    format!("{PREFIX}project-{}/pod-{}", number % 17, number % KEYS)
}

type Subject = (World, Store<Vec<u8>>, Watcher<Vec<u8>>);

fn subject() -> Result<Subject> {
    let world = World::real();
    let store = Store::new(world.clone());
    let watcher = store.watch(PREFIX, store.revision())?;
    Ok((world, store, watcher))
}

/// Puts per second by one thread that also fetches every event at once, while `others` watch
/// something else.
fn puts(others: usize) -> Result<f64> {
    let (world, store, mut watcher) = subject()?;
    let _others = (0..others)
        .map(|n| store.watch(&format!("/registry/secrets/project-{n}/"), 1))
        .collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let value = vec![7_u8; VALUE];
    let start = world.now();
    let mut seen = 0;
    for key in keys.iter().cycle().take(PUTS) {
        store.put(key, value.clone());
        seen += usize::from(watcher.try_next()?.is_some());
    }
    let took = world.now() - start;
    ensure!(seen == PUTS, "the watcher saw {seen} of {PUTS} puts");
    Ok(per_second(PUTS, took))
}

fn delivery_same_thread() -> Result<Duration> {
    let (world, store, mut watcher) = subject()?;
    let mut took = Vec::with_capacity(DELIVERIES);
    for number in 0..DELIVERIES {
        let (key, value) = (key(number), vec![7_u8; VALUE]);
        let start = world.now();
        let put = store.put(&key, value);
        let event = watcher.try_next()?;
        took.push(world.now() - start);
        ensure!(event.is_some_and(|event| event.revision == put.mod_revision), "a put is missing");
    }
    Ok(median(took))
}

/// From before the put on one thread to the event in the hands of another, which looks all the time
/// or sleeps until it is woken.
fn delivery_thread(park: bool) -> Result<Duration> {
    let (world, store, watcher) = subject()?;
    let (seen, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let receiver =
        Receiver { world: world.clone(), seen: Arc::clone(&seen), done: Arc::clone(&done) };
    let thread = std::thread::spawn(move || receiver.run(watcher, park));
    let mut starts = Vec::with_capacity(DELIVERIES);
    for number in 0..DELIVERIES {
        let (key, value) = (key(number), vec![7_u8; VALUE]);
        starts.push(world.now());
        let put = store.put(&key, value);
        while seen.load(Ordering::Acquire) < put.mod_revision && !thread.is_finished() {
            if park { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
    done.store(true, Ordering::Release);
    let arrivals = thread.join().expect("the receiver does not panic")?;
    ensure!(arrivals.len() == DELIVERIES, "{} of {DELIVERIES} puts arrived", arrivals.len());
    Ok(median(starts.iter().zip(arrivals).map(|(start, arrival)| arrival - *start).collect()))
}

struct Receiver {
    world: World,
    seen: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Receiver {
    fn run(&self, mut watcher: Watcher<Vec<u8>>, park: bool) -> Result<Vec<world::Time>> {
        let thread = std::thread::current();
        watcher.set_wake(Arc::new(move || thread.unpark()));
        let mut arrivals = Vec::with_capacity(DELIVERIES);
        while !self.done.load(Ordering::Acquire) {
            match watcher.try_next()? {
                Some(event) => {
                    arrivals.push(self.world.now());
                    self.seen.store(event.revision, Ordering::Release);
                }
                None if park => std::thread::park_timeout(Duration::from_millis(10)),
                None => std::hint::spin_loop(),
            }
        }
        Ok(arrivals)
    }
}
