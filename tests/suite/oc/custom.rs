//! Custom resources under the rules for everything else: roles, discovery's verbs, quota.

use apimachinery::{Value, json};

use super::{path, shop};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const GADGETS: &str = "/apis/example.org/v1/namespaces/shop/gadgets";

fn definition() -> Value {
    json!({"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": {"name": "gadgets.example.org"},
        "spec": {"group": "example.org", "scope": "Namespaced",
            "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

fn gadget(name: &str) -> Value {
    json!({"kind": "Gadget", "apiVersion": "example.org/v1", "metadata": {"name": name}})
}

#[test]
fn custom_resources_are_for_those_whose_role_names_them() {
    let (_cluster, admin, alice) = shop();
    assert_eq!(alice.post(CRDS, &definition()).code, 403);
    admin.post(CRDS, &definition()).ok();
    admin.wait(CRDS, "gadgets.example.org", |crd| {
        let conditions = crd["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter().any(|it| it["type"] == "Established" && it["status"] == "True")
        })
    });
    // The owner of a project is not told what a kind made later is for.
    let refused = |verb: &str| {
        format!(
            "403 gadgets.example.org is forbidden: User \"alice\" cannot {verb} gadgets.example.org in the namespace \"shop\": no RBAC policy matched"
        )
    };
    assert_eq!(alice.get(GADGETS).refusal(), refused("list"));
    assert_eq!(alice.post(GADGETS, &gadget("one")).refusal(), refused("create"));
    let role = json!({"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "gadgets"}, "rules": [
            {"apiGroups": ["example.org"], "resources": ["gadgets"], "verbs": ["get", "list", "create"]}]});
    admin.post(&path("rbac.authorization.k8s.io", "roles"), &role).ok();
    let binding = json!({"kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "gadgets"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "gadgets"}});
    admin.post(&path("rbac.authorization.k8s.io", "rolebindings"), &binding).ok();
    alice.post(GADGETS, &gadget("one")).ok();
    assert_eq!(alice.get(GADGETS).ok()["items"].as_array().unwrap().len(), 1);
    assert_eq!(alice.delete(&format!("{GADGETS}/one")).code, 403);
}

#[test]
fn quota_counts_custom_resources() {
    let (_cluster, admin, _) = shop();
    admin.post(CRDS, &definition()).ok();
    let quota = json!({"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "few"},
        "spec": {"hard": {"count/gadgets.example.org": "1"}}});
    admin.post(&path("", "resourcequotas"), &quota).ok();
    let used = |count: &'static str| {
        move |quota: &Value| quota["status"]["used"]["count/gadgets.example.org"] == count
    };
    admin.wait(&path("", "resourcequotas"), "few", used("0"));
    admin.post(GADGETS, &gadget("one")).ok();
    assert_eq!(
        admin.post(GADGETS, &gadget("two")).refusal(),
        "403 gadgets.example.org \"two\" is forbidden: exceeded quota: few, requested: \
         count/gadgets.example.org=1, used: count/gadgets.example.org=1, limited: \
         count/gadgets.example.org=1"
    );
    admin.delete(&format!("{GADGETS}/one")).ok();
    admin.wait(&path("", "resourcequotas"), "few", used("0"));
    admin.post(GADGETS, &gadget("two")).ok();
}
