//! Types and fields from `OpenAPI` v2 definitions.
//!
//! Invariant: a type that is there already only gains fields, marked `old`.

use serde_json::Value;

use crate::codegen::facts::{Facts, Field, Kind, Type, split};

/// Which document is read; decides which packages count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A recent Kubernetes: its stable versions.
    Modern,
    /// `OpenShift` 3: its own groups.
    OpenShift,
    /// Kubernetes 1.11: everything but alpha.
    Old,
}

/// Kinds every group serves; the core group's entry stands for all.
const IN_EVERY_GROUP: usize = 10;

/// Adds the definitions of a document.
pub(crate) fn add(facts: &mut Facts, document: &Value, source: Source) {
    let definitions = document.get("definitions").or_else(|| document.get("$defs"));
    let Some(definitions) = definitions.and_then(Value::as_object) else { return };
    for (name, definition) in definitions {
        if !wanted(name, source) || special(name).is_some() {
            continue;
        }
        let Some(properties) = definition.get("properties").and_then(Value::as_object) else {
            continue;
        };
        let read = Type {
            served: served(definition),
            map: definition.get("x-kubernetes-map-type").and_then(Value::as_str).map(str::to_owned),
            fields: properties
                .iter()
                .map(|(name, property)| (name.clone(), field(name, property, definition)))
                .collect(),
            inlines: Vec::new(),
        };
        merge(facts, name, read);
    }
}

fn merge(facts: &mut Facts, name: &str, read: Type) {
    let Some(known) = facts.get_mut(name) else {
        facts.insert(name.to_owned(), read);
        return;
    };
    for served in read.served {
        if !known.served.contains(&served) {
            known.served.push(served);
        }
    }
    for (name, mut field) in read.fields {
        if let Some(known) = known.fields.get_mut(&name) {
            // Older documents know patch keys that newer ones dropped with the feature.
            if known.patch.is_empty() {
                known.patch = field.patch;
                known.merge_key = field.merge_key;
            }
        } else {
            field.old = true;
            field.required = false;
            known.fields.insert(name, field);
        }
    }
}

fn wanted(name: &str, source: Source) -> bool {
    let (package, _) = split(name);
    if package.starts_with("io.k8s.kubernetes.") {
        return false;
    }
    let (_, version) = split(package);
    match source {
        Source::OpenShift => package.starts_with("com.github.openshift."),
        Source::Old => !version.contains("alpha"),
        Source::Modern => !version.contains("alpha") && !version.contains("beta"),
    }
}

fn served(definition: &Value) -> Vec<String> {
    let Some(list) = definition.get("x-kubernetes-group-version-kind").and_then(Value::as_array)
    else {
        return Vec::new();
    };
    let text = |entry: &Value, key: &str| {
        entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut out: Vec<String> = list
        .iter()
        .map(|entry| match text(entry, "group").as_str() {
            "" => text(entry, "version"),
            group => format!("{group}/{}", text(entry, "version")),
        })
        .collect();
    if out.len() > IN_EVERY_GROUP {
        out.retain(|served| served == "v1");
    }
    out.sort();
    out.dedup();
    out
}

/// Definitions that are one value, not a struct.
fn special(name: &str) -> Option<&'static str> {
    let (package, short) = split(name);
    Some(match short {
        "Quantity" if package.ends_with("api.resource") => "quantity",
        "IntOrString" => "int-or-string",
        "RawExtension" => "raw",
        "Time" if package.ends_with("meta.v1") => "time",
        "MicroTime" if package.ends_with("meta.v1") => "micro-time",
        "FieldsV1" | "Patch" if package.ends_with("meta.v1") => "any",
        "JSON"
        | "JSONSchemaPropsOrArray"
        | "JSONSchemaPropsOrBool"
        | "JSONSchemaPropsOrStringArray"
        | "CustomResourceSubresourceStatus" => "any",
        _ => return None,
    })
}

fn field(name: &str, property: &Value, definition: &Value) -> Field {
    let text = |key: &str| property.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut field = Field::new(kind(property));
    field.required = definition
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|list| list.iter().any(|entry| entry == name));
    field.list = text("x-kubernetes-list-type");
    field.map = text("x-kubernetes-map-type");
    field.merge_key = text("x-kubernetes-patch-merge-key");
    field.patch = text("x-kubernetes-patch-strategy")
        .map(|list| list.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    field.keys = property
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .map(|keys| keys.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    field
}

fn kind(schema: &Value) -> Kind {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return match special(name) {
            Some(primitive) => Kind::primitive(primitive),
            None => Kind::Object(name.to_owned()),
        };
    }
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let primitive = match (type_word(schema), format) {
        ("integer", "int64") => "int64",
        ("integer", _) => "int32",
        ("number", _) => "double",
        ("boolean", _) => "bool",
        ("string", "byte") => "bytes",
        ("string", "date-time") => "time",
        ("string", "int-or-string") => "int-or-string",
        ("string", _) => "string",
        ("array", _) => return Kind::List(Box::new(kind(&schema["items"]))),
        ("object", _) if schema.get("additionalProperties").is_some() => {
            return Kind::Map(Box::new(kind(&schema["additionalProperties"])));
        }
        _ => "any",
    };
    Kind::primitive(primitive)
}

/// The JSON type; nullable types are written as a pair with `null`.
fn type_word(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(word)) => word,
        Some(Value::Array(words)) => {
            words.iter().filter_map(Value::as_str).find(|word| *word != "null").unwrap_or_default()
        }
        _ => "",
    }
}

/// Drops helper types that nothing served leads to, and turns dangling references into `any`.
pub(crate) fn drop_unreachable(facts: &mut Facts) {
    let mut reached = std::collections::BTreeSet::new();
    let mut queue: Vec<String> = facts
        .iter()
        .filter(|(_, of)| !of.served.is_empty())
        .map(|(name, _)| name.clone())
        .collect();
    while let Some(name) = queue.pop() {
        if let Some(of) = facts.get(&name)
            && reached.insert(name)
        {
            let referred = of.fields.values().filter_map(|field| field.kind.referred());
            queue.extend(referred.map(str::to_owned));
        }
    }
    facts.retain(|name, _| reached.contains(name));
    let known: std::collections::BTreeSet<String> = facts.keys().cloned().collect();
    for field in facts.values_mut().flat_map(|of| of.fields.values_mut()) {
        if field.kind.referred().is_some_and(|name| !known.contains(name)) {
            field.kind = Kind::primitive("any");
        }
    }
}
