//! Makes the facts from downloaded packages; a person runs it when the facts are to be renewed.
//!
//! The directory holds `kubernetes-1.11.json` (npm `kubernetes-client` 9.0.0, unpacked),
//! `openshift-3.json` (npm `openshift-rest-client` 2.3.0), `kubernetes-1.33.json` (`PyPI`
//! `kubernetes-validate` 1.37.0, `_definitions.json`), `k8s-pb/` (the `src` of crate `k8s-pb` 0.9.0)
//! and `go/` with the Go type declarations of `k8s.io` and `github.com/openshift/api` (Debian's
//! `kubernetes` 1.20 source and `golang-github-openshift-api-dev`).
//!
//! Invariant: only structure is taken, never prose.

mod go;
mod message;
mod prost;
mod swagger;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::codegen::facts::Facts;

/// Reads all sources and joins them.
pub(crate) fn import(from: &Path) -> Result<Facts> {
    let mut facts = Facts::new();
    // The newest comes first: later sources only add what is missing.
    swagger::add(&mut facts, &json(from, "kubernetes-1.33.json")?, swagger::Source::Modern);
    swagger::add(&mut facts, &json(from, "openshift-3.json")?, swagger::Source::OpenShift);
    swagger::add(&mut facts, &json(from, "kubernetes-1.11.json")?, swagger::Source::Old);
    swagger::drop_unreachable(&mut facts);
    let structs = go::read(&from.join("go"))?;
    go::add(&mut facts, &structs);
    // Numbers never change, but the newest messages are the most complete.
    message::join(&mut facts, &prost::read(&from.join("k8s-pb"))?);
    message::join(&mut facts, &go::messages(&structs));
    Ok(facts)
}

fn json(from: &Path, name: &str) -> Result<Value> {
    let path = from.join(name);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}
