//! The scheduler: chooses a node for every pod that has none.
//!
//! [`decide`] is the whole decision: a pure function of a [`Snapshot`], a [`Profile`] (which
//! predicates and priorities count) and the pod, which returns not only the node but the reasons of
//! every predicate for every node and the score of every priority. [`Scheduler`] keeps the snapshot
//! current, asks, binds and tells.
//!
//! Reading order: [`pod`] (what a pod asks for), [`snapshot`] (nodes and what
//! runs there), [`predicates`], [`priorities`], [`decision`], [`queue`] (when to try again),
//! `scheduler`.
//!
//! A new predicate or priority is one file under [`predicates`] or [`priorities`] and one line in
//! its registry.
//!
//! Invariant: deciding about a pod costs one look at every node, whatever runs on them.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler` of 1.11.

pub mod decision;
pub mod pod;
pub mod predicates;
pub mod priorities;
pub mod profile;
pub mod queue;
mod resources;
mod scheduler;
pub mod snapshot;

pub use crate::decision::{Decision, Outcome, decide};
pub use crate::pod::{PodInfo, Selectors};
pub use crate::profile::Profile;
pub use crate::scheduler::Scheduler;
pub use crate::snapshot::{NodeInfo, Snapshot};

/// Name of the scheduler, in `spec.schedulerName` and as source of events.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";
