//! The decision table of the deployer controller: phase of the rollout against state of its pod.

use super::*;
use crate::deployer_pod;
use crate::rollout;

fn rc(phase: Phase, cancelled: bool) -> Value {
    let dc = json!({
        "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
        "metadata": {"name": "web", "namespace": "p", "uid": "u"},
        "spec": {"replicas": 2, "strategy": {"type": "Rolling", "rollingParams": {"timeoutSeconds": 60}}},
        "status": {"latestVersion": 1},
    });
    let mut rc = rollout::make(&dc);
    rc.set_annotation(keys::PHASE, phase.as_str());
    rc.set(&["metadata", "creationTimestamp"], json!("2018-10-11T12:00:00Z"));
    if cancelled {
        rc.set_annotation(keys::CANCELLED, "true");
    }
    rc
}

fn pod(phase: &str) -> Value {
    let rc = rc(Phase::New, false);
    let mut pod = deployer_pod::make(&rc, &decode_config(&rc).unwrap());
    pod["status"] = json!({"phase": phase});
    pod
}

fn look(rc: &Value, pod: Option<&Value>, age_seconds: u64) -> Vec<Action> {
    let now = world::SIMULATION_EPOCH + Duration::from_secs(age_seconds);
    plan(&Observed { rc, pod, unowned: Vec::new(), now, last_try: false })
}

fn becomes(actions: &[Action]) -> Option<Phase> {
    actions.iter().find_map(|action| match action {
        Action::Become(phase, _) => Some(*phase),
        _ => None,
    })
}

#[test]
fn phases_follow_the_pod() {
    let cases = [
        (Phase::New, "Pending", Some(Phase::Pending)),
        (Phase::New, "Succeeded", Some(Phase::Complete)),
        (Phase::Pending, "Pending", None),
        (Phase::Pending, "Running", Some(Phase::Running)),
        (Phase::Running, "Running", None),
        (Phase::Running, "Succeeded", Some(Phase::Complete)),
        (Phase::Running, "Failed", Some(Phase::Failed)),
    ];
    for (phase, pod_phase, expected) in cases {
        let actions = look(&rc(phase, false), Some(&pod(pod_phase)), 1);
        assert_eq!(becomes(&actions), expected, "{phase:?} with a {pod_phase} pod");
    }
}

#[test]
fn a_new_rollout_gets_a_pod_in_time() {
    assert_eq!(look(&rc(Phase::New, false), None, 1), [Action::CreatePod]);
    let late = look(&rc(Phase::New, false), None, 61);
    assert_eq!(becomes(&late), Some(Phase::Failed));
    assert!(late.iter().any(|action| matches!(action, Action::Event(_, "RolloutTimeout", text)
        if text == "Rollout for \"p/web-1\" failed to create deployer pod (timeoutSeconds: 60s)")));
}

#[test]
fn a_cancelled_rollout_loses_its_pod_and_then_fails() {
    assert_eq!(look(&rc(Phase::Running, true), Some(&pod("Running")), 1), [Action::DeletePods]);
    let gone = look(&rc(Phase::Running, true), None, 1);
    assert_eq!(becomes(&gone), Some(Phase::Failed));
    assert!(gone.iter().any(|action| matches!(action, Action::Event(_, "RolloutCancelled", _))));
}

#[test]
fn a_lost_pod_fails_the_rollout() {
    let actions = look(&rc(Phase::Running, false), None, 1);
    assert_eq!(becomes(&actions), Some(Phase::Failed));
    assert!(actions.iter().any(|action| matches!(action, Action::Event(_, "Failed", text)
        if text == "Deployer pod \"web-1-deploy\" has gone missing")));
}

/// Upstream's cache may not show the pod yet.
#[test]
fn a_pod_that_has_hardly_been_made_may_still_show_up() {
    let rc = rc(Phase::Pending, false);
    let actions = look(&rc, None, 1);
    assert!(matches!(&actions[..], [Action::Retry(status)] if status.is_not_found()));
    let now = world::SIMULATION_EPOCH;
    let last = Observed { rc: &rc, pod: None, unowned: Vec::new(), now, last_try: true };
    assert_eq!(becomes(&plan(&last)), Some(Phase::Failed));
}

#[test]
fn completion_records_the_replicas_and_deletes_the_pod() {
    let actions = look(&rc(Phase::Running, false), Some(&pod("Succeeded")), 1);
    let Some(Action::Become(_, annotations)) = actions.first() else { panic!("no phase") };
    assert_eq!(annotations[keys::REPLICAS], "2");
    assert_eq!(annotations[keys::DESIRED_REPLICAS], Value::Null);
    assert_eq!(look(&rc(Phase::Complete, false), None, 1), [Action::DeletePods]);
}

#[test]
fn a_strangers_pod_is_not_adopted() {
    let mut stranger = pod("Running");
    stranger.set_annotation(keys::DEPLOYMENT_NAME, "other-1");
    let actions = look(&rc(Phase::New, false), Some(&stranger), 1);
    assert_eq!(becomes(&actions), Some(Phase::Failed));
}
