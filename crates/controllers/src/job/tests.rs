//! Tables of what a job does next.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::json;
use world::Time;

use super::*;

const NOW: &str = "2018-10-11T12:00:00Z";

fn job(parallelism: i64, completions: Option<i64>, extra: &Value) -> Value {
    let mut spec = json!({"parallelism": parallelism, "backoffLimit": 6,
        "template": {"spec": {"restartPolicy": "Never"}}});
    if let Some(completions) = completions {
        spec["completions"] = json!(completions);
    }
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"metadata": {"name": "j", "uid": "u"}, "spec": spec})
}

/// Pods by letters: `a` active, `s` succeeded, `f` failed longer ago than any back-off, `F` failed just now.
fn pods(letters: &str) -> Vec<Arc<Value>> {
    let pod = |(index, letter): (usize, char)| {
        let (phase, ended) = match letter {
            's' => ("Succeeded", "2018-10-11T11:52:00Z"),
            'f' => ("Failed", "2018-10-11T11:53:00Z"),
            'F' => ("Failed", NOW),
            _ => ("Running", ""),
        };
        let mut status = json!({"phase": phase});
        if !ended.is_empty() {
            let terminated = json!({"terminated": {"finishedAt": ended}});
            status["containerStatuses"] = json!([{"state": terminated}]);
        }
        Arc::new(json!({"metadata": {"name": format!("p{index}")}, "status": status}))
    };
    letters.chars().enumerate().map(pod).collect()
}

fn planned(job: &Value, letters: &str) -> Plan {
    let pods = pods(letters);
    let now = Time::parse_rfc3339(NOW).unwrap();
    plan(&Observed { job, pods: &pods, retries: retries(job, &pods), now })
}

/// Created, deleted, and the status as `active/succeeded/failed` with the condition that ended it.
fn shown(plan: &Plan) -> String {
    let Some(status) = &plan.status else { return "nothing".to_owned() };
    let count = |field: &str| status.int_at(&[field]).unwrap_or(0);
    let counts = format!("{}/{}/{}", count("active"), count("succeeded"), count("failed"));
    let object = json!({"status": status});
    let ended = finished(&object).map(|kind| format!(" {kind}")).unwrap_or_default();
    format!("+{} -{} {counts}{ended}", plan.create, plan.delete.len())
}

#[test]
fn pods_come_until_enough_have_succeeded() {
    let none = json!({});
    for (parallelism, completions, letters, expected) in [
        (1, Some(1), "", "+1 -0 1/0/0"),
        (1, Some(1), "a", "+0 -0 1/0/0"),
        (1, Some(1), "s", "+0 -0 0/1/0 Complete"),
        (2, Some(5), "", "+2 -0 2/0/0"),
        (2, Some(5), "ssss", "+1 -0 1/4/0"),
        (2, Some(5), "ssssa", "+0 -0 1/4/0"),
        (2, Some(5), "aaa", "+0 -1 2/0/0"),
        (2, Some(5), "sssss", "+0 -0 0/5/0 Complete"),
        (2, Some(5), "ssssssaaaaa", "+0 -3 2/6/0 Complete"),
        (2, None, "", "+2 -0 2/0/0"),
        (2, None, "a", "+1 -0 2/0/0"),
        (2, None, "as", "+0 -0 1/1/0"),
        (2, None, "sf", "+0 -0 0/1/1 Complete"),
        (0, Some(5), "aa", "+0 -2 0/0/0"),
        (0, Some(0), "", "+0 -0 0/0/0 Complete"),
        (1, Some(1), "f", "+1 -0 1/0/1"),
        (600, None, "", "+500 -0 500/0/0"),
    ] {
        let job = job(parallelism, completions, &none);
        assert_eq!(
            shown(&planned(&job, letters)),
            expected,
            "{parallelism} of {completions:?} with {letters}"
        );
    }
}

#[test]
fn surplus_is_told() {
    let plan = planned(&job(2, Some(1), &json!({})), "sssa");
    let reasons: Vec<_> = plan.warnings.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(reasons, ["TooManyActivePods", "TooManySucceededPods"]);
}

#[test]
fn failures_are_answered_until_the_limit() {
    let mut job = job(1, Some(1), &json!({"backoffLimit": 2}));
    // (failures counted, pods, outcome)
    for (counted, letters, expected) in [
        (0, "f", "+1 -0 1/0/1"),
        (0, "F", "+1 -0 1/0/1"),
        (1, "fF", "nothing"),
        (1, "ff", "+0 -0 0/0/2 Failed"),
        (1, "f", "+1 -0 1/0/1"),
    ] {
        job["status"] = json!({"failed": counted});
        assert_eq!(shown(&planned(&job, letters)), expected, "{counted} counted with {letters}");
    }
    job["status"] = json!({"failed": 1});
    assert_eq!(planned(&job, "fF").resync, Some(Duration::from_secs(20)));
}

/// Each answered failure counts twice.
#[test]
fn the_limit_is_used_up_two_at_a_time() {
    for (limit, pods) in [(0, 1), (1, 2), (2, 2), (3, 3), (4, 3), (6, 4)] {
        let mut job = job(1, Some(1), &json!({"backoffLimit": limit}));
        let ended = (1..10).find(|failures| {
            job["status"] = json!({"failed": failures - 1});
            shown(&planned(&job, &"f".repeat(*failures))).ends_with("Failed")
        });
        assert_eq!(ended, Some(pods), "with a limit of {limit}");
    }
}

#[test]
fn a_success_forgives_earlier_failures() {
    let mut job = job(1, Some(5), &json!({"backoffLimit": 1}));
    job["status"] = json!({"failed": 1, "succeeded": 1});
    // Failed, succeeded later, failed again: only the last counts.
    let mut pods = pods("fsf");
    let early = json!({"terminated": {"finishedAt": "2018-10-11T11:50:00Z"}});
    Arc::make_mut(&mut pods[0])["status"]["containerStatuses"] = json!([{"state": early}]);
    assert_eq!(retries(&job, &pods), 0);
}

#[test]
fn delays_double_up_to_six_minutes() {
    let seconds: Vec<u64> = [0, 1, 2, 3, 6, 7, 50].map(|n| backoff(n).as_secs()).to_vec();
    assert_eq!(seconds, [0, 10, 20, 40, 320, 360, 360]);
}

#[test]
fn restarts_in_place_count_against_the_limit() {
    let spec = json!({"backoffLimit": 2, "template": {"spec": {"restartPolicy": "OnFailure"}}});
    let job = job(2, Some(5), &spec);
    let now = Time::parse_rfc3339(NOW).unwrap();
    for (restarts, expected) in
        [([1, 0], "+0 -0 2/0/0"), ([1, 1], "+0 -2 0/0/2 Failed"), ([2, 0], "+0 -2 0/0/2 Failed")]
    {
        let mut pods = pods("aa");
        for (pod, count) in pods.iter_mut().zip(restarts) {
            Arc::make_mut(pod)["status"]["containerStatuses"] = json!([{"restartCount": count}]);
        }
        let plan = plan(&Observed { job: &job, pods: &pods, retries: 0, now });
        assert_eq!(shown(&plan), expected, "{restarts:?}");
    }
}

#[test]
fn a_job_ends_at_its_deadline() {
    let mut job = job(1, Some(1), &json!({"activeDeadlineSeconds": 10}));
    assert_eq!(planned(&job, "").resync, Some(Duration::from_secs(10)));
    job["status"] = json!({"startTime": "2018-10-11T11:59:55Z"});
    assert_eq!(planned(&job, "a").resync, Some(Duration::from_secs(5)));
    job["status"] = json!({"startTime": "2018-10-11T11:59:50Z"});
    let plan = planned(&job, "a");
    assert_eq!(shown(&plan), "+0 -1 0/0/1 Failed");
    let message = "Job was active longer than specified deadline";
    assert_eq!(plan.warnings, [("DeadlineExceeded", message.into())]);
    assert_eq!(plan.second.unwrap().get("failed"), None, "a second look does not count what goes");
    let status = plan.status.unwrap();
    assert_eq!(
        status["conditions"],
        json!([{"type": "Failed", "status": "True", "lastProbeTime": NOW,
            "lastTransitionTime": NOW, "reason": "DeadlineExceeded", "message": message}])
    );
    assert_eq!((status.get("completionTime"), plan.resync), (None, None));
}

#[test]
fn a_finished_job_is_left_alone() {
    for kind in ["Complete", "Failed"] {
        let mut job = job(5, Some(5), &json!({}));
        job["status"] = json!({"conditions": [{"type": kind, "status": "True"}]});
        assert_eq!(planned(&job, "aa"), Plan::default());
    }
}

#[test]
fn a_suspended_job_has_no_pods_and_no_deadline() {
    let extra = json!({"suspend": true, "activeDeadlineSeconds": 10, "backoffLimit": 0});
    let mut job = job(2, Some(5), &extra);
    let fresh = planned(&job, "");
    assert_eq!((shown(&fresh).as_str(), fresh.resync), ("+0 -0 0/0/0", None));
    assert_eq!(fresh.notes, [("Suspended", "Job suspended".into())]);
    assert_eq!(fresh.status.as_ref().unwrap().get("startTime"), None);

    job["status"] = json!({"startTime": "2018-10-11T11:00:00Z", "active": 2, "succeeded": 1});
    let plan = planned(&job, "saa");
    assert_eq!((shown(&plan).as_str(), plan.second), ("+0 -2 0/1/0", None));
    job["status"] = plan.status.unwrap();
    let rest = planned(&job, "s");
    assert_eq!((rest.status.as_ref(), rest.notes.len()), (job.get("status"), 0), "quiet");

    job["spec"]["suspend"] = json!(false);
    let resumed = planned(&job, "s");
    assert_eq!(shown(&resumed), "+2 -0 2/1/0", "the deadline counts from now");
    assert_eq!(resumed.resync, Some(Duration::from_secs(10)));
    let status = resumed.status.unwrap();
    assert_eq!(status["startTime"], NOW);
    assert_eq!(
        (&status["conditions"][0]["status"], resumed.notes[0].0),
        (&json!("False"), "Resumed")
    );
}

#[test]
fn pods_that_were_deleted_for_a_suspension_have_not_failed() {
    let mut job = job(1, Some(1), &json!({"backoffLimit": 0, "suspend": true}));
    job["status"] = json!({"conditions": [{"type": "Suspended", "status": "True"}]});
    let mut pods = pods("F");
    Arc::make_mut(&mut pods[0])["metadata"]["deletionTimestamp"] = json!(NOW);
    let now = Time::parse_rfc3339(NOW).unwrap();
    let plan = plan(&Observed { job: &job, pods: &pods, retries: retries(&job, &pods), now });
    assert_eq!(shown(&plan), "+0 -0 0/0/0");
}

/// Pods of an indexed job: an index and a letter as of [`pods`] each.
fn numbered(text: &str) -> Vec<Arc<Value>> {
    let (digits, letters): (String, String) = text.chars().partition(char::is_ascii_digit);
    let mut pods = pods(&letters);
    for (pod, digit) in pods.iter_mut().zip(digits.chars()) {
        Arc::make_mut(pod).set_annotation(index::ANNOTATION, &digit.to_string());
    }
    pods
}

#[test]
fn an_indexed_job_runs_each_index_once() {
    let mut job = job(3, Some(5), &json!({"completionMode": "Indexed"}));
    let now = Time::parse_rfc3339(NOW).unwrap();
    for (done, text, created, deleted, expected) in [
        ("", "", vec![0, 1, 2], vec![], "+3 -0 3/0/0"),
        ("", "0a1s2a", vec![3], vec![], "+1 -0 3/1/0"),
        ("", "0a1f2a", vec![1], vec![], "+1 -0 3/0/1"),
        ("", "0a0a1a", vec![2], vec!["p1"], "+1 -1 3/0/0"),
        ("", "0s0s0a1a", vec![2, 3], vec!["p2"], "+2 -1 3/1/0"),
        ("1-3", "0a", vec![4], vec![], "+1 -0 2/3/0"),
        ("0,2-4", "1s", vec![], vec![], "+0 -0 0/5/0 Complete"),
    ] {
        job["status"] = json!({"completedIndexes": done});
        let pods = numbered(text);
        let plan = plan(&Observed { job: &job, pods: &pods, retries: 0, now });
        assert_eq!(
            (&plan.indexes, &plan.delete),
            (&created, &deleted.iter().map(ToString::to_string).collect()),
            "{text}"
        );
        assert_eq!(shown(&plan), expected, "{done} with {text}");
    }
}
