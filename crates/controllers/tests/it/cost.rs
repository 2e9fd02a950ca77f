//! What a change of one pod costs all controllers together: it may not grow with the cluster.

use std::sync::Arc;

use api::{DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICATION_CONTROLLERS, SERVICES};
use apimachinery::ObjectExt as _;
use apimachinery::json;
use cri::NoMetrics;

use crate::cluster::{Cluster, NS, template};

/// A cluster of so many applications of two pods, each with a service and a budget, in one namespace.
fn cluster(applications: usize) -> Cluster {
    let mut cluster = Cluster::with_nodes(1, &["n1", "n2"], Arc::new(NoMetrics));
    cluster.settle(15);
    for index in 0..applications {
        let name = format!("app-{index}");
        let rc = json!({"metadata": {"name": name}, "spec": {"replicas": 2,
            "template": template(&name, "web:1")}});
        cluster.create(&REPLICATION_CONTROLLERS, rc);
        let service = json!({"metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}});
        cluster.create(&SERVICES, service);
        let budget = json!({"metadata": {"name": name}, "spec": {"minAvailable": 1,
            "selector": {"matchLabels": {"app": name}}}});
        cluster.create(&POD_DISRUPTION_BUDGETS, budget);
    }
    cluster.settle(60);
    assert_eq!(cluster.pods().len(), 2 * applications);
    cluster
}

/// Objects looked at until one pod's loss of readiness is told everywhere, and until one that is
/// deleted is replaced.
fn cost(applications: usize) -> (u64, u64) {
    let mut cluster = cluster(applications);
    let victim = cluster.pods()[0].name().to_owned();
    let mut before = cluster.driver.caches().looked_at();
    let mut pod = (*cluster.get(&PODS, &victim)).clone();
    pod.set(&["status", "conditions"], json!([{"type": "Ready", "status": "False"}]));
    cluster.client.update_status(&PODS, pod).unwrap();
    cluster.driver.settle();
    let unready = cluster.driver.caches().looked_at() - before;
    before = cluster.driver.caches().looked_at();
    cluster.client.delete(&PODS, NS, &victim, apiserver::DeleteOptions::now("")).unwrap();
    cluster.driver.settle();
    (unready, cluster.driver.caches().looked_at() - before)
}

#[test]
fn a_change_of_one_pod_costs_as_much_in_a_large_cluster_as_in_a_small_one() {
    let (small, large) = (cost(10), cost(1000));
    assert!(small.0 > 0 && small.1 > 0);
    assert!(large.0 <= small.0 + 20, "readiness: {small:?} in 20 pods, {large:?} in 2,000");
    assert!(large.1 <= small.1 + 40, "deletion: {small:?} in 20 pods, {large:?} in 2,000");
}

/// Objects looked at while one of so many deployments of one namespace rolls out.
fn rollout_cost(deployments: usize) -> u64 {
    let mut cluster = Cluster::new(1);
    let deployment = |index: usize, image: &str| {
        let name = format!("app-{index}");
        json!({"metadata": {"name": name}, "spec": {"replicas": 1,
            "selector": {"matchLabels": {"app": name}}, "template": template(&name, image)}})
    };
    for index in 0..deployments {
        cluster.create(&DEPLOYMENTS, deployment(index, "web:1"));
    }
    cluster.settle(60);
    assert_eq!(cluster.pods().len(), deployments);
    let before = cluster.driver.caches().looked_at();
    cluster.patch(&DEPLOYMENTS, "app-0", json!({"spec": deployment(0, "web:2")["spec"]}));
    cluster.settle(60);
    let done = cluster.get(&DEPLOYMENTS, "app-0");
    assert_eq!(done.int_at(&["status", "updatedReplicas"]), Some(1));
    cluster.driver.caches().looked_at() - before
}

#[test]
fn a_rollout_costs_as_much_among_a_thousand_deployments_as_among_ten() {
    let (small, large) = (rollout_cost(10), rollout_cost(1000));
    assert!(small > 0 && large <= small + 100, "{small} among 10, {large} among 1,000");
}

/// Objects looked at while a pod of one controller of so many is lost and replaced.
fn replacement_cost(replicas: usize) -> u64 {
    let mut cluster = Cluster::with_nodes(1, &["n1", "n2"], Arc::new(NoMetrics));
    let rc = json!({"metadata": {"name": "web"}, "spec": {"replicas": replicas,
        "template": template("web", "web:1")}});
    cluster.create(&REPLICATION_CONTROLLERS, rc);
    cluster.settle(60);
    let pods = cluster.pods();
    assert_eq!(pods.len(), replicas);
    let before = cluster.driver.caches().looked_at();
    cluster.client.delete(&PODS, NS, pods[0].name(), apiserver::DeleteOptions::now("")).unwrap();
    cluster.driver.settle();
    let after = cluster.driver.caches().looked_at();
    assert_eq!(cluster.pods().len(), replicas, "it was replaced");
    after - before
}

#[test]
fn a_controller_of_many_pods_replaces_one_as_cheaply_as_one_of_few() {
    let (few, many) = (replacement_cost(3), replacement_cost(300));
    assert!(few > 0 && many <= few + 20, "{few} among 3, {many} among 300");
}
