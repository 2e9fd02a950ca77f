//! Field paths and the validation errors that name them.
//!
//! Texts follow `k8s.io/apimachinery/pkg/util/validation/field`: `spec.replicas: Invalid value: -1:
//! must be greater than or equal to 0`.
//!
//! Invariant: an [`Error`] renders exactly as upstream renders it.

use std::fmt;

use crate::{Value, json};

/// A path such as `spec.containers[0].ports[1].name` or `metadata.labels[a]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(String);

impl Path {
    /// The path of a top-level field; `Path::new("")` is the root.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The path of a field below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::new(name) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// The path of a list element.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path of a map entry.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a field. `reason()` gives the word used in `details.causes[].reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A value that must be there is not.
    Required,
    /// The value breaks a rule.
    Invalid,
    /// The value is not among the allowed ones.
    NotSupported,
    /// The value appears twice.
    Duplicate,
    /// The field may not be set or changed here.
    Forbidden,
    /// The value is too long.
    TooLong,
    /// Too many entries.
    TooMany,
    /// Something referred to does not exist.
    NotFound,
    /// The server failed while checking.
    InternalError,
    /// The value has the wrong JSON type.
    TypeInvalid,
}

impl ErrorKind {
    /// The word in `details.causes[].reason`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::NotFound => "FieldValueNotFound",
            Self::InternalError => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::NotFound => "Not found",
            Self::InternalError => "Internal error",
            Self::TypeInvalid => "Invalid value",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong | Self::InternalError)
    }
}

/// One validation error.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The field.
    pub field: Path,
    /// The offending value (ignored by kinds that do not show it).
    pub value: Value,
    /// The detail after the value; may be empty.
    pub detail: String,
    /// How the value reads where upstream prints something else than its JSON, e.g. a time.
    pub shown: Option<String>,
}

impl Error {
    /// `<path>: Required value[: <detail>]`.
    #[must_use]
    pub fn required(field: &Path, detail: &str) -> Self {
        Self::new(ErrorKind::Required, field, Value::Null, detail)
    }

    /// `<path>: Invalid value: <value>[: <detail>]`.
    #[must_use]
    pub fn invalid(field: &Path, value: impl Into<Value>, detail: &str) -> Self {
        Self::new(ErrorKind::Invalid, field, value.into(), detail)
    }

    /// `<path>: Unsupported value: "<value>": supported values: "<a>", "<b>"`.
    #[must_use]
    pub fn not_supported(field: &Path, value: impl Into<Value>, supported: &[&str]) -> Self {
        let list: Vec<String> = supported.iter().map(|word| quote(word)).collect();
        let detail = if list.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", list.join(", "))
        };
        Self::new(ErrorKind::NotSupported, field, value.into(), &detail)
    }

    /// `<path>: Duplicate value: <value>`.
    #[must_use]
    pub fn duplicate(field: &Path, value: impl Into<Value>) -> Self {
        Self::new(ErrorKind::Duplicate, field, value.into(), "")
    }

    /// `<path>: Forbidden[: <detail>]`.
    #[must_use]
    pub fn forbidden(field: &Path, detail: &str) -> Self {
        Self::new(ErrorKind::Forbidden, field, Value::Null, detail)
    }

    /// `<path>: Not found: <value>`.
    #[must_use]
    pub fn not_found(field: &Path, value: impl Into<Value>) -> Self {
        Self::new(ErrorKind::NotFound, field, value.into(), "")
    }

    /// `<path>: Too long: must have at most <max> characters`.
    #[must_use]
    pub fn too_long(field: &Path, value: impl Into<Value>, max: usize) -> Self {
        let detail = format!("must have at most {max} characters");
        Self::new(ErrorKind::TooLong, field, value.into(), &detail)
    }

    /// `<path>: Internal error: <detail>`.
    #[must_use]
    pub fn internal(field: &Path, detail: &str) -> Self {
        Self::new(ErrorKind::InternalError, field, Value::Null, detail)
    }

    /// Builds an error of any kind.
    #[must_use]
    pub fn new(kind: ErrorKind, field: &Path, value: Value, detail: &str) -> Self {
        Self { kind, field: field.clone(), value, detail: detail.to_owned(), shown: None }
    }

    /// Prints the value as `text` instead of as JSON.
    #[must_use]
    pub fn shown_as(mut self, text: &str) -> Self {
        self.shown = Some(text.to_owned());
        self
    }

    /// The text without the path, as `details.causes[].message` has it.
    #[must_use]
    pub fn body(&self) -> String {
        let mut text = self.kind.label().to_owned();
        if self.kind.shows_value() {
            text.push_str(": ");
            text.push_str(&self.value_text());
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }

    fn value_text(&self) -> String {
        match (&self.shown, &self.value) {
            (Some(text), _) => text.clone(),
            (None, Value::String(text)) => quote(text),
            // Upstream quotes the word.
            (None, Value::Null) => quote("null"),
            (None, other) => other.to_string(),
        }
    }

    /// The entry in `details.causes`.
    #[must_use]
    pub fn cause(&self) -> Value {
        json!({
            "reason": self.kind.reason(),
            "message": self.body(),
            "field": self.field.to_string(),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.0.is_empty() {
            f.write_str(&self.body())
        } else {
            write!(f, "{}: {}", self.field, self.body())
        }
    }
}

/// `text` in double quotes, escaped as Go's `%q` escapes it.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// All errors found in one object.
pub type ErrorList = Vec<Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_gos() {
        assert_eq!(quote("a\"\\\n\u{1}é"), r#""a\"\\\n\x01é""#);
        let error = Error::invalid(&Path::new("f"), "x", "no").shown_as("y");
        assert_eq!(error.to_string(), "f: Invalid value: y: no");
    }

    #[test]
    fn errors_read_as_upstream() {
        let path = Path::new("spec").child("containers").index(0).child("image");
        assert_eq!(
            Error::required(&path, "").to_string(),
            "spec.containers[0].image: Required value"
        );
        assert_eq!(
            Error::invalid(&Path::new("spec").child("replicas"), -1, "must be positive")
                .to_string(),
            "spec.replicas: Invalid value: -1: must be positive"
        );
        assert_eq!(
            Error::not_supported(&Path::new("type"), "X", &["A", "B"]).to_string(),
            r#"type: Unsupported value: "X": supported values: "A", "B""#
        );
    }
}
