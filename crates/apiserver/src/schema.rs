//! From a request's body to a checked document in its storage version, and back to a served one.
//!
//! This is the only file that asks `api` how a kind is decoded, defaulted, validated and converted.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/create.go`.

use std::borrow::Cow;

use api::Resource;
use api::decode::{self, Mode};
use api::schema::{FieldKind, Type, type_of};
use apimachinery::field::ErrorList;
use apimachinery::json::Memo;
use apimachinery::patch::strategic;
use apimachinery::{Gvk, ObjectExt as _, Reason, Status, gvk};
use apimachinery::{Map, Value, json};
use bytes::Bytes;

use crate::call::Call;
use crate::{custom, legacy};

/// A request's body: JSON as it came, or a document that was read from another form or built in
/// process. Duplicate fields can only be told from the bytes.
#[derive(Debug, Clone)]
pub enum Body {
    /// JSON text.
    Json(Bytes),
    /// A document.
    Document(Value),
}

impl From<Value> for Body {
    fn from(document: Value) -> Self {
        Self::Document(document)
    }
}

impl From<Bytes> for Body {
    fn from(json: Bytes) -> Self {
        Self::Json(json)
    }
}

impl Body {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Json(bytes) => bytes,
            Self::Document(_) => &[],
        }
    }

    /// `apiVersion` and `kind`.
    pub(crate) fn names(&self) -> Result<(String, String), decode::Error> {
        match self {
            Self::Json(bytes) => decode::interpret(bytes),
            Self::Document(value) => Ok((value.api_version().to_owned(), value.kind().to_owned())),
        }
    }

    pub(crate) fn decode(
        self,
        of: Option<&'static Type>,
        mode: Mode,
    ) -> Result<decode::Decoded, decode::Error> {
        match (self, of) {
            (Self::Json(bytes), Some(of)) => decode::from_slice(of, &bytes, mode)
                .map_err(|error| in_words_of(mode, error, of, &bytes)),
            (Self::Document(value), Some(of)) => decode::from_value(of, value, mode),
            (Self::Json(bytes), None) => {
                Ok(decode::Decoded { value: decode::parse_json(&bytes)?, warnings: Vec::new() })
            }
            (Self::Document(value), None) => Ok(decode::Decoded { value, warnings: Vec::new() }),
        }
    }
}

/// Clients that ask for no field validation are of 3.11's days and read its decoder's words; the others
/// read those of their own.
fn in_words_of(mode: Mode, error: decode::Error, of: &'static Type, body: &[u8]) -> decode::Error {
    match error {
        decode::Error::Type(text) if mode == Mode::Ignore => {
            decode::Error::Type(decode::complaint(of, body).unwrap_or(text))
        }
        other => other,
    }
}

/// A decoded body and the warnings it gave.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) object: Value,
    pub(crate) warnings: Vec<String>,
}

/// Decodes, prunes and defaults a body sent to `resource`, and converts it to the storage version.
pub(crate) fn decode(
    resource: &'static Resource,
    mut body: Body,
    mode: Mode,
) -> Result<Decoded, Status> {
    let sent = spec_of_pod(resource, &body).cloned();
    let known = sent.as_ref().and_then(|sent| COMPLETED.with(|memo| memo.get(sent)));
    if let (Body::Document(pod), Some(_)) = (&mut body, &known) {
        pod.remove(&["spec"]);
    }
    let mut decoded = decode_as_sent(resource, body, mode)?;
    api::defaults::apply(legacy::shape(resource), &mut decoded.object);
    if let Some(known) = known {
        decoded.object.set(&["spec"], Value::Object(known));
    } else if let (Some(sent), Some(spec)) = (sent, decoded.object.map_at(&["spec"]))
        && decoded.warnings.is_empty()
    {
        COMPLETED.with(|memo| memo.put(sent, spec.clone()));
    }
    to_storage(resource, &mut decoded.object);
    Ok(decoded)
}

thread_local! {
    /// Specs of pods as they were sent, and with their defaults; nothing else of a pod has a say in
    /// those. Controllers send the spec of their template, which is one map for all their pods.
    static COMPLETED: Memo<Map> = const { Memo::new() };
}

/// The spec of a pod that was made in process.
fn spec_of_pod<'a>(resource: &Resource, body: &'a Body) -> Option<&'a Map> {
    match body {
        Body::Document(pod) if (resource.group, resource.kind) == ("", "Pod") => {
            pod.map_at(&["spec"]).filter(|spec| !spec.is_empty())
        }
        _ => None,
    }
}

/// Decodes and prunes a body sent to a sub-resource or a virtual resource; its version stays.
pub(crate) fn decode_for_handler(call: &Call<'_>, body: Body) -> Result<Decoded, Status> {
    let mode = call.options.field_validation;
    let Some(sub) = call.resource.subresource(call.subresource) else {
        let mut decoded = decode_as_sent(call.resource, body, mode)?;
        api::defaults::apply(legacy::shape(call.resource), &mut decoded.object);
        return Ok(decoded);
    };
    let group = sub.group.unwrap_or_else(|| legacy::shape(call.resource).group);
    let version = sub.version.unwrap_or(call.resource.version);
    let (api_version, kind) = match body.names() {
        Ok(names) => names,
        Err(error) => return Err(decode::refusal(&error, None, sub.kind, body.bytes())),
    };
    let sent = Gvk::from_api_version(&api_version, &kind);
    // Sub-resources take their kind in any version that is known, e.g. a Scale of either group.
    let of = type_of(&sent.group, &sent.version, &sent.kind)
        .filter(|_| kind == sub.kind)
        .or_else(|| type_of(group, version, sub.kind));
    let version = if sent.version.is_empty() { version } else { &sent.version };
    let kind = if kind.is_empty() { sub.kind } else { &kind };
    let decoded = body
        .decode(of, mode)
        .map_err(|error| decode::refusal(&error, Some((kind, version)), sub.kind, &[]))?;
    Ok(Decoded { object: decoded.value, warnings: decoded.warnings })
}

/// The type of the status of the resources whose status may be decoded alone: nothing is defaulted in
/// it, and objects are stored as they are served.
pub(crate) fn status_type(resource: &Resource) -> Option<&'static Type> {
    const PLAIN: [(&str, &str); 3] =
        [("", "Pod"), ("", "ReplicationController"), ("apps", "ReplicaSet")];
    if !is_storage(resource) || !PLAIN.contains(&(resource.group, resource.kind)) {
        return None;
    }
    let of = type_of(resource.group, resource.version, resource.kind)?;
    match of.field("status")?.kind {
        FieldKind::Object(of) => Some(of),
        _ => None,
    }
}

/// Decodes a part of an object of `resource`.
pub(crate) fn decode_part(
    resource: &Resource,
    of: &'static Type,
    part: Value,
) -> Result<Value, Status> {
    let found = Some((resource.kind, resource.version));
    let decoded = decode::from_value(of, part, Mode::Ignore);
    let decoded = decoded.map_err(|error| decode::refusal(&error, found, resource.kind, &[]))?;
    Ok(decoded.value)
}

fn decode_as_sent(resource: &'static Resource, body: Body, mode: Mode) -> Result<Decoded, Status> {
    let (api_version, kind) = match body.names() {
        Ok(names) => names,
        Err(error) => return Err(decode::refusal(&error, None, resource.kind, body.bytes())),
    };
    identify(resource, &api_version, &kind)?;
    let of = type_of(legacy::shape(resource).group, resource.version, resource.kind);
    let found = Some((resource.kind, resource.version));
    let decoded = body
        .decode(of, mode)
        .map_err(|error| decode::refusal(&error, found, resource.kind, &[]))?;
    let mut object = decoded.value;
    if api_version.is_empty() {
        object.set(&["apiVersion"], json!(resource.api_version()));
    }
    if kind.is_empty() {
        object.set(&["kind"], json!(resource.kind));
    }
    Ok(Decoded { object, warnings: decoded.warnings })
}

/// Checks `apiVersion` and `kind`, which may be left out, against what the resource holds.
pub(crate) fn identify(resource: &Resource, api_version: &str, kind: &str) -> Result<(), Status> {
    let expected = resource.api_version();
    let api_version = if api_version.is_empty() { &expected } else { api_version };
    let kind = if kind.is_empty() { resource.kind } else { kind };
    if api_version == expected && kind == resource.kind {
        return Ok(());
    }
    let sent = Gvk::from_api_version(api_version, kind);
    // OpenShift's kinds are known in the core group as well, by their old names.
    let known = api::find_kind(&sent.group, &sent.version, kind).is_some()
        || (api_version == "v1" && legacy::resources().iter().any(|old| old.kind == kind));
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
        if custom::is_custom(resource) {
            let (group, version) = resource.storage;
            object.set(&["apiVersion"], json!(gvk::api_version(group, version)));
            return;
        }
        let shape = legacy::shape(resource);
        object.set(&["apiVersion"], json!(shape.api_version()));
        api::convert(object, shape, api::storage_of(resource));
    }
}

/// Converts from the storage version to the served one.
pub(crate) fn to_served(resource: &'static Resource, object: &mut Value) {
    if !is_storage(resource) {
        if !custom::is_custom(resource) {
            api::convert(object, api::storage_of(resource), legacy::shape(resource));
        }
        object.set(&["apiVersion"], json!(resource.api_version()));
    }
}

/// The object as it is served, copied only when that differs from the storage version.
pub(crate) fn served<'a>(resource: &'static Resource, stored: &'a Value) -> Cow<'a, Value> {
    if is_storage(resource) {
        return Cow::Borrowed(stored);
    }
    let mut object = stored.clone();
    to_served(resource, &mut object);
    Cow::Owned(object)
}

/// Whether a resource is served in the version its objects are stored in.
pub(crate) fn is_storage(resource: &Resource) -> bool {
    resource.storage == (resource.group, resource.version)
}

/// Everything wrong with a new object.
pub(crate) fn validate_create(resource: &'static Resource, object: &Value) -> ErrorList {
    api::validation::create(legacy::shape(resource), object)
}

/// Everything wrong with a changed object.
pub(crate) fn validate_update(resource: &'static Resource, new: &Value, old: &Value) -> ErrorList {
    api::validation::update(legacy::shape(resource), new, old)
}

/// Applies a strategic merge patch to an object of a kind.
pub(crate) fn strategic_merge(
    api_version: &str,
    kind: &str,
    object: &Value,
    patch: &Value,
) -> Result<Value, Status> {
    let named = Gvk::from_api_version(api_version, kind);
    let Some(of) = type_of(&named.group, &named.version, &named.kind) else {
        return Err(Status::new(Reason::UnsupportedMediaType, UNSUPPORTED_STRATEGIC));
    };
    strategic::strategic_merge(object, patch, of).map_err(|error| error.to_status())
}

const UNSUPPORTED_STRATEGIC: &str = "the body of the request was in an unknown format - accepted \
     media types include: application/json-patch+json, application/merge-patch+json, \
     application/apply-patch+yaml";
