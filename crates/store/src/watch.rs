//! Watchers: cursors over the retained events, woken when an event of theirs is committed.
//!
//! A watcher owns no queue. Its `Slot` says where in the log the first event stands that it may
//! not have seen; a commit sets it when it is unset, and wakes. Unset, the watcher has seen all that
//! matches, however much else has happened since: it is never compacted for others' events, and an
//! idle poll costs one atomic load.
//!
//! Invariant: a slot is set under the state's write lock and unset under its read lock.
//! Invariant: a set slot points at an event that is, or once was, in the log.

use std::collections::{BTreeMap, Bound};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::log::Sequence;
use crate::place::directory;
use crate::state::State;
use crate::value::{Event, Revision};

/// What a watcher calls when there is something to fetch.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The value of a slot that is unset.
const NOTHING: Sequence = Sequence::MAX;

/// Events examined under one hold of the read lock, so that a long scan lets writers in between.
const SCAN_CHUNK: usize = 512;
/// Of how many directories the watchers are known at once.
const DIRECTORIES: usize = 4096;

/// What the store knows of a watcher.
pub(crate) struct Slot {
    prefix: Box<[u8]>,
    /// Events up to here are not wanted, also when they are still to come.
    after: Revision,
    pending: AtomicU64,
    wakes: Mutex<Wakes>,
}

#[derive(Default)]
struct Wakes {
    waker: Option<Waker>,
    wake: Option<Wake>,
}

impl Slot {
    /// The place of the first event that may be unseen.
    fn pending(&self) -> Option<Sequence> {
        Some(self.pending.load(Ordering::Acquire)).filter(|sequence| *sequence != NOTHING)
    }

    fn set_pending(&self, sequence: Option<Sequence>) {
        self.pending.store(sequence.unwrap_or(NOTHING), Ordering::Release);
    }

    pub(crate) fn wake(&self) {
        let (waker, wake) = {
            let mut wakes = self.wakes.lock();
            (wakes.waker.take(), wakes.wake.clone())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some(wake) = wake {
            wake();
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("prefix", &String::from_utf8_lossy(&self.prefix))
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}

/// The watchers by prefix.
#[derive(Debug, Default)]
pub(crate) struct WatchIndex {
    by_prefix: BTreeMap<Box<[u8]>, usize>,
    /// The watchers of one prefix each.
    groups: Vec<Vec<Arc<Slot>>>,
    /// The numbers of the groups that are empty.
    vacant: Vec<usize>,
    /// The groups of all keys of a directory; nothing where keys of one directory have different ones.
    /// Forgotten when a prefix comes or goes.
    of_directory: FxHashMap<Box<str>, Option<Box<[usize]>>>,
}

impl WatchIndex {
    fn insert(&mut self, slot: &Arc<Slot>) {
        let number = self.by_prefix.get(&slot.prefix).copied().unwrap_or_else(|| {
            let number = self.vacant.pop().unwrap_or_else(|| {
                self.groups.push(Vec::new());
                self.groups.len() - 1
            });
            self.by_prefix.insert(slot.prefix.clone(), number);
            self.of_directory.clear();
            number
        });
        self.groups[number].push(Arc::clone(slot));
    }

    fn remove(&mut self, slot: &Arc<Slot>) {
        let Some(number) = self.by_prefix.get(&slot.prefix).copied() else { return };
        let slots = &mut self.groups[number];
        slots.retain(|other| !Arc::ptr_eq(other, slot));
        if slots.is_empty() {
            self.by_prefix.remove(&slot.prefix);
            self.vacant.push(number);
            self.of_directory.clear();
        }
    }

    /// Points the idle watchers of `key` at its event and adds them to `woken`.
    pub(crate) fn mark(
        &mut self,
        key: &str,
        (sequence, revision): (Sequence, Revision),
        woken: &mut Vec<Arc<Slot>>,
    ) {
        let directory = directory(key);
        let known = self.of_directory.get(directory);
        let is_new = known.is_none();
        let found;
        let groups = match known {
            Some(Some(groups)) => groups,
            _ => {
                found = self.of(key);
                &found
            }
        };
        let idle = |slot: &&Arc<Slot>| slot.pending().is_none() && slot.after < revision;
        for slot in groups.iter().flat_map(|number| &self.groups[*number]).filter(idle) {
            slot.set_pending(Some(sequence));
            woken.push(Arc::clone(slot));
        }
        if is_new {
            if self.of_directory.len() == DIRECTORIES {
                self.of_directory.clear();
            }
            self.of_directory.insert(directory.into(), self.of_all_in(directory));
        }
    }

    /// The groups of every key of `directory`, if they all have the same.
    fn of_all_in(&self, directory: &str) -> Option<Box<[usize]>> {
        let longer = (Bound::Excluded(directory.as_bytes()), Bound::Unbounded);
        let next = self.by_prefix.range::<[u8], _>(longer).next();
        let differ = next.is_some_and(|(prefix, _)| prefix.starts_with(directory.as_bytes()));
        (!differ).then(|| self.of(directory))
    }

    /// The groups of `key`, those of the longest prefix first.
    ///
    /// They are found in a few steps however many others there are: the greatest prefix not above the
    /// key is one of its own, or else shares with the key all that one of them could have; what they
    /// share is the next to look for.
    fn of(&self, key: &str) -> Box<[usize]> {
        let mut groups = Vec::new();
        let mut rest = Bound::Included(key.as_bytes());
        while let Bound::Included(text) | Bound::Excluded(text) = rest {
            let Some((prefix, number)) =
                self.by_prefix.range::<[u8], _>((Bound::Unbounded, rest)).next_back()
            else {
                break;
            };
            let shared = prefix.iter().zip(text).take_while(|(a, b)| a == b).count();
            if shared < prefix.len() {
                rest = Bound::Included(&text[..shared]);
                continue;
            }
            rest = Bound::Excluded(&text[..shared]);
            groups.push(*number);
        }
        groups.into()
    }
}

/// Follows the changes of all keys with one prefix. Every event is delivered once, in order.
///
/// Once woken, a watcher is not woken again before it has been asked until it had nothing more.
pub struct Watcher<V> {
    state: Arc<RwLock<State<V>>>,
    slot: Arc<Slot>,
    /// Events up to here were delivered or are not wanted.
    progress: Revision,
}

impl<V> Watcher<V> {
    pub(crate) fn open(
        state: &Arc<RwLock<State<V>>>,
        prefix: &str,
        after: Revision,
    ) -> Result<Self, Error> {
        let prefix = Box::from(prefix.as_bytes());
        let pending = AtomicU64::new(NOTHING);
        let slot = Arc::new(Slot { prefix, after, pending, wakes: Mutex::default() });
        let mut locked = state.write();
        if after < locked.compacted {
            return Err(Error::Compacted { compact_revision: locked.compacted });
        }
        let first = locked.log.after(after);
        slot.set_pending(Some(first).filter(|first| *first < locked.log.end()));
        locked.watches.insert(&slot);
        drop(locked);
        Ok(Self { state: Arc::clone(state), slot, progress: after })
    }

    /// The next event; `None` when nothing has happened that was not delivered.
    ///
    /// # Errors
    /// [`Error::Compacted`], now and ever after, when the history went before it was delivered.
    pub fn try_next(&mut self) -> Result<Option<Event<V>>, Error> {
        let mut next = None;
        self.fetch(1, |event| next = Some(event))?;
        Ok(next)
    }

    /// The next events, at most `max`; none when nothing has happened that was not delivered.
    ///
    /// # Errors
    /// As [`Self::try_next`].
    pub fn next_batch(&mut self, max: usize) -> Result<Vec<Event<V>>, Error> {
        let mut batch = Vec::new();
        self.fetch(max, |event| batch.push(event))?;
        Ok(batch)
    }

    /// The next event, or the promise to wake the task when there is one.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event<V>, Error>> {
        if let Some(event) = self.try_next().transpose() {
            return Poll::Ready(event);
        }
        // Only what is committed after the waker is in place is sure to wake it: look once more.
        let waker = cx.waker().clone();
        let replaced = self.slot.wakes.lock().waker.replace(waker);
        drop(replaced);
        self.try_next().transpose().map_or(Poll::Pending, Poll::Ready)
    }

    /// Whether something was committed that has not been fetched and may match. Unlike a wake-up, which
    /// comes after a commit, this is true as soon as the commit has been answered.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.slot.pending().is_some()
    }

    /// Calls `wake` when an event of this watcher is committed while it has seen all before, and
    /// now if it has not. It runs on the writer's thread, without locks: it must be quick.
    pub fn set_wake(&mut self, wake: Wake) {
        let replaced = self.slot.wakes.lock().wake.replace(wake);
        drop(replaced);
        if self.slot.pending().is_some() {
            self.slot.wake();
        }
    }

    /// The revision up to which every event was delivered or is not of this watcher: where another
    /// can take over.
    #[must_use]
    pub fn progress(&self) -> Revision {
        let state = self.state.read();
        let seen = match self.slot.pending() {
            None => state.revision,
            Some(sequence) => state.log.get(sequence).map_or(0, |event| event.revision - 1),
        };
        seen.max(self.progress)
    }

    /// Hands at most `max` events to `sink`.
    fn fetch(&mut self, max: usize, mut sink: impl FnMut(Event<V>)) -> Result<(), Error> {
        let mut left = max;
        while left > 0 {
            let Some(from) = self.slot.pending() else { return Ok(()) };
            let state = self.state.read();
            if state.log.get(from).is_none_or(|event| event.revision <= state.compacted) {
                let compact_revision = state.compacted;
                return if left < max {
                    Ok(())
                } else {
                    Err(Error::Compacted { compact_revision })
                };
            }
            let mut next = from;
            for event in state.log.iter_from(from).take(SCAN_CHUNK) {
                next += 1;
                if event.kv.key.as_bytes().starts_with(&self.slot.prefix) {
                    self.progress = event.revision - 1;
                    sink(event.clone());
                    left -= 1;
                    if left == 0 {
                        break;
                    }
                }
            }
            self.slot.set_pending(Some(next).filter(|next| *next < state.log.end()));
        }
        Ok(())
    }
}

impl<V> Drop for Watcher<V> {
    fn drop(&mut self) {
        self.state.write().watches.remove(&self.slot);
    }
}

impl<V> fmt::Debug for Watcher<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("slot", &self.slot)
            .field("progress", &self.progress)
            .finish()
    }
}
