//! Pods that fit nowhere, and what is said about them.

use apimachinery::ObjectExt as _;

use crate::harness::simulated::Simulated;

fn pod(name: &str, extra: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  {extra}\n  containers:\n  - {{name: c, image: web:1, resources: {{requests: {{cpu: 600m, memory: 100Mi}}}}}}\n"
    )
}

/// The messages of all `FailedScheduling` events about a pod, in order.
fn failures(cluster: &mut Simulated, name: &str) -> Vec<String> {
    let events = cluster.client().list(&api::EVENTS, "shop").unwrap();
    events
        .iter()
        .filter(|event| event["involvedObject"]["name"] == name)
        .filter(|event| event.str_at(&["reason"]) == "FailedScheduling")
        .map(|event| event.str_at(&["message"]).to_owned())
        .collect()
}

#[test]
fn too_little_cpu_is_said_and_mended_by_a_deletion() {
    let mut cluster = Simulated::with_nodes(1, |node| node.cpu = "1".to_owned());
    for name in ["a", "b"] {
        cluster.create("shop", &pod(name, ""));
    }
    cluster.run_for(60);
    cluster.create("shop", &pod("c", ""));
    cluster.run_for(60);
    assert_eq!(failures(&mut cluster, "c"), ["0/2 nodes are available: 2 Insufficient cpu."]);
    let waiting = cluster.client().get(&api::PODS, "shop", "c").unwrap();
    assert_eq!(waiting.str_at(&["status", "phase"]), "Pending");
    let scheduled = &waiting["status"]["conditions"][0];
    assert_eq!(scheduled["type"], "PodScheduled");
    assert_eq!(scheduled["reason"], "Unschedulable");
    assert_eq!(scheduled["message"], "0/2 nodes are available: 2 Insufficient cpu.");
    let options = apiserver::DeleteOptions::default();
    cluster.client().delete(&api::PODS, "shop", "a", options).unwrap();
    cluster.until(120, "c runs", |client| {
        client.get(&api::PODS, "shop", "c").unwrap()["status"]["phase"] == "Running"
    });
}

#[test]
fn a_selector_that_no_node_has_is_said() {
    let mut cluster = Simulated::start(1);
    // Which of nodes and pods is first is the seed's choice; this is about nodes that are there.
    cluster.until(60, "the nodes have registered", |client| {
        client.list(&api::NODES, "").unwrap().len() == 2
    });
    cluster.create("shop", &pod("picky", "nodeSelector: {disk: ssd}"));
    cluster.run_for(60);
    assert_eq!(
        failures(&mut cluster, "picky"),
        ["0/2 nodes are available: 2 node(s) didn't match node selector."]
    );
}
