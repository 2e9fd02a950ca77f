//! Table tests of the deployment planner; the rows of sizes are upstream's.

use apimachinery::json;
use world::Time;

use super::*;
use crate::deployment::replica_sets::{DESIRED_REPLICAS, MAX_REPLICAS, REVISION, ROLLBACK_TO};
use crate::deployment::sync::{Plan, Sync, plan};
use crate::deployment::{history, progress, rollback, rollout, scaling};

fn now() -> Time {
    Time::parse_rfc3339("2018-10-11T12:00:00Z").unwrap()
}

fn template(version: &str) -> Value {
    json!({"metadata": {"labels": {"app": "foo"}}, "spec": {"containers": [{"image": version}]}})
}

fn deployment(replicas: i64, surge: i64, unavailable: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "foo", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "foo"}},
            "template": template("new"), "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}},
    })
}

/// A replica set created at hour `hour`; the one of the current template is called `new`.
fn set(name: &str, hour: u8, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": name, "uid": name,
            "creationTimestamp": format!("2018-10-11T0{hour}:00:00Z")},
        "spec": {"replicas": replicas, "template": template(name)},
    })
}

fn available(mut set: Value, available: i64) -> Value {
    set.set(&["status", "availableReplicas"], json!(available));
    set
}

fn observed<'a>(deployment: &'a Value, sets: &[Value]) -> Observed<'a> {
    let replica_sets = sets.iter().cloned().map(Arc::new).collect();
    Observed { deployment, replica_sets, pods: Vec::new(), now: now() }
}

fn sizes(sync: &Sync<'_>) -> Vec<i64> {
    sync.sets.iter().map(|set| set.replicas()).collect()
}

#[test]
fn sizes_change_in_proportion() {
    // (name, wanted before and now, surge before and now, sizes oldest first, the last being new,
    // sizes after)
    type Row = (&'static str, (i64, i64), (i64, i64), &'static [i64], &'static [i64]);
    let with_new: &[Row] = &[
        ("10 -> 12", (10, 12), (0, 0), &[10], &[12]),
        ("10 -> 5", (10, 5), (0, 0), &[10], &[5]),
        ("5 -> 10", (5, 10), (0, 0), &[3, 2], &[6, 4]),
        ("5 -> 3", (5, 3), (0, 0), &[3, 2], &[2, 1]),
        ("9 -> 4", (9, 4), (0, 0), &[1, 8], &[0, 4]),
        ("7 -> 10", (7, 10), (0, 0), &[2, 3, 2], &[3, 4, 3]),
        ("13 -> 8", (13, 8), (0, 0), &[3, 8, 2], &[2, 5, 1]),
        ("leftover 3 -> 4", (3, 4), (0, 0), &[1, 1, 1], &[1, 1, 2]),
        ("leftover 3 -> 2", (3, 2), (0, 0), &[1, 1, 1], &[0, 1, 1]),
        ("surge and size", (10, 50), (3, 6), &[8, 5], &[34, 22]),
        ("saturated but broken", (2, 2), (1, 1), &[1, 2], &[1, 2]),
    ];
    let without_new: &[Row] = &[
        ("no new 4 -> 5", (4, 5), (0, 0), &[2, 2], &[2, 3]),
        ("size and template", (10, 14), (0, 0), &[3, 7], &[4, 10]),
        ("no new 3 -> 0", (3, 0), (0, 0), &[1, 2], &[0, 0]),
    ];
    let rows = with_new.iter().map(|row| (row, true));
    let rows = rows.chain(without_new.iter().map(|row| (row, false)));
    for ((name, (before, wanted), (old_surge, surge), sizes_before, expected), has_new) in rows {
        let deployment = deployment(*wanted, *surge, 1);
        let sets: Vec<Value> = sizes_before
            .iter()
            .enumerate()
            .map(|(index, size)| {
                let is_new = has_new && index + 1 == sizes_before.len();
                let name = if is_new { "new".to_owned() } else { format!("v{index}") };
                let mut set = set(&name, u8::try_from(index).unwrap(), *size);
                set.set_annotation(DESIRED_REPLICAS, &before.to_string());
                set.set_annotation(MAX_REPLICAS, &(before + old_surge).to_string());
                set
            })
            .collect();
        let mut sync = Sync::new(observed(&deployment, &sets));
        scaling::sync(&mut sync);
        assert_eq!(sizes(&sync), *expected, "{name}");
        let recorded = sync.sets.iter().map(|set| set.number(DESIRED_REPLICAS));
        let resized = sizes(&sync) != *sizes_before;
        assert!(!resized || recorded.into_iter().all(|n| n == Some(*wanted)), "{name}");
    }
}

#[test]
fn the_new_replica_set_grows_into_the_surge() {
    for (desired, surge, old, new, expected) in [
        (10, 0, 10, 0, 0),
        (10, 2, 10, 0, 2),
        (10, 2, 5, 0, 7),
        (10, 2, 10, 2, 2),
        (10, 2, 2, 11, 10),
        (1, 1, 5, 5, 1),
    ] {
        let deployment = deployment(desired, surge, 1);
        let mut sync = Sync::new(observed(&deployment, &[set("old", 1, old), set("new", 2, new)]));
        let scaled = rollout::scale_up_new(&mut sync);
        assert_eq!(sizes(&sync), [old, expected], "{desired} {surge} {old} {new}");
        assert_eq!(scaled, new != expected);
    }
}

#[test]
fn old_replica_sets_shrink_by_what_is_available_beyond_the_minimum() {
    for (desired, unavailable, (old, old_ready), (new, new_ready), expected) in [
        // One may always be unavailable when neither bound allows any.
        (10, 0, (10, 10), (0, 0), 9),
        (10, 0, (10, 10), (1, 1), 8),
        (10, 2, (10, 10), (0, 0), 8),
        // Two unavailable are dropped first; nothing available is to spare then.
        (10, 2, (10, 8), (0, 0), 8),
        // One unavailable is dropped, one available is to spare.
        (10, 2, (10, 9), (0, 0), 8),
        (10, 2, (8, 8), (2, 0), 8),
    ] {
        let deployment = deployment(desired, 0, unavailable);
        let sets =
            [available(set("old", 1, old), old_ready), available(set("new", 2, new), new_ready)];
        let mut sync = Sync::new(observed(&deployment, &sets));
        let scaled = rollout::scale_down_old(&mut sync);
        assert_eq!(sizes(&sync), [expected, new], "{desired} {unavailable} {old} {new}");
        assert_eq!(scaled, old != expected);
    }
}

#[test]
fn unavailable_replicas_are_dropped_first() {
    for (old, ready, at_most, dropped) in
        [(10, 8, 1, 1), (10, 8, 3, 2), (10, 8, 0, 0), (10, 10, 3, 0)]
    {
        let deployment = deployment(10, 2, 2);
        let sets = [available(set("old", 1, old), ready)];
        let mut sync = Sync::new(observed(&deployment, &sets));
        assert_eq!(rollout::drop_unhealthy(&mut sync, &[0], at_most), dropped);
        assert_eq!(sizes(&sync), [old - dropped]);
    }
    for (ready, expected) in [(10, 8), (8, 10), (9, 9)] {
        let deployment = deployment(10, 0, 2);
        let sets = [available(set("old", 1, 10), ready)];
        let mut sync = Sync::new(observed(&deployment, &sets));
        rollout::drop_available(&mut sync, &[0], 8);
        assert_eq!(sizes(&sync), [expected], "{ready} ready");
    }
}

#[test]
fn history_beyond_the_limit_goes_oldest_first_if_empty() {
    let with_pods = |mut set: Value, pods: i64| {
        set.set(&["status", "replicas"], json!(pods));
        set
    };
    let rows = [
        (1, vec![set("a", 1, 0), set("b", 2, 0), set("c", 3, 0)], vec!["a", "b"]),
        (
            0,
            vec![
                set("a", 1, 0),
                with_pods(set("b", 2, 0), 1),
                set("c", 3, 1),
                with_pods(set("d", 4, 1), 1),
            ],
            vec!["a"],
        ),
        (0, vec![with_pods(set("a", 1, 1), 1)], vec![]),
        (10, vec![set("a", 1, 0)], vec![]),
    ];
    for (limit, sets, expected) in rows {
        let mut deployment = deployment(1, 0, 1);
        deployment.set(&["spec", "revisionHistoryLimit"], json!(limit));
        let mut sync = Sync::new(observed(&deployment, &sets));
        history::prune(&mut sync);
        assert_eq!(sync.prune, expected, "limit {limit}");
    }
}

#[test]
fn progress_is_any_counter_moving_the_right_way() {
    let status = |replicas: i64, updated: i64, ready: i64, available: i64| {
        json!({"replicas": replicas, "updatedReplicas": updated, "readyReplicas": ready,
            "availableReplicas": available})
    };
    for (old, new, expected) in [
        (status(10, 4, 4, 4), status(10, 6, 4, 4), true),
        (status(10, 4, 4, 4), status(10, 4, 4, 4), false),
        (status(10, 4, 4, 4), status(8, 4, 4, 4), true),
        (status(10, 10, 10, 9), status(10, 10, 10, 10), true),
        (status(10, 10, 9, 9), status(10, 10, 10, 9), true),
        (status(10, 4, 5, 5), status(10, 4, 4, 4), false),
    ] {
        assert_eq!(progress::is_progressing(&old, &new), expected, "{old} {new}");
    }
}

#[test]
fn a_rollout_times_out_strictly_after_its_deadline() {
    for (deadline, since, reason, expected) in [
        (None, "2018-10-11T11:59:49Z", "", false),
        (Some(10), "2018-10-11T11:59:49Z", "", true),
        (Some(10), "2018-10-11T11:59:50Z", "", false),
        (Some(10), "2018-10-11T11:59:51Z", "", false),
        (Some(10), "2018-10-11T11:00:00Z", "NewReplicaSetAvailable", false),
        (Some(10), "2018-10-11T11:59:59Z", "ProgressDeadlineExceeded", true),
    ] {
        let mut deployment = deployment(1, 0, 1);
        if let Some(seconds) = deadline {
            deployment.set(&["spec", "progressDeadlineSeconds"], json!(seconds));
        }
        let condition = json!({"type": "Progressing", "status": "True", "reason": reason,
            "lastUpdateTime": since});
        let late = progress::is_timed_out(&deployment, &[condition], now());
        assert_eq!(late, expected, "{deadline:?} {since} {reason}");
    }
}

/// The first status of `plan`, and all other actions in short.
fn shorten(plan: &Plan) -> (Vec<String>, Option<Value>) {
    let mut status = None;
    let mut short = Vec::new();
    for action in &plan.actions {
        let set = |verb: &str, set: &Value, notes: &[Note]| {
            let notes: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
            format!("{verb} {} [{}]", set.int_at(&["spec", "replicas"]).unwrap(), notes.join("; "))
        };
        match action {
            Action::CreateReplicaSet(value, notes) => short.push(set("create", value, notes)),
            Action::UpdateReplicaSet(value, notes) => short.push(set("update", value, notes)),
            Action::DeleteReplicaSet(name) => short.push(format!("delete {name}")),
            Action::UpdateDeployment(_) => short.push("update deployment".to_owned()),
            Action::UpdateStatus(value, revision) => {
                short.extend(revision.iter().map(|revision| format!("revision {revision}")));
                status = Some(value.clone());
            }
            Action::Event(note) => short.push(note.message.clone()),
        }
    }
    (short, status)
}

#[test]
fn the_first_sync_creates_the_replica_set_and_starts_the_clock() {
    let mut deployment = deployment(3, 1, 1);
    deployment.set(&["spec", "progressDeadlineSeconds"], json!(600));
    let plan = plan(observed(&deployment, &[]));
    let Action::CreateReplicaSet(set, _) = &plan.actions[0] else { panic!("{plan:?}") };
    let (short, status) = shorten(&plan);
    let expected = format!("create 3 [Scaled up replica set {} to 3]", set.name());
    assert_eq!(short, [expected, "revision 1".to_owned()]);
    let time = "2018-10-11T12:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastUpdateTime": time, "lastTransitionTime": time})
    };
    let created = format!("Created new replica set {:?}", set.name());
    assert_eq!(
        status.unwrap(),
        json!({"observedGeneration": 1, "unavailableReplicas": 3, "conditions": [
            condition("Progressing", "True", "NewReplicaSetCreated", &created),
            condition("Available", "False", "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability."),
        ]})
    );
    assert_eq!(plan.resync, Some(std::time::Duration::from_secs(601)));
}

/// What the replica set controller makes of a new set: all replicas there and available.
fn settled(set: &Value) -> Value {
    let mut set = set.clone();
    let replicas = set.int_at(&["spec", "replicas"]).unwrap();
    set.set(&["metadata", "uid"], json!("new"));
    set.set(&["metadata", "creationTimestamp"], json!("2018-10-11T11:00:00Z"));
    set.set(
        &["status"],
        json!({"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}),
    );
    set
}

#[test]
fn a_settled_deployment_gives_no_actions() {
    let mut deployment = deployment(3, 1, 1);
    deployment.set(&["spec", "progressDeadlineSeconds"], json!(600));
    let first = plan(observed(&deployment, &[]));
    let Action::CreateReplicaSet(set, _) = &first.actions[0] else { panic!("{first:?}") };
    let set = settled(set);
    deployment.set(&["status"], shorten(&first).1.unwrap());
    deployment.set_annotation(REVISION, "1");
    let (short, status) = shorten(&plan(observed(&deployment, std::slice::from_ref(&set))));
    assert!(short.is_empty(), "{short:?}");
    let status = status.unwrap();
    let reasons: Vec<&str> =
        status.list_at(&["conditions"]).iter().map(|c| c.str_at(&["reason"])).collect();
    assert_eq!(reasons, ["MinimumReplicasAvailable", "NewReplicaSetAvailable"]);
    deployment.set(&["status"], status);
    let quiet = plan(observed(&deployment, &[set]));
    assert!(quiet.actions.is_empty() && quiet.resync.is_none(), "{quiet:?}");
}

#[test]
fn recreate_waits_for_every_old_pod_to_end() {
    let mut deployment = deployment(3, 0, 0);
    deployment.set(&["spec", "strategy"], json!({"type": "Recreate"}));
    let (short, _) = shorten(&plan(observed(&deployment, &[set("old", 1, 3)])));
    assert_eq!(short, ["update 0 [Scaled down replica set old to 0]"]);

    let pod = |phase: &str| {
        Arc::new(json!({"metadata": {"ownerReferences": [{"uid": "old", "controller": true}]},
            "status": {"phase": phase}}))
    };
    for (phase, waits) in [("Running", true), ("Unknown", true), ("Failed", false)] {
        let mut observed = observed(&deployment, &[set("old", 1, 0)]);
        observed.pods = vec![pod(phase)];
        let (short, _) = shorten(&plan(observed));
        assert_eq!(short.is_empty(), waits, "{phase}: {short:?}");
    }
}

#[test]
fn pausing_stops_the_rollout_and_the_clock() {
    let mut deployment = deployment(3, 1, 1);
    deployment.set(&["spec", "progressDeadlineSeconds"], json!(600));
    deployment.set(&["spec", "paused"], json!(true));
    let (short, status) = shorten(&plan(observed(&deployment, &[set("old", 1, 2)])));
    assert_eq!(short, ["update 3 [Scaled up replica set old to 3]"]);
    assert_eq!(status.as_ref().unwrap()["conditions"][0]["reason"], "DeploymentPaused");
    // Resumed with another template: nothing but the note and the new set.
    deployment.set(&["status"], status.unwrap());
    deployment.set(&["spec", "paused"], json!(false));
    let resumed = plan(observed(&deployment, &[set("old", 1, 3)]));
    let notes =
        [Action::UpdateStatus(json!({}), None), Action::CreateReplicaSet(json!({}), vec![])];
    let same = |(a, b)| std::mem::discriminant::<Action>(a) == std::mem::discriminant(b);
    assert!(resumed.actions.len() == 2 && resumed.actions.iter().zip(&notes).all(same));
    let (_, status) = shorten(&resumed);
    assert_eq!(status.unwrap()["conditions"][0]["reason"], "DeploymentResumed");
}

#[test]
fn a_selector_of_everything_is_refused() {
    let mut deployment = deployment(3, 1, 1);
    deployment.set(&["spec", "selector"], json!({}));
    let (short, status) = shorten(&plan(observed(&deployment, &[])));
    assert_eq!(short, ["This deployment is selecting all pods. A non-empty selector is required."]);
    assert_eq!(status, Some(json!({"observedGeneration": 1})));
}

#[test]
fn a_rollback_brings_back_template_and_annotations() {
    let mut deployment = deployment(3, 1, 1);
    deployment.set_annotation(ROLLBACK_TO, "0");
    deployment.set_annotation(REVISION, "2");
    deployment.set_annotation("note", "of the new");
    let revision = |mut set: Value, revision: &str, note: &str| {
        set.set_annotation(REVISION, revision);
        set.set_annotation("note", note);
        set
    };
    let sets = [
        revision(set("old", 1, 0), "1", "of the old"),
        revision(set("new", 2, 3), "2", "of the new"),
    ];
    let run = |deployment: &Value| {
        let mut sync = Sync::new(observed(deployment, &sets));
        rollback::to(&mut sync, deployment.annotation(ROLLBACK_TO).unwrap().parse().unwrap());
        let [Action::UpdateDeployment(value), Action::Event(note)] = &sync.closing[..] else {
            panic!("{:?}", sync.closing)
        };
        (value.clone(), note.message.clone())
    };
    let (updated, message) = run(&deployment);
    assert_eq!(message, r#"Rolled back deployment "foo" to revision 1"#);
    assert_eq!(updated["spec"]["template"], template("old"));
    assert_eq!(updated["metadata"]["annotations"], json!({REVISION: "2", "note": "of the old"}));
    deployment.set_annotation(ROLLBACK_TO, "2");
    let unchanged =
        r#"The rollback revision contains the same template as current deployment "foo""#;
    assert_eq!(run(&deployment).1, unchanged);
    deployment.set_annotation(ROLLBACK_TO, "7");
    assert_eq!(run(&deployment).1, "Unable to find the revision to rollback to.");
}

/// A deployment with a deadline of ten seconds whose stored status has these counters and this
/// `Progressing` condition: status, reason, seconds since its last update.
fn stored(counters: Value, progressing: Option<(&str, &str, i64)>) -> Value {
    let mut deployment = deployment(3, 1, 1);
    deployment.set(&["spec", "progressDeadlineSeconds"], json!(10));
    deployment.set(&["status"], counters);
    if let Some((status, reason, seconds)) = progressing {
        let since = Time::from_unix_seconds(now().unix_seconds() - seconds).rfc3339();
        let condition = json!({"type": "Progressing", "status": status, "reason": reason,
            "message": "before", "lastUpdateTime": since, "lastTransitionTime": since});
        deployment.set(&["status", "conditions"], json!([condition]));
    }
    deployment
}

#[test]
fn progress_is_judged_by_what_changed_since_the_stored_status() {
    let idle = || json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3});
    let progressing = "is progressing.";
    // (stored counters, stored condition, available now) -> status, reason, end of the message, whether
    // the time of the transition stays
    for (counters, before, available_now, (status, reason, message, stays)) in [
        (idle(), None, 0, ("True", "FoundNewReplicaSet", "\"new\"", false)),
        (
            idle(),
            Some(("True", "NewReplicaSetCreated", 5)),
            0,
            ("True", "NewReplicaSetCreated", "before", true),
        ),
        (
            idle(),
            Some(("True", "NewReplicaSetCreated", 11)),
            0,
            ("False", "ProgressDeadlineExceeded", "has timed out progressing.", false),
        ),
        (
            idle(),
            Some(("True", "NewReplicaSetCreated", 11)),
            1,
            ("True", "ReplicaSetUpdated", progressing, true),
        ),
        (
            idle(),
            Some(("False", "ProgressDeadlineExceeded", 90)),
            1,
            ("True", "ReplicaSetUpdated", progressing, false),
        ),
        (
            idle(),
            Some(("False", "ProgressDeadlineExceeded", 90)),
            0,
            ("False", "ProgressDeadlineExceeded", "before", true),
        ),
        (
            idle(),
            Some(("True", "ReplicaSetUpdated", 90)),
            3,
            ("True", "NewReplicaSetAvailable", "has successfully progressed.", true),
        ),
        (
            idle(),
            Some(("True", "NewReplicaSetAvailable", 90)),
            1,
            ("True", "NewReplicaSetAvailable", "before", true),
        ),
    ] {
        let deployment = stored(counters, before);
        let mut new = available(set("new", 1, 3), available_now);
        new.set(&["status", "replicas"], json!(3));
        let (_, written) = shorten(&plan(observed(&deployment, &[new])));
        let written = written.unwrap();
        let condition = api::views::pod::condition(&json!({"status": written}), "Progressing")
            .cloned()
            .unwrap();
        let got = (condition.str_at(&["status"]), condition.str_at(&["reason"]));
        assert_eq!(got, (status, reason), "{before:?}");
        assert!(condition.str_at(&["message"]).ends_with(message), "{before:?}: {condition}");
        let moved = condition.str_at(&["lastTransitionTime"]) == now().rfc3339();
        assert_eq!(moved, !stays, "{before:?}");
    }
}

#[test]
fn availability_is_a_condition_at_the_bound() {
    // (kind, wanted, may be unavailable, available) -> whether that is enough
    for (kind, replicas, unavailable, available_now, enough) in [
        ("RollingUpdate", 3, 1, 2, "True"),
        ("RollingUpdate", 3, 1, 1, "False"),
        ("RollingUpdate", 0, 1, 0, "True"),
        ("Recreate", 3, 1, 2, "False"),
        ("Recreate", 3, 1, 3, "True"),
    ] {
        let mut deployment = deployment(replicas, 1, unavailable);
        deployment.set(&["spec", "strategy", "type"], json!(kind));
        let sets = [available(set("new", 1, replicas), available_now)];
        let status = progress::count(&Sync::new(observed(&deployment, &sets)));
        assert_eq!(status["conditions"][0]["status"], enough, "{kind} {replicas} {available_now}");
    }
}

#[test]
fn a_failure_of_a_replica_set_is_the_deployments_while_it_lasts() {
    let failing = |mut set: Value, message: &str| {
        let failure = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": message, "lastTransitionTime": "2018-10-11T11:00:00Z"});
        set.set(&["status", "conditions"], json!([failure]));
        set
    };
    for (sets, expected) in [
        (vec![failing(set("old", 1, 1), "old"), failing(set("new", 2, 2), "new")], Some("new")),
        (vec![failing(set("old", 1, 1), "old"), set("new", 2, 2)], Some("old")),
        (vec![set("old", 1, 1), set("new", 2, 2)], None),
    ] {
        let mut deployment = deployment(3, 1, 1);
        let before = failing(json!({}), "before");
        deployment.set(&["status"], before["status"].clone());
        deployment.set(&["status", "conditions", "0", "reason"], json!("FailedDelete"));
        let (_, status) = shorten(&plan(observed(&deployment, &sets)));
        let status = json!({"status": status.unwrap()});
        let failure = api::views::pod::condition(&status, "ReplicaFailure");
        let message = failure.map(|failure| failure.str_at(&["message"]).to_owned());
        assert_eq!(message.as_deref(), expected);
    }
}

#[test]
fn a_deployment_on_its_way_out_only_counts() {
    let mut deployment = deployment(3, 1, 1);
    deployment.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
    let (short, status) = shorten(&plan(observed(&deployment, &[set("old", 1, 2)])));
    assert_eq!((short.len(), status.unwrap()["unavailableReplicas"].clone()), (0, json!(2)));
}

#[test]
fn a_paused_deployment_forgets_unless_it_is_to_go_back() {
    for (rollback, expected) in [(None, vec!["delete a"]), (Some("1"), vec![])] {
        let mut deployment = deployment(1, 0, 1);
        deployment.set(&["spec", "paused"], json!(true));
        deployment.set(&["spec", "revisionHistoryLimit"], json!(0));
        if let Some(revision) = rollback {
            deployment.set_annotation(ROLLBACK_TO, revision);
        }
        let mut new = set("new", 2, 1);
        for (key, value) in [(DESIRED_REPLICAS, "1"), (MAX_REPLICAS, "1"), (REVISION, "2")] {
            new.set_annotation(key, value);
        }
        let (mut short, _) = shorten(&plan(observed(&deployment, &[set("a", 1, 0), new])));
        short.retain(|action| action.starts_with("delete"));
        assert_eq!(short, expected, "{rollback:?}");
    }
}

#[test]
fn pausing_does_not_hide_a_deadline_that_was_missed() {
    let mut deployment = stored(json!({}), Some(("False", "ProgressDeadlineExceeded", 90)));
    deployment.set(&["spec", "paused"], json!(true));
    assert_eq!(progress::note_pause(&mut Sync::new(observed(&deployment, &[]))), None);
    deployment.remove(&["spec", "progressDeadlineSeconds"]);
    deployment.remove(&["status"]);
    assert_eq!(progress::note_pause(&mut Sync::new(observed(&deployment, &[]))), None, "no clock");
}

#[test]
fn a_replica_set_that_cannot_be_made_ends_progress() {
    let mut deployment = stored(json!({}), Some(("True", "ReplicaSetUpdated", 5)));
    let failed = progress::creation_failed(&deployment, "no", now()).unwrap();
    let condition = &failed["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"], &condition["message"]),
        (&json!("False"), &json!("ReplicaSetCreateError"), &json!("no"))
    );
    deployment.remove(&["spec", "progressDeadlineSeconds"]);
    assert_eq!(progress::creation_failed(&deployment, "no", now()), None);
}

#[test]
fn recreate_makes_all_replicas_at_once_and_never_scales_in_proportion() {
    let mut deployment = deployment(3, 0, 0);
    deployment.set(&["spec", "strategy"], json!({"type": "Recreate"}));
    let (short, _) = shorten(&plan(observed(&deployment, &[set("old", 1, 0)])));
    assert!(short[0].starts_with("create 3 "), "{short:?}");
    let mut sync = Sync::new(observed(&deployment, &[set("old", 1, 2), set("new", 2, 2)]));
    scaling::sync(&mut sync);
    assert_eq!(sizes(&sync), [2, 2]);
}

#[test]
fn sizes_without_a_record_and_a_new_set_that_is_full() {
    // Without the annotation the stored number of replicas is the measure.
    let mut wider = deployment(10, 0, 1);
    wider.set(&["status", "replicas"], json!(5));
    let mut sync = Sync::new(observed(&wider, &[set("old", 1, 3), set("new", 2, 2)]));
    scaling::sync(&mut sync);
    assert_eq!(sizes(&sync), [6, 4]);
    // A new replica set with all its pods available needs no old ones.
    let full = deployment(4, 1, 1);
    let mut new = available(set("new", 2, 4), 4);
    new.set_annotation(DESIRED_REPLICAS, "4");
    let mut sync = Sync::new(observed(&full, &[set("old", 1, 2), new]));
    scaling::sync(&mut sync);
    assert_eq!(sizes(&sync), [0, 4]);
}
