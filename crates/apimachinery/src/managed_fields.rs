//! Who manages which field of an object: sets of fields, and what applying a configuration does.
//!
//! Reading order: [`set`] (sets of paths and their JSON form `fieldsV1`), [`schema`] (how a kind's
//! fields are owned; [`structural`] for custom resources), `walk` (which fields a document has, and which differ between two), `merge`
//! and `remove` (a configuration laid over an object, and fields taken out of one), [`managers`]
//! (`metadata.managedFields`), [`apply`] (the two operations: an update and an apply).
//!
//! Invariant: nothing here reads a clock; the instant of an operation is handed in.
//! Mirrors: `sigs.k8s.io/structured-merge-diff/v4`, `k8s.io/apimachinery/pkg/util/managedfields`.

pub mod apply;
pub mod managers;
pub mod schema;
pub mod set;
pub mod structural;

mod list;
mod merge;
mod remove;
mod walk;

pub use self::apply::{Conflict, Versions, apply, conflict_status, track};
pub use self::managers::{Entry, Managers, Operation};
pub use self::schema::{Deduced, ListKind, Schema, Shape};
pub use self::set::Set;
pub use self::structural::Structural;
pub use self::walk::{Comparison, Problem, check, compare, field_set};
