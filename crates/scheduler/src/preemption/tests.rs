//! Who must go.

use std::sync::Arc;

use apimachinery::json;

use super::*;
use crate::decision::decide;

fn pod(name: &str, priority: i64, cpu: &str) -> Arc<Value> {
    Arc::new(json!({
        "metadata": {"name": name, "namespace": "ns", "labels": {"app": name}},
        "spec": {"priority": priority, "containers": [{"resources": {"requests": {"cpu": cpu}}}]},
    }))
}

/// Nodes of 4 CPUs with these pods: node, name, priority, CPU.
fn snapshot(pods: &[(&str, &str, i64, &str)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for name in ["a", "b"] {
        let allocatable = json!({"cpu": "4", "memory": "8Gi", "pods": "10"});
        let node = json!({"metadata": {"name": name}, "status": {"allocatable": allocatable}});
        snapshot.set_node(&Arc::new(node));
    }
    for (node, name, priority, cpu) in pods {
        let info = PodInfo::new(pod(name, *priority, cpu));
        snapshot.place(&Key::of(&info.pod), &info, node);
    }
    snapshot
}

fn planned(snapshot: &Snapshot, pod: &Arc<Value>) -> Option<(String, Vec<String>)> {
    let (profile, pod) = (Profile::default(), PodInfo::new(Arc::clone(pod)));
    let decision = decide(&profile, snapshot, &pod, 0);
    let nodes = candidates(&profile, snapshot, &pod, &decision);
    let plan = plan(snapshot, &pod, nodes)?;
    let victims = plan.victims.iter().map(|victim| victim.pod.name().to_owned()).collect();
    Some((plan.node, victims))
}

fn wants(node: &str, victims: &[&str]) -> Option<(String, Vec<String>)> {
    Some((node.to_owned(), victims.iter().map(|name| (*name).to_owned()).collect()))
}

#[test]
fn as_few_as_will_do_go_and_the_least_important() {
    let snapshot = snapshot(&[
        ("a", "a1", 1, "2"),
        ("a", "a2", 5, "1"),
        ("a", "a3", 1, "1"),
        ("b", "b1", 7, "4"),
    ]);
    assert_eq!(planned(&snapshot, &pod("p", 9, "2")), wants("a", &["a1"]));
    assert_eq!(planned(&snapshot, &pod("p", 9, "3")), wants("a", &["a1", "a3"]));
    assert_eq!(planned(&snapshot, &pod("p", 1, "2")), None, "equals stay");
    assert_eq!(planned(&snapshot, &pod("p", 9, "5")), None, "no node is that large");
}

#[test]
fn a_disruption_budget_is_minded_where_there_is_a_choice() {
    let mut snapshot = snapshot(&[("a", "a1", 1, "4"), ("b", "b1", 3, "4")]);
    assert_eq!(planned(&snapshot, &pod("p", 9, "2")), wants("a", &["a1"]));
    let budget = Arc::new(json!({"metadata": {"name": "x", "namespace": "ns"},
        "spec": {"selector": {"matchLabels": {"app": "a1"}}},
        "status": {"disruptionsAllowed": 0}}));
    snapshot.set(&api::POD_DISRUPTION_BUDGETS, &Key::of(&budget), Some(&budget));
    assert_eq!(planned(&snapshot, &pod("p", 9, "2")), wants("b", &["b1"]));
}

#[test]
fn a_node_that_no_departure_makes_fit_is_left_alone() {
    let mut snapshot = snapshot(&[("a", "a1", 1, "4"), ("b", "b1", 1, "4")]);
    let mut node = (**snapshot.node("a").unwrap().node.as_ref().unwrap()).clone();
    node.set(&["spec"], json!({"taints": [{"key": "k", "effect": "NoSchedule"}]}));
    snapshot.set_node(&Arc::new(node));
    assert_eq!(planned(&snapshot, &pod("p", 9, "2")), wants("b", &["b1"]));
}

#[test]
fn who_waits_for_room_is_counted_and_outranked_by_the_more_important() {
    let mut snapshot = snapshot(&[("a", "a1", 1, "4")]);
    let mut waiting = (*pod("w", 5, "4")).clone();
    waiting.set(&["status", "nominatedNodeName"], json!("b"));
    let waiting = Arc::new(waiting);
    snapshot.set(&api::PODS, &Key::of(&waiting), Some(&waiting));
    assert_eq!(planned(&snapshot, &pod("p", 5, "2")), wants("a", &["a1"]));
    let info = PodInfo::new(pod("p", 9, "2"));
    let decision = decide(&Profile::default(), &snapshot, &info, 0);
    assert_eq!(decision.outcome, crate::Outcome::Node("b".to_owned()), "{decision:?}");
}
