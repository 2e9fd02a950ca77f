//! Role bindings: OpenShift names users and groups in lists of their own and refers to a role by
//! namespace; Kubernetes has subjects and a kind of role.

use apimachinery::{ObjectExt as _, Value};
use serde_json::json;

use super::RBAC;

pub(super) fn to_openshift(object: &mut Value) {
    let (mut users, mut groups, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
    for subject in object.list_at(&["subjects"]) {
        let (kind, name) = (subject.str_at(&["kind"]), subject.str_at(&["name"]));
        match kind {
            "User" => users.push(json!(name)),
            "Group" => groups.push(json!(name)),
            _ => {
                let namespace = subject.str_at(&["namespace"]);
                users.push(json!(format!("system:serviceaccount:{namespace}:{name}")));
            }
        }
        let mut reference = subject.clone();
        drop(reference.remove(&["apiGroup"]));
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

/// The lists of names win over `subjects` when both are given, as upstream has it.
pub(super) fn to_rbac(object: &mut Value) {
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
