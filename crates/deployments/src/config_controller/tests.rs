//! The decision table of the `DeploymentConfig` controller.

use super::*;

fn dc(latest: i64, triggers: &Value) -> Value {
    json!({
        "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
        "metadata": {"name": "web", "namespace": "p", "uid": "u"},
        "spec": {"replicas": 3, "triggers": triggers, "revisionHistoryLimit": 1,
                 "template": {"spec": {"containers": [{"name": "c", "image": "a@1"}]}}},
        "status": {"latestVersion": latest},
    })
}

fn config_change() -> Value {
    json!([{"type": "ConfigChange"}])
}

fn rc(version: i64, phase: Phase, replicas: i64) -> Arc<Value> {
    let mut rc = rollout::make(&dc(version, &config_change()));
    rc.set_annotation(keys::PHASE, phase.as_str());
    rc.set(&["spec", "replicas"], json!(replicas));
    Arc::new(rc)
}

#[test]
fn a_config_without_triggers_waits_for_an_order() {
    assert_eq!(plan(&dc(0, &json!([])), &[]), Plan::Refresh);
    assert_eq!(plan(&dc(1, &json!([])), &[]), Plan::Create);
}

#[test]
fn a_new_config_is_rolled_out_and_then_made() {
    assert!(matches!(plan(&dc(0, &config_change()), &[]), Plan::Bump(Some(_))));
    assert_eq!(plan(&dc(1, &config_change()), &[]), Plan::Create);
    assert_eq!(plan(&dc(1, &config_change()), &[rc(1, Phase::Running, 1)]), Plan::InProgress);
}

#[test]
fn a_running_rollout_is_cancelled_before_the_next_is_made() {
    let running = rc(1, Phase::Running, 2);
    let next = dc(2, &config_change());
    assert_eq!(
        plan(&next, &[Arc::clone(&running)]),
        Plan::AwaitCancellation(vec!["web-1".to_owned()])
    );
    let mut cancelled = (*running).clone();
    cancelled.set_annotation(keys::CANCELLED, "true");
    assert_eq!(plan(&next, &[Arc::new(cancelled)]), Plan::AwaitCancellation(Vec::new()));
    assert_eq!(plan(&next, &[rc(1, Phase::Failed, 0)]), Plan::Create);
}

#[test]
fn a_failed_rollout_gives_way_to_the_last_complete_one() {
    let rollouts = [rc(2, Phase::Failed, 1), rc(1, Phase::Complete, 2)];
    let expected = vec![("web-2".to_owned(), 1, 0), ("web-1".to_owned(), 2, 3)];
    assert_eq!(plan(&dc(2, &config_change()), &rollouts), Plan::Reconcile(expected));
}

#[test]
fn paused_configs_only_prune_and_blank_images_wait() {
    let mut paused = dc(1, &config_change());
    paused["spec"]["paused"] = json!(true);
    assert_eq!(plan(&paused, &[]), Plan::Prune);
    let mut blank = dc(0, &config_change());
    blank["spec"]["template"]["spec"]["containers"][0]["image"] = json!(" ");
    assert_eq!(plan(&blank, &[]), Plan::Refresh);
}

#[test]
fn a_restored_config_catches_up_with_its_rollouts() {
    assert_eq!(plan(&dc(1, &config_change()), &[rc(4, Phase::Complete, 3)]), Plan::Bump(None));
}

#[test]
fn pruning_keeps_the_limit_and_whatever_has_replicas() {
    let rollouts = [
        rc(5, Phase::Complete, 3),
        rc(4, Phase::Complete, 0),
        rc(3, Phase::Failed, 0),
        rc(2, Phase::Complete, 1),
        rc(1, Phase::Complete, 0),
    ];
    assert_eq!(plan_pruning(&dc(5, &config_change()), &rollouts), ["web-1", "web-3"]);
    assert!(plan_pruning(&dc(5, &config_change()), &rollouts[..2]).is_empty());
}
