//! Watching: order, replay, wakes, and what happens to those who fall behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use store::{Error, EventKind, Op, Txn, Watcher};

use crate::{new_store, retaining, text};

fn revisions(watcher: &mut Watcher<String>) -> Vec<u64> {
    watcher
        .next_batch(usize::MAX)
        .expect("all is retained")
        .iter()
        .map(|event| event.revision)
        .collect()
}

#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn every_retained_revision_can_be_replayed_from() {
    let store = new_store();
    store.put("a/1", text("x")); // revision 2
    store.put("b/1", text("x")); // revision 3
    store.put("a/2", text("x")); // revision 4
    store.delete("a/1", None).unwrap(); // revision 5
    for (after, expected) in
        [(0, vec![2, 4, 5]), (2, vec![4, 5]), (3, vec![4, 5]), (5, vec![]), (9, vec![])]
    {
        let mut watcher = store.watch("a/", after).unwrap();
        assert_eq!(revisions(&mut watcher), expected, "after {after}");
        assert_eq!(watcher.progress(), after.max(5));
    }
}

#[test]
fn a_watch_from_the_future_begins_there() {
    let store = new_store();
    let mut watcher = store.watch("", 3).unwrap();
    for n in 2..6 {
        assert_eq!(store.put("a", text("x")).mod_revision, n);
    }
    assert_eq!(revisions(&mut watcher), [4, 5]);
}

#[test]
fn events_carry_the_versions_before_and_after() {
    let store = new_store();
    let mut watcher = store.watch("", 1).unwrap();
    let created = store.put("a", text("1"));
    let changed = store.put("a", text("2"));
    store.delete("a", None).unwrap();
    let events = watcher.next_batch(10).unwrap();
    assert!(events[0].is_create());
    assert_eq!((&events[0].kv, &events[0].prev), (&created, &None));
    assert!(!events[1].is_create());
    assert_eq!((&events[1].kv, &events[1].prev), (&changed, &Some(created)));
    let (kind, kv) = (events[2].kind, &events[2].kv);
    assert_eq!((kind, kv.mod_revision, kv.version), (EventKind::Delete, 4, 0));
    assert_eq!(kv.value, "2");
    assert_eq!(events[2].prev, Some(changed));
}

#[test]
fn only_watchers_of_a_matching_prefix_are_woken_and_once_until_they_have_asked() {
    let store = new_store();
    let prefixes = ["", "/", "/a", "/a/", "/a/1", "/a/10", "/a/2", "/b/", "/a/1/x"];
    let mut watchers: Vec<_> = prefixes
        .into_iter()
        .map(|prefix| {
            let mut watcher = store.watch(prefix, 1).unwrap();
            let (counter, waker) = (Arc::<Counter>::default(), Arc::<Counter>::default());
            let wake = Arc::clone(&counter);
            watcher.set_wake(Arc::new(move || wake.clone().wake()));
            let polled = watcher.poll_next(&mut Context::from_waker(&Waker::from(waker.clone())));
            assert!(polled.is_pending());
            (watcher, counter, waker)
        })
        .collect();
    store.put("/a/1", text("x"));
    store.put("/a/1", text("y"));
    for (prefix, (watcher, counter, waker)) in prefixes.iter().zip(&mut watchers) {
        let matches = "/a/1".starts_with(prefix);
        assert_eq!(counter.count(), u64::from(matches), "{prefix:?}");
        assert_eq!(waker.count(), u64::from(matches), "{prefix:?}");
        assert_eq!(revisions(watcher).len(), if matches { 2 } else { 0 }, "{prefix:?}");
    }
    store.put("/a/1", text("z"));
    for (prefix, (_, counter, waker)) in prefixes.iter().zip(&watchers) {
        let matches = "/a/1".starts_with(prefix);
        assert_eq!(counter.count(), u64::from(matches) * 2, "{prefix:?}");
        assert_eq!(waker.count(), u64::from(matches), "a waker serves for one poll");
    }
}

#[test]
fn a_wake_set_late_is_called_for_what_already_happened() {
    let store = new_store();
    let mut watcher = store.watch("", 1).unwrap();
    store.put("a", text("x"));
    let counter = Arc::<Counter>::default();
    let wake = Arc::clone(&counter);
    watcher.set_wake(Arc::new(move || wake.clone().wake()));
    assert_eq!(counter.count(), 1);
}

#[test]
fn polling_delivers_then_waits_then_is_woken() {
    let store = new_store();
    let mut watcher = store.watch("", 1).unwrap();
    let counter = Arc::<Counter>::default();
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    store.put("a", text("x"));
    assert!(matches!(watcher.poll_next(&mut cx), Poll::Ready(Ok(event)) if event.revision == 2));
    assert!(watcher.poll_next(&mut cx).is_pending());
    assert_eq!(counter.count(), 0);
    store.put("a", text("y"));
    assert_eq!(counter.count(), 1);
    assert!(matches!(watcher.poll_next(&mut cx), Poll::Ready(Ok(event)) if event.revision == 3));
}

#[test]
fn a_watcher_left_behind_is_told_and_stays_told() {
    let store = retaining(10);
    let mut slow = store.watch("a", 1).unwrap();
    for _ in 0..30 {
        store.put("a", text("x"));
    }
    let compacted = Error::Compacted { compact_revision: 21 };
    assert_eq!(slow.try_next(), Err(compacted.clone()));
    store.put("a", text("y"));
    assert_eq!(slow.try_next(), Err(Error::Compacted { compact_revision: 22 }));
    assert_eq!(store.watch("a", 20).err(), Some(Error::Compacted { compact_revision: 22 }));
    assert_eq!(revisions(&mut store.watch("a", 22).unwrap()), (23..=32).collect::<Vec<_>>());
    assert_eq!(slow.progress(), 1);
}

#[test]
fn a_watcher_with_nothing_to_see_is_never_left_behind() {
    let store = retaining(10);
    let mut idle = store.watch("a", 1).unwrap();
    for _ in 0..1000 {
        store.put("b", text("x"));
    }
    assert_eq!(idle.try_next(), Ok(None));
    assert_eq!(idle.progress(), 1001);
    store.put("a", text("x"));
    for _ in 0..9 {
        store.put("b", text("x"));
    }
    assert_eq!(revisions(&mut idle), [1002]);
}

#[test]
fn a_long_stretch_of_other_events_is_crossed_once() {
    let store = new_store();
    let mut watcher = store.watch("a", 1).unwrap();
    store.put("a", text("first"));
    for _ in 0..5000 {
        store.put("b", text("x"));
    }
    store.put("a", text("last"));
    assert_eq!(watcher.try_next().unwrap().unwrap().revision, 2);
    assert_eq!(watcher.progress(), 2);
    assert_eq!(watcher.try_next().unwrap().unwrap().revision, 5003);
    assert_eq!(watcher.progress(), 5003);
    assert_eq!(watcher.try_next(), Ok(None));
}

#[test]
fn progress_does_not_pass_a_revision_half_delivered() {
    let store = new_store();
    let mut watcher = store.watch("", 1).unwrap();
    let put = |key: &str| Op::put(key, text("x"));
    store.txn(Txn::new().then(put("a")).then(put("b"))).unwrap();
    assert_eq!(watcher.progress(), 1);
    assert_eq!(&*watcher.try_next().unwrap().unwrap().kv.key, "a");
    assert_eq!(watcher.progress(), 1);
    assert_eq!(&*watcher.try_next().unwrap().unwrap().kv.key, "b");
    assert_eq!(watcher.progress(), 2);
}

#[test]
fn a_dropped_watcher_is_not_woken() {
    let store = new_store();
    let counter = Arc::<Counter>::default();
    let wakes: Vec<_> = (0..3)
        .map(|_| {
            let mut watcher = store.watch("a", 1).unwrap();
            let wake = Arc::clone(&counter);
            watcher.set_wake(Arc::new(move || wake.clone().wake()));
            watcher
        })
        .collect();
    let kept = wakes.into_iter().nth(1);
    store.put("a", text("x"));
    assert_eq!(counter.count(), 1);
    drop(kept);
    store.put("a", text("x"));
    assert_eq!(counter.count(), 1);
}
