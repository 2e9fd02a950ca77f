//! Rules of a pod's life, one by one.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::DeleteOptions;

use crate::fixture::{Fixture, condition, main_status};

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready") == "True"
}

fn waiting(pod: &Value) -> String {
    main_status(pod).str_at(&["state", "waiting", "reason"]).to_owned()
}

fn has_event(fixture: &Fixture, text: &str) -> bool {
    fixture.events().iter().any(|event| event.contains(text))
}

fn config_map(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"},
           "data": {"colour": value}})
}

#[test]
fn files_follow_their_objects() {
    let mut fixture = Fixture::new(1, &[]);
    fixture.client().create(&api::CONFIG_MAPS, "default", config_map("red")).unwrap();
    let labels =
        json!({"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]});
    let volumes = json!([
        {"name": "conf", "configMap": {"name": "settings"}},
        {"name": "me", "downwardAPI": labels},
    ]);
    let mounts = json!({"volumeMounts": [
        {"name": "conf", "mountPath": "/etc/app"},
        {"name": "conf", "mountPath": "/etc/one", "subPath": "colour"},
        {"name": "me", "mountPath": "/me"},
    ]});
    fixture.pod("web", &json!({"volumes": volumes}), &mounts);
    let pod = fixture.until("web", is_ready);
    let cat = |fixture: &Fixture, file: &str| fixture.exec(&pod, &["cat", file]);
    assert_eq!(cat(&fixture, "/etc/app/colour"), "red");
    assert_eq!(cat(&fixture, "/etc/one"), "red");

    fixture.client().update(&api::CONFIG_MAPS, config_map("green")).unwrap();
    fixture.run(55);
    assert_eq!(cat(&fixture, "/etc/app/colour"), "red");
    fixture.run(40);
    assert_eq!(cat(&fixture, "/etc/app/colour"), "green");
    assert_eq!(cat(&fixture, "/etc/one"), "red", "a subPath stays");

    let mut labelled = (*fixture.get("web").unwrap()).clone();
    labelled.set(&["metadata", "labels"], json!({"app": "web"}));
    fixture.client().update(&api::PODS, labelled).unwrap();
    fixture.run(95);
    assert_eq!(cat(&fixture, "/me/labels"), "app=\"web\"");
}

#[test]
fn a_private_image_needs_the_secret() {
    let behaviour =
        r#"{"pullSeconds": 1, "pullCredentials": {"username": "joe", "password": "pw"}}"#;
    let mut fixture = Fixture::new(1, &[("registry.example/private:1", behaviour)]);
    let image = json!({"image": "registry.example/private:1"});
    fixture.pod("without", &json!({}), &image);
    let pod = fixture.until("without", |pod| waiting(pod) == "ErrImagePull");
    let message = main_status(&pod).str_at(&["state", "waiting", "message"]).to_owned();
    assert!(message.contains("pull access denied for registry.example/private"), "{message}");
    // {"auths":{"registry.example":{"auth":"am9lOnB3"}}}
    let config = "eyJhdXRocyI6eyJyZWdpc3RyeS5leGFtcGxlIjp7ImF1dGgiOiJhbTlsT25CMyJ9fX0=";
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"},
                        "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": config}});
    fixture.client().create(&api::SECRETS, "default", secret).unwrap();
    fixture.pod("with", &json!({"imagePullSecrets": [{"name": "pull"}]}), &image);
    fixture.until("with", is_ready);
    assert!(has_event(&fixture, "Successfully pulled image"));
}

#[test]
fn a_pull_that_fails_twice_succeeds_later() {
    let mut fixture = Fixture::new(1, &[("app:1", r#"{"pullSeconds": 2, "pullFailures": 2}"#)]);
    fixture.pod("web", &json!({}), &json!({}));
    fixture.until("web", is_ready);
    let pulls = fixture.events().into_iter().find(|event| event.contains("Pulling")).unwrap();
    assert!(pulls.starts_with("3 Normal Pulling"), "{pulls}");
}

#[test]
fn hooks_fail_in_upstreams_words() {
    let exec = r#"{"exec": [
        {"command": ["warm"], "stdout": "started\n", "stderr": "oh\n", "code": 1},
        {"command": ["bye"], "code": 3, "afterSeconds": 2}]}"#;
    let mut fixture = Fixture::new(1, &[("app:1", exec)]);
    let hook = |command: &str| json!({"exec": {"command": [command, "up"]}});
    let spec = json!({"terminationGracePeriodSeconds": 6});
    fixture.pod("post", &spec, &json!({"lifecycle": {"postStart": hook("warm")}}));
    let pod = fixture.until("post", |pod| waiting(pod).starts_with("PostStartHookError"));
    assert_eq!(waiting(&pod), "PostStartHookError: command 'warm up' exited with 1: oh\n");
    let full = format!("post_default({})", pod.uid());
    let message = format!(
        "Exec lifecycle hook ([warm up]) for Container \"main\" in Pod \"{full}\" failed - error: \
         command 'warm up' exited with 1: oh\n, message: \"started\\noh\\n\""
    );
    assert_eq!(main_status(&pod).str_at(&["state", "waiting", "message"]), message);
    assert!(has_event(&fixture, &format!("Warning FailedPostStartHook: {message}")));
    let killing = "Killing container with id sim://main:FailedPostStartHook";
    assert!(has_event(&fixture, killing), "{:#?}", fixture.events());

    fixture.pod("pre", &spec, &json!({"lifecycle": {"preStop": hook("bye")}}));
    fixture.until("pre", is_ready);
    let before = fixture.world.now();
    fixture.client().delete(&api::PODS, "default", "pre", DeleteOptions::default()).unwrap();
    while fixture.get("pre").is_some() {
        fixture.run(1);
    }
    let took = fixture.world.now().since(before).as_secs();
    assert!((2..=4).contains(&took), "the hook takes its time: {took}");
    assert!(has_event(&fixture, "command 'bye up' exited with 3: , message: \"\""));

    let tcp = json!({"lifecycle": {"postStart": {"tcpSocket": {"port": 80}}}});
    fixture.pod("tcp", &spec, &tcp);
    fixture.until("tcp", |pod| waiting(pod).starts_with("PostStartHookError: Invalid handler"));
    assert!(has_event(&fixture, "FailedPostStartHook: Cannot run handler: Invalid handler"));
}

#[test]
fn a_program_that_cannot_be_started_has_cannot_run() {
    let text = "Error response from daemon: OCI runtime create failed: exec: \\\"/no\\\": stat /no: no \
                such file or directory: unknown";
    let behaviour = format!(r#"{{"startError": "{text}"}}"#);
    let text = text.replace("\\\"", "\"");
    let mut fixture = Fixture::new(1, &[("app:1", &behaviour)]);
    fixture.pod("nocmd", &json!({}), &json!({}));
    let pod = fixture.until("nocmd", |pod| waiting(pod) == "RunContainerError");
    let status = main_status(&pod);
    let id = status.str_at(&["containerID"]).split_once("://").unwrap().1.to_owned();
    let message = format!("failed to start container \"{id}\": {text}");
    assert_eq!(status.str_at(&["state", "waiting", "message"]), message);
    let last = status.at(&["lastState", "terminated"]).unwrap();
    assert_eq!(last.int_at(&["exitCode"]), Some(127));
    assert_eq!(last.str_at(&["reason"]), "ContainerCannotRun");
    assert!(last.str_at(&["message"]).starts_with("OCI runtime create failed"));
    let event = format!("Warning Failed: Error: failed to start container \"main\": {text}");
    assert!(has_event(&fixture, &event), "{:#?}", fixture.events());
}

#[test]
fn probes_go_by_the_script() {
    let behaviour = r#"{"exec": [{"command": ["check"], "stdout": "sick\n", "code": 1, "fromSeconds": 20, "untilSeconds": 40}]}"#;
    let mut fixture = Fixture::new(1, &[("app:1", behaviour)]);
    let env = json!([{"name": "MODE", "value": "check"}]);
    let probe = json!({"env": env, "readinessProbe":
        {"exec": {"command": ["$(MODE)"]}, "periodSeconds": 2, "failureThreshold": 2, "successThreshold": 2}});
    fixture.pod("web", &json!({}), &probe);
    fixture.until("web", is_ready);
    fixture.until("web", |pod| !is_ready(pod));
    assert!(has_event(&fixture, "Unhealthy: Readiness probe failed: sick\n"));
    fixture.until("web", is_ready);

    let named = json!({"livenessProbe": {"tcpSocket": {"port": "nowhere"}, "periodSeconds": 2}});
    fixture.pod("odd", &json!({}), &named);
    fixture.until("odd", is_ready);
    fixture.run(20);
    let text = "Liveness probe errored: strconv.Atoi: parsing \"nowhere\": invalid syntax";
    assert!(has_event(&fixture, text), "{:#?}", fixture.events());
    assert_eq!(main_status(&fixture.get("odd").unwrap()).int_at(&["restartCount"]), Some(0));
}

#[test]
fn probes_go_by_what_their_command_says() {
    let mut fixture = Fixture::new(1, &[("app:1", "{}")]);
    let probe = |command: Value| json!({"readinessProbe": {"exec": {"command": command}, "periodSeconds": 1}});
    fixture.pod("never", &json!({}), &probe(json!(["sh", "-c", "echo sick; exit 1"])));
    fixture.pod("ready", &json!({}), &probe(json!(["true"])));
    fixture.pod("unknown", &json!({}), &probe(json!(["pg_isready"])));
    fixture.until("ready", is_ready);
    fixture.until("unknown", is_ready);
    fixture.run(5);
    assert!(!is_ready(&fixture.get("never").unwrap()));
    assert!(has_event(&fixture, "Unhealthy: Readiness probe failed: sick\n"));
}

#[test]
fn a_pod_gets_past_init_containers_of_which_nothing_is_known() {
    let mut fixture = Fixture::new(1, &[("app:1", "{}"), ("tool:1", "{}")]);
    let inits = json!([
        {"name": "sleeps", "image": "tool:1", "command": ["sleep", "1"]},
        {"name": "fetches", "image": "tool:1", "command": ["wget", "http://a.example"]},
        {"name": "works", "image": "tool:1"},
    ]);
    fixture.pod("web", &json!({"initContainers": inits}), &json!({}));
    fixture.until("web", is_ready);
}

#[test]
fn the_end_of_the_log_tells_why_a_container_failed() {
    let mut fixture = Fixture::new(1, &[("app:1", "{}")]);
    let said = |policy: &str| json!({"command": ["sh", "-c", "echo boom; exit 1"], "terminationMessagePolicy": policy});
    let spec = json!({"restartPolicy": "Never"});
    let message = |fixture: &mut Fixture, name: &str| {
        let pod = fixture.until(name, |pod| pod.str_at(&["status", "phase"]) == "Failed");
        main_status(&pod).str_at(&["state", "terminated", "message"]).to_owned()
    };
    fixture.pod("logs", &spec, &said("FallbackToLogsOnError"));
    assert_eq!(message(&mut fixture, "logs"), "boom\n");
    fixture.pod("file", &spec, &said("File"));
    assert_eq!(message(&mut fixture, "file"), "");
}

#[test]
fn other_probes_wait_for_the_startup_probe() {
    let mut fixture = Fixture::new(1, &[("app:1", r#"{"readyAfterSeconds": 25}"#)]);
    let get = |more: Value| {
        let mut probe = json!({"httpGet": {"port": 80}, "periodSeconds": 2, "failureThreshold": 1});
        probe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        probe
    };
    let patient = json!({"livenessProbe": get(json!({})), "readinessProbe": get(json!({})),
        "startupProbe": get(json!({"failureThreshold": 20}))});
    fixture.pod("slow", &json!({}), &patient);
    fixture.run(15);
    let status = main_status(&fixture.get("slow").unwrap()).clone();
    assert_eq!((&status["started"], &status["ready"]), (&json!(false), &json!(false)));
    fixture.until("slow", is_ready);
    let status = main_status(&fixture.get("slow").unwrap()).clone();
    assert_eq!((&status["started"], &status["restartCount"]), (&json!(true), &json!(0)));
    assert!(has_event(&fixture, "Unhealthy: Startup probe failed: "), "{:#?}", fixture.events());
    assert!(!has_event(&fixture, "Unhealthy: Liveness"), "{:#?}", fixture.events());

    let hasty = json!({"startupProbe": get(json!({"failureThreshold": 3}))});
    fixture.pod("hasty", &json!({}), &hasty);
    fixture.until("hasty", |pod| main_status(pod).int_at(&["restartCount"]) == Some(1));
    let killed = "Container failed startup probe.. Container will be killed and recreated.";
    assert!(has_event(&fixture, killed), "{:#?}", fixture.events());
}

#[test]
fn a_projected_token_is_replaced_before_it_expires() {
    let mut fixture = Fixture::new(1, &[("app:1", "{}")]);
    let volume = json!({"name": "vault", "projected": {"sources": [{"serviceAccountToken":
        {"path": "token", "audience": "vault", "expirationSeconds": 1000}}]}});
    let mount = json!({"volumeMounts": [{"name": "vault", "mountPath": "/var/run/vault"}]});
    let spec = json!({"volumes": [volume], "serviceAccountName": "robot"});
    fixture.pod("web", &spec, &mount);
    let pod = fixture.until("web", is_ready);
    let read = |fixture: &Fixture| fixture.exec(&pod, &["cat", "/var/run/vault/token"]);
    let first = read(&fixture);
    assert!(first.ends_with(" robot [\"vault\"] \"web\""), "{first}");
    fixture.run(700);
    assert_eq!(read(&fixture), first);
    fixture.run(150);
    let second = read(&fixture);
    assert_ne!(second, first, "four fifths of its life are over");
    fixture.run(850);
    assert_ne!(read(&fixture), second);
}

#[test]
fn an_ephemeral_container_joins_a_running_pod() {
    let tool = r#"{"logs": ["looking"], "exit": {"code": 3, "afterSeconds": 5}}"#;
    let mut fixture = Fixture::new(1, &[("app:1", "{}"), ("tool:1", tool)]);
    fixture.pod("web", &json!({}), &json!({}));
    let mut pod = (*fixture.until("web", is_ready)).clone();
    let joining = json!([{"name": "look", "image": "tool:1", "targetContainerName": "main",
        "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent"}]);
    pod.set(&["spec", "ephemeralContainers"], joining);
    fixture.client().update_sub(&api::PODS, "ephemeralcontainers", pod.clone()).unwrap();
    let state = |pod: &Value| pod.at(&["status", "ephemeralContainerStatuses"]).cloned();
    let running = fixture
        .until("web", |pod| state(pod).is_some_and(|all| all[0]["state"]["running"].is_object()));
    assert!(is_ready(&running), "the others are not disturbed");
    let ended = fixture.until("web", |pod| {
        state(pod).is_some_and(|all| all[0]["state"]["terminated"].is_object())
    });
    assert_eq!(state(&ended).unwrap()[0]["state"]["terminated"]["exitCode"], 3);
    fixture.run(60);
    let later = fixture.get("web").unwrap();
    assert_eq!(state(&later).unwrap()[0]["restartCount"], 0, "it is never started again");
    assert!(is_ready(&later));

    let mut changed = (*later).clone();
    changed["spec"]["ephemeralContainers"][0]["image"] = json!("other:1");
    let refused = fixture.client().update_sub(&api::PODS, "ephemeralcontainers", changed);
    let text = "existing ephemeral containers \"look\" may not be changed";
    assert!(refused.unwrap_err().message.contains(text));
    let mut plain = (*later).clone();
    plain.remove(&["spec", "ephemeralContainers"]);
    assert_eq!(fixture.client().update(&api::PODS, plain).unwrap_err().code, 422);
}

#[test]
fn slow_answers_time_out() {
    let mut fixture = Fixture::new(1, &[("app:1", r#"{"answerSeconds": 3}"#)]);
    let get = json!({"readinessProbe": {"httpGet": {"port": 80}, "timeoutSeconds": 2}});
    fixture.pod("web", &json!({}), &get);
    fixture.run(30);
    assert!(!is_ready(&fixture.get("web").unwrap()));
    let text = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
    assert!(has_event(&fixture, text), "{:#?}", fixture.events());
    // The engine does not hold commands to a probe's timeout.
    let exec = json!({"readinessProbe": {"exec": {"command": ["x"]}, "timeoutSeconds": 1}});
    fixture.pod("exec", &json!({}), &exec);
    fixture.until("exec", is_ready);
}

#[test]
fn a_node_short_of_memory_ends_pods() {
    let images = [
        ("app:1", r#"{"memory": "1Gi"}"#),
        ("leaks:1", r#"{"memory": "1Gi", "usage": [{"afterSeconds": 60, "memory": "15Gi"}]}"#),
    ];
    let mut fixture = Fixture::new(1, &images);
    let request = json!({"resources": {"requests": {"memory": "2Gi"}}});
    fixture.pod("modest", &json!({}), &request);
    let mut leaks = request.clone();
    leaks["image"] = json!("leaks:1");
    fixture.pod("leaks", &json!({}), &leaks);
    let evicted = fixture.until("leaks", |pod| pod.str_at(&["status", "phase"]) == "Failed");
    assert_eq!(evicted.str_at(&["status", "reason"]), "Evicted");
    let text = "The node was low on resource: memory. Container main was using 15Gi, which exceeds \
                its request of 2Gi. ";
    assert_eq!(evicted.str_at(&["status", "message"]), text);
    assert!(has_event(&fixture, &format!("Warning Evicted: {text}")));
    let pressure = |fixture: &Fixture| {
        let node = fixture.client().get(&api::NODES, "", "node1").unwrap();
        condition(&node, "MemoryPressure").to_owned()
    };
    fixture.run(20);
    assert_eq!(pressure(&fixture), "True");
    fixture.pod("idle", &json!({}), &json!({}));
    let refused = fixture.until("idle", |pod| pod.str_at(&["status", "phase"]) == "Failed");
    assert_eq!(refused.str_at(&["status", "reason"]), "Evicted");
    fixture.run(330);
    assert_eq!(pressure(&fixture), "False");
    assert!(is_ready(&fixture.get("modest").unwrap()));
}

#[test]
fn a_claim_is_waited_for_and_a_host_path_checked() {
    let mut fixture = Fixture::new(1, &[]);
    let claim = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]});
    fixture.pod("claims", &claim, &json!({}));
    fixture.control.set_host_path("/var/run/docker.sock", "directory");
    let path = json!({"path": "/var/run/docker.sock", "type": "Socket"});
    fixture.pod("host", &json!({"volumes": [{"name": "sock", "hostPath": path}]}), &json!({}));
    fixture.run(200);
    let text = "FailedMount: MountVolume.SetUp failed for volume \"sock\" : hostPath type check failed: \
                /var/run/docker.sock is not a socket file";
    assert!(has_event(&fixture, text), "{:#?}", fixture.events());
    assert!(!has_event(&fixture, "failed for volume \"data\""));
    assert!(has_event(&fixture, "Unable to mount volumes for pod \"claims_default("));
    fixture.control.set_host_path("/var/run/docker.sock", "socket file");
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
                       "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv",
                                "resources": {"requests": {"storage": "1Gi"}}}});
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                                 "hostPath": {"path": "/srv/pv"}}});
    fixture.client().create(&api::PERSISTENT_VOLUMES, "", volume).unwrap();
    let claim = fixture.client().create(&api::PERSISTENT_VOLUME_CLAIMS, "default", claim).unwrap();
    let mut bound = (*claim).clone();
    bound.set(&["status", "phase"], json!("Bound"));
    fixture.client().update_status(&api::PERSISTENT_VOLUME_CLAIMS, bound).unwrap();
    fixture.until("claims", is_ready);
    fixture.until("host", is_ready);
}

#[test]
fn a_bad_reference_says_why() {
    let mut fixture = Fixture::new(1, &[]);
    fixture.pod("bad", &json!({}), &json!({"image": "UPPER/Case:!!"}));
    let pod = fixture.until("bad", |pod| waiting(pod) == "InvalidImageName");
    let text = "Failed to apply default image tag \"UPPER/Case:!!\": couldn't parse image reference \
                \"UPPER/Case:!!\": invalid reference format: repository name must be lowercase";
    assert_eq!(main_status(&pod).str_at(&["state", "waiting", "message"]), text);
    let events = fixture.events().join("\n");
    assert!(events.contains(&format!("Warning InspectFailed: {text}")), "{events}");
    assert!(events.contains("Warning Failed: Error: InvalidImageName"), "{events}");
}
