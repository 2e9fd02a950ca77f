//! Lives of pods.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::{DeleteOptions, PodLogs as _};

use crate::fixture::{Fixture, condition, main_status};

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready") == "True"
}

#[test]
fn a_pod_runs_is_ready_and_goes() {
    let mut fixture =
        Fixture::new(1, &[("app:1", r#"{"logs": ["hello"], "http": {"/": {"body": "v1"}}}"#)]);
    fixture.pod("web", &json!({}), &json!({}));
    let pod = fixture.until("web", is_ready);
    assert_eq!(pod.str_at(&["status", "phase"]), "Running");
    assert_eq!(pod.str_at(&["status", "hostIP"]), "10.0.0.1");
    let ip = pod.str_at(&["status", "podIP"]);
    assert!(ip.starts_with("10.128."), "{ip}");
    assert!(main_status(&pod).str_at(&["imageID"]).starts_with("docker-pullable://app@sha256:"));
    insta::assert_snapshot!(fixture.events().join("\n"), @r#"
    1 Normal Pulled: Container image "app:1" already present on machine
    1 Normal Created: Created container
    1 Normal Started: Started container
    "#);
    assert_eq!(fixture.control.http_get(ip, 8080, "/").unwrap().body, "v1");
    let mut log = fixture.logs.open(&pod, "main", &apiserver::LogOptions::default()).unwrap();
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    let text = log.as_mut().poll_next(&mut task);
    assert_eq!(text, std::task::Poll::Ready(Some("hello\n".into())));

    // A settled pod is left alone.
    let before = pod.resource_version().to_owned();
    fixture.run(600);
    assert_eq!(fixture.get("web").unwrap().resource_version(), before);

    fixture.client().delete(&api::PODS, "default", "web", DeleteOptions::default()).unwrap();
    assert!(fixture.get("web").unwrap().deletion_timestamp().is_some());
    fixture.run(5);
    assert_eq!(fixture.get("web"), None);
    assert!(fixture.control.http_get(ip, 8080, "/").is_err());
    let last = fixture.events().pop().unwrap();
    assert_eq!(last, "1 Normal Killing: Killing container with id sim://main:Need to kill Pod");
}

#[test]
fn pods_that_wait_for_the_same_have_one_status() {
    let mut fixture = Fixture::new(1, &[("app:1", "{}")]);
    let pods = ["one", "other"].map(|name| {
        fixture.pod(name, &json!({}), &json!({}));
        name
    });
    let waits = |pod: &Value| main_status(pod).at(&["state", "waiting"]).is_some();
    let [one, other] = pods.map(|name| fixture.until(name, waits));
    let status = |pod: &Value| pod.map_at(&["status"]).unwrap().clone();
    assert!(status(&one).is_same(&status(&other)));
}

#[test]
fn a_status_that_somebody_else_wrote_is_put_right() {
    let mut fixture = Fixture::new(1, &[("app:1", "{}")]);
    fixture.pod("web", &json!({}), &json!({}));
    let pod = fixture.until("web", is_ready);
    let mut wrong = (*pod).clone();
    wrong["status"]["reason"] = json!("NodeLost");
    wrong["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    fixture.client().update_status(&api::PODS, wrong).unwrap();
    fixture.run(1);
    let mended = fixture.get("web").unwrap();
    assert_eq!((mended.str_at(&["status", "reason"]), is_ready(&mended)), ("", true));
}

#[test]
fn a_failing_container_backs_off() {
    let mut fixture = Fixture::new(1, &[("app:1", r#"{"exit": {"code": 1, "afterSeconds": 1}}"#)]);
    fixture.pod("crash", &json!({}), &json!({}));
    let waiting = |pod: &Value| {
        main_status(pod).str_at(&["state", "waiting", "reason"]) == "CrashLoopBackOff"
    };
    let pod = fixture.until("crash", waiting);
    let message =
        format!("Back-off 10s restarting failed container=main pod=crash_default({})", pod.uid());
    let status = main_status(&pod);
    assert_eq!(status.str_at(&["state", "waiting", "message"]), message);
    assert_eq!(status.int_at(&["lastState", "terminated", "exitCode"]), Some(1));
    assert_eq!(pod.str_at(&["status", "phase"]), "Running");
    let mut start = fixture.world.now();
    let mut gaps = Vec::new();
    for restarts in 2..9 {
        fixture.until("crash", |pod| main_status(pod).int_at(&["restartCount"]) == Some(restarts));
        gaps.push((fixture.world.now() - start).as_secs());
        start = fixture.world.now();
    }
    // 20, 40 … 300 seconds apart, each up to 15 seconds late, plus a start and a life of a second.
    let expected = [0, 20, 40, 80, 160, 300, 300];
    for (gap, least) in gaps.iter().zip(expected) {
        assert!((least..least + 18).contains(gap), "{gaps:?}");
    }
    assert!(
        fixture
            .events()
            .iter()
            .any(|e| e.ends_with("BackOff: Back-off restarting failed container"))
    );
}

#[test]
fn a_missing_image_is_tried_again() {
    let mut fixture = Fixture::new(1, &[("app:1", r#"{"missing": true}"#)]);
    fixture.pod("pull", &json!({}), &json!({}));
    let reason = |pod: &Value| main_status(pod).str_at(&["state", "waiting", "reason"]).to_owned();
    let pod = fixture.until("pull", |pod| reason(pod) == "ErrImagePull");
    let text = "rpc error: code = Unknown desc = Error response from daemon: manifest for app:1 not \
                found: manifest unknown: manifest unknown";
    assert_eq!(main_status(&pod).str_at(&["state", "waiting", "message"]), text);
    let pod = fixture.until("pull", |pod| reason(pod) == "ImagePullBackOff");
    let text = "Back-off pulling image \"app:1\"";
    assert_eq!(main_status(&pod).str_at(&["state", "waiting", "message"]), text);
    assert_eq!(pod.str_at(&["status", "phase"]), "Pending");
    let events = fixture.events();
    for expected in [
        "Normal Pulling: pulling image \"app:1\"",
        "Warning Failed: Failed to pull image \"app:1\": rpc error: code = Unknown desc = Error response from daemon: manifest for app:1 not found: manifest unknown: manifest unknown",
        "Warning Failed: Error: ErrImagePull",
        "Normal BackOff: Back-off pulling image \"app:1\"",
        "Warning Failed: Error: ImagePullBackOff",
    ] {
        assert!(events.iter().any(|e| e.ends_with(expected)), "{expected} in {events:#?}");
    }
    // Deleted while it waits, it goes at once.
    fixture.client().delete(&api::PODS, "default", "pull", DeleteOptions::default()).unwrap();
    fixture.run(5);
    assert_eq!(fixture.get("pull"), None);
}

#[test]
fn readiness_follows_the_probe() {
    let behaviour = r#"{"readyAfterSeconds": 20, "unhealthyAfterSeconds": 60}"#;
    let mut fixture = Fixture::new(1, &[("app:1", behaviour)]);
    let probe =
        json!({"readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 2}});
    fixture.pod("web", &json!({}), &probe);
    let running = |pod: &Value| pod.str_at(&["status", "phase"]) == "Running";
    let pod = fixture.until("web", running);
    assert!(!is_ready(&pod));
    let start = fixture.world.now();
    fixture.until("web", is_ready);
    let after = (fixture.world.now() - start).as_secs();
    assert!((20..23).contains(&after), "{after}");
    fixture.until("web", |pod| !is_ready(pod));
    let after = (fixture.world.now() - start).as_secs();
    assert!((64..68).contains(&after), "three failures in a row: {after}");
    let ip = pod.str_at(&["status", "podIP"]);
    let text = format!(
        "Warning Unhealthy: Readiness probe failed: Get http://{ip}:8080/: dial tcp {ip}:8080: connect: connection refused"
    );
    assert!(fixture.events().iter().any(|e| e.ends_with(&text)), "{:#?}", fixture.events());
}

#[test]
fn a_container_that_is_not_live_is_restarted() {
    let mut fixture = Fixture::new(1, &[("app:1", r#"{"unhealthyAfterSeconds": 30}"#)]);
    let probe = json!({"livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 5}});
    fixture.pod("web", &json!({}), &probe);
    let pod = fixture.until("web", |pod| main_status(pod).int_at(&["restartCount"]) == Some(1));
    assert!(main_status(&pod).at(&["lastState", "terminated"]).is_some());
    let text = "Normal Killing: Killing container with id sim://main:Container failed liveness \
                probe.. Container will be killed and recreated.";
    assert!(fixture.events().iter().any(|e| e.ends_with(text)), "{:#?}", fixture.events());
    // The second restart is immediate as well.
    fixture.until("web", |pod| main_status(pod).int_at(&["restartCount"]) == Some(2));
    assert!(fixture.events().iter().all(|e| !e.contains("BackOff")));
}

#[test]
fn a_job_pod_succeeds_after_its_init_containers() {
    let images = [
        ("app:1", r#"{"exit": {"afterSeconds": 5}}"#),
        ("init:1", r#"{"exit": {"afterSeconds": 2}}"#),
    ];
    let mut fixture = Fixture::new(1, &images);
    let inits = json!([{"name": "a", "image": "init:1"}, {"name": "b", "image": "init:1"}]);
    let spec = json!({"restartPolicy": "Never", "initContainers": inits});
    fixture.pod("job", &spec, &json!({}));
    let pod = fixture.until("job", |pod| {
        main_status(pod).str_at(&["state", "waiting", "reason"]) == "PodInitializing"
    });
    assert_eq!(condition(&pod, "Initialized"), "False");
    let pod = fixture.until("job", |pod| pod.str_at(&["status", "phase"]) == "Succeeded");
    assert_eq!(main_status(&pod).str_at(&["state", "terminated", "reason"]), "Completed");
    fixture.run(30);
    let settled = fixture.get("job").unwrap();
    let ready =
        settled.list_at(&["status", "conditions"]).iter().find(|c| c.str_at(&["type"]) == "Ready");
    assert_eq!(ready.unwrap().str_at(&["reason"]), "PodCompleted");
    fixture.client().delete(&api::PODS, "default", "job", DeleteOptions::default()).unwrap();
    assert_eq!(fixture.get("job"), None);
}

#[test]
fn a_pod_has_only_so_long() {
    let mut fixture = Fixture::new(1, &[]);
    fixture.pod("slow", &json!({"activeDeadlineSeconds": 60}), &json!({}));
    let pod = fixture.until("slow", |pod| pod.str_at(&["status", "phase"]) == "Failed");
    assert_eq!(pod.str_at(&["status", "reason"]), "DeadlineExceeded");
    fixture.run(10);
    // Nothing is told of its containers any more.
    let status = fixture.get("slow").unwrap().at(&["status"]).cloned().unwrap();
    let fields: Vec<String> = status.as_object().unwrap().keys().map(ToString::to_string).collect();
    assert_eq!(fields, ["message", "phase", "reason", "startTime"]);
    let killing = "Killing container with id sim://main:Need to kill Pod";
    assert!(fixture.events().iter().any(|event| event.contains(killing)));
}

#[test]
fn what_a_container_refers_to_must_exist() {
    let mut fixture = Fixture::new(1, &[]);
    let env = json!({"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "x"}}}]});
    fixture.pod("env", &json!({}), &env);
    let reason = |pod: &Value| main_status(pod).str_at(&["state", "waiting", "reason"]).to_owned();
    let pod = fixture.until("env", |pod| reason(pod) == "CreateContainerConfigError");
    let text = "configmaps \"settings\" not found";
    assert_eq!(main_status(&pod).str_at(&["state", "waiting", "message"]), text);

    let volumes = json!({"volumes": [{"name": "v", "configMap": {"name": "settings"}}]});
    fixture.pod("mount", &volumes, &json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}));
    fixture.run(130);
    let events = fixture.events();
    let text = "Warning FailedMount: MountVolume.SetUp failed for volume \"v\" : configmaps \"settings\" not found";
    assert!(events.iter().any(|e| e.ends_with(text)), "{events:#?}");
    assert!(events.iter().any(|e| e.contains("Unable to mount volumes for pod \"mount_default(")));

    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"x": "1"}});
    fixture.client().create(&api::CONFIG_MAPS, "default", settings).unwrap();
    fixture.until("env", is_ready);
    fixture.until("mount", is_ready);
}

#[test]
fn an_engine_that_goes_away_makes_the_node_not_ready() {
    let mut fixture = Fixture::new(1, &[]);
    fixture.pod("web", &json!({}), &json!({}));
    fixture.until("web", is_ready);
    let ready = |fixture: &Fixture| {
        let node = fixture.client().get(&api::NODES, "", "node1").unwrap();
        api::views::node::is_ready(&node)
    };
    assert!(ready(&fixture));
    fixture.control.set_engine(Some("Cannot connect to the Docker daemon"));
    fixture.pod("later", &json!({}), &json!({}));
    fixture.run(30);
    assert!(!ready(&fixture));
    assert_eq!(fixture.get("later").unwrap().str_at(&["status", "phase"]), "Pending");
    fixture.control.set_engine(None);
    fixture.until("later", is_ready);
    assert!(ready(&fixture));
}

#[test]
fn a_deleted_pods_name_can_be_taken_again_at_once() {
    let mut fixture = Fixture::new(1, &[("app:1", r#"{"stopSeconds": 100}"#)]);
    fixture.pod("web", &json!({}), &json!({}));
    let old = fixture.until("web", is_ready).uid().to_owned();
    fixture.client().delete(&api::PODS, "default", "web", DeleteOptions::now(&old)).unwrap();
    fixture.pod("web", &json!({}), &json!({}));
    let new = fixture.until("web", is_ready);
    assert_ne!(new.uid(), old);
    fixture.run(60);
    assert!(is_ready(&fixture.get("web").unwrap()));
}

#[test]
fn a_pod_that_does_not_fit_its_node_fails() {
    let mut fixture = Fixture::new(1, &[]);
    let requests = json!({"resources": {"requests": {"cpu": "3"}}});
    fixture.pod("first", &json!({}), &requests);
    fixture.until("first", is_ready);
    fixture.pod("second", &json!({}), &requests);
    let pod = fixture.until("second", |pod| pod.str_at(&["status", "phase"]) == "Failed");
    assert_eq!(pod.str_at(&["status", "reason"]), "OutOfcpu");
    let text = "Node didn't have enough resource: cpu, requested: 3000, used: 3000, capacity: 4000";
    assert_eq!(pod.str_at(&["status", "message"]), format!("Pod {text}"));
    let events = fixture.events();
    assert_eq!(*events.last().unwrap(), format!("1 Warning OutOfcpu: {text}"));
}

fn trace(seed: u64) -> String {
    let behaviour = r#"{"exits": [{"code": 1, "afterSeconds": 3}, {"code": 2, "afterSeconds": 9}, null], "readyAfterSeconds": 4}"#;
    let mut fixture = Fixture::new(seed, &[("app:1", behaviour)]);
    let probe = json!({"readinessProbe": {"exec": {"command": ["true"]}}});
    for name in ["a", "b", "c"] {
        fixture.pod(name, &json!({}), &probe);
    }
    fixture.run(300);
    let pods: Vec<String> =
        ["a", "b", "c"].iter().map(|name| fixture.get(name).unwrap().to_string()).collect();
    format!("{}\n{}", pods.join("\n"), fixture.events().join("\n"))
}

#[test]
fn one_seed_gives_one_history() {
    let once = trace(3);
    assert!(once.contains("BackOff"));
    assert_eq!(once, trace(3));
    assert_ne!(once, trace(4));
}
