//! Tables of the rules of budgets.

use apimachinery::json;

use super::*;

fn pod(name: &str, ready: bool) -> Arc<Value> {
    let status = if ready { "True" } else { "False" };
    Arc::new(json!({
        "metadata": {"name": name, "namespace": "dev", "labels": {"app": "web"}},
        "status": {"conditions": [{"type": "Ready", "status": status}]},
    }))
}

fn budget(spec: Value) -> Value {
    let mut budget = json!({"metadata": {"name": "web", "namespace": "dev", "generation": 3}});
    budget["spec"] = spec;
    budget
}

fn counts(plan: &Plan) -> [i64; 4] {
    ["currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"]
        .map(|field| plan.status[field].as_i64().unwrap())
}

#[test]
fn counts_follow_from_the_budget_the_scale_and_the_healthy_pods() {
    // (spec, healthy, unhealthy, scale) -> currentHealthy, desiredHealthy, expectedPods, allowed
    for (spec, healthy, unhealthy, scale, want) in [
        (json!({"minAvailable": 3}), 3, 0, 0, [3, 3, 3, 0]),
        (json!({"minAvailable": 3}), 4, 0, 0, [4, 3, 4, 1]),
        (json!({"minAvailable": 3}), 4, 1, 0, [4, 3, 5, 1]),
        (json!({"minAvailable": 3}), 2, 2, 0, [2, 3, 4, 0]),
        (json!({"minAvailable": 0}), 0, 0, 0, [0, 0, 0, 0]),
        (json!({"minAvailable": "28%"}), 1, 0, 1, [1, 1, 1, 0]),
        (json!({"minAvailable": "50%"}), 3, 0, 4, [3, 2, 4, 1]),
        (json!({"minAvailable": "67%"}), 3, 0, 3, [3, 3, 3, 0]),
        (json!({"maxUnavailable": 1}), 1, 0, 1, [1, 0, 1, 1]),
        (json!({"maxUnavailable": 5}), 3, 0, 3, [3, 0, 3, 3]),
        (json!({"maxUnavailable": 2}), 7, 0, 7, [7, 5, 7, 2]),
        (json!({"maxUnavailable": "30%"}), 6, 1, 7, [6, 4, 7, 2]),
    ] {
        let pods: Vec<_> = (0..healthy + unhealthy)
            .map(|index| pod(&format!("p{index}"), index < healthy))
            .collect();
        let budget = budget(spec.clone());
        let observed =
            Observed { budget: &budget, pods: &pods, scale: Ok(scale), now: Time::default() };
        assert_eq!(counts(&plan(&observed)), want, "{spec} {healthy}+{unhealthy} of {scale}");
    }
}

#[test]
fn a_pod_without_controller_allows_no_disruption_where_the_scale_is_asked_for() {
    let (pods, budget) = ([pod("bare", true)], budget(json!({"maxUnavailable": 1})));
    let scale = Err("bare".to_owned());
    let plan = plan(&Observed { budget: &budget, pods: &pods, scale, now: Time::default() });
    assert_eq!(plan.status["disruptionsAllowed"], 0);
    let reasons: Vec<_> = plan.notes.iter().map(|(_, reason, _)| *reason).collect();
    assert_eq!(reasons, ["NoControllers", "CalculateExpectedPodCountFailed"]);
    assert_eq!(plan.notes[0].2, "found no controllers for pod \"bare\"");
}

#[test]
fn granted_evictions_count_until_the_pod_is_gone_or_two_minutes_have_passed() {
    let start = Time::from_unix_seconds(1_000_000);
    let mut budget = budget(json!({"minAvailable": 0}));
    budget["status"] = json!({"disruptedPods": {"a": start.rfc3339(), "gone": start.rfc3339()}});
    let pods = [pod("a", true), pod("b", true)];
    let at = |seconds: u64| {
        let now = start + Duration::from_secs(seconds);
        plan(&Observed { budget: &budget, pods: &pods, scale: Ok(2), now })
    };
    let soon = at(30);
    assert_eq!(counts(&soon), [1, 0, 2, 1]);
    assert_eq!(soon.status["disruptedPods"], json!({"a": start.rfc3339()}));
    assert_eq!(soon.recheck, Some(Duration::from_secs(91)));
    let late = at(121);
    assert_eq!(counts(&late), [2, 0, 2, 2]);
    assert_eq!((late.overdue, late.status.get("disruptedPods")), (vec!["a".to_owned()], None));
}
