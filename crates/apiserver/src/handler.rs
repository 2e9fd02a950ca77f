//! The seam for resources and sub-resources that are not simply stored objects.
//!
//! Invariant: a verb a handler does not implement answers 405.

use std::fmt::Debug;

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};

use crate::admission::Operation;
use crate::call::{
    Call, DeleteOptions, Deleted, ListOptions, LogOptions, ObjectList, PatchKind, Written,
};
use crate::client::Client;
use crate::log::LogStream;
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::watch::Watch;

/// What a handler may know about the request.
#[derive(Debug, Clone, Copy)]
pub struct HandlerContext<'a> {
    /// The server, for reading and writing the objects behind the resource.
    pub server: &'a ApiServer,
    /// The request.
    pub call: &'a Call<'a>,
}

impl<'a> HandlerContext<'a> {
    /// A client that acts as the caller.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.server.clone(), self.call.user.clone())
    }

    /// Puts a new object of a virtual resource through the rules for writes, as stored ones go.
    ///
    /// # Errors
    /// The refusal of a rule.
    pub fn admit(&self, object: &mut Value) -> Result<(), Status> {
        self.server.admit(self.call, Operation::Create, object, None)
    }

    /// The same call on another resource or sub-resource, with the caller's rights and options.
    #[must_use]
    pub fn redirect(&self, resource: &'static api::Resource, subresource: &'a str) -> Call<'a> {
        let mut call = Call { resource, subresource, ..self.call.clone() };
        if subresource.is_empty() {
            self.call.subresource.clone_into(&mut call.options.through);
        }
        call
    }
}

/// Serves a virtual resource or a sub-resource.
///
/// # Errors
/// Every method answers with the `Status` the client is to see.
#[expect(clippy::missing_errors_doc, reason = "said once for all methods")]
pub trait RestHandler: Send + Sync + Debug {
    /// Reads one object.
    fn get(&self, _cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        Err(Status::method_not_allowed())
    }

    /// Reads a collection.
    fn list(&self, _cx: &HandlerContext<'_>, _options: &ListOptions) -> Result<ObjectList, Status> {
        Err(Status::method_not_allowed())
    }

    /// Follows a collection.
    fn watch(&self, _cx: &HandlerContext<'_>, _options: &ListOptions) -> Result<Watch, Status> {
        Err(Status::method_not_allowed())
    }

    /// Takes a new object (POST).
    fn create(&self, _cx: &HandlerContext<'_>, _body: Value) -> Result<Written, Status> {
        Err(Status::method_not_allowed())
    }

    /// Takes a changed object (PUT).
    fn update(&self, _cx: &HandlerContext<'_>, _body: Value) -> Result<Written, Status> {
        Err(Status::method_not_allowed())
    }

    /// What a patch applies to.
    fn to_patch(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        self.get(cx)
    }

    /// Applies a patch; by default to what [`Self::to_patch`] gives, handing the result to
    /// [`Self::update`].
    fn patch(
        &self,
        cx: &HandlerContext<'_>,
        kind: PatchKind,
        patch: &Value,
    ) -> Result<Written, Status> {
        crate::patch::through(patch, |patch| {
            let current = self.to_patch(cx)?.value();
            let (api_version, of) = (current.api_version().to_owned(), current.kind().to_owned());
            let patched = crate::patch::apply(kind, &current, patch, &api_version, &of)?;
            self.update(cx, patched)
        })
    }

    /// Deletes one object.
    fn delete(
        &self,
        _cx: &HandlerContext<'_>,
        _options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        Err(Status::method_not_allowed())
    }

    /// What must change before there is a log; nothing when [`Self::log`] may be asked. The caller
    /// waits for a while and asks again after every change of these resources in the namespace.
    fn log_waits_for(
        &self,
        _cx: &HandlerContext<'_>,
        _options: &LogOptions,
    ) -> &'static [&'static api::Resource] {
        &[]
    }

    /// Opens a text stream, for `log`.
    fn log(&self, _cx: &HandlerContext<'_>, _options: &LogOptions) -> Result<LogStream, Status> {
        Err(Status::method_not_allowed())
    }
}
