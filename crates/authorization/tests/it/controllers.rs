//! Aggregated roles and the bindings of every namespace.

use api::{CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS};
use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::DeleteOptions;

use crate::cluster::Cluster;

fn names(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let all = cluster.admin.list(&ROLE_BINDINGS, namespace).expect("bindings can be listed");
    all.iter().map(|binding| binding.name().to_owned()).collect()
}

#[test]
fn aggregated_roles_follow_their_parts() {
    let mut cluster = Cluster::empty();
    cluster.settle();
    let before = cluster.server.store().revision();
    cluster.settle();
    assert_eq!(cluster.server.store().revision(), before, "nothing to do, nothing written");
    let rule = json!({"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["things"]});
    let part = json!({
        "metadata": {"name": "things-viewer",
            "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [rule],
    });
    cluster.admin.create(&CLUSTER_ROLES, "", part).unwrap();
    cluster.settle();
    let has = |cluster: &Cluster, name: &str| {
        let role = cluster.admin.get(&CLUSTER_ROLES, "", name).unwrap();
        role.list_at(&["rules"]).contains(&rule)
    };
    let all = ["view", "cluster-reader", "edit", "admin"];
    assert_eq!(all.map(|name| has(&cluster, name)), [true, true, false, false]);
    let options = DeleteOptions::default();
    cluster.admin.delete(&CLUSTER_ROLES, "", "things-viewer", options).unwrap();
    cluster.settle();
    assert_eq!(all.map(|name| has(&cluster, name)), [false; 4]);
}

#[test]
fn every_namespace_has_its_bindings_and_people_may_empty_them() {
    let mut cluster = Cluster::empty();
    cluster.admin.create(&NAMESPACES, "", json!({"metadata": {"name": "plain"}})).unwrap();
    cluster.settle();
    let three = ["system:deployers", "system:image-builders", "system:image-pullers"];
    assert_eq!(names(&cluster, "plain"), three);
    assert_eq!(names(&cluster, "default"), three);
    let mut emptied =
        (*cluster.admin.get(&ROLE_BINDINGS, "plain", "system:image-pullers").unwrap()).clone();
    emptied["subjects"] = Value::Null;
    cluster.admin.update(&ROLE_BINDINGS, emptied).unwrap();
    let options = DeleteOptions::default();
    cluster.admin.delete(&ROLE_BINDINGS, "plain", "system:deployers", options).unwrap();
    cluster.settle();
    assert_eq!(names(&cluster, "plain"), three);
    let kept = cluster.admin.get(&ROLE_BINDINGS, "plain", "system:image-pullers").unwrap();
    assert!(kept.list_at(&["subjects"]).is_empty());
}
