//! Pods that fit nowhere wait, and are told why.

use apimachinery::ObjectExt as _;
use apimachinery::json;

use crate::cluster::Cluster;

#[test]
fn a_pod_that_fits_nowhere_is_told_why_once_per_try() {
    let mut cluster = Cluster::new(1);
    cluster.add_node("n1", "500m");
    cluster.add_node("n2", "500m");
    cluster.add_pod("a", "1");
    // Tries at 0, 1, 3, 7, 15 and 31 s.
    cluster.settle(60);
    let message = "0/2 nodes are available: 2 Insufficient cpu.";
    let told = cluster.told("a", "FailedScheduling");
    assert_eq!(told, [("Warning".to_owned(), message.to_owned(), 6)]);
    let pod = cluster.pod("a");
    let conditions = pod.list_at(&["status", "conditions"]);
    let scheduled = conditions.iter().find(|c| c["type"] == "PodScheduled").unwrap();
    assert_eq!(scheduled["status"], "False");
    assert_eq!(scheduled["reason"], "Unschedulable");
    assert_eq!(scheduled["message"], message);
    assert_eq!(pod["status"]["phase"], "Pending");
}

#[test]
fn a_change_in_the_cluster_frees_waiting_pods_at_once() {
    let mut cluster = Cluster::new(2);
    cluster.add_pod("a", "1");
    cluster.settle(100);
    let told = cluster.told("a", "FailedScheduling");
    assert_eq!(told[0].1, "no nodes available to schedule pods");
    cluster.add_node("n1", "1");
    cluster.settle(0);
    assert_eq!(cluster.node_of("a"), "n1");

    cluster.add_pod("b", "1");
    cluster.settle(100);
    assert_eq!(cluster.node_of("b"), "");
    cluster.delete_pod("a");
    cluster.settle(0);
    assert_eq!(cluster.node_of("b"), "n1");
}

#[test]
fn cordons_taints_and_selectors_keep_pods_away_until_they_are_lifted() {
    let mut cluster = Cluster::new(3);
    cluster.add_node("n1", "4");
    cluster.patch_node("n1", json!({"spec": {"unschedulable": true}}));
    cluster.add_pod("a", "1");
    cluster.settle(30);
    let told = cluster.told("a", "FailedScheduling");
    assert_eq!(told[0].1, "0/1 nodes are available: 1 node(s) were unschedulable.");

    let taints = json!([{"key": "dedicated", "effect": "NoSchedule"}]);
    cluster.patch_node("n1", json!({"spec": {"unschedulable": false, "taints": taints}}));
    cluster.settle(30);
    assert_eq!(cluster.node_of("a"), "");
    cluster.add(
        "tolerant",
        "1",
        &json!({"tolerations": [{"key": "dedicated", "operator": "Exists"}]}),
    );
    cluster.settle(1);
    assert_eq!(cluster.node_of("tolerant"), "n1");

    cluster.patch_node("n1", json!({"spec": {"taints": null}}));
    cluster.settle(1);
    assert_eq!(cluster.node_of("a"), "n1");
    cluster.add("picky", "1", &json!({"nodeSelector": {"disk": "ssd"}}));
    cluster.settle(30);
    assert_eq!(cluster.node_of("picky"), "");
    cluster.patch_node("n1", json!({"metadata": {"labels": {"disk": "ssd"}}}));
    cluster.settle(1);
    assert_eq!(cluster.node_of("picky"), "n1");
}
