//! Readings of a Node.

use std::collections::BTreeSet;

use apimachinery::Map;
use apimachinery::quantity::Quantity;
use apimachinery::selector::{LabelSelector, Operator, Requirement};
use apimachinery::{ObjectExt as _, Value};

use super::pod::{Resources, condition};

/// Whether the condition `Ready` is true.
#[must_use]
pub fn is_ready(node: &Value) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready.str_at(&["status"]) == "True")
}

/// Whether the node is cordoned.
#[must_use]
pub fn is_unschedulable(node: &Value) -> bool {
    node.bool_at(&["spec", "unschedulable"])
}

/// `spec.taints`.
#[must_use]
pub fn taints(node: &Value) -> &[Value] {
    node.list_at(&["spec", "taints"])
}

/// What pods may use of the node: `status.allocatable`, or its capacity where that is missing.
#[must_use]
pub fn allocatable(node: &Value) -> Resources {
    Resources::read(allocatable_list(node))
}

/// How many pods the node takes.
#[must_use]
pub fn allocatable_pods(node: &Value) -> i64 {
    let pods = allocatable_list(node).and_then(|list| list.get("pods"));
    pods.and_then(|value| Quantity::from_json(value).ok()).map_or(0, |pods| pods.value())
}

fn allocatable_list(node: &Value) -> Option<&Value> {
    node.at(&["status", "allocatable"]).or_else(|| node.at(&["status", "capacity"]))
}

/// Whether `toleration` lets a pod live with `taint`.
///
/// Mirrors: `Toleration.ToleratesTaint` of Kubernetes.
#[must_use]
pub fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let effect = toleration.str_at(&["effect"]);
    let key = toleration.str_at(&["key"]);
    if !effect.is_empty() && effect != taint.str_at(&["effect"])
        || !key.is_empty() && key != taint.str_at(&["key"])
    {
        return false;
    }
    match toleration.str_at(&["operator"]) {
        "" | "Equal" => toleration.str_at(&["value"]) == taint.str_at(&["value"]),
        "Exists" => true,
        _ => false,
    }
}

/// Whether all of a term of a node selector holds for the node of that name. A term that says nothing holds for none.
#[must_use]
pub fn term_matches(term: &Value, labels: Option<&Map>, name: &str) -> bool {
    let expressions = term.list_at(&["matchExpressions"]);
    let fields = term.list_at(&["matchFields"]);
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let named = Map::from_iter([("metadata.name".to_owned(), Value::from(name))]);
    expressions_match(expressions, labels) && expressions_match(fields, Some(&named))
}

/// Whether labels fulfil all of a node selector's expressions; one that is malformed holds for none.
#[must_use]
pub fn expressions_match(expressions: &[Value], labels: Option<&Map>) -> bool {
    let requirements: Option<Vec<Requirement>> = expressions.iter().map(requirement).collect();
    requirements.is_some_and(|requirements| LabelSelector::new(requirements).matches(labels))
}

fn requirement(expression: &Value) -> Option<Requirement> {
    let operator = match expression.str_at(&["operator"]) {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::GreaterThan,
        "Lt" => Operator::LessThan,
        _ => return None,
    };
    let values = expression.list_at(&["values"]).iter().filter_map(Value::as_str);
    let values: BTreeSet<String> = values.map(str::to_owned).collect();
    Requirement::new(expression.str_at(&["key"]), operator, values).ok()
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn tolerations_match_by_key_value_and_effect() {
        let taint = json!({"key": "a", "value": "b", "effect": "NoSchedule"});
        let check = |toleration: Value| tolerates(&toleration, &taint);
        assert!(check(json!({"operator": "Exists"})));
        assert!(check(json!({"key": "a", "value": "b"})));
        assert!(!check(json!({"key": "a", "value": "c"})));
        assert!(!check(json!({"key": "a", "operator": "Exists", "effect": "NoExecute"})));
    }

    #[test]
    fn allocatable_falls_back_to_capacity() {
        let node = json!({"status": {"capacity": {"cpu": "2", "memory": "1Gi", "pods": "110"}}});
        assert_eq!(allocatable(&node).milli_cpu, 2000);
        assert_eq!(allocatable_pods(&node), 110);
        assert!(!is_ready(&node));
    }
}
