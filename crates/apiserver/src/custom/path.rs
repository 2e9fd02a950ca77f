//! The JSON paths of printer columns and of `scale`: fields, indexes, and items picked by a field.
//!
//! Mirrors: `k8s.io/client-go/util/jsonpath`, as far as definitions use it.

use apimachinery::Value;

/// The first value that a path such as `.status.conditions[?(@.type=="Ready")].status` leads to.
pub fn first<'a>(path: &str, object: &'a Value) -> Option<&'a Value> {
    let mut place = object;
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = inside.find(']')?;
            place = item(&inside[..end], place)?;
            rest = &inside[end + 1..];
            continue;
        }
        let named = rest.strip_prefix('.').unwrap_or(rest);
        let (name, after) = name(named);
        if name.is_empty() {
            return None;
        }
        place = place.get(&name)?;
        rest = after;
    }
    Some(place)
}

/// The name that a path begins with; a dot in it is written `\.`.
fn name(path: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = path.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '.' | '[' => return (name, &path[at..]),
            '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
            letter => name.push(letter),
        }
    }
    (name, "")
}

fn item<'a>(inside: &str, place: &'a Value) -> Option<&'a Value> {
    if let Some(name) = quoted(inside) {
        return place.get(name);
    }
    if let Some(condition) = inside.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (field, wanted) = condition.split_once("==")?;
        let field = field.trim().strip_prefix('@')?;
        let wanted = wanted.trim();
        let wanted = quoted(wanted).unwrap_or(wanted);
        return place.as_array()?.iter().find(|item| match first(field, item) {
            Some(Value::String(text)) => text == wanted,
            Some(other) => serde_json::from_str::<Value>(wanted).is_ok_and(|read| read == *other),
            None => false,
        });
    }
    match inside {
        "*" => place.as_array()?.first(),
        index => {
            let list = place.as_array()?;
            let index: i64 = index.parse().ok()?;
            let index = if index < 0 { index + i64::try_from(list.len()).ok()? } else { index };
            list.get(usize::try_from(index).ok()?)
        }
    }
}

fn quoted(text: &str) -> Option<&str> {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"'))
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let object = json!({"metadata": {"annotations": {"a.b/c": "x"}}, "status": {"n": 3,
            "conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]}});
        for (path, value) in [
            (".status.n", json!(3)),
            ("$.status.conditions[1].type", json!("Ready")),
            (".status.conditions[-2].type", json!("A")),
            (".status.conditions[?(@.type==\"Ready\")].status", json!("True")),
            (".status.conditions[?(@.type=='A')].status", json!("False")),
            (".metadata.annotations['a.b/c']", json!("x")),
            (".metadata.annotations.a\\.b/c", json!("x")),
        ] {
            assert_eq!(first(path, &object), Some(&value), "{path}");
        }
        for path in [".nosuch", ".status.conditions[9]", ".status.n[0]", ".[", "..", ".status[?("] {
            assert_eq!(first(path, &object), None, "{path}");
        }
    }
}
