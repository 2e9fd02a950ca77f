//! Stateful sets over a whole life: order, rollouts, undoing them, claims.

use std::collections::BTreeSet;

use api::views::pod::is_ready;
use api::{CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;

use crate::cluster::{Cluster, NS, template};

fn set(replicas: i64, extra: &Value) -> Value {
    let mut set = json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "serviceName": "web",
            "selector": {"matchLabels": {"app": "web"}}, "template": template("web", "web:1")},
    });
    for (key, value) in extra.as_object().unwrap() {
        set["spec"][key] = value.clone();
    }
    set
}

fn images(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.pods();
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    pods.iter().map(|pod| format!("{} {}", pod.name(), image(pod))).collect()
}

fn set_image(cluster: &Cluster, image: &str) {
    let patch = json!({"spec": {"template": template("web", image)}});
    cluster.patch(&STATEFUL_SETS, "web", patch);
}

#[test]
fn an_ordered_set_grows_shrinks_and_rolls_one_pod_at_a_time() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        cluster.create(&STATEFUL_SETS, set(3, &json!({})));
        // While it grows, a pod exists only when all before it are ready.
        cluster.run(60, |client| {
            let pods = client.list(&PODS, NS).unwrap();
            let unready = pods.iter().filter(|pod| !is_ready(pod)).count();
            assert!(unready <= 1, "seed {seed}");
        });
        assert_eq!(images(&cluster), ["web-0 web:1", "web-1 web:1", "web-2 web:1"]);

        set_image(&cluster, "web:2");
        cluster.run(120, |client| {
            let pods = client.list(&PODS, NS).unwrap();
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            assert!(ready >= 2, "seed {seed}");
        });
        assert_eq!(images(&cluster), ["web-0 web:2", "web-1 web:2", "web-2 web:2"]);
        let status = cluster.get(&STATEFUL_SETS, "web").at(&["status"]).cloned().unwrap();
        assert_eq!(status["currentRevision"], status["updateRevision"]);
        assert_eq!(status["currentReplicas"], 3);

        cluster.client.update_scale(&STATEFUL_SETS, NS, "web", 1).unwrap();
        cluster.settle(60);
        assert_eq!(images(&cluster), ["web-0 web:2"]);
        assert_eq!(
            cluster.told("SuccessfulDelete").iter().filter(|text| text.contains("web-2")).count(),
            1,
            "told once and counted"
        );
        cluster.assert_quiet();
    }
}

#[test]
fn events_are_worded_as_upstream_words_them() {
    let mut cluster = Cluster::new(1);
    let claims = json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]});
    cluster.create(&STATEFUL_SETS, set(1, &claims));
    cluster.settle(30);
    assert_eq!(
        cluster.told("SuccessfulCreate"),
        [
            "create Claim data-web-0 Pod web-0 in StatefulSet web success",
            "create Pod web-0 in StatefulSet web successful",
        ]
    );
    cluster.client.update_scale(&STATEFUL_SETS, NS, "web", 0).unwrap();
    cluster.settle(30);
    assert_eq!(
        cluster.told("SuccessfulDelete"),
        ["delete Pod web-0 in StatefulSet web successful"]
    );
    assert_eq!(cluster.list(&PERSISTENT_VOLUME_CLAIMS).len(), 1, "claims stay");
    cluster.delete(&STATEFUL_SETS, "web", "Background");
    cluster.settle(30);
    assert_eq!(cluster.list(&PERSISTENT_VOLUME_CLAIMS).len(), 1);
    assert!(cluster.list(&CONTROLLER_REVISIONS).is_empty());
}

#[test]
fn claims_go_where_the_policy_says_so() {
    let claim = json!([{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    for (scaled, deleted, after_scaling, after_deleting) in [
        ("Retain", "Retain", 2, 2),
        ("Delete", "Retain", 1, 1),
        ("Retain", "Delete", 2, 0),
        ("Delete", "Delete", 1, 0),
    ] {
        let mut cluster = Cluster::new(1);
        let policy = json!({"whenScaled": scaled, "whenDeleted": deleted});
        let extra = json!({"volumeClaimTemplates": claim,
            "persistentVolumeClaimRetentionPolicy": policy});
        cluster.create(&STATEFUL_SETS, set(2, &extra));
        cluster.settle(60);
        cluster.client.update_scale(&STATEFUL_SETS, NS, "web", 1).unwrap();
        cluster.settle(60);
        let claims = |cluster: &Cluster| cluster.list(&PERSISTENT_VOLUME_CLAIMS).len();
        assert_eq!(claims(&cluster), after_scaling, "{scaled} {deleted}");
        cluster.assert_quiet();
        cluster.delete(&STATEFUL_SETS, "web", "Background");
        cluster.settle(60);
        assert_eq!(claims(&cluster), after_deleting, "{scaled} {deleted}");
    }
}

#[test]
fn a_partition_holds_back_and_undoing_renumbers() {
    let mut cluster = Cluster::new(2);
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    cluster.create(&STATEFUL_SETS, set(3, &json!({"updateStrategy": rolling})));
    cluster.settle(60);
    set_image(&cluster, "web:2");
    cluster.settle(60);
    assert_eq!(images(&cluster), ["web-0 web:1", "web-1 web:1", "web-2 web:2"]);
    // A pod below the partition comes back as it was.
    cluster.client.delete(&PODS, NS, "web-0", DeleteOptions::default()).unwrap();
    cluster.settle(60);
    assert_eq!(images(&cluster)[0], "web-0 web:1");
    cluster.assert_quiet();

    set_image(&cluster, "web:1");
    cluster.settle(60);
    assert_eq!(images(&cluster), ["web-0 web:1", "web-1 web:1", "web-2 web:1"]);
    let revisions = cluster.list(&CONTROLLER_REVISIONS);
    let numbers: BTreeSet<i64> =
        revisions.iter().map(|r| r.int_at(&["revision"]).unwrap()).collect();
    assert_eq!(numbers, BTreeSet::from([2, 3]));
    cluster.assert_quiet();
}

#[test]
fn history_is_kept_to_its_limit() {
    let mut cluster = Cluster::new(3);
    cluster.create(&STATEFUL_SETS, set(1, &json!({"revisionHistoryLimit": 2})));
    for version in 2..8 {
        set_image(&cluster, &format!("web:{version}"));
        cluster.settle(60);
    }
    assert_eq!(cluster.list(&CONTROLLER_REVISIONS).len(), 3, "the present one and two more");
    cluster.assert_quiet();
}

#[test]
fn a_parallel_set_does_not_wait_and_on_delete_leaves_old_pods() {
    let mut cluster = Cluster::new(4);
    let extra = json!({"podManagementPolicy": "Parallel", "updateStrategy": {"type": "OnDelete"}});
    let mut parallel = set(5, &extra);
    parallel["spec"]["template"] = template("web", "broken");
    cluster.create(&STATEFUL_SETS, parallel);
    cluster.settle(10);
    assert_eq!(cluster.pods().len(), 5, "though none is ready");
    set_image(&cluster, "web:2");
    cluster.settle(10);
    assert!(images(&cluster).iter().all(|pod| pod.ends_with("broken")));
    cluster.client.delete(&PODS, NS, "web-3", DeleteOptions::default()).unwrap();
    cluster.settle(30);
    assert_eq!(images(&cluster)[3], "web-3 web:2");
    cluster.assert_quiet();
}

/// From whatever state the pods are in, the set gets to where it wants to be and rests.
#[test]
fn a_set_converges_from_any_state() {
    for seed in 0..40 {
        let mut cluster = Cluster::new(seed);
        let policy = ["OrderedReady", "Parallel"][usize::try_from(seed % 2).unwrap()];
        cluster.create(&STATEFUL_SETS, set(3, &json!({"podManagementPolicy": policy})));
        for step in 0..6 {
            cluster.settle(cluster.world.random_below(12));
            match cluster.world.random_below(4) {
                0 => set_image(&cluster, &format!("web:{step}")),
                1 => {
                    let replicas = i64::try_from(cluster.world.random_below(5)).unwrap();
                    cluster.client.update_scale(&STATEFUL_SETS, NS, "web", replicas).unwrap();
                }
                2 => {
                    for pod in cluster.pods() {
                        let options = DeleteOptions::default();
                        drop(cluster.client.delete(&PODS, NS, pod.name(), options));
                    }
                }
                _ => {
                    if let Some(pod) = cluster.pods().first() {
                        let mut failed = (**pod).clone();
                        failed.set(&["status", "phase"], json!("Failed"));
                        drop(cluster.client.update_status(&PODS, failed));
                    }
                }
            }
        }
        cluster.settle(300);
        let set = cluster.get(&STATEFUL_SETS, "web");
        let replicas = set.int_at(&["spec", "replicas"]).unwrap();
        let ready = cluster.pods().iter().filter(|pod| is_ready(pod)).count();
        assert_eq!(i64::try_from(ready).unwrap(), replicas, "seed {seed}");
        let image = &set["spec"]["template"]["spec"]["containers"][0]["image"];
        for pod in cluster.pods() {
            assert_eq!(&pod["spec"]["containers"][0]["image"], image, "seed {seed}");
        }
        cluster.assert_quiet();
    }
}
