//! Errors as clients of the protocol read them.
//!
//! Mirrors: `docker/distribution/registry/api/{errcode,v2}`.

use std::io;

use apimachinery::Status;
use apimachinery::{Value, json};
use http::StatusCode;

use crate::digest::Digest;
use crate::repository::Repository;

/// A refusal: an HTTP status with one entry of `errors`.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) status: StatusCode,
    code: &'static str,
    message: String,
    detail: Value,
}

impl Error {
    fn new(status: StatusCode, code: &'static str, message: &str, detail: Value) -> Self {
        Self { status, code, message: message.to_owned(), detail }
    }

    /// No credentials, unknown ones, or no right: the registry of OpenShift does not tell which.
    ///
    /// There is always a detail: without one `docker` shows a bare "unauthorized" and, as if that
    /// might pass, tries a push again and again.
    pub(crate) fn unauthorized() -> Self {
        let message = "authentication required";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message, json!([]))
    }

    /// As [`Self::unauthorized`], with what was wanted: a type, a name and an action.
    pub(crate) fn not_allowed(kind: &str, name: &str, action: &str) -> Self {
        let record = json!({"Type": kind, "Class": "", "Name": name, "Action": action});
        Self { detail: json!([record]), ..Self::unauthorized() }
    }

    pub(crate) fn denied(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", message, Value::Null)
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "page not found", Value::Null)
    }

    pub(crate) fn method() -> Self {
        let message = "The operation is unsupported.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message, Value::Null)
    }

    pub(crate) fn name_invalid(name: &str) -> Self {
        let detail = json!({"name": name});
        Self::new(StatusCode::BAD_REQUEST, "NAME_INVALID", "invalid repository name", detail)
    }

    pub(crate) fn name_unknown(repository: &Repository) -> Self {
        let detail = json!({"name": repository.to_string()});
        let message = "repository name not known to registry";
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message, detail)
    }

    pub(crate) fn tag_invalid(tag: &str) -> Self {
        let detail = json!({"tag": tag});
        Self::new(StatusCode::BAD_REQUEST, "TAG_INVALID", "manifest tag did not match URI", detail)
    }

    pub(crate) fn manifest_unknown(repository: &Repository, reference: &str) -> Self {
        let detail = json!({"name": repository.to_string(), "reference": reference});
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown", detail)
    }

    pub(crate) fn manifest_invalid(reason: &str) -> Self {
        let detail = json!(reason);
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", "manifest invalid", detail)
    }

    pub(crate) fn manifest_blob_unknown(digest: &Digest) -> Self {
        let detail = json!({"digest": digest.to_string()});
        let message = "blob unknown to registry";
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", message, detail)
    }

    pub(crate) fn blob_unknown(digest: &Digest) -> Self {
        let detail = json!({"digest": digest.to_string()});
        Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry", detail)
    }

    pub(crate) fn digest_invalid(reason: &str) -> Self {
        let message = "provided digest did not match uploaded content";
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message, json!(reason))
    }

    pub(crate) fn upload_unknown() -> Self {
        let message = "blob upload unknown to registry";
        Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message, Value::Null)
    }

    /// Bytes that do not continue where the upload stands.
    pub(crate) fn range_invalid() -> Self {
        let message = "invalid content range";
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", message, Value::Null)
    }

    pub(crate) fn pagination(n: &str) -> Self {
        let message = "invalid number of results requested";
        let detail = json!({"n": n});
        Self::new(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", message, detail)
    }

    /// A request body that ended early, took too long or is too large.
    pub(crate) fn body(reason: &str) -> Self {
        let message = "the request body could not be read";
        Self::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", message, json!(reason))
    }

    pub(crate) fn body_too_large() -> Self {
        let message = "the request body is too large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message, Value::Null)
    }

    /// The document that goes with the status.
    pub(crate) fn document(&self) -> Value {
        let entry = json!({"code": self.code, "message": self.message, "detail": self.detail});
        json!({ "errors": [entry] })
    }
}

impl From<io::Error> for Error {
    /// The storage failed, e.g. because the disk is full.
    fn from(error: io::Error) -> Self {
        tracing::warn!(%error, "the storage of the registry failed");
        let detail = json!(error.to_string());
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "unknown error", detail)
    }
}

impl From<Status> for Error {
    /// The cluster refused, e.g. because of a quota.
    fn from(status: Status) -> Self {
        match status.code {
            401 => Self::unauthorized(),
            403 => Self::denied(&status.message),
            // Too many images in a stream are an invalid stream to the cluster.
            422 if status.message.contains("exceeds the maximum limit per") => {
                Self::denied(&status.message)
            }
            _ => {
                let detail = json!(status.message);
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "unknown error", detail)
            }
        }
    }
}
