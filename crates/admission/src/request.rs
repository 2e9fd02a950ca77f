//! Readings that most plugins share: what a request is about, refusals, neighbouring objects.

use std::sync::Arc;

use api::Resource;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{AdmissionRequest, ApiServer, Operation, key};
use store::Range;

/// Whether both are the same stored resource, in whatever version they are served.
pub(crate) fn same(one: &Resource, other: &Resource) -> bool {
    one.storage.0 == other.storage.0 && one.plural == other.plural
}

/// Whether the request creates an object of `resource` (not something under it).
pub(crate) fn creates(request: &AdmissionRequest<'_>, resource: &Resource) -> bool {
    request.operation == Operation::Create && writes(request, resource)
}

/// Whether the request creates or changes an object of `resource` (not a sub-resource).
pub(crate) fn writes(request: &AdmissionRequest<'_>, resource: &Resource) -> bool {
    request.operation != Operation::Delete
        && request.call.subresource.is_empty()
        && same(request.call.resource, resource)
}

/// 403 about the object of the request. A name that is yet to be made up is told by what it begins
/// with, so that the events of many attempts are alike.
///
/// Mirrors: `k8s.io/apiserver/pkg/admission/errors.go` (`NewForbidden`).
pub(crate) fn refuse(request: &AdmissionRequest<'_>, text: &str) -> Status {
    let base = request.object.str_at(&["metadata", "generateName"]);
    let name = match (request.object.name(), base) {
        ("", "") if request.call.name.is_empty() => "Unknown",
        ("", "") => request.call.name,
        ("", base) => base,
        (name, _) => name,
    };
    Status::forbidden(request.call.resource.group, request.call.resource.plural, name, text)
}

/// One stored object.
pub(crate) fn find(
    server: &ApiServer,
    resource: &Resource,
    ns: &str,
    name: &str,
) -> Option<Arc<Value>> {
    Some(Arc::clone(&server.store().get(&key::object(resource, ns, name))?.value.value()))
}

/// All stored objects of a namespace, or of the cluster, in the order of their names.
pub(crate) fn all(server: &ApiServer, resource: &Resource, ns: &str) -> Vec<Arc<Value>> {
    let range = server.store().range(&Range::prefix(key::collection(resource, ns)));
    let kvs = range.map(|range| range.kvs).unwrap_or_default();
    kvs.iter().map(|kv| Arc::clone(&kv.value.value())).collect()
}

/// Whether there is a stored object of a namespace, or of the cluster.
pub(crate) fn any(server: &ApiServer, resource: &Resource, ns: &str) -> bool {
    server.store().has_in(&key::collection(resource, ns))
}

/// The namespace of the request.
pub(crate) fn namespace(request: &AdmissionRequest<'_>) -> Option<Arc<Value>> {
    find(request.server, &api::NAMESPACES, "", request.call.namespace)
}

/// The errors as Go prints an aggregate: one as it stands, several in brackets.
pub(crate) fn aggregate(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}
