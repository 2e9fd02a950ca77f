//! Writing roles and bindings: nobody grants what they do not have.

use api::{
    CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, OPENSHIFT_ROLE_BINDINGS, OPENSHIFT_ROLES, ROLE_BINDINGS,
    ROLES, Verb,
};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{Call, Client, DeleteOptions};

use crate::cluster::{Cluster, RBAC, binding, user};

fn message<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    result.map_or_else(|status| status.message, |_| "ok".to_owned())
}

fn role(name: &str, verbs: &[&str], resources: &[&str]) -> Value {
    json!({
        "metadata": {"name": name},
        "rules": [{"verbs": verbs, "apiGroups": [""], "resources": resources}],
    })
}

#[test]
fn an_admin_gives_what_they_have() {
    let cluster = Cluster::new();
    let alice = cluster.client("alice");
    let create = |binding| message(alice.create(&ROLE_BINDINGS, "alice-proj", binding));
    assert_eq!(create(binding("view", "view", "bob")), "ok");
    assert_eq!(create(binding("edit", "edit", "bob")), "ok");
    assert_eq!(create(binding("admin-0", "admin", "bob")), "ok");
    let refusal = create(binding("cluster-admin", "cluster-admin", "bob"));
    let start = "rolebindings.rbac.authorization.k8s.io \"cluster-admin\" is forbidden: attempt to \
                 grant extra privileges: [{[*] [*] [*] [] []} {[*] [] [] [] [*]}] user=&{alice  \
                 [system:authenticated:oauth system:authenticated] map[]} ownerrules=[{[get] \
                 [ user.openshift.io] [users] [~] []} {[list] [ project.openshift.io] \
                 [projectrequests] [] []} ";
    assert_eq!(refusal[..start.len()], *start);
    assert!(refusal.ends_with("}] ruleResolutionErrors=[]"), "{refusal}");
    assert_eq!(
        create(binding("none", "none", "bob")),
        "clusterroles.rbac.authorization.k8s.io \"none\" not found"
    );
}

#[test]
fn roles_are_checked_rule_by_rule() {
    let cluster = Cluster::new();
    let alice = cluster.client("alice");
    let create = |role| message(alice.create(&ROLES, "alice-proj", role));
    assert_eq!(create(role("ok", &["get", "create"], &["pods", "secrets"])), "ok");
    let refusal = create(role("no", &["get", "create"], &["pods", "resourcequotas"]));
    assert!(
        refusal.starts_with(
            "roles.rbac.authorization.k8s.io \"no\" is forbidden: attempt to grant extra \
             privileges: [{[create] [] [resourcequotas] [] []}] user=&{alice "
        ),
        "{refusal}"
    );
    let mut ok = (*alice.get(&ROLES, "alice-proj", "ok").unwrap()).clone();
    ok["rules"][0]["resources"] = json!(["nodes"]);
    assert!(message(alice.update(&ROLES, ok.clone())).contains("attempt to grant extra"));
    assert!(message(cluster.admin.update(&ROLES, ok)).contains("ok"));
}

#[test]
fn who_may_bind_a_role_needs_none_of_its_rules() {
    let cluster = Cluster::new();
    let binder = json!({
        "metadata": {"name": "binder"},
        "rules": [{"verbs": ["bind"], "apiGroups": [RBAC], "resources": ["clusterroles"],
            "resourceNames": ["cluster-reader"]}],
    });
    cluster.admin.create(&CLUSTER_ROLES, "", binder).unwrap();
    cluster.bind("alice-proj", "binder", "alice");
    let alice = cluster.client("alice");
    let create =
        |role| message(alice.create(&ROLE_BINDINGS, "alice-proj", binding(role, role, "bob")));
    assert_eq!(create("cluster-reader"), "ok");
    assert!(create("cluster-admin").contains("attempt to grant extra privileges"));
}

#[test]
fn gathering_roles_are_for_cluster_admins() {
    let cluster = Cluster::new();
    cluster.bind("", "admin", "alice");
    let mut gathering = role("sum", &["get"], &["pods"]);
    gathering["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]});
    let create =
        |name: &str| message(cluster.client(name).create(&CLUSTER_ROLES, "", gathering.clone()));
    assert_eq!(
        create("alice"),
        "clusterroles.rbac.authorization.k8s.io \"sum\" is forbidden: must have cluster-admin privileges to use the aggregationRule"
    );
    cluster.bind("", "cluster-admin", "carol");
    assert_eq!(create("carol"), "ok");
}

#[test]
fn a_binding_keeps_its_role() {
    let cluster = Cluster::new();
    let alice = cluster.client("alice");
    alice.create(&ROLE_BINDINGS, "alice-proj", binding("b", "edit", "bob")).unwrap();
    let changed = binding("b", "view", "bob");
    let changed = {
        let mut changed = changed;
        changed.set(&["metadata", "namespace"], json!("alice-proj"));
        changed
    };
    let refusal = message(alice.update(&ROLE_BINDINGS, changed));
    assert!(refusal.ends_with("cannot change roleRef"), "{refusal}");
}

#[test]
fn a_revoked_binding_is_forgotten_at_once() {
    let cluster = Cluster::new();
    let bob = user("bob");
    let get = |cluster: &Cluster| {
        message(cluster.ask(&bob, Verb::Get, &api::PODS, ("alice-proj", "p", "")))
    };
    assert_ne!(get(&cluster), "ok");
    cluster.bind("alice-proj", "view", "bob");
    assert_eq!(get(&cluster), "ok");
    let options = DeleteOptions::default();
    cluster.admin.delete(&ROLE_BINDINGS, "alice-proj", "view-bob", options).unwrap();
    assert_ne!(get(&cluster), "ok");
    cluster.bind("", "view", "bob");
    assert_eq!(get(&cluster), "ok");
}

#[test]
fn whoever_wrote_a_binding_is_answered_by_it_whatever_others_do() {
    let cluster = Cluster::new();
    let round = |admin: &Client, name: &str| {
        let user = user(name);
        let call = Call::new(&user, &api::PODS).within("alice-proj").named("p");
        let may = || admin.server().authorize(&call, Verb::Get).is_ok();
        assert!(!may());
        admin.create(&ROLE_BINDINGS, "alice-proj", binding(name, "view", name)).unwrap();
        assert!(may());
        let options = DeleteOptions::default();
        admin.delete(&ROLE_BINDINGS, "alice-proj", name, options).unwrap();
        assert!(!may());
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let admin = cluster.admin.clone();
            scope.spawn(move || (0..50).for_each(|n| round(&admin, &format!("u-{thread}-{n}"))));
        }
    });
}

#[test]
fn the_older_api_shows_and_writes_the_same_bindings() {
    let cluster = Cluster::new();
    let alice = cluster.client("alice");
    let legacy = json!({
        "metadata": {"name": "old"},
        "roleRef": {"name": "view"},
        "userNames": ["bob", "system:serviceaccount:bob-proj:default"],
        "groupNames": ["team"],
        "subjects": [],
    });
    alice.create(&OPENSHIFT_ROLE_BINDINGS, "alice-proj", legacy).unwrap();
    let stored = alice.get(&ROLE_BINDINGS, "alice-proj", "old").unwrap();
    assert_eq!(stored["roleRef"], json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}));
    assert_eq!(
        stored["subjects"],
        json!([
            {"apiGroup": RBAC, "kind": "User", "name": "bob"},
            {"kind": "ServiceAccount", "namespace": "bob-proj", "name": "default"},
            {"apiGroup": RBAC, "kind": "Group", "name": "team"},
        ])
    );
    let shown = alice.get(&OPENSHIFT_ROLE_BINDINGS, "alice-proj", "admin").unwrap();
    assert_eq!((&shown["userNames"], &shown["groupNames"]), (&json!(["alice"]), &Value::Null));
    assert_eq!(shown["roleRef"], json!({"name": "admin"}));
    let extra = json!({
        "metadata": {"name": "more"},
        "roleRef": {"name": "cluster-admin"},
        "userNames": ["bob"], "groupNames": null, "subjects": [],
    });
    let refusal = message(alice.create(&OPENSHIFT_ROLE_BINDINGS, "alice-proj", extra));
    assert!(
        refusal
            .starts_with("rolebindings.rbac.authorization.k8s.io \"more\" is forbidden: attempt")
    );
}

#[test]
fn the_older_api_checks_roles_as_well() {
    let cluster = Cluster::new();
    let alice = cluster.client("alice");
    let create = |role| message(alice.create(&OPENSHIFT_ROLES, "alice-proj", role));
    assert_eq!(create(role("ok", &["get"], &["pods"])), "ok");
    assert!(create(role("no", &["get"], &["nodes"])).contains("attempt to grant extra privileges"));
    let everywhere = binding("x", "view", "bob");
    let text = message(alice.create(&CLUSTER_ROLE_BINDINGS, "", everywhere));
    assert!(text.contains("attempt to grant extra privileges"), "{text}");
}
