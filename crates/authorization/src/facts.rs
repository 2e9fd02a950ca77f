//! The bootstrap policy: what the roles and bindings of a new cluster are.
//!
//! The files under `policy/` hold it one fact a line. A line that begins with a kind opens an object,
//! the lines after it say more:
//!
//! ```text
//! ClusterRole view                      Role kube-system/token-reader
//! description who may look              a text for people
//! system-only                           not offered to users
//! label a/b=c
//! aggregate a/b=c                       gathers the rules of roles with this label
//! allow get list | "" apps | pods pods/log | a b      verbs, groups, resources, names
//! visit get | /healthz /healthz/*                     verbs, paths
//! role ClusterRole view                 what a binding grants
//! to ServiceAccount kube-system/x       to User name, to Group name
//! ```
//!
//! Invariant: the files are part of the program; a line that cannot be read is a broken invariant.

use api::Resource;
use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};

use crate::escalation::GROUP;
use crate::rule::Rule;

const FILES: &[&str] = &[
    include_str!("../policy/cluster-roles.txt"),
    include_str!("../policy/cluster-role-bindings.txt"),
    include_str!("../policy/namespaced.txt"),
];

/// Upstream's mark of objects that a new version of the program may bring up to date.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const DESCRIPTION: &str = "openshift.io/description";
const SYSTEM_ONLY: &str = "authorization.openshift.io/system-only";

/// All objects of the bootstrap policy in the order of their creation; roles that gather others'
/// rules have none yet.
///
/// # Panics
/// Never: the files are part of the program.
#[must_use]
pub fn objects() -> Vec<(&'static Resource, Value)> {
    let mut objects = Vec::new();
    for line in FILES.iter().flat_map(|file| file.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match resource(word) {
            Some(resource) => objects.push((resource, open(resource, rest))),
            None => {
                let (_, object) = objects.last_mut().expect("a file begins with an object");
                add(object, word, rest);
            }
        }
    }
    objects
}

fn resource(kind: &str) -> Option<&'static Resource> {
    match kind {
        "ClusterRole" => Some(&api::CLUSTER_ROLES),
        "ClusterRoleBinding" => Some(&api::CLUSTER_ROLE_BINDINGS),
        "Role" => Some(&api::ROLES),
        "RoleBinding" => Some(&api::ROLE_BINDINGS),
        _ => None,
    }
}

fn open(resource: &Resource, place: &str) -> Value {
    let mut object = json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "metadata": {"name": place, "annotations": {AUTO_UPDATE: "true"}},
    });
    if let Some((namespace, name)) = place.split_once('/').filter(|_| resource.namespaced()) {
        object.set(&["metadata", "namespace"], json!(namespace));
        object.set(&["metadata", "name"], json!(name));
    }
    match resource.kind {
        "ClusterRole" | "Role" => object.set(&["rules"], json!([])),
        _ => {}
    }
    object
}

fn add(object: &mut Value, word: &str, rest: &str) {
    match word {
        "description" => object.set_annotation(DESCRIPTION, rest),
        "system-only" => object.set_annotation(SYSTEM_ONLY, "true"),
        "label" => {
            let (key, value) = pair(rest, '=');
            object.set(&["metadata", "labels", key], json!(value));
        }
        "aggregate" => {
            let (key, value) = pair(rest, '=');
            push(object, &["aggregationRule", "clusterRoleSelectors"], selector(key, value));
        }
        "allow" | "visit" => push(object, &["rules"], rule(word, rest).to_value()),
        "role" => {
            let (kind, name) = pair(rest, ' ');
            object.set(&["roleRef"], json!({"apiGroup": GROUP, "kind": kind, "name": name}));
        }
        "to" => push(object, &["subjects"], subject(rest)),
        _ => unreachable!("no such word in a policy file: {word}"),
    }
}

fn selector(key: &str, value: &str) -> Value {
    json!({"matchLabels": {key: value}})
}

fn rule(word: &str, text: &str) -> Rule {
    let mut fields = text.split(" | ").map(|field| {
        let words = field.split(' ');
        words.map(|word| if word == "\"\"" { String::new() } else { word.to_owned() }).collect()
    });
    let mut next = || fields.next().unwrap_or_default();
    let verbs = next();
    if word == "visit" {
        return Rule { verbs, urls: next(), ..Rule::default() };
    }
    Rule { verbs, groups: next(), resources: next(), names: next(), urls: Vec::new() }
}

fn subject(text: &str) -> Value {
    let (kind, name) = pair(text, ' ');
    if kind == "ServiceAccount" {
        let (namespace, name) = pair(name, '/');
        return json!({"kind": kind, "namespace": namespace, "name": name});
    }
    json!({"apiGroup": GROUP, "kind": kind, "name": name})
}

fn pair(text: &str, separator: char) -> (&str, &str) {
    text.split_once(separator).expect("a fact of two parts has both")
}

fn push(object: &mut Value, path: &[&str], item: Value) {
    if object.list_at(path).is_empty() {
        object.set(path, json!([item]));
        return;
    }
    let list = path.iter().try_fold(object, |value, field| value.get_mut(*field));
    list.and_then(Value::as_array_mut).expect("what is not empty is a list").push(item);
}
