//! The OpenAPI v2 document, made of the v3 ones: one document for all groups.
//!
//! Clients up to kubectl 1.28 and oc of OpenShift 3 and 4.2 read only this form.
//!
//! Invariant: every reference has its definition, because each v3 document is complete.

use apimachinery::{List, Map, Text, Value, json};

const METHODS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch"];

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    let mut definitions = Map::new();
    let mut seen = Vec::new();
    for resource in api::resources() {
        let version = (resource.group, resource.version);
        if seen.contains(&version) {
            continue;
        }
        seen.push(version);
        let Some(mut part) = api::openapi::v3_document(version.0, version.1) else { continue };
        for (name, item) in take(&mut part, "/paths") {
            paths.insert(name, path_item(item));
        }
        for (name, schema) in take(&mut part, "/components/schemas") {
            definitions.insert(name, self::schema(schema));
        }
    }
    json!({
        "swagger": "2.0",
        "info": {"title": "OpenShift API (with Kubernetes)", "version": "v3.11.0"},
        "paths": paths,
        "definitions": definitions,
    })
}

fn take(document: &mut Value, pointer: &str) -> Map {
    match document.pointer_mut(pointer).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn path_item(item: Value) -> Value {
    let Value::Object(members) = item else { return item };
    let members = members.into_iter().map(|(name, member)| {
        let member = match name.as_str() {
            "parameters" => parameters(member),
            word if METHODS.contains(&word) => operation(member),
            _ => member,
        };
        (name, member)
    });
    Value::Object(members.collect())
}

fn operation(operation: Value) -> Value {
    let Value::Object(mut members) = operation else { return operation };
    let mut list = match members.remove("parameters").map(parameters) {
        Some(Value::Array(list)) => list,
        _ => List::new(),
    };
    if let Some(body) = members.remove("requestBody") {
        let content = body.get("content").and_then(Value::as_object);
        let consumes: Vec<&Text> = content.into_iter().flat_map(Map::keys).collect();
        members.insert("consumes".to_owned(), json!(consumes));
        list.push(json!({
            "in": "body",
            "name": "body",
            "required": body.get("required").cloned().unwrap_or(Value::Bool(false)),
            "schema": first_schema(&body),
        }));
    }
    let mut produces = Vec::new();
    if let Some(Value::Object(responses)) = members.get_mut("responses") {
        for response in responses.values_mut() {
            let content = response.get("content").and_then(Value::as_object);
            produces.extend(content.into_iter().flat_map(Map::keys).cloned());
            let schema = first_schema(response);
            let description = response.get("description").cloned().unwrap_or_default();
            *response = json!({"description": description, "schema": schema});
        }
    }
    produces.sort();
    produces.dedup();
    members.insert("produces".to_owned(), json!(produces));
    members.insert("parameters".to_owned(), Value::Array(list));
    Value::Object(members)
}

fn first_schema(holder: &Value) -> Value {
    let content = holder.get("content").and_then(Value::as_object);
    let media = content.and_then(|content| content.values().next());
    schema(media.and_then(|media| media.get("schema")).cloned().unwrap_or_else(|| json!({})))
}

/// In v2 the type of a parameter stands in the parameter itself.
fn parameters(list: Value) -> Value {
    let Value::Array(list) = list else { return list };
    let list = list.into_iter().map(|parameter| {
        let Value::Object(mut members) = parameter else { return parameter };
        if let Some(Value::Object(schema)) = members.remove("schema") {
            members.extend(schema);
        }
        Value::Object(members)
    });
    Value::Array(list.collect())
}

/// A schema in v2's words: references stand alone, a choice of types is a string.
fn schema(schema: Value) -> Value {
    let Value::Object(members) = schema else { return schema };
    let mut changed = Map::new();
    let wrapped = members.contains_key("allOf");
    for (name, member) in members {
        match (name.as_str(), member) {
            ("$ref", Value::String(reference)) => {
                changed.insert(name, json!(local(&reference)));
            }
            ("allOf", Value::Array(parts)) => {
                for part in parts {
                    if let Value::Object(part) = self::schema(part) {
                        changed.extend(part);
                    }
                }
            }
            ("oneOf", _) => {
                changed.insert("type".to_owned(), json!("string"));
            }
            ("default", _) if wrapped => {}
            ("properties", Value::Object(properties)) => {
                let properties: Map =
                    properties.into_iter().map(|(name, of)| (name, self::schema(of))).collect();
                changed.insert(name, Value::Object(properties));
            }
            ("items" | "additionalProperties", of) => {
                changed.insert(name, self::schema(of));
            }
            (_, member) => {
                changed.insert(name, member);
            }
        }
    }
    Value::Object(changed)
}

fn local(reference: &str) -> String {
    reference.replace("#/components/schemas/", "#/definitions/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_put_in_older_words() {
        let of = json!({"type": "object", "properties": {
            "spec": {"allOf": [{"$ref": "#/components/schemas/a.Spec"}], "default": {},
                     "x-kubernetes-patch-strategy": "retainKeys"},
            "port": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
            "list": {"type": "array", "items": {"$ref": "#/components/schemas/b"}},
        }});
        assert_eq!(
            schema(of),
            json!({"type": "object", "properties": {
                "spec": {"$ref": "#/definitions/a.Spec",
                         "x-kubernetes-patch-strategy": "retainKeys"},
                "port": {"type": "string", "format": "int-or-string"},
                "list": {"type": "array", "items": {"$ref": "#/definitions/b"}},
            }})
        );
    }

    #[test]
    fn every_reference_has_its_definition() {
        let document = document();
        let definitions = document["definitions"].as_object().unwrap();
        assert!(document["paths"].as_object().unwrap().contains_key("/api/v1/namespaces"));
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#/definitions/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(definitions.contains_key(name), "{name}");
        }
        assert!(!text.contains("#/components/"));
    }
}
