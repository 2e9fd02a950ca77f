//! The columns of tables: those of the kind, and those of the kinds every resource may answer with.

use std::borrow::Cow;

use api::Resource;
use apimachinery::ObjectExt as _;
use apimachinery::Value;
use serde::Serialize;
use world::Time;

use crate::custom::columns::Column;
use crate::legacy;

/// One column as the table describes it.
#[derive(Debug, Serialize)]
pub(crate) struct Definition {
    name: Cow<'static, str>,
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    format: Cow<'static, str>,
    description: Cow<'static, str>,
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
            name: column.name.into(),
            kind: column.kind.into(),
            format: column.format.into(),
            description: column.description.into(),
            priority: column.priority,
        })
        .collect()
}

/// The columns of a custom resource.
pub(crate) fn custom_definitions(columns: &[Column]) -> Vec<Definition> {
    let name =
        Definition { description: NAME_DESCRIPTION.into(), ..column("Name", "string", "name") };
    let rest = columns.iter().map(|column| Definition {
        name: column.name.clone().into(),
        kind: column.kind.clone().into(),
        format: column.format.clone().into(),
        description: column.description.clone().into(),
        priority: column.priority,
    });
    std::iter::once(name).chain(rest).collect()
}

const NAME_DESCRIPTION: &str = "Name must be unique within a namespace.";

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
    let (name, kind, format) = (name.into(), kind.into(), format.into());
    Definition { name, kind, format, description: "".into(), priority: 0 }
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
