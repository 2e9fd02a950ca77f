//! Which pods a quota with scopes is about.
//!
//! Mirrors: `kubernetes/pkg/quota/evaluator/core/pods.go` (`podMatchesScopeFunc`).

use api::Resource;
use api::views::pod::qos_class;
use apimachinery::{ObjectExt as _, Value};

use crate::request::same;

/// Whether a quota's `spec` (with `scopes` and `scopeSelector`) is about the object. Only pods are
/// ever in a scope.
#[must_use]
pub fn applies(spec: &Value, resource: &Resource, object: &Value) -> bool {
    let scopes = spec.list_at(&["scopes"]);
    let selectors = spec.list_at(&["scopeSelector", "matchExpressions"]);
    if scopes.is_empty() && selectors.is_empty() {
        return true;
    }
    same(resource, &api::PODS)
        && scopes.iter().all(|scope| holds(scope.as_str().unwrap_or_default(), object))
        && selectors.iter().all(|selector| selected(selector, object))
}

fn holds(scope: &str, pod: &Value) -> bool {
    let terminating = || pod.int_at(&["spec", "activeDeadlineSeconds"]).is_some_and(|s| s >= 0);
    match scope {
        "Terminating" => terminating(),
        "NotTerminating" => !terminating(),
        "BestEffort" => qos_class(pod) == "BestEffort",
        "NotBestEffort" => qos_class(pod) != "BestEffort",
        "PriorityClass" => !pod.str_at(&["spec", "priorityClassName"]).is_empty(),
        _ => false,
    }
}

fn selected(selector: &Value, pod: &Value) -> bool {
    let scope = selector.str_at(&["scopeName"]);
    if scope != "PriorityClass" {
        return holds(scope, pod);
    }
    let class = pod.str_at(&["spec", "priorityClassName"]);
    let listed = || selector.list_at(&["values"]).iter().any(|value| value == class);
    match selector.str_at(&["operator"]) {
        "In" => !class.is_empty() && listed(),
        "NotIn" => !listed(),
        "Exists" => !class.is_empty(),
        "DoesNotExist" => class.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn scopes_select_pods() {
        let check = |spec: Value, pod: Value| applies(&spec, &api::PODS, &pod);
        let deadline = || json!({"spec": {"activeDeadlineSeconds": 5}});
        assert!(check(json!({}), json!({})));
        assert!(check(json!({"scopes": ["Terminating", "BestEffort"]}), deadline()));
        assert!(!check(json!({"scopes": ["NotTerminating"]}), deadline()));
        let asks = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}});
        assert!(!check(json!({"scopes": ["BestEffort"]}), asks.clone()));
        assert!(check(json!({"scopes": ["NotBestEffort"]}), asks));
        let class = |operator: &str| {
            json!({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": operator, "values": ["high"]}]}})
        };
        let high = || json!({"spec": {"priorityClassName": "high"}});
        assert!(check(class("In"), high()) && check(class("Exists"), high()));
        assert!(!check(class("In"), json!({})) && !check(class("NotIn"), high()));
        assert!(!applies(&json!({"scopes": ["BestEffort"]}), &api::SECRETS, &json!({})));
    }
}
