//! What every controller stands on: caches of the API's objects, work queues and the one loop that
//! drives all controllers.
//!
//! A [`Controller`] says which resources it watches and how a change to one of them turns into keys;
//! the [`Driver`] keeps a cache per watched resource current, queues the keys and calls
//! [`Controller::reconcile`] with one key at a time. Controllers never call each other: they read
//! the caches and write through the API, and the writes come back to everybody as watch events.
//!
//! Reading order: [`key`], [`controller`] (the trait and its context), [`cache`], [`queue`] (ready
//! and delayed keys), [`recorder`] (Events), [`driver`] (the loop), [`custom`] (kinds that come to be
//! while it runs), [`fault`] (components that are killed).
//!
//! Invariant: the caches are brought up to date before every reconcile, so a reconcile sees every
//! write made before it, its own included; no expectations need to be kept.
//! Invariant: in a simulated world everything here is a deterministic function of the seed.
#![warn(missing_docs)]

pub mod cache;
pub mod controller;
pub mod custom;
pub mod driver;
pub mod fault;
pub mod key;
pub mod queue;
pub mod recorder;

pub use crate::cache::Caches;
pub use crate::controller::{
    Change, Context, Controller, Error, Requeue, Watching, controller_owner_of, same_key,
};
pub use crate::custom::{CustomResources, custom_named, custom_of_kind};
pub use crate::driver::{Driver, Step, Work};
pub use crate::fault::Faults;
pub use crate::key::Key;
pub use crate::recorder::{EventRecord, EventType, Recorder};
