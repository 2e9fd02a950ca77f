//! Limits and quota, with the texts of a recorded cluster.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::cluster::{Cluster, NS, pod};

fn quota(name: &str, hard: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"hard": hard}})
}

fn used(cluster: &Cluster, name: &str) -> Value {
    cluster.get(&api::RESOURCE_QUOTAS, name)["status"]["used"].clone()
}

fn limits() -> Value {
    json!({"metadata": {"name": "lr"}, "spec": {"limits": [{"type": "Container",
        "default": {"cpu": "200m", "memory": "64Mi"},
        "defaultRequest": {"cpu": "100m", "memory": "32Mi"},
        "max": {"cpu": "1", "memory": "256Mi"}}]}})
}

#[test]
fn pods_must_say_what_they_use_and_fit() {
    let mut cluster = Cluster::new(1);
    let hard = json!({"pods": "3", "requests.cpu": "1", "limits.memory": "512Mi", "services": "1",
        "replicationcontrollers": "3", "openshift.io/imagestreams": "1"});
    cluster.create(&api::RESOURCE_QUOTAS, quota("q", &hard));
    cluster.settle();
    assert_eq!(
        cluster.refused(&api::PODS, pod("nolimits", &json!({}))),
        "pods \"nolimits\" is forbidden: failed quota: q: must specify limits.memory,requests.cpu"
    );
    cluster.create(&api::LIMIT_RANGES, limits());
    for name in ["a", "b", "c"] {
        cluster.create(&api::PODS, pod(name, &json!({})));
    }
    // Booked at once, before any controller ran.
    assert_eq!(used(&cluster, "q")["limits.memory"], "192Mi");
    assert_eq!(used(&cluster, "q")["requests.cpu"], "300m");
    assert_eq!(
        cluster.refused(&api::PODS, pod("d", &json!({}))),
        "pods \"d\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3"
    );
    cluster.create(
        &api::SERVICES,
        json!({"metadata": {"name": "one"}, "spec": {"ports": [{"port": 80}]}}),
    );
    let two = json!({"metadata": {"name": "two"}, "spec": {"ports": [{"port": 80}]}});
    assert_eq!(
        cluster.refused(&api::SERVICES, two),
        "services \"two\" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1"
    );
    cluster.create(&api::IMAGE_STREAMS, json!({"metadata": {"name": "one"}}));
    assert_eq!(
        cluster.refused(&api::IMAGE_STREAMS, json!({"metadata": {"name": "two"}})),
        "imagestreams.image.openshift.io \"two\" is forbidden: exceeded quota: q, requested: openshift.io/imagestreams=1, used: openshift.io/imagestreams=1, limited: openshift.io/imagestreams=1"
    );
    cluster.settle();
    cluster.delete(&api::PODS, "a");
    cluster.settle();
    assert_eq!(used(&cluster, "q")["pods"], "2");
    cluster.create(&api::PODS, pod("d", &json!({})));
}

#[test]
fn what_was_booked_in_vain_is_given_back() {
    let mut cluster = Cluster::new(2);
    cluster.create(&api::RESOURCE_QUOTAS, quota("q", &json!({"configmaps": "2"})));
    cluster.settle();
    cluster.create(&api::CONFIG_MAPS, json!({"metadata": {"name": "a"}}));
    assert!(
        cluster.refused(&api::CONFIG_MAPS, json!({"metadata": {"name": "a"}})).contains("exists")
    );
    assert_eq!(used(&cluster, "q")["configmaps"], "2");
    cluster.settle();
    assert_eq!(used(&cluster, "q")["configmaps"], "1");
}

#[test]
fn controllers_are_refused_with_events_and_go_on_later() {
    let mut cluster = Cluster::new(3);
    cluster.create(&api::RESOURCE_QUOTAS, quota("q", &json!({"pods": "1"})));
    cluster.settle();
    let template = json!({"metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    cluster.create(
        &api::REPLICATION_CONTROLLERS,
        json!({"metadata": {"name": "rc"}, "spec": {"replicas": 2, "selector": {"app": "a"}, "template": template}}),
    );
    cluster.run(2);
    assert_eq!(cluster.list(&api::PODS).len(), 1);
    let events = cluster.list(&api::EVENTS);
    let failed = events.iter().find(|event| event.str_at(&["reason"]) == "FailedCreate").unwrap();
    assert_eq!(
        failed.str_at(&["message"]),
        "Error creating: pods \"rc-\" is forbidden: exceeded quota: q, requested: pods=1, used: \
         pods=1, limited: pods=1"
    );
    cluster.delete(&api::RESOURCE_QUOTAS, "q");
    cluster.run(60);
    assert_eq!(cluster.list(&api::PODS).len(), 2);
}

#[test]
fn a_scoped_quota_counts_its_pods_only() {
    let mut cluster = Cluster::new(4);
    let mut scoped = quota("s", &json!({"pods": "1"}));
    scoped["spec"]["scopes"] = json!(["Terminating"]);
    cluster.create(&api::RESOURCE_QUOTAS, scoped);
    cluster.settle();
    cluster.create(&api::PODS, pod("a", &json!({})));
    let ending = |name: &str| {
        let mut pod = pod(name, &json!({}));
        pod["spec"]["activeDeadlineSeconds"] = json!(60);
        pod
    };
    cluster.create(&api::PODS, ending("b"));
    assert!(cluster.refused(&api::PODS, ending("c")).contains("exceeded quota: s"));
    cluster.settle();
    assert_eq!(used(&cluster, "s"), json!({"pods": "1"}));
}

#[test]
fn any_resource_can_be_counted() {
    let mut cluster = Cluster::new(5);
    let hard = json!({"count/roles.rbac.authorization.k8s.io": "1", "count/deployments.apps": "0"});
    cluster.create(&api::RESOURCE_QUOTAS, quota("q", &hard));
    cluster.settle();
    cluster.create(&api::ROLES, json!({"metadata": {"name": "a"}, "rules": []}));
    assert!(cluster.refused(&api::ROLES, json!({"metadata": {"name": "b"}, "rules": []})).contains(
        "exceeded quota: q, requested: count/roles.rbac.authorization.k8s.io=1, used: count/roles.rbac.authorization.k8s.io=1"
    ));
}

#[test]
fn a_cluster_quota_spans_the_projects_of_a_user() {
    let mut cluster = Cluster::new(6);
    let selector = json!({"labels": {"matchLabels": {"cq": "yes"}}, "annotations": null});
    cluster.create(
        &api::CLUSTER_RESOURCE_QUOTAS,
        json!({"metadata": {"name": "cq"}, "spec": {"selector": selector, "quota": {"hard": {"pods": "1"}}}}),
    );
    cluster.patch(&api::NAMESPACES, NS, json!({"metadata": {"labels": {"cq": "yes"}}}));
    cluster.settle();
    cluster.create(&api::PODS, pod("a", &json!({})));
    assert_eq!(
        cluster.refused(&api::PODS, pod("x", &json!({}))),
        "pods \"x\" is forbidden: exceeded quota: cq, requested: pods=1, used: pods=1, limited: pods=1"
    );
    cluster.settle();
    let stored = cluster.get(&api::CLUSTER_RESOURCE_QUOTAS, "cq");
    let counted = json!({"hard": {"pods": "1"}, "used": {"pods": "1"}});
    assert_eq!(stored["status"]["total"], counted);
    assert_eq!(stored["status"]["namespaces"], json!([{"namespace": NS, "status": counted}]));
    let applied = cluster.client.list(&api::APPLIED_CLUSTER_RESOURCE_QUOTAS, NS).unwrap();
    assert_eq!(applied[0].kind(), "AppliedClusterResourceQuota");
    assert!(
        cluster.client.list(&api::APPLIED_CLUSTER_RESOURCE_QUOTAS, "default").unwrap().is_empty()
    );
}
