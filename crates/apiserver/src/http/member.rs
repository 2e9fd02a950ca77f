//! One member of a JSON object, as the bytes that are there already.
//!
//! Invariant: the input is compact JSON as this program writes it; of anything else no member is
//! found, or a piece of the input that is no member, but never memory beyond it.

/// The value of the top-level member `name` of `json`.
pub(super) fn member<'a>(json: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = json.strip_prefix(b"{")?;
    loop {
        let key_end = string_end(rest)?;
        let key = rest.get(1..key_end - 1)?;
        rest = rest.get(key_end..)?.strip_prefix(b":")?;
        let end = value_end(rest)?;
        if key == name.as_bytes() {
            return rest.get(..end);
        }
        rest = rest.get(end..)?.strip_prefix(b",")?;
    }
}

/// Where the value at the start of `text` ends.
fn value_end(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => string_end(text),
        b'{' | b'[' => tree_end(text),
        _ => text.iter().position(|byte| matches!(byte, b',' | b'}' | b']')),
    }
}

fn tree_end(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => {
                at += string_end(text.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Where the string at the start of `text` ends, behind its closing quote.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::member;
    use apimachinery::{Value, json};

    #[test]
    fn members_are_found_as_they_were_written() {
        let object = json!({
            "apiVersion": "v1", "data": {"a\"}": "\\", "b": [1, {"c": "]"}]}, "empty": {},
            "metadata": {"name": "x", "labels": {"metadata": "{"}}, "number": -1.5, "null": null,
        });
        let text = object.to_string();
        for (key, value) in object.as_object().unwrap() {
            let found = member(text.as_bytes(), key).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(found).unwrap(), *value, "{key}");
        }
        assert_eq!(member(text.as_bytes(), "name"), None);
    }

    #[test]
    fn what_is_cut_short_has_no_members() {
        for text in ["", "[]", "{}", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":{", "{\"a\":\"\\"] {
            assert_eq!(member(text.as_bytes(), "a"), None, "{text}");
        }
    }
}
