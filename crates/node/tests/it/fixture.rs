//! A cluster of one node agent.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{ApiServer, Client, HandlerContext, RestHandler, Stored, Written};
use controller_runtime::Driver;
use cri::sim::{Behaviour, SimControl, SimImages, SimRuntime};
use cri::{ContainerRuntime as _, PodMetrics, Streams};
use node::{Agent, AgentConfig, AgentControl, NodeConfig, RuntimeLogs};
use world::World;

/// Tokens that tell when they were given, and for what.
#[derive(Debug)]
pub(crate) struct Tokens;

impl RestHandler for Tokens {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let (now, spec) = (cx.server.world().now().rfc3339(), body["spec"].clone());
        let bound = &spec["boundObjectRef"]["name"];
        let text = format!("{now} {} {} {bound}", cx.call.name, spec["audiences"]);
        body["status"] = json!({"token": text});
        Ok(Written::created(Stored::new(body)))
    }
}

pub(crate) struct Fixture {
    pub(crate) world: World,
    pub(crate) driver: Driver,
    pub(crate) control: SimControl,
    pub(crate) agent: AgentControl,
    pub(crate) metrics: Arc<dyn PodMetrics>,
    pub(crate) streams: Arc<dyn Streams>,
    pub(crate) logs: RuntimeLogs,
}

impl Fixture {
    pub(crate) fn new(seed: u64, images: &[(&str, &str)]) -> Self {
        let world = World::simulated(seed);
        let server = ApiServer::builder(world.clone());
        let server = server.handler(&api::SERVICE_ACCOUNTS, "token", Box::new(Tokens)).build();
        apiserver::bootstrap(&server).unwrap();
        let mut driver = Driver::new(world.clone(), server);
        let table = SimImages::new();
        for (name, behaviour) in images {
            let behaviour: Behaviour = serde_json::from_str(behaviour).unwrap();
            table.add(name, behaviour);
        }
        let runtime = SimRuntime::new(world.clone(), table);
        let control = runtime.control();
        let logs = RuntimeLogs::new(world.clone(), runtime.logs());
        let nodes = vec![NodeConfig::new("node1", "10.0.0.1")];
        let metrics = runtime.metrics();
        let streams = runtime.streams();
        let agent = Agent::new(AgentConfig { nodes, heartbeat: None }, Box::new(runtime));
        let agent_control = agent.control();
        driver.add(Box::new(agent));
        Self { world, driver, control, agent: agent_control, metrics, streams, logs }
    }

    pub(crate) fn client(&self) -> &Client {
        self.driver.client()
    }

    /// Creates a bound pod of one container `main`.
    pub(crate) fn pod(&mut self, name: &str, spec: &Value, container: &Value) {
        let mut main = json!({"name": "main", "image": "app:1"});
        for (key, value) in container.as_object().unwrap() {
            main[key] = value.clone();
        }
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": "node1", "containers": [main]},
        });
        for (key, value) in spec.as_object().unwrap() {
            pod["spec"][key] = value.clone();
        }
        self.client().create(&api::PODS, "default", pod).unwrap();
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Value>> {
        self.client().find(&api::PODS, "default", name).unwrap()
    }

    /// Runs for so long.
    pub(crate) fn run(&mut self, seconds: u64) {
        let deadline = self.world.now() + Duration::from_secs(seconds);
        self.driver.run_until(deadline, &mut |_| false);
    }

    /// Runs until the pod is as `done` says; gives it.
    pub(crate) fn until(&mut self, name: &str, done: impl Fn(&Value) -> bool) -> Arc<Value> {
        let deadline = self.world.now() + Duration::from_secs(3600);
        let client = self.client().clone();
        let get = || client.find(&api::PODS, "default", name).unwrap();
        let reached = self.driver.run_until(deadline, &mut |_| get().is_some_and(|pod| done(&pod)));
        assert!(reached, "{:?}\n{}", get(), self.events().join("\n"));
        get().unwrap()
    }

    /// What `command` in the container of `pod` writes; it runs on the host's clock.
    pub(crate) fn exec(&self, pod: &Value, command: &[&str]) -> String {
        let id = main_status(pod).str_at(&["containerID"]).to_owned();
        let id = id.split_once("://").unwrap().1;
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let stdio = cri::stream::Stdio { stdin: false, stdout: true, stderr: true, tty: false };
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let mut process = self.streams.exec(id, &command, stdio).unwrap();
            let mut text = String::new();
            while let Some(bytes) = process.stdout.recv().await {
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            text
        })
    }

    /// `count type reason: message` of all pods' events, in order of their first appearance.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut events = self.client().list(&api::EVENTS, "default").unwrap();
        events.retain(|event| event.str_at(&["involvedObject", "kind"]) == "Pod");
        events.sort_by_key(|event| {
            event.name().rsplit('.').next().map(|hex| u64::from_str_radix(hex, 16).unwrap())
        });
        let line = |event: &Arc<Value>| {
            format!(
                "{} {} {}: {}",
                event.int_at(&["count"]).unwrap(),
                event.str_at(&["type"]),
                event.str_at(&["reason"]),
                event.str_at(&["message"])
            )
        };
        events.iter().map(line).collect()
    }
}

pub(crate) fn condition<'a>(pod: &'a Value, kind: &str) -> &'a str {
    let conditions = pod.list_at(&["status", "conditions"]);
    conditions.iter().find(|c| c.str_at(&["type"]) == kind).map_or("", |c| c.str_at(&["status"]))
}

pub(crate) fn main_status(pod: &Value) -> Value {
    pod.list_at(&["status", "containerStatuses"]).first().cloned().unwrap_or_default()
}
