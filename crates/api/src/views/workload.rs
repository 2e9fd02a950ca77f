//! Readings of what owns pods: ReplicationControllers, ReplicaSets, Deployments,
//! DeploymentConfigs, StatefulSets, DaemonSets, Jobs.

use apimachinery::{ObjectExt as _, Value};

/// `spec.replicas`; 1 when absent, as all these kinds but the DeploymentConfig default it.
#[must_use]
pub fn replicas(object: &Value) -> i64 {
    object.int_at(&["spec", "replicas"]).unwrap_or(1)
}

/// `status.replicas`.
#[must_use]
pub fn status_replicas(object: &Value) -> i64 {
    object.int_at(&["status", "replicas"]).unwrap_or(0)
}

/// `status.readyReplicas`.
#[must_use]
pub fn ready_replicas(object: &Value) -> i64 {
    object.int_at(&["status", "readyReplicas"]).unwrap_or(0)
}

/// `status.availableReplicas`.
#[must_use]
pub fn available_replicas(object: &Value) -> i64 {
    object.int_at(&["status", "availableReplicas"]).unwrap_or(0)
}

/// `status.observedGeneration`.
#[must_use]
pub fn observed_generation(object: &Value) -> i64 {
    object.int_at(&["status", "observedGeneration"]).unwrap_or(0)
}

/// `spec.minReadySeconds`.
#[must_use]
pub fn min_ready_seconds(object: &Value) -> i64 {
    object.int_at(&["spec", "minReadySeconds"]).unwrap_or(0)
}

/// `spec.template`.
#[must_use]
pub fn template(object: &Value) -> Option<&Value> {
    object.at(&["spec", "template"]).filter(|template| template.is_object())
}

/// Whether `spec.selector` is a plain map of labels rather than a `LabelSelector`.
#[must_use]
pub fn has_map_selector(object: &Value) -> bool {
    matches!(object.kind(), "ReplicationController" | "DeploymentConfig" | "Service")
}

/// Whether the object's selector chooses these labels. An empty selector chooses nothing.
///
/// Mirrors: `labels.SelectorFromSet` and `metav1.LabelSelectorAsSelector` with the controllers' rule
/// that an empty selector matches no pod.
#[must_use]
pub fn selects(owner: &Value, object: &Value) -> bool {
    let selector = owner.at(&["spec", "selector"]);
    if has_map_selector(owner) {
        return has_labels(selector, object);
    }
    let Some(selector) = selector else { return false };
    let labels = selector.at(&["matchLabels"]);
    let expressions = selector.list_at(&["matchExpressions"]);
    let has_match_labels = labels.and_then(Value::as_object).is_some_and(|map| !map.is_empty());
    (has_match_labels || !expressions.is_empty())
        && (!has_match_labels || has_labels(labels, object))
        && expressions.iter().all(|expression| expression_holds(expression, object))
}

fn has_labels(wanted: Option<&Value>, object: &Value) -> bool {
    let Some(wanted) = wanted.and_then(Value::as_object).filter(|map| !map.is_empty()) else {
        return false;
    };
    let labels = object.labels();
    wanted.iter().all(|(key, value)| labels.and_then(|map| map.get(key)) == Some(value))
}

fn expression_holds(expression: &Value, object: &Value) -> bool {
    let key = expression.str_at(&["key"]);
    let actual = object.labels().and_then(|labels| labels.get(key));
    let among = actual.is_some_and(|value| expression.list_at(&["values"]).contains(value));
    match expression.str_at(&["operator"]) {
        "In" => among,
        "NotIn" => !among,
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn selectors_of_both_shapes_choose_by_labels() {
        let pod = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        let rc = json!({"kind": "ReplicationController", "spec": {"selector": {"app": "web"}}});
        assert!(selects(&rc, &pod));
        let none = json!({"kind": "ReplicationController", "spec": {"selector": {}}});
        assert!(!selects(&none, &pod));
        let rs = |selector: Value| json!({"kind": "ReplicaSet", "spec": {"selector": selector}});
        assert!(selects(&rs(json!({"matchLabels": {"app": "web"}})), &pod));
        let expression = json!({"key": "tier", "operator": "NotIn", "values": ["back"]});
        assert!(selects(&rs(json!({"matchExpressions": [expression]})), &pod));
        assert!(!selects(&rs(json!({})), &pod));
    }
}
