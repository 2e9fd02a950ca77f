//! Objects survive the way to another version and back.

use super::*;
use crate::{
    CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, EVENTS, HORIZONTAL_POD_AUTOSCALERS, INGRESSES,
    OPENSHIFT_CLUSTER_ROLE_BINDINGS, OPENSHIFT_CLUSTER_ROLES, OPENSHIFT_ROLE_BINDINGS,
    ROLE_BINDINGS, find,
};

fn there_and_back(object: &Value, from: &Resource, to: &Resource) -> Value {
    let mut changed = object.clone();
    convert(&mut changed, from, to);
    let between = changed.clone();
    convert(&mut changed, to, from);
    assert_eq!(&changed, object);
    between
}

#[test]
fn events_are_renamed() {
    let to = find("events.k8s.io", "v1", "events").unwrap();
    let event = json!({"apiVersion": "v1", "kind": "Event", "message": "m", "count": 1,
        "involvedObject": {"kind": "Pod"}, "type": "Normal"});
    let between = there_and_back(&event, &EVENTS, to);
    assert_eq!(
        between,
        json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "m",
            "deprecatedCount": 1, "regarding": {"kind": "Pod"}, "type": "Normal"})
    );
}

#[test]
fn ingress_backends_change_shape() {
    let old = find("extensions", "v1beta1", "ingresses").unwrap();
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "spec": {
        "defaultBackend": {"service": {"name": "a", "port": {"number": 80}}},
        "rules": [{"http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": "b", "port": {"name": "web"}}}}]}}]}});
    let between = there_and_back(&ingress, &INGRESSES, old);
    assert_eq!(between["spec"]["backend"], json!({"serviceName": "a", "servicePort": 80}));
    let path = &between["spec"]["rules"][0]["http"]["paths"][0];
    assert_eq!(path["backend"], json!({"serviceName": "b", "servicePort": "web"}));
}

#[test]
fn the_cpu_target_of_an_autoscaler_is_one_metric_among_others() {
    let v1 = find("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 70}}});
    let pods = json!({"type": "Pods", "pods": {"metric": {"name": "x"},
        "target": {"type": "AverageValue", "averageValue": "5"}}});
    let scaler = json!({"apiVersion": "autoscaling/v2", "metadata": {"annotations": {}},
        "spec": {"maxReplicas": 3, "metrics": [pods, cpu]}});
    let between = there_and_back(&scaler, &HORIZONTAL_POD_AUTOSCALERS, v1);
    assert_eq!(between["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}));
    let kept = between.annotation("autoscaling.alpha.kubernetes.io/metrics").unwrap();
    let flat = json!([{"type": "Pods", "pods": {"metricName": "x", "targetAverageValue": "5"}}]);
    assert_eq!(serde_json::from_str::<Value>(kept).unwrap(), flat);
}

#[test]
fn metrics_of_an_autoscaler_are_flat_in_its_beta() {
    let beta = find("autoscaling", "v2beta1", "horizontalpodautoscalers").unwrap();
    let scaler = json!({"apiVersion": "autoscaling/v2", "metadata": {"annotations": {}}, "spec": {
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 3}},
        "metrics": [{"type": "Object", "object": {"metric": {"name": "hits"},
            "describedObject": {"kind": "Service", "name": "web"},
            "target": {"type": "Value", "value": "2"}}}]},
        "status": {"currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
            "current": {"averageUtilization": 3, "averageValue": "1"}}}]}});
    let between = there_and_back(&scaler, &HORIZONTAL_POD_AUTOSCALERS, beta);
    assert_eq!(
        between["spec"]["metrics"][0]["object"],
        json!({"metricName": "hits",
        "target": {"kind": "Service", "name": "web"}, "targetValue": "2"})
    );
    assert_eq!(
        between["status"]["currentMetrics"][0]["resource"],
        json!({"name": "cpu",
        "currentAverageUtilization": 3, "currentAverageValue": "1"})
    );
}

#[test]
fn role_bindings_name_users_and_groups_in_openshift() {
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"namespace": "ns"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "u"},
            {"kind": "ServiceAccount", "namespace": "ns", "name": "sa"},
            {"apiGroup": RBAC, "kind": "Group", "name": "g"}]});
    let between = there_and_back(&binding, &ROLE_BINDINGS, &OPENSHIFT_ROLE_BINDINGS);
    assert_eq!(between["userNames"], json!(["u", "system:serviceaccount:ns:sa"]));
    assert_eq!(between["groupNames"], json!(["g"]));
    assert_eq!(between["roleRef"], json!({"name": "edit"}));
}

#[test]
fn names_of_the_system_are_told_from_those_of_people() {
    let subject = |kind: &str, name: &str| json!({"apiGroup": RBAC, "kind": kind, "name": name});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [subject("User", "ann"), subject("User", "system:admin"),
            subject("Group", "team"), subject("Group", "system:masters")]});
    let between =
        there_and_back(&binding, &CLUSTER_ROLE_BINDINGS, &OPENSHIFT_CLUSTER_ROLE_BINDINGS);
    let kinds: Vec<&str> =
        between.list_at(&["subjects"]).iter().map(|subject| subject.kind()).collect();
    assert_eq!(kinds, ["User", "SystemUser", "Group", "SystemGroup"]);
    assert_eq!(
        between["metadata"]["annotations"],
        json!({"openshift.io/reconcile-protect": "false"})
    );
}

#[test]
fn rules_are_sets_in_openshift() {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {},
        "rules": [{"verbs": ["get"], "apiGroups": ["", "x"], "resources": ["a", "b"]},
            {"verbs": ["get"], "nonResourceURLs": ["/b"]}]});
    let between = there_and_back(&role, &CLUSTER_ROLES, &OPENSHIFT_CLUSTER_ROLES);
    assert_eq!(
        between["rules"],
        json!([
            {"verbs": ["get"], "attributeRestrictions": null, "apiGroups": ["", "x"],
                "resources": ["a", "b"]},
            {"verbs": ["get"], "attributeRestrictions": null, "apiGroups": null,
                "resources": [], "nonResourceURLs": ["/b"]},
        ])
    );
}
