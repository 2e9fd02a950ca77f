//! Tables of phases and statuses.

use apimachinery::json;

use super::*;
use crate::record::{Exit, Sandbox};

fn status_of(state: &str) -> Value {
    let terminated = |code: i64| json!({"terminated": {"exitCode": code}});
    match state {
        "r" => json!({"state": {"running": {}}}),
        "w" => json!({"state": {"waiting": {}}}),
        "u" => json!({"state": {}}),
        // Waiting to be started again after an exit.
        b if b.starts_with('b') => {
            json!({"state": {"waiting": {}}, "lastState": terminated(b[1..].parse().unwrap())})
        }
        code => json!({"state": terminated(code.parse().unwrap())}),
    }
}

#[test]
fn phases() {
    let statuses = |text: &str| text.split_whitespace().map(status_of).collect::<Vec<_>>();
    for (policy, inits, apps, expected) in [
        ("Always", "", "w w", "Pending"),
        ("Always", "", "r r", "Running"),
        ("Always", "", "r w", "Pending"),
        ("Always", "", "r u", "Pending"),
        ("Always", "", "r 1", "Running"),
        ("Always", "", "0 0", "Running"),
        ("Always", "", "b1 b0", "Running"),
        ("Always", "", "r b1", "Running"),
        ("Never", "", "0 0", "Succeeded"),
        ("Never", "", "0 1", "Failed"),
        ("Never", "", "r 1", "Running"),
        ("OnFailure", "", "0 0", "Succeeded"),
        ("OnFailure", "", "0 1", "Running"),
        ("OnFailure", "", "0 b1", "Running"),
        ("Always", "r", "w w", "Pending"),
        ("Always", "0 w", "w w", "Pending"),
        ("Always", "0 0", "r r", "Running"),
        ("Always", "b1", "w w", "Pending"),
        ("Never", "1", "w w", "Failed"),
        ("OnFailure", "1", "w w", "Pending"),
    ] {
        let pod = json!({"spec": {"restartPolicy": policy}});
        let found = phase(RestartPolicy::of(&pod), &statuses(inits), &statuses(apps));
        assert_eq!(found, expected, "{policy} [{inits}] [{apps}]");
    }
}

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_539_259_200 + seconds)
}

fn instance(attempt: u32, exit: Option<i64>) -> Instance {
    Instance {
        id: format!("c{attempt}").into(),
        attempt,
        image: "hello:1".into(),
        image_id: "docker://sha256:1".into(),
        created_at: at(1),
        started_at: Some(at(2)),
        exit: exit.map(|code| {
            let reason = if code == 0 { "Completed" } else { "Error" };
            Box::new(Exit { code, reason, message: String::new(), finished_at: at(3) })
        }),
        hash: 0,
    }
}

fn status(pod: &Value, record: &PodRecord) -> Value {
    pod_status(&Input { pod, record, host_ip: "10.0.0.1", scheme: "docker", now: at(9) })
}

fn hello() -> Value {
    json!({
        "spec": {"restartPolicy": "Always", "containers": [{"name": "web", "image": "hello:1"}]},
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    })
}

#[test]
fn a_new_pod_waits_for_its_container() {
    insta::assert_snapshot!(status(&hello(), &PodRecord::new(at(0))), @r#"{"conditions":[{"lastTransitionTime":"2018-10-11T12:00:09Z","status":"True","type":"Initialized"},{"lastTransitionTime":"2018-10-11T12:00:09Z","message":"containers with unready status: [web]","reason":"ContainersNotReady","status":"False","type":"Ready"},{"lastTransitionTime":"2018-10-11T12:00:09Z","message":"containers with unready status: [web]","reason":"ContainersNotReady","status":"False","type":"ContainersReady"},{"lastTransitionTime":"2018-10-11T12:00:09Z","status":"True","type":"PodScheduled"}],"containerStatuses":[{"image":"hello:1","imageID":"","lastState":{},"name":"web","ready":false,"restartCount":0,"state":{"waiting":{"reason":"ContainerCreating"}}}],"hostIP":"10.0.0.1","phase":"Pending","qosClass":"BestEffort","startTime":"2018-10-11T12:00:00Z"}"#);
}

#[test]
fn a_running_pod_is_ready_and_has_an_address() {
    let mut record = PodRecord::new(at(0));
    record.sandbox = Sandbox::Ready { id: "s".into(), ip: "10.128.0.2".into() };
    record.container_mut("web").current = Some(instance(0, None));
    insta::assert_snapshot!(status(&hello(), &record), @r#"{"conditions":[{"lastTransitionTime":"2018-10-11T12:00:09Z","status":"True","type":"Initialized"},{"lastTransitionTime":"2018-10-11T12:00:09Z","status":"True","type":"Ready"},{"lastTransitionTime":"2018-10-11T12:00:09Z","status":"True","type":"ContainersReady"},{"lastTransitionTime":"2018-10-11T12:00:09Z","status":"True","type":"PodScheduled"}],"containerStatuses":[{"containerID":"docker://c0","image":"hello:1","imageID":"docker://sha256:1","lastState":{},"name":"web","ready":true,"restartCount":0,"state":{"running":{"startedAt":"2018-10-11T12:00:02Z"}}}],"hostIP":"10.0.0.1","phase":"Running","podIP":"10.128.0.2","qosClass":"BestEffort","startTime":"2018-10-11T12:00:00Z"}"#);
    record.container_mut("web").readiness = Some(false);
    let unready = status(&hello(), &record);
    assert_eq!(unready["containerStatuses"][0]["ready"], false);
    assert_eq!(unready["phase"], "Running");
}

#[test]
fn of_a_pod_that_ran_too_long_nothing_else_is_told() {
    let mut record = PodRecord::new(at(0));
    record.container_mut("web").current = Some(instance(0, Some(137)));
    record.failed = Some(Box::new(("DeadlineExceeded".to_owned(), "too long".to_owned())));
    let told = json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "too long",
        "startTime": "2018-10-11T12:00:00Z"});
    assert_eq!(status(&hello(), &record), told);
}

#[test]
fn a_failed_start_hides_the_exit_before() {
    let mut record = PodRecord::new(at(0));
    let web = record.container_mut("web");
    web.current = Some(instance(1, Some(1)));
    web.previous = Some(Box::new(instance(0, Some(1))));
    let before = status(&hello(), &record);
    assert_eq!(before["containerStatuses"][0]["state"]["terminated"]["containerID"], "docker://c1");
    assert_eq!(
        before["containerStatuses"][0]["lastState"]["terminated"]["containerID"],
        "docker://c0"
    );
    record.container_mut("web").waiting =
        Some(Box::new(("CrashLoopBackOff".to_owned(), "Back-off 10s".to_owned())));
    let after = status(&hello(), &record);
    let container = &after["containerStatuses"][0];
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "Back-off 10s"}});
    assert_eq!(container["state"], waiting);
    assert_eq!(container["lastState"]["terminated"]["containerID"], "docker://c1");
    assert_eq!(container["restartCount"], 1);
    assert_eq!(after["phase"], "Running");
}

#[test]
fn transition_times_last_while_the_status_does() {
    let record = PodRecord::new(at(0));
    let mut pod = hello();
    pod["status"] = status(&pod, &record);
    let later = pod_status(&Input {
        pod: &pod,
        record: &record,
        host_ip: "10.0.0.1",
        scheme: "docker",
        now: at(99),
    });
    assert_eq!(later, pod["status"]);
}

#[test]
fn a_final_phase_stays() {
    let mut pod = hello();
    pod["status"]["phase"] = json!("Succeeded");
    let mut record = PodRecord::new(at(0));
    record.container_mut("web").current = Some(instance(0, Some(1)));
    assert_eq!(status(&pod, &record)["phase"], "Succeeded");
}

#[test]
fn what_waits_in_a_pod_that_goes_has_ended() {
    let ran = json!({"terminated": {"exitCode": 3}});
    let status = json!({"containerStatuses": [
        {"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}},
        {"name": "b", "state": ran},
    ]});
    let ended = terminated(&status).unwrap();
    let never = json!({"terminated": {"exitCode": 0, "startedAt": null, "finishedAt": null}});
    assert_eq!(ended["containerStatuses"][0]["state"], never);
    assert_eq!(ended["containerStatuses"][1]["state"], ran);
    assert_eq!(terminated(&ended), None);
}

#[test]
fn messages_share_twelve_kibibytes() {
    let long = |n: usize| json!({"state": {"terminated": {"message": "ä".repeat(n)}}});
    let (mut inits, mut apps) = ([long(10)], [long(5000), long(1)]);
    limit_messages(&mut inits, &mut apps);
    let length = |status: &Value| status.str_at(&["state", "terminated", "message"]).len();
    assert_eq!([length(&inits[0]), length(&apps[0]), length(&apps[1])], [20, 4096, 2]);
}

#[test]
fn an_init_container_that_has_ended_may_be_removed() {
    let told = json!({"name": "first", "state": {"terminated": {"exitCode": 0}}});
    let pod = json!({
        "spec": {
            "initContainers": [{"name": "first"}, {"name": "second"}],
            "containers": [{"name": "main"}],
        },
        "status": {"initContainerStatuses": [told]},
    });
    let status = pod_status(&Input {
        pod: &pod,
        record: &PodRecord::new(at(0)),
        host_ip: "",
        scheme: "sim",
        now: at(0),
    });
    let inits = status.list_at(&["initContainerStatuses"]);
    assert_eq!(inits[0], told);
    assert_eq!(inits[1].str_at(&["state", "waiting", "reason"]), "PodInitializing");
}
