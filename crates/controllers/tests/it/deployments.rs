//! Deployments: bounds during a rollout, history, deadline, Recreate.

use api::views::pod::is_ready;
use api::{DEPLOYMENTS, PODS, REPLICA_SETS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::Client;
use world::World;

use crate::cluster::{Cluster, NS, template};

fn deployment(replicas: i64, strategy: &Value) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "web:1"), "strategy": strategy},
    })
}

fn rolling(surge: &Value, unavailable: &Value) -> Value {
    json!({"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
}

fn new_image(cluster: &Cluster, image: &str) {
    cluster.patch(&DEPLOYMENTS, "web", json!({"spec": {"template": template("web", image)}}));
}

fn images(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.pods();
    let image = |pod: &Value| pod["spec"]["containers"][0].str_at(&["image"]).to_owned();
    pods.iter().map(|pod| image(pod)).collect()
}

fn reason(cluster: &Cluster) -> String {
    let deployment = cluster.get(&DEPLOYMENTS, "web");
    let mut conditions = deployment.list_at(&["status", "conditions"]).iter();
    let progressing = conditions.find(|c| c.str_at(&["type"]) == "Progressing");
    progressing.map_or_else(String::new, |c| c.str_at(&["reason"]).to_owned())
}

/// Σ `spec.replicas` of all replica sets, and the number of ready pods that stay.
fn sizes(client: &Client) -> (i64, usize) {
    let sets = client.list(&REPLICA_SETS, NS).expect("a list");
    let wanted = sets.iter().filter_map(|set| set.int_at(&["spec", "replicas"])).sum();
    let pods = client.list(&PODS, NS).expect("a list");
    let ready = pods.iter().filter(|pod| is_ready(pod) && pod.deletion_timestamp().is_none());
    (wanted, ready.count())
}

/// A bound: a number or a percentage, with the number it stands for.
fn bound(world: &World, replicas: i64, round_up: bool) -> (Value, i64) {
    let number = |below: u64| i64::try_from(world.random_below(below)).expect("small");
    if world.random_below(2) == 0 {
        let count = number(4);
        return (json!(count), count);
    }
    let percent = number(101);
    let count = if round_up { (replicas * percent + 99) / 100 } else { replicas * percent / 100 };
    (json!(format!("{percent}%")), count)
}

#[test]
fn a_rolling_update_stays_within_its_bounds() {
    for seed in 0..100 {
        let dice = World::simulated(seed);
        let replicas = 1 + i64::try_from(dice.random_below(8)).unwrap();
        let (surge, max_surge) = bound(&dice, replicas, true);
        let (unavailable, mut max_unavailable) = bound(&dice, replicas, false);
        if surge.to_string().trim_matches(['"', '%']) == "0"
            && unavailable.to_string().trim_matches(['"', '%']) == "0"
        {
            continue;
        }
        if max_surge == 0 && max_unavailable == 0 {
            max_unavailable = 1;
        }
        let min_ready = usize::try_from((replicas - max_unavailable).max(0)).unwrap();
        let case = format!("seed {seed}: {replicas} replicas, {surge} surge, {unavailable} out");
        let mut cluster = Cluster::new(seed);
        cluster.create(&DEPLOYMENTS, deployment(replicas, &rolling(&surge, &unavailable)));
        cluster.settle(120);
        assert_eq!(reason(&cluster), "NewReplicaSetAvailable", "{case}");
        new_image(&cluster, "web:2");
        cluster.run(300, |client| {
            let (wanted, ready) = sizes(client);
            assert!(wanted <= replicas + max_surge, "{case}: {wanted} wanted");
            assert!(ready >= min_ready, "{case}: {ready} ready");
        });
        let images = images(&cluster);
        assert_eq!(images, vec!["web:2"; usize::try_from(replicas).unwrap()], "{case}");
        assert_eq!(reason(&cluster), "NewReplicaSetAvailable", "{case}");
    }
}

#[test]
fn a_finished_rollout_is_told_recorded_and_quiet() {
    let mut cluster = Cluster::new(7);
    cluster.create(&DEPLOYMENTS, deployment(2, &rolling(&json!(1), &json!(0))));
    cluster.settle(120);
    new_image(&cluster, "web:2");
    cluster.settle(120);
    let deployment = cluster.get(&DEPLOYMENTS, "web");
    assert_eq!(deployment.annotation("deployment.kubernetes.io/revision"), Some("2"));
    let sets = cluster.list(&REPLICA_SETS);
    assert_eq!(sets.len(), 2);
    let told = cluster.told("ScalingReplicaSet");
    assert!(told.iter().all(|m| m.starts_with("Scaled ") && m.contains(" replica set web-")));
    // Up to 2; then up 1, down 1, up 1, down 1: equal messages are counted, not repeated.
    assert_eq!(told.len(), 5, "{told:?}");
    let status = deployment.at(&["status"]).cloned().unwrap();
    let counters = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    assert!(counters.iter().all(|field| status[*field] == 2), "{status}");
    assert_eq!(status.get("unavailableReplicas"), None);
    cluster.assert_quiet();
}

#[test]
fn going_back_reuses_the_replica_set_under_a_new_revision() {
    let mut cluster = Cluster::new(8);
    cluster.create(&DEPLOYMENTS, deployment(1, &rolling(&json!(1), &json!(0))));
    for image in ["web:1", "web:2", "web:1"] {
        new_image(&cluster, image);
        cluster.settle(120);
    }
    let sets = cluster.list(&REPLICA_SETS);
    assert_eq!(sets.len(), 2);
    let back = sets.iter().find(|set| set.int_at(&["spec", "replicas"]) == Some(1)).unwrap();
    assert_eq!(back.annotation("deployment.kubernetes.io/revision"), Some("3"));
    assert_eq!(back.annotation("deployment.kubernetes.io/revision-history"), Some("1"));
}

#[test]
fn a_size_set_behind_the_deployments_back_does_not_block_rollouts() {
    let mut cluster = Cluster::new(13);
    cluster.create(&DEPLOYMENTS, deployment(2, &rolling(&json!(1), &json!(0))));
    cluster.settle(120);
    let set = cluster.list(&REPLICA_SETS)[0].name().to_owned();
    cluster.client.update_scale(&REPLICA_SETS, NS, &set, 3).unwrap();
    cluster.client.update_scale(&DEPLOYMENTS, NS, "web", 3).unwrap();
    cluster.settle(120);
    new_image(&cluster, "web:2");
    cluster.settle(120);
    assert_eq!(images(&cluster), ["web:2"; 3]);
}

#[test]
fn one_seed_gives_one_history() {
    let history = |seed: u64| {
        let mut cluster = Cluster::new(seed);
        cluster.create(&DEPLOYMENTS, deployment(5, &rolling(&json!(2), &json!(1))));
        cluster.settle(20);
        new_image(&cluster, "web:2");
        cluster.settle(120);
        let resources = [&DEPLOYMENTS, &REPLICA_SETS, &PODS, &api::EVENTS];
        let objects = resources.into_iter().flat_map(|resource| cluster.list(resource));
        objects.map(|object| object.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}

#[test]
fn history_is_limited() {
    let mut cluster = Cluster::new(9);
    let mut limited = deployment(1, &rolling(&json!(1), &json!(0)));
    limited.set(&["spec", "revisionHistoryLimit"], json!(1));
    cluster.create(&DEPLOYMENTS, limited);
    for image in ["web:2", "web:3", "web:4"] {
        cluster.settle(120);
        new_image(&cluster, image);
    }
    cluster.settle(120);
    assert_eq!(cluster.list(&REPLICA_SETS).len(), 2);
}

#[test]
fn a_broken_image_stops_the_rollout_and_exceeds_the_deadline() {
    let mut cluster = Cluster::new(10);
    let mut deployment = deployment(4, &rolling(&json!(1), &json!(1)));
    deployment.set(&["spec", "progressDeadlineSeconds"], json!(60));
    cluster.create(&DEPLOYMENTS, deployment);
    cluster.settle(59);
    new_image(&cluster, "broken");
    cluster.run(30, |client| assert!(sizes(client).1 >= 3));
    assert_eq!(reason(&cluster), "ReplicaSetUpdated");
    cluster.settle(90);
    assert_eq!(reason(&cluster), "ProgressDeadlineExceeded");
    assert_eq!(sizes(&cluster.client).1, 3, "the old pods stay");
    cluster.assert_quiet();
}

#[test]
fn recreate_never_mixes_versions() {
    let mut cluster = Cluster::new(11);
    cluster.create(&DEPLOYMENTS, deployment(3, &json!({"type": "Recreate"})));
    cluster.settle(120);
    new_image(&cluster, "web:2");
    cluster.run(120, |client| {
        let pods = client.list(&PODS, NS).unwrap();
        let mut images: Vec<&str> =
            pods.iter().map(|pod| pod["spec"]["containers"][0].str_at(&["image"])).collect();
        images.dedup();
        assert!(images.len() <= 1, "{images:?}");
    });
    assert_eq!(images(&cluster), ["web:2"; 3]);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut cluster = Cluster::new(12);
    cluster.create(&DEPLOYMENTS, deployment(2, &rolling(&json!(1), &json!(0))));
    cluster.settle(120);
    cluster.patch(&DEPLOYMENTS, "web", json!({"spec": {"paused": true}}));
    new_image(&cluster, "web:2");
    cluster.client.update_scale(&DEPLOYMENTS, NS, "web", 4).unwrap();
    cluster.settle(120);
    assert_eq!(images(&cluster), ["web:1"; 4]);
    assert_eq!(reason(&cluster), "DeploymentPaused");
    cluster.patch(&DEPLOYMENTS, "web", json!({"spec": {"paused": false}}));
    cluster.settle(120);
    assert_eq!(images(&cluster), ["web:2"; 4]);
    assert_eq!(reason(&cluster), "NewReplicaSetAvailable");
}
