//! The API of OpenShift before it had groups: `/oapi/v1`, the same objects with `apiVersion: v1`.
//!
//! Deviation: `selfLink` is not given; watches of virtual resources show the grouped version.
//!
//! Mirrors: `openshift/origin/pkg/api/legacy`, `pkg/cmd/openshift-apiserver/openshiftapiserver`.

use std::sync::LazyLock;

use api::{Resource, Subresource};
use apimachinery::ObjectExt as _;
use apimachinery::json;

use crate::stored::Stored;

/// The word that stands for the group in paths.
pub(crate) const ROOT: &str = "oapi";

/// What came after the groups did, and is not here.
const LOCKED_OUT: &[&str] = &[
    "brokertemplateinstances",
    "rangeallocations",
    "securitycontextconstraints",
    "templateinstances",
];

static RESOURCES: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    let mut found: Vec<Resource> = api::resources()
        .iter()
        .filter(|resource| resource.group.ends_with(".openshift.io"))
        .filter(|resource| !LOCKED_OUT.contains(&resource.plural))
        .map(|resource| without_layers(resource.served_as("", "v1")))
        .collect();
    found.sort_by_key(|resource| resource.plural);
    found
});

static ALL: LazyLock<Vec<&'static Resource>> = LazyLock::new(|| RESOURCES.iter().collect());

fn without_layers(resource: Resource) -> Resource {
    let has = resource.subresources.iter().any(|sub| sub.name == "layers");
    if !has {
        return resource;
    }
    let rest: Vec<Subresource> =
        resource.subresources.iter().copied().filter(|sub| sub.name != "layers").collect();
    // Once per process and resource.
    resource.with(Box::leak(rest.into_boxed_slice()))
}

/// Every resource of `/oapi/v1`, sorted by name.
pub(crate) fn resources() -> &'static [&'static Resource] {
    &ALL
}

/// The resource of a URL word.
pub(crate) fn find(plural: &str) -> Option<&'static Resource> {
    ALL.iter().copied().find(|resource| resource.plural == plural)
}

/// The resource with a group that a resource of `/oapi/v1` is the same as.
pub(crate) fn grouped(resource: &Resource) -> Option<&'static Resource> {
    if !resource.group.is_empty() || resource.storage.0.is_empty() {
        return None;
    }
    api::resources().iter().copied().find(|other| {
        other.plural == resource.plural
            && other.storage == resource.storage
            && other.group.ends_with(".openshift.io")
    })
}

/// The resource whose types, defaults and columns hold for `resource`.
pub(crate) fn shape(resource: &'static Resource) -> &'static Resource {
    grouped(resource).unwrap_or(resource)
}

/// An answer as `/oapi/v1` gives it; what handlers answer has its group.
pub(crate) fn answer(resource: &Resource, object: &Stored) -> Option<Stored> {
    let grouped = grouped(resource)?;
    if object.value().api_version() != grouped.api_version() {
        return None;
    }
    let mut value = (*object.value()).clone();
    value.set(&["apiVersion"], json!("v1"));
    Some(Stored::new(value))
}
