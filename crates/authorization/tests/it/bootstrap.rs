//! The roles and bindings of a new cluster.

use apimachinery::ObjectExt as _;
use apimachinery::json;

use crate::cluster::Cluster;

#[test]
fn a_new_cluster_has_the_roles_of_openshift() {
    let cluster = Cluster::empty();
    let count = |resource| cluster.admin.list(resource, "").map(|all| all.len());
    assert_eq!(count(&api::CLUSTER_ROLES), Ok(129));
    assert_eq!(count(&api::CLUSTER_ROLE_BINDINGS), Ok(84));
    assert_eq!((count(&api::ROLES), count(&api::ROLE_BINDINGS)), (Ok(8), Ok(7)));
    let rules = |name| {
        let role = cluster.admin.get(&api::CLUSTER_ROLES, "", name).expect("the role is there");
        role.list_at(&["rules"]).len()
    };
    // As recorded from a 3.11 master, the aggregated ones too.
    assert_eq!(["admin", "edit", "view", "cluster-reader"].map(rules), [40, 32, 23, 58]);
}

#[test]
fn objects_look_as_upstream_stores_them() {
    let cluster = Cluster::empty();
    let mut role = (*cluster.admin.get(&api::CLUSTER_ROLES, "", "basic-user").unwrap()).clone();
    role.remove(&["metadata", "uid"]);
    role.remove(&["metadata", "creationTimestamp"]);
    role.remove(&["metadata", "resourceVersion"]);
    role["rules"] = json!(role["rules"][0]);
    assert_eq!(
        role,
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {
                "name": "basic-user",
                "annotations": {
                    "openshift.io/description": "A user that can get basic information about projects.",
                    "rbac.authorization.kubernetes.io/autoupdate": "true",
                },
            },
            "rules": {"verbs": ["get"], "apiGroups": ["", "user.openshift.io"],
                "resources": ["users"], "resourceNames": ["~"]},
        })
    );
}

#[test]
fn again_changes_nothing_and_respects_changes() {
    let cluster = Cluster::empty();
    let mut role = (*cluster.admin.get(&api::CLUSTER_ROLES, "", "edit").unwrap()).clone();
    role["rules"] = json!([]);
    cluster.admin.update(&api::CLUSTER_ROLES, role).unwrap();
    let before = cluster.server.store().revision();
    authorization::bootstrap(&cluster.server).unwrap();
    assert_eq!(cluster.server.store().revision(), before);
}
