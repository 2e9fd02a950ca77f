//! Merge patches. The patches themselves are made by clients; what is checked is that applying them
//! gives what the client asked for.

use apimachinery::patch::strategic::{FieldSchema, ListStrategy, PatchSchema};
use apimachinery::patch::{merge_patch, strategic_merge};
use apimachinery::{Value, json};

use crate::harness::{Outcome, Row, Suites, same};

const STRATEGIC: &str = "apimachinery/strategicpatch.json.gz";
const MERGE: &str = "apimachinery/jsonmergepatch.json";

/// The type of upstream's tests: names of fields say how they merge.
#[derive(Debug)]
struct Item;

impl PatchSchema for Item {
    fn field(&self, name: &str) -> Option<FieldSchema<'_>> {
        let strategy = match name {
            "mergingIntList" => ListStrategy::MergePrimitive,
            "mergingList" | "mergeItemPtr" | "retainKeysMergingList" => {
                ListStrategy::Merge { key: "name" }
            }
            _ => ListStrategy::Atomic,
        };
        let retain_keys = name.starts_with("retainKeys");
        Some(FieldSchema { strategy, retain_keys, element: Some(self) })
    }
}

fn document(text: &Value) -> Value {
    text.as_str().map_or_else(|| json!({}), |text| serde_json::from_str(text).expect("JSON"))
}

pub(super) fn register(suites: &mut Suites) {
    suites.add(STRATEGIC, "CreateThreeWayMergePatch", three_way);
    suites.add(MERGE, "CreateThreeWayJSONMergePatch", |row| {
        if row.result(0).is_null() || row.arg("current") != row.arg("original") {
            return Outcome::Skip;
        }
        let got = merge_patch(&document(row.arg("current")), &document(row.result(0)));
        same(&got.expect("a patch"), &document(row.arg("modified")))
    });
    suites.add(MERGE, "TestCreateThreeWayJSONMergePatch.L615", |row| {
        if row.arg("result").is_null() || row.arg("threeWay").is_null() {
            return Outcome::Skip;
        }
        let current = if row.arg("current").is_null() { &json!({}) } else { row.arg("current") };
        same(&merge_patch(current, row.arg("threeWay")).expect("a patch"), row.arg("result"))
    });
}

fn three_way(row: &Row<'_>) -> Outcome {
    if row.result(0).is_null() || row.arg("current") != row.arg("original") {
        return Outcome::Skip;
    }
    match strategic_merge(&document(row.arg("current")), &document(row.result(0)), &Item) {
        Ok(got) => same(&got, &document(row.arg("modified"))),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}
