//! Disruption budgets and evictions.

use api::{POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS};
use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};

use crate::cluster::{Cluster, NS, template};

fn set(replicas: i64) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "web:1"),
        },
    })
}

fn budget(least: &Value) -> Value {
    json!({"metadata": {"name": "web"},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}})
}

fn evict(cluster: &Cluster, name: &str) -> Result<(), apimachinery::Status> {
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": name, "namespace": NS}});
    cluster.client.subresource_create(&PODS, NS, name, "eviction", eviction).map(drop)
}

fn allowed(cluster: &Cluster) -> i64 {
    let budget = cluster.get(&POD_DISRUPTION_BUDGETS, "web");
    budget.int_at(&["status", "disruptionsAllowed"]).unwrap()
}

#[test]
fn evictions_are_granted_as_far_as_the_budget_goes_and_again_when_pods_are_back() {
    let mut cluster = Cluster::new(1);
    cluster.create(&REPLICA_SETS, set(3));
    cluster.create(&POD_DISRUPTION_BUDGETS, budget(&json!("60%")));
    cluster.settle(60);
    assert_eq!(allowed(&cluster), 1);
    let pods: Vec<String> = cluster.pods().iter().map(|pod| pod.name().to_owned()).collect();
    evict(&cluster, &pods[0]).unwrap();
    let refused = evict(&cluster, &pods[1]).unwrap_err();
    assert_eq!(refused.code, 429);
    assert_eq!(
        refused.message,
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    cluster.settle(200);
    assert_eq!(allowed(&cluster), 1);
    evict(&cluster, &pods[1]).unwrap();
    cluster.settle(200);
    cluster.assert_quiet();
}

#[test]
fn a_budget_follows_the_scale() {
    let mut cluster = Cluster::new(2);
    cluster.create(&REPLICA_SETS, set(2));
    cluster.create(&POD_DISRUPTION_BUDGETS, budget(&json!("100%")));
    cluster.settle(60);
    assert_eq!(allowed(&cluster), 0);
    cluster.patch(&REPLICA_SETS, "web", json!({"spec": {"replicas": 1}}));
    cluster.settle(60);
    let budget = cluster.get(&POD_DISRUPTION_BUDGETS, "web");
    assert_eq!(budget.int_at(&["status", "expectedPods"]), Some(1));
    assert_eq!(budget.int_at(&["status", "desiredHealthy"]), Some(1));
    cluster.assert_quiet();
}

#[test]
fn a_second_budget_over_a_pod_is_refused() {
    let mut cluster = Cluster::new(3);
    cluster.create(&REPLICA_SETS, set(1));
    cluster.create(&POD_DISRUPTION_BUDGETS, budget(&json!(0)));
    let mut other = budget(&json!(0));
    other.set(&["metadata", "name"], json!("other"));
    cluster.create(&POD_DISRUPTION_BUDGETS, other);
    cluster.settle(60);
    let refused = evict(&cluster, cluster.pods()[0].name()).unwrap_err();
    assert_eq!(refused.code, 500);
    assert_eq!(
        refused.message,
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not \
         support."
    );
}
