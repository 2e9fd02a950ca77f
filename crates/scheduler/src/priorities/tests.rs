//! Every priority against upstream's rows.

use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;
use serde_json::json;

use super::*;

fn info(pod: &Value) -> PodInfo {
    PodInfo::new(Arc::new(pod.clone()))
}

/// The selectors of a row that select its pod; empty ones select nothing.
fn selectors(row: &Value) -> Selectors {
    let read = |entry: &Value| match (entry.map_at(&["map"]), entry.at(&["json"])) {
        (Some(map), _) => LabelSelector::from_map(map),
        (None, Some(selector)) => LabelSelector::from_json(selector).unwrap(),
        (None, None) => LabelSelector::nothing(),
    };
    let all = row.list_at(&["selectors"]).iter().map(read);
    Selectors(all.filter(|selector| selector.matches_object(&row["pod"])).collect())
}

#[test]
fn priorities_score_as_upstream() {
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("../../tests/cases/priorities.json")).unwrap();
    assert!(rows.len() > 30);
    for row in rows {
        let priority = named(row.str_at(&["priority"])).expect("a registered priority");
        let mut snapshot = Snapshot::default();
        for node in row.list_at(&["nodes"]) {
            snapshot.set_node(&Arc::new(node.clone()));
        }
        for (index, pod) in row.list_at(&["pods"]).iter().enumerate() {
            let key = Key::new("ns", &format!("p{index}"));
            let node = pod.str_at(&["spec", "nodeName"]).to_owned();
            snapshot.place(&key, &Arc::new(info(pod)), &node);
        }
        let (pod, selectors) = (info(&row["pod"]), selectors(&row));
        let request = Request { pod: &pod, selectors: &selectors, snapshot: &snapshot };
        let nodes: Vec<&NodeInfo> = snapshot.nodes().collect();
        let scores = priority.score(&request, &nodes);
        let scores =
            nodes.iter().zip(scores).map(|(node, score)| (node.name.clone(), json!(score)));
        assert_eq!(Value::Object(scores.collect()), row["scores"], "{row}");
    }
}
