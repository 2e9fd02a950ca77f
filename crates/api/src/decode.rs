//! From the bytes or the document a client sends to a document of a known type.
//!
//! What upstream's decoder does with Go structs happens here by the schema table: members the type
//! does not have are dropped and reported, wrong types are refused, nulls and omitted zero values
//! disappear, quantities and times take their canonical text. Reading order: [`from_slice`],
//! [`from_value`], `fit` (little to do), `walk` (the work), `scalar` (single values), `syntax`
//! (malformed JSON), [`complaint`] (3.11's words for a wrong type), [`from_protobuf`].
//!
//! Invariant: a decoded document decodes to itself, without problems.
//! Mirrors: sigs.k8s.io/json, k8s.io/apimachinery/pkg/runtime/serializer/json.

mod fit;
mod iterator;
mod protobuf;
mod scalar;
mod syntax;
mod walk;

use apimachinery::Status;
use apimachinery::Value;

pub use self::iterator::complaint;
pub use self::protobuf::{Named, from_protobuf};
pub use self::syntax::{interpret, parse_json};
use crate::schema::Type;

/// What to do about unknown and duplicate fields: the query parameter `fieldValidation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Drop them in silence.
    Ignore,
    /// Drop them and warn.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

impl Mode {
    /// Reads the query parameter; the empty text is the default.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Ignore" => Some(Self::Ignore),
            "" | "Warn" => Some(Self::Warn),
            "Strict" => Some(Self::Strict),
            _ => None,
        }
    }
}

/// A document that fits its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    pub value: Value,
    /// `unknown field "spec.foo"`, `duplicate field "spec.bar"`, in document order.
    pub warnings: Vec<String>,
}

/// Why a document is refused. The texts are what clients see after the prefix of [`refusal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON.
    #[error("couldn't get version/kind; json parse error: {0}")]
    Syntax(String),
    /// A value of the wrong type or form.
    #[error("{0}")]
    Type(String),
    /// Unknown or duplicate fields under [`Mode::Strict`].
    #[error("strict decoding error: {}", .0.join(", "))]
    Strict(Vec<String>),
}

/// Decodes the bytes of a request body.
///
/// Invalid UTF-8 is replaced as Go does.
///
/// # Errors
/// When it is not JSON, does not fit the type, or has unknown fields and `mode` is strict.
pub fn from_slice(of: &'static Type, body: &[u8], mode: Mode) -> Result<Decoded, Error> {
    let text = String::from_utf8_lossy(body);
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let mut walk = walk::Walk::new(true);
    let value = walk.document(of, &mut deserializer);
    let value = match value {
        Ok(value) => deserializer.end().map(|()| value),
        Err(error) => Err(error),
    };
    finish(walk, value.map_err(|error| syntax::error(&text, &error)), mode)
}

/// Decodes a document that is parsed already, e.g. the outcome of a patch.
///
/// Unlike [`from_slice`] it takes `3.0` for an integer, as upstream does for patched documents.
///
/// # Errors
/// When it does not fit the type, or has unknown fields and `mode` is strict.
pub fn from_value(of: &'static Type, mut document: Value, mode: Mode) -> Result<Decoded, Error> {
    if fit::fit(of, &mut document) {
        return Ok(Decoded { value: document, warnings: Vec::new() });
    }
    let mut walk = walk::Walk::new(false);
    let value = walk.document(of, serde_json::Value::from(document));
    finish(walk, value.map_err(|error| Error::Syntax(error.to_string())), mode)
}

/// The same as [`from_value`].
///
/// # Errors
/// As [`from_value`].
pub fn decode(of: &'static Type, document: Value, mode: Mode) -> Result<Decoded, Error> {
    from_value(of, document, mode)
}

fn finish(walk: walk::Walk, value: Result<Value, Error>, mode: Mode) -> Result<Decoded, Error> {
    let walk::Outcome { aborted, saved, problems } = walk.into_outcome();
    if let Some(text) = aborted {
        return Err(Error::Type(text));
    }
    let value = value?;
    if let Some(text) = saved {
        return Err(Error::Type(text));
    }
    match mode {
        Mode::Strict if !problems.is_empty() => Err(Error::Strict(problems)),
        Mode::Strict | Mode::Warn => Ok(Decoded { value, warnings: problems }),
        Mode::Ignore => Ok(Decoded { value, warnings: Vec::new() }),
    }
}

/// The answer to a body that could not be decoded.
///
/// `found` is the kind and version that the body names (or that stand for it when it names none),
/// nothing when even those could not be read; `wanted` is the kind of the resource.
#[must_use]
pub fn refusal(error: &Error, found: Option<(&str, &str)>, wanted: &str, body: &[u8]) -> Status {
    Status::bad_request(match found {
        Some((kind, version)) => {
            format!("{kind} in version {version:?} cannot be handled as a {wanted}: {error}")
        }
        None => format!(
            "the object provided is unrecognized (must be of type {wanted}): {error} ({})",
            syntax::summary(body)
        ),
    })
}

#[cfg(test)]
mod tests;
