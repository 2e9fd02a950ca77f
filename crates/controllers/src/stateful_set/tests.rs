//! Tables of what a stateful set does next. A pod is written `<ordinal><revision><state>`: revision
//! `a` is current and `b` the update; the state is `r` ready, `p` pending, `f` failed, `t`
//! terminating (still ready), `u` running but not ready. What is ready has been so for ten seconds.

use std::sync::Arc;

use apimachinery::json;
use world::Time;

use super::*;

fn revision(letter: char) -> Value {
    json!({
        "metadata": {"name": format!("web-{letter}")},
        "data": {"spec": {"template": {
            "$patch": "replace",
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": format!("hello:{letter}")}]},
        }}},
    })
}

fn set(replicas: i64, spec: &Value) -> Value {
    let mut set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "dev", "uid": "u", "generation": 3},
        "spec": {
            "replicas": replicas, "serviceName": "web",
            "selector": {"matchLabels": {"app": "web"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        },
        "status": {"currentRevision": "web-a"},
    });
    for (key, value) in spec.as_object().unwrap() {
        set["spec"][key] = value.clone();
    }
    set
}

fn pod(set: &Value, text: &str) -> Arc<Value> {
    let letters: Vec<char> = text.chars().collect();
    let [ordinal, letter, state] = letters[..] else { panic!("{text} is no pod") };
    let ordinal = i64::from(ordinal.to_digit(10).unwrap());
    let mut pod = pod::make(set, &revision(letter), ordinal);
    let (phase, ready) = match state {
        'r' | 't' => ("Running", "True"),
        'u' => ("Running", "False"),
        'f' => ("Failed", "False"),
        _ => ("Pending", "False"),
    };
    let since = "2018-10-11T11:59:50Z";
    pod["status"] = json!({"phase": phase,
        "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": since}]});
    if state == 't' {
        pod["metadata"]["deletionTimestamp"] = json!("2018-10-11T12:00:00Z");
    }
    Arc::new(pod)
}

/// The steps as text: `+0a` creates, `-0` deletes, `!0` tells of a failed pod, `~0` updates.
fn steps(plan: &Plan) -> String {
    let number = |name: &str| name.trim_start_matches("web-").to_owned();
    let text = |action: &Action| match action {
        Action::Create { pod, .. } => {
            format!("+{}{}", number(pod.name()), pod::revision(pod).trim_start_matches("web-"))
        }
        Action::Delete(name) => format!("-{}", number(name)),
        Action::TellFailed(name) => format!("!{}", number(name)),
        Action::Update { pod, .. } => format!("~{}", number(pod.name())),
    };
    plan.actions.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn planned(set: &Value, pods: &str, (current, update): (char, char)) -> Plan {
    let pods: Vec<_> = pods.split_whitespace().map(|text| pod(set, text)).collect();
    let (current, update) = (revision(current), revision(update));
    plan(&Observed {
        set,
        pods: &pods,
        current: &current,
        update: &update,
        collisions: 0,
        now: Time::parse_rfc3339("2018-10-11T12:00:00Z").unwrap(),
    })
}

#[test]
fn ordered_sets_take_one_step_at_a_time() {
    let set = set(3, &json!({}));
    for (pods, expected) in [
        ("", "+0a"),
        ("0ap", ""),
        ("0au", ""),
        ("0ar", "+1a"),
        ("0ar 1ar", "+2a"),
        ("0ar 2ar", "+1a"),
        ("0at 1ar 2ar", ""),
        ("0ar 1ar 2ar", ""),
        ("0af", "!0 -0 +0a"),
        ("0ar 1af 2ar", "!1 -1 +1a"),
        ("0ar 1ar 2ar 3ar 4ar", "-4"),
        ("0ar 1ar 2ar 3ar 4at", ""),
        ("0ar 1ar 2ar 3ar 4ap", "-4"),
        ("0ar 1ar 2ar 3ap 4ap", ""),
        ("0ar 1ap 2ar 3ar", ""),
    ] {
        assert_eq!(steps(&planned(&set, pods, ('a', 'a'))), expected, "with {pods}");
    }
}

#[test]
fn steps_wait_until_pods_have_been_ready_for_long_enough() {
    for (seconds, pods, revisions, expected, available, resync) in [
        (10, "0ar", ('a', 'a'), "+1a", 1, None),
        (15, "0ar", ('a', 'a'), "", 0, Some(5)),
        (15, "0au", ('a', 'a'), "", 0, None),
        (15, "0ar 1ar 2br", ('a', 'b'), "", 0, Some(5)),
        (10, "0ar 1ar 2br", ('a', 'b'), "-1", 3, None),
        (15, "0ar 1ar 2ar 3ar", ('a', 'a'), "", 0, Some(5)),
    ] {
        let set = set(3, &json!({"minReadySeconds": seconds}));
        let plan = planned(&set, pods, revisions);
        assert_eq!(steps(&plan), expected, "{seconds} s with {pods}");
        assert_eq!(plan.status["availableReplicas"], available, "{seconds} s with {pods}");
        assert_eq!(plan.resync.map(|wait| wait.as_secs()), resync, "{seconds} s with {pods}");
    }
}

#[test]
fn parallel_sets_create_and_delete_at_once() {
    let set = set(3, &json!({"podManagementPolicy": "Parallel"}));
    for (pods, expected) in [
        ("", "+0a +1a +2a"),
        ("0ap", "+1a +2a"),
        ("0at 1ap", "+2a"),
        ("0ap 1ap 2ap 3ap 4ar", "-4 -3"),
        ("0ar 1af 2ar", "!1 -1 +1a"),
        ("0ar 1ar 2ar 3at 4ar", "-4"),
    ] {
        assert_eq!(steps(&planned(&set, pods, ('a', 'a'))), expected, "with {pods}");
    }
}

#[test]
fn rolling_updates_go_down_to_the_partition() {
    let with = |partition: i64| {
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
        set(3, &json!({"updateStrategy": rolling}))
    };
    for (partition, pods, expected) in [
        (0, "0ar 1ar 2ar", "-2"),
        (0, "0ar 1ar 2at", ""),
        (0, "0ar 1ar", "+2b"),
        (0, "0ar 1ar 2bp", ""),
        (0, "0ar 1ar 2br", "-1"),
        (0, "0ar 1br 2br", "-0"),
        (0, "0br 1br 2br", ""),
        (2, "0ar 1ar 2ar", "-2"),
        (2, "0ar 1ar 2br", ""),
        (2, "0ar 2br", "+1a"),
        (2, "0ar 1ar", "+2b"),
        (5, "0ar 1ar 2ar", ""),
        (5, "0ar 1ar", "+2a"),
    ] {
        let set = with(partition);
        assert_eq!(steps(&planned(&set, pods, ('a', 'b'))), expected, "{partition} with {pods}");
    }
}

#[test]
fn without_a_partition_what_is_missing_below_the_current_replicas_stays_old() {
    let mut set = set(3, &json!({"updateStrategy": {"type": "RollingUpdate"}}));
    set["status"]["currentReplicas"] = json!(2);
    assert_eq!(steps(&planned(&set, "0ar 2br", ('a', 'b'))), "+1a");
    assert_eq!(steps(&planned(&set, "0ar 1ar", ('a', 'b'))), "+2b");
}

#[test]
fn on_delete_waits_for_somebody_to_delete() {
    let set = set(3, &json!({"updateStrategy": {"type": "OnDelete"}}));
    assert_eq!(steps(&planned(&set, "0ar 1ar 2ar", ('a', 'b'))), "");
    assert_eq!(steps(&planned(&set, "0ar 2ar", ('a', 'b'))), "+1b");
    let status = planned(&set, "0br 1br 2br", ('a', 'b')).status;
    assert_eq!(status["currentRevision"], "web-a", "never complete");
}

#[test]
fn a_set_on_its_way_out_only_counts() {
    let mut set = set(3, &json!({}));
    set["metadata"]["deletionTimestamp"] = json!("2018-10-11T12:00:00Z");
    let plan = planned(&set, "0ar", ('a', 'a'));
    assert_eq!((steps(&plan).as_str(), &plan.status["replicas"]), ("", &json!(1)));
}

#[test]
fn the_status_counts_what_the_steps_will_have_done() {
    let set = set(3, &json!({}));
    for (pods, revisions, current, expected) in [
        ("", ('a', 'a'), "a", json!([1, null, 1, 1])),
        ("0ar", ('a', 'a'), "a", json!([2, 1, 2, 2])),
        ("0ar 1ar 2ar", ('a', 'a'), "a", json!([3, 3, 3, 3])),
        ("0ar 1ar 2ar", ('a', 'b'), "a", json!([3, 3, 2, null])),
        ("0ar 1ar 2at", ('a', 'b'), "a", json!([3, 3, 2, null])),
        ("0ar 1ar", ('a', 'b'), "a", json!([3, 2, 2, 1])),
        ("0ar 1br 2br", ('a', 'b'), "a", json!([3, 3, null, 2])),
        ("0br 1br 2bp", ('a', 'b'), "a", json!([3, 2, null, 3])),
        ("0br 1br 2br", ('a', 'b'), "b", json!([3, 3, 3, 3])),
    ] {
        let status = planned(&set, pods, revisions).status;
        let counters = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas"];
        let got: Vec<Value> =
            counters.iter().map(|c| status.get(*c).cloned().unwrap_or_default()).collect();
        assert_eq!(json!(got), expected, "{revisions:?} with {pods}");
        assert_eq!(status["currentRevision"], format!("web-{current}"), "with {pods}");
    }
}

#[test]
fn a_pod_has_its_name_its_claims_and_its_host() {
    let set = set(
        1,
        &json!({"volumeClaimTemplates": [{
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"]},
            "status": {"phase": "Pending"},
        }]}),
    );
    let mut old = revision('a');
    old["data"]["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]);
    let pod = pod::make(&set, &old, 7);
    assert_eq!(pod.name(), "web-7");
    assert_eq!(pod["metadata"]["generateName"], "web-");
    assert_eq!(
        pod["metadata"]["labels"],
        json!({"app": "web", "controller-revision-hash": "web-a",
            "statefulset.kubernetes.io/pod-name": "web-7"})
    );
    assert_eq!(
        (&pod["spec"]["hostname"], &pod["spec"]["subdomain"]),
        (&json!("web-7"), &json!("web"))
    );
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-7"}},
            {"name": "tmp", "emptyDir": {}}])
    );
    let (template, claim) = &pod::claims(&set, 7)[0];
    assert_eq!((template.as_str(), claim.name(), claim.namespace()), ("data", "data-web-7", "dev"));
    assert_eq!(claim["metadata"]["labels"], json!({"app": "web"}));
    assert!(claim.get("status").is_none());
    assert!(pod::identity_matches(&set, &pod) && pod::storage_matches(&set, &pod));
}

#[test]
fn a_pod_that_lost_its_label_gets_it_back() {
    let set = set(1, &json!({}));
    let mut lost = (*pod(&set, "0ar")).clone();
    drop(lost.remove(&["metadata", "labels", pod::POD_NAME]));
    let pods = [Arc::new(lost)];
    let current = revision('a');
    let observed = Observed {
        set: &set,
        pods: &pods,
        current: &current,
        update: &current,
        collisions: 0,
        now: Time::default(),
    };
    let plan = plan(&observed);
    assert_eq!(steps(&plan), "~0");
    let Action::Update { pod, .. } = &plan.actions[0] else { panic!("an update") };
    assert_eq!(pod.label(pod::POD_NAME), "web-0");
}

#[test]
fn ordinals_are_the_digits_at_the_end() {
    for (name, expected) in [
        ("web-0", Some(("web", 0))),
        ("a-b-12", Some(("a-b", 12))),
        ("web", None),
        ("web-x", None),
        ("web-", None),
        ("web-99999999999", None),
    ] {
        assert_eq!(pod::parent_and_ordinal(name), expected, "{name}");
    }
}

#[test]
fn a_rollout_held_back_by_a_partition_is_never_complete() {
    let with = |partition: i64| {
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
        set(3, &json!({"updateStrategy": rolling}))
    };
    for (partition, pods, current) in
        [(2, "0ar 1ar 2br", "web-a"), (2, "0br 1br 2br", "web-b"), (0, "0br 1br 2bu", "web-a")]
    {
        let status = planned(&with(partition), pods, ('a', 'b')).status;
        assert_eq!(status["currentRevision"], current, "{partition} with {pods}");
    }
}

#[test]
fn a_pod_that_lost_its_volume_gets_it_back_with_its_claim() {
    let template = json!([{"metadata": {"name": "data"}, "spec": {}}]);
    let set = set(1, &json!({"volumeClaimTemplates": template}));
    let mut bare = (*pod(&set, "0ar")).clone();
    bare.set(&["spec", "volumes"], json!([]));
    let (pods, current) = ([Arc::new(bare)], revision('a'));
    let observed = Observed {
        set: &set,
        pods: &pods,
        current: &current,
        update: &current,
        collisions: 0,
        now: Time::parse_rfc3339("2018-10-11T12:00:00Z").unwrap(),
    };
    let [Action::Update { pod, claims }] = &plan(&observed).actions[..] else {
        panic!("an update")
    };
    assert!(pod::storage_matches(&set, pod));
    assert_eq!(claims[0].name(), "data-web-0");
}
