//! Small typed readings of documents that several controllers need.
//!
//! Invariant: a reading never fails; what is absent or malformed reads as upstream's zero value.

pub mod deployment_config;
pub mod image;
pub mod node;
pub mod pod;
pub mod workload;
