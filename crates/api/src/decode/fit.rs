//! Decoding in place, for documents with which little is wrong.
//!
//! Controllers in process change documents that were decoded before and add what nearly is as it
//! would be written; taking members out costs a fraction of taking documents apart and putting them
//! together again.
//!
//! Invariant: what fits is what [`super::walk`] would give, without warnings; what was decoded fits.
//! Invariant: what does not fit is walked to the same end as if it had not been looked at.

use apimachinery::{Map, Value};

use super::scalar;
use super::walk::is_written;
use crate::schema::{FieldKind, Type};

/// Takes out what would not be written; gives whether `document` is a decoded one now. Parts without
/// anything to take out stay shared with other documents.
pub(super) fn fit(of: &Type, document: &mut Value) -> bool {
    let Value::Object(members) = document else { return false };
    let mut unwritten = false;
    if !object(of, members, &mut unwritten) {
        return false;
    }
    if unwritten {
        prune_object(of, members);
    }
    true
}

/// Whether `value` fits; sets `unwritten` when something in it would not be written.
fn value(kind: FieldKind, value: &Value, unwritten: &mut bool) -> bool {
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
            scalar::quantity(text).is_ok_and(|canonical| canonical == **text)
        }
        (FieldKind::Time, Value::String(text)) => scalar::is_canonical_time(text, false),
        (FieldKind::MicroTime, Value::String(text)) => scalar::is_canonical_time(text, true),
        (FieldKind::Bytes, Value::String(text)) => {
            scalar::bytes(text).is_ok_and(|canonical| canonical == **text)
        }
        (FieldKind::Object(of), Value::Object(members)) => object(of, members, unwritten),
        (FieldKind::Map(of), Value::Object(members)) => {
            members.values().all(|it| element(*of, it, unwritten))
        }
        (FieldKind::Array(of), Value::Array(elements)) => {
            elements.iter().all(|it| element(*of, it, unwritten))
        }
        _ => false,
    }
}

/// A null among elements becomes the type's zero value, which for some is null.
fn element(of: FieldKind, element: &Value, unwritten: &mut bool) -> bool {
    if element.is_null() { scalar::zero(of).is_null() } else { value(of, element, unwritten) }
}

fn object(of: &Type, members: &Map, unwritten: &mut bool) -> bool {
    // Both sides are sorted by name.
    let mut fields = of.fields.iter();
    members.iter().all(|(name, member)| {
        let next = fields.find_map(|field| {
            let order = field.name.cmp(name.as_str());
            order.is_ge().then_some((field, order))
        });
        next.filter(|(_, order)| order.is_eq()).is_some_and(|(field, _)| {
            let fits = member.is_null() || value(field.kind, member, unwritten);
            *unwritten |= fits && !is_written(field, member);
            fits
        })
    })
}

/// Takes out of a value that fits what would not be written. That never leaves something empty that was
/// not.
fn prune(kind: FieldKind, place: &mut Value) {
    let mut unwritten = false;
    if place.is_null() || !value(kind, place, &mut unwritten) || !unwritten {
        return;
    }
    match (kind, place) {
        (FieldKind::Object(of), Value::Object(members)) => prune_object(of, members),
        (FieldKind::Map(of), Value::Object(members)) => {
            members.values_mut().for_each(|it| prune(*of, it));
        }
        (FieldKind::Array(of), Value::Array(elements)) => {
            elements.iter_mut().for_each(|it| prune(*of, it));
        }
        _ => {}
    }
}

fn prune_object(of: &Type, members: &mut Map) {
    members.retain(|name, member| {
        of.field(name).is_some_and(|field| {
            prune(field.kind, member);
            is_written(field, member)
        })
    });
}
