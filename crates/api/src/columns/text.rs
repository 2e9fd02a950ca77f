//! Texts that many cells share.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value, duration};
use world::Time;

pub(super) const NONE: &str = "<none>";

/// The age of an object.
pub(super) fn age(object: &Value, now: Time) -> Value {
    json!(since(object.creation_timestamp(), now))
}

/// The time since an RFC 3339 text; `<unknown>` when there is none.
pub(super) fn since(text: &str, now: Time) -> String {
    let then = Time::parse_rfc3339(text);
    duration::age_or_unknown(then.map(|then| now.unix_seconds() - then.unix_seconds()))
}

/// `3 hours ago`; empty when there is no time.
pub(super) fn ago(text: &str, now: Time) -> String {
    Time::parse_rfc3339(text)
        .map_or_else(String::new, |then| format!("{} ago", duration::human(now.since(then))))
}

/// The text, or `<none>`.
pub(super) fn or_none(text: &str) -> &str {
    if text.is_empty() { NONE } else { text }
}

/// The integer at `path`, 0 when absent.
pub(super) fn count(object: &Value, path: &[&str]) -> Value {
    json!(object.int_at(path).unwrap_or(0))
}

/// `a=1,b=2`, or `<none>`.
pub(super) fn labels(labels: Option<&Value>) -> String {
    let pairs: Vec<String> = labels
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(&pairs.join(",")).to_owned()
}

/// A `LabelSelector` as one writes it after `-l`.
pub(super) fn label_selector(selector: Option<&Value>) -> String {
    let Some(selector) = selector else { return NONE.to_owned() };
    let mut parts: Vec<(String, String)> = selector
        .map_at(&["matchLabels"])
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            (key.to_string(), format!("{key}={}", value.as_str().unwrap_or_default()))
        })
        .collect();
    for expression in selector.list_at(&["matchExpressions"]) {
        let key = expression.str_at(&["key"]);
        let mut values = strings(expression.list_at(&["values"]));
        values.sort_unstable();
        let list = values.join(",");
        let text = match expression.str_at(&["operator"]) {
            "In" => format!("{key} in ({list})"),
            "NotIn" => format!("{key} notin ({list})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        parts.push((key.to_owned(), text));
    }
    parts.sort();
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    or_none(&texts.join(",")).to_owned()
}

/// The texts in a list.
pub(super) fn strings(list: &[Value]) -> Vec<&str> {
    list.iter().filter_map(Value::as_str).collect()
}

/// Names and images of the containers in the pod template.
pub(super) fn containers(template: Option<&Value>) -> [Value; 2] {
    let containers = template.map_or(&[][..], |t| t.list_at(&["spec", "containers"]));
    ["name", "image"].map(|field| {
        let texts: Vec<&str> = containers.iter().map(|c| c.str_at(&[field])).collect();
        json!(texts.join(","))
    })
}

/// An integer or a text as text.
pub(super) fn plain(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.to_string()),
        other => Some(other.to_string()),
    }
}
