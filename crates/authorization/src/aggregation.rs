//! Cluster roles that are made of others: their rules are those of all roles they select.
//!
//! Mirrors: `kubernetes/pkg/controller/clusterroleaggregation`.

use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apimachinery::selector::LabelSelector;
use controller_runtime::{Caches, Change, Context, Controller, Error, Key, Requeue, Watching};

/// Keeps the rules of aggregated cluster roles.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClusterRoleAggregation;

impl Controller for ClusterRoleAggregation {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&api::CLUSTER_ROLES, gathering_roles)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(role) = cx.caches.get(&api::CLUSTER_ROLES, "", key.name()) else {
            return Ok(Requeue::Done);
        };
        let all = cx.caches.list(&api::CLUSTER_ROLES, "");
        if let Some(rules) = aggregated(&role, &all) {
            let mut role = (*role).clone();
            role.set(&["rules"], Value::from(rules));
            cx.client.update(&api::CLUSTER_ROLES, role)?;
        }
        Ok(Requeue::Done)
    }
}

/// Any role may belong to any that gathers.
fn gathering_roles(caches: &Caches, _: &Change) -> Vec<Key> {
    let roles = caches.list(&api::CLUSTER_ROLES, "");
    roles.iter().filter(|role| !selectors(role).is_empty()).map(|role| Key::of(role)).collect()
}

fn selectors(role: &Value) -> &[Value] {
    role.list_at(&["aggregationRule", "clusterRoleSelectors"])
}

/// The rules that `role` should have, when it gathers and they are not those it has.
///
/// Selectors count in their order, the roles of one by their names; what was there is not repeated.
#[must_use]
pub fn aggregated(role: &Value, all: &[Arc<Value>]) -> Option<Vec<Value>> {
    let selectors = selectors(role);
    if selectors.is_empty() {
        return None;
    }
    let mut rules: Vec<Value> = Vec::new();
    for selector in selectors {
        let others = all.iter().filter(|other| other.name() != role.name());
        let mut selected: Vec<_> = others.filter(|other| selects(selector, other)).collect();
        selected.sort_by_key(|other| other.name());
        for rule in selected.into_iter().flat_map(|other| other.list_at(&["rules"])) {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    (rules != role.list_at(&["rules"])).then_some(rules)
}

/// A selector that cannot be read selects nothing.
fn selects(selector: &Value, role: &Value) -> bool {
    LabelSelector::from_json(selector).is_ok_and(|selector| selector.matches_object(role))
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn role(name: &str, label: &str, verbs: &[&str]) -> Arc<Value> {
        let rules: Vec<Value> = verbs.iter().map(|verb| json!({"verbs": [verb]})).collect();
        Arc::new(json!({"metadata": {"name": name, "labels": {label: "true"}}, "rules": rules}))
    }

    #[test]
    fn selectors_and_names_give_the_order_and_nothing_is_repeated() {
        let select = |label: &str| json!({"matchLabels": {label: "true"}});
        let sum = json!({
            "metadata": {"name": "sum", "labels": {"two": "true"}},
            "aggregationRule": {"clusterRoleSelectors": [select("two"), select("one")]},
            "rules": [{"verbs": ["old"]}],
        });
        let all = [
            role("b", "one", &["x", "y"]),
            role("a", "one", &["z"]),
            role("c", "two", &["y"]),
            role("d", "three", &["w"]),
            Arc::new(sum.clone()),
        ];
        let rules = aggregated(&sum, &all);
        assert_eq!(json!(rules), json!([{"verbs": ["y"]}, {"verbs": ["z"]}, {"verbs": ["x"]}]));
        let mut done = sum;
        done.set(&["rules"], json!(rules));
        assert_eq!(aggregated(&done, &all), None);
        assert_eq!(aggregated(&all[0], &all), None);
    }
}
