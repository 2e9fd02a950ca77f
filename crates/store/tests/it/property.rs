//! Random histories: after every step the store answers as the model does, and every watcher has
//! been told what it must.

use std::mem::discriminant;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest::{collection, option};
use store::{
    Compare, CompareOp, Error, Event, LeaseId, Op, Options, Range, Revision, Store, Target, Txn,
    Watcher,
};
use world::World;

use crate::model::{Model, ModelEvent};

const KEYS: [&str; 8] = ["", "a", "a/", "a/b", "a/bc", "a/b\u{e9}", "ab", "b"];
const PREFIXES: [&str; 6] = ["", "a", "a/", "a/b", "a/b\u{e9}", "c"];

/// A revision as steps back from one a little in the future.
type Back = u64;

#[derive(Debug, Clone)]
enum Step {
    Txn(Txn<String>),
    Put(&'static str, String),
    Create(&'static str, String),
    Update(&'static str, Back, String),
    Delete(&'static str, Option<Back>),
    Range(Range, Option<Back>),
    GetAt(&'static str, Back),
    Watch(&'static str, Back),
    Fetch(usize, usize),
    Unwatch(usize),
    Compact(Back),
    Grant(u64),
    KeepAlive(u64),
    Revoke(u64),
    Advance(u64),
    Expire,
}

fn key() -> impl Strategy<Value = &'static str> {
    select(&KEYS[..])
}

fn value() -> impl Strategy<Value = String> {
    select(&["x", "y", "z"][..]).prop_map(str::to_owned)
}

fn range() -> impl Strategy<Value = Range> {
    let keys = prop_oneof![
        select(&PREFIXES[..]).prop_map(Range::prefix),
        key().prop_map(Range::key),
        (key(), key()).prop_map(|(start, end)| Range::between(start, end)),
        Just(Range::all()),
    ];
    let start = option::of((key(), any::<bool>()));
    (keys, start, 0..4_usize, any::<bool>()).prop_map(|(range, start, limit, count)| {
        let range = match start {
            Some((key, true)) => range.after(key),
            Some((key, false)) => range.starting_at(key),
            None => range,
        };
        if count && limit == 0 { range.count_only() } else { range.limit(limit) }
    })
}

fn compare() -> impl Strategy<Value = Compare<String>> {
    let ops = [CompareOp::Equal, CompareOp::NotEqual, CompareOp::Less, CompareOp::Greater];
    let target = prop_oneof![
        (0..4_u64).prop_map(Target::Version),
        (0..12_u64).prop_map(Target::CreateRevision),
        (0..12_u64).prop_map(Target::ModRevision),
        value().prop_map(Target::Value),
        option::of(0..4_u64).prop_map(|id| Target::Lease(id.map(LeaseId::new))),
    ];
    (key(), select(ops.to_vec()), target).prop_map(|(key, op, target)| Compare {
        key: key.into(),
        op,
        target,
    })
}

fn op() -> impl Strategy<Value = Op<String>> {
    prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| Op::put(key, value)),
        2 => (key(), value(), 1..4_u64)
            .prop_map(|(key, value, lease)| Op::put_leased(key, value, LeaseId::new(lease))),
        2 => key().prop_map(Op::delete),
        1 => range().prop_map(|range| Op::DeleteRange(Range { limit: 0, ..range })),
        2 => (range(), option::weighted(0.3, 0..12_u64))
            .prop_map(|(range, revision)| Op::Range(Range { revision, ..range })),
    ]
}

fn txn() -> impl Strategy<Value = Txn<String>> {
    let parts = (
        collection::vec(compare(), 0..3),
        collection::vec(op(), 0..4),
        collection::vec(op(), 0..3),
    );
    parts.prop_map(|(compares, then, otherwise)| Txn { compares, then, otherwise })
}

fn step() -> impl Strategy<Value = Step> {
    let back = || 0..10_u64;
    prop_oneof![
        8 => txn().prop_map(Step::Txn),
        4 => (key(), value()).prop_map(|(k, v)| Step::Put(k, v)),
        2 => (key(), value()).prop_map(|(k, v)| Step::Create(k, v)),
        3 => (key(), back(), value()).prop_map(|(k, r, v)| Step::Update(k, r, v)),
        4 => (key(), option::weighted(0.3, back())).prop_map(|(k, r)| Step::Delete(k, r)),
        4 => (range(), option::of(back())).prop_map(|(range, r)| Step::Range(range, r)),
        2 => (key(), back()).prop_map(|(k, r)| Step::GetAt(k, r)),
        3 => (select(&PREFIXES[..]), back()).prop_map(|(p, r)| Step::Watch(p, r)),
        6 => (0..8_usize, 1..6_usize).prop_map(|(w, max)| Step::Fetch(w, max)),
        1 => (0..8_usize).prop_map(Step::Unwatch),
        1 => back().prop_map(Step::Compact),
        1 => (1..8_u64).prop_map(Step::Grant),
        1 => (1..4_u64).prop_map(Step::KeepAlive),
        1 => (1..4_u64).prop_map(Step::Revoke),
        1 => (1..5_u64).prop_map(Step::Advance),
        1 => Just(Step::Expire),
    ]
}

/// A watcher and what it has been told.
struct Watched {
    watcher: Watcher<String>,
    prefix: &'static str,
    after: Revision,
    told: usize,
    /// Whether it was last asked until it had nothing more.
    drained: bool,
    wakes: Arc<AtomicU64>,
    wakes_when_drained: u64,
}

struct Run {
    world: World,
    store: Store<String>,
    model: Model,
    watched: Vec<Watched>,
}

/// Results alike: equal answers, or errors of one kind.
fn assert_same<T: PartialEq + std::fmt::Debug>(store: &Result<T, Error>, model: &Result<T, Error>) {
    match (store, model) {
        (Err(a), Err(b)) => assert_eq!(discriminant(a), discriminant(b), "{a} / {b}"),
        _ => assert_eq!(store, model),
    }
}

impl Run {
    fn new(retain: usize) -> Self {
        let world = World::simulated(1);
        let store = Store::with_options(
            world.clone(),
            Options { retain_revisions: retain, ..Options::default() },
        );
        Self { world, store, model: Model::new(retain), watched: Vec::new() }
    }

    fn revision(&self, back: Back) -> Revision {
        (self.model.revision + 1).saturating_sub(back)
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Txn(txn) => {
                let expected = self.model.txn(&txn);
                assert_same(&self.store.txn(txn), &expected);
            }
            Step::Put(..) | Step::Create(..) | Step::Update(..) | Step::Delete(..) => {
                self.write(step);
            }
            Step::Range(range, back) => {
                let range = Range { revision: back.map(|back| self.revision(back)), ..range };
                assert_same(&self.store.range(&range), &self.model.range(&range));
            }
            Step::GetAt(key, back) => {
                let revision = self.revision(back);
                let expected = self.model.readable(revision).map(|keys| keys.get(key).cloned());
                assert_same(&self.store.get_at(key, revision), &expected);
            }
            Step::Watch(prefix, back) => self.watch(prefix, self.revision(back)),
            Step::Fetch(which, max) => self.fetch(which, max),
            Step::Unwatch(which) if which < self.watched.len() => {
                self.watched.swap_remove(which);
            }
            Step::Unwatch(_) => {}
            Step::Compact(back) => {
                let revision = self.revision(back);
                assert_same(&self.store.compact(revision), &self.model.compact(revision));
            }
            Step::Grant(..) | Step::KeepAlive(..) | Step::Revoke(..) => self.lease(&step),
            Step::Advance(seconds) => {
                self.world.advance_to(self.world.now() + Duration::from_secs(seconds));
            }
            Step::Expire => {
                assert_eq!(self.store.expire_leases(), self.model.expire(self.world.now()));
            }
        }
    }

    /// The convenience writes are the transactions they stand for.
    fn write(&mut self, step: Step) {
        let (key, guard, op) = match step {
            Step::Put(key, value) => (key, None, Op::put(key, value)),
            Step::Create(key, value) => (key, Some(Compare::absent(key)), Op::put(key, value)),
            Step::Update(key, back, value) => {
                let revision = self.revision(back).max(1);
                (key, Some(Compare::mod_revision(key).equal(revision)), Op::put(key, value))
            }
            Step::Delete(key, None) => (key, Some(Compare::present(key)), Op::delete(key)),
            Step::Delete(key, Some(back)) => {
                let revision = self.revision(back).max(1);
                (key, Some(Compare::mod_revision(key).equal(revision)), Op::delete(key))
            }
            other => unreachable!("{other:?} is no write"),
        };
        let before = self.model.now().get(key).cloned();
        let compares: Vec<_> = guard.into_iter().collect();
        let txn = Txn { compares: compares.clone(), then: vec![op.clone()], otherwise: vec![] };
        let expected = self.model.txn(&txn).expect("one operation without a lease is in order");
        let guard = compares.first().map(|compare| &compare.target);
        let result = match (op, guard) {
            (Op::Put { value, .. }, None) => Ok(self.store.put(key, value)),
            (Op::Put { value, .. }, Some(Target::ModRevision(revision))) => {
                self.store.put_at(key, *revision, value, None)
            }
            (Op::Put { value, .. }, Some(_)) => self.store.put_at(key, 0, value, None),
            (_, guard) => {
                let revision =
                    if let Some(Target::ModRevision(r)) = guard { Some(*r) } else { None };
                self.store.delete(key, revision).map(|(kv, revision)| {
                    assert_eq!(revision, expected.revision);
                    assert_eq!(Some(&kv), before.as_ref());
                    kv
                })
            }
        };
        assert_eq!(result.is_ok(), expected.succeeded);
        if let Err(conflict) = result {
            assert_eq!(conflict.current, before);
            assert_eq!(conflict.revision, expected.revision);
        }
    }

    fn lease(&mut self, step: &Step) {
        let now = self.world.now();
        match *step {
            Step::Grant(seconds) => {
                let ttl = Duration::from_secs(seconds);
                assert_eq!(self.store.lease_grant(ttl), self.model.grant(ttl, now));
            }
            Step::KeepAlive(id) => {
                let id = LeaseId::new(id);
                assert_same(&self.store.lease_keep_alive(id), &self.model.keep_alive(id, now));
            }
            Step::Revoke(id) => {
                let id = LeaseId::new(id);
                assert_same(&self.store.lease_revoke(id), &self.model.revoke(id));
            }
            ref other => unreachable!("{other:?} is not about leases"),
        }
    }

    fn watch(&mut self, prefix: &'static str, after: Revision) {
        let watcher = self.store.watch(prefix, after);
        if after < self.model.compacted {
            let expected = Error::Compacted { compact_revision: self.model.compacted };
            assert_eq!(watcher.err(), Some(expected));
            return;
        }
        let mut watcher = watcher.expect("the history is retained");
        let wakes = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&wakes);
        watcher.set_wake(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        let drained = self.model.events.iter().all(|event| event.revision <= after);
        assert_eq!(wakes.load(Ordering::Relaxed), u64::from(!drained));
        let wakes_when_drained = wakes.load(Ordering::Relaxed);
        let (told, wakes_when_drained) = (0, wakes_when_drained);
        let watched = Watched { watcher, prefix, after, told, drained, wakes, wakes_when_drained };
        self.watched.push(watched);
    }

    fn fetch(&mut self, which: usize, max: usize) {
        let Some(watched) = self.watched.get_mut(which) else { return };
        let due = watched.due(&self.model);
        let lost = due.first().is_some_and(|event| event.revision <= self.model.compacted);
        match watched.watcher.next_batch(max) {
            Ok(batch) => {
                assert!(!lost, "an event that is gone was not reported");
                let expected = &due[..max.min(due.len())];
                assert_eq!(batch.iter().map(told).collect::<Vec<_>>(), expected);
                watched.told += batch.len();
                watched.drained = batch.len() < max;
                watched.wakes_when_drained = watched.wakes.load(Ordering::Relaxed);
            }
            Err(error) => {
                let compact_revision = self.model.compacted;
                assert_eq!(error, Error::Compacted { compact_revision });
                assert!(lost || !watched.drained, "nothing was lost");
                self.watched.swap_remove(which);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.store.revision(), self.model.revision);
        assert_eq!(self.store.compacted_revision(), self.model.compacted);
        assert_eq!(self.store.next_lease_deadline(), self.model.next_deadline());
        let all = Range::all();
        assert_same(&self.store.range(&all), &self.model.range(&all));
        for watched in &self.watched {
            watched.check(&self.model);
        }
    }

    /// Every retained revision reads as it did when it was the present.
    fn check_history(&self) {
        for revision in self.model.compacted..=self.model.revision {
            let range = Range::all().at(revision);
            assert_same(&self.store.range(&range), &self.model.range(&range));
        }
    }
}

impl Watched {
    /// The events it has not been told.
    fn due(&self, model: &Model) -> Vec<ModelEvent> {
        let wanted = |event: &&ModelEvent| {
            event.revision > self.after && event.kv.key.starts_with(self.prefix)
        };
        model.events.iter().filter(wanted).skip(self.told).cloned().collect()
    }

    fn check(&self, model: &Model) {
        let due = self.due(model);
        let progress = self.watcher.progress();
        assert!(due.first().is_none_or(|event| event.revision > progress), "progress is too far");
        if self.drained && due.is_empty() {
            assert_eq!(progress, self.after.max(model.revision));
        }
        if self.drained && self.after <= model.revision {
            let wakes = self.wakes.load(Ordering::Relaxed) - self.wakes_when_drained;
            assert_eq!(
                wakes,
                u64::from(!due.is_empty()),
                "woken once, and only when there is cause"
            );
        }
    }
}

fn told(event: &Event<String>) -> ModelEvent {
    let Event { kind, kv, prev, revision } = event.clone();
    ModelEvent { kind, kv, prev, revision }
}

/// Repeats itself unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` say otherwise.
fn runner(cases: u32) -> TestRunner {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(311);
    }
    if config.cases == 256 {
        config.cases = cases;
    }
    TestRunner::new(config)
}

#[test]
fn random_histories_agree_with_the_model() {
    let retain = prop_oneof![Just(usize::MAX), 1..12_usize];
    let histories = (retain, collection::vec(step(), 1..80));
    let outcome = runner(600).run(&histories, |(retain, steps)| {
        let mut run = Run::new(retain);
        for step in steps {
            run.apply(step);
            run.check();
        }
        run.check_history();
        Ok(())
    });
    outcome.unwrap();
}
