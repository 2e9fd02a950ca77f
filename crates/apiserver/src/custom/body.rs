//! From a custom resource's body to a document: pruned and defaulted by the version's schema.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}`.

use api::Resource;
use api::decode::{self, Mode};
use api::schema::{FieldKind, Type, type_of};
use apimachinery::{Map, Value, json};
use apimachinery::{ObjectExt as _, Status};

use super::Definition;
use crate::schema::{Body, Decoded, identify};

/// Decodes a body sent to a custom resource; gives the document in the storage version.
pub(crate) fn decode(
    definition: &Definition,
    resource: &'static Resource,
    body: Body,
    mode: Mode,
) -> Result<Decoded, Status> {
    let found = Some((resource.kind, resource.version));
    let refuse = |error: decode::Error| decode::refusal(&error, found, resource.kind, &[]);
    let (api_version, kind) =
        body.names().map_err(|error| decode::refusal(&error, None, resource.kind, body.bytes()))?;
    identify(resource, &api_version, &kind)?;
    let decoded = body.decode(None, mode).map_err(refuse)?;
    let mut object = decoded.value;
    if let Some(metadata) = object.get_mut("metadata").filter(|metadata| !metadata.is_null()) {
        let of = object_meta();
        let decoded = decode::from_value(of, metadata.take(), mode).map_err(refuse)?;
        *metadata = decoded.value;
    }
    let mut unknown = Vec::new();
    if let Some(schema) = definition.schema(resource.version) {
        let open = definition.preserves();
        let mut prune = Prune { unknown: &mut unknown, open };
        prune.root(schema, &mut object);
        fill(schema, &mut object);
    }
    if mode == Mode::Strict && !unknown.is_empty() {
        return Err(refuse(decode::Error::Strict(unknown)));
    }
    if mode == Mode::Ignore {
        unknown.clear();
    }
    let storage = apimachinery::gvk::api_version(resource.storage.0, resource.storage.1);
    object.set(&["apiVersion"], json!(storage));
    object.set(&["kind"], json!(resource.kind));
    Ok(Decoded { object, warnings: unknown })
}

/// The type of every object's metadata.
fn object_meta() -> &'static Type {
    let metadata = type_of("", "v1", "Pod").and_then(|pod| pod.field("metadata"));
    match metadata.map(|field| field.kind) {
        Some(FieldKind::Object(of)) => of,
        _ => unreachable!("pods have metadata"),
    }
}

struct Prune<'a> {
    unknown: &'a mut Vec<String>,
    /// Whether unknown fields stay everywhere.
    open: bool,
}

impl Prune<'_> {
    fn root(&mut self, schema: &Value, object: &mut Value) {
        let Value::Object(map) = object else { return };
        let kept: Vec<(apimachinery::Text, Value)> = ["apiVersion", "kind", "metadata"]
            .iter()
            .filter_map(|name| map.remove_entry(name))
            .collect();
        self.value(schema, object, "");
        if let Value::Object(map) = object {
            map.extend(kept);
        }
    }

    fn value(&mut self, schema: &Value, value: &mut Value, path: &str) {
        match value {
            Value::Object(map) => {
                let embedded = schema.bool_at(&["x-kubernetes-embedded-resource"]);
                self.map(schema, map, path, embedded);
            }
            Value::Array(items) => {
                let Some(of) = schema.get("items") else { return };
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(of, item, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    fn map(&mut self, schema: &Value, map: &mut Map, path: &str, embedded: bool) {
        let open = self.open || schema.bool_at(&["x-kubernetes-preserve-unknown-fields"]);
        let properties = schema.get("properties");
        let additional = schema.get("additionalProperties");
        let mut gone = Vec::new();
        for (name, value) in map.iter_mut() {
            let place = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            let property = properties.and_then(|all| all.get(name));
            match (property, additional) {
                (Some(of), _) => self.value(of, value, &place),
                (None, Some(of @ Value::Object(_))) => self.value(of, value, &place),
                (None, Some(Value::Bool(true))) => {}
                _ if embedded && ["apiVersion", "kind", "metadata"].contains(&&**name) => {}
                _ if open => {}
                _ => {
                    self.unknown.push(format!("unknown field {place:?}"));
                    gone.push(name.clone());
                }
            }
        }
        for name in gone {
            map.remove(&name);
        }
    }
}

/// Puts defaults in where nothing is.
fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, of) in properties.into_iter().flatten() {
                if let Some(default) = of.get("default") {
                    let nullable = of.bool_at(&["nullable"]);
                    let missing = |there: &Value| there.is_null() && !nullable;
                    if map.get(name).is_none_or(missing) {
                        map.insert(name.clone(), default.clone());
                    }
                }
                if let Some(value) = map.get_mut(name) {
                    fill(of, value);
                }
            }
            if let Some(of @ Value::Object(_)) = schema.get("additionalProperties") {
                let declared = |name: &str| properties.is_some_and(|all| all.contains_key(name));
                let free = map.iter_mut().filter(|(name, _)| !declared(name));
                free.for_each(|(_, value)| fill(of, value));
            }
        }
        Value::Array(items) => {
            if let Some(of) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(of, item));
            }
        }
        _ => {}
    }
}
