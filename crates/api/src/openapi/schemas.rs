//! Types as `OpenAPI` v3 schemas.
//!
//! Invariant: every schema that is referred to is in the document.

use std::collections::BTreeMap;

use apimachinery::{Map, Value, json};

use crate::schema::{Field, FieldKind, ListType, Type, type_of};

const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/// The schemas of one document.
#[derive(Debug, Default)]
pub(super) struct Components {
    schemas: BTreeMap<&'static str, Value>,
}

impl Components {
    /// Adds a type and all that it refers to; gives a reference to it.
    pub(super) fn add(&mut self, of: &'static Type) -> Value {
        if !self.schemas.contains_key(of.name) {
            // Entered first: types may refer to themselves.
            self.schemas.insert(of.name, Value::Null);
            let schema = self.definition(of);
            self.schemas.insert(of.name, schema);
        }
        reference(of.name)
    }

    /// A reference to the type of a kind, if it is known.
    pub(super) fn add_kind(&mut self, group: &str, version: &str, kind: &str) -> Option<Value> {
        type_of(group, version, kind).map(|of| self.add(of))
    }

    /// A reference to the schema of patches.
    pub(super) fn add_patch(&mut self) -> Value {
        self.schemas.insert(PATCH, json!({"type": "object"}));
        reference(PATCH)
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(
            self.schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect(),
        )
    }

    fn definition(&mut self, of: &'static Type) -> Value {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        let properties: Map =
            of.fields.iter().map(|field| (field.name.to_owned(), self.property(field))).collect();
        if !properties.is_empty() {
            schema.insert("properties".to_owned(), properties.into());
        }
        let required: Vec<&str> =
            of.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        if of.atomic {
            schema.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        if !of.served.is_empty() {
            let kind = of.short_name();
            let kinds = of.served.iter().map(|(group, version)| gvk(group, version, kind));
            schema.insert("x-kubernetes-group-version-kind".to_owned(), kinds.collect());
        }
        schema.into()
    }

    fn property(&mut self, field: &'static Field) -> Value {
        let mut schema = self.kind(&field.kind);
        let Value::Object(out) = &mut schema else { return schema };
        if let Some(list_type) = field.list_type {
            let word = match list_type {
                ListType::Atomic => "atomic",
                ListType::Set => "set",
                ListType::Map => "map",
            };
            out.insert("x-kubernetes-list-type".to_owned(), word.into());
        }
        if !field.map_keys.is_empty() {
            out.insert("x-kubernetes-list-map-keys".to_owned(), field.map_keys.into());
        }
        if field.atomic {
            out.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        let strategy = field.patch.text();
        if !strategy.is_empty() {
            out.insert("x-kubernetes-patch-strategy".to_owned(), strategy.into());
        }
        if let Some(key) = field.merge_key {
            out.insert("x-kubernetes-patch-merge-key".to_owned(), key.into());
        }
        schema
    }

    fn kind(&mut self, kind: &'static FieldKind) -> Value {
        match kind {
            FieldKind::String => json!({"type": "string"}),
            FieldKind::Integer { bits } => json!({"type": "integer", "format": format!("int{bits}")}),
            FieldKind::Number => json!({"type": "number", "format": "double"}),
            FieldKind::Boolean => json!({"type": "boolean"}),
            FieldKind::Bytes => json!({"type": "string", "format": "byte"}),
            FieldKind::IntOrString => self.special(
                INT_OR_STRING,
                || json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
            ),
            FieldKind::Quantity => self
                .special(QUANTITY, || json!({"oneOf": [{"type": "string"}, {"type": "number"}]})),
            FieldKind::Time => self.special(TIME, date_time),
            FieldKind::MicroTime => self.special(MICRO_TIME, date_time),
            FieldKind::RawExtension => self.special(RAW_EXTENSION, || json!({"type": "object"})),
            FieldKind::Object(of) => wrapped(&self.add(of)),
            FieldKind::Map(of) => {
                json!({"type": "object", "additionalProperties": self.kind(of)})
            }
            FieldKind::Array(of) => json!({"type": "array", "items": self.kind(of)}),
            FieldKind::Any => json!({"x-kubernetes-preserve-unknown-fields": true}),
        }
    }

    fn special(&mut self, name: &'static str, schema: impl FnOnce() -> Value) -> Value {
        self.schemas.entry(name).or_insert_with(schema);
        wrapped(&reference(name))
    }
}

fn date_time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Members beside `$ref` are ignored by the standard, so references are wrapped.
fn wrapped(reference: &Value) -> Value {
    json!({"allOf": [reference], "default": {}})
}

/// A kind as the vendor extension spells it.
pub(super) fn gvk(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "kind": kind, "version": version})
}
