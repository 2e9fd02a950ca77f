//! Defaults of the other Kubernetes groups.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::{each, fill, is_unset, within};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn apply(group: &str, version: &str, kind: &str, object: &mut Value) {
    match kind {
        "NetworkPolicy" => network_policy(object),
        "Ingress" => fill(object, &["status", "loadBalancer"], json!({})),
        "RoleBinding" | "ClusterRoleBinding" if group == RBAC => role_binding(object),
        "StorageClass" => {
            fill(object, &["reclaimPolicy"], json!("Delete"));
            fill(object, &["volumeBindingMode"], json!("Immediate"));
        }
        "CustomResourceDefinition" => custom_resource_definition(version, object),
        "Event" => event(object),
        "PriorityClass" if version == "v1" => {
            fill(object, &["preemptionPolicy"], json!("PreemptLowerPriority"));
        }
        "EndpointSlice" => each(object, &["ports"], |port| {
            fill(port, &["name"], json!(""));
            fill(port, &["protocol"], json!("TCP"));
        }),
        _ => {}
    }
}

fn network_policy(object: &mut Value) {
    for direction in ["ingress", "egress"] {
        each(object, &["spec", direction], |rule| {
            each(rule, &["ports"], |port| fill(port, &["protocol"], json!("TCP")));
        });
    }
    if object.list_at(&["spec", "policyTypes"]).is_empty() {
        let egress = !object.list_at(&["spec", "egress"]).is_empty();
        let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        object.set(&["spec", "policyTypes"], types);
    }
}

fn role_binding(object: &mut Value) {
    fill(object, &["roleRef", "apiGroup"], json!(RBAC));
    each(object, &["subjects"], |subject| {
        if matches!(subject.str_at(&["kind"]), "User" | "Group") {
            fill(subject, &["apiGroup"], json!(RBAC));
        }
    });
}

fn custom_resource_definition(version: &str, object: &mut Value) {
    let kind = object.str_at(&["spec", "names", "kind"]).to_owned();
    if version == "v1beta1" {
        fill(object, &["spec", "scope"], json!("Namespaced"));
        let first = object.str_at(&["spec", "version"]).to_owned();
        if object.list_at(&["spec", "versions"]).is_empty() && !first.is_empty() {
            let versions = json!([{"name": first, "served": true, "storage": true}]);
            object.set(&["spec", "versions"], versions);
        }
    }
    fill(object, &["spec", "names", "singular"], json!(kind.to_lowercase()));
    fill(object, &["spec", "names", "listKind"], json!(format!("{kind}List")));
    if version == "v1" {
        fill(object, &["spec", "conversion", "strategy"], json!("None"));
    }
}

/// The `events.k8s.io` form of an event.
fn event(object: &mut Value) {
    fill(object, &["eventTime"], Value::Null);
    within(object, &["series"], |series| {
        if is_unset(series.at(&["count"])) {
            series.set(&["count"], json!(0));
        }
    });
}
