//! The decision as a whole: text of a refusal, order of turns, weights.

use std::sync::Arc;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::*;

fn node(name: &str, cpu: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"disk": "ssd"}},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}}})
}

fn pod(cpu: &str) -> PodInfo {
    PodInfo::new(Arc::new(json!({"metadata": {"name": "p", "namespace": "ns"},
        "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}})))
}

fn snapshot(nodes: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for node in nodes {
        snapshot.set_node(&Arc::new(node.clone()));
    }
    snapshot
}

fn outcome(nodes: &[Value], pod: &PodInfo, turn: u64) -> Decision {
    decide(&Profile::default(), &snapshot(nodes), pod, turn)
}

#[test]
fn a_refusal_counts_nodes_by_reason_sorted_as_text() {
    let mut cordoned = node("c", "4");
    cordoned.set(&["spec", "unschedulable"], json!(true));
    cordoned.set(&["status", "conditions"], json!([{"type": "Ready", "status": "False"}]));
    let mut tainted = node("t", "4");
    tainted.set(&["spec", "taints"], json!([{"key": "k", "effect": "NoSchedule"}]));
    let nodes = [node("a", "1"), node("b", "1"), cordoned, tainted];
    let mut wanted = (*pod("2").pod).clone();
    wanted.set(&["spec", "nodeSelector"], json!({"disk": "tape"}));
    for (pod, expected) in [
        (
            pod("2"),
            "0/4 nodes are available: 1 node(s) had taints that the pod didn't tolerate, \
             1 node(s) were not ready, 1 node(s) were unschedulable, 2 Insufficient cpu.",
        ),
        (
            PodInfo::new(Arc::new(wanted)),
            "0/4 nodes are available: 1 node(s) were not ready, 1 node(s) were unschedulable, \
             2 Insufficient cpu, 3 node(s) didn't match node selector.",
        ),
    ] {
        let decision = outcome(&nodes, &pod, 0);
        assert_eq!(decision.outcome, Outcome::Unschedulable(expected.to_owned()));
        assert!(!decision.took_turn());
    }
    let none = outcome(&[], &pod("1"), 0).outcome;
    assert_eq!(none, Outcome::Failed("no nodes available to schedule pods".to_owned()));
}

#[test]
fn equals_take_turns_from_the_end_of_the_alphabet() {
    let nodes = [node("a", "4"), node("b", "4"), node("c", "4")];
    let chosen = |turn| match outcome(&nodes, &pod("1"), turn).outcome {
        Outcome::Node(node) => node,
        Outcome::Unschedulable(text) | Outcome::Failed(text) => panic!("{text}"),
    };
    assert_eq!([chosen(0), chosen(1), chosen(2), chosen(3)], ["c", "b", "a", "c"]);
}

#[test]
fn the_only_node_that_fits_is_taken_without_scoring() {
    let nodes = [node("a", "1"), node("b", "4")];
    let decision = outcome(&nodes, &pod("2"), 7);
    assert_eq!(decision.outcome, Outcome::Node("b".to_owned()));
    assert!(decision.scores.is_empty() && !decision.took_turn());
    assert_eq!(decision.verdicts[0].reasons().count(), 1);
    assert!(decision.verdicts[1].fits());
}

fn entry(priority: &str, score: i64, weight: i64) -> Score {
    Score { priority: priority.to_owned(), score, weight }
}

#[test]
fn scores_are_weighted_and_explained() {
    let profile =
        Profile::of(&["GeneralPredicates"], &[("LeastRequestedPriority", 3), ("EqualPriority", 2)])
            .unwrap();
    let nodes = [node("a", "2"), node("b", "4")];
    let decision = decide(&profile, &snapshot(&nodes), &pod("1"), 0);
    assert_eq!(decision.outcome, Outcome::Node("b".to_owned()));
    // CPU 3/4 free gives 7, memory nearly all free gives 9: the mean is 8.
    let expected = vec![entry("LeastRequestedPriority", 8, 3), entry("EqualPriority", 1, 2)];
    assert_eq!(decision.scores[0].priorities, expected);
    assert_eq!(decision.scores[0].total, 26);
    assert!(Profile::of(&["NoSuchPredicate"], &[]).is_none());
}

#[test]
fn without_priorities_all_nodes_are_equal() {
    let profile = Profile::of(&[], &[]).unwrap();
    let nodes = [node("a", "2"), node("b", "4")];
    let decision = decide(&profile, &snapshot(&nodes), &pod("1"), 0);
    assert_eq!(decision.tie_break.unwrap().nodes, ["b", "a"]);
    assert_eq!(decision.scores[0].priorities, vec![entry("EqualPriority", 1, 1)]);
}
