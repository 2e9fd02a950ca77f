//! The three patch formats of the API: JSON patch, JSON merge patch, strategic merge patch.
//!
//! Invariant: the document given is never changed; a patch applies wholly or not at all.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/patch.go`.

pub mod strategic;

use json_patch::{Patch, PatchOperation};
use serde_json::{Value, json};

pub use self::strategic::{FieldSchema, ListStrategy, PatchSchema, strategic_merge};
use crate::status::{Reason, Status};

/// The most operations of one JSON patch.
pub const MAX_OPERATIONS: usize = 10_000;
/// The most bytes (as JSON) that all `copy` operations of a patch may add.
pub const MAX_COPIED: usize = 3 << 20;

/// Applies a JSON patch (RFC 6902).
///
/// # Errors
/// 400 when the patch is none, 413 when it is too large, 422 when it does not apply.
pub fn json_patch(doc: &Value, patch: &Value) -> Result<Value, Status> {
    if let Some(operations) = patch.as_array()
        && operations.len() > MAX_OPERATIONS
    {
        let count = operations.len();
        return Err(too_large(&format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}"
        )));
    }
    let Patch(operations) = serde_json::from_value(patch.clone())
        .map_err(|error| Status::bad_request(error.to_string()))?;
    let mut patched = doc.clone();
    let mut copied = 0;
    for operation in operations {
        if let PatchOperation::Copy(copy) = &operation
            && let Ok(source) = copy.from.resolve(&patched)
        {
            copied += source.to_string().len();
            if copied > MAX_COPIED {
                return Err(too_large(&format!(
                    "Unable to copy, the accumulated size increase of JSON copy is {copied}, \
                     exceeding the limit {MAX_COPIED}"
                )));
            }
        }
        json_patch::patch(&mut patched, &[operation]).map_err(|_| rejected())?;
    }
    Ok(patched)
}

/// Applies a JSON merge patch (RFC 7386).
///
/// # Errors
/// 400 when the patch is not an object.
pub fn merge_patch(doc: &Value, patch: &Value) -> Result<Value, Status> {
    if !patch.is_object() {
        return Err(Status::bad_request("Invalid JSON Patch"));
    }
    let mut patched = doc.clone();
    json_patch::merge(&mut patched, patch);
    Ok(patched)
}

/// 422 of a patch that is well-formed but does not fit the document.
fn rejected() -> Status {
    let text = "the server rejected our request due to an error in our request";
    let mut status = Status::new(Reason::Invalid, text);
    status.details = json!({});
    status
}

fn too_large(text: &str) -> Status {
    let text = format!("Request entity is too large: {text}");
    Status::new(Reason::RequestEntityTooLarge, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_patches_apply_in_order() {
        let doc = json!({"a": {"b": [1, 2]}, "c~/d": 0});
        let patch = json!([
            {"op": "test", "path": "/a/b/0", "value": 1},
            {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "replace", "path": "/c~0~1d", "value": 9},
            {"op": "move", "from": "/a/b/0", "path": "/e"},
            {"op": "copy", "from": "/e", "path": "/a/f"},
            {"op": "remove", "path": "/e"},
        ]);
        let patched = json_patch(&doc, &patch).unwrap();
        assert_eq!(patched, json!({"a": {"b": [2, 3], "f": 1}, "c~/d": 9}));
    }

    #[test]
    fn json_patches_that_do_not_fit_are_rejected() {
        let doc = json!({"a": 1});
        for patch in [
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "remove", "path": "/b"}]),
            json!([{"op": "replace", "path": "/b", "value": 2}]),
            json!([{"op": "add", "path": "/b/c", "value": 2}]),
        ] {
            let status = json_patch(&doc, &patch).unwrap_err();
            assert_eq!((status.code, status.reason), (422, Reason::Invalid), "{patch}");
            assert_eq!(
                status.message,
                "the server rejected our request due to an error in our request"
            );
        }
        for patch in [json!({}), json!([{"op": "jump", "path": "/a"}]), json!([1])] {
            assert_eq!(json_patch(&doc, &patch).unwrap_err().code, 400, "{patch}");
        }
    }

    #[test]
    fn large_json_patches_are_refused() {
        let test = json!({"op": "test", "path": "/a", "value": 1});
        let patch = Value::Array(vec![test; MAX_OPERATIONS + 1]);
        let status = json_patch(&json!({"a": 1}), &patch).unwrap_err();
        assert_eq!(
            status.message,
            "Request entity is too large: The allowed maximum operations in a JSON patch is 10000, \
             got 10001"
        );
        let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let doubling = Value::Array(vec![copy; 100]);
        assert_eq!(json_patch(&json!({"a": ["x"]}), &doubling).unwrap_err().code, 413);
    }

    #[test]
    fn merge_patches_delete_with_null_and_replace_lists() {
        let doc = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        let patch = json!({"a": {"b": null, "c": [3]}, "e": {"f": null}});
        let patched = merge_patch(&doc, &patch).unwrap();
        assert_eq!(patched, json!({"a": {"c": [3]}, "d": 1, "e": {}}));
        assert_eq!(merge_patch(&doc, &json!([1])).unwrap_err().code, 400);
    }
}
