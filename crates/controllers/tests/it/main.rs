//! The controllers together, over an API server in a simulated world.

mod cluster;
mod deployments;
mod garbage;
mod namespaces;
mod replicas;
mod autoscaling;
mod budgets;
mod nodes;
