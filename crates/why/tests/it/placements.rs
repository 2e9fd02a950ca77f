//! What is printed about placed and waiting pods.

use insta::assert_snapshot;
use scheduler::{Profile, policy};
use serde_json::json;

use crate::cluster::Cluster;

fn three_nodes() -> Cluster {
    let cluster = Cluster::new(1, Profile::default());
    cluster.add_node("blue", "2", &json!({"metadata": {"labels": {"disk": "ssd"}}}));
    cluster.add_node("green", "4", &json!({}));
    let taint =
        json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}});
    cluster.add_node("red", "4", &taint);
    cluster
}

#[test]
fn a_placed_pod() {
    let mut cluster = three_nodes();
    cluster.add_pod("web", "500m", &json!({}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("web").text(), @"");
}

#[test]
fn a_tie_and_another_policy() {
    let mut cluster = Cluster::new(1, Profile::default());
    for name in ["a", "b", "c"] {
        cluster.add_node(name, "4", &json!({}));
    }
    for name in ["p", "q"] {
        cluster.add_pod(name, "1", &json!({}));
        cluster.settle(1);
    }
    assert_snapshot!(cluster.why("q").text(), @"");
    let text = r#"{"kind": "Policy", "apiVersion": "v1",
        "predicates": [{"name": "PodFitsResources"}],
        "priorities": [{"name": "MostRequestedPriority", "weight": 2}]}"#;
    let other = policy::parse(text).unwrap();
    assert_snapshot!(cluster.ask("q", Some(&other)).text(), @"");
}

#[test]
fn a_pod_that_fits_nowhere() {
    let mut cluster = three_nodes();
    cluster.patch_node("green", json!({"spec": {"unschedulable": true}}));
    cluster.add_pod("big", "3", &json!({}));
    cluster.add_pod("huge", "16", &json!({}));
    cluster.add_pod("picky", "1", &json!({"nodeSelector": {"disk": "nvme"}}));
    cluster.settle(60);
    assert_snapshot!(cluster.why("big").text(), @"");
    assert_snapshot!(cluster.why("huge").placement.unwrap().help.join("\n"), @"");
    assert_snapshot!(cluster.why("picky").placement.unwrap().help.join("\n"), @"");
}

#[test]
fn nodes_that_answer_alike_share_a_column() {
    let mut cluster = Cluster::new(1, Profile::default());
    for number in 0..20 {
        let cpu = if number % 5 == 0 { "4" } else { "1" };
        cluster.add_node(&format!("n{number:02}"), cpu, &json!({}));
    }
    cluster.add_pod("web", "2", &json!({}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("web").text(), @"");
}

#[test]
fn no_nodes_and_a_missing_claim() {
    let mut cluster = Cluster::new(1, Profile::default());
    cluster.add_pod("web", "2", &json!({}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("web").text(), @"");
    cluster.add_node("a", "4", &json!({}));
    let volume = json!([{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]);
    cluster.add_pod("db", "1", &json!({"volumes": volume}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("db").text(), @"");
}
