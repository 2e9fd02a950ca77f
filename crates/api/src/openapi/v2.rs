//! The older form of the documents: one for all groups, in Swagger 2.0.
//!
//! kubectl before 1.29 and oc 3 refuse to create anything without it; they read it as
//! [`super::gnostic`] protobuf, browsers and scripts as JSON.
//!
//! Invariant: says the same as the v3 documents.

use apimachinery::{List, Map, Value, json};

use super::{add_types, group_versions, paths, resources_of, schemas};

/// The document at `/openapi/v2`.
#[must_use]
pub fn v2_document() -> Value {
    let mut components = schemas::Components::default();
    let mut all = Map::new();
    for (group, version) in group_versions() {
        let resources = resources_of(group, version).unwrap_or_default();
        for resource in &resources {
            add_types(&mut components, resource);
        }
        if let Value::Object(found) = paths::paths(group, version, &resources, &mut components) {
            all.extend(found.into_iter().map(|(path, item)| (path, path_item(item))));
        }
    }
    let definitions = match components.finish() {
        Value::Object(map) => {
            map.into_iter().map(|(name, value)| (name, schema(value))).collect::<Map>()
        }
        _ => Map::new(),
    };
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": all,
        "definitions": definitions,
    })
}

/// A schema with plain references, which members may stand beside here.
fn schema(value: Value) -> Value {
    let Value::Object(mut map) = value else { return value };
    if let Some(Value::Array(mut list)) = map.remove("allOf") {
        map.remove("default");
        if let Some(Value::Object(reference)) = list.pop() {
            map.extend(reference);
        }
    }
    if map.remove("oneOf").is_some() {
        map.insert("type".to_owned(), "string".into());
    }
    if map.remove("x-kubernetes-preserve-unknown-fields").is_some() {
        map.insert("type".to_owned(), "object".into());
    }
    if let Some(Value::String(name)) = map.get_mut("$ref") {
        *name = name.replace("#/components/schemas/", "#/definitions/");
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(name) {
            *inner = schema(inner.take());
        }
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        for property in properties.values_mut() {
            *property = schema(property.take());
        }
    }
    Value::Object(map)
}

fn path_item(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    map.into_iter()
        .map(|(name, value)| {
            let value = if name == "parameters" { parameters(value) } else { operation(value) };
            (name, value)
        })
        .collect::<Map>()
        .into()
}

fn operation(value: Value) -> Value {
    let Value::Object(mut map) = value else { return value };
    let mut list = match map.remove("parameters").map(parameters) {
        Some(Value::Array(list)) => list,
        _ => List::new(),
    };
    let mut consumes = vec![Value::from("*/*")];
    if let Some(body) = map.remove("requestBody")
        && let Some(content) = body["content"].as_object()
    {
        consumes = content.keys().cloned().map(Value::from).collect();
        let of = content.values().next().map(|media| schema(media["schema"].clone()));
        list.push(json!({
            "name": "body", "in": "body", "required": body["required"], "schema": of,
        }));
    }
    map.insert("consumes".to_owned(), consumes.into());
    map.insert("parameters".to_owned(), list.into());
    map.insert("produces".to_owned(), json!(["application/json"]));
    map.insert("schemes".to_owned(), json!(["https"]));
    if let Some(Value::Object(responses)) = map.get_mut("responses") {
        for response in responses.values_mut() {
            *response = answer(response);
        }
    }
    Value::Object(map)
}

fn answer(response: &Value) -> Value {
    let of = &response["content"]["application/json"]["schema"];
    if of.is_null() {
        json!({"description": response["description"]})
    } else {
        json!({"description": response["description"], "schema": schema(of.clone())})
    }
}

/// Parameters whose type stands in them instead of in a schema.
fn parameters(value: Value) -> Value {
    let Value::Array(list) = value else { return value };
    list.into_iter()
        .map(|parameter| {
            let Value::Object(mut map) = parameter else { return parameter };
            if let Some(Value::Object(schema)) = map.remove("schema") {
                map.extend(schema);
            }
            Value::Object(map)
        })
        .collect()
}
