//! Custom resources against the schema of their version, in upstream's words.
//!
//! Deviation: `format` is not checked; a pattern that Rust's regular expressions cannot read is not
//! either.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/apiserver/validation/validation.go`.

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apimachinery::field::{Error, ErrorKind, ErrorList, Path};

/// Everything that is wrong with an object.
///
/// What an update leaves as it was is not held against it (as Kubernetes does since 1.30), so that a
/// schema may become stricter than the objects there are.
pub(crate) fn check(schema: &Value, object: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let Some(map) = object.as_object() else { return errors };
    // Kind, version and metadata are checked for all kinds alike.
    let outer = |name: &str| matches!(name, "apiVersion" | "kind" | "metadata");
    let body: apimachinery::Map =
        map.iter().filter(|(name, _)| !outer(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
    value(schema, &Value::Object(body), "", &mut errors);
    if let Some(old) = old {
        errors.retain(|error| changed(&error.field.to_string(), object, old));
    }
    errors
}

/// Whether the part of an object at `path` is another than in `old`.
fn changed(path: &str, object: &Value, old: &Value) -> bool {
    let part = |object: &Value| {
        let steps = path.split(['.', '[', ']']).filter(|step| !step.is_empty());
        let mut at = object;
        for step in steps {
            at = match at {
                Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                other => other.get(step)?,
            };
        }
        Some(at.clone())
    };
    match (part(object), part(old)) {
        (Some(new), Some(old)) => new != old,
        // What is missing matters when what it is missing from has changed.
        (None, None) => match path.rsplit_once('.') {
            Some((parent, _)) => changed(parent, object, old),
            None => true,
        },
        _ => true,
    }
}

fn at(path: &str) -> Path {
    Path::new(if path.is_empty() { "<nil>" } else { path })
}

fn value(schema: &Value, value: &Value, path: &str, errors: &mut ErrorList) {
    if value.is_null() && (schema.bool_at(&["nullable"]) || path.is_empty()) {
        return;
    }
    if !of_type(schema, value) {
        let wanted = if schema.bool_at(&["x-kubernetes-int-or-string"]) {
            "integer,string"
        } else {
            schema.str_at(&["type"])
        };
        let found = type_name(value);
        let text = format!("{path} in body must be of type {wanted}: {found:?}");
        errors.push(Error::new(ErrorKind::Invalid, &at(path), found.into(), &text));
        return;
    }
    enumeration(schema, value, path, errors);
    match value {
        Value::Object(map) => object(schema, map, path, errors),
        Value::Array(items) => array(schema, items, path, errors),
        Value::String(text) => string(schema, text, path, errors),
        Value::Number(_) => number(schema, value, path, errors),
        _ => {}
    }
    combinations(schema, value, path, errors);
}

fn of_type(schema: &Value, value: &Value) -> bool {
    if schema.bool_at(&["x-kubernetes-int-or-string"]) {
        return value.is_i64() || value.is_u64() || value.is_string();
    }
    match schema.str_at(&["type"]) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        _ => true,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn enumeration(schema: &Value, value: &Value, path: &str, errors: &mut ErrorList) {
    let Some(known) = schema.get("enum").and_then(Value::as_array) else { return };
    if known.contains(value) {
        return;
    }
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let known: Vec<String> = known.iter().map(shown).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    errors.push(Error::not_supported(&at(path), value.clone(), &known));
}

fn object(schema: &Value, map: &apimachinery::Map, path: &str, errors: &mut ErrorList) {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in schema.list_at(&["required"]).iter().filter_map(Value::as_str) {
        let outer = path.is_empty() && name == "metadata";
        if !outer && !map.contains_key(name) {
            errors.push(Error::required(&at(&below(name)), ""));
        }
    }
    limit(schema, ("minProperties", "maxProperties"), map.len(), |bound, least| {
        let words = if least { "at least" } else { "at most" };
        let text = format!("{path} in body should have {words} {bound} properties");
        errors.push(Error::invalid(&at(path), Value::Object(map.clone()), &text));
    });
    let properties = schema.get("properties");
    for (name, item) in map {
        let of = properties.and_then(|all| all.get(name)).or_else(|| {
            schema.get("additionalProperties").filter(|additional| additional.is_object())
        });
        if let Some(of) = of {
            value(of, item, &below(name), errors);
        }
    }
}

fn array(schema: &Value, items: &[Value], path: &str, errors: &mut ErrorList) {
    limit(schema, ("minItems", "maxItems"), items.len(), |bound, least| {
        let words = if least { "at least" } else { "at most" };
        let text = format!("{path} in body should have {words} {bound} items");
        let kind = if least { ErrorKind::Invalid } else { ErrorKind::TooMany };
        errors.push(Error::new(kind, &at(path), items.len().into(), &text));
    });
    if let Some(of) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            value(of, item, &format!("{path}[{index}]"), errors);
        }
    }
    let keys: Vec<&str> =
        schema.list_at(&["x-kubernetes-list-map-keys"]).iter().filter_map(Value::as_str).collect();
    let name = |item: &Value| match schema.str_at(&["x-kubernetes-list-type"]) {
        "set" => Some(item.clone()),
        "map" => Some(keys.iter().map(|key| (*key, item.get(*key).cloned())).collect()),
        _ => None,
    };
    for (index, item) in items.iter().enumerate() {
        let own = name(item);
        if own.is_some() && items[..index].iter().any(|before| name(before) == own) {
            let place = at(&format!("{path}[{index}]"));
            errors.push(Error::duplicate(&place, own.unwrap_or_default()));
        }
    }
}

fn string(schema: &Value, text: &str, path: &str, errors: &mut ErrorList) {
    limit(schema, ("minLength", "maxLength"), text.chars().count(), |bound, least| {
        let words = if least { "at least" } else { "at most" };
        let said = format!("{path} in body should be {words} {bound} chars long");
        errors.push(Error::invalid(&at(path), text, &said));
    });
    let pattern = schema.str_at(&["pattern"]);
    if !pattern.is_empty() && regex::Regex::new(pattern).is_ok_and(|read| !read.is_match(text)) {
        let said = format!("{path} in body should match '{pattern}'");
        errors.push(Error::invalid(&at(path), text, &said));
    }
}

fn number(schema: &Value, value: &Value, path: &str, errors: &mut ErrorList) {
    let Some(number) = value.as_f64() else { return };
    let mut complain = |words: &str, bound: f64| {
        let text = format!("{path} in body should be {words} {bound}");
        errors.push(Error::invalid(&at(path), value.clone(), &text));
    };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(least) = bound("minimum") {
        match schema.bool_at(&["exclusiveMinimum"]) {
            true if number <= least => complain("greater than", least),
            false if number < least => complain("greater than or equal to", least),
            _ => {}
        }
    }
    if let Some(most) = bound("maximum") {
        match schema.bool_at(&["exclusiveMaximum"]) {
            true if number >= most => complain("less than", most),
            false if number > most => complain("less than or equal to", most),
            _ => {}
        }
    }
    let broken = |step: &f64| *step > 0.0 && (number / step).fract() != 0.0;
    if let Some(step) = bound("multipleOf").filter(broken) {
        complain("a multiple of", step);
    }
}

/// Calls `complain` with a bound that is broken, and whether it is the lower one.
fn limit(
    schema: &Value,
    (least, most): (&str, &str),
    size: usize,
    mut complain: impl FnMut(u64, bool),
) {
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    if let Some(least) = bound(least).filter(|least| (size as u64) < *least) {
        complain(least, true);
    }
    if let Some(most) = bound(most).filter(|most| (size as u64) > *most) {
        complain(most, false);
    }
}

fn combinations(schema: &Value, object: &Value, path: &str, errors: &mut ErrorList) {
    let fits = |of: &Value| {
        let mut found = ErrorList::new();
        value(of, object, path, &mut found);
        found.is_empty()
    };
    let all = |name: &str| schema.get(name).and_then(Value::as_array);
    let mut complain = |text: String| {
        errors.push(Error::invalid(&at(path), object.clone(), &text));
    };
    if all("anyOf").is_some_and(|any| !any.iter().any(fits)) {
        complain(format!("{path:?} must validate at least one schema (anyOf)"));
    }
    if let Some(one) = all("oneOf") {
        match one.iter().filter(|of| fits(of)).count() {
            1 => {}
            0 => complain(format!(
                "{path:?} must validate one and only one schema (oneOf). Found none valid"
            )),
            more => complain(format!(
                "{path:?} must validate one and only one schema (oneOf). Found {more} valid \
                 alternatives"
            )),
        }
    }
    if all("allOf").is_some_and(|every| !every.iter().all(fits)) {
        complain(format!("{path:?} must validate all the schemas (allOf)"));
    }
    if schema.get("not").is_some_and(fits) {
        complain(format!("{path:?} must not validate the schema (not)"));
    }
}
