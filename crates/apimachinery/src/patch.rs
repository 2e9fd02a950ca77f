//! The three patch formats of the API: JSON patch, JSON merge patch, strategic merge patch.
//!
//! Invariant: the document given is never changed; a patch applies wholly or not at all.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/patch.go`. In OpenShift 3.11 a patch that does
//! not apply is answered with 500 and the bare text of the error.

pub mod json;
pub mod strategic;

use crate::{Map, Value};

pub use self::strategic::{FieldSchema, ListStrategy, PatchSchema, strategic_merge};
use crate::status::{Reason, Status};

/// Applies a JSON patch (RFC 6902).
///
/// # Errors
/// 413 when the patch is too large, 500 when it is none or does not apply.
pub fn json_patch(doc: &Value, patch: &Value) -> Result<Value, Status> {
    let mut patched = doc.clone();
    match json::apply(&mut patched, patch) {
        Ok(()) => Ok(patched),
        Err(error @ (json::Error::Operations(_) | json::Error::Copied(_))) => {
            let text = format!("Request entity is too large: {error}");
            Err(Status::new(Reason::RequestEntityTooLarge, text))
        }
        Err(error) => Err(Status::new(Reason::Unknown, error.to_string())),
    }
}

/// Applies a JSON merge patch (RFC 7386).
///
/// # Errors
/// 500 when the patch is not an object.
pub fn merge_patch(doc: &Value, patch: &Value) -> Result<Value, Status> {
    if !patch.is_object() {
        return Err(Status::new(Reason::Unknown, "Invalid JSON Patch"));
    }
    let mut patched = doc.clone();
    merge(&mut patched, patch);
    Ok(patched)
}

fn merge(doc: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        doc.clone_from(patch);
        return;
    };
    if !doc.is_object() {
        *doc = Value::Object(Map::new());
    }
    let Value::Object(doc) = doc else { return };
    for (key, value) in patch {
        if value.is_null() {
            doc.remove(key);
        } else {
            merge(doc.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// The kind of a value, as Go names it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use crate::json;

    use super::*;

    #[test]
    fn json_patches_apply_in_order() {
        let doc = json!({"a": {"b": [1, 2]}, "c~/d": 0});
        let patch = json!([
            {"op": "test", "path": "/a/b/0", "value": 1},
            {"op": "test", "path": "/none"},
            {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "add", "path": "/a/b/1", "value": 7},
            {"op": "replace", "path": "/c~0~1d", "value": 9},
            {"op": "move", "from": "/a/b/0", "path": "/e"},
            {"op": "copy", "from": "/e", "path": "/a/f"},
            {"op": "remove", "path": "/e"},
            {"op": "remove", "path": "/a/b/-1"},
        ]);
        let patched = json_patch(&doc, &patch).unwrap();
        assert_eq!(patched, json!({"a": {"b": [7, 2], "f": 1}, "c~/d": 9}));
    }

    #[test]
    fn json_patches_that_do_not_fit_are_answered_with_their_error() {
        let doc = json!({"a": 1, "l": [1]});
        for (patch, text) in [
            (json!([{"op": "test", "path": "/a", "value": 2}]), "Testing value /a failed"),
            (
                json!([{"op": "remove", "path": "/nosuch/x"}]),
                "jsonpatch remove operation does not apply: doc is missing path: /nosuch/x",
            ),
            (json!([{"op": "remove", "path": "/b"}]), "Unable to remove nonexistent key: b"),
            (
                json!([{"op": "replace", "path": "/b", "value": 2}]),
                "jsonpatch replace operation does not apply: doc is missing key: /b",
            ),
            (
                json!([{"op": "add", "path": "/a/c", "value": 2}]),
                "jsonpatch add operation does not apply: doc is missing path: /a/c",
            ),
            (
                json!([{"op": "add", "path": "", "value": 2}]),
                "jsonpatch add operation does not apply: doc is missing path: ",
            ),
            (
                json!([{"op": "move", "from": "/x/y", "path": "/b"}]),
                "jsonpatch move operation does not apply: doc is missing from path: /x/y",
            ),
            (
                json!([{"op": "add", "path": "/l/3", "value": 2}]),
                "Unable to access invalid index: 3",
            ),
            (
                json!([{"op": "add", "path": "/l/x", "value": 2}]),
                "strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (json!([{"op": "jump", "path": "/a"}]), "Unexpected kind: jump"),
            (json!({}), "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
            (json!([1]), "json: cannot unmarshal number into Go value of type jsonpatch.operation"),
        ] {
            let status = json_patch(&doc, &patch).unwrap_err();
            assert_eq!((status.code, status.message.as_str()), (500, text), "{patch}");
        }
    }

    #[test]
    fn large_json_patches_are_refused() {
        let test = json!({"op": "test", "path": "/a", "value": 1});
        let patch = Value::from(vec![test; super::json::MAX_OPERATIONS + 1]);
        let status = json_patch(&json!({"a": 1}), &patch).unwrap_err();
        assert_eq!(
            status.message,
            "Request entity is too large: The allowed maximum operations in a JSON patch is 10000, \
             got 10001"
        );
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let doubling = Value::from(vec![copy; 100]);
        assert_eq!(json_patch(&json!({"a": ["x"]}), &doubling).unwrap_err().code, 413);
    }

    #[test]
    fn merge_patches_delete_with_null_and_replace_lists() {
        let doc = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        let patch = json!({"a": {"b": null, "c": [3]}, "d": {"x": {"y": null}}, "e": {"f": null}});
        let patched = merge_patch(&doc, &patch).unwrap();
        assert_eq!(patched, json!({"a": {"c": [3]}, "d": {"x": {}}, "e": {}}));
        let status = merge_patch(&doc, &json!([1])).unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (500, "Invalid JSON Patch"));
    }
}
