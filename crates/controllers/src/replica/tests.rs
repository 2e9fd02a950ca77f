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
        let observed = Observed { owner: &owner, pods: &pods, now: now() };
        assert_eq!(plan(&observed), expected, "{replicas} replicas");
    }
    let mut going = owner(9);
    going.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
    assert_eq!(plan(&Observed { owner: &going, pods: &pods, now: now() }), vec![]);
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
    let status_of = |owner: &Value| status(&Observed { owner, pods: &pods, now: now() }, None);
    assert_eq!(
        status_of(&owner_of(10)),
        json!({"replicas": 2, "fullyLabeledReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1, "observedGeneration": 2})
    );
    assert_eq!(status_of(&owner_of(11)).get("availableReplicas"), None);
    let late = owner_of(13);
    let observed = Observed { owner: &late, pods: &pods, now: now() };
    assert_eq!(next_available(&observed), Some(Duration::from_secs(3)));
    let none = Observed { owner: &owner(0), pods: &[], now: now() };
    assert_eq!(status(&none, None), json!({"replicas": 0, "observedGeneration": 2}));
}

#[test]
fn a_failure_is_a_condition_until_a_sync_succeeds() {
    let failure = Failure { reason: "FailedCreate", status: Status::bad_request("no room") };
    let mut owner = owner(1);
    let first = status(&Observed { owner: &owner, pods: &[], now: now() }, Some(&failure));
    assert_eq!(
        first["conditions"],
        json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": "no room", "lastTransitionTime": "2018-10-11T12:00:10Z"}])
    );
    owner.set(&["status"], first.clone());
    let later = Failure { reason: "FailedDelete", status: Status::bad_request("still") };
    let again = status(&Observed { owner: &owner, pods: &[], now: now() }, Some(&later));
    assert_eq!(again, first, "the first failure stands until it is gone");
    let healed = status(&Observed { owner: &owner, pods: &[], now: now() }, None);
    assert_eq!(healed.get("conditions"), None);
}
