//! A structural `OpenAPI` v3 schema, as custom resources have one, seen as a [`Schema`].

use crate::Value;

use super::schema::{ListKind, Schema, Shape};

/// A place in a schema document.
#[derive(Debug, Clone, Copy)]
pub enum Structural<'a> {
    /// The schema of the value here.
    Of(&'a Value),
    /// Nothing is said about the value here.
    Unknown,
}

impl<'a> Structural<'a> {
    fn text(self, keyword: &str) -> &'a str {
        let Self::Of(schema) = self else { return "" };
        schema.get(keyword).and_then(Value::as_str).unwrap_or_default()
    }

    fn get(self, keyword: &str) -> Option<&'a Value> {
        let Self::Of(schema) = self else { return None };
        schema.get(keyword)
    }

    fn preserves(self) -> bool {
        let marked =
            self.get("x-kubernetes-preserve-unknown-fields").is_some_and(|flag| flag == true)
                || self.get("x-kubernetes-embedded-resource").is_some_and(|flag| flag == true);
        marked || matches!(self, Self::Unknown)
    }
}

impl Schema for Structural<'_> {
    fn shape(self) -> Shape {
        match self.text("type") {
            "object" if self.text("x-kubernetes-map-type") == "atomic" => Shape::Leaf,
            "object" => Shape::Map,
            "array" => match self.text("x-kubernetes-list-type") {
                "set" => Shape::List(ListKind::Set),
                "map" => Shape::List(ListKind::Map),
                _ => Shape::Leaf,
            },
            "" if self.preserves() => Shape::Deduced,
            _ => Shape::Leaf,
        }
    }

    fn member(self, name: &str) -> Option<Self> {
        if let Some(property) = self.get("properties").and_then(|all| all.get(name)) {
            return Some(Self::Of(property));
        }
        match self.get("additionalProperties") {
            Some(additional @ Value::Object(_)) => Some(Self::Of(additional)),
            Some(Value::Bool(true)) => Some(Self::Unknown),
            _ => self.preserves().then_some(Self::Unknown),
        }
    }

    fn declares(self, name: &str) -> bool {
        self.get("properties").is_some_and(|all| all.get(name).is_some())
    }

    fn always(self, _name: &str) -> bool {
        false
    }

    fn element(self) -> Self {
        self.get("items").map_or(Self::Unknown, Self::Of)
    }

    fn keys(self) -> Vec<(String, Option<Value>)> {
        let keys = self.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let default = |key: &str| self.element().member(key)?.get("default").cloned();
        let keys = keys.into_iter().flatten().filter_map(Value::as_str);
        keys.map(|key| (key.to_owned(), default(key))).collect()
    }
}
