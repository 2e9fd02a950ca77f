//! The agent on real containers. Without an engine (or without a static busybox for the test image)
//! this passes unseen, unless `REHEARSE_DOCKER_TESTS` is `require`.

use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::{ApiServer, DeleteOptions, PodLogs as _};
use controller_runtime::Driver;
use cri::docker::{DockerConfig, DockerEngine, DockerRuntime};
use cri::{ContainerRuntime as _, HttpGet};
use node::{AgentConfig, RuntimeLogs, agents};
use world::World;

use crate::fixture::{Tokens, condition, main_status};

#[expect(clippy::disallowed_methods, reason = "the switch of the test lane")]
fn required() -> bool {
    std::env::var("REHEARSE_DOCKER_TESTS").is_ok_and(|value| value == "require")
}

struct Fixture {
    tokio: tokio::runtime::Runtime,
    engine: DockerEngine,
    driver: Driver,
    world: World,
    logs: RuntimeLogs,
    image: String,
}

impl Fixture {
    fn new(name: &str) -> Option<Self> {
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let busybox =
            ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|path| std::fs::read(path).ok());
        if !tokio.block_on(cri::docker::available(None)) || busybox.is_none() {
            assert!(!required(), "a Docker engine and a static busybox are required");
            return None;
        }
        let world = World::real();
        let cluster = format!("node-{name}-{}", std::process::id());
        let config = DockerConfig { cluster, socket: None };
        let mut runtime = tokio.block_on(DockerRuntime::connect(world.clone(), config)).unwrap();
        let engine = runtime.engine();
        let files = [
            ("bin/busybox".to_owned(), busybox.unwrap()),
            ("www/index.html".to_owned(), b"hello from a pod".to_vec()),
        ];
        let command =
            ["/bin/busybox", "sh", "-c", "echo up; exec /bin/busybox httpd -f -p 8080 -h /www"];
        let build = engine.build_scratch_image("rehearse/web:1", &files, &command);
        let id = tokio.block_on(build).unwrap();
        let server = ApiServer::builder(world.clone());
        let server = server.handler(&api::SERVICE_ACCOUNTS, "token", Box::new(Tokens)).build();
        apiserver::bootstrap(&server).unwrap();
        let mut driver = Driver::new(world.clone(), server);
        runtime.set_wake(driver.waker());
        let logs = RuntimeLogs::new(world.clone(), runtime.logs());
        driver.add(agents(AgentConfig::default(), Box::new(runtime)));
        let image = format!("172.30.1.1:5000/testing/web@{id}");
        Some(Self { tokio, engine, driver, world, logs, image })
    }

    fn until(&mut self, name: &str, done: impl Fn(Option<&Value>) -> bool) {
        let deadline = self.world.now() + Duration::from_secs(60);
        let client = self.driver.client().clone();
        let get = || client.find(&api::PODS, "default", name).unwrap();
        let reached = self.driver.run_until(deadline, &mut |_| done(get().as_deref()));
        assert!(reached, "{:?}", get());
    }

    fn pod(&self, name: &str, image: &str) {
        let container = json!({
            "name": "main",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        });
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "nodeName": "localhost",
                "containers": [container],
                "terminationGracePeriodSeconds": 1,
            },
        });
        self.driver.client().create(&api::PODS, "default", pod).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tokio.block_on(self.engine.cleanup()).unwrap();
    }
}

#[test]
fn a_pod_of_a_local_image_serves_and_goes() {
    let Some(mut fixture) = Fixture::new("serves") else { return };
    let image = fixture.image.clone();
    fixture.pod("web", &image);
    let ready = |pod: Option<&Value>| pod.is_some_and(|pod| condition(pod, "Ready") == "True");
    fixture.until("web", ready);
    let pod = fixture.driver.client().get(&api::PODS, "default", "web").unwrap();
    let id = image.split_once('@').unwrap().1;
    assert_eq!(main_status(&pod).str_at(&["imageID"]), format!("docker://{id}"));
    let request = HttpGet {
        scheme: "http".to_owned(),
        host: pod.str_at(&["status", "podIP"]).to_owned(),
        port: 8080,
        path: "/".to_owned(),
        headers: Vec::new(),
        timeout: Duration::from_secs(2),
    };
    let page = fixture.tokio.block_on(fixture.engine.http_get(&request)).unwrap();
    assert_eq!(page, (200, "hello from a pod".to_owned()));
    let mut log = fixture.logs.open(&pod, "main", &apiserver::LogOptions::default()).unwrap();
    let line = fixture.tokio.block_on(std::future::poll_fn(|cx| log.as_mut().poll_next(cx)));
    assert_eq!(line, Some("up\n".into()));

    fixture.driver.client().delete(&api::PODS, "default", "web", DeleteOptions::default()).unwrap();
    fixture.until("web", |pod| pod.is_none());
}

#[test]
fn an_ephemeral_container_sees_the_processes_of_its_target() {
    let Some(mut fixture) = Fixture::new("debugs") else { return };
    let image = fixture.image.clone();
    fixture.pod("web", &image);
    fixture.until("web", |pod| pod.is_some_and(|pod| condition(pod, "Ready") == "True"));
    let client = fixture.driver.client().clone();
    let mut pod = (*client.get(&api::PODS, "default", "web").unwrap()).clone();
    let look = "until /bin/busybox wget -qO- 127.0.0.1:8080; do :; done; /bin/busybox ps";
    pod.set(
        &["spec", "ephemeralContainers"],
        json!([{"name": "look", "image": image, "imagePullPolicy": "IfNotPresent",
            "terminationMessagePolicy": "File", "targetContainerName": "main",
            "command": ["/bin/busybox", "sh", "-c", look]}]),
    );
    client.update_sub(&api::PODS, "ephemeralcontainers", pod).unwrap();
    let ended = |pod: Option<&Value>| {
        let statuses = pod.map(|pod| pod.list_at(&["status", "ephemeralContainerStatuses"]));
        statuses.is_some_and(|all| all[..].iter().any(|s| s.at(&["state", "terminated"]).is_some()))
    };
    fixture.until("web", ended);
    let pod = client.get(&api::PODS, "default", "web").unwrap();
    let mut log = fixture.logs.open(&pod, "look", &apiserver::LogOptions::default()).unwrap();
    let mut text = String::new();
    while let Some(line) =
        fixture.tokio.block_on(std::future::poll_fn(|cx| log.as_mut().poll_next(cx)))
    {
        text.push_str(&String::from_utf8_lossy(&line));
    }
    assert!(text.contains("hello from a pod"), "the network is the pod's: {text}");
    assert!(text.contains("httpd -f -p 8080"), "the processes are the target's: {text}");
    client.delete(&api::PODS, "default", "web", DeleteOptions::default()).unwrap();
    fixture.until("web", |pod| pod.is_none());
}

#[test]
fn a_projected_token_is_a_file() {
    let Some(mut fixture) = Fixture::new("tokens") else { return };
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "reads", "namespace": "default"},
        "spec": {"nodeName": "localhost", "restartPolicy": "Never",
            "containers": [{"name": "main", "image": fixture.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/busybox", "cat", "/var/run/vault/token"],
                "volumeMounts": [{"name": "vault", "mountPath": "/var/run/vault"}]}],
            "volumes": [{"name": "vault", "projected": {"sources": [
                {"serviceAccountToken": {"path": "token", "audience": "vault"}}]}}]}});
    let client = fixture.driver.client().clone();
    client.create(&api::PODS, "default", pod).unwrap();
    fixture.until("reads", |pod| {
        pod.is_some_and(|pod| pod.str_at(&["status", "phase"]) == "Succeeded")
    });
    let pod = client.get(&api::PODS, "default", "reads").unwrap();
    let mut log = fixture.logs.open(&pod, "main", &apiserver::LogOptions::default()).unwrap();
    let line = fixture.tokio.block_on(std::future::poll_fn(|cx| log.as_mut().poll_next(cx)));
    let text = String::from_utf8_lossy(&line.unwrap()).into_owned();
    assert!(text.ends_with("default [\"vault\"] \"reads\""), "{text}");
    client.delete(&api::PODS, "default", "reads", DeleteOptions::default()).unwrap();
    fixture.until("reads", |pod| pod.is_none());
}

#[test]
fn a_startup_probe_that_fails_restarts_its_container() {
    let Some(mut fixture) = Fixture::new("starts") else { return };
    let image = fixture.image.clone();
    let probe = |port: u16, failures: u16| json!({"tcpSocket": {"port": port}, "periodSeconds": 1, "failureThreshold": failures});
    for (name, port) in [("slow", 8080), ("never", 9)] {
        let container = json!({"name": "main", "image": image, "imagePullPolicy": "IfNotPresent",
            "startupProbe": probe(port, 3), "livenessProbe": probe(8080, 1)});
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": "localhost", "containers": [container],
                "terminationGracePeriodSeconds": 1}});
        fixture.driver.client().create(&api::PODS, "default", pod).unwrap();
    }
    fixture.until("slow", |pod| pod.is_some_and(|pod| main_status(pod)["started"] == true));
    fixture.until("never", |pod| {
        pod.is_some_and(|pod| main_status(pod).int_at(&["restartCount"]) >= Some(1))
    });
    for name in ["slow", "never"] {
        let client = fixture.driver.client().clone();
        client.delete(&api::PODS, "default", name, DeleteOptions::default()).unwrap();
        fixture.until(name, |pod| pod.is_none());
    }
}

#[test]
fn an_image_that_nobody_has_cannot_be_pulled() {
    let Some(mut fixture) = Fixture::new("pull") else { return };
    fixture.pod("pull", "127.0.0.1:1/nothing:1");
    let reason = |pod: Option<&Value>| {
        let status = pod.map(main_status).unwrap_or_default();
        status.str_at(&["state", "waiting", "reason"]).to_owned()
    };
    fixture.until("pull", |pod| reason(pod) == "ErrImagePull");
    let pod = fixture.driver.client().get(&api::PODS, "default", "pull").unwrap();
    let status = main_status(&pod);
    let message = status.str_at(&["state", "waiting", "message"]);
    let prefix = "rpc error: code = Unknown desc = Error response from daemon: ";
    assert!(message.starts_with(prefix), "{message}");
}
