//! The columns of tables: those of the kind, and those of the kinds every resource may answer with.

use api::Resource;
use apimachinery::ObjectExt as _;
use serde::Serialize;
use serde_json::Value;
use world::Time;

use crate::legacy;

/// One column as the table describes it.
#[derive(Debug, Serialize)]
pub(crate) struct Definition {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    format: &'static str,
    description: &'static str,
    priority: i32,
}

/// The columns of `kind` as `resource` answers with it; a sub-resource may answer with another kind
/// than the resource's own.
pub(crate) fn definitions(resource: &'static Resource, kind: &str) -> Vec<Definition> {
    if kind == "Scale" && resource.kind != kind {
        return SCALE.iter().map(|(name, kind, format)| column(name, kind, format)).collect();
    }
    api::columns::columns(legacy::shape(resource))
        .iter()
        .map(|column| Definition {
            name: column.name,
            kind: column.kind,
            format: column.format,
            description: column.description,
            priority: column.priority,
        })
        .collect()
}

/// The cells of one row.
pub(crate) fn cells(resource: &'static Resource, object: &Value, now: Time) -> Vec<Value> {
    if object.kind() == "Scale" && resource.kind != "Scale" {
        return scale_cells(object);
    }
    api::columns::cells(legacy::shape(resource), object, now)
}

const SCALE: &[(&str, &str, &str)] = &[
    ("Name", "string", "name"),
    ("Desired", "integer", ""),
    ("Available", "integer", ""),
    ("Created At", "date", ""),
];

fn column(name: &'static str, kind: &'static str, format: &'static str) -> Definition {
    Definition { name, kind, format, description: "", priority: 0 }
}

fn scale_cells(object: &Value) -> Vec<Value> {
    let count = |path: &[&str]| Value::from(object.int_at(path).unwrap_or(0));
    vec![
        Value::from(object.name()),
        count(&["spec", "replicas"]),
        count(&["status", "replicas"]),
        Value::from(object.creation_timestamp()),
    ]
}
