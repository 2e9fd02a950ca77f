//! The garbage collector: background, foreground, orphan.

use api::{CONFIG_MAPS, DEPLOYMENTS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::cluster::{Cluster, template};

fn deployment() -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "web:1")},
    })
}

#[test]
fn dependents_go_with_their_owner() {
    for policy in ["Background", "Foreground"] {
        for seed in 0..10 {
            let mut cluster = Cluster::new(seed);
            cluster.create(&DEPLOYMENTS, deployment());
            cluster.settle(seed);
            cluster.delete(&DEPLOYMENTS, "web", policy);
            let mut order_kept = true;
            cluster.run(60, |client| {
                let is_empty = |resource| client.list(resource, "dev").unwrap().is_empty();
                order_kept &= policy == "Background"
                    || !is_empty(&DEPLOYMENTS)
                    || (is_empty(&REPLICA_SETS) && is_empty(&PODS));
            });
            for resource in [&DEPLOYMENTS, &REPLICA_SETS, &PODS] {
                assert!(cluster.list(resource).is_empty(), "{policy} {seed} {}", resource.plural);
            }
            assert!(order_kept, "{policy} {seed}: the owner goes last");
            cluster.assert_quiet();
        }
    }
}

#[test]
fn orphans_stay_without_their_owner() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        cluster.create(&DEPLOYMENTS, deployment());
        cluster.settle(seed);
        cluster.delete(&DEPLOYMENTS, "web", "Orphan");
        cluster.settle(60);
        assert!(cluster.list(&DEPLOYMENTS).is_empty());
        let sets = cluster.list(&REPLICA_SETS);
        assert_eq!(sets.len(), 1, "seed {seed}");
        assert!(sets.iter().all(|set| set.owner_references().is_empty()));
        assert_eq!(cluster.pods().len(), 3, "the replica set lives on");
        cluster.assert_quiet();
    }
}

#[test]
fn a_replication_controller_leaves_its_pods_by_default() {
    let mut cluster = Cluster::new(1);
    let spec = json!({"replicas": 2, "selector": {"app": "web"}, "template": template("web", "x")});
    cluster.create(&REPLICATION_CONTROLLERS, json!({"metadata": {"name": "web"}, "spec": spec}));
    cluster.settle(60);
    let options = apiserver::DeleteOptions::default();
    cluster.client.delete(&REPLICATION_CONTROLLERS, "dev", "web", options).unwrap();
    cluster.settle(60);
    assert!(cluster.list(&REPLICATION_CONTROLLERS).is_empty());
    let pods = cluster.pods();
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod.owner_references().is_empty()));
}

#[test]
fn one_living_owner_keeps_an_object() {
    let mut cluster = Cluster::new(2);
    let owner = |name: &str| {
        let owner = cluster.create(&CONFIG_MAPS, json!({"metadata": {"name": name}}));
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner.uid()})
    };
    let owners = [owner("a"), owner("b")];
    let metadata = json!({"name": "child", "ownerReferences": owners});
    cluster.create(&CONFIG_MAPS, json!({"metadata": metadata}));
    cluster.settle(1);
    cluster.delete(&CONFIG_MAPS, "a", "Background");
    cluster.settle(1);
    let child = cluster.get(&CONFIG_MAPS, "child");
    assert_eq!(child.owner_references().len(), 1);
    cluster.delete(&CONFIG_MAPS, "b", "Background");
    cluster.settle(1);
    assert!(cluster.list(&CONFIG_MAPS).is_empty());
}

#[test]
fn an_owner_of_the_same_name_but_another_uid_is_no_owner() {
    let mut cluster = Cluster::new(3);
    cluster.create(&CONFIG_MAPS, json!({"metadata": {"name": "a"}}));
    let stale = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "gone"});
    let metadata = json!({"name": "child", "ownerReferences": [stale]});
    cluster.create(&CONFIG_MAPS, json!({"metadata": metadata}));
    cluster.settle(1);
    let names: Vec<String> =
        cluster.list(&CONFIG_MAPS).iter().map(|object| object.name().to_owned()).collect();
    assert_eq!(names, ["a"]);
}
