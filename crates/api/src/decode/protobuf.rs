//! From Kubernetes protobuf to a document, along the schema table.
//!
//! Newer kubectl, helm and oc send built-in kinds this way: four bytes `k8s\0`, then
//! `runtime.Unknown` with the kind and the bytes of its message. Messages nest as types do, except
//! for inlined structs and for single values that are messages of their own (times, quantities …).
//!
//! Invariant: never panics; depth is bounded.
//! Deviation: the unions of custom resource schemas (`JSONSchemaPropsOrArray` and the like) are
//! read only where they hold plain JSON.

mod wire;

use apimachinery::{List, Map, Value};

use self::wire::{Reader, Wire};
use super::{Decoded, Error, Mode, from_value, scalar};
use crate::schema::{Field, FieldKind, Presence, Type, type_of};

const PREFIX: &[u8] = b"k8s\0";
const MAX_DEPTH: usize = 100;

/// A document with the names it came under.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub api_version: String,
    pub kind: String,
    pub decoded: Decoded,
}

/// Decodes a body of media type `application/vnd.kubernetes.protobuf`.
///
/// # Errors
/// When the bytes are malformed or the kind is unknown.
pub fn from_protobuf(body: &[u8]) -> Result<Named, Error> {
    let envelope = envelope(body)?;
    let gvk = apimachinery::Gvk::from_api_version(&envelope.api_version, &envelope.kind);
    let Some(of) = type_of(&gvk.group, &gvk.version, &gvk.kind) else {
        return Err(Error::Type(format!(
            "no kind {:?} is registered for version {:?} in scheme",
            gvk.kind, envelope.api_version
        )));
    };
    let mut value = message(of, envelope.raw, 0)?;
    if let Value::Object(map) = &mut value {
        map.insert("apiVersion".to_owned(), envelope.api_version.clone().into());
        map.insert("kind".to_owned(), envelope.kind.clone().into());
    }
    let decoded = from_value(of, value, Mode::Ignore)?;
    Ok(Named { api_version: envelope.api_version, kind: envelope.kind, decoded })
}

/// `runtime.Unknown`.
struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

fn envelope(body: &[u8]) -> Result<Envelope<'_>, Error> {
    let Some(unknown) = body.strip_prefix(PREFIX) else {
        let text = "provided data does not appear to be a protobuf message, \
                    expected prefix [107 56 115 0]";
        return Err(Error::Type(text.to_owned()));
    };
    let mut out = Envelope { api_version: String::new(), kind: String::new(), raw: &[] };
    let mut reader = Reader::new(unknown);
    while let Some((tag, value)) = reader.next()? {
        match (tag, value) {
            (1, Wire::Bytes(meta)) => {
                let mut meta = Reader::new(meta);
                while let Some((tag, value)) = meta.next()? {
                    match (tag, value) {
                        (1, Wire::Bytes(text)) => out.api_version = string(text),
                        (2, Wire::Bytes(text)) => out.kind = string(text),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(raw)) => out.raw = raw,
            _ => {}
        }
    }
    Ok(out)
}

fn message(of: &'static Type, bytes: &[u8], depth: usize) -> Result<Value, Error> {
    let mut out = Map::new();
    fields(of, bytes, depth, &mut out)?;
    Ok(Value::Object(out))
}

/// Reads the members of a message into the document they stand in.
fn fields(of: &'static Type, bytes: &[u8], depth: usize, out: &mut Map) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Type("exceeded max depth".to_owned()));
    }
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.next()? {
        if let Some(inline) = of.inlines.iter().find(|inline| inline.tag == tag) {
            if let Wire::Bytes(bytes) = value {
                fields(inline.of, bytes, depth + 1, out)?;
            }
        } else if let Some(field) = of.fields.iter().find(|field| field.tag == tag) {
            member(field, value, depth, out)?;
        }
    }
    Ok(())
}

fn member(field: &'static Field, wire: Wire<'_>, depth: usize, out: &mut Map) -> Result<(), Error> {
    match field.kind {
        FieldKind::Array(of) => {
            let slot = out.entry(field.name).or_insert_with(|| Value::Array(List::new()));
            let Value::Array(list) = slot else { return Ok(()) };
            elements(of, wire, depth, list)
        }
        FieldKind::Map(of) => {
            let slot = out.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(map) = slot else { return Ok(()) };
            let (key, value) = entry(of, wire, depth)?;
            map.insert(key, value);
            Ok(())
        }
        _ => {
            let value = value(&field.kind, wire, depth)?;
            // Of fields newer than what is known of their zero values, an empty text says nothing.
            let unset = field.presence == Presence::Unknown && value == "";
            if !value.is_null() && !unset {
                out.insert(field.name.to_owned(), value);
            }
            Ok(())
        }
    }
}

/// One element, or several numbers packed together.
fn elements(
    of: &'static FieldKind,
    wire: Wire<'_>,
    depth: usize,
    list: &mut List,
) -> Result<(), Error> {
    if let (FieldKind::Integer { .. } | FieldKind::Boolean, Wire::Bytes(packed)) = (of, &wire) {
        let mut reader = Reader::new(packed);
        while !reader.is_empty() {
            list.push(value(of, Wire::Varint(reader.varint()?), depth)?);
        }
        return Ok(());
    }
    let element = value(of, wire, depth)?;
    list.push(if element.is_null() { scalar::zero(*of) } else { element });
    Ok(())
}

fn entry(of: &'static FieldKind, wire: Wire<'_>, depth: usize) -> Result<(String, Value), Error> {
    let (mut key, mut found) = (String::new(), Value::Null);
    if let Wire::Bytes(bytes) = wire {
        let mut reader = Reader::new(bytes);
        while let Some((tag, wire)) = reader.next()? {
            match (tag, wire) {
                (1, Wire::Bytes(text)) => key = string(text),
                (2, wire) => found = value(of, wire, depth)?,
                _ => {}
            }
        }
    }
    Ok((key, if found.is_null() { scalar::zero(*of) } else { found }))
}

/// A single value; null when it is absent or of a form this kind cannot have.
fn value(kind: &'static FieldKind, wire: Wire<'_>, depth: usize) -> Result<Value, Error> {
    Ok(match (kind, wire) {
        (FieldKind::Boolean, Wire::Varint(number)) => (number != 0).into(),
        (FieldKind::Integer { bits: 64 }, Wire::Varint(number)) => number.cast_signed().into(),
        (FieldKind::Integer { .. }, Wire::Varint(number)) => low_half(number).into(),
        (FieldKind::Number, Wire::Fixed64(bits)) => f64::from_bits(bits).into(),
        (FieldKind::String, Wire::Bytes(bytes)) => string(bytes).into(),
        (FieldKind::Bytes, Wire::Bytes(bytes)) => scalar::encode(bytes).into(),
        (FieldKind::Quantity, Wire::Bytes(bytes)) => {
            wire::single(bytes, 1)?.map_or(Value::Null, |bytes| string(bytes).into())
        }
        (FieldKind::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes)?,
        (FieldKind::Time, Wire::Bytes(bytes)) => timestamp(bytes, false)?,
        (FieldKind::MicroTime, Wire::Bytes(bytes)) => timestamp(bytes, true)?,
        (FieldKind::RawExtension | FieldKind::Any, Wire::Bytes(bytes)) => raw(bytes, depth)?,
        (FieldKind::Object(of), Wire::Bytes(bytes)) => message(of, bytes, depth + 1)?,
        (FieldKind::Array(of), Wire::Bytes(bytes)) => nested_list(of, bytes, depth + 1)?,
        _ => Value::Null,
    })
}

/// A list as the value of a map is a message whose first field repeats.
fn nested_list(of: &'static FieldKind, bytes: &[u8], depth: usize) -> Result<Value, Error> {
    let mut list = List::new();
    let mut reader = Reader::new(bytes);
    while let Some((tag, wire)) = reader.next()? {
        if tag == 1 {
            elements(of, wire, depth, &mut list)?;
        }
    }
    Ok(list.into())
}

fn int_or_string(bytes: &[u8]) -> Result<Value, Error> {
    let (mut is_string, mut number, mut text) = (false, 0, String::new());
    let mut reader = Reader::new(bytes);
    while let Some((tag, wire)) = reader.next()? {
        match (tag, wire) {
            (1, Wire::Varint(kind)) => is_string = kind == 1,
            (2, Wire::Varint(value)) => number = low_half(value),
            (3, Wire::Bytes(bytes)) => text = string(bytes),
            _ => {}
        }
    }
    Ok(if is_string { text.into() } else { number.into() })
}

/// Seconds and nanoseconds; an empty message is the zero time.
fn timestamp(bytes: &[u8], micro: bool) -> Result<Value, Error> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut reader = Reader::new(bytes);
    while let Some((tag, wire)) = reader.next()? {
        match (tag, wire) {
            (1, Wire::Varint(value)) => seconds = value.cast_signed(),
            (2, Wire::Varint(value)) => nanos = i64::from(low_half(value)),
            _ => {}
        }
    }
    let Some(all) = seconds.checked_mul(1_000_000_000).and_then(|all| all.checked_add(nanos))
    else {
        return Ok(Value::Null);
    };
    let time = world::Time::from_unix_nanos(all);
    Ok(if micro { time.rfc3339_micro() } else { time.rfc3339() }.into())
}

/// JSON inside protobuf, or another document in its envelope.
fn raw(bytes: &[u8], depth: usize) -> Result<Value, Error> {
    let Some(inner) = wire::single(bytes, 1)? else { return Ok(Value::Null) };
    if inner.starts_with(PREFIX) && depth < MAX_DEPTH / 10 {
        return Ok(from_protobuf(inner).map_or(Value::Null, |named| named.decoded.value));
    }
    Ok(serde_json::from_slice(inner).unwrap_or(Value::Null))
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An int32 is sent sign-extended to 64 bits.
fn low_half(number: u64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "the upper half only repeats the sign")]
    let half = number as i32;
    half
}

#[cfg(test)]
mod tests;
