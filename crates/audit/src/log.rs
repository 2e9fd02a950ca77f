//! The trail: a bounded store of its own, and a file.
//!
//! Invariant: a file that cannot be written is told once and never stops a request.

use std::fmt;
use std::io::Write;

use apimachinery::Value;
use apiserver::audit::Request;
use apiserver::{ApiServer, Auditor, Stored, key};
use parking_lot::Mutex;
use world::World;

use crate::event::{Label, event};
use crate::resource::EVENTS;

/// After how many events the history of the trail is let go of.
const SWEEP: u64 = 500;

/// Keeps the newest events.
pub struct AuditLog {
    /// Only for its store and its ways to read one: nothing is written through it.
    shelf: ApiServer,
    writing: Mutex<Writing>,
}

struct Writing {
    next: u64,
    file: Option<Box<dyn Write + Send>>,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

impl AuditLog {
    /// How many events are kept.
    pub const MOST: u64 = 5000;

    /// An empty trail on the clock of `world`.
    #[must_use]
    pub fn new(world: World) -> Self {
        let shelf = ApiServer::builder(world).build();
        Self { shelf, writing: Mutex::new(Writing { next: 1, file: None }) }
    }

    /// Writes every event to `file` too, a line each.
    #[must_use]
    pub fn with_file(self, file: Box<dyn Write + Send>) -> Self {
        self.writing.lock().file = Some(file);
        self
    }

    pub(crate) fn shelf(&self) -> &ApiServer {
        &self.shelf
    }

    fn keep(&self, number: u64, event: Value) {
        let store = self.shelf.store();
        store.put(&key::object(&EVENTS, "", &name(number)), Stored::new(event));
        if let Some(oldest) = number.checked_sub(Self::MOST).filter(|oldest| *oldest > 0) {
            // It is there: events are numbered without gaps.
            drop(store.delete(&key::object(&EVENTS, "", &name(oldest)), None));
        }
        if number.is_multiple_of(SWEEP) {
            drop(store.compact(store.revision()));
        }
    }
}

/// Names sort as numbers do.
fn name(number: u64) -> String {
    format!("{number:010}")
}

impl Auditor for AuditLog {
    fn record(&self, request: &Request<'_>) {
        let id = self.shelf.world().uid();
        let mut writing = self.writing.lock();
        let number = writing.next;
        writing.next += 1;
        let event = event(request, &Label { name: name(number), id });
        if let Some(file) = &mut writing.file {
            let written = writeln!(file, "{event}").and_then(|()| file.flush());
            if let Err(error) = written {
                tracing::warn!(%error, "the audit log is not written any more");
                writing.file = None;
            }
        }
        self.keep(number, event);
    }
}
