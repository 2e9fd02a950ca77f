//! The audit trail: who changed what, when, and who was refused.
//!
//! Every request that may change something, and every one that is refused, becomes an `Event` of
//! `audit.k8s.io/v1`. The newest are kept in memory and read like any other resource:
//! `kubectl get events.audit.k8s.io`, or `/apis/audit.k8s.io/v1/events` with `fieldSelector`, `limit`
//! and `watch`. All can also be written to a file, one JSON document a line, as an API server's
//! `--audit-log-path` does.
//!
//! Reading order: [`AuditLog`] (keeps and writes), `event` (from a request to a document), `resource`
//! (how it is read).
//!
//! Invariant: the trail never holds more than [`AuditLog::MOST`] events, and no body of a request.
//! Invariant: events stand in the order in which the requests were answered.
//!
//! Deviation: events have a name and a creation timestamp, so that they can be listed; the level is
//! always `Metadata`, reads that succeed are left out, and what controllers of this process write is
//! no request (`metadata.managedFields` tells).
//!
//! Mirrors: `k8s.io/apiserver/pkg/{apis/audit,audit}`, `plugin/pkg/audit/log`.

mod event;
mod log;
mod resource;

pub use crate::log::AuditLog;
pub use crate::resource::{EVENTS, register};
