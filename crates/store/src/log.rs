//! The retained events in the order they happened.
//!
//! Every event has a sequence number, which unlike its revision is its own: the place of a watcher
//! in the log stays valid while old events leave at the front.
//!
//! Invariant: `bytes` is what the events alone keep alive: the versions they replaced, and the last
//! states that deletions carry.
//! Invariant: event `base + i` stands at index `i`; revisions do not fall along the log.

use std::collections::VecDeque;

use crate::value::{Event, EventKind, Revision, Value};

/// The place of an event in the whole history, counted from 0.
pub(crate) type Sequence = u64;

#[derive(Debug)]
pub(crate) struct Log<V> {
    events: VecDeque<Event<V>>,
    base: Sequence,
    bytes: usize,
}

impl<V> Log<V> {
    pub(crate) fn new() -> Self {
        Self { events: VecDeque::new(), base: 0, bytes: 0 }
    }

    /// About how many bytes would be free if the log were empty.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The revision of the oldest event.
    pub(crate) fn first_revision(&self) -> Option<Revision> {
        self.events.front().map(|event| event.revision)
    }

    /// The sequence number the next event will have.
    pub(crate) fn end(&self) -> Sequence {
        self.base + self.events.len() as u64
    }

    /// The place of the first event after `revision`.
    pub(crate) fn after(&self, revision: Revision) -> Sequence {
        self.base + self.events.partition_point(|event| event.revision <= revision) as u64
    }

    /// The event at `sequence`; `None` when it has left the log or has not happened.
    pub(crate) fn get(&self, sequence: Sequence) -> Option<&Event<V>> {
        self.events.get(self.index_of(sequence)?)
    }

    /// The events from `sequence` on, which must still be in the log.
    pub(crate) fn iter_from(&self, sequence: Sequence) -> impl Iterator<Item = &Event<V>> {
        let index = self.index_of(sequence).unwrap_or(0).min(self.events.len());
        self.events.range(index..)
    }

    fn index_of(&self, sequence: Sequence) -> Option<usize> {
        usize::try_from(sequence.checked_sub(self.base)?).ok()
    }
}

impl<V: Value> Log<V> {
    /// Appends an event and returns its sequence number.
    pub(crate) fn push(&mut self, event: Event<V>) -> Sequence {
        self.bytes += held(&event);
        self.events.push_back(event);
        self.end() - 1
    }

    /// Removes the oldest event if it happened at or before `revision`.
    pub(crate) fn pop_until(&mut self, revision: Revision) -> Option<Event<V>> {
        if self.events.front()?.revision > revision {
            return None;
        }
        self.base += 1;
        let event = self.events.pop_front()?;
        self.bytes -= held(&event);
        Some(event)
    }
}

/// What nothing but the event keeps alive once the key has moved on.
fn held<V: Value>(event: &Event<V>) -> usize {
    let last = if event.kind == EventKind::Delete { event.kv.value.size() } else { 0 };
    event.prev.as_ref().map_or(0, |prev| prev.value.size()) + last
}
