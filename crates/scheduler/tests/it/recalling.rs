//! Decisions made again from the store are the decisions that were made.

use api::views::pod::node_name;
use api::{PODS, SERVICES};
use apimachinery::ObjectExt as _;
use apimachinery::json;
use scheduler::{Outcome, Profile, recall};

use crate::cluster::{Cluster, NS};

/// A cluster on which nodes, services and pods come and go at random.
fn turmoil(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(seed);
    for number in 0..5 {
        let name = format!("n{number}");
        cluster.add_node(&name, if number % 2 == 0 { "4" } else { "8" });
        let zone = format!("z{}", number % 2);
        let labels = json!({"kubernetes.io/hostname": name, "zone": zone, "region": "r"});
        cluster.patch_node(&name, json!({"metadata": {"labels": labels}}));
    }
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    let service = json!({"metadata": {"name": "web"}, "spec": spec});
    cluster.client.create(&SERVICES, NS, service).expect("a service");
    for number in 0..40 {
        let selector = json!({"matchLabels": {"app": "web"}});
        let term = json!({"labelSelector": selector, "topologyKey": "zone"});
        let preferred = json!([{"weight": 5, "podAffinityTerm": term}]);
        let affinity =
            json!({"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}});
        let more = if number % 4 == 0 { json!({"affinity": affinity}) } else { json!({}) };
        let millis = 50 * (1 + cluster.world.random_below(8));
        cluster.add(&format!("p{number}"), &format!("{millis}m"), &more);
        match cluster.world.random_below(8) {
            0 => cluster.patch_node("n1", json!({"spec": {"unschedulable": true}})),
            1 => cluster.patch_node("n1", json!({"spec": {"unschedulable": null}})),
            2 if number > 8 => cluster.delete_pod(&format!("p{}", number - 8)),
            3..6 => cluster.settle(1),
            _ => {}
        }
    }
    cluster.settle(60);
    cluster
}

#[test]
fn every_decision_can_be_made_again_from_its_revision() {
    let profile = Profile::default();
    let mut recalled = 0;
    for seed in 0..8 {
        let cluster = turmoil(seed);
        for pod in cluster.client.list(&PODS, NS).unwrap() {
            let Some(recall) = recall(&cluster.client, NS, pod.name()).unwrap() else {
                assert_eq!(node_name(&pod), "", "a bound pod has no record");
                continue;
            };
            let chosen = Outcome::Node(node_name(&pod).to_owned());
            assert_eq!(recall.decide(&profile).outcome, chosen, "seed {seed}, {}", pod.name());
            assert_eq!(recall.explain(&profile).outcome, chosen);
            recalled += 1;
        }
    }
    assert!(recalled > 150, "only {recalled}");
}

#[test]
fn an_explanation_is_plain_data() {
    let mut cluster = Cluster::new(1);
    cluster.add_node("a", "1");
    cluster.add_node("b", "4");
    cluster.add_node("c", "4");
    cluster.add_pod("p", "2");
    cluster.settle(1);
    let recall = recall(&cluster.client, NS, "p").unwrap().unwrap();
    let explained = json::to_value(recall.explain(&Profile::default())).unwrap();
    assert_eq!(explained["pod"], "dev/p");
    assert_eq!(explained["outcome"], json!({"result": "node", "value": "c"}));
    assert_eq!(explained["tie_break"], apimachinery::Value::Null, "names are the JSON's");
    assert_eq!(explained["tieBreak"], json!({"nodes": ["c", "b"], "turn": 0, "index": 0}));
    let asked = explained["verdicts"][0]["predicates"].as_array().unwrap();
    let general = asked.iter().find(|it| it["predicate"] == "GeneralPredicates").unwrap();
    assert_eq!(general["reasons"], json!(["Insufficient cpu"]));
    let least = &explained["scores"][0]["priorities"][2];
    assert_eq!(least, &json!({"priority": "LeastRequestedPriority", "score": 7, "weight": 1}));
}
