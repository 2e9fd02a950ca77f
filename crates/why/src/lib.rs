//! Why is it so? Explanations of where a pod runs, or why it runs nowhere, and of what a workload
//! waits for, made from the store's objects alone.
//!
//! An [`Explanation`] has two parts. The [`Finding`] says in one sentence how an object stands, which
//! rule holds it, what would help, and which other object is the cause: a chain that ends at what can
//! be mended. The [`Placement`] is the scheduler's decision about a pod, made again from the facts as
//! they stood when it was made ([`scheduler::recall`]): every question asked about every node, every
//! score, and who won a tie.
//!
//! Reading order: [`facts`] (what is looked at), [`finding`], the kinds ([`pod`], [`replicas`],
//! [`deployment`], [`deployment_config`], [`kinds`]), [`placement`] and [`glossary`] (a decision, in
//! words), [`remedy`] (what would help a pod that fits nowhere), [`text`] (as people read it),
//! [`explain`] (all together), `handler` (the API).
//!
//! Invariant: nothing is written and nothing is remembered: the same revision gives the same answer.
//! Invariant: under the policy in force a recalled decision is the one that was made.

mod container;
pub mod deployment;
pub mod deployment_config;
pub mod explain;
pub mod facts;
pub mod finding;
pub mod glossary;
mod handler;
pub mod kinds;
pub mod placement;
pub mod pod;
pub mod remedy;
pub mod replicas;
pub mod text;

pub use crate::explain::{Explanation, Question, explain, resource_named, troubles};
pub use crate::facts::Facts;
pub use crate::finding::{Finding, State};
pub use crate::handler::{EXPLANATIONS, bootstrap, register};
pub use crate::placement::Placement;
