//! The scheduler: chooses a node for every pod that has none.
//!
//! [`decide`] is the whole decision: a pure function of a [`Snapshot`], a [`Profile`] (which
//! predicates and priorities count) and the pod, which returns not only the node but the reasons of
//! every predicate for every node and the score of every priority. [`Scheduler`] keeps the snapshot
//! current, asks, binds and tells.
//!
//! Reading order: [`pod`] (what a pod asks for), [`affinity`], [`snapshot`] (nodes and what runs
//! there), [`neighbours`], [`predicates`], [`priorities`], [`profile`] and [`policy`] (which of them
//! count), [`decision`], [`fast`] (the same decision without looking at every node), [`preemption`],
//! [`extender`], [`queue`] (who is tried when), `scheduler`, [`recall`]
//! (a decision made again).
//!
//! A new predicate or priority is one file under [`predicates`] or [`priorities`] and one line in
//! its registry.
//!
//! Invariant: [`fast`] decides exactly as [`decide`] does.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler` of 1.11.

pub mod affinity;
pub mod decision;
pub mod extender;
pub mod fast;
pub mod neighbours;
pub mod pod;
pub mod policy;
pub mod predicates;
pub mod preemption;
pub mod priorities;
pub mod profile;
pub mod queue;
pub mod recall;
mod resources;
mod scheduler;
pub mod snapshot;

pub use crate::decision::{Decision, Outcome, decide, explain};
pub use crate::pod::PodInfo;
pub use crate::profile::Profile;
pub use crate::recall::{Recall, facts_at, recall};
pub use crate::scheduler::{REVISION_ANNOTATION, Scheduler, TURN_ANNOTATION};
pub use crate::snapshot::{NodeInfo, Snapshot};

/// Name of the scheduler, in `spec.schedulerName` and as source of events.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";
