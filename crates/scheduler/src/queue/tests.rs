//! Turns, back-offs and moves.

use std::sync::Arc;

use apimachinery::json;

use super::*;

fn at(seconds: u64) -> Time {
    Time::from_unix_seconds(0) + Duration::from_secs(seconds)
}

fn held(pod: Value) -> Arc<Value> {
    Arc::new(pod)
}

fn pod(priority: i64) -> Arc<Value> {
    held(json!({"spec": {"priority": priority}}))
}

fn key(name: &str) -> Key {
    Key::new("ns", name)
}

/// Tries the only active pod, which fails.
fn fail(queue: &mut Queue, seconds: u64) {
    let (key, _) = queue.pop().expect("an active pod");
    queue.failed(&key, at(seconds));
}

#[test]
fn the_most_important_goes_first_then_the_one_that_came_first() {
    let mut queue = Queue::default();
    for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)] {
        assert!(queue.add(&key(name), &pod(priority)));
    }
    assert!(!queue.add(&key("a"), &pod(0)), "nothing has changed");
    let order: Vec<String> =
        std::iter::from_fn(|| queue.pop().map(|(key, _)| key.name().to_string())).collect();
    assert_eq!(order, ["b", "d", "a", "c"]);
}

#[test]
fn back_off_doubles_to_a_minute() {
    let mut queue = Queue::default();
    queue.add(&key("a"), &pod(0));
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..8 {
        fail(&mut queue, now);
        let due = queue.next_due().unwrap();
        waits.push(due.since(at(now)).as_secs());
        now += waits[waits.len() - 1];
        assert_eq!(queue.release_due(at(now)), [key("a")]);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    queue.forget(&key("a"));
    assert!(queue.pop().is_none() && queue.next_due().is_none());
}

#[test]
fn a_change_in_the_cluster_ends_the_wait_but_for_the_first_second() {
    let mut queue = Queue::default();
    queue.add(&key("a"), &pod(0));
    for seconds in [0, 1, 3, 7, 15] {
        queue.release_due(at(seconds));
        fail(&mut queue, seconds);
    }
    assert_eq!(queue.standing(&key("a")), Some(Standing::Unschedulable));
    queue.move_on(News::Nothing);
    queue.move_on(News::Neighbours);
    assert_eq!(queue.lengths(), (0, 0, 1), "it wants nobody near");
    queue.move_on(News::Room);
    assert_eq!(queue.lengths(), (0, 1, 0));
    assert!(queue.release_due(at(15)).is_empty());
    assert_eq!(queue.release_due(at(16)), [key("a")]);
    assert_eq!(queue.standing(&key("a")), Some(Standing::Active));
}

#[test]
fn pods_that_want_others_near_hear_of_neighbours() {
    let mut queue = Queue::default();
    let term = json!({"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone"});
    let affinity =
        json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    queue.add(&key("a"), &held(json!({"spec": {"affinity": affinity}})));
    fail(&mut queue, 0);
    queue.move_on(News::Neighbours);
    assert_eq!(queue.standing(&key("a")), Some(Standing::BackOff));
}

#[test]
fn a_changed_pod_is_tried_at_once() {
    let mut queue = Queue::default();
    queue.add(&key("a"), &held(json!({"spec": {"a": 1}})));
    fail(&mut queue, 0);
    let told = json!({"spec": {"a": 1}, "status": {"conditions": []}});
    assert!(!queue.add(&key("a"), &held(told)));
    assert_eq!(queue.standing(&key("a")), Some(Standing::Unschedulable));
    assert!(queue.add(&key("a"), &held(json!({"spec": {"a": 2}}))));
    assert!(queue.pop().is_some());
}
