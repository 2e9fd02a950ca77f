//! Daemon sets over nodes that come, change and go.

use api::views::pod::{is_ready, node_name};
use api::{CONTROLLER_REVISIONS, DAEMON_SETS, NAMESPACES, NODES, PODS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{DeleteOptions, PatchKind};

use crate::cluster::{Cluster, NS, template};

fn node(name: &str, zone: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"zone": zone}},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}}})
}

fn cluster_of(seed: u64, nodes: &[(&str, &str)]) -> Cluster {
    let cluster = Cluster::new(seed);
    for (name, zone) in nodes {
        cluster.client.create(&NODES, "", node(name, zone)).unwrap();
    }
    cluster
}

fn ds(spec: &Value) -> Value {
    let mut ds = json!({
        "metadata": {"name": "agent"},
        "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent", "agent:1")},
    });
    for (key, value) in spec.as_object().unwrap() {
        ds["spec"]["template"]["spec"][key] = value.clone();
    }
    ds
}

/// Where the pods are, in order of the nodes.
fn places(cluster: &Cluster) -> Vec<String> {
    let mut places: Vec<_> = cluster.pods().iter().map(|pod| node_name(pod).to_owned()).collect();
    places.sort();
    places
}

fn label(cluster: &Cluster, node: &str, patch: Value) {
    cluster.client.patch(&NODES, "", node, PatchKind::Merge, patch).unwrap();
}

#[test]
fn every_meant_node_has_a_pod() {
    let mut cluster = cluster_of(1, &[("a", "x"), ("b", "x"), ("c", "y")]);
    cluster.create(&DAEMON_SETS, ds(&json!({"nodeSelector": {"zone": "x"}})));
    cluster.settle(30);
    assert_eq!(places(&cluster), ["a", "b"]);
    label(&cluster, "c", json!({"metadata": {"labels": {"zone": "x"}}}));
    label(&cluster, "a", json!({"metadata": {"labels": {"zone": "y"}}}));
    cluster.settle(30);
    assert_eq!(places(&cluster), ["b", "c"]);
    let status = cluster.get(&DAEMON_SETS, "agent").at(&["status"]).cloned().unwrap();
    assert_eq!(
        status,
        json!({"observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
            "numberMisscheduled": 0, "numberReady": 2, "numberAvailable": 2,
            "updatedNumberScheduled": 2})
    );
    cluster.assert_quiet();
}

#[test]
fn taints_and_cordons_and_the_projects_selector_count() {
    let mut cluster = cluster_of(2, &[("a", "x"), ("b", "x"), ("c", "y")]);
    label(&cluster, "b", json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}));
    label(&cluster, "a", json!({"spec": {"unschedulable": true}}));
    cluster.create(&DAEMON_SETS, ds(&json!({})));
    cluster.settle(30);
    assert_eq!(places(&cluster), ["a", "c"]);
    label(&cluster, "c", json!({"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}));
    label(&cluster, "a", json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}));
    cluster.settle(30);
    assert_eq!(places(&cluster), ["a"], "the one stays, the other is driven out");
    label(&cluster, "b", json!({"spec": {"taints": null}}));
    label(&cluster, "c", json!({"spec": {"taints": null}}));
    let annotations = json!({"openshift.io/node-selector": "zone=y"});
    let patch = json!({"metadata": {"annotations": annotations}});
    cluster.client.patch(&NAMESPACES, "", NS, PatchKind::Merge, patch).unwrap();
    cluster.settle(30);
    assert_eq!(places(&cluster), ["c"]);
    cluster.assert_quiet();
}

#[test]
fn a_pod_waits_for_room_and_says_so() {
    let mut cluster = cluster_of(3, &[("a", "x")]);
    let big = json!({"requests": {"cpu": "3"}});
    let mut other = json!({"metadata": {"name": "other"}, "spec": template("o", "o:1")["spec"]});
    other["spec"]["nodeName"] = json!("a");
    other["spec"]["containers"][0]["resources"] = big.clone();
    cluster.create(&PODS, other);
    let mut wants = ds(&json!({}));
    wants["spec"]["template"]["spec"]["containers"][0]["resources"] = big;
    cluster.create(&DAEMON_SETS, wants);
    cluster.settle(30);
    assert_eq!(cluster.pods().len(), 1);
    assert_eq!(
        cluster.told("FailedPlacement"),
        ["failed to place pod on \"a\": Node didn't have enough resource: cpu, requested: 3000, \
          used: 3000, capacity: 4000"]
    );
    cluster.client.delete(&PODS, NS, "other", DeleteOptions::default()).unwrap();
    cluster.settle(30);
    assert_eq!(places(&cluster), ["a"]);
    assert!(cluster.pods()[0].name().starts_with("agent-"));
    cluster.assert_quiet();
}

#[test]
fn a_new_template_rolls_within_max_unavailable() {
    let nodes = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")];
    for seed in 0..10 {
        let mut cluster = cluster_of(seed, &nodes);
        let mut rolling = ds(&json!({}));
        rolling["spec"]["updateStrategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}});
        cluster.create(&DAEMON_SETS, rolling);
        cluster.settle(30);
        let patch = json!({"spec": {"template": template("agent", "agent:2")}});
        cluster.patch(&DAEMON_SETS, "agent", patch);
        cluster.run(120, |client| {
            let pods = client.list(&PODS, NS).unwrap();
            assert!(pods.iter().filter(|pod| is_ready(pod)).count() >= 2, "seed {seed}");
        });
        for pod in cluster.pods() {
            assert_eq!(pod["spec"]["containers"][0]["image"], "agent:2");
            assert_eq!(pod.label("pod-template-generation"), "2");
        }
        let revisions = cluster.list(&CONTROLLER_REVISIONS);
        assert_eq!(revisions.len(), 2);
        // Back to the first template: its revision is the third now.
        let patch = json!({"spec": {"template": template("agent", "agent:1")}});
        cluster.patch(&DAEMON_SETS, "agent", patch);
        cluster.settle(120);
        let revisions = cluster.list(&CONTROLLER_REVISIONS);
        let mut numbers: Vec<_> = revisions.iter().map(|r| r.int_at(&["revision"])).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [Some(2), Some(3)], "seed {seed}");
        cluster.assert_quiet();
    }
}

#[test]
fn a_failed_pod_is_replaced_with_a_growing_delay() {
    let mut cluster = cluster_of(4, &[("a", "x")]);
    let mut failing = ds(&json!({}));
    failing["spec"]["template"] = template("agent", "fails");
    cluster.create(&DAEMON_SETS, failing);
    cluster.settle(60);
    let early = cluster.told("FailedDaemonPod").len() + cluster.told("SuccessfulDelete").len();
    assert!(early >= 4, "{early}");
    cluster.settle(600);
    let deleted = cluster.told("SuccessfulDelete").len();
    assert!((5..20).contains(&deleted), "the delay doubles: {deleted}");
}

#[test]
fn pods_follow_nodes_that_come_and_go() {
    for seed in 0..20 {
        let mut cluster = cluster_of(seed, &[("a", "x"), ("b", "x")]);
        cluster.create(&DAEMON_SETS, ds(&json!({"nodeSelector": {"zone": "x"}})));
        for step in 0..6 {
            cluster.settle(cluster.world.random_below(8));
            match cluster.world.random_below(4) {
                0 => drop(cluster.client.create(&NODES, "", node(&format!("n{step}"), "x"))),
                1 => label(&cluster, "a", json!({"metadata": {"labels": {"zone": "y"}}})),
                2 => label(&cluster, "a", json!({"metadata": {"labels": {"zone": "x"}}})),
                _ => {
                    for pod in cluster.pods() {
                        let options = DeleteOptions::default();
                        cluster.client.delete(&PODS, NS, pod.name(), options).unwrap();
                    }
                }
            }
        }
        cluster.settle(120);
        let nodes = cluster.client.list(&NODES, "").unwrap();
        let wanted: Vec<String> = nodes
            .iter()
            .filter(|node| node.label("zone") == "x")
            .map(|node| node.name().to_owned())
            .collect();
        assert_eq!(places(&cluster), wanted, "seed {seed}");
        assert!(cluster.pods().iter().all(|pod| is_ready(pod)), "seed {seed}");
        cluster.assert_quiet();
    }
}
