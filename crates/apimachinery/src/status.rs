//! The `Status` object: every refusal a client sees.
//!
//! Invariant: constructors write the message, reason, code and details that Kubernetes writes.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/api/errors`.

use std::fmt;

use crate::{Value, json};

use crate::field;

/// The machine-readable cause of a failure, as clients branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// 400
    BadRequest,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 406
    NotAcceptable,
    /// 409, the name is taken
    AlreadyExists,
    /// 409, the object changed
    Conflict,
    /// 410, the resource version is too old
    Expired,
    /// 410, the thing is gone
    Gone,
    /// 413
    RequestEntityTooLarge,
    /// 415
    UnsupportedMediaType,
    /// 422
    Invalid,
    /// 429
    TooManyRequests,
    /// 500
    InternalError,
    /// 503
    ServiceUnavailable,
    /// 500 with retry, e.g. a generated name that was taken
    ServerTimeout,
    /// 504
    Timeout,
    /// no reason word
    Unknown,
}

impl Reason {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Expired => "Expired",
            Self::Gone => "Gone",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::Invalid => "Invalid",
            Self::TooManyRequests => "TooManyRequests",
            Self::InternalError => "InternalError",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::ServerTimeout => "ServerTimeout",
            Self::Timeout => "Timeout",
            Self::Unknown => "",
        }
    }

    /// The HTTP status code that goes with it.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Expired | Self::Gone => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::TooManyRequests => 429,
            Self::InternalError | Self::ServerTimeout | Self::Unknown => 500,
            Self::ServiceUnavailable => 503,
            Self::Timeout => 504,
        }
    }
}

/// A failure answer. Boxed where it travels in `Result` so that success stays small.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Machine-readable cause.
    pub reason: Reason,
    /// HTTP status code (usually `reason.code()`).
    pub code: u16,
    /// What clients print.
    pub message: String,
    /// `details` as on the wire (`name`, `group`, `kind`, `uid`, `causes`, `retryAfterSeconds`), or
    /// null.
    pub details: Value,
    /// Texts for `Warning` headers; not part of the document.
    pub warnings: Vec<String>,
}

impl Status {
    /// A status with no details.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let (message, details) = (message.into(), Value::Null);
        Self { reason, code: reason.code(), message, details, warnings: Vec::new() }
    }

    /// The same with warnings before those there are.
    #[must_use]
    pub fn with_warnings(mut self, mut warnings: Vec<String>) -> Self {
        warnings.append(&mut self.warnings);
        self.warnings = warnings;
        self
    }

    fn about(reason: Reason, group: &str, resource: &str, name: &str, message: String) -> Self {
        let mut details = crate::Map::new();
        for (key, value) in [("name", name), ("group", group), ("kind", resource)] {
            if !value.is_empty() {
                details.insert(key.to_owned(), json!(value));
            }
        }
        let details = Value::Object(details);
        Self { reason, code: reason.code(), message, details, warnings: Vec::new() }
    }

    /// 404 `<resource>.<group> "<name>" not found`.
    #[must_use]
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} not found", qualified(resource, group));
        Self::about(Reason::NotFound, group, resource, name, message)
    }

    /// 409 `<resource>.<group> "<name>" already exists`.
    #[must_use]
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", qualified(resource, group));
        Self::about(Reason::AlreadyExists, group, resource, name, message)
    }

    /// 409 `Operation cannot be fulfilled on <resource>.<group> "<name>": <text>`.
    #[must_use]
    pub fn conflict(group: &str, resource: &str, name: &str, text: &str) -> Self {
        let what = qualified(resource, group);
        let message = format!("Operation cannot be fulfilled on {what} {name:?}: {text}");
        Self::about(Reason::Conflict, group, resource, name, message)
    }

    /// The conflict of a stale resource version.
    #[must_use]
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        let text = "the object has been modified; please apply your changes to the latest version \
                    and try again";
        Self::conflict(group, resource, name, text)
    }

    /// 403 `<resource>.<group> "<name>" is forbidden: <text>`.
    #[must_use]
    pub fn forbidden(group: &str, resource: &str, name: &str, text: &str) -> Self {
        let what = qualified(resource, group);
        let message = if name.is_empty() {
            format!("{what} is forbidden: {text}")
        } else {
            format!("{what} {name:?} is forbidden: {text}")
        };
        Self::about(Reason::Forbidden, group, resource, name, message)
    }

    /// 422 `<Kind>.<group> "<name>" is invalid: <errors>` with one cause per error.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[field::Error]) -> Self {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} {name:?} is invalid: {list}", qualified(kind, group));
        let mut status = Self::about(Reason::Invalid, group, kind, name, message);
        let causes: Vec<Value> = errors.iter().map(field::Error::cause).collect();
        status.details["causes"] = Value::from(causes);
        status
    }

    /// 400 with `message` as it stands.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// 500 `Internal error occurred: <text>`.
    #[must_use]
    pub fn internal(text: &str) -> Self {
        let mut status =
            Self::new(Reason::InternalError, format!("Internal error occurred: {text}"));
        status.details = json!({"causes": [{"message": text}]});
        status
    }

    /// 410 of a resource version that has been compacted.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(Reason::Expired, message)
    }

    /// 405 of a verb the resource does not have.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let text = "the server does not allow this method on the requested resource";
        let mut status = Self::new(Reason::MethodNotAllowed, text);
        status.details = json!({});
        status
    }

    /// 404 of a path that names no resource.
    #[must_use]
    pub fn no_such_path() -> Self {
        let mut status =
            Self::new(Reason::NotFound, "the server could not find the requested resource");
        status.details = json!({});
        status
    }

    /// Whether the thing asked for is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.reason == Reason::NotFound
    }

    /// Whether the name is taken.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.reason == Reason::AlreadyExists
    }

    /// Whether the object changed meanwhile.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.reason == Reason::Conflict
    }

    /// The document on the wire.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut value = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if self.reason != Reason::Unknown {
            value["reason"] = json!(self.reason.as_str());
        }
        if !self.details.is_null() {
            value["details"] = self.details.clone();
        }
        value
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

/// `<resource>.<group>`, or the resource alone in the core group.
#[must_use]
pub fn qualified(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_upstreams() {
        assert_eq!(
            Status::not_found("apps", "deployments", "web").message,
            "deployments.apps \"web\" not found"
        );
        let errors = [field::Error::required(&field::Path::new("spec.template"), "")];
        let status = Status::invalid("", "Pod", "p", &errors);
        assert_eq!(status.message, "Pod \"p\" is invalid: spec.template: Required value");
        assert_eq!(status.to_value()["details"]["causes"][0]["field"], "spec.template");
    }
}
