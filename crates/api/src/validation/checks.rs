//! Small rules that many kinds share.

use std::net::IpAddr;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, object_meta};
use apimachinery::{ObjectExt as _, Value};

use super::go_text;

/// One `Invalid` per complaint about `value`.
pub(super) fn invalid(path: &Path, value: &str, complaints: &[String], errors: &mut ErrorList) {
    errors.extend(complaints.iter().map(|text| Error::invalid(path, value, text)));
}

/// The text at `key` must be there; `true` when it is.
pub(super) fn required(object: &Value, path: &Path, key: &str, errors: &mut ErrorList) -> bool {
    let there = !object.str_at(&[key]).is_empty();
    if !there {
        errors.push(Error::required(&path.child(key), ""));
    }
    there
}

/// The integer at `key` must not be negative.
pub(super) fn non_negative(object: &Value, path: &Path, key: &str, errors: &mut ErrorList) {
    if let Some(value) = object.int_at(&[key]).filter(|value| *value < 0) {
        errors.push(Error::invalid(&path.child(key), value, object_meta::NEGATIVE));
    }
}

/// The text at `key` must be one of `supported`; `true` when it is.
pub(super) fn one_of(
    object: &Value,
    path: &Path,
    key: &str,
    supported: &[&str],
    errors: &mut ErrorList,
) -> bool {
    let value = object.str_at(&[key]);
    let fine = supported.contains(&value);
    if !fine {
        errors.push(Error::not_supported(&path.child(key), value, supported));
    }
    fine
}

/// A DNS-1123 label at `path`.
pub(super) fn dns_label(text: &str, path: &Path, errors: &mut ErrorList) {
    invalid(path, text, &validation::dns1123_label(text), errors);
}

/// A DNS-1123 subdomain at `path`.
pub(super) fn dns_subdomain(text: &str, path: &Path, errors: &mut ErrorList) {
    invalid(path, text, &validation::dns1123_subdomain(text), errors);
}

/// A port given by number or by name.
pub(super) fn port_number_or_name(port: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    match port {
        Some(Value::String(name)) => {
            invalid(path, name, &validation::port_name(name), errors);
        }
        other => port_number(other.and_then(Value::as_i64).unwrap_or(0), path, errors),
    }
}

/// A port number.
pub(super) fn port_number(port: i64, path: &Path, errors: &mut ErrorList) {
    let complaints = validation::port_number(port);
    errors.extend(complaints.iter().map(|text| Error::invalid(path, port, text)));
}

/// An integer from 0 or a percentage, as in `maxUnavailable`.
pub(super) fn int_or_percent(value: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    match value {
        Some(Value::String(text)) => {
            let shown = go_text::int_or_string(value);
            let complaints = validation::percent(text);
            errors.extend(
                complaints
                    .iter()
                    .map(|rule| Error::invalid(path, text.as_str(), rule).shown_as(&shown)),
            );
        }
        Some(Value::Number(number)) if number.as_i64().is_some_and(|n| n < 0) => {
            errors.push(Error::invalid(path, number.clone(), object_meta::NEGATIVE));
        }
        _ => {}
    }
}

/// The number before the percent sign.
pub(super) fn percent_of(value: Option<&Value>) -> Option<i64> {
    value?.as_str()?.strip_suffix('%')?.parse().ok()
}

/// A percentage of at most 100.
pub(super) fn at_most_100_percent(value: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    if let (Some(given), Some(percent)) = (value, percent_of(value))
        && percent > 100
    {
        let shown = go_text::int_or_string(value);
        let error = Error::invalid(path, given.clone(), "must not be greater than 100%");
        errors.push(error.shown_as(&shown));
    }
}

/// Labels of a selector or a template.
pub(super) fn labels(labels: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    let labels = labels.and_then(Value::as_object);
    errors.extend(object_meta::validate_labels(labels, path));
}

/// A `LabelSelector`.
///
/// Mirrors: `metav1/validation.ValidateLabelSelector`.
pub(super) fn label_selector(selector: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    let Some(selector) = selector else { return };
    labels(selector.at(&["matchLabels"]), &path.child("matchLabels"), errors);
    for (index, requirement) in selector.list_at(&["matchExpressions"]).iter().enumerate() {
        let path = path.child("matchExpressions").index(index);
        let has_values = !requirement.list_at(&["values"]).is_empty();
        match requirement.str_at(&["operator"]) {
            "In" | "NotIn" if !has_values => {
                let text = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(Error::required(&path.child("values"), text));
            }
            "Exists" | "DoesNotExist" if has_values => {
                let text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(Error::forbidden(&path.child("values"), text));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let text = "not a valid selector operator";
                errors.push(Error::invalid(&path.child("operator"), other, text));
            }
        }
        label_name(requirement.str_at(&["key"]), &path.child("key"), errors);
    }
}

/// The key of a label.
pub(super) fn label_name(text: &str, path: &Path, errors: &mut ErrorList) {
    invalid(path, text, &validation::qualified_name(text), errors);
}

/// A relative path that does not climb.
pub(super) fn descending_path(text: &str, path: &Path, errors: &mut ErrorList) {
    if text.starts_with('/') {
        errors.push(Error::invalid(path, text, "must be a relative path"));
    }
    no_backsteps(text, path, errors);
}

/// A path without `..`.
pub(super) fn no_backsteps(text: &str, path: &Path, errors: &mut ErrorList) {
    if text.split('/').any(|part| part == "..") {
        errors.push(Error::invalid(path, text, "must not contain '..'"));
    }
}

/// Whether both mean the same to a server with typed objects: a field that is absent, null or has
/// its zero value is one and the same.
pub(super) fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            a.iter().all(|(key, value)| same(Some(value), b.get(key)))
                && b.iter().all(|(key, value)| a.contains_key(key) || is_zero(value))
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(Some(a), Some(b)))
        }
        (Some(a), Some(b)) => a == b || (is_zero(a) && is_zero(b)),
        (Some(only), None) | (None, Some(only)) => is_zero(only),
        (None, None) => true,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_zero),
    }
}

/// A field that must be as it was.
pub(super) fn immutable(new: &Value, old: &Value, keys: &[&str], errors: &mut ErrorList) {
    let read = |object: &Value| object.at(keys).cloned().unwrap_or(Value::Null);
    let (now, before) = (read(new), read(old));
    if !same(Some(&now), Some(&before)) {
        let path = keys.iter().skip(1).fold(Path::new(keys[0]), |path, key| path.child(key));
        let shown_value = match (&now, &before) {
            (Value::Null, Value::String(_)) => Value::from(""),
            _ => now.clone(),
        };
        let mut error = Error::invalid(&path, shown_value, object_meta::IMMUTABLE);
        if keys.last() == Some(&"selector") && now.is_object() {
            error = error.shown_as(&go_text::label_selector(&now));
        }
        errors.push(error);
    }
}

/// Whether the text is an address with the length of a network's prefix.
pub(super) fn is_ip_range(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    digits && length.parse::<u32>().is_ok_and(|length| length <= most)
}

/// Whether the field is absent, null or empty.
pub(super) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(_) => false,
    }
}

/// Whether the field is there: not absent and not null.
pub(super) fn is_set(object: &Value, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}
