//! Predicates, priorities and preemption. Recorded reasons are compared by number: upstream's tests
//! hold the errors, the event's words are tested with the predicates.

mod preemption;
mod priorities;
mod volumes;

use std::sync::Arc;

use apimachinery::{Value, json};
use controller_runtime::Key;
use scheduler::neighbours::Neighbours;
use scheduler::predicates::{
    self, CheckNodeLabelPresence, CheckServiceAffinity, Predicate, Request,
};
use scheduler::{PodInfo, Snapshot};

use crate::harness::{Outcome, Row, Suites, same};

const PREDICATES: &str = "scheduler/sched-predicates.json.gz";

pub(crate) fn register(suites: &mut Suites) {
    for (function, name) in [
        ("CheckNodeConditionPredicate", "CheckNodeCondition"),
        ("CheckNodeDiskPressurePredicate", "CheckNodeDiskPressure"),
        ("CheckNodeMemoryPressurePredicate", "CheckNodeMemoryPressure"),
        ("GeneralPredicates", "GeneralPredicates"),
        ("NoDiskConflict", "NoDiskConflict"),
        ("PodFitsHost", "HostName"),
        ("PodFitsHostPorts", "PodFitsHostPorts"),
        ("PodFitsResources", "PodFitsResources"),
        ("PodMatchNodeSelector", "MatchNodeSelector"),
        ("PodToleratesNodeTaints", "PodToleratesNodeTaints"),
    ] {
        suites.add(PREDICATES, function, move |row| recorded(row, name));
    }
    suites.add(PREDICATES, "GetResourceRequest", resource_request);
    register_tables(suites);
    volumes::register(suites);
    priorities::register(suites);
    preemption::register(suites);
}

fn register_tables(suites: &mut Suites) {
    for (test, name) in [
        ("TestNodeConditionPredicate.L3499", "CheckNodeCondition"),
        ("TestPodFitsHost.L533", "HostName"),
        ("TestPodFitsHostPorts.L673", "PodFitsHostPorts"),
        ("TestPodSchedulesOnNodeWithDiskPressureCondition.L3422", "CheckNodeDiskPressure"),
        ("TestPodSchedulesOnNodeWithMemoryPressureCondition.L3350", "CheckNodeMemoryPressure"),
        ("TestPodToleratesTaints.L3238", "PodToleratesNodeTaints"),
        ("TestRunGeneralPredicates.L1919", "GeneralPredicates"),
    ] {
        suites.add(PREDICATES, test, move |row| {
            let fits =
                asked(row, &*predicates::named(name).expect("a predicate")).is_some_and(|n| n == 0);
            let want =
                if row.arg("fits").is_null() { row.arg("schedulable") } else { row.arg("fits") };
            same(&json!(fits), want)
        });
    }
    suites.add(PREDICATES, "TestNodeLabelPresence.L1655", |row| {
        let predicate = CheckNodeLabelPresence {
            name: "x".to_owned(),
            labels: texts(row.arg("labels")),
            presence: row.arg("presence") == true,
        };
        let node = json!({"metadata": {"name": "n", "labels": {"foo": "bar", "bar": "foo"}}});
        let mut snapshot = Snapshot::default();
        snapshot.set_node(&Arc::new(node));
        same(&json!(fits(&snapshot, &json!({}), "n", &predicate)), row.arg("fits"))
    });
    suites.add(PREDICATES, "TestPodFitsSelector.L1586", |row| {
        let name = if row.text("nodeName").is_empty() { "n" } else { row.text("nodeName") };
        let node = json!({"metadata": {"name": name, "labels": row.arg("labels")}});
        let mut snapshot = Snapshot::default();
        snapshot.set_node(&Arc::new(node));
        let predicate = predicates::named("MatchNodeSelector").expect("a predicate");
        same(&json!(fits(&snapshot, row.arg("pod"), name, &*predicate)), row.arg("fits"))
    });
    suites.add(PREDICATES, "TestServiceAffinity.L1801", service_affinity);
    suites.add(PREDICATES, "TestInterPodAffinity.L2524", |row| {
        let mut snapshot = Snapshot::default();
        snapshot.set_node(&Arc::new(row.arg("node").clone()));
        place(&mut snapshot, row.arg("pods").as_array(), "");
        let predicate = predicates::named("MatchInterPodAffinity").expect("a predicate");
        let got = reasons(&snapshot, row.arg("pod"), "machine1", &*predicate);
        let want = row.arg("expectFailureReasons").as_array().map_or(0, |list| list.len());
        same(&got, &Some(want))
    });
    suites.add(PREDICATES, "TestInterPodAffinityWithMultipleNodes.L3000", |row| {
        let mut snapshot = Snapshot::default();
        for node in row.arg("nodes").as_array().into_iter().flatten() {
            snapshot.set_node(&Arc::new(node.clone()));
        }
        place(&mut snapshot, row.arg("pods").as_array(), "");
        // The test asks for both together.
        let affinity = predicates::named("MatchInterPodAffinity").expect("a predicate");
        let selector = predicates::named("MatchNodeSelector").expect("a predicate");
        let fits = |node: &str| {
            fits(&snapshot, row.arg("pod"), node, &*affinity)
                && fits(&snapshot, row.arg("pod"), node, &*selector)
        };
        let nodes = row.arg("fits").as_object().into_iter().flatten();
        let got: Value = nodes.map(|(node, _)| (node.clone(), json!(fits(node)))).collect();
        same(&got, row.arg("fits"))
    });
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn resource_request(row: &Row<'_>) -> Outcome {
    let pod = PodInfo::new(Arc::new(row.arg("pod").clone()));
    let got = &pod.request;
    let want = row.result(0);
    let scalars = json!(got.scalar);
    let none = want["ScalarResources"].is_null();
    let wanted = if none { json!({}) } else { want["ScalarResources"].clone() };
    same(
        &json!([got.milli_cpu, got.memory_bytes, got.ephemeral_storage_bytes, scalars]),
        &json!([want["MilliCPU"], want["Memory"], want["EphemeralStorage"], wanted]),
    )
}

/// How many reasons speak against a node; `None` when that cannot be said.
fn reasons(snapshot: &Snapshot, pod: &Value, node: &str, asked: &dyn Predicate) -> Option<usize> {
    let pod = PodInfo::new(Arc::new(pod.clone()));
    let neighbours = Neighbours::of(snapshot, &pod, 1);
    let request = Request { pod: &pod, snapshot, neighbours: &neighbours };
    asked.check(&request, snapshot.node(node).expect("set")).ok().map(|reasons| reasons.len())
}

fn fits(snapshot: &Snapshot, pod: &Value, node: &str, asked: &dyn Predicate) -> bool {
    reasons(snapshot, pod, node, asked) == Some(0)
}

/// Asks about the row's pod and its one node.
fn asked(row: &Row<'_>, predicate: &dyn Predicate) -> Option<usize> {
    let info = row.arg("nodeInfo");
    let given = [row.arg("node"), &info["node"]].into_iter().find(|node| node.is_object());
    let mut node = given.cloned().unwrap_or_else(|| json!({"metadata": {}}));
    let named = node["metadata"]["name"].is_string();
    if !named {
        node["metadata"]["name"] = json!("node");
    }
    let name = node["metadata"]["name"].as_str().expect("a name").to_owned();
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&Arc::new(node));
    place(&mut snapshot, info["pods"].as_array(), &name);
    let mut pod = row.arg("pod").clone();
    if predicate.name() == "HostName" && pod["spec"]["nodeName"].is_string() && !named {
        pod["spec"]["nodeName"] = json!("another");
    }
    reasons(&snapshot, &pod, &name, predicate)
}

fn recorded(row: &Row<'_>, name: &str) -> Outcome {
    let got = asked(row, &*predicates::named(name).expect("a predicate"));
    let wanted = row.result(1).as_array().map_or(0, |list| list.len());
    same(&(got == Some(0), got), &(row.result(0) == true, Some(wanted)))
}

fn place(snapshot: &mut Snapshot, pods: Option<&apimachinery::List>, node: &str) {
    for (index, pod) in pods.into_iter().flatten().enumerate() {
        let pod = PodInfo::new(Arc::new(pod.clone()));
        let node = if node.is_empty() { pod.node_name().to_owned() } else { node.to_owned() };
        let namespace = pod.pod["metadata"]["namespace"].as_str().unwrap_or_default();
        snapshot.place(&Key::new(namespace, &format!("{node}-{index}")), &pod, &node);
    }
}

/// Adds the owners of a row, named by their place in it.
fn own(snapshot: &mut Snapshot, row: &Row<'_>) {
    let kinds = [
        ("services", &api::SERVICES),
        ("rcs", &api::REPLICATION_CONTROLLERS),
        ("rss", &api::REPLICA_SETS),
        ("sss", &api::STATEFUL_SETS),
    ];
    for (field, resource) in kinds {
        for (index, owner) in row.arg(field).as_array().into_iter().flatten().enumerate() {
            let mut owner = owner.clone();
            owner["metadata"]["name"] = json!(format!("{field}{index}"));
            let owner = Arc::new(owner);
            snapshot.set(resource, &Key::of(&owner), Some(&owner));
        }
    }
}

/// The nodes that upstream's test of service affinity has.
fn service_affinity(row: &Row<'_>) -> Outcome {
    let mut snapshot = Snapshot::default();
    let nodes = [
        ("1", "r1", "z11"),
        ("2", "r1", "z12"),
        ("3", "r2", "z21"),
        ("4", "r2", "z22"),
        ("5", "r2", "z22"),
    ];
    for (number, region, zone) in nodes {
        let metadata =
            json!({"name": format!("machine{number}"), "labels": {"region": region, "zone": zone}});
        snapshot.set_node(&Arc::new(json!({"metadata": metadata})));
    }
    place(&mut snapshot, row.arg("pods").as_array(), "");
    own(&mut snapshot, row);
    let name = "x".to_owned();
    let predicate = CheckServiceAffinity { name, labels: texts(row.arg("labels")) };
    let node = row.arg("node")["metadata"]["name"].as_str().expect("a name");
    same(&json!(fits(&snapshot, row.arg("pod"), node, &predicate)), row.arg("fits"))
}
