//! Ready and delayed keys of all controllers.
//!
//! Invariant: a key waits at most once per controller in the ready queue and at most once among the
//! timers. A key reconciled again forgets its earlier timer.
//!
//! Mirrors: `k8s.io/client-go/util/workqueue` (`ItemExponentialFailureRateLimiter`: 5 ms · 2ⁿ, at
//! most 1,000 s).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use world::{Time, World};

use crate::key::Key;

const BASE_DELAY: Duration = Duration::from_millis(5);
const MAX_DELAY: Duration = Duration::from_secs(1000);
/// From how many ready items on only the oldest ones are drawn from.
const LONG: usize = 256;
/// How many of a long queue's oldest items are drawn from.
const WINDOW: usize = 32;

/// Index of a controller in the driver and a key of its queue.
pub(crate) type Item = (usize, Key);

#[derive(Debug, Default)]
pub(crate) struct Queue {
    ready: VecDeque<Item>,
    waiting: FxHashSet<Item>,
    /// By when they are due and, of the same time, which came first.
    timers: BTreeMap<(Time, u64), Item>,
    due: FxHashMap<Item, (Time, u64)>,
    failures: FxHashMap<Item, u32>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn add(&mut self, item: Item) {
        if self.waiting.insert(item.clone()) {
            self.ready.push_back(item);
        }
    }

    /// Sets the timer of `item` to `at`, replacing an earlier wish.
    pub(crate) fn add_at(&mut self, item: Item, at: Time) {
        self.cancel(&item);
        self.sequence += 1;
        self.due.insert(item.clone(), (at, self.sequence));
        self.timers.insert((at, self.sequence), item);
    }

    /// Sets a timer after the back-off of another failure.
    pub(crate) fn add_rate_limited(&mut self, item: Item, now: Time) {
        let failures = self.failures.entry(item.clone()).or_insert(0);
        let factor = 1_u32.checked_shl(*failures).unwrap_or(u32::MAX);
        *failures = failures.saturating_add(1);
        let delay = BASE_DELAY.saturating_mul(factor).min(MAX_DELAY);
        self.add_at(item, now + delay);
    }

    /// How often `item` has failed since it was forgotten.
    pub(crate) fn retries(&self, item: &Item) -> u32 {
        self.failures.get(item).copied().unwrap_or(0)
    }

    pub(crate) fn forget(&mut self, item: &Item) {
        self.failures.remove(item);
    }

    /// Forgets everything about the controller at `index`.
    pub(crate) fn forget_controller(&mut self, index: usize) {
        self.ready.retain(|(owner, _)| *owner != index);
        self.waiting.retain(|(owner, _)| *owner != index);
        self.timers.retain(|_, (owner, _)| *owner != index);
        self.due.retain(|(owner, _), _| *owner != index);
        self.failures.retain(|(owner, _), _| *owner != index);
    }

    /// The oldest ready key of the controller at `index`.
    pub(crate) fn ready_of(&self, index: usize) -> Option<&Key> {
        self.ready.iter().find(|(owner, _)| *owner == index).map(|(_, key)| key)
    }

    /// Who has a ready key.
    pub(crate) fn busy(&self) -> BTreeSet<usize> {
        self.ready.iter().map(|(owner, _)| *owner).collect()
    }

    fn cancel(&mut self, item: &Item) {
        if let Some(timer) = self.due.remove(item) {
            self.timers.remove(&timer);
        }
    }

    /// Moves every timer that is due at `now` to the ready queue.
    pub(crate) fn release_due(&mut self, now: Time) {
        while let Some(timer) = self.timers.first_entry() {
            if timer.key().0 > now {
                break;
            }
            let item = timer.remove();
            self.due.remove(&item);
            self.add(item);
        }
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Out of a long queue the oldest item moves into the gap: which of the oldest comes next is drawn
    /// anyway, and closing the gap would cost as much as the queue is long.
    fn take(&mut self, index: usize) -> Option<Item> {
        if index > 0 && self.ready.len() > LONG {
            self.ready.swap_remove_front(index)
        } else {
            self.ready.remove(index)
        }
    }

    /// Takes the next ready item: the oldest in a real world, any (by the seed) in a simulated one,
    /// so that different seeds explore different interleavings. Of a long queue it is one of the
    /// oldest, so that nothing waits for all that follows from what was ready with it.
    pub(crate) fn pop(&mut self, world: &World) -> Option<Item> {
        let index = if world.is_simulated() && self.ready.len() > 1 {
            let ready = self.ready.len();
            let choice = if ready > LONG { WINDOW } else { ready };
            usize::try_from(world.random_below(choice as u64)).unwrap_or(0)
        } else {
            0
        };
        let item = self.take(index)?;
        self.waiting.remove(&item);
        self.cancel(&item);
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Item {
        (0, Key::new("ns", name))
    }

    #[test]
    fn a_key_waits_once() {
        let mut queue = Queue::default();
        queue.add(item("a"));
        queue.add(item("a"));
        let world = World::simulated(1);
        assert_eq!(queue.pop(&world), Some(item("a")));
        assert_eq!(queue.pop(&world), None);
    }

    #[test]
    fn nothing_is_left_behind_in_a_long_queue() {
        let mut queue = Queue::default();
        let world = World::simulated(1);
        for number in 0..1_000 {
            queue.add(item(&format!("first-{number}")));
        }
        // Everything that is taken is followed by something new.
        let mut taken = 0;
        for number in 0..1_400 {
            let (_, key) = queue.pop(&world).unwrap();
            taken += u32::from(key.name().starts_with("first-"));
            queue.add(item(&format!("second-{number}")));
        }
        assert_eq!(taken, 1_000);
    }

    #[test]
    fn failures_back_off_exponentially_until_forgotten() {
        let mut queue = Queue::default();
        let now = Time::from_unix_seconds(0);
        queue.add_rate_limited(item("a"), now);
        assert_eq!(queue.next_due(), Some(now + Duration::from_millis(5)));
        queue.add_rate_limited(item("a"), now);
        assert_eq!(queue.next_due(), Some(now + Duration::from_millis(10)));
        queue.forget(&item("a"));
        queue.add_rate_limited(item("a"), now);
        assert_eq!(queue.next_due(), Some(now + Duration::from_millis(5)));
    }

    #[test]
    fn a_reconciled_key_forgets_its_timer() {
        let mut queue = Queue::default();
        queue.add_at(item("a"), Time::from_unix_seconds(9));
        queue.add(item("a"));
        assert_eq!(queue.pop(&World::simulated(1)), Some(item("a")));
        assert_eq!(queue.next_due(), None);
    }
}
