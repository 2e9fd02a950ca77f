//! The integrated registry: the distribution protocol on loopback, with image streams as its tags.
//!
//! `docker push` uploads blobs and a manifest; the manifest becomes an `ImageStreamMapping`, made as
//! the pushing user, so that triggers fire and quota and roles hold. `docker pull` by tag asks the
//! stream which image it is. There is no second list of tags.
//!
//! Reading order: [`digest`], [`storage`] (bytes by digest, and which repository shows them),
//! `upload` (bytes on their way in), [`manifest`] (what a manifest names), `access` (who, and may
//! they), `streams` (the cluster's side), `through` (images of other registries), then HTTP: `route`, `handler`, `error`, [`server`];
//! [`prune`] (what goes).
//!
//! Invariant: a file under a digest is complete and has that digest; whatever else is on disk is
//! removed at the next start.
//!
//! Mirrors: `docker/distribution/registry`, `openshift/image-registry/pkg/dockerregistry/server`.
//!
//! Deviation: manifests of schema 1 are refused; clients stopped writing them before OpenShift 3.11.

mod access;
pub mod digest;
mod error;
mod handler;
pub mod manifest;
pub mod prune;
mod reply;
mod repository;
mod route;
pub mod server;
pub mod storage;
mod streams;
mod through;
mod upload;

pub use crate::server::{Bound, Config, Error, Registry};
