//! Priorities: the tables, and the raw numbers that upstream's tests record.

use std::sync::Arc;

use apimachinery::{Value, json};
use scheduler::affinity::{PodAffinity, value_of};
use scheduler::neighbours::Neighbours;
use scheduler::priorities::{
    self, NodeLabel, Priority, Request, RequestedToCapacityRatio, ServiceAntiAffinity, Shape,
};
use scheduler::{PodInfo, Snapshot};

use crate::harness::{Outcome, Row, Suites, same};
use crate::scheduler::{own, place};

const PRIORITIES: &str = "scheduler/sched-priorities.json.gz";
const UTIL: &str = "scheduler/sched-priorities-util.json";

pub(crate) fn register(suites: &mut Suites) {
    for (test, name) in [
        ("TestBalancedResourceAllocation.L402", "BalancedResourceAllocation"),
        ("TestImageLocalityPriority.L165", "ImageLocalityPriority"),
        ("TestInterPodAffinityPriority.L511", "InterPodAffinityPriority"),
        ("TestLeastRequested.L254", "LeastRequestedPriority"),
        ("TestMostRequested.L211", "MostRequestedPriority"),
        ("TestNodeAffinityPriority.L168", "NodeAffinityPriority"),
        ("TestNodePreferAvoidPriority.L143", "NodePreferAvoidPodsPriority"),
        ("TestResourceLimistPriority.L140", "ResourceLimitsPriority"),
        ("TestSelectorSpreadPriority.L341", "SelectorSpreadPriority"),
        ("TestTaintAndToleration.L228", "TaintTolerationPriority"),
        ("TestZoneSelectorSpreadPriority.L577", "SelectorSpreadPriority"),
    ] {
        suites.add(PRIORITIES, test, move |row| table(row, &*named(name)));
    }
    suites.add(PRIORITIES, "TestZoneSpreadPriority.L769", |row| {
        table(row, &ServiceAntiAffinity { name: "x".to_owned(), label: "zone".to_owned() })
    });
    suites
        .add(PRIORITIES, "TestNewNodeLabelPriority.L109", |row| table(row, &node_label(row.input)));
    suites.add(PRIORITIES, "TestRequestedToCapacityRatio.L210", capacity_ratio);
    suites.add(PRIORITIES, "TestBrokenLinearFunction.L117", |row| {
        let points = row.arg("points").as_array().into_iter().flatten();
        let number = |value: &Value| value.as_i64().expect("a number");
        let points = points.map(|p| (number(&p["Utilization"]), number(&p["Score"]))).collect();
        let shape = Shape::new(points).expect("a shape");
        let asked = row.arg("assertions").as_array().into_iter().flatten();
        let (got, want): (Vec<i64>, Vec<i64>) =
            asked.map(|a| (shape.at(number(&a["p"])), number(&a["expected"]))).unzip();
        same(&got, &want)
    });
    suites.add(PRIORITIES, "TestNormalizedImageName.L184", |row| {
        let got = priorities::normalised_image_name(row.text("Input"));
        same(&&*got, &row.text("Output"))
    });
    suites.add(PRIORITIES, "CalculateInterPodAffinityPriority", inter_pod_affinity);
    register_maps(suites);
    register_readings(suites);
}

fn named(name: &str) -> Arc<dyn Priority> {
    priorities::named(name).expect("a priority")
}

fn node_label(arguments: &Value) -> NodeLabel {
    let label = arguments["label"].as_str().unwrap_or_default().to_owned();
    NodeLabel { name: "x".to_owned(), label, presence: arguments["presence"] == true }
}

/// Calls whose results are raw numbers of one node.
fn register_maps(suites: &mut Suites) {
    for (function, name) in [
        ("CalculateNodeAffinityPriorityMap", "NodeAffinityPriority"),
        ("CalculateNodePreferAvoidPodsPriorityMap", "NodePreferAvoidPodsPriority"),
        ("ComputeTaintTolerationPriorityMap", "TaintTolerationPriority"),
        ("ImageLocalityPriorityMap", "ImageLocalityPriority"),
        ("ResourceLimitsPriorityMap", "ResourceLimitsPriority"),
    ] {
        suites.add(PRIORITIES, function, move |row| raw(row, &*named(name)));
    }
    suites.add(PRIORITIES, "CalculateNodeLabelPriorityMap", |row| {
        raw(row, &node_label(row.arg("recv")))
    });
    suites.add(PRIORITIES, "PriorityMap", |row| {
        let name = match row.arg("recv")["Name"].as_str().unwrap_or_default() {
            "LeastResourceAllocation" => "LeastRequestedPriority",
            "MostResourceAllocation" => "MostRequestedPriority",
            "RequestedToCapacityRatioResourceAllocationPriority" => {
                "RequestedToCapacityRatioPriority"
            }
            other => other,
        };
        raw(row, &*named(name))
    });
}

/// Small readings that priorities share.
fn register_readings(suites: &mut Suites) {
    suites.add(UTIL, "TestGetNonzeroRequests.L68", |row| {
        let pod =
            json!({"spec": {"containers": [{"resources": {"requests": row.arg("requests")}}]}});
        let (cpu, memory) = PodInfo::new(Arc::new(pod)).non_zero;
        same(&json!([cpu, memory]), &json!([row.arg("expectedCPU"), row.arg("expectedMemory")]))
    });
    suites.add(UTIL, "TestGetNamespacesFromPodAffinityTerm.L61", |row| {
        let terms =
            json!({"requiredDuringSchedulingIgnoredDuringExecution": [row.arg("podAffinityTerm")]});
        let metadata = json!({"name": "topologies_pod", "namespace": "default"});
        let pod = json!({"metadata": metadata, "spec": {"affinity": {"podAffinity": terms}}});
        let got = &PodAffinity::of(&pod).required[0].namespaces;
        let want: Vec<String> = row
            .arg("expectedValue")
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.to_string())
            .collect();
        same(&got.iter().cloned().collect(), &want)
    });
    suites.add(UTIL, "TestNodesHaveSameTopologyKey.L250", |row| {
        let value = |node: &str| {
            value_of(row.arg(node)["metadata"]["labels"].as_object(), row.text("topologyKey"))
        };
        let same_place = value("nodeA").is_some() && value("nodeA") == value("nodeB");
        same(&json!(same_place), row.arg("expected"))
    });
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
            let labelled = |(name, labels): (&apimachinery::Text, &Value)| json!({"metadata": {"name": name, "labels": labels}});
            map.iter().map(labelled).collect()
        }
        _ => Vec::new(),
    }
}

fn sorted(pairs: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut pairs: Vec<Value> = pairs.collect();
    pairs.sort_by_key(Value::to_string);
    pairs
}

fn wanted(list: &Value) -> Vec<Value> {
    let entries = list.as_array().into_iter().flatten();
    sorted(entries.map(|entry| json!([entry["Host"], entry["Score"]])))
}

/// The scores of all nodes for a pod.
fn scores(snapshot: &Snapshot, pod: &Value, priority: &dyn Priority, weight: i64) -> Vec<Value> {
    let pod = PodInfo::new(Arc::new(pod.clone()));
    let neighbours = Neighbours::of(snapshot, &pod, weight);
    let request = Request { pod: &pod, snapshot, neighbours: &neighbours };
    let nodes: Vec<_> = snapshot.nodes().collect();
    let scores = priorities::scores(priority, &request, &nodes);
    sorted(nodes.iter().zip(scores).map(|(node, score)| json!([*node.name, score])))
}

fn table(row: &Row<'_>, priority: &dyn Priority) -> Outcome {
    let mut snapshot = Snapshot::default();
    let mut given = nodes(row.arg("nodes"));
    if given.is_empty() {
        // The nodes of the zone tests: `machine1.zone2` is in zone 2.
        let hosts = row.arg("expectedList").as_array().into_iter().flatten();
        given = hosts.filter_map(|entry| entry["Host"].as_str()).map(zoned).collect();
    }
    for node in given {
        snapshot.set_node(&Arc::new(node));
    }
    place(&mut snapshot, row.arg("pods").as_array(), "");
    own(&mut snapshot, row);
    same(&scores(&snapshot, row.arg("pod"), priority, 1), &wanted(row.arg("expectedList")))
}

fn zoned(name: &str) -> Value {
    let zone = name.rsplit_once('.').map_or("", |(_, zone)| zone);
    json!({"metadata": {"name": name, "labels": {"failure-domain.beta.kubernetes.io/zone": zone}}})
}

fn inter_pod_affinity(row: &Row<'_>) -> Outcome {
    let mut snapshot = Snapshot::default();
    for node in nodes(row.arg("nodes")) {
        snapshot.set_node(&Arc::new(node));
    }
    place(&mut snapshot, row.arg("recv")["podLister"].as_array(), "");
    let weight = row.arg("recv")["hardPodAffinityWeight"].as_i64().expect("a weight");
    let priority = named("InterPodAffinityPriority");
    same(&scores(&snapshot, row.arg("pod"), &*priority, weight), &wanted(row.result(0)))
}

fn raw(row: &Row<'_>, priority: &dyn Priority) -> Outcome {
    let info = row.arg("nodeInfo");
    if info["TransientInfo"]["TransNodeInfo"]["AllocatableVolumesCount"] != 0 {
        // Volumes counted in the balance are behind a gate that is off.
        return Outcome::Skip;
    }
    let name = info["node"]["metadata"]["name"].as_str().expect("a name");
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&Arc::new(info["node"].clone()));
    place(&mut snapshot, info["pods"].as_array(), name);
    let pod = PodInfo::new(Arc::new(row.arg("pod").clone()));
    let got = priority.raw(&pod, snapshot.node(name).expect("set"));
    same(&json!(got), &row.result(0)["Score"])
}

fn capacity_ratio(row: &Row<'_>) -> Outcome {
    let pod = |amounts: &Value| {
        let quantity = |field: &str, unit: &str| format!("{}{unit}", amounts[field]);
        let requests = json!({"cpu": quantity("cpu", "m"), "memory": quantity("mem", "")});
        json!({"metadata": {}, "spec": {"containers": [{"resources": {"requests": requests}}]}})
    };
    let mut snapshot = Snapshot::default();
    for (name, node) in row.arg("nodes").as_object().into_iter().flatten() {
        let capacity = &pod(&node["capacity"])["spec"]["containers"][0]["resources"]["requests"];
        let status = json!({"allocatable": capacity});
        snapshot.set_node(&Arc::new(json!({"metadata": {"name": name}, "status": status})));
        place(&mut snapshot, Some(&vec![pod(&node["used"])].into()), name);
    }
    let priority = RequestedToCapacityRatio::default();
    let got = scores(&snapshot, &pod(row.arg("requested")), &priority, 1);
    same(&got, &wanted(row.arg("expectedPriorities")))
}
