//! Every predicate against upstream's rows.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;

use super::*;
use crate::neighbours::Neighbours;

fn info(pod: &Value) -> PodInfo {
    PodInfo::new(Arc::new(pod.clone()))
}

/// The snapshot with one node, named as the node of the row or `n`, and its pods.
fn snapshot(row: &Value) -> (Snapshot, String) {
    let mut node = row["node"].clone();
    if node.name().is_empty() {
        node.set(&["metadata", "name"], json!("n"));
    }
    let name = node.name().to_owned();
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&Arc::new(node));
    for (index, pod) in row.list_at(&["on_node"]).iter().enumerate() {
        snapshot.place(&Key::new("ns", &format!("p{index}")), &info(pod), &name);
    }
    (snapshot, name)
}

#[test]
fn predicates_answer_as_upstream() {
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("../../tests/cases/predicates.json")).unwrap();
    assert!(rows.len() > 80);
    for row in rows {
        let predicate = named(row.str_at(&["predicate"])).expect("a registered predicate");
        let (snapshot, name) = snapshot(&row);
        let pod = info(&row["pod"]);
        let neighbours = Neighbours::of(&snapshot, &pod, 1);
        let request = Request { pod: &pod, snapshot: &snapshot, neighbours: &neighbours };
        let reasons = predicate.check(&request, snapshot.node(&name).unwrap());
        let reasons: Vec<String> = reasons.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(json!(reasons), row["reasons"], "{row}");
    }
}

#[test]
fn every_predicate_has_a_place_in_the_order() {
    for (name, make) in REGISTRY {
        let predicate = make();
        assert!(ORDER.contains(&predicate.rule()), "{name}");
    }
    assert_eq!(named("PodFitsPorts").unwrap().name(), "PodFitsHostPorts");
    assert!(named("NoSuchPredicate").is_none());
}

#[test]
fn fields_of_a_node_selector_term_are_the_name() {
    let term = |name: &str| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]});
    assert!(term_matches(&term("n"), None, "n"));
    assert!(!term_matches(&term("m"), None, "n"));
    assert!(!term_matches(&json!({}), None, "n"));
}
