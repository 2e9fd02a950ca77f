//! Schemas as types, documents as values.
//!
//! Invariant: an expression sees the fields that its schema names, by their escaped names, and no others.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model`, `k8s.io/apiserver/pkg/cel`
//! (`escaping.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::{Map, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cel::{Key, Type};

/// What a document of this schema is to an expression. `root` is whether it is a whole object.
pub(super) fn type_of(schema: &Value, root: bool) -> Type {
    if schema.bool_at(&["x-kubernetes-int-or-string"]) {
        return Type::Dyn;
    }
    match schema.str_at(&["type"]) {
        "boolean" => Type::Bool,
        "integer" => Type::Int,
        "number" => Type::Double,
        "string" => match schema.str_at(&["format"]) {
            "byte" => Type::Bytes,
            "duration" => Type::Duration,
            "date" | "date-time" => Type::Timestamp,
            _ => Type::String,
        },
        "array" => {
            let of = schema.get("items").map_or(Type::Dyn, |items| type_of(items, false));
            Type::List(Arc::new(of))
        }
        "object" => object_type(schema, root),
        _ => Type::Dyn,
    }
}

fn object_type(schema: &Value, root: bool) -> Type {
    match schema.get("additionalProperties") {
        Some(of) if of.is_object() => return Type::Map(Arc::new(type_of(of, false))),
        Some(Value::Bool(true)) => return Type::Map(Arc::new(Type::Dyn)),
        _ => {}
    }
    let mut fields = BTreeMap::new();
    for (name, of) in schema.map_at(&["properties"]).into_iter().flatten() {
        if let Some(name) = escape(name) {
            fields.insert(name, type_of(of, false));
        }
    }
    if root || schema.bool_at(&["x-kubernetes-embedded-resource"]) {
        fields.insert("apiVersion".to_owned(), Type::String);
        fields.insert("kind".to_owned(), Type::String);
        let names = ["name", "generateName"].map(|name| (name.to_owned(), Type::String));
        fields.insert("metadata".to_owned(), Type::Object(Arc::new(BTreeMap::from(names))));
    }
    Type::Object(Arc::new(fields))
}

/// A document as an expression sees it.
pub(super) fn value_of(schema: &Value, value: &Value, root: bool) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|_| schema.str_at(&["type"]) != "number");
            match whole {
                Some(whole) => cel::Value::Int(whole),
                None if schema.str_at(&["type"]) == "integer" => whole_of(number.as_f64()),
                None => cel::Value::Double(number.as_f64().unwrap_or_default()),
            }
        }
        Value::String(text) => text_of(schema, text),
        Value::Array(items) => {
            let of = schema.get("items").unwrap_or(&Value::Null);
            cel::Value::list(items.iter().map(|item| value_of(of, item, false)).collect())
        }
        Value::Object(map) => cel::Value::Map(Arc::new(entries(schema, map, root))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "integers are within 64 bits")]
fn whole_of(number: Option<f64>) -> cel::Value {
    cel::Value::Int(number.unwrap_or_default() as i64)
}

fn entries(schema: &Value, map: &Map, root: bool) -> BTreeMap<Key, cel::Value> {
    let key = |name: &str| Key::String(name.into());
    if let Some(of) = schema.get("additionalProperties").filter(|of| **of != Value::Bool(false)) {
        return map.iter().map(|(name, item)| (key(name), value_of(of, item, false))).collect();
    }
    if schema.get("type").is_none() {
        let of = &Value::Null;
        return map.iter().map(|(name, item)| (key(name), value_of(of, item, false))).collect();
    }
    let mut out = BTreeMap::new();
    for (name, of) in schema.map_at(&["properties"]).into_iter().flatten() {
        if let (Some(escaped), Some(item)) = (escape(name), map.get(name)) {
            out.insert(key(&escaped), value_of(of, item, false));
        }
    }
    if root || schema.bool_at(&["x-kubernetes-embedded-resource"]) {
        for name in ["apiVersion", "kind"] {
            if let Some(text) = map.get(name).and_then(Value::as_str) {
                out.insert(key(name), text.into());
            }
        }
        let names = map.get("metadata").and_then(Value::as_object).into_iter().flatten();
        let names = names
            .filter(|(name, _)| matches!(name.as_str(), "name" | "generateName"))
            .filter_map(|(name, text)| Some((key(name), text.as_str()?.into())));
        out.insert(key("metadata"), cel::Value::Map(Arc::new(names.collect())));
    }
    out
}

fn text_of(schema: &Value, text: &str) -> cel::Value {
    let read = match schema.str_at(&["format"]) {
        "byte" => STANDARD.decode(text).ok().map(|bytes| cel::Value::Bytes(bytes.into())),
        "date-time" => cel::Value::timestamp(text),
        "date" => cel::Value::timestamp(&format!("{text}T00:00:00Z")),
        "duration" => cel::Value::duration(text),
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}

/// The name of a field in expressions; `None` for one that no expression can name.
pub(super) fn escape(name: &str) -> Option<String> {
    let word = matches!(name, "true" | "false" | "null" | "in");
    if word || cel::parse::RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let escaped = name
        .replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__");
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    escaped.chars().all(word).then_some(escaped)
}

/// Whether `.a.b` or `['a']` leads from this schema to a field that it names.
pub(super) fn leads_to_field(schema: &Value, path: &str) -> bool {
    let mut at = schema;
    let mut rest = path;
    while !rest.is_empty() {
        let name = if let Some(quoted) = rest.strip_prefix("['") {
            let Some((name, after)) = quoted.split_once("']") else { return false };
            rest = after;
            name
        } else if let Some(plain) = rest.strip_prefix('.') {
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            rest = &plain[end..];
            &plain[..end]
        } else {
            return false;
        };
        let below = at.at(&["properties", name]);
        let below = below.or_else(|| at.get("additionalProperties").filter(|of| of.is_object()));
        let Some(below) = below else { return false };
        at = below;
    }
    true
}
