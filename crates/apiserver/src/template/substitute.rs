//! References to parameters in texts: `${NAME}` puts the value into the text, a text that is just
//! `${{NAME}}` becomes the JSON that the value is.
//!
//! Invariant: references to unknown parameters stay as they are.

use std::collections::BTreeMap;

use apimachinery::Value;

type Values = BTreeMap<String, String>;

/// Whether a text refers to any parameter by `${NAME}`.
pub(super) fn has_reference(text: &str) -> bool {
    next_reference(text).is_some()
}

/// The text with values in the place of references.
pub(super) fn in_text(text: &str, values: &Values) -> String {
    if let Some(value) = whole(text).and_then(|name| values.get(name)) {
        return value.clone();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, name, end)) = next_reference(rest) {
        out.push_str(&rest[..start]);
        match values.get(name) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The document with values in the place of references, in keys as well.
pub(super) fn in_document(document: &Value, values: &Values) -> Value {
    match document {
        Value::String(text) => match whole(text).and_then(|name| values.get(name)) {
            Some(value) => {
                serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.clone()))
            }
            None => Value::from(in_text(text, values)),
        },
        Value::Array(items) => items.iter().map(|item| in_document(item, values)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (in_text(key, values), in_document(value, values)))
            .collect(),
        other => other.clone(),
    }
}

/// The name in a text that is just `${{NAME}}`.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${{")?.strip_suffix("}}")?;
    is_name(name).then_some(name)
}

/// The first `${NAME}`: where it starts, the name, and where it ends.
fn next_reference(text: &str) -> Option<(usize, &str, usize)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("${") {
        let start = from + found;
        let inside = &text[start + 2..];
        if let Some(length) = inside.find('}').filter(|length| is_name(&inside[..*length])) {
            return Some((start, &inside[..length], start + 2 + length + 1));
        }
        from = start + 2;
    }
    None
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
