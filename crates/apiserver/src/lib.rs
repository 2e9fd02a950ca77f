//! The API server: create, read, update, patch, delete and watch over the store.
//!
//! One [`ApiServer`] serves all callers. Its methods are plain functions that any thread may call:
//! HTTP handlers ([`http`]) and, through a [`Client`], the controllers of the same process. A write
//! runs through decoding, admission, the kind's [`Strategy`] and validation, and ends in one guarded
//! transaction of the store; when someone else wrote in between it starts over or answers 409.
//!
//! Reading order: [`call`] (what is asked and answered), [`server`] (the handle and how a call finds
//! whoever serves it), `schema` (bodies), `create`, `read`, `update`, `patch`, `apply`, `managed`
//! (who owns which field), `delete`, [`watch`];
//! then the seams by which kinds plug in: [`strategy`] (rules of a stored kind), [`handler`]
//! (virtual resources and sub-resources), [`admission`] (rules for every write), [`log`],
//! [`stream`], [`user`]; [`event`] is how components tell events.
//!
//! Invariant: components meet only through this API; nobody else writes the store.
//! Invariant: objects are stored in one version per kind and shown in the version asked for.

pub mod admission;
pub mod audit;
pub mod bootstrap;
pub mod call;
pub mod client;
pub mod event;
pub mod handler;
pub mod http;
pub mod key;
pub mod log;
pub mod scope;
pub mod server;
pub mod stored;
pub mod strategy;
pub mod stream;
pub mod update;
pub mod user;
pub mod watch;

mod access_review;
mod apply;
mod component_status;
mod continue_token;
mod create;
mod custom;
mod delete;
mod error;
mod lease;
mod legacy;
mod list_options;
mod managed;
mod patch;
mod project;
mod read;
mod schema;
mod selection;
mod subresource;
mod template;

pub use crate::admission::{Admission, AdmissionRequest, Operation};
pub use crate::audit::Auditor;
pub use crate::bootstrap::{bootstrap, kubernetes_service};
pub use crate::call::{
    Call, DeleteOptions, Deleted, ListOptions, LogOptions, ObjectList, PatchKind, Propagation,
    WriteOptions, Written,
};
pub use crate::client::Client;
pub use crate::custom::custom_resource;
pub use crate::custom::path::first as json_path;
pub use crate::custom::strategy::CLEANUP as CLEANUP_FINALIZER;
pub use crate::handler::{HandlerContext, RestHandler};
pub use crate::log::{LogStream, PodLogs};
pub use crate::schema::Body;
pub use crate::scope::Scope;
pub use crate::server::{ApiServer, Builder};
pub use crate::stored::Stored;
pub use crate::strategy::{Claim, Strategy, StrategyContext};
pub use crate::stream::PodStreams;
pub use crate::user::{AllowAll, Attributes, Authorizer, Impersonation, User};
pub use crate::watch::{EventSource, Watch, WatchEvent};
pub use api::decode::Mode as FieldValidation;
