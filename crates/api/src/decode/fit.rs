//! Decoding in place, for documents with which little is wrong.
//!
//! Controllers in process change documents that were decoded before and add what nearly is as it
//! would be written; taking members out costs a fraction of taking documents apart and putting them
//! together again.
//!
//! Invariant: what fits is what [`super::walk`] would give, without warnings; what was decoded fits.
//! Invariant: what does not fit is walked to the same end as if it had not been looked at.

use serde_json::{Map, Value};

use super::scalar;
use super::walk::is_written;
use crate::schema::{FieldKind, Type};

/// Takes out what would not be written; gives whether `document` is a decoded one now.
pub(super) fn fit(of: &Type, document: &mut Value) -> bool {
    document.as_object_mut().is_some_and(|members| object(of, members))
}

fn value(kind: FieldKind, value: &mut Value) -> bool {
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
        (FieldKind::Map(of), Value::Object(members)) => {
            members.values_mut().all(|it| element(*of, it))
        }
        (FieldKind::Array(of), Value::Array(elements)) => {
            elements.iter_mut().all(|it| element(*of, it))
        }
        _ => false,
    }
}

/// A null among elements becomes the type's zero value, which for some is null.
fn element(of: FieldKind, element: &mut Value) -> bool {
    if element.is_null() { scalar::zero(of).is_null() } else { value(of, element) }
}

fn object(of: &Type, members: &mut Map<String, Value>) -> bool {
    // Both sides are sorted by name.
    let mut fields = of.fields.iter();
    let mut unwritten = false;
    let all = members.iter_mut().all(|(name, member)| {
        let field = fields.find(|field| field.name >= name.as_str());
        field.filter(|field| field.name == name.as_str()).is_some_and(|field| {
            let fits = member.is_null() || value(field.kind, member);
            unwritten |= fits && !is_written(field, member);
            fits
        })
    });
    if all && unwritten {
        members.retain(|name, member| of.field(name).is_some_and(|it| is_written(it, member)));
    }
    all
}
