//! The index: whatever comes and goes, the answers are those of the present documents.

use apimachinery::json;

use super::*;
use crate::rule::ResourceTarget;

fn role(namespace: &str, name: &str, verbs: &[&str]) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace},
        "rules": [{"verbs": verbs, "apiGroups": [""], "resources": ["pods"]}],
    })
}

fn binding(namespace: &str, name: &str, role: (&str, &str), subjects: &[[&str; 3]]) -> Value {
    let subjects: Vec<Value> = subjects
        .iter()
        .map(|[kind, namespace, name]| json!({"kind": kind, "namespace": namespace, "name": name}))
        .collect();
    json!({
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"kind": role.0, "name": role.1},
        "subjects": subjects,
    })
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.put("clusterroles", &role("", "read", &["get"]));
    policy.put("roles", &role("a", "read", &["list"]));
    let all = binding("", "all", ("ClusterRole", "read"), &[["Group", "", "readers"]]);
    policy.put("clusterrolebindings", &all);
    let subjects = [["User", "", "ann"], ["ServiceAccount", "", "robot"]];
    policy.put("rolebindings", &binding("a", "own", ("Role", "read"), &subjects));
    policy.put("rolebindings", &binding("b", "own", ("ClusterRole", "read"), &subjects));
    policy.put("rolebindings", &binding("b", "lost", ("Role", "none"), &subjects));
    policy
}

fn pods<'a>(verb: &'a str, namespace: &'a str) -> Access<'a> {
    let target = ResourceTarget { resource: "pods", namespace, ..ResourceTarget::default() };
    Access::resource(verb, target)
}

/// The places where a user may get and list pods.
fn places(policy: &Policy, user: &User) -> String {
    let mut found = Vec::new();
    for (verb, namespace) in
        [("get", ""), ("get", "a"), ("get", "b"), ("list", ""), ("list", "a"), ("list", "b")]
    {
        let access = pods(verb, namespace);
        assert_eq!(policy.allows(user, &access), policy.reason(user, &access).is_some());
        if policy.allows(user, &access) {
            found.push(format!("{verb}:{namespace}"));
        }
    }
    found.join(" ")
}

#[test]
fn bindings_hold_in_their_namespace_and_for_their_subjects() {
    let policy = policy();
    let places = |name: &str, groups: &[&str]| places(&policy, &User::with_groups(name, groups));
    assert_eq!(places("bob", &[]), "");
    assert_eq!(places("bob", &["readers"]), "get: get:a get:b");
    assert_eq!(places("ann", &[]), "get:b list:a");
    assert_eq!(places("system:serviceaccount:a:robot", &[]), "list:a");
    assert_eq!(places("system:serviceaccount:b:robot", &[]), "get:b");
    assert_eq!(places("robot", &[]), "");
    assert_eq!(places("x", &[MASTERS]), "get: get:a get:b list: list:a list:b");
}

#[test]
fn changes_replace_what_was_there() {
    let mut policy = policy();
    let ann = User::with_groups("ann", &[]);
    policy.put("rolebindings", &binding("a", "own", ("Role", "read"), &[["User", "", "bob"]]));
    assert_eq!(places(&policy, &ann), "get:b");
    policy.put("clusterroles", &role("", "read", &["list"]));
    assert_eq!(places(&policy, &ann), "list:b");
    policy.remove("clusterroles", "", "read");
    assert_eq!(places(&policy, &ann), "");
    policy.put("clusterroles", &role("", "read", &["get"]));
    policy.remove("rolebindings", "b", "own");
    assert_eq!(places(&policy, &ann), "");
    assert_eq!(places(&policy, &User::with_groups("bob", &[])), "list:a");
}

#[test]
fn what_is_gone_leaves_no_trace() {
    let mut policy = policy();
    for (kind, namespace, name) in [
        ("clusterroles", "", "read"),
        ("roles", "a", "read"),
        ("clusterrolebindings", "", "all"),
        ("rolebindings", "a", "own"),
        ("rolebindings", "b", "own"),
        ("rolebindings", "b", "lost"),
    ] {
        policy.remove(kind, namespace, name);
    }
    assert_eq!(format!("{policy:?}"), format!("{:?}", Policy::default()));
}

#[test]
fn bindings_may_come_before_their_roles() {
    let mut policy = Policy::default();
    policy.put("rolebindings", &binding("a", "own", ("Role", "read"), &[["User", "", "ann"]]));
    let ann = User::with_groups("ann", &[]);
    assert_eq!(places(&policy, &ann), "");
    policy.put("roles", &role("b", "read", &["list"]));
    policy.put("clusterroles", &role("", "read", &["list"]));
    assert_eq!(places(&policy, &ann), "");
    policy.put("roles", &role("a", "read", &["list"]));
    assert_eq!(places(&policy, &ann), "list:a");
}

#[test]
fn reasons_name_binding_role_and_subject() {
    let policy = policy();
    let reason = |name: &str, groups: &[&str], access| {
        policy.reason(&User::with_groups(name, groups), &access).unwrap_or_default()
    };
    assert_eq!(
        reason("bob", &["readers"], pods("get", "a")),
        "RBAC: allowed by ClusterRoleBinding \"all\" of ClusterRole \"read\" to Group \"readers\""
    );
    assert_eq!(
        reason("system:serviceaccount:a:robot", &[], pods("list", "a")),
        "RBAC: allowed by RoleBinding \"own/a\" of Role \"read\" to ServiceAccount \"robot/a\""
    );
}

#[test]
fn who_can_counts_cluster_and_namespace() {
    let who = policy().subjects_who(&pods("get", "b"));
    let users: Vec<&String> = who.users.iter().collect();
    let groups: Vec<&String> = who.groups.iter().collect();
    assert_eq!(users, ["ann", "system:serviceaccount:b:robot"]);
    assert_eq!(groups, ["readers", MASTERS]);
}
