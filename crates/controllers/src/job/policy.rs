//! `podFailurePolicy`: what a failed pod means for its job, by exit codes and conditions.
//!
//! The first rule that fits a pod decides: `FailJob` ends the job, `Ignore` keeps the failure out of
//! the count, `Count` counts it, as no rule does.
//!
//! Deviation: `FailIndex` counts the failure; there is no limit per index.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/job/pod_failure_policy.go`.

use std::sync::Arc;

use api::views::pod::phase;
use apimachinery::{ObjectExt as _, Value};

/// Whether a failed pod does not count.
pub(super) fn ignores(job: &Value, pod: &Value) -> bool {
    decisive(job, pod).is_some_and(|(action, _)| action == "Ignore")
}

/// Why the job must end, if a failed pod says so.
pub(super) fn fails(job: &Value, pods: &[Arc<Value>]) -> Option<String> {
    let failed = pods.iter().filter(|pod| phase(pod) == "Failed");
    let mut decisions = failed.filter_map(|pod| decisive(job, pod));
    decisions.find(|(action, _)| *action == "FailJob").map(|(_, why)| why)
}

/// The action of the first rule that fits, and in what way it does.
fn decisive<'a>(job: &'a Value, pod: &Value) -> Option<(&'a str, String)> {
    let rules = job.list_at(&["spec", "podFailurePolicy", "rules"]).iter().enumerate();
    let mut fitting = rules.filter_map(|(index, rule)| {
        let fit = fits_exit_codes(rule, pod).or_else(|| fits_conditions(rule, pod))?;
        let action = rule.str_at(&["action"]);
        Some((action, format!("{fit} matching {action} rule at index {index}")))
    });
    fitting.next()
}

fn fits_exit_codes(rule: &Value, pod: &Value) -> Option<String> {
    let wanted = rule.at(&["onExitCodes"]).filter(|wanted| wanted.is_object())?;
    let container = wanted.str_at(&["containerName"]);
    let lists = ["initContainerStatuses", "containerStatuses"];
    let statuses = lists.iter().flat_map(|list| pod.list_at(&["status", list]));
    let mut codes = statuses
        .filter(|status| container.is_empty() || status.str_at(&["name"]) == container)
        .filter_map(|status| {
            let code = status.int_at(&["state", "terminated", "exitCode"])?;
            Some((status.str_at(&["name"]), code))
        })
        .filter(|(_, code)| *code != 0);
    let listed = |code: i64| wanted.list_at(&["values"]).iter().any(|value| *value == code);
    let not_in = wanted.str_at(&["operator"]) == "NotIn";
    let (name, code) = codes.find(|(_, code)| listed(*code) != not_in)?;
    let place = format!("{}/{}", pod.namespace(), pod.name());
    Some(format!("Container {name} for pod {place} failed with exit code {code}"))
}

fn fits_conditions(rule: &Value, pod: &Value) -> Option<String> {
    let patterns = rule.list_at(&["onPodConditions"]).iter();
    let conditions = pod.list_at(&["status", "conditions"]);
    let mut fitting = patterns.filter(|pattern| {
        let status = match pattern.str_at(&["status"]) {
            "" => "True",
            status => status,
        };
        conditions.iter().any(|condition| {
            condition.str_at(&["type"]) == pattern.str_at(&["type"])
                && condition.str_at(&["status"]) == status
        })
    });
    let kind = fitting.next()?.str_at(&["type"]);
    Some(format!("Pod {}/{} has condition {kind}", pod.namespace(), pod.name()))
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let job = json!({"spec": {"podFailurePolicy": {"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            {"action": "FailJob", "onExitCodes":
                {"containerName": "main", "operator": "In", "values": [42]}},
            {"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [1, 42]}},
        ]}}});
        let pod = |code: i64, condition: &str| {
            let terminated = json!({"state": {"terminated": {"exitCode": code}}, "name": "main"});
            Arc::new(json!({"metadata": {"namespace": "dev", "name": "p"}, "status": {
                "phase": "Failed", "containerStatuses": [terminated],
                "conditions": [{"type": condition, "status": "True"}]}}))
        };
        let (interrupted, fatal) = (pod(42, "DisruptionTarget"), pod(42, "Ready"));
        assert!(ignores(&job, &interrupted) && !ignores(&job, &fatal));
        assert_eq!([1, 2].map(|code| ignores(&job, &pod(code, "Ready"))), [false, true]);
        assert_eq!(fails(&job, &[interrupted, pod(1, "Ready")]), None);
        assert_eq!(
            fails(&job, &[fatal]).unwrap(),
            "Container main for pod dev/p failed with exit code 42 matching FailJob rule at index 1"
        );
    }
}
