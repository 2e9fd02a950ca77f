//! Jobs and cron jobs on the virtual clock.

use std::time::Duration;

use api::views::pod::phase;
use api::{CRON_JOBS, JOBS, PODS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use crate::cluster::{Cluster, NS, template};

fn job_spec(image: &str, extra: &Value) -> Value {
    let mut spec = json!({"template": template("job", image)});
    spec["template"]["spec"]["restartPolicy"] = json!("Never");
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

fn job(image: &str, extra: &Value) -> Value {
    json!({"metadata": {"name": "task"}, "spec": job_spec(image, extra)})
}

fn condition(cluster: &Cluster) -> String {
    let job = cluster.get(&JOBS, "task");
    let conditions = job.list_at(&["status", "conditions"]);
    let text = |c: &Value| format!("{} {}", c.str_at(&["type"]), c.str_at(&["reason"]));
    conditions.iter().map(|c| text(c).trim().to_owned()).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_job_runs_to_its_completions_and_rests() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        cluster.create(&JOBS, job("done", &json!({"completions": 5, "parallelism": 2})));
        cluster.run(120, |client| {
            let pods = client.list(&PODS, NS).unwrap();
            let active = pods.iter().filter(|pod| phase(pod) == "Pending").count();
            assert!(active <= 2 && pods.len() <= 5, "seed {seed}");
        });
        let status = cluster.get(&JOBS, "task").at(&["status"]).cloned().unwrap();
        assert_eq!((&status["succeeded"], status.get("active")), (&json!(5), None));
        assert_eq!(condition(&cluster), "Complete");
        assert!(!status.str_at(&["completionTime"]).is_empty());
        assert_eq!(cluster.told("SuccessfulCreate").len(), 5);
        cluster.assert_quiet();
    }
}

#[test]
fn a_failing_job_tries_again_with_growing_delays_and_gives_up() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        cluster.create(&JOBS, job("fails", &json!({"backoffLimit": 4})));
        cluster.settle(20);
        assert_eq!(condition(&cluster), "");
        cluster.settle(300);
        assert_eq!(condition(&cluster), "Failed BackoffLimitExceeded");
        let pods = cluster.list(&PODS);
        assert_eq!(pods.len(), 3, "seed {seed}");
        let mut made: Vec<Time> =
            pods.iter().filter_map(|pod| Time::parse_rfc3339(pod.creation_timestamp())).collect();
        made.sort();
        assert!(made[2].since(made[1]) >= Duration::from_secs(20), "seed {seed}");
        assert_eq!(
            cluster.told("BackoffLimitExceeded"),
            ["Job has reached the specified backoff limit"]
        );
        cluster.assert_quiet();
    }
}

#[test]
fn a_deadline_ends_a_job_and_its_pods() {
    let mut cluster = Cluster::new(1);
    cluster.create(&JOBS, job("main:1", &json!({"activeDeadlineSeconds": 30})));
    cluster.settle(25);
    assert_eq!(cluster.pods().len(), 1);
    cluster.settle(10);
    assert_eq!(condition(&cluster), "Failed DeadlineExceeded");
    assert!(cluster.pods().is_empty());
    assert_eq!(cluster.told("DeadlineExceeded"), ["Job was active longer than specified deadline"]);
    cluster.assert_quiet();
}

#[test]
fn parallelism_can_change_while_it_runs() {
    let mut cluster = Cluster::new(1);
    cluster.create(&JOBS, job("main:1", &json!({"completions": 9, "parallelism": 1})));
    for parallelism in [4, 2, 0] {
        cluster.patch(&JOBS, "task", json!({"spec": {"parallelism": parallelism}}));
        cluster.settle(30);
        assert_eq!(cluster.pods().len(), parallelism);
    }
    cluster.assert_quiet();
}

#[test]
fn a_suspended_job_starts_when_it_is_let_go_and_can_be_held_again() {
    let mut cluster = Cluster::new(1);
    let spec = json!({"suspend": true, "completions": 4, "parallelism": 2, "backoffLimit": 0,
        "activeDeadlineSeconds": 60});
    cluster.create(&JOBS, job("main:1", &spec));
    cluster.settle(600);
    assert!(cluster.list(&PODS).is_empty(), "nor does its deadline run");
    assert_eq!(condition(&cluster), "Suspended JobSuspended");
    cluster.assert_quiet();

    cluster.patch(&JOBS, "task", json!({"spec": {"suspend": false}}));
    cluster.settle(20);
    assert_eq!(cluster.pods().len(), 2);
    assert_eq!(condition(&cluster), "Suspended JobResumed");
    cluster.patch(&JOBS, "task", json!({"spec": {"suspend": true}}));
    cluster.settle(120);
    assert!(cluster.list(&PODS).is_empty());
    let status = cluster.get(&JOBS, "task").at(&["status"]).cloned().unwrap();
    assert_eq!((status.get("active"), status.get("failed")), (None, None));
    assert_eq!((cluster.told("Suspended").len(), cluster.told("Resumed").len()), (1, 1));
    cluster.assert_quiet();
}

#[test]
fn an_indexed_job_runs_every_index_once() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        let spec = json!({"completionMode": "Indexed", "completions": 5, "parallelism": 2});
        cluster.create(&JOBS, job("done", &spec));
        cluster.settle(120);
        let status = cluster.get(&JOBS, "task").at(&["status"]).cloned().unwrap();
        assert_eq!((&status["completedIndexes"], &status["succeeded"]), (&json!("0-4"), &json!(5)));
        let pods = cluster.list(&PODS);
        let mut hosts: Vec<&str> =
            pods.iter().map(|pod| pod.str_at(&["spec", "hostname"])).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ["task-0", "task-1", "task-2", "task-3", "task-4"], "seed {seed}");
        assert!(pods.iter().all(|pod| pod.name().starts_with(pod.str_at(&["spec", "hostname"]))));
        cluster.assert_quiet();
    }
}

#[test]
fn a_finished_job_goes_after_its_time_with_its_pods() {
    let mut cluster = Cluster::new(1);
    cluster.create(&JOBS, job("done", &json!({"ttlSecondsAfterFinished": 100})));
    cluster.settle(60);
    assert_eq!(condition(&cluster), "Complete");
    cluster.settle(120);
    assert!(cluster.list(&JOBS).is_empty() && cluster.list(&PODS).is_empty());
    cluster.assert_quiet();
}

fn cron_job(schedule: &str, image: &str, extra: &Value) -> Value {
    let mut spec =
        json!({"schedule": schedule, "jobTemplate": {"spec": job_spec(image, &json!({}))}});
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"metadata": {"name": "tick"}, "spec": spec})
}

#[test]
fn a_cron_job_starts_at_its_minutes_and_keeps_some_history() {
    let mut cluster = Cluster::new(1);
    let extra = json!({"successfulJobsHistoryLimit": 1});
    cluster.create(&CRON_JOBS, cron_job("*/1 * * * *", "done", &extra));
    cluster.settle(330);
    let created = cluster.told("SuccessfulCreate");
    let started = created.iter().filter(|text| text.starts_with("Created job tick-")).count();
    assert_eq!(started, 5);
    assert_eq!(cluster.told("SawCompletedJob").len(), 5);
    assert_eq!(cluster.list(&JOBS).len(), 1);
    let status = cluster.get(&CRON_JOBS, "tick").at(&["status"]).cloned().unwrap();
    let last = Time::parse_rfc3339(status.str_at(&["lastScheduleTime"])).unwrap();
    assert_eq!(last.unix_seconds() % 60, 0);
    assert_eq!(status.get("active"), None);
    let name = cluster.list(&JOBS)[0].name().to_owned();
    assert_eq!(name, format!("tick-{}", last.unix_seconds()));

    cluster.patch(&CRON_JOBS, "tick", json!({"spec": {"suspend": true}}));
    cluster.settle(30);
    cluster.assert_quiet();
}

#[test]
fn policies_decide_what_happens_when_a_job_takes_long() {
    for (policy, jobs) in [("Allow", 3), ("Forbid", 1), ("Replace", 1)] {
        let mut cluster = Cluster::new(1);
        let extra = json!({"concurrencyPolicy": policy});
        cluster.create(&CRON_JOBS, cron_job("*/1 * * * *", "main:1", &extra));
        cluster.settle(210);
        let running = cluster.list(&JOBS).len();
        assert!((jobs..=jobs + usize::from(policy == "Allow")).contains(&running), "{policy}");
        let cron_job = cluster.get(&CRON_JOBS, "tick");
        assert_eq!(cron_job.list_at(&["status", "active"]).len(), running, "{policy}");
        let replaced =
            cluster.told("SuccessfulDelete").iter().any(|t| t.starts_with("Deleted job"));
        assert_eq!(replaced, policy == "Replace");
    }
}

#[test]
fn a_forbidden_job_starts_as_soon_as_the_last_one_ends() {
    let mut cluster = Cluster::new(1);
    let extra = json!({"concurrencyPolicy": "Forbid"});
    cluster.create(&CRON_JOBS, cron_job("*/1 * * * *", "main:1", &extra));
    cluster.settle(150);
    let first = cluster.list(&JOBS)[0].name().to_owned();
    cluster.delete(&JOBS, &first, "Background");
    cluster.settle(5);
    let jobs = cluster.list(&JOBS);
    assert_eq!(jobs.len(), 1);
    assert_ne!(jobs[0].name(), first);
    assert_eq!(cluster.told("MissingJob"), [format!("Active job went missing: {first}")]);
}

#[test]
fn a_cron_job_takes_its_jobs_along() {
    let mut cluster = Cluster::new(1);
    cluster.create(&CRON_JOBS, cron_job("@hourly", "done", &json!({})));
    cluster.settle(3 * 3600);
    assert_eq!(cluster.list(&JOBS).len(), 3);
    cluster.delete(&CRON_JOBS, "tick", "Background");
    cluster.settle(60);
    assert!(cluster.list(&JOBS).is_empty() && cluster.list(&PODS).is_empty());
}
