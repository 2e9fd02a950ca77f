//! The one place where refusals of lower layers become the `Status` a client sees.
//!
//! Invariant: texts are those of OpenShift 3.11 where it gives them, else of Kubernetes today.

use api::Resource;
use apimachinery::status::qualified;
use apimachinery::{Reason, Status};
use apimachinery::{Value, json};

/// An error that upstream lets through as it is: code 500, no reason.
pub(crate) fn plain(message: impl Into<String>) -> Status {
    Status::new(Reason::Unknown, message)
}

pub(crate) fn not_found(resource: &Resource, name: &str) -> Status {
    Status::not_found(resource.group, resource.plural, name)
}

pub(crate) fn already_exists(resource: &Resource, name: &str) -> Status {
    Status::already_exists(resource.group, resource.plural, name)
}

pub(crate) fn modified(resource: &Resource, name: &str) -> Status {
    Status::modified(resource.group, resource.plural, name)
}

pub(crate) fn forbidden(resource: &Resource, name: &str, text: &str) -> Status {
    Status::forbidden(resource.group, resource.plural, name, text)
}

/// The name a server made up was taken; the client should try again.
pub(crate) fn generated_name_taken(resource: &Resource) -> Status {
    let kind = qualified(resource.kind, resource.group);
    let message = format!(
        "The POST operation against {kind} could not be completed at this time, please try again."
    );
    let mut status = Status::new(Reason::ServerTimeout, message);
    status.details = json!({"name": "POST", "kind": resource.kind});
    if !resource.group.is_empty() {
        status.details["group"] = json!(resource.group);
    }
    status
}

/// The refusal of an update without resource version.
pub(crate) fn resource_version_required(resource: &Resource, name: &str) -> Status {
    let text = "Invalid value: 0x0: must be specified for an update";
    let field = "metadata.resourceVersion";
    let message = format!(
        "{} {name:?} is invalid: {field}: {text}",
        qualified(resource.plural, resource.group)
    );
    let mut status = Status::new(Reason::Invalid, message);
    status.details = json!({"name": name, "kind": resource.plural, "causes": [
        {"reason": "FieldValueInvalid", "message": text, "field": field}]});
    if !resource.group.is_empty() {
        status.details["group"] = json!(resource.group);
    }
    status
}

/// An update of another object than the one that has the name now.
pub(crate) fn uid_differs(
    resource: &Resource,
    namespace: &str,
    name: &str,
    (wanted, actual): (&str, &str),
) -> Status {
    let key = crate::key::upstream(resource, namespace, name);
    let text = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {wanted}, UID in object meta: {actual}"
    );
    Status::conflict(resource.group, resource.plural, name, &text)
}

/// A deletion of another object than the one that has the name now.
pub(crate) fn delete_uid_differs(resource: &Resource, name: &str, uids: (&str, &str)) -> Status {
    let (wanted, actual) = uids;
    let text = format!(
        "the UID in the precondition ({wanted}) does not match the UID in record ({actual}). The \
         object might have been deleted and then recreated"
    );
    Status::conflict(resource.group, resource.kind, name, &text)
}

/// A deletion of another version than the present one.
pub(crate) fn delete_version_differs(
    resource: &Resource,
    name: &str,
    versions: (&str, &str),
) -> Status {
    let (wanted, actual) = versions;
    let text = format!(
        "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in \
         record ({actual}). The object might have been modified"
    );
    Status::conflict(resource.group, resource.kind, name, &text)
}

/// A resource version that is no number.
pub(crate) fn bad_resource_version(text: &str) -> Status {
    plain(format!(
        "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
    ))
}

/// A list at a revision that the store no longer has, or not yet.
pub(crate) fn unreadable_list(error: &store::Error, paging: bool) -> Status {
    match error {
        store::Error::Compacted { .. } if paging => Status::expired(
            "The provided from parameter is too old to display a consistent list result. You must \
             start a new list without the from.",
        ),
        store::Error::Compacted { .. } => {
            Status::expired("The resourceVersion for the provided list is too old.")
        }
        store::Error::FutureRevision { .. } => {
            plain("etcdserver: mvcc: required revision is a future revision")
        }
        other => Status::internal(&other.to_string()),
    }
}

/// A watch from a revision that the store no longer has.
pub(crate) fn watch_expired() -> Status {
    Status::expired("The resourceVersion for the provided watch is too old.")
}

/// A list that must not be older than a revision that has not come.
pub(crate) fn too_large_resource_version(wanted: u64, current: u64) -> Status {
    let message = format!("Too large resource version: {wanted}, current: {current}");
    let mut status = Status::new(Reason::Timeout, format!("Timeout: {message}"));
    status.details = json!({"retryAfterSeconds": 1, "causes": [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]});
    status
}

/// The answer to a deletion that is complete.
pub(crate) fn deletion_success(resource: &Resource, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": resource.plural, "uid": uid});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

/// A success without details, e.g. of a binding.
pub(crate) fn success(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code})
}
