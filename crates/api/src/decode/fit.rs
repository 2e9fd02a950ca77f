//! Whether a document is one that decoding would give back as it is.
//!
//! Controllers in process change documents that were decoded before; looking costs a fraction of
//! taking them apart and putting them together again.
//!
//! Invariant: what fits decodes to itself without warnings; what was decoded fits.

use serde_json::{Map, Value};

use super::scalar;
use super::walk::is_written;
use crate::schema::{FieldKind, Type};

/// Whether `document` is a decoded document of type `of`.
pub(super) fn fits(of: &Type, document: &Value) -> bool {
    document.as_object().is_some_and(|members| object(of, members))
}

fn value(kind: FieldKind, value: &Value) -> bool {
    match (kind, value) {
        (FieldKind::Any | FieldKind::RawExtension, _)
        | (FieldKind::String | FieldKind::IntOrString, Value::String(_))
        | (FieldKind::Boolean, Value::Bool(_))
        | (FieldKind::Number, Value::Number(_)) => true,
        (FieldKind::Integer { bits: 64 }, Value::Number(number)) => number.is_i64(),
        (FieldKind::Integer { .. } | FieldKind::IntOrString, Value::Number(number)) => {
            number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
        }
        (FieldKind::Quantity, Value::String(text)) => {
            scalar::quantity(text).is_ok_and(|canonical| canonical == *text)
        }
        (FieldKind::Time, Value::String(text)) => scalar::is_canonical_time(text, false),
        (FieldKind::MicroTime, Value::String(text)) => scalar::is_canonical_time(text, true),
        (FieldKind::Bytes, Value::String(text)) => {
            scalar::bytes(text).is_ok_and(|canonical| canonical == *text)
        }
        (FieldKind::Object(of), Value::Object(members)) => object(of, members),
        (FieldKind::Map(of), Value::Object(members)) => members.values().all(|it| element(*of, it)),
        (FieldKind::Array(of), Value::Array(elements)) => {
            elements.iter().all(|it| element(*of, it))
        }
        _ => false,
    }
}

/// A null among elements becomes the type's zero value, which for some is null.
fn element(of: FieldKind, element: &Value) -> bool {
    if element.is_null() { scalar::zero(of).is_null() } else { value(of, element) }
}

/// Both sides are sorted by name.
fn object(of: &Type, members: &Map<String, Value>) -> bool {
    let mut fields = of.fields.iter();
    members.iter().all(|(name, member)| {
        let field = fields.find(|field| field.name >= name.as_str());
        let field = field.filter(|field| field.name == name.as_str());
        field.is_some_and(|field| value(field.kind, member) && is_written(field, member))
    })
}
