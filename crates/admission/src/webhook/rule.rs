//! Which requests a webhook wants to see.
//!
//! Mirrors: `k8s.io/apiserver/pkg/admission/plugin/webhook/rules`, `.../namespace`, `.../object`.

use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{AdmissionRequest, Operation};

use crate::request::{namespace, same};

/// The word of `operations`.
pub(super) fn operation(request: &AdmissionRequest<'_>) -> &'static str {
    match request.operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    }
}

/// Whether a rule and both selectors of the webhook match.
#[must_use]
pub fn wants(webhook: &Value, request: &AdmissionRequest<'_>) -> bool {
    let mut rules = webhook.list_at(&["rules"]).iter();
    rules.any(|rule| matches(rule, webhook, request))
        && selects_namespace(webhook, request)
        && selects_object(webhook, request)
}

fn matches(rule: &Value, webhook: &Value, request: &AdmissionRequest<'_>) -> bool {
    let call = request.call;
    let listed = |field: &str, value: &str| {
        rule.list_at(&[field]).iter().any(|entry| entry == "*" || entry == value)
    };
    let scope = match rule.str_at(&["scope"]) {
        "Namespaced" => call.resource.namespaced(),
        "Cluster" => !call.resource.namespaced(),
        _ => true,
    };
    let exact =
        listed("apiGroups", call.resource.group) && listed("apiVersions", call.resource.version);
    // The same objects may be asked for under another group or version.
    let equivalent = || {
        webhook.str_at(&["matchPolicy"]) != "Exact"
            && api::resources().iter().any(|other| {
                same(other, call.resource)
                    && listed("apiGroups", other.group)
                    && listed("apiVersions", other.version)
            })
    };
    scope
        && listed("operations", operation(request))
        && names_resource(rule, call.resource.plural, call.subresource)
        && (exact || equivalent())
}

/// `pods`, `pods/log`, `pods/*`, `*/log`, `*` (no sub-resources), `*/*`.
fn names_resource(rule: &Value, plural: &str, subresource: &str) -> bool {
    rule.list_at(&["resources"]).iter().filter_map(Value::as_str).any(|entry| {
        let (resource, sub) = entry.split_once('/').unwrap_or((entry, ""));
        (resource == "*" || resource == plural) && (sub == "*" || sub == subresource)
    })
}

fn selector(webhook: &Value, field: &str) -> Option<LabelSelector> {
    let selector =
        webhook.get(field).filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))?;
    Some(LabelSelector::from_json(selector).unwrap_or_else(|_| LabelSelector::nothing()))
}

/// Objects outside of namespaces are seen whatever the selector; a namespace by its own labels.
fn selects_namespace(webhook: &Value, request: &AdmissionRequest<'_>) -> bool {
    let Some(selector) = selector(webhook, "namespaceSelector") else { return true };
    if same(request.call.resource, &api::NAMESPACES) {
        return selector.matches(request.object.labels());
    }
    if !request.call.resource.namespaced() {
        return true;
    }
    namespace(request).is_some_and(|namespace| selector.matches(namespace.labels()))
}

/// The new or the old object must match.
fn selects_object(webhook: &Value, request: &AdmissionRequest<'_>) -> bool {
    selector(webhook, "objectSelector").is_none_or(|selector| {
        selector.matches(request.object.labels())
            || request.old.is_some_and(|old| selector.matches(old.labels()))
    })
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    /// Rows of upstream's `TestResource`.
    #[test]
    fn resources_and_sub_resources_are_named() {
        let check = |entry: &str, plural: &str, sub: &str| {
            names_resource(&json!({"resources": [entry]}), plural, sub)
        };
        assert!(check("pods", "pods", "") && !check("pods", "pods", "log"));
        assert!(check("pods/*", "pods", "log") && check("pods/*", "pods", ""));
        assert!(check("*/log", "pods", "log") && !check("*/log", "pods", ""));
        assert!(check("*", "pods", "") && !check("*", "pods", "log"));
        assert!(check("*/*", "pods", "log") && !check("services", "pods", ""));
    }
}
