//! How the trail is read: a resource like any other, of the whole cluster, that nobody writes.

use std::sync::Arc;

use api::{Resource, Verb};
use apimachinery::Status;
use apiserver::server::Builder;
use apiserver::{HandlerContext, ListOptions, ObjectList, RestHandler, Stored, Watch};

use crate::log::AuditLog;

/// The events of the trail.
pub static EVENTS: Resource =
    Resource::in_cluster("audit.k8s.io", "v1", "events", "event", "Event").only(&[
        Verb::Get,
        Verb::List,
        Verb::Watch,
    ]);

/// Records the requests of a server in `log` and serves it under `/apis/audit.k8s.io/v1/events`.
#[must_use]
pub fn register(builder: Builder, log: Arc<AuditLog>) -> Builder {
    builder.auditor(Arc::<AuditLog>::clone(&log)).extension(&EVENTS, Box::new(Trail(log)))
}

#[derive(Debug)]
struct Trail(Arc<AuditLog>);

impl RestHandler for Trail {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        self.0.shelf().get(cx.call)
    }

    fn list(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        self.0.shelf().list(cx.call, options)
    }

    fn watch(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<Watch, Status> {
        self.0.shelf().watch(cx.call, options)
    }
}
