//! Strategic merges, directive by directive.

use crate::json;

use super::*;

/// The type upstream tests with: lists of every kind, and itself as element.
struct MergeItem;

impl PatchSchema for MergeItem {
    fn field(&self, name: &str) -> Option<FieldSchema<'_>> {
        let strategy = match name {
            "mergingList" | "retainKeysMergingList" => ListStrategy::Merge { key: "name" },
            "ports" => ListStrategy::Merge { key: "containerPort" },
            "mergingIntList" => ListStrategy::MergePrimitive,
            "replacingItem" => ListStrategy::Replace,
            "mergeItemPtr" | "nonMergingList" | "retainKeysMap" | "simpleMap" => {
                ListStrategy::Atomic
            }
            _ => return None,
        };
        let retain_keys = name.starts_with("retainKeys");
        Some(FieldSchema { strategy, retain_keys, element: Some(self) })
    }
}

#[track_caller]
fn check(doc: &Value, patch: &Value, expected: &Value) {
    let merged = strategic_merge(doc, patch, &MergeItem);
    assert_eq!(merged.as_ref(), Ok(expected), "{doc} with {patch}");
}

#[test]
fn maps_merge_and_null_deletes() {
    check(
        &json!({"name": 1, "value": 2, "simpleMap": {"a": 1, "b": 2}}),
        &json!({"value": null, "other": 3, "simpleMap": {"a": null, "c": 3}, "none": null}),
        &json!({"name": 1, "other": 3, "simpleMap": {"b": 2, "c": 3}}),
    );
    check(&json!({"a": {"b": 1}}), &json!({"a": [1]}), &json!({"a": [1]}));
    check(&json!({"a": 1}), &json!({"a": {"b": null, "c": 1}}), &json!({"a": {"c": 1}}));
}

#[test]
fn unknown_and_atomic_lists_are_replaced() {
    check(
        &json!({"nonMergingList": [{"name": 1}, {"name": 2}], "x": [1]}),
        &json!({"nonMergingList": [{"name": 1, "value": 1}], "x": [2, 3]}),
        &json!({"nonMergingList": [{"name": 1, "value": 1}], "x": [2, 3]}),
    );
    check(
        &json!({"replacingItem": {"a": 1, "b": 2}}),
        &json!({"replacingItem": {"c": 3}}),
        &json!({"replacingItem": {"c": 3}}),
    );
}

#[test]
fn lists_merge_by_key() {
    check(
        &json!({"mergingList": [{"name": 1, "other": "a"}, {"name": 2, "other": "b"}]}),
        &json!({"mergingList": [{"name": 2, "value": 2}]}),
        &json!({"mergingList": [{"name": 1, "other": "a"}, {"name": 2, "other": "b", "value": 2}]}),
    );
    // What is new comes first, unless an order is given.
    check(
        &json!({"mergingList": [{"name": "a"}, {"name": "b"}]}),
        &json!({"mergingList": [{"name": "c"}]}),
        &json!({"mergingList": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}),
    );
    check(
        &json!({"ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 443}]}),
        &json!({"ports": [{"containerPort": 80, "protocol": "UDP"}]}),
        &json!({"ports": [{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 443}]}),
    );
}

#[test]
fn elements_are_deleted_and_lists_replaced_by_directive() {
    check(
        &json!({"mergingList": [{"name": 1}, {"name": 2}]}),
        &json!({"mergingList": [{"name": 1, "$patch": "delete"}, {"name": 3, "$patch": "delete"}]}),
        &json!({"mergingList": [{"name": 2}]}),
    );
    check(
        &json!({"mergingList": [{"name": 1, "value": 1}, {"name": 2}]}),
        &json!({"mergingList": [{"name": 1}, {"$patch": "replace"}]}),
        &json!({"mergingList": [{"name": 1}]}),
    );
    check(
        &json!({"simpleMap": {"a": 1}, "mergeItemPtr": {"name": 1}}),
        &json!({"simpleMap": {"$patch": "replace", "b": 2}, "mergeItemPtr": {"$patch": "delete"}}),
        &json!({"simpleMap": {"b": 2}, "mergeItemPtr": {}}),
    );
    check(
        &json!({}),
        &json!({"mergingList": [{"name": 1, "$patch": "delete"}, {"name": 2, "value": null}]}),
        &json!({"mergingList": [{"name": 2}]}),
    );
}

#[test]
fn scalars_merge_as_a_set() {
    check(
        &json!({"mergingIntList": [1, 2]}),
        &json!({"mergingIntList": [2, 3, 3]}),
        &json!({"mergingIntList": [1, 2, 3]}),
    );
    check(
        &json!({"mergingIntList": [1, 2, 3]}),
        &json!({"$deleteFromPrimitiveList/mergingIntList": [1, 9], "mergingIntList": [4]}),
        &json!({"mergingIntList": [4, 2, 3]}),
    );
    check(&json!({}), &json!({"$deleteFromPrimitiveList/mergingIntList": [1]}), &json!({}));
}

#[test]
fn the_order_of_elements_can_be_set() {
    check(
        &json!({"mergingList": [{"name": 1}, {"name": 2}, {"name": "server"}]}),
        &json!({
            "$setElementOrder/mergingList": [{"name": 3}, {"name": 2}, {"name": 1}],
            "mergingList": [{"name": 3, "value": 3}],
        }),
        &json!({"mergingList": [
            {"name": 3, "value": 3}, {"name": 2}, {"name": 1}, {"name": "server"},
        ]}),
    );
    check(
        &json!({"mergingIntList": [1, 2, 3]}),
        &json!({
            "$setElementOrder/mergingIntList": [3, 1],
            "$deleteFromPrimitiveList/mergingIntList": [2],
        }),
        &json!({"mergingIntList": [3, 1]}),
    );
    check(
        &json!({"mergingList": [{"name": 1}, {"name": 2}]}),
        &json!({
            "$setElementOrder/mergingList": [{"name": 2}],
            "mergingList": [{"$patch": "delete", "name": 1}],
        }),
        &json!({"mergingList": [{"name": 2}]}),
    );
}

#[test]
fn only_retained_keys_stay() {
    check(
        &json!({"retainKeysMap": {"name": "foo", "other": "a"}}),
        &json!({"retainKeysMap": {"$retainKeys": ["value"], "name": null, "value": "bar"}}),
        &json!({"retainKeysMap": {"value": "bar"}}),
    );
    check(
        &json!({"retainKeysMergingList": [{"name": "a", "value": 1, "other": 2}]}),
        &json!({"retainKeysMergingList": [{"$retainKeys": ["name", "value"], "name": "a"}]}),
        &json!({"retainKeysMergingList": [{"name": "a", "value": 1}]}),
    );
}

#[test]
fn malformed_patches_are_refused() {
    let fail = |patch: Value| {
        let doc = json!({"mergingList": [{"name": 1}], "mergingIntList": [1]});
        let error = strategic_merge(&doc, &patch, &MergeItem).unwrap_err();
        (error.to_status().code, error.to_string())
    };
    for (patch, code, text) in [
        (json!({"$patch": "x", "a": 1}), 500, "unknown patch type: x in map: map[$patch:x a:1]"),
        (
            json!({"mergingList": [{"value": "y"}]}),
            500,
            "map: map[value:y] does not contain declared merge key: name",
        ),
        (json!({"$retainKeys": "a"}), 400, "invalid patch format of retainKeys"),
        (json!({"$retainKeys": ["a"], "b": 1}), 500, "patch content doesn't match retainKeys list"),
        (json!({"$setElementOrder": []}), 400, "invalid patch format of setElementOrder list"),
        (json!({"$deleteFromPrimitiveList": []}), 400, "invalid patch format of primitive list"),
        (
            json!({
                "$setElementOrder/mergingList": [{"name": 1}, {"name": 2}],
                "mergingList": [{"name": 2}, {"name": 1}],
            }),
            500,
            "The order in patch list:\n[map[name:2] map[name:1]]\n doesn't match $setElementOrder \
             list:\n[map[name:1] map[name:2]]\n",
        ),
        (
            json!({"mergingList": [{"$patch": "merge"}]}),
            500,
            "merging lists cannot yet be specified in the patch",
        ),
        (
            json!({"mergingIntList": [{}]}),
            500,
            "cannot merge lists without merge key for mergingIntList",
        ),
        (json!({"mergingIntList": [[]]}), 422, "lists of lists are not supported"),
        (json!({"mergingList": ["a"]}), 500, "expected a map, but received a string"),
        (json!([]), 500, "expected a map, but received a slice"),
    ] {
        assert_eq!(fail(patch.clone()), (code, text.to_owned()), "{patch}");
    }
}
