//! Nodes that fall silent, vanish or are tainted, and what becomes of their pods.

use std::sync::Arc;

use api::views::pod::is_ready;
use api::{DAEMON_SETS, EVENTS, NODES, PODS, REPLICA_SETS};
use apimachinery::{ObjectExt as _, Value, json};
use apiserver::{DeleteOptions, PatchKind};
use cri::NoMetrics;

use crate::cluster::{Cluster, template};

const NODE_NAMES: [&str; 3] = ["n1", "n2", "n3"];

fn cluster(seed: u64, nodes: &[&str]) -> Cluster {
    let mut cluster = Cluster::with_nodes(seed, nodes, Arc::new(NoMetrics));
    cluster.settle(20);
    let set = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 9,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "web:1"),
        },
    });
    cluster.create(&REPLICA_SETS, set);
    cluster.settle(60);
    assert_eq!(ready(&cluster), 9);
    cluster
}

fn ready(cluster: &Cluster) -> usize {
    cluster.pods().iter().filter(|pod| is_ready(pod)).count()
}

/// Messages of the events of nodes with this reason.
fn told_of_nodes(cluster: &Cluster, reason: &str) -> Vec<String> {
    let mut events = cluster.client.list(&EVENTS, "default").unwrap();
    events.retain(|event| event.str_at(&["reason"]) == reason);
    events.iter().map(|event| event.str_at(&["message"]).to_owned()).collect()
}

fn pods_of(cluster: &Cluster, node: &str) -> Vec<Arc<Value>> {
    let mut pods = cluster.list(&PODS);
    pods.retain(|pod| pod.str_at(&["spec", "nodeName"]) == node);
    pods
}

fn condition(cluster: &Cluster, node: &str) -> (String, String, String) {
    let node = cluster.client.get(&NODES, "", node).unwrap();
    let ready = api::views::pod::condition(&node, "Ready").cloned().unwrap();
    let text = |field: &str| ready.str_at(&[field]).to_owned();
    (text("status"), text("reason"), text("message"))
}

#[test]
fn a_silent_node_becomes_unknown_and_is_emptied_after_five_minutes() {
    let mut cluster = cluster(1, &NODE_NAMES);
    let had = pods_of(&cluster, "n1").len();
    assert!(had > 0);
    cluster.stop_node("n1", true);
    cluster.settle(30);
    assert_eq!(condition(&cluster, "n1").0, "True");
    cluster.settle(25);
    let text = "Kubelet stopped posting node status.".to_owned();
    assert_eq!(
        condition(&cluster, "n1"),
        ("Unknown".to_owned(), "NodeStatusUnknown".to_owned(), text)
    );
    assert_eq!(ready(&cluster), 9 - had);
    cluster.settle(200);
    assert!(pods_of(&cluster, "n1").iter().all(|pod| pod.deletion_timestamp().is_none()));
    cluster.settle(120);
    let lost = pods_of(&cluster, "n1");
    assert_eq!(lost.len(), had);
    for pod in lost {
        assert!(pod.deletion_timestamp().is_some());
        assert_eq!(pod.str_at(&["status", "reason"]), "NodeLost");
        let message = format!("Node n1 which was running pod {} is unresponsive", pod.name());
        assert_eq!(pod.str_at(&["status", "message"]), message);
    }
    assert_eq!(cluster.told("NodeControllerEviction").len(), had);
    let deleting = ["Node n1 event: Deleting all Pods from Node n1."];
    assert_eq!(told_of_nodes(&cluster, "DeletingAllPods"), deleting);

    cluster.stop_node("n1", false);
    cluster.settle(60);
    assert_eq!(condition(&cluster, "n1").0, "True");
    assert_eq!(pods_of(&cluster, "n1").len(), 0);
}

#[test]
fn a_daemon_pod_of_a_silent_node_is_marked_but_stays() {
    let mut cluster = Cluster::with_nodes(6, &[], Arc::new(NoMetrics));
    for name in NODE_NAMES {
        let room = json!({"cpu": "1", "memory": "1Gi", "pods": "9"});
        let node = json!({"metadata": {"name": name}, "status": {"allocatable": room}});
        cluster.client.create(&NODES, "", node).unwrap();
    }
    cluster.settle(20);
    let set = json!({
        "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": template("agent", "agent:1"),
        },
    });
    cluster.create(&DAEMON_SETS, set);
    cluster.settle(30);
    let state = |cluster: &Cluster| {
        let [pod] = &pods_of(cluster, "n1")[..] else { panic!("one pod") };
        let reason = pod.str_at(&["status", "reason"]).to_owned();
        (reason, is_ready(pod), pod.deletion_timestamp().is_some())
    };
    assert_eq!(state(&cluster), (String::new(), true, false));
    cluster.stop_node("n1", true);
    cluster.settle(400);
    assert_eq!(state(&cluster), ("NodeLost".to_owned(), false, false));
}

#[test]
fn nothing_is_evicted_while_every_node_is_silent() {
    let mut cluster = cluster(2, &NODE_NAMES);
    NODE_NAMES.iter().for_each(|node| cluster.stop_node(node, true));
    cluster.settle(1200);
    assert!(cluster.list(&PODS).iter().all(|pod| pod.deletion_timestamp().is_none()));
    // With one back the others have their five minutes again, then go one in ten seconds.
    cluster.stop_node("n1", false);
    cluster.settle(280);
    assert!(cluster.list(&PODS).iter().all(|pod| pod.deletion_timestamp().is_none()));
    cluster.settle(60);
    let left = cluster.list(&PODS);
    let on_silent = |pod: &&Arc<Value>| pod.str_at(&["spec", "nodeName"]) != "n1";
    assert!(left.iter().filter(on_silent).all(|pod| pod.deletion_timestamp().is_some()));
}

#[test]
fn pods_of_a_node_that_is_gone_are_collected() {
    let mut cluster = cluster(3, &NODE_NAMES);
    cluster.stop_node("n2", true);
    cluster.client.delete(&NODES, "", "n2", DeleteOptions::default()).unwrap();
    cluster.settle(120);
    assert_eq!(pods_of(&cluster, "n2").len(), 0);
    assert_eq!(ready(&cluster), 9);
    let removed = ["Node n2 event: Removing Node n2 from Controller"];
    assert_eq!(told_of_nodes(&cluster, "RemovingNode"), removed);
}

#[test]
fn a_node_that_is_deleted_stays_away_until_it_is_made_again() {
    let mut cluster = cluster(3, &NODE_NAMES);
    cluster.client.delete(&NODES, "", "n2", DeleteOptions::default()).unwrap();
    cluster.settle(120);
    assert!(cluster.client.get(&NODES, "", "n2").unwrap_err().is_not_found());
    assert_eq!((pods_of(&cluster, "n2").len(), ready(&cluster)), (0, 9));
    cluster.client.create(&NODES, "", json!({"metadata": {"name": "n2"}})).unwrap();
    cluster.settle(30);
    assert_eq!(condition(&cluster, "n2").0, "True");
}

#[test]
fn a_no_execute_taint_drives_out_what_does_not_tolerate_it() {
    let mut cluster = cluster(4, &NODE_NAMES);
    let patch = json!({"spec": {"taints": [{"key": "broken", "effect": "NoExecute"}]}});
    cluster.client.patch(&NODES, "", "n3", PatchKind::Merge, patch).unwrap();
    cluster.settle(120);
    assert_eq!(pods_of(&cluster, "n3").len(), 0);
    assert_eq!(ready(&cluster), 9);
    assert!(!cluster.told("TaintManagerEviction").is_empty());
}

#[test]
fn the_oldest_ended_pods_beyond_the_threshold_are_deleted() {
    let mut cluster = Cluster::with_nodes(5, &["n1"], Arc::new(NoMetrics));
    cluster.driver.add(Box::new(controllers::pod_gc::PodGc::with_threshold(2)));
    cluster.settle(15);
    for name in ["a", "b", "c", "d"] {
        let spec = json!({"containers": [{"name": "c", "image": "broken"}], "nodeName": "n1"});
        let pod = json!({"metadata": {"name": name}, "spec": spec});
        let mut ended = (*cluster.create(&PODS, pod)).clone();
        ended.set(&["status", "phase"], json!(if name == "d" { "Running" } else { "Failed" }));
        cluster.client.update_status(&PODS, ended).unwrap();
        cluster.settle(5);
    }
    let left: Vec<String> = cluster.list(&PODS).iter().map(|pod| pod.name().to_owned()).collect();
    assert_eq!(left, ["b", "c", "d"]);
}
