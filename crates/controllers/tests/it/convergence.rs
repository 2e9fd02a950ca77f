//! Whatever was done to them, controllers bring their pods to what their objects say, and then rest.
//!
//! Each seed starts a workload, lets a random hand meddle with it at random moments, and says once
//! more what is wanted.

use api::views::pod::{is_ready, is_terminal};
use api::{CRON_JOBS, DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, Resource};
use apimachinery::json;
use apimachinery::object::controller_owner_reference;
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;
use world::Time;

use crate::cluster::{Cluster, NS, template};

const SEEDS: u64 = 40;
const STEPS: u64 = 8;

fn below(cluster: &Cluster, bound: u64) -> i64 {
    i64::try_from(cluster.world.random_below(bound)).unwrap()
}

/// Does something to a random pod: deletes it, ends it, takes its label or its owner away; or puts
/// one there that nobody asked for.
fn meddle_with_pods(cluster: &Cluster, owner: &Value, image: &str) {
    let pods = cluster.list(&PODS);
    let count = u64::try_from(pods.len()).unwrap();
    let chosen = pods.get(usize::try_from(cluster.world.random_below(count.max(1))).unwrap());
    let Some(pod) = chosen.filter(|_| cluster.world.random_below(6) > 0) else {
        let mut pod = template("web", image);
        pod["metadata"]["name"] = json!(cluster.world.name_suffix(5));
        if cluster.world.random_below(2) == 0 {
            pod["metadata"]["ownerReferences"] = json!([controller_owner_reference(owner)]);
        }
        drop(cluster.create(&PODS, pod));
        return;
    };
    match cluster.world.random_below(5) {
        0 => drop(cluster.client.delete(&PODS, NS, pod.name(), DeleteOptions::default())),
        1 => drop(cluster.client.delete(&PODS, NS, pod.name(), DeleteOptions::now(""))),
        2 => {
            let mut ended = (**pod).clone();
            ended.set(&["status", "phase"], json!("Failed"));
            drop(cluster.client.update_status(&PODS, ended));
        }
        3 => cluster.patch(&PODS, pod.name(), json!({"metadata": {"labels": {"app": "other"}}})),
        _ => cluster.patch(&PODS, pod.name(), json!({"metadata": {"ownerReferences": null}})),
    }
}

/// Says something untrue in the status.
fn lie(cluster: &Cluster, resource: &'static Resource, name: &str) {
    let mut object = (*cluster.get(resource, name)).clone();
    for field in ["replicas", "readyReplicas", "availableReplicas", "observedGeneration"] {
        if object.at(&["status", field]).is_some() {
            object["status"][field] = json!(below(cluster, 9));
        }
    }
    drop(cluster.client.update_status(resource, object));
}

/// The living pods that `owner` controls.
fn owned(cluster: &Cluster, owner: &Value) -> Vec<String> {
    let of = |pod: &Value| {
        let reference = pod.controller_ref();
        reference.is_some_and(|reference| reference.str_at(&["uid"]) == owner.uid())
    };
    let pods = cluster.pods();
    let living = pods.iter().filter(|pod| of(pod) && !is_terminal(pod));
    living
        .map(|pod| {
            assert!(is_ready(pod), "{}", pod.name());
            pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn replication_controllers_and_replica_sets_do() {
    for (seed, resource) in
        (0..SEEDS).zip([&REPLICATION_CONTROLLERS, &REPLICA_SETS].into_iter().cycle())
    {
        let mut cluster = Cluster::new(seed);
        let mut object = json!({"metadata": {"name": "web"}, "spec": {
            "replicas": 3, "selector": {"app": "web"}, "template": template("web", "web:1")}});
        if std::ptr::eq(resource, &raw const REPLICA_SETS) {
            object["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
        }
        let object = cluster.create(resource, object);
        for _ in 0..STEPS {
            cluster.settle(cluster.world.random_below(8));
            match cluster.world.random_below(5) {
                0 => {
                    let replicas = below(&cluster, 6);
                    cluster.client.update_scale(resource, NS, "web", replicas).unwrap();
                }
                1 => lie(&cluster, resource, "web"),
                _ => meddle_with_pods(&cluster, &object, "web:1"),
            }
        }
        cluster.settle(300);
        let object = cluster.get(resource, "web");
        let wanted = object.int_at(&["spec", "replicas"]).unwrap();
        let pods = owned(&cluster, &object);
        assert_eq!(
            i64::try_from(pods.len()).unwrap(),
            wanted,
            "{} with seed {seed}",
            object.kind()
        );
        for field in ["replicas", "readyReplicas", "availableReplicas"] {
            let counted = object.int_at(&["status", field]).unwrap_or(0);
            assert_eq!(counted, wanted, "{field} with seed {seed}");
        }
        cluster.assert_quiet();
    }
}

/// Does something to a deployment or one of its replica sets.
fn meddle_with_deployment(cluster: &Cluster, step: u64) {
    let sets = cluster.list(&REPLICA_SETS);
    match (cluster.world.random_below(8), sets.first()) {
        (0 | 1, _) => {
            let image = ["web:1", "web:2", "web:3", "broken"][usize::try_from(step % 4).unwrap()];
            let patch = json!({"spec": {"template": template("web", image)}});
            cluster.patch(&DEPLOYMENTS, "web", patch);
        }
        (2, _) => {
            let replicas = below(cluster, 6);
            cluster.client.update_scale(&DEPLOYMENTS, NS, "web", replicas).unwrap();
        }
        (3, _) => {
            let paused = cluster.world.random_below(2) == 0;
            cluster.patch(&DEPLOYMENTS, "web", json!({"spec": {"paused": paused}}));
        }
        (4, Some(set)) => {
            drop(cluster.client.update_scale(&REPLICA_SETS, NS, set.name(), below(cluster, 6)));
        }
        (5, Some(set)) => cluster.delete(&REPLICA_SETS, set.name(), "Background"),
        (6, _) => lie(cluster, &DEPLOYMENTS, "web"),
        (_, Some(set)) => meddle_with_pods(cluster, set, "web:1"),
        _ => {}
    }
}

#[test]
fn deployments_do() {
    for seed in 0..SEEDS {
        let mut cluster = Cluster::new(seed);
        let strategy = [json!({"type": "Recreate"}), json!({"type": "RollingUpdate"})]
            [usize::try_from(seed % 2).unwrap()]
        .clone();
        let deployment = json!({"metadata": {"name": "web"}, "spec": {"replicas": 3,
            "strategy": strategy, "selector": {"matchLabels": {"app": "web"}},
            "template": template("web", "web:1")}});
        drop(cluster.create(&DEPLOYMENTS, deployment));
        for step in 0..STEPS {
            cluster.settle(cluster.world.random_below(12));
            meddle_with_deployment(&cluster, step);
        }
        let template = template("web", &format!("web:{}", seed % 5));
        let last = json!({"spec": {"paused": false, "template": template}});
        cluster.patch(&DEPLOYMENTS, "web", last);
        cluster.settle(1200);
        let deployment = cluster.get(&DEPLOYMENTS, "web");
        let wanted = deployment.int_at(&["spec", "replicas"]).unwrap();
        let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str();
        let mut images = Vec::new();
        for set in cluster.list(&REPLICA_SETS) {
            if set.controller_ref().is_some() {
                images.extend(owned(&cluster, &set));
            }
        }
        assert_eq!(i64::try_from(images.len()).unwrap(), wanted, "seed {seed}: {images:?}");
        assert!(images.iter().all(|one| Some(one.as_str()) == image), "seed {seed}: {images:?}");
        for field in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
            let counted = deployment.int_at(&["status", field]).unwrap_or(0);
            assert_eq!(counted, wanted, "{field} with seed {seed}");
        }
        assert_eq!(
            deployment.int_at(&["status", "observedGeneration"]),
            deployment.int_at(&["metadata", "generation"])
        );
        cluster.assert_quiet();
    }
}

#[test]
fn jobs_do() {
    for seed in 0..SEEDS {
        let mut cluster = Cluster::new(seed);
        let mode = ["NonIndexed", "Indexed"][usize::try_from(seed % 2).unwrap()];
        let completions = 1 + below(&cluster, 5);
        let mut template = template("web", "done");
        template["spec"]["restartPolicy"] = json!("Never");
        let job = cluster.create(
            &JOBS,
            json!({"metadata": {"name": "sum"}, "spec": {
            "completions": completions, "parallelism": below(&cluster, 4), "backoffLimit": 50,
            "completionMode": mode, "template": template}}),
        );
        for _ in 0..STEPS {
            cluster.settle(cluster.world.random_below(8));
            match cluster.world.random_below(6) {
                0 => {
                    let parallelism = below(&cluster, 4);
                    cluster.patch(&JOBS, "sum", json!({"spec": {"parallelism": parallelism}}));
                }
                1 => {
                    let suspend = cluster.world.random_below(2) == 0;
                    cluster.patch(&JOBS, "sum", json!({"spec": {"suspend": suspend}}));
                }
                _ => meddle_with_pods(&cluster, &job, "done"),
            }
        }
        let last = json!({"spec": {"suspend": false, "parallelism": 1 + below(&cluster, 3)}});
        cluster.patch(&JOBS, "sum", last);
        cluster.settle(4 * 3600);
        let status = cluster.get(&JOBS, "sum").at(&["status"]).cloned().unwrap();
        let conditions = status.list_at(&["conditions"]).iter();
        let kinds: Vec<&str> = conditions.map(|condition| condition.str_at(&["type"])).collect();
        assert!(kinds.contains(&"Complete"), "seed {seed}: {status}");
        let succeeded = status.int_at(&["succeeded"]).unwrap_or(0);
        assert!(succeeded >= completions, "seed {seed}: {status}");
        if mode == "Indexed" {
            assert_eq!(succeeded, completions, "seed {seed}: {status}");
        }
        cluster.assert_quiet();
    }
}

/// Does something to a cron job or one of its jobs.
fn meddle_with_cron_job(cluster: &Cluster) {
    let jobs = cluster.list(&JOBS);
    match (cluster.world.random_below(5), jobs.first()) {
        (0, _) => {
            let policy =
                ["Allow", "Forbid", "Replace"][usize::try_from(below(cluster, 3)).unwrap()];
            cluster.patch(&CRON_JOBS, "tick", json!({"spec": {"concurrencyPolicy": policy}}));
        }
        (1, _) => {
            let suspend = cluster.world.random_below(2) == 0;
            cluster.patch(&CRON_JOBS, "tick", json!({"spec": {"suspend": suspend}}));
        }
        (2, _) => {
            let mut cron_job = (*cluster.get(&CRON_JOBS, "tick")).clone();
            drop(cron_job.remove(&["status", "active"]));
            drop(cluster.client.update_status(&CRON_JOBS, cron_job));
        }
        (_, Some(job)) => cluster.delete(&JOBS, job.name(), "Background"),
        _ => {}
    }
}

#[test]
fn cron_jobs_do() {
    for seed in 0..SEEDS {
        let mut cluster = Cluster::new(seed);
        let image = ["done", "fails"][usize::try_from(seed % 2).unwrap()];
        let mut template = template("web", image);
        template["spec"]["restartPolicy"] = json!("Never");
        let job = json!({"spec": {"backoffLimit": 0, "template": template}});
        let cron_job = json!({"metadata": {"name": "tick"}, "spec": {"schedule": "*/1 * * * *",
            "successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 1, "jobTemplate": job}});
        drop(cluster.create(&CRON_JOBS, cron_job));
        for _ in 0..STEPS {
            cluster.settle(cluster.world.random_below(100));
            meddle_with_cron_job(&cluster);
        }
        cluster.patch(&CRON_JOBS, "tick", json!({"spec": {"suspend": false}}));
        cluster.settle(300);
        let last = cluster.world.now().unix_seconds() / 60 * 60;
        let cron_job = cluster.get(&CRON_JOBS, "tick");
        let served = Time::parse_rfc3339(cron_job.str_at(&["status", "lastScheduleTime"]));
        assert_eq!(served.unwrap().unix_seconds(), last, "seed {seed}");

        cluster.patch(&CRON_JOBS, "tick", json!({"spec": {"suspend": true}}));
        cluster.settle(300);
        let cron_job = cluster.get(&CRON_JOBS, "tick");
        assert_eq!(cron_job.at(&["status", "active"]), None, "seed {seed}");
        let succeeded = cron_job.str_at(&["status", "lastSuccessfulTime"]);
        assert_eq!(succeeded.is_empty(), image == "fails", "seed {seed}");
        let kept = if image == "done" { 2 } else { 1 };
        assert_eq!(cluster.list(&JOBS).len(), kept, "seed {seed}");
        cluster.assert_quiet();
    }
}
