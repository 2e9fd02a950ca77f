//! Watches as the network sees them: one JSON document per line, for as long as both sides like.
//!
//! Events are fetched from the store's log only when the connection takes them, so a slow client
//! costs no memory; one that falls behind compaction gets the 410 that says so.
//!
//! Invariant: an event is sent as soon as it is there; a chunk gathers only what is there already.
//! Invariant: the stream ends with the connection, the timeout, an error or the server.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch::Receiver;

use super::body::Chunks;
use super::shape::Shaper;
use crate::{Watch, WatchEvent};

/// How often a client that allows bookmarks gets one.
const BOOKMARK_INTERVAL: Duration = Duration::from_mins(1);
/// How long a watch lasts when the client does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(45);
/// A chunk is closed when it has grown beyond this.
const CHUNK_SIZE: usize = 64 * 1024;

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the client asked of a watch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WatchTerms {
    pub(crate) timeout: Option<Duration>,
    pub(crate) bookmarks: bool,
}

/// Streams a watch; `stop` ends it with the server.
pub(crate) fn stream(
    watch: Watch,
    shaper: Shaper,
    terms: WatchTerms,
    stop: Receiver<bool>,
) -> Chunks {
    let running = Running {
        watch,
        shaper,
        bookmarks: terms.bookmarks,
        described: false,
        deadline: sleep(terms.timeout.unwrap_or(DEFAULT_TIMEOUT)),
        bookmark: sleep(BOOKMARK_INTERVAL),
        stop,
    };
    Box::pin(stream::unfold(Some(running), |running| async move { running?.next().await }))
}

fn sleep(duration: Duration) -> Sleep {
    Box::pin(world::edge::sleep(duration))
}

struct Running {
    watch: Watch,
    shaper: Shaper,
    bookmarks: bool,
    /// Whether the columns of a table have been described.
    described: bool,
    deadline: Sleep,
    bookmark: Sleep,
    stop: Receiver<bool>,
}

/// What woke a waiting watch.
enum Woken {
    Event(WatchEvent),
    Bookmark,
    End,
}

impl Running {
    /// The next chunk, and the watch again unless it is over.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        loop {
            if *self.stop.borrow() || self.watch.is_over() {
                return None;
            }
            let woken = tokio::select! {
                biased;
                _ = self.stop.changed() => Woken::End,
                () = &mut self.deadline => Woken::End,
                event = self.watch.next() => Woken::Event(event),
                () = &mut self.bookmark, if self.bookmarks => Woken::Bookmark,
            };
            let mut chunk = Vec::new();
            let over = matches!(woken, Woken::End);
            match woken {
                Woken::Event(event) => self.gather(event, &mut chunk),
                Woken::Bookmark | Woken::End => {
                    self.bookmark = sleep(BOOKMARK_INTERVAL);
                    if let Some(event) = self.watch.bookmark().filter(|_| self.bookmarks) {
                        self.write(&event, &mut chunk);
                    }
                }
            }
            if over {
                return (!chunk.is_empty()).then(|| (Bytes::from(chunk), None));
            }
            if !chunk.is_empty() {
                return Some((Bytes::from(chunk), Some(self)));
            }
        }
    }

    /// Writes an event and those that are there already.
    fn gather(&mut self, first: WatchEvent, chunk: &mut Vec<u8>) {
        let mut next = Some(first);
        while let Some(event) = next {
            self.write(&event, chunk);
            next = if chunk.len() < CHUNK_SIZE { self.watch.try_next() } else { None };
        }
    }

    fn write(&mut self, event: &WatchEvent, chunk: &mut Vec<u8>) {
        let (word, object) = match event {
            WatchEvent::Added(object) => ("ADDED", self.object(object)),
            WatchEvent::Modified(object) => ("MODIFIED", self.object(object)),
            WatchEvent::Deleted(object) => ("DELETED", self.object(object)),
            WatchEvent::Bookmark(revision) => ("BOOKMARK", self.shaper.bookmark(revision, false)),
            WatchEvent::InitialEventsEnd(revision) => {
                ("BOOKMARK", self.shaper.bookmark(revision, true))
            }
            WatchEvent::Error(status) => {
                let text = status.to_value().to_string();
                ("ERROR", Bytes::from(text))
            }
        };
        for part in [b"{\"type\":\"", word.as_bytes(), b"\",\"object\":", &object, b"}\n"] {
            chunk.extend_from_slice(part);
        }
    }

    fn object(&mut self, object: &crate::Stored) -> Bytes {
        let first = !std::mem::replace(&mut self.described, true);
        self.shaper.event(object, first)
    }
}
