//! The kinds of Kubernetes and OpenShift: what is served, how it looks, what it defaults to and what
//! is refused.
//!
//! Invariant: pure; no clock, no storage, no network.

pub mod columns;
pub mod cron;
pub mod decode;
pub mod defaults;
pub mod openapi;
pub mod resource;
pub mod resources;
pub mod schema;
pub mod validation;
pub mod views;

pub use crate::resource::{Resource, Scope, Subresource, Verb};
pub use crate::resources::*;
