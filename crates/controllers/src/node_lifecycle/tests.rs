//! How soon the pods of a lost node may be evicted, by the state of its zone and of the others.

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_000_000 + seconds)
}

fn node(name: &str, zone: &str, ready: bool) -> Value {
    let status = if ready { "True" } else { "Unknown" };
    json!({
        "metadata": {"name": name, "labels": {"failure-domain.beta.kubernetes.io/zone": zone}},
        "status": {"conditions": [{"type": "Ready", "status": status}]},
    })
}

/// A controller that knows zones written as `a:rrl`: a ready, a ready and a lost node in `a`.
fn knowing(zones: &str) -> NodeLifecycle {
    let mut controller = NodeLifecycle::default();
    for zone in zones.split_whitespace() {
        let (name, nodes) = zone.split_once(':').unwrap();
        for (number, state) in nodes.chars().enumerate() {
            let node = node(&format!("{name}{number}"), name, state == 'r');
            controller.note(&format!("{name}{number}"), Some(&node), at(0));
        }
    }
    controller
}

#[test]
fn a_lost_node_is_emptied_at_the_rate_of_its_zone() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    // (zones, the lost node, when it is asked; it fell silent at 0) -> how long to wait still
    for (zones, name, now, expected) in [
        ("a:rrl", "a2", 0, seconds(300)),
        ("a:rrl", "a2", 299, seconds(1)),
        ("a:rrl", "a2", 300, seconds(0)),
        ("a:rll", "a2", 300, seconds(0)),
        // More than 55 % of a small zone: nobody knows whose fault it is.
        ("a:rrlll", "a4", 300, None),
        ("a:rrrlll", "a4", 300, seconds(0)),
        // A whole zone is emptied as long as another one lives.
        ("a:lll b:r", "a2", 300, seconds(0)),
        ("a:lll b:l", "a2", 300, None),
        // What happens in another zone does not matter.
        ("a:rl b:rlll", "a1", 300, seconds(0)),
    ] {
        let controller = knowing(zones);
        let known = &controller.known[name];
        assert_eq!(controller.eviction_wait(known, at(0), at(now)), expected, "{zones} at {now}");
    }
}

#[test]
fn nodes_of_a_zone_are_emptied_one_after_the_other() {
    let mut controller = knowing("a:rrrll b:rl");
    controller.zones.values_mut().next().unwrap().next = Some(at(310));
    for (name, wait) in [("a3", 10), ("b1", 0)] {
        let known = &controller.known[name];
        let got = controller.eviction_wait(known, at(0), at(300));
        assert_eq!(got, Some(Duration::from_secs(wait)), "{name}");
    }
}

#[test]
fn when_the_first_of_all_lost_nodes_comes_back_the_others_have_their_time_again() {
    let mut controller = knowing("a:lll");
    controller.note("a0", Some(&node("a0", "a", true)), at(1000));
    let known = &controller.known["a1"];
    let wait = controller.eviction_wait(known, at(0), at(1001));
    assert_eq!(wait, Some(Duration::from_secs(299)));
}
