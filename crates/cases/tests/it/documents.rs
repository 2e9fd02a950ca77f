//! Comparing documents: what upstream leaves at its zero value is absent from its recordings.

use std::collections::BTreeSet;

use apimachinery::{Map, Value};

use crate::harness::Outcome;

/// `value` without nulls, empty maps, lists and texts, at any depth.
pub(crate) fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(key, value)| (key.clone(), bare(value)));
            Value::Object(kept.filter(|(_, value)| !is_blank(value)).collect::<Map>())
        }
        Value::Array(list) => list.iter().map(bare).collect(),
        other => other.clone(),
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// `value` without the fields `names`, at any depth.
pub(crate) fn without(value: &Value, names: &[&str]) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !names.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key.clone(), without(value, names))).collect())
        }
        Value::Array(list) => list.iter().map(|value| without(value, names)).collect(),
        other => other.clone(),
    }
}

/// Passes when both documents are equal; names the places that differ.
pub(crate) fn same_document(got: &Value, want: &Value) -> Outcome {
    let mut places = Vec::new();
    differences(got, want, "", &mut places);
    if places.is_empty() {
        Outcome::Pass
    } else {
        Outcome::Fail(format!("\n    {}", places.join("\n    ")))
    }
}

/// Where two documents differ, as `path: want …, got …`.
pub(crate) fn differences(got: &Value, want: &Value, path: &str, places: &mut Vec<String>) {
    match (got, want) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&apimachinery::Text> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) =
                    (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differences(a, b, &format!("{path}.{key}"), places);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}[{index}]"), places);
            }
        }
        (a, b) if a == b => {}
        (a, b) => places.push(format!("{path}: want {b}, got {a}")),
    }
}
