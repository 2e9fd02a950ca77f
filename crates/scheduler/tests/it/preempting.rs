//! More important pods go first, and others go for them.

use api::PODS;
use apimachinery::ObjectExt as _;
use apimachinery::json;

use crate::cluster::{Cluster, NS};

#[test]
fn the_most_important_pod_gets_the_room() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        cluster.add("low", "1", &json!({"priority": 1}));
        cluster.add("high", "1", &json!({"priority": 9}));
        cluster.add("middle", "1", &json!({"priority": 5}));
        cluster.settle(5);
        cluster.add_node("n1", "1");
        cluster.settle(5);
        assert_eq!(cluster.node_of("high"), "n1", "seed {seed}");
    }
}

#[test]
fn a_pod_that_fits_nowhere_sends_less_important_ones_away() {
    let mut cluster = Cluster::new(1);
    cluster.add_node("n1", "2");
    cluster.add_node("n2", "2");
    cluster.add("a", "2", &json!({"priority": 3, "terminationGracePeriodSeconds": 0}));
    cluster.add("b", "2", &json!({"priority": 1}));
    cluster.settle(1);
    let node = cluster.node_of("b");
    cluster.add("boss", "1", &json!({"priority": 9}));
    cluster.settle(0);

    let message = format!("by {NS}/boss on node {node}");
    assert_eq!(cluster.told("b", "Preempted"), [("Normal".to_owned(), message, 1)]);
    let refusal = "0/2 nodes are available: 2 Insufficient cpu.".to_owned();
    assert_eq!(cluster.told("boss", "FailedScheduling"), [("Warning".to_owned(), refusal, 1)]);
    let boss = cluster.pod("boss");
    assert_eq!(boss.str_at(&["status", "nominatedNodeName"]), node);
    assert!(cluster.pod("b").deletion_timestamp().is_some(), "it goes gracefully");
    assert_eq!(cluster.node_of("boss"), "", "the room is not free yet");

    cluster.add("newcomer", "1", &json!({"priority": 9}));
    cluster.delete_pod("b");
    cluster.settle(2);
    assert_eq!(cluster.node_of("boss"), node);
    assert!(cluster.told("a", "Preempted").len() <= 1);
}

#[test]
fn nobody_is_sent_away_for_an_equal() {
    let mut cluster = Cluster::new(2);
    cluster.add_node("n1", "2");
    cluster.add("a", "2", &json!({"priority": 3}));
    cluster.settle(1);
    cluster.add("b", "2", &json!({"priority": 3}));
    cluster.settle(30);
    assert_eq!(cluster.node_of("b"), "");
    assert_eq!(cluster.client.list(&PODS, NS).unwrap().len(), 2);
    assert!(cluster.told("a", "Preempted").is_empty());
}
