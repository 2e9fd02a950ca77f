//! Table tests of the shared replica planner.

use super::*;

fn now() -> Time {
    Time::parse_rfc3339("2018-10-11T12:00:10Z").unwrap()
}

fn pod(name: &str, node: &str, ready_at: &str) -> Arc<Value> {
    let mut pod = json!({
        "metadata": {"name": name, "labels": {"foo": "bar"}},
        "spec": {},
        "status": {"phase": if node.is_empty() { "Pending" } else { "Running" }},
    });
    if !node.is_empty() {
        pod.set(&["spec", "nodeName"], json!(node));
    }
    if !ready_at.is_empty() {
        let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": ready_at});
        pod.set(&["status", "conditions"], json!([ready]));
    }
    Arc::new(pod)
}

fn owner(replicas: i64) -> Value {
    json!({
        "metadata": {"name": "rc", "generation": 2},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"foo": "bar"}}}},
    })
}

#[test]
fn surplus_pods_are_ranked_and_missing_ones_created() {
    let pods = [
        pod("ready", "n", "2018-10-11T12:00:00Z"),
        pod("unready", "n", ""),
        pod("unscheduled", "", ""),
    ];
    let delete = |names: &[&str]| -> Vec<Action> {
        names.iter().map(|name| Action::Delete((*name).to_owned())).collect()
    };
    for (replicas, expected) in [
        (5, vec![Action::Create(2)]),
        (3, vec![]),
        (2, delete(&["unscheduled"])),
        (1, delete(&["unscheduled", "unready"])),
        (0, delete(&["ready", "unready", "unscheduled"])),
        (1000, vec![Action::Create(500)]),
    ] {
        let owner = owner(replicas);
        let observed = Observed::of(&owner, &pods, now());
        assert_eq!(plan(&observed), expected, "{replicas} replicas");
    }
    let many: Vec<_> = (0..600).map(|number| pod(&format!("p{number}"), "", "")).collect();
    assert_eq!(plan(&Observed::of(&owner(0), &many, now())).len(), 500);
    let mut going = owner(9);
    going.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
    assert_eq!(plan(&Observed::of(&going, &pods, now())), vec![]);
}

#[test]
fn status_counts_and_omits_zeros() {
    let owner_of = |min_ready: i64| {
        let mut owner = owner(2);
        owner.set(&["spec", "minReadySeconds"], json!(min_ready));
        owner
    };
    let ready = pod("a", "n", "2018-10-11T12:00:00Z");
    let mut unlabelled = (*pod("b", "n", "")).clone();
    unlabelled.remove(&["metadata", "labels"]);
    let pods = [ready, Arc::new(unlabelled)];
    let status_of = |owner: &Value| status(&Observed::of(owner, &pods, now()), None);
    assert_eq!(
        status_of(&owner_of(10)),
        json!({"replicas": 2, "fullyLabeledReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1, "observedGeneration": 2})
    );
    assert_eq!(status_of(&owner_of(11)).get("availableReplicas"), None);
    let late = owner_of(13);
    let observed = Observed::of(&late, &pods, now());
    assert_eq!(next_available(&observed), Some(Duration::from_secs(3)));
    let idle = owner(0);
    let none = Observed::of(&idle, &[], now());
    assert_eq!(status(&none, None), json!({"replicas": 0, "observedGeneration": 2}));
}

#[test]
fn a_failure_is_a_condition_until_a_sync_succeeds() {
    let failure = Failure { reason: "FailedCreate", status: Status::bad_request("no room") };
    let mut owner = owner(1);
    let first = status(&Observed::of(&owner, &[], now()), Some(&failure));
    assert_eq!(
        first["conditions"],
        json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "no room", "lastTransitionTime": "2018-10-11T12:00:10Z"}])
    );
    owner.set(&["status"], first.clone());
    let later = Failure { reason: "FailedDelete", status: Status::bad_request("still") };
    let again = status(&Observed::of(&owner, &[], now()), Some(&later));
    assert_eq!(again, first, "the first failure stands until it is gone");
    let healed = status(&Observed::of(&owner, &[], now()), None);
    assert_eq!(healed.get("conditions"), None);
}

#[test]
fn a_glance_counts_what_looking_at_every_pod_counts() {
    let selector = LabelSelector::parse("foo=bar").unwrap();
    let labels = json!({"foo": "bar"}).as_object().cloned();
    let alike = |labels, active, ready| Alike { labels, active, ready, ..Alike::default() };
    let pods = [pod("a", "n", "2018-10-11T12:00:00Z"), pod("b", "n", ""), pod("c", "", "")];
    for replicas in [3, 4] {
        let owner = owner(replicas);
        let seen = glance(&owner, &selector, &[&alike(labels.clone(), 3, 1)]);
        assert_eq!(seen, Some(Observed::of(&owner, &pods, now()).counts));
    }
    let (few, enough) = (owner(2), owner(5));
    assert_eq!(glance(&few, &selector, &[&alike(labels.clone(), 3, 1)]), None, "one must go");
    let strangers = alike(None, 1, 0);
    assert_eq!(glance(&enough, &selector, &[&strangers]), None, "one must be released");
    let mut slow = owner(5);
    slow.set(&["spec", "minReadySeconds"], json!(5));
    assert_eq!(glance(&slow, &selector, &[&alike(labels, 3, 1)]), None, "time matters");
}
