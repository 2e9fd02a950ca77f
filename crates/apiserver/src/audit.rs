//! The seam to whoever keeps a record of the requests that change something, or were refused.
//!
//! Invariant: only edges record: the HTTP server, and the registry for those who push; what components of
//! this process write is no request.

use std::fmt::Debug;

use world::Time;

use crate::user::User;

/// A request that has been answered.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// When it came.
    pub received: Time,
    /// When its answer was complete, or began to stream.
    pub answered: Time,
    /// Who asked; `None` when they were not recognised.
    pub user: Option<&'a User>,
    /// Whom they acted as.
    pub impersonated: Option<&'a User>,
    /// The verb, e.g. `patch`.
    pub verb: &'a str,
    /// Path and query.
    pub uri: &'a str,
    /// The client's program.
    pub user_agent: &'a str,
    /// What it was about.
    pub object: ObjectReference<'a>,
    /// The HTTP code of the answer.
    pub code: u16,
    /// Reason and text of a failure.
    pub failure: Option<(&'a str, &'a str)>,
}

/// What a request was about; fields that do not apply are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// URL word.
    pub resource: String,
    /// Namespace.
    pub namespace: String,
    /// Name; of the object made when the server chose it.
    pub name: String,
    /// Sub-resource.
    pub subresource: String,
    /// Uid of the object answered.
    pub uid: String,
    /// Revision of the object answered.
    pub resource_version: String,
}

/// Shorthand for a borrowed [`Reference`].
pub type ObjectReference<'a> = &'a Reference;

/// Keeps a record; called on the thread that answers, once per request.
pub trait Auditor: Send + Sync + Debug {
    /// Records one request.
    fn record(&self, request: &Request<'_>);
}
