//! Tables of custom resources: the name and the columns that the definition names.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor`.

use apimachinery::{ObjectExt as _, duration};
use apimachinery::{Value, json};
use world::Time;

use super::{Definition, path};

/// One column of a definition.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i32,
    path: String,
}

/// The columns after the name.
pub(crate) fn columns(definition: &Definition, version: &str) -> Vec<Column> {
    let version = definition.version(version);
    let given = version.map_or(&[][..], |of| of.list_at(&["additionalPrinterColumns"]));
    if given.is_empty() {
        return vec![Column {
            name: "Age".to_owned(),
            kind: "date".to_owned(),
            format: String::new(),
            description: String::new(),
            priority: 0,
            path: ".metadata.creationTimestamp".to_owned(),
        }];
    }
    let column = |of: &Value| Column {
        name: of.str_at(&["name"]).to_owned(),
        kind: of.str_at(&["type"]).to_owned(),
        format: of.str_at(&["format"]).to_owned(),
        description: of.str_at(&["description"]).to_owned(),
        priority: of.int_at(&["priority"]).and_then(|p| i32::try_from(p).ok()).unwrap_or(0),
        path: of.str_at(&["jsonPath"]).to_owned(),
    };
    given.iter().map(column).collect()
}

/// The row of an object.
pub(crate) fn cells(columns: &[Column], object: &Value, now: Time) -> Vec<Value> {
    let rest = columns.iter().map(|column| {
        let found = path::first(&column.path, object);
        cell(&column.kind, found.unwrap_or(&Value::Null), now)
    });
    std::iter::once(json!(object.name())).chain(rest).collect()
}

fn cell(kind: &str, found: &Value, now: Time) -> Value {
    match (kind, found) {
        ("date", Value::String(text)) => {
            let then = Time::parse_rfc3339(text);
            let seconds = then.map(|then| now.unix_seconds() - then.unix_seconds());
            json!(duration::age_or_unknown(seconds))
        }
        ("integer" | "number", Value::Number(_)) | ("boolean", Value::Bool(_)) => found.clone(),
        ("string", Value::String(_)) => found.clone(),
        ("string", Value::Null) => Value::Null,
        ("string", other) => json!(other.to_string()),
        _ => Value::Null,
    }
}
