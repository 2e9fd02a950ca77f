//! Predicates and priorities. Reasons are compared by number: upstream's tests hold the errors, the
//! event's words are tested with the predicates.

use std::sync::Arc;

use apimachinery::selector::LabelSelector;
use controller_runtime::Key;
use scheduler::predicates::{self, Request};
use scheduler::{PodInfo, Selectors, Snapshot, priorities};
use serde_json::{Value, json};

use crate::harness::{Outcome, Row, Suites, same};

const PREDICATES: &str = "scheduler/sched-predicates.json.gz";
const PRIORITIES: &str = "scheduler/sched-priorities.json.gz";

pub(crate) fn register(suites: &mut Suites) {
    for (function, name) in [
        ("CheckNodeConditionPredicate", "CheckNodeCondition"),
        ("GeneralPredicates", "GeneralPredicates"),
        ("PodFitsHost", "HostName"),
        ("PodFitsHostPorts", "PodFitsHostPorts"),
        ("PodFitsResources", "PodFitsResources"),
        ("PodMatchNodeSelector", "MatchNodeSelector"),
        ("PodToleratesNodeTaints", "PodToleratesNodeTaints"),
    ] {
        suites.add(PREDICATES, function, move |row| predicate(row, name));
    }
    suites.add(PREDICATES, "GetResourceRequest", |row| {
        let got = PodInfo::new(Arc::new(row.arg("pod").clone())).request;
        let want = row.result(0);
        let scalars = json!(got.scalar);
        let wanted = if want["ScalarResources"].is_null() {
            json!({})
        } else {
            want["ScalarResources"].clone()
        };
        same(
            &json!([got.milli_cpu, got.memory_bytes, got.ephemeral_storage_bytes, scalars]),
            &json!([want["MilliCPU"], want["Memory"], want["EphemeralStorage"], wanted]),
        )
    });
    for (test, name) in [
        ("TestBalancedResourceAllocation.L402", "BalancedResourceAllocation"),
        ("TestLeastRequested.L254", "LeastRequestedPriority"),
        ("TestMostRequested.L211", "MostRequestedPriority"),
        ("TestSelectorSpreadPriority.L341", "SelectorSpreadPriority"),
        ("TestZoneSelectorSpreadPriority.L577", "SelectorSpreadPriority"),
    ] {
        suites.add(PRIORITIES, test, move |row| priority(row, name));
    }
}

fn predicate(row: &Row<'_>, name: &str) -> Outcome {
    let info = row.arg("nodeInfo");
    let mut node =
        if info["node"].is_object() { info["node"].clone() } else { json!({"metadata": {}}) };
    if node["metadata"]["name"].is_null() {
        node["metadata"]["name"] = json!("node");
    }
    let name_of_node = node["metadata"]["name"].as_str().expect("a name").to_owned();
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&Arc::new(node));
    place(&mut snapshot, info["pods"].as_array(), &name_of_node);
    let mut pod = row.arg("pod").clone();
    if name == "HostName"
        && pod["spec"]["nodeName"].is_string()
        && info["node"]["metadata"]["name"].is_null()
    {
        pod["spec"]["nodeName"] = json!("another");
    }
    let pod = PodInfo::new(Arc::new(pod));
    let request = Request { pod: &pod, snapshot: &snapshot };
    let got = predicates::named(name)
        .expect("a predicate")
        .check(&request, snapshot.node(&name_of_node).expect("set"));
    let reasons = row.result(1).as_array().map_or(0, Vec::len);
    same(&(got.is_empty(), got.len()), &(row.result(0) == true, reasons))
}

fn place(snapshot: &mut Snapshot, pods: Option<&Vec<Value>>, node: &str) {
    for (index, pod) in pods.into_iter().flatten().enumerate() {
        let pod = PodInfo::new(Arc::new(pod.clone()));
        let node = if node.is_empty() { pod.node_name().to_owned() } else { node.to_owned() };
        snapshot.place(&Key::new("", &format!("{node}-{index}")), &Arc::new(pod), &node);
    }
}

/// The nodes of a row: objects, names, or labels by name.
fn nodes(given: &Value) -> Vec<Value> {
    let named = |name: &Value| json!({"metadata": {"name": name}});
    match given {
        Value::Array(list) => list
            .iter()
            .map(|node| if node.is_string() { named(node) } else { node.clone() })
            .collect(),
        Value::Object(map) => {
            let labelled = |(name, labels): (&String, &Value)| json!({"metadata": {"name": name, "labels": labels}});
            map.iter().map(labelled).collect()
        }
        _ => Vec::new(),
    }
}

fn selectors(row: &Row<'_>) -> Selectors {
    let labels = row.arg("pod")["metadata"]["labels"].as_object();
    let mut all = Vec::new();
    for owner in ["services", "rcs"].iter().filter_map(|name| row.arg(name).as_array()).flatten() {
        let selector =
            owner["spec"]["selector"].as_object().filter(|selector| !selector.is_empty());
        all.extend(selector.map(LabelSelector::from_map));
    }
    for owner in ["rss", "sss"].iter().filter_map(|name| row.arg(name).as_array()).flatten() {
        all.extend(
            LabelSelector::from_json(&owner["spec"]["selector"])
                .ok()
                .filter(|selector| !selector.is_empty()),
        );
    }
    Selectors(all.into_iter().filter(|selector| selector.matches(labels)).collect())
}

fn priority(row: &Row<'_>, name: &str) -> Outcome {
    let mut snapshot = Snapshot::default();
    let mut given = nodes(row.arg("nodes"));
    if given.is_empty() {
        // The nodes of the zone tests: `machine1.zone2` is in zone 2.
        let hosts = row
            .arg("expectedList")
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| entry["Host"].as_str());
        given = hosts.flatten().map(zoned).collect();
    }
    for node in given {
        snapshot.set_node(&Arc::new(node));
    }
    place(&mut snapshot, row.arg("pods").as_array(), "");
    let pod = PodInfo::new(Arc::new(row.arg("pod").clone()));
    let selectors = selectors(row);
    let nodes: Vec<_> = snapshot.nodes().collect();
    let request = priorities::Request { pod: &pod, selectors: &selectors, snapshot: &snapshot };
    let scores = priorities::named(name).expect("a priority").score(&request, &nodes);
    let mut got: Vec<Value> =
        nodes.iter().zip(scores).map(|(node, score)| json!([node.name, score])).collect();
    let entries = row.arg("expectedList").as_array().into_iter().flatten();
    let mut want: Vec<Value> =
        entries.map(|entry| json!([entry["Host"], entry["Score"]])).collect();
    got.sort_by_key(Value::to_string);
    want.sort_by_key(Value::to_string);
    same(&got, &want)
}

fn zoned(name: &str) -> Value {
    let zone = name.rsplit_once('.').map_or("", |(_, zone)| zone);
    json!({"metadata": {"name": name, "labels": {"failure-domain.beta.kubernetes.io/zone": zone}}})
}
