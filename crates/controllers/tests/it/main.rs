//! The controllers together, over an API server in a simulated world.

mod cluster;
mod daemon_sets;
mod deployments;
mod garbage;
mod jobs;
mod namespaces;
mod replicas;
mod autoscaling;
mod budgets;
mod nodes;
mod stateful_sets;
mod volumes;
