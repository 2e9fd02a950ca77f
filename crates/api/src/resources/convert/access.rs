//! Roles and their bindings. OpenShift names users and groups in lists of their own and refers to a
//! role by namespace, where Kubernetes has subjects and a kind of role; the lists of OpenShift's rules
//! are sets. The mark of objects that a new version may bring up to date is turned round.
//!
//! Mirrors: `openshift/origin:pkg/authorization/apis/authorization/rbacconversion`.

use std::collections::BTreeSet;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::RBAC;

const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const PROTECT: &str = "openshift.io/reconcile-protect";

pub(super) fn role_to_openshift(object: &mut Value) {
    turn_mark(object, AUTO_UPDATE, PROTECT);
    let rules: Vec<Value> = object.list_at(&["rules"]).iter().map(rule_to_openshift).collect();
    object.set(&["rules"], json!(rules));
}

pub(super) fn role_to_rbac(object: &mut Value) {
    turn_mark(object, PROTECT, AUTO_UPDATE);
    let rules: Vec<Value> = object.list_at(&["rules"]).iter().map(rule_to_rbac).collect();
    object.set(&["rules"], json!(rules));
}

/// A rule of a role as `authorization.openshift.io` shows it.
#[must_use]
pub fn rule_to_openshift(rule: &Value) -> Value {
    let groups = rule.list_at(&["apiGroups"]);
    let mut shown = json!({
        "verbs": set(rule, "verbs"),
        "attributeRestrictions": null,
        "apiGroups": if groups.is_empty() { Value::Null } else { json!(groups) },
        "resources": set(rule, "resources"),
    });
    for field in ["resourceNames", "nonResourceURLs"] {
        let list = set(rule, field);
        if !list.is_empty() {
            shown[field] = json!(list);
        }
    }
    shown
}

fn rule_to_rbac(rule: &Value) -> Value {
    let mut stored = json!({"verbs": set(rule, "verbs")});
    if !rule.list_at(&["apiGroups"]).is_empty() {
        stored["apiGroups"] = json!(rule.list_at(&["apiGroups"]));
    }
    for field in ["resources", "resourceNames", "nonResourceURLs"] {
        let list = set(rule, field);
        if !list.is_empty() {
            stored[field] = json!(list);
        }
    }
    stored
}

fn set<'a>(rule: &'a Value, field: &str) -> BTreeSet<&'a str> {
    rule.list_at(&[field]).iter().filter_map(Value::as_str).collect()
}

fn turn_mark(object: &mut Value, from: &str, to: &str) {
    if let Some(mark) = object.remove(&["metadata", "annotations", from]) {
        let opposite = if mark == "true" { "false" } else { "true" };
        object.set_annotation(to, opposite);
    }
}

pub(super) fn to_openshift(object: &mut Value) {
    turn_mark(object, AUTO_UPDATE, PROTECT);
    let (mut users, mut groups, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
    for subject in object.list_at(&["subjects"]) {
        let (kind, name) = (subject.str_at(&["kind"]), subject.str_at(&["name"]));
        match kind {
            "User" => users.push(json!(name)),
            "Group" => groups.push(json!(name)),
            _ => {
                let own = subject.str_at(&["namespace"]);
                let namespace = if own.is_empty() { object.namespace() } else { own };
                users.push(json!(format!("system:serviceaccount:{namespace}:{name}")));
            }
        }
        let mut reference = subject.clone();
        drop(reference.remove(&["apiGroup"]));
        if kind != "ServiceAccount" && !is_of_people(name) {
            reference.set(&["kind"], json!(format!("System{kind}")));
        }
        subjects.push(reference);
    }
    let mut role = json!({"name": object.str_at(&["roleRef", "name"])});
    if object.str_at(&["roleRef", "kind"]) == "Role" {
        role.set(&["namespace"], json!(object.namespace()));
    }
    let or_null = |list: Vec<Value>| if list.is_empty() { Value::Null } else { json!(list) };
    object.set(&["roleRef"], role);
    object.set(&["subjects"], json!(subjects));
    object.set(&["userNames"], or_null(users));
    object.set(&["groupNames"], or_null(groups));
}

/// Whether users and groups of this name can be objects; the others are the system's.
fn is_of_people(name: &str) -> bool {
    !name.contains([':', '/', '%']) && !matches!(name, "" | "." | ".." | "~")
}

/// The lists of names win over `subjects` when both are given, as upstream has it.
pub(super) fn to_rbac(object: &mut Value) {
    turn_mark(object, PROTECT, AUTO_UPDATE);
    let users = object.remove(&["userNames"]);
    let groups = object.remove(&["groupNames"]);
    let texts = |list: &Option<Value>| -> Vec<String> {
        let list = list.as_ref().and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let (users, groups) = (texts(&users), texts(&groups));
    let namespace = object.namespace().to_owned();
    let subjects: Vec<Value> = if users.is_empty() && groups.is_empty() {
        object.list_at(&["subjects"]).iter().map(|s| rbac_subject(s, &namespace)).collect()
    } else {
        users.iter().map(|name| user(name)).chain(groups.iter().map(|name| group(name))).collect()
    };
    let cluster_role = object.str_at(&["roleRef", "namespace"]).is_empty();
    let role = json!({
        "apiGroup": RBAC,
        "kind": if cluster_role { "ClusterRole" } else { "Role" },
        "name": object.str_at(&["roleRef", "name"]),
    });
    object.set(&["roleRef"], role);
    object.set(&["subjects"], json!(subjects));
}

fn user(name: &str) -> Value {
    match name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, name)) => {
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
        }
        None => json!({"apiGroup": RBAC, "kind": "User", "name": name}),
    }
}

fn group(name: &str) -> Value {
    json!({"apiGroup": RBAC, "kind": "Group", "name": name})
}

fn rbac_subject(subject: &Value, namespace: &str) -> Value {
    let name = subject.str_at(&["name"]);
    match subject.str_at(&["kind"]) {
        "ServiceAccount" => {
            let own = subject.str_at(&["namespace"]);
            let namespace = if own.is_empty() { namespace } else { own };
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
        }
        "Group" | "SystemGroup" => group(name),
        _ => user(name),
    }
}
