//! Preemption: whom to send away, and where.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::{Value, json};
use scheduler::neighbours::Neighbours;
use scheduler::preemption::{Victims, is_eligible, pick, victims};
use scheduler::{PodInfo, Profile, Snapshot};

use crate::harness::{Outcome, Row, Suites, same};
use crate::scheduler::place;

const CORE: &str = "scheduler/sched-core.json";
const UTIL: &str = "scheduler/sched-util.json";

pub(crate) fn register(suites: &mut Suites) {
    suites.add(CORE, "pickOneNodeForPreemption", |row| {
        let nodes = row.arg("nodesToVictims").as_object().into_iter().flatten();
        let nodes: BTreeMap<String, Victims> = nodes
            .map(|(node, given)| {
                let node: Value = serde_json::from_str(node).expect("a node");
                let pods = given["Pods"].as_array().into_iter().flatten();
                let pods = pods.map(|pod| PodInfo::new(Arc::new(pod.clone()))).collect();
                let violations = given["NumPDBViolations"].as_u64().expect("a number");
                let violations = usize::try_from(violations).expect("a small number");
                let name = node["metadata"]["name"].as_str().expect("a name").to_owned();
                (name, Victims { pods, violations })
            })
            .collect();
        same(&json!(pick(&nodes)), &row.result(0)["metadata"]["name"])
    });
    suites.add(CORE, "podEligibleToPreemptOthers", |row| {
        let mut snapshot = Snapshot::default();
        for (name, info) in row.arg("nodeNameToInfo").as_object().into_iter().flatten() {
            snapshot.set_node(&Arc::new(info["node"].clone()));
            place(&mut snapshot, info["pods"].as_array(), name);
        }
        let pod = PodInfo::new(Arc::new(row.arg("pod").clone()));
        same(&json!(is_eligible(&snapshot, &pod)), row.result(0))
    });
    suites.add(CORE, "TestSelectNodesForPreemption.L906", select);
    suites.add(CORE, "TestPickOneNodeForPreemption.L1069", |row| {
        let found = found(row, "500m");
        let got = json!(pick(&found));
        let wanted = row.arg("expected").as_array().expect("names");
        same(&wanted.contains(&got), &true)
    });
    suites.add(CORE, "TestPreempt.L1326", |row| {
        if row.arg("extenders").is_array() {
            return Outcome::Skip;
        }
        let found = found(row, "5");
        let node = pick(&found).unwrap_or_default();
        let names = found.get(node).map(|victims| names(&victims.pods));
        let wanted = row.arg("expectedPods").as_array().into_iter().flatten();
        let wanted: Vec<&str> = wanted.filter_map(Value::as_str).collect();
        same(&(node, names.unwrap_or_default()), &(row.text("expectedNode"), wanted))
    });
    suites.add(UTIL, "TestGetPodPriority.L54", |row| {
        let pod = PodInfo::new(Arc::new(row.arg("pod").clone()));
        same(&json!(pod.priority), row.arg("expectedPriority"))
    });
}

fn names(pods: &[PodInfo]) -> Vec<&str> {
    let mut names: Vec<&str> =
        pods.iter().filter_map(|pod| pod.pod["metadata"]["name"].as_str()).collect();
    names.sort_unstable();
    names
}

/// The victims on every node of a row on which room can be made.
fn found(row: &Row<'_>, cpu: &str) -> BTreeMap<String, Victims> {
    let mut snapshot = Snapshot::default();
    let given = row.arg("nodes").as_array().map(|nodes| nodes.to_vec());
    let nodes =
        given.unwrap_or_else(|| vec![json!("machine1"), json!("machine2"), json!("machine3")]);
    for name in nodes {
        let allocatable = json!({"cpu": cpu, "memory": "1000Mi", "pods": "100"});
        let status = json!({"allocatable": allocatable});
        snapshot.set_node(&Arc::new(json!({"metadata": {"name": name}, "status": status})));
    }
    place(&mut snapshot, row.arg("pods").as_array(), "");
    let mut rules = vec!["PodFitsResources"];
    if row.arg("addAffinityPredicate") == true {
        rules.push("MatchInterPodAffinity");
    }
    let profile = Profile::of(&rules, &[]).expect("known names");
    let pod = PodInfo::new(Arc::new(row.arg("pod").clone()));
    let neighbours = Neighbours::of(&snapshot, &pod, 1);
    let victims = |node: &scheduler::NodeInfo| {
        let victims = victims(&profile, &snapshot, &neighbours, &pod, node)?;
        Some((node.name.to_string(), victims))
    };
    snapshot.nodes().filter_map(victims).collect()
}

/// Rows whose predicate is one of ours, and not made for the test.
fn select(row: &Row<'_>) -> Outcome {
    let rule = row.arg("predicates")["matches"].as_str().unwrap_or_default();
    if !rule.contains("PodFitsResources") {
        return Outcome::Skip;
    }
    let found = found(row, "500m");
    let got: Value = found
        .iter()
        .map(|(node, victims)| {
            let pods: Value =
                names(&victims.pods).iter().map(|name| ((*name).to_owned(), json!(true))).collect();
            (node.clone(), pods)
        })
        .collect();
    same(&got, row.arg("expected"))
}
