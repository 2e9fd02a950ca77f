//! `OpenAPI` documents: what kubectl reads before it creates, applies, diffs or explains.
//!
//! Documents are made when asked for, from the schema table and the list of resources; none
//! is kept. Reading order: [`v3_index`], [`v3_document`], `schemas`, `paths`, [`v2_document`].
//!
//! Invariant: the same table and resources give the same bytes and the same hash.
//! Mirrors: k8s.io/kube-openapi/pkg/builder3.
//! Deviation: without descriptions.

mod gnostic;
mod paths;
mod schemas;
mod v2;

use std::collections::BTreeSet;

use apimachinery::{Map, Value, json};

pub use self::v2::v2_document;
use crate::Resource;
use crate::schema::{FINGERPRINT, type_of};

/// The index at `/openapi/v3`: each document's path with a hash of its content.
#[must_use]
pub fn v3_index() -> Value {
    let paths: Map = group_versions()
        .into_iter()
        .map(|(group, version)| {
            let root = root(group, version);
            let hash = v3_hash(group, version).unwrap_or_default();
            let url = format!("/openapi/v3/{root}?hash={hash}");
            (root, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({ "paths": paths })
}

/// The document of a group and version, at `/openapi/v3/api/v1` or `/openapi/v3/apis/GROUP/VERSION`.
#[must_use]
pub fn v3_document(group: &str, version: &str) -> Option<Value> {
    let resources = resources_of(group, version)?;
    let mut components = schemas::Components::default();
    for resource in &resources {
        add_types(&mut components, resource);
    }
    let paths = paths::paths(group, version, &resources, &mut components);
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": components.finish()},
    }))
}

/// Raised whenever documents change though table and resources do not.
const FORMAT: u32 = 1;

/// The hash of a document; stands in the index and serves as `ETag`.
///
/// It covers what the document is made from, so that the index needs no document.
#[must_use]
pub fn v3_hash(group: &str, version: &str) -> Option<String> {
    let resources = resources_of(group, version)?;
    let made_from = format!("{FORMAT} {FINGERPRINT} {resources:?}");
    Some(format!("{:016X}", fnv(made_from.as_bytes())))
}

/// The document at `/openapi/v2` for clients that accept
/// `application/com.github.proto-openapi.spec.v2@v1.0+protobuf`.
#[must_use]
pub fn v2_protobuf() -> Vec<u8> {
    gnostic::document(&v2_document())
}

/// The hash of the v2 document, serves as `ETag`.
#[must_use]
pub fn v2_hash() -> String {
    let made_from = format!("{FORMAT} {FINGERPRINT} {:?}", crate::resources());
    format!("{:016X}", fnv(made_from.as_bytes()))
}

/// `api/v1` or `apis/apps/v1`.
fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn group_versions() -> BTreeSet<(&'static str, &'static str)> {
    crate::resources().iter().map(|resource| (resource.group, resource.version)).collect()
}

fn resources_of(group: &str, version: &str) -> Option<Vec<&'static Resource>> {
    let all = crate::resources().iter().copied();
    let found: Vec<_> =
        all.filter(|resource| resource.group == group && resource.version == version).collect();
    (!found.is_empty()).then_some(found)
}

/// The types of a resource that belong into a document even if no operation names them.
fn add_types(components: &mut schemas::Components, resource: &Resource) {
    let lists = resource.list_kind();
    for kind in [resource.kind, &lists, "DeleteOptions"] {
        if let Some(of) = type_of(resource.group, resource.version, kind) {
            components.add(of);
        }
    }
}

/// FNV-1a, for content hashes that need no secrecy.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
