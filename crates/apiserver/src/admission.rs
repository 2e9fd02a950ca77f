//! The seam for rules that look at every write, after decoding and before validation.
//!
//! Invariant: all admissions run, in order, on each attempt of a write; they must not keep state of
//! an attempt.

pub(crate) mod namespace_lifecycle;

use std::fmt::Debug;

use apimachinery::Status;
use apimachinery::Value;

use crate::call::Call;
use crate::server::ApiServer;

/// What is about to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A changed object or sub-resource.
    Update,
    /// A deletion; the object is what would be deleted, or null for a collection.
    Delete,
}

/// One write to be admitted.
#[derive(Debug)]
pub struct AdmissionRequest<'a> {
    /// The server, for reading other objects.
    pub server: &'a ApiServer,
    /// The request.
    pub call: &'a Call<'a>,
    /// What is about to happen.
    pub operation: Operation,
    /// The object in its storage version; may be changed unless it is about to be deleted.
    pub object: &'a mut Value,
    /// The stored object, when there is one.
    pub old: Option<&'a Value>,
}

/// A rule for writes.
pub trait Admission: Send + Sync + Debug {
    /// Lets the write go on, possibly changed.
    ///
    /// # Errors
    /// The refusal, usually 403.
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status>;

    /// Whether the rule wants to see the events that components tell in `namespace`; others are created
    /// without it.
    fn sees_events(&self, server: &ApiServer, namespace: &str) -> bool {
        let (_, _) = (server, namespace);
        false
    }

    /// Hears that a write is done, before its caller does; those that a write consists of come first.
    ///
    /// # Errors
    /// What the caller hears instead of the answer, although the write was done.
    fn answer(&self) -> Result<(), Status> {
        Ok(())
    }
}
