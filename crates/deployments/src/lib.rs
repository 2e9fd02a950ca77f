//! `DeploymentConfig`s: when a rollout begins, and how pods of one rollout replace those of another.
//!
//! A rollout is a `ReplicationController` named `<dc>-<n>`. The
//! [`config_controller`] decides that one begins and makes it; the [`deployer_controller`] gives it a
//! deployer pod and follows the pod's phase; the [`deployer`] is what runs inside that pod: a
//! [`strategy`] that scales the new rollout up and the old one down.
//!
//! Reading order: [`keys`], [`rollout`], [`trigger`], [`status`], [`config_controller`],
//! [`deployer_pod`], [`deployer_controller`], [`strategy`], [`deployer`], [`rest`] (storage rules and
//! sub-resources).
//!
//! Invariant: the three controllers know each other only by the objects they write.
//!
//! Deviation: the deployer's container runs in this process instead of an image; its pod, log and
//! exit code are those of OpenShift 3.11.
#![warn(missing_docs)]

pub mod config_controller;
pub mod deployer;
pub mod deployer_controller;
pub mod deployer_pod;
pub mod hook;
pub mod keys;
pub mod prune;
pub mod rest;
pub mod rollout;
pub mod status;
pub mod strategy;
pub mod trigger;

use controller_runtime::Controller;
use cri::builtin::Builtin;

pub use crate::rest::register;

/// The controllers of this crate; deployer containers live in `builtin`.
#[must_use]
pub fn controllers(builtin: Builtin) -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(config_controller::DeploymentConfigController),
        Box::new(deployer_controller::DeployerController),
        Box::new(deployer::Deployer::new(builtin)),
    ]
}
