//! Tables of what is due of a cron job.

use std::sync::Arc;

use apimachinery::json;
use world::Time;

use super::*;

fn cron_job(extra: &Value) -> Value {
    let mut cron_job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "dev", "uid": "u",
            "creationTimestamp": "2018-10-11T11:30:00Z"},
        "spec": {"schedule": "0 * * * *", "concurrencyPolicy": "Allow", "suspend": false,
            "jobTemplate": {"metadata": {"labels": {"a": "b"}, "annotations": {"x": "y"}},
                "spec": {"template": {"spec": {"restartPolicy": "Never"}}}}},
    });
    for (key, value) in extra.as_object().unwrap() {
        cron_job["spec"][key] = value.clone();
    }
    cron_job
}

fn job(name: &str, start: &str, ended: &str) -> Arc<Value> {
    let mut status = json!({});
    if !start.is_empty() {
        status["startTime"] = json!(start);
    }
    if !ended.is_empty() {
        status["conditions"] = json!([{"type": ended, "status": "True"}]);
    }
    Arc::new(json!({"metadata": {"name": name, "namespace": "dev", "uid": name}, "status": status}))
}

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn reasons(plan: &Plan) -> Vec<&'static str> {
    plan.notes.iter().map(|note| note.reason).collect()
}

#[test]
fn a_job_starts_when_it_is_due() {
    let cron_job = cron_job(&json!({}));
    assert_eq!(plan(&cron_job, &[], at("2018-10-11T11:59:59Z")).start, None);
    let plan = plan(&cron_job, &[], at("2018-10-11T12:00:00Z"));
    let (job, due) = plan.start.unwrap();
    assert_eq!(due, at("2018-10-11T12:00:00Z"));
    assert_eq!(job.name(), "tick-1539259200");
    assert_eq!(job["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!(job["metadata"]["annotations"], json!({"x": "y"}));
    assert_eq!(job.controller_ref().unwrap().kind(), "CronJob");
    assert_eq!(plan.resync.map(|wait| wait.as_secs()), Some(3600));
}

#[test]
fn suspended_and_leaving_cron_jobs_start_nothing() {
    let now = at("2018-10-11T12:00:00Z");
    let suspended = plan(&cron_job(&json!({"suspend": true})), &[], now);
    assert_eq!((suspended.start, suspended.resync), (None, None));
    let mut leaving = cron_job(&json!({}));
    leaving["metadata"]["deletionTimestamp"] = json!("2018-10-11T12:00:00Z");
    assert_eq!(plan(&leaving, &[], now).start, None);
}

#[test]
fn the_concurrency_policy_decides_about_running_jobs() {
    let running = job("old", "2018-10-11T11:00:00Z", "");
    for (policy, starts, replaced, active) in
        [("Allow", true, 0, 1), ("Forbid", false, 0, 1), ("Replace", true, 1, 0)]
    {
        let mut cron_job = cron_job(&json!({"concurrencyPolicy": policy}));
        cron_job["status"] = json!({"active": [reference(&running)]});
        let plan = plan(&cron_job, &[Arc::clone(&running)], at("2018-10-11T12:00:00Z"));
        let got = (plan.start.is_some(), plan.replace.len(), plan.active.len());
        assert_eq!(got, (starts, replaced, active), "{policy}");
    }
}

#[test]
fn books_follow_the_jobs() {
    let jobs = [job("done", "", "Complete"), job("stranger", "", "")];
    let mut cron_job = cron_job(&json!({"suspend": true}));
    let listed = [reference(&jobs[0]), reference(&job("gone", "", ""))];
    cron_job["status"] = json!({"active": listed});
    let plan = plan(&cron_job, &jobs, at("2018-10-11T12:00:00Z"));
    let told: Vec<_> = plan.notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "Saw completed job: done",
            "Saw a job that the controller did not create or forgot: stranger",
            "Active job went missing: gone",
        ]
    );
    assert!(plan.active.is_empty());
}

#[test]
fn a_time_missed_by_more_than_the_deadline_is_lost() {
    let mut late = cron_job(&json!({"startingDeadlineSeconds": 10}));
    late["status"] = json!({"lastScheduleTime": "2018-10-11T11:00:00Z"});
    // Within the deadline it starts; past it nothing is due any more.
    assert!(plan(&late, &[], at("2018-10-11T12:00:10Z")).start.is_none());
    assert!(plan(&late, &[], at("2018-10-11T12:00:09Z")).start.is_some());
    assert_eq!(reasons(&plan(&late, &[], at("2018-10-11T12:00:11Z"))), [""; 0]);
}

#[test]
fn more_than_a_hundred_missed_times_need_a_person() {
    let mut cron_job = cron_job(&json!({"schedule": "* * * * *"}));
    let plan_at = |cron_job: &Value, now: &str| plan(cron_job, &[], at(now));
    assert!(plan_at(&cron_job, "2018-10-11T13:10:00Z").start.is_some());
    let missed = plan_at(&cron_job, "2018-10-11T13:11:00Z");
    assert_eq!(missed.start, None);
    assert_eq!(
        missed.notes[0].message,
        "Cannot determine if job needs to be started: Too many missed start time (> 100). Set or \
         decrease .spec.startingDeadlineSeconds or check clock skew."
    );
    cron_job["spec"]["startingDeadlineSeconds"] = json!(600);
    assert!(plan_at(&cron_job, "2018-10-11T13:11:00Z").start.is_some());
}

#[test]
fn a_schedule_that_cannot_be_read_is_told() {
    let plan = plan(&cron_job(&json!({"schedule": "bad"})), &[], at("2018-10-11T12:00:00Z"));
    assert_eq!(
        plan.notes[0].message,
        "Cannot determine if job needs to be started: Unparseable schedule: bad : Expected exactly \
         5 fields, found 1: bad"
    );
    assert_eq!(plan.resync, None);
}

#[test]
fn the_time_zone_of_the_spec_counts() {
    let cron_job = cron_job(&json!({"schedule": "0 6 * * *", "timeZone": "America/New_York"}));
    let plan = plan(&cron_job, &[], at("2018-10-12T10:00:00Z"));
    assert_eq!(plan.start.unwrap().1, at("2018-10-12T10:00:00Z"));
}

#[test]
fn finished_jobs_beyond_the_limits_go_oldest_first() {
    let jobs = [
        job("s3", "2018-10-11T03:00:00Z", "Complete"),
        job("s1", "2018-10-11T01:00:00Z", "Complete"),
        job("f2", "2018-10-11T02:00:00Z", "Failed"),
        job("s2", "2018-10-11T02:00:00Z", "Complete"),
        job("running", "2018-10-11T00:00:00Z", ""),
    ];
    for (success, failed, gone) in [
        (json!(1), json!(0), vec!["s1", "s2", "f2"]),
        (json!(3), json!(1), vec![]),
        (json!(null), json!(0), vec!["f2"]),
    ] {
        let cron_job = cron_job(&json!({
            "successfulJobsHistoryLimit": success, "failedJobsHistoryLimit": failed}));
        let surplus = surplus(&cron_job, &jobs);
        let names: Vec<_> = surplus.iter().map(|job| job.name()).collect();
        assert_eq!(names, gone);
    }
}
