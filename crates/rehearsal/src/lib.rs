//! Rehearsals: a promotion from stage to stage as data, run against a cluster and proved.
//!
//! A rehearsal file names the stages, the manifests, how the images behave or are built, and the
//! steps. [`load::load`] reads and checks it, [`runner::run`] carries it out against a
//! [`cluster::Cluster`], and the [`report::Report`] that comes back says what happened when, what
//! was broken, and whether every stage runs the same image.
//!
//! Reading order: [`spec`] (what a file may say), [`place`] (which cluster a name means), [`load`],
//! [`diagnostic`], [`runner`], [`step`] (one file per kind of step), [`images`] (how images move), [`observe`] and [`timeline`] (what happened), [`parity`] (the
//! proof), [`rollout`] (rollouts told one by one), [`report`], [`web`] (the built-in web server of
//! `build: {web: …}`).
//!
//! Invariant: the same rehearsal and seed on a simulated cluster give the same report, byte by byte.

pub mod diagnostic;
pub mod images;
pub mod load;
pub mod observe;
pub mod parity;
pub mod place;
pub mod report;
pub mod rollout;
pub mod runner;
pub mod spec;
pub mod step;
pub mod timeline;
pub mod web;

pub use crate::diagnostic::Diagnostic;
pub use crate::load::{Plan, load};
pub use crate::report::Report;
pub use crate::runner::{Progress, Run, run};
