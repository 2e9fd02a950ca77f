//! The controllers together, over an API server in a simulated world.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod autoscaling;
mod budgets;
mod cluster;
mod convergence;
mod cost;
mod custom;
mod daemon_sets;
mod deployments;
mod garbage;
mod jobs;
mod kubernetes_service;
mod namespaces;
mod nodes;
mod replicas;
mod stateful_sets;
mod volumes;
