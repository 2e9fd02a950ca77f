//! The rows of `kubectl get`.

use api::columns::{cells, columns};
use apimachinery::{Value, json};
use world::Time;

use crate::harness::{Outcome, Row, Suites, resource, same};

const FILE: &str = "kubectl/printers.json.gz";

pub(crate) fn register(suites: &mut Suites) {
    for (function, (group, version, plural)) in [
        ("printControllerRevision", ("apps", "v1", "controllerrevisions")),
        ("printCronJob", ("batch", "v1beta1", "cronjobs")),
        ("printDaemonSet", ("extensions", "v1beta1", "daemonsets")),
        ("printDeployment", ("extensions", "v1beta1", "deployments")),
        ("printEndpoints", ("", "v1", "endpoints")),
        ("printEvent", ("", "v1", "events")),
        ("printHorizontalPodAutoscaler", ("autoscaling", "v1", "horizontalpodautoscalers")),
        ("printIngress", ("extensions", "v1beta1", "ingresses")),
        ("printJob", ("batch", "v1", "jobs")),
        ("printNode", ("", "v1", "nodes")),
        ("printPersistentVolumeClaim", ("", "v1", "persistentvolumeclaims")),
        ("printPod", ("", "v1", "pods")),
        ("printPodDisruptionBudget", ("policy", "v1beta1", "poddisruptionbudgets")),
        ("printReplicaSet", ("extensions", "v1beta1", "replicasets")),
        ("printService", ("", "v1", "services")),
        ("printServiceAccount", ("", "v1", "serviceaccounts")),
        ("printStorageClass", ("storage.k8s.io", "v1", "storageclasses")),
    ] {
        suites.add(FILE, function, move |row| print(row, resource(group, version, plural)));
    }
    suites.add(FILE, "printPodList", |row| {
        let pods = row.arg("podList")["items"].as_array().into_iter().flatten();
        let rows = row.result(0).as_array().into_iter().flatten();
        pods.zip(rows).fold(Outcome::Pass, |outcome, (pod, want)| {
            outcome.and(|| check(&api::PODS, pod, want, row.arg("options")["Wide"] == true))
        })
    });
    for test in ["TestPrintPod.L1632", "TestPrintPodwide.L1692", "TestPrintNonTerminatedPod.L1839"]
    {
        suites.add(FILE, test, move |row| {
            check(&api::PODS, row.arg("pod"), &row.arg("expect")[0], test.contains("wide"))
        });
    }
    suites.add(FILE, "TestPrintNodeStatus.L736", |row| {
        same(&cells(&api::NODES, row.arg("node"), now(row.arg("node")))[1], row.arg("status"))
    });
}

/// When upstream's test printed the object: right after making it, where it gave it the present as its
/// time of creation, else at the time of the recording.
fn now(object: &Value) -> Time {
    let created = object["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
    let made_now = created.starts_with("2026-11-20T11:55:");
    Time::parse_rfc3339(if made_now { created } else { "2026-11-20T11:55:32Z" }).expect("a time")
}

fn print(row: &Row<'_>, resource: &api::Resource) -> Outcome {
    let object =
        ["obj", "pod"].map(|arg| row.arg(arg)).into_iter().find(|object| object.is_object());
    check(
        resource,
        object.expect("an object"),
        &row.result(0)[0],
        row.arg("options")["Wide"] == true,
    )
}

fn check(resource: &api::Resource, object: &Value, want: &Value, wide: bool) -> Outcome {
    let shown = cells(resource, object, now(object)).into_iter().zip(columns(resource));
    // Some of upstream's tests run without the feature that shows the nominated node; 3.11 has it.
    let all = columns(resource).iter().filter(|column| wide || column.priority == 0).count();
    let without_nominated = want["cells"].as_array().is_some_and(|cells| cells.len() < all);
    let is_shown = |column: &api::columns::Column| {
        column.priority == 0 || wide && !(without_nominated && column.name == "Nominated Node")
    };
    let got: Vec<Value> =
        shown.filter(|(_, column)| is_shown(column)).map(|(cell, _)| cell).collect();
    same(&json!(got), &want["cells"])
}
