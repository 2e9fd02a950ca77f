//! `oc policy add-role-to-user`, `who-can`, `auth can-i`, `adm policy add-scc-to-user`.

use apimachinery::{Value, json};

use super::{path, shop};

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn roles_are_given_and_it_is_told_who_has_them() {
    let (_cluster, admin, alice) = shop();
    let bob = admin.by("bob");
    let forbidden = "403 pods is forbidden: User \"bob\" cannot list pods in the namespace \"shop\": no RBAC policy matched";
    assert_eq!(bob.get(&path("", "pods")).refusal(), forbidden);
    // oc policy add-role-to-user view bob
    let bindings = path("rbac.authorization.k8s.io", "rolebindings");
    alice.get(&bindings).ok();
    let binding = json!({"kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "view", "creationTimestamp": null},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "bob"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}});
    alice.post(&bindings, &binding).ok();
    assert_eq!(bob.get(&path("", "pods")).code, 200);
    assert_eq!(bob.get(&path("", "secrets")).code, 403);
    // oc policy who-can list pods
    let who = |verb: &str, resource: &str| {
        let review = json!({"kind": "LocalResourceAccessReview",
            "apiVersion": "authorization.openshift.io/v1", "namespace": "", "verb": verb,
            "resource": resource, "resourceAPIGroup": "", "resourceAPIVersion": "",
            "resourceName": "", "path": "", "isNonResourceURL": false, "content": null});
        alice.post(&path("authorization", "localresourceaccessreviews"), &review).ok()
    };
    let readers = who("list", "pods");
    assert_eq!(readers["kind"], "ResourceAccessReviewResponse");
    assert_eq!(readers["namespace"], "shop");
    for user in ["alice", "bob", "system:admin"] {
        assert!(strings(&readers["users"]).contains(&user), "{user}: {readers}");
    }
    assert!(strings(&readers["groups"]).contains(&"system:cluster-admins"), "{readers}");
    assert!(!strings(&who("delete", "pods")["users"]).contains(&"bob"));
    // oc auth can-i
    let review = json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": {"namespace": "shop", "verb": "delete", "resource": "pods"}}});
    let may = bob.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).ok();
    assert_eq!(may["status"], json!({"allowed": false, "reason": "no RBAC policy matched"}));
    // oc policy remove-role-from-user view bob
    alice.delete(&format!("{bindings}/view")).ok();
    assert_eq!(bob.get(&path("", "pods")).refusal(), forbidden);
}

/// `oc adm policy add-scc-to-user` 3.11 reads the constraints and writes them back.
#[test]
fn constraints_are_given_to_accounts_by_the_administrator_only() {
    let (_cluster, admin, alice) = shop();
    let privileged = "/apis/security.openshift.io/v1/securitycontextconstraints/privileged";
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "root"},
        "spec": {"containers": [{"name": "c", "image": "web:1", "securityContext": {"privileged": true}}]}});
    let refused = alice.post(&path("", "pods"), &pod);
    assert!(
        refused.refusal().contains("unable to validate against any security context constraint"),
        "{}",
        refused.text
    );
    assert_eq!(alice.get(privileged).code, 403);
    let mut constraints = admin.get(privileged).ok();
    let account = json!("system:serviceaccount:shop:default");
    constraints["users"].as_array_mut().unwrap().push(account);
    admin.put(privileged, &constraints).ok();
    let allowed = alice.post(&path("", "pods"), &pod).ok();
    assert_eq!(allowed["metadata"]["annotations"]["openshift.io/scc"], "privileged");
}
