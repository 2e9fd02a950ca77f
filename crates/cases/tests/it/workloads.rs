//! Jobs, DaemonSets, StatefulSets and the history of templates.

use std::sync::Arc;

use apimachinery::{Value, json};
use controllers::daemon_set::placement::verdict;
use controllers::daemon_set::{self, OnNode, placement_may_differ};
use controllers::history::{self, Choice};
use controllers::job;
use world::Time;

use crate::documents::{bare, same_document};
use crate::harness::{Outcome, Row, Suites, same};

const JOB: &str = "apimachinery/job-controller.json";
const DAEMON: &str = "apimachinery/daemon-controller.json";
const STATEFUL: &str = "apimachinery/statefulset-controller.json";
const HISTORY: &str = "controllers/history-controller.json";

pub(crate) fn register(suites: &mut Suites) {
    suites.add(JOB, "TestControllerSyncJob.L279", sync_job);
    suites.add(JOB, "TestSyncJobPastDeadline.L420", past_deadline);
    suites.add(JOB, "TestJobBackoffForOnFailure.L1449", restarts);
    suites.add(JOB, "TestIsJobFinished.L64", |row| {
        let condition =
            json!({"type": row.arg("conditionType"), "status": row.arg("conditionStatus")});
        let finished = job::finished(&json!({"status": {"conditions": [condition]}})).is_some();
        same(&json!(!finished), row.arg("expectJobNotFinished"))
    });
    suites.add(JOB, "TestJobBackoff.L1389", |row| {
        let pod = json!({"status": {"phase": row.arg("phase")}});
        let job = json!({"spec": {"parallelism": 1, "completions": 5}});
        let retries = number(row, "requeues");
        let pods = [Arc::new(pod)];
        let plan =
            job::plan(&job::Observed { job: &job, pods: &pods, retries, now: Time::default() });
        same(&json!(plan.resync.map_or(0, |wait| wait.as_secs())), row.arg("backoff"))
    });
    suites.add(JOB, "TestJobBackoffReset.L1301", |row| {
        // After the first of the row's syncs something has failed, after the second succeeded. The
        // row looks at the job once a failure, a running controller more often.
        let pod = |phase: &str, seconds: i64| {
            let ended = Time::from_unix_seconds(seconds).rfc3339();
            let state = json!({"terminated": {"finishedAt": ended}});
            Arc::new(json!({"status": {"phase": phase, "containerStatuses": [{"state": state}]}}))
        };
        let failed = row.arg("pods")[0]["failed"].as_i64().unwrap_or(0);
        let job = json!({"status": {"failed": failed}});
        let pods = [pod("Failed", 1), pod("Succeeded", 2)];
        same(
            &(job::retries(&job, &pods[..1]), job::retries(&job, &pods)),
            &(failed * job::ATTEMPTS_PER_FAILURE, 0),
        )
    });
    suites.add(DAEMON, "TestNodeShouldRunDaemonPod.L1942", should_run);
    suites.add(DAEMON, "TestDaemonKillFailedPods.L1320", kill_failed);
    suites.add(DAEMON, "TestUpdateNode.L2022", |row| {
        let differs = placement_may_differ(row.arg("oldNode"), row.arg("newNode"));
        same(&json!(differs), row.arg("shouldEnqueue"))
    });
    suites.add(STATEFUL, "TestStatefulSetControl_getSetRevisions.L562", set_revisions);
    suites.add(HISTORY, "TestFindEqualRevisions.L1527", |row| {
        let found = history::equal(&list(row.arg("revisions")), row.arg("revision"));
        let names: Vec<_> = found.iter().map(|revision| &revision["metadata"]["name"]).collect();
        let want: Vec<_> = row.arg("want").as_object().expect("names").keys().collect();
        same(&json!(names), &json!(want))
    });
    suites.add(HISTORY, "TestSortControllerRevisions.L1587", |row| {
        let mut revisions = list(row.arg("revisions"));
        history::sort(&mut revisions);
        let numbers: Vec<i64> =
            revisions.iter().map(|revision| history::number(revision)).collect();
        let names: Vec<_> =
            revisions.iter().map(|revision| &revision["metadata"]["name"]).collect();
        same(&numbers.is_sorted(), &true).and(|| same(&json!(names), row.arg("want")))
    });
}

fn list(values: &Value) -> Vec<Arc<Value>> {
    values.as_array().into_iter().flatten().cloned().map(Arc::new).collect()
}

fn number(row: &Row<'_>, field: &str) -> i64 {
    row.arg(field).as_i64().unwrap_or(0)
}

/// The job of a row; completions of -1 stand for none.
fn job_of(row: &Row<'_>) -> Value {
    let mut job = json!({
        "metadata": {"name": "foobar", "uid": "u"},
        "spec": {"parallelism": row.arg("parallelism"), "backoffLimit": row.arg("backoffLimit"),
            "template": {"spec": {"restartPolicy": "Never"}}},
    });
    if number(row, "completions") >= 0 {
        job["spec"]["completions"] = row.arg("completions").clone();
    }
    if row.arg("deleting") == true {
        job["metadata"]["deletionTimestamp"] = json!("2018-10-11T12:00:00Z");
    }
    job
}

fn pods_of(row: &Row<'_>) -> Vec<Arc<Value>> {
    let fields = [
        ("pendingPods", "Pending"),
        ("activePods", "Running"),
        ("succeededPods", "Succeeded"),
        ("failedPods", "Failed"),
    ];
    let mut pods = Vec::new();
    for (field, phase) in fields {
        for index in 0..number(row, field) {
            let name = format!("{phase}-{index}");
            pods.push(Arc::new(json!({"metadata": {"name": name}, "status": {"phase": phase}})));
        }
    }
    pods
}

/// `active`, `succeeded`, `failed`, the type and the reason of the condition.
fn shown(status: &Value) -> Value {
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let condition = &status["conditions"][0];
    let reason = condition["reason"].as_str().unwrap_or_default();
    json!([count("active"), count("succeeded"), count("failed"), condition["type"], reason])
}

fn expected(row: &Row<'_>, condition: &Value) -> Value {
    let fields = ["expectedActive", "expectedSucceeded", "expectedFailed"];
    let [active, succeeded, failed] = fields.map(|field| number(row, field));
    json!([active, succeeded, failed, condition, row.text("expectedConditionReason")])
}

fn sync_job(row: &Row<'_>) -> Outcome {
    let (job, pods) = (job_of(row), pods_of(row));
    let plan =
        job::plan(&job::Observed { job: &job, pods: &pods, retries: 0, now: Time::default() });
    // What the row's pod control lets through: all, up to a limit, or a first attempt that fails.
    let refuses = !row.arg("podControllerError").is_null();
    let limit = number(row, "podLimit");
    let allowed = if limit > 0 { usize::try_from(limit).expect("a limit") } else { usize::MAX };
    let tried = |wanted: usize| if refuses { wanted.min(1) } else { wanted.min(allowed) };
    let done = |wanted: usize| if refuses { 0 } else { wanted.min(allowed) };
    let status = plan.status_after(done(plan.create), done(plan.delete.len()));
    let calls = (tried(plan.create), tried(plan.delete.len()));
    let want = [number(row, "expectedCreations"), number(row, "expectedDeletions")];
    same(&json!([calls.0, calls.1]), &json!(want)).and(|| {
        same(&shown(&status.unwrap_or_default()), &expected(row, row.arg("expectedCondition")))
    })
}

fn past_deadline(row: &Row<'_>) -> Outcome {
    let (mut job, pods) = (job_of(row), pods_of(row));
    let start = Time::from_unix_seconds(1000);
    job["spec"]["activeDeadlineSeconds"] = row.arg("activeDeadlineSeconds").clone();
    job["status"] = json!({"startTime": start.rfc3339()});
    let now = Time::from_unix_seconds(1000 + number(row, "startTime"));
    let plan = job::plan(&job::Observed { job: &job, pods: &pods, retries: 0, now });
    same(&json!(plan.delete.len()), row.arg("expectedDeletions"))
        .and(|| same(&shown(&plan.status.unwrap_or_default()), &expected(row, &json!("Failed"))))
}

fn restarts(row: &Row<'_>) -> Outcome {
    let mut job = job_of(row);
    job["spec"]["template"]["spec"]["restartPolicy"] = json!("OnFailure");
    let counts = row.arg("restartCounts").as_array().expect("counts");
    let pods: Vec<_> = counts
        .iter()
        .map(|count| {
            let status =
                json!({"phase": "Running", "containerStatuses": [{"restartCount": count}]});
            Arc::new(json!({"metadata": {"name": count.to_string()}, "status": status}))
        })
        .collect();
    let plan =
        job::plan(&job::Observed { job: &job, pods: &pods, retries: 0, now: Time::default() });
    same(&shown(&plan.status.unwrap_or_default()), &expected(row, row.arg("expectedCondition")))
}

fn should_run(row: &Row<'_>) -> Outcome {
    let mut node = json!({
        "metadata": {"name": "test-node"},
        "spec": {"unschedulable": row.arg("nodeUnschedulable")},
        "status": {"allocatable": {"memory": "100M", "cpu": "1", "pods": "100"}},
    });
    if row.arg("nodeCondition").is_array() {
        node["status"]["conditions"] = row.arg("nodeCondition").clone();
    }
    let pod = daemon_set::pod::template(row.arg("ds"), "");
    let got = verdict(&pod, &node, &list(row.arg("podsOnNode")));
    let want = ["wantToRun", "shouldSchedule", "shouldContinueRunning"];
    same(&json!([got.wanted, got.schedule, got.keep]), &json!(want.map(|field| row.arg(field))))
}

fn kill_failed(row: &Row<'_>) -> Outcome {
    let mut pods = Vec::new();
    for (field, phase) in [("numFailedPods", "Failed"), ("numNormalPods", "Running")] {
        for index in 0..number(row, field) {
            let name = format!("{phase}-{index}");
            pods.push(Arc::new(json!({"metadata": {"name": name}, "status": {"phase": phase}})));
        }
    }
    let node = json!({"metadata": {"name": "node"}, "status": {"allocatable": {"pods": "100"}}});
    let ds = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
    let verdict = verdict(&daemon_set::pod::template(&ds, ""), &node, &[]);
    let nodes = [OnNode { node: "node".to_owned(), verdict, pods, backoff: None }];
    let observed = daemon_set::Observed { ds: &ds, hash: "", nodes: &nodes, now: Time::default() };
    let plan = daemon_set::plan(&observed);
    let got = json!([plan.create.len(), plan.delete.len(), plan.failed.len()]);
    let want = ["expectedCreates", "expectedDeletes", "expectedEvents"];
    same(&got, &json!(want.map(|field| row.arg(field))))
}

/// The recordings leave out the empty creation time of a template, which upstream hashes too.
fn with_creation(value: &Value, data: &[&str]) -> Value {
    let mut value = value.clone();
    let template = data.iter().try_fold(&mut value, |value, key| value.get_mut(*key));
    if let Some(template) = template {
        template["metadata"]["creationTimestamp"] = Value::Null;
    }
    value
}

fn set_revisions(row: &Row<'_>) -> Outcome {
    let in_revision = ["data", "spec", "template"];
    let set = with_creation(row.arg("set"), &["spec", "template"]);
    let mut existing: Vec<Arc<Value>> = list(row.arg("existing"));
    for revision in &mut existing {
        *revision = Arc::new(with_creation(revision, &in_revision));
    }
    let count = existing.len();
    let (update, created) = match history::choose(&existing, &history::data(&set)) {
        Choice::Keep(revision) => ((*revision).clone(), 0),
        Choice::Renumber(revision, number) => {
            let mut renumbered = (*revision).clone();
            renumbered["revision"] = json!(number);
            (renumbered, 0)
        }
        Choice::Create(number) => {
            let hash = history::hash(&history::data(&set), Some(0));
            (history::revision(&set, number, history::HASH_LABEL, &hash), 1)
        }
    };
    let want = with_creation(row.arg("expectedUpdate"), &in_revision);
    let shown = |revision: &Value| {
        let mut shown = bare(revision);
        for field in ["apiVersion", "kind"] {
            shown.as_object_mut().map(|map| map.remove(field));
        }
        shown["metadata"].as_object_mut().map(|map| map.remove("namespace"));
        shown
    };
    same(&json!(count + created), row.arg("expectedCount"))
        .and(|| same_document(&shown(&update), &shown(&want)))
}
