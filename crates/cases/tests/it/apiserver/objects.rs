//! What becomes of objects: deletion and its finalizers, selectors, endpoints, quality of service.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::{Call, Client, DeleteOptions, ListOptions, User};
use cluster::{Cluster, Config, Runtime};
use cri::sim::SimImages;
use world::{Time, World};

use crate::errors::agree;
use crate::harness::{Outcome, Row, Suites, resource, same};

const DEPLOYMENT: &str = "apiserver/registry-deployment.json";
const GENERIC: &str = "apiserver/generic-registry.json";
const POD: &str = "apiserver/registry-pod.json";
const VIEWS: &str = "apiserver/api-v1-pod.json";

/// A client of a server on which nothing else runs.
fn client() -> Client {
    let config = Config::new(World::simulated(1), Runtime::Sim(SimImages::new()), 1);
    let cluster = Cluster::start(config).expect("a cluster starts");
    let client = Client::new(cluster.server().clone(), User::system_admin());
    client
        .create(&api::NAMESPACES, "", json!({"metadata": {"name": "test"}}))
        .expect("a namespace is made");
    client
}

pub(super) fn register(suites: &mut Suites) {
    suites.add(GENERIC, "TestStoreDeletionPropagation.L1612", |row| {
        deleted(
            row,
            &row.arg("existingFinalizers").clone(),
            "expectedFinalizers",
            "expectedNotFound",
        )
    });
    suites.add(GENERIC, "TestStoreDeleteWithOrphanDependents.L1396", |row| {
        let had = row.arg("pod")["metadata"]["finalizers"].clone();
        deleted(row, &had, "updatedFinalizers", "expectNotFound")
    });
    suites.add(DEPLOYMENT, "TestDeploymentDefaultGarbageCollectionPolicy.L239", |row| {
        // There is no deletion without a request here.
        if row.arg("isNilRequestInfo") == true {
            return Outcome::Skip;
        }
        let orphans = row.text("expectedGCPolicy") == "OrphanDependents";
        let want = if orphans { vec!["orphan"] } else { Vec::new() };
        same(&left_on_a_deployment(row.arg("requestInfo")), &want)
    });
    suites.add(GENERIC, "TestDeletionFinalizersForGarbageCollection.L2093", |row| {
        let want: Vec<&str> = texts(row.arg("desiredFinalizers"));
        same(&left_on_a_deployment(row.arg("requestInfo")), &want)
    });
    suites.add(DEPLOYMENT, "TestSelectorImmutability.L140", |row| {
        let info = row.arg("requestInfo");
        let text = |field: &str| info[field].as_str().unwrap_or_default();
        let resource = resource(text("APIGroup"), text("APIVersion"), "deployments");
        let with = |field: &str| {
            let mut object = deployment();
            object["spec"]["selector"]["matchLabels"] = row.arg(field).clone();
            object
        };
        let (new, old) = (with("newSelectorLabels"), with("oldSelectorLabels"));
        let mut errors = api::validation::update(resource, &new, &old);
        errors.retain(|error| error.field.to_string() == "spec.selector");
        agree(&errors, row.arg("expectedErrorList"))
    });
    suites.add("apiserver/api-endpoints.json", "TestPackSubsets.L458", |row| {
        let given = row.arg("given").as_array().cloned().unwrap_or_default();
        let got = controllers::endpoints::subsets::repack(&given);
        same(&sorted(&json!(got)), &sorted(row.arg("expect")))
    });
    pods(suites);
}

fn pods(suites: &mut Suites) {
    suites.add(POD, "TestGetPodQOS.L203", |row| {
        same(&api::views::pod::qos_class(row.arg("pod")), &row.text("expected"))
    });
    suites.add(POD, "TestMatchPod.L131", |row| {
        let client = client();
        let pod = stored_pod(&client, row.arg("in"));
        let field = row.arg("fieldSelector");
        let text = |name: &str| field[name].as_str().unwrap_or_default();
        // Upstream's test names nodes as no node can be named.
        let value = if text("field") == "spec.nodeName" {
            text("value").to_lowercase()
        } else {
            text("value").to_owned()
        };
        let field_selector = format!("{}={value}", text("field"));
        let options = ListOptions { field_selector, ..ListOptions::default() };
        let listed = client.list_with(&api::PODS, "test", &options).expect("a list");
        let found = listed.items.iter().any(|other| other.value().name() == pod.name());
        same(&json!(found), row.arg("expectMatch"))
    });
    suites.add(POD, "TestCheckGracefulDelete.L255", |row| {
        let client = client();
        let pod = stored_pod(&client, row.arg("in"));
        let call = Call::new(client.user(), &api::PODS).within("test").named(pod.name());
        client.server().delete(&call, DeleteOptions::default()).expect("deletion");
        let left = client.get(&api::PODS, "test", pod.name()).ok();
        let grace = left.and_then(|pod| pod.int_at(&["metadata", "deletionGracePeriodSeconds"]));
        same(&grace.unwrap_or(0), &row.arg("gracePeriod").as_i64().expect("a number"))
    });
    suites.add(VIEWS, "TestIsPodAvailable.L406", |row| {
        // When the table was recorded.
        let now = Time::parse_rfc3339("2026-11-20T11:51:06Z").expect("a time");
        let seconds = row.arg("minReadySeconds").as_i64().expect("a number");
        let got = api::views::pod::is_available(row.arg("pod"), seconds, now);
        same(&json!(got), row.arg("expected"))
    });
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A pod that the server takes, with what the row says of spec and status.
fn stored_pod(client: &Client, row: &Value) -> std::sync::Arc<Value> {
    let mut spec = json!({"containers": [{"name": "a", "image": "a"}]});
    for (field, value) in row["spec"].as_object().into_iter().flatten() {
        if !value.is_null() {
            spec[field] = value.clone();
        }
    }
    if let Some(node) = spec["nodeName"].as_str() {
        spec["nodeName"] = json!(node.to_lowercase());
    }
    let pod = json!({"metadata": {"name": "pod"}, "spec": spec});
    let pod = client.create(&api::PODS, "test", pod).expect("a pod is made");
    let mut with_status = (*pod).clone();
    for (field, value) in row["status"].as_object().into_iter().flatten() {
        with_status["status"][field] = value.clone();
    }
    client.update_status(&api::PODS, with_status).expect("a status is written")
}

fn options(options: &Value) -> DeleteOptions {
    DeleteOptions {
        propagation_policy: options["propagationPolicy"].as_str().map(str::to_owned),
        orphan_dependents: options["orphanDependents"].as_bool(),
        ..DeleteOptions::default()
    }
}

/// Deletes an object of a kind with the default of upstream's strategy: a replication controller leaves
/// its pods alone, a config map's dependents go with it.
fn deleted(row: &Row<'_>, had: &Value, expected: &str, not_found: &str) -> Outcome {
    let client = client();
    let orphans = row.arg("strategy")["_type"] == "registry.testOrphanDeleteStrategy";
    let kind = if orphans { &api::REPLICATION_CONTROLLERS } else { &api::CONFIG_MAPS };
    let mut object = json!({"metadata": {"name": "a", "finalizers": had}});
    if orphans {
        let pod = json!({"containers": [{"name": "a", "image": "a"}]});
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": pod});
        object["spec"] = json!({"selector": {"a": "b"}, "template": template});
    }
    client.create(kind, "test", object).expect("an object is made");
    let call = Call::new(client.user(), kind).within("test").named("a");
    client.server().delete(&call, options(row.arg("options"))).expect("deletion");
    match client.get(kind, "test", "a") {
        Ok(left) => same(&json!(false), row.arg(not_found)).and(|| {
            let mut got = texts(&left["metadata"]["finalizers"]);
            let mut want = texts(row.arg(expected));
            got.sort_unstable();
            want.sort_unstable();
            same(&got, &want)
        }),
        Err(_) => same(&json!(true), row.arg(not_found)),
    }
}

fn deployment() -> Value {
    let pod = json!({"containers": [{"name": "a", "image": "a"}]});
    json!({"metadata": {"name": "a", "namespace": "test", "resourceVersion": "1"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}})
}

/// The finalizers of a deployment after a deletion that asks for nothing, through the given version.
fn left_on_a_deployment(info: &Value) -> Vec<&'static str> {
    let client = client();
    let text = |field: &str| info[field].as_str().unwrap_or_default();
    let kind = resource(text("APIGroup"), text("APIVersion"), "deployments");
    let mut object = deployment();
    object["metadata"] = json!({"name": "a"});
    client.create(&api::DEPLOYMENTS, "test", object).expect("a deployment is made");
    let call = Call::new(client.user(), kind).within("test").named("a");
    client.server().delete(&call, DeleteOptions::default()).expect("deletion");
    let left = client.get(&api::DEPLOYMENTS, "test", "a");
    let orphan = left.is_ok_and(|left| texts(&left["metadata"]["finalizers"]).contains(&"orphan"));
    if orphan { vec!["orphan"] } else { Vec::new() }
}

/// Subsets, addresses and ports in the order of their contents.
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
