//! Compares what a real OpenShift 3.11 master says of itself with what this one says: the resources of
//! every group and version, and the objects a cluster starts with.
//!
//! `GOLDEN_DIR/discovery` holds the documents. An entry passes when it is equal; one that only one of
//! the two masters has fails, but for groups and versions that came after 3.11.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::Client;
use apiserver::http::discovery::{oapi_list, resource_list};
use cluster::{Access, Cluster, Config, Runtime};
use cri::sim::SimImages;
use world::World;

use crate::documents::{bare, without};
use crate::harness::{Count, Report, read, say, setting};

/// Bindings that the recorder's own work left on the master.
const RECORDER: &[&str] = &[
    "cluster-debugger",
    "registry-registry-role",
    "self-provisioner",
    "storage-admin",
    "storage-admin-0",
];

/// A cluster on which nobody has worked yet, after its controllers had a minute.
fn fresh() -> Cluster {
    let world = World::simulated(1);
    let deadline = world.now() + Duration::from_secs(60);
    let mut config = Config::new(world, Runtime::Sim(SimImages::new()), 1);
    config.access = Access::Policy;
    let mut cluster = Cluster::start(config).expect("a cluster starts");
    cluster.run_until(deadline, &mut || false);
    cluster
}

/// Compares everything.
pub(crate) fn compare(dir: &str, report: &mut Report) {
    let dir = Path::new(dir).join("discovery");
    for entry in std::fs::read_dir(&dir).expect("the recording is there") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        let ours = match name.strip_suffix(".json") {
            Some("oapi_v1") => oapi_list(),
            Some("api_v1") => resource_list(api::resources(), "", "v1"),
            Some(name) => {
                let parts = name.strip_prefix("apis_").and_then(|name| name.split_once('_'));
                let Some((group, version)) = parts else { continue };
                resource_list(api::resources(), group, version)
            }
            None => continue,
        };
        let entries = |list: &Value| by_name(&list["resources"], sorted_verbs);
        let got = entries(&ours.unwrap_or_default());
        note(report, &name, "resources", &got, &entries(&read(&dir.join(&name))));
    }
    objects(&dir, fresh().client(), report);
}

fn objects(dir: &Path, client: &Client, report: &mut Report) {
    type Shape = fn(&Value) -> Value;
    for (file, kind, resource, shape) in [
        (
            "bootstrap-clusterroles.json.gz",
            "ClusterRole",
            &api::OPENSHIFT_CLUSTER_ROLES,
            rules as Shape,
        ),
        (
            "bootstrap-clusterrolebindings.json",
            "ClusterRoleBinding",
            &api::OPENSHIFT_CLUSTER_ROLE_BINDINGS,
            subjects,
        ),
        (
            "bootstrap-scc.json",
            "SecurityContextConstraints",
            &api::SECURITY_CONTEXT_CONSTRAINTS,
            body,
        ),
        ("bootstrap-namespaced.json", "Role", &api::OPENSHIFT_ROLES, rules),
        ("bootstrap-namespaced.json", "RoleBinding", &api::OPENSHIFT_ROLE_BINDINGS, subjects),
    ] {
        let recorded = read(&dir.join(file));
        let recorded: Vec<Value> = recorded["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|item| item["kind"] == kind && of_the_system(item))
            .cloned()
            .collect();
        let ours = client.list(resource, "").expect("a list");
        let ours: Vec<Value> =
            ours.iter().map(|object| (**object).clone()).filter(of_the_system).collect();
        let shaped = |list: Vec<Value>| by_name(&Value::from(list), shape);
        note(report, file, kind, &shaped(ours), &shaped(recorded));
    }
}

/// Roles that every cluster here has and the recorded one had not, and one that the recorder changed.
const OURS: [&str; 3] =
    ["self-provisioners", "system:aggregated-metrics-reader", "system:aggregated-explanations"];

/// Not of a project that the recorder, or a test, has made.
fn of_the_system(object: &Value) -> bool {
    // The recorder took the binding of `self-provisioners` away and gave it back under another name.
    if object["kind"] == "ClusterRoleBinding" && RECORDER.contains(&object.name())
        || OURS.contains(&object.name())
    {
        return false;
    }
    matches!(
        object.namespace(),
        "" | "default" | "kube-public" | "kube-system" | "openshift" | "openshift-infra"
    )
}

fn by_name(list: &Value, shape: impl Fn(&Value) -> Value) -> BTreeMap<String, Value> {
    let name = |entry: &Value| match entry["name"].as_str() {
        Some(name) => name.to_owned(),
        None => format!("{}/{}", entry.namespace(), entry.name()),
    };
    list.as_array().into_iter().flatten().map(|entry| (name(entry), shape(entry))).collect()
}

fn sorted_verbs(entry: &Value) -> Value {
    sorted(&bare(entry))
}

/// The rules of a role, in any order. Those on `metrics.k8s.io` come with the metrics server, those on
/// `why.rehearse` with explanations; the recorded master had neither and every cluster here has both.
fn rules(role: &Value) -> Value {
    let rules = role["rules"].as_array().into_iter().flatten();
    let ours = [json!(["metrics.k8s.io"]), json!(["why.rehearse"])];
    let rules = rules.filter(|rule| !ours.contains(&rule["apiGroups"]));
    sorted(&bare(&rules.cloned().collect()))
}

/// The role and the subjects of a binding, by their full names.
fn subjects(binding: &Value) -> Value {
    let subjects = binding["subjects"].as_array().into_iter().flatten().map(|subject| {
        json!([subject["kind"], subject["namespace"].as_str().unwrap_or_default(), subject["name"]])
    });
    sorted(&json!({"role": bare(&binding["roleRef"]), "subjects": subjects.collect::<Value>()}))
}

fn body(object: &Value) -> Value {
    let volatile =
        ["creationTimestamp", "resourceVersion", "selfLink", "uid", "managedFields", "generation"];
    let mut object = without(object, &volatile);
    // The recorder ran a router of its own.
    if let Some(users) = object["users"].as_array_mut() {
        users.retain(|user| user != "system:serviceaccount:cmd-router:router");
    }
    sorted(&bare(&object))
}

/// With every list in the order of its contents.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(sorted).collect();
            list.sort_by_key(Value::to_string);
            Value::from(list)
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect(),
        other => other.clone(),
    }
}

fn note(
    report: &mut Report,
    file: &str,
    what: &str,
    got: &BTreeMap<String, Value>,
    want: &BTreeMap<String, Value>,
) {
    let mut count = Count::default();
    let names: std::collections::BTreeSet<&String> = got.keys().chain(want.keys()).collect();
    let shown =
        setting("CASES_SHOW").is_some_and(|part| format!("discovery {file}").contains(&part));
    for name in names {
        count.applicable += 1;
        if got.get(name) == want.get(name) {
            count.passes += 1;
        } else if shown {
            let text =
                |side: Option<&Value>| side.map_or_else(|| "nothing".to_owned(), Value::to_string);
            say(&format!(
                "discovery {file} {what} {name}\n    want {}\n    got  {}",
                text(want.get(name)),
                text(got.get(name))
            ));
        }
    }
    report.insert((format!("discovery/{file}"), what.to_owned()), Some(count));
}
