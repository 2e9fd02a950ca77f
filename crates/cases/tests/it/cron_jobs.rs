//! CronJobs: unmet times, what is started, the books, the history.

use std::sync::Arc;

use apimachinery::{Value, json};
use controller_runtime::{Change, EventType, controller_owner_of};
use controllers::cron_job::{Plan, plan, reference, surplus, unmet_times};
use world::Time;

use crate::harness::{Outcome, Row, Suites, same};

const FILE: &str = "apimachinery/cronjob-controller.json";

pub(crate) fn register(suites: &mut Suites) {
    suites.add(FILE, "getParentUIDFromJob", |row| {
        let change = Change::new(None, Some(Arc::new(row.arg("j").clone())));
        let found = controller_owner_of(&change, "CronJob");
        same(&json!(!found.is_empty()), row.result(1))
    });
    suites.add(FILE, "getRecentUnmetScheduleTimes", |row| {
        let (times, problem) = match unmet_times(row.arg("sj"), time(row.text("now"))) {
            Ok(times) => (times, Value::Null),
            Err(problem) => (Vec::new(), json!({"error": problem})),
        };
        let times: Vec<String> = times.into_iter().map(Time::rfc3339).collect();
        same(&json!([times, problem]), &json!([row.result(0), row.result(1)]))
    });
    suites.add(FILE, "TestSyncOne_RunOrNot.L253", run_or_not);
    suites.add(FILE, "TestSyncOne_Status.L687", books);
    suites.add(FILE, "TestCleanupFinishedJobs_DeleteOrNot.L500", cleanup);
}

fn time(text: &str) -> Time {
    Time::parse_rfc3339(text).expect("the tables hold RFC 3339")
}

/// The cron job that the tests of upstream's sync set up.
fn cron_job(row: &Row<'_>) -> Value {
    let ran = row.arg("ranPreviously") == true;
    let created = if ran { "2016-05-19T08:59:00Z" } else { "2016-05-19T09:59:00Z" };
    let mut cron_job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "mycronjob", "namespace": "snazzycats", "uid": "1a2b3c",
            "creationTimestamp": created},
        "spec": {"schedule": row.arg("schedule"), "suspend": row.arg("suspend"),
            "concurrencyPolicy": row.arg("concurrencyPolicy"),
            "jobTemplate": {"spec": {"template": {}}}},
        "status": {},
    });
    // Upstream's tables write -12345 for no deadline.
    if row.arg("deadline") != -12345 {
        cron_job["spec"]["startingDeadlineSeconds"] = row.arg("deadline").clone();
    }
    if ran {
        cron_job["status"]["lastScheduleTime"] = json!("2016-05-19T09:01:00Z");
    }
    if row.arg("beingDeleted") == true {
        cron_job["metadata"]["deletionTimestamp"] = row.arg("now").clone();
    }
    cron_job
}

fn job(uid: &str, ended: bool) -> Arc<Value> {
    let conditions =
        if ended { json!([{"type": "Complete", "status": "True"}]) } else { json!([]) };
    Arc::new(json!({"metadata": {"name": uid, "uid": uid}, "status": {"conditions": conditions}}))
}

fn run_or_not(row: &Row<'_>) -> Outcome {
    let mut cron_job = cron_job(row);
    let mut jobs = Vec::new();
    if row.arg("stillActive") == true {
        jobs.push(job("1234", false));
        cron_job["status"]["active"] = json!([reference(&jobs[0])]);
    }
    let Plan { notes, active, replace, start, .. } = plan(&cron_job, &jobs, time(row.text("now")));
    let warnings = notes.iter().filter(|note| note.event_type == EventType::Warning).count();
    let got = json!([
        start.is_some(),
        !replace.is_empty(),
        active.len() + usize::from(start.is_some()),
        warnings
    ]);
    let want = ["expectCreate", "expectDelete", "expectActive", "expectedWarnings"];
    same(&got, &json!(want.map(|field| row.arg(field))))
}

fn books(row: &Row<'_>) -> Outcome {
    let mut cron_job = cron_job(row);
    let (mut jobs, mut active, mut told) = (Vec::new(), Vec::new(), Vec::new());
    if row.arg("hasFinishedJob") == true {
        jobs.push(job("1", true));
        active.push(reference(&jobs[0]));
        told.push("SawCompletedJob");
    }
    if row.arg("hasUnexpectedJob") == true {
        jobs.push(job("2", false));
        told.push("UnexpectedJob");
    }
    if row.arg("hasMissingJob") == true {
        active.push(json!({"uid": "missing", "name": "missing"}));
        told.push("MissingJob");
    }
    cron_job["status"]["active"] = json!(active);
    let plan = plan(&cron_job, &jobs, time(row.text("now")));
    let reasons: Vec<&str> = plan.notes.iter().map(|note| note.reason).collect();
    let told = told.iter().all(|reason| reasons.contains(reason));
    let due = plan.start.as_ref().is_none_or(|(_, due)| due.rfc3339() == "2016-05-19T10:00:00Z");
    let got = json!([plan.start.is_some(), !plan.replace.is_empty(), plan.active.len(), told, due]);
    same(&got, &json!([row.arg("expectCreate"), row.arg("expectDelete"), 0, true, true]))
}

fn cleanup(row: &Row<'_>) -> Outcome {
    if row.name() == "failed list pod err" {
        // The row's fake fails to list pods, which this controller never does.
        return Outcome::Skip;
    }
    let specs = row.arg("jobSpecs").as_array().expect("jobs");
    let jobs: Vec<Arc<Value>> = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| {
            let kind = if spec["IsSuccessful"] == true { "Complete" } else { "Failed" };
            let condition = json!({"type": kind, "status": "True"});
            let conditions =
                if spec["IsFinished"] == true { json!([condition]) } else { json!([]) };
            Arc::new(json!({"metadata": {"name": format!("job-{index}")},
                "status": {"startTime": spec["StartTime"], "conditions": conditions}}))
        })
        .collect();
    let limits = ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"];
    let mut cron_job = json!({"spec": {}});
    for field in limits {
        cron_job["spec"][field] = row.arg(field).clone();
    }
    let gone = surplus(&cron_job, &jobs);
    let got: Vec<bool> = jobs.iter().map(|job| gone.iter().any(|other| other == job)).collect();
    let want: Vec<bool> = specs.iter().map(|spec| spec["ExpectDelete"] == true).collect();
    same(&got, &want)
}
