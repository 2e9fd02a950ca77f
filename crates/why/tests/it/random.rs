//! On clusters put together at random, every explanation is the decision that was made.

use api::views::pod::{condition, node_name};
use api::{PODS, PRIORITY_CLASSES, SERVICES};
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};
use scheduler::{Outcome, Profile, policy};
use world::World;

use crate::cluster::{Cluster, NS};

const BUSY: &str = r#"{"kind": "Policy", "apiVersion": "v1", "predicates": [
    {"name": "GeneralPredicates"}, {"name": "PodToleratesNodeTaints"},
    {"name": "MatchInterPodAffinity"}, {"name": "Rack", "argument": {"labelsPresence":
        {"labels": ["zone"], "presence": true}}}],
  "priorities": [{"name": "MostRequestedPriority", "weight": 3},
    {"name": "SelectorSpreadPriority", "weight": 1},
    {"name": "Even", "weight": 2, "argument": {"serviceAntiAffinity": {"label": "zone"}}}]}"#;

fn profile(seed: u64) -> Profile {
    match seed % 3 {
        0 => Profile::default(),
        1 => policy::kubernetes(),
        _ => policy::parse(BUSY).unwrap(),
    }
}

fn one_in(world: &World, odds: u64) -> bool {
    world.random_below(odds) == 0
}

/// What a random pod asks for besides CPU.
fn wishes(world: &World) -> Value {
    let mut more = Map::new();
    if one_in(world, 5) {
        more.insert(
            "nodeSelector".to_owned(),
            json!({"zone": format!("z{}", world.random_below(3))}),
        );
    }
    if one_in(world, 3) {
        more.insert("tolerations".to_owned(), json!([{"key": "spot", "operator": "Exists"}]));
    }
    if one_in(world, 5) {
        more.insert("priorityClassName".to_owned(), json!("high"));
    }
    let term = json!({"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "zone"});
    match world.random_below(8) {
        0 => {
            let list = json!({"preferredDuringSchedulingIgnoredDuringExecution":
                [{"weight": 7, "podAffinityTerm": term}]});
            more.insert("affinity".to_owned(), json!({"podAffinity": list}));
        }
        1 => {
            let term = json!({"labelSelector": {"matchLabels": {"app": "web"}},
                "topologyKey": "kubernetes.io/hostname"});
            let list = json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
            more.insert("affinity".to_owned(), json!({"podAntiAffinity": list}));
        }
        _ => {}
    }
    Value::Object(more)
}

/// A cluster on which nodes and pods come, change and go.
fn turmoil(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(seed, profile(seed));
    let world = cluster.world.clone();
    let high = json!({"metadata": {"name": "high"}, "value": 1000});
    cluster.client.create(&PRIORITY_CLASSES, "", high).unwrap();
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    cluster
        .client
        .create(&SERVICES, NS, json!({"metadata": {"name": "web"}, "spec": spec}))
        .unwrap();
    for number in 0..3 + world.random_below(5) {
        let mut node =
            json!({"metadata": {"labels": {"zone": format!("z{}", number % 2), "region": "r"}}});
        if one_in(&world, 4) {
            node["spec"] = json!({"taints": [{"key": "spot", "effect": "NoSchedule"}]});
        }
        let cpu = ["1", "2", "4"][usize::try_from(number % 3).unwrap()];
        cluster.add_node(&format!("n{number}"), cpu, &node);
    }
    for number in 0..40_u64 {
        let millis = 50 * (1 + world.random_below(10));
        cluster.add_pod(&format!("p{number}"), &format!("{millis}m"), &wishes(&world));
        match world.random_below(9) {
            0 => cluster.patch_node("n1", json!({"spec": {"unschedulable": true}})),
            1 => cluster.patch_node("n1", json!({"spec": {"unschedulable": null}})),
            2 => {
                let gone = format!("p{}", world.random_below(number + 1));
                if cluster.client.find(&PODS, NS, &gone).unwrap().is_some() {
                    cluster.delete_pod(&gone);
                }
            }
            3..6 => cluster.settle(1),
            _ => {}
        }
    }
    cluster.settle(300);
    cluster
}

#[test]
fn an_explanation_is_the_recorded_decision() {
    let (mut placed, mut waiting) = (0, 0);
    for seed in 0..24 {
        let cluster = turmoil(seed);
        for pod in cluster.client.list(&PODS, NS).unwrap() {
            let why = cluster.why(pod.name());
            let about = format!("seed {seed}, {}:\n{}", pod.name(), why.text());
            let placement = why.placement.unwrap();
            if node_name(&pod).is_empty() {
                let told = condition(&pod, "PodScheduled").unwrap().str_at(&["message"]).to_owned();
                assert_eq!(placement.decision.outcome, Outcome::Unschedulable(told), "{about}");
                assert!(!why.finding.is_settled(), "{about}");
                waiting += 1;
            } else {
                assert_eq!(placement.agrees, Some(true), "{about}");
                assert_eq!(placement.node(), Some(node_name(&pod)), "{about}");
                placed += 1;
            }
        }
    }
    assert!(placed > 300 && waiting > 50, "{placed} placed, {waiting} waiting");
}

#[test]
fn what_is_said_to_help_helps() {
    let mut helped = 0;
    for seed in 0..12 {
        let mut cluster = turmoil(seed);
        let pods = cluster.client.list(&PODS, NS).unwrap();
        let cordoned = pods.iter().find(|pod| {
            let help = cluster.why(pod.name()).placement.map(|it| it.help).unwrap_or_default();
            help == ["Open the node: kubectl uncordon n1"]
        });
        let Some(pod) = cordoned.map(|pod| pod.name().to_owned()) else { continue };
        cluster.patch_node("n1", json!({"spec": {"unschedulable": null}}));
        cluster.settle(120);
        let mended = cluster.client.get(&PODS, NS, &pod).unwrap();
        assert!(!node_name(&mended).is_empty(), "seed {seed}: {}", cluster.why(&pod).text());
        helped += 1;
    }
    assert!(helped > 0);
}
