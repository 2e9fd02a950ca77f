//! Every priority against upstream's rows.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;

use super::*;

fn info(pod: &Value) -> PodInfo {
    PodInfo::new(Arc::new(pod.clone()))
}

/// Gives a row's selectors an owner each.
fn add_owners(snapshot: &mut Snapshot, row: &Value) {
    for (index, entry) in row.list_at(&["selectors"]).iter().enumerate() {
        let (resource, selector) = match (entry.at(&["map"]), entry.at(&["json"])) {
            (Some(map), _) => (&api::SERVICES, map),
            (None, Some(selector)) => (&api::REPLICA_SETS, selector),
            (None, None) => continue,
        };
        let namespace = row["pod"].namespace();
        let metadata = json!({"name": format!("o{index}"), "namespace": namespace});
        let owner = Arc::new(json!({"metadata": metadata, "spec": {"selector": selector}}));
        snapshot.set(resource, &Key::of(&owner), Some(&owner));
    }
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
            snapshot.place(&key, &info(pod), &node);
        }
        add_owners(&mut snapshot, &row);
        let pod = info(&row["pod"]);
        let neighbours = Neighbours::of(&snapshot, &pod, 1);
        let request = Request { pod: &pod, snapshot: &snapshot, neighbours: &neighbours };
        let nodes: Vec<&NodeInfo> = snapshot.nodes().collect();
        let scores = scores(&*priority, &request, &nodes);
        let scores =
            nodes.iter().zip(scores).map(|(node, score)| (node.name.to_string(), json!(score)));
        assert_eq!(Value::Object(scores.collect()), row["scores"], "{row}");
    }
}
