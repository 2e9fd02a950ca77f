//! Pods get nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use api::views::pod::{node_name, requests};
use api::{PODS, SERVICES};
use apimachinery::ObjectExt as _;
use apimachinery::json;

use crate::cluster::{Cluster, NS};

#[test]
fn a_pod_is_bound_and_told_of() {
    let mut cluster = Cluster::new(1);
    cluster.add_node("n1", "4");
    cluster.add_pod("a", "1");
    cluster.settle(1);
    assert_eq!(cluster.node_of("a"), "n1");
    let pod = cluster.pod("a");
    let mut conditions = pod.list_at(&["status", "conditions"]).iter();
    assert!(conditions.any(|c| c["type"] == "PodScheduled" && c["status"] == "True"), "{pod}");
    let message = "Successfully assigned dev/a to n1".to_owned();
    assert_eq!(cluster.told("a", "Scheduled"), [("Normal".to_owned(), message, 1)]);
}

#[test]
fn pods_of_a_service_spread_over_the_nodes() {
    let mut cluster = Cluster::new(2);
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    let service = json!({"metadata": {"name": "web"}, "spec": spec});
    cluster.client.create(&SERVICES, NS, service).unwrap();
    for node in ["n1", "n2", "n3"] {
        cluster.add_node(node, "4");
    }
    for index in 0..9 {
        cluster.add_pod(&format!("p{index}"), "100m");
    }
    cluster.settle(1);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..9 {
        *counts.entry(cluster.node_of(&format!("p{index}"))).or_default() += 1;
    }
    let even = ["n1", "n2", "n3"].map(|node| (node.to_owned(), 3));
    assert_eq!(counts, BTreeMap::from(even));
}

#[test]
fn no_node_is_ever_given_more_than_it_has() {
    for seed in 0..30 {
        let mut cluster = Cluster::new(seed);
        for node in ["n1", "n2", "n3"] {
            cluster.add_node(node, "2");
        }
        for index in 0..30 {
            let millis = 100 + cluster.world.random_below(900);
            cluster.add_pod(&format!("p{index}"), &format!("{millis}m"));
        }
        for round in 0..5 {
            let mut placed = 0;
            cluster.run(Duration::from_secs(5), |client| {
                let mut used: BTreeMap<String, i64> = BTreeMap::new();
                let pods = client.list(&PODS, NS).unwrap();
                let bound = pods.iter().filter(|pod| !node_name(pod).is_empty());
                placed = 0;
                for pod in bound {
                    placed += 1;
                    *used.entry(node_name(pod).to_owned()).or_default() += requests(pod).milli_cpu;
                }
                assert!(used.values().all(|used| *used <= 2000), "seed {seed}: {used:?}");
            });
            assert!(placed >= 6, "seed {seed}: only {placed} placed");
            for index in round * 3..round * 3 + 3 {
                cluster.delete_pod(&format!("p{index}"));
            }
        }
    }
}

#[test]
fn pods_of_other_schedulers_and_bound_pods_are_left_alone() {
    let mut cluster = Cluster::new(3);
    cluster.add_node("n1", "4");
    cluster.add("other", "1", &json!({"schedulerName": "mine"}));
    cluster.add("bound", "3500m", &json!({"nodeName": "n1"}));
    cluster.settle(1);
    cluster.add_pod("late", "1");
    cluster.settle(1);
    assert_eq!(cluster.node_of("other"), "");
    assert_eq!(cluster.node_of("late"), "", "a bound pod takes its room");
}

#[test]
fn one_seed_gives_one_placement() {
    let placement = |seed: u64| {
        let mut cluster = Cluster::new(seed);
        for node in ["n1", "n2", "n3"] {
            cluster.add_node(node, "4");
        }
        for index in 0..12 {
            cluster.add_pod(&format!("p{index}"), "300m");
        }
        cluster.settle(1);
        (0..12).map(|index| cluster.node_of(&format!("p{index}"))).collect::<Vec<_>>()
    };
    assert_eq!(placement(7), placement(7));
}
