//! A cluster for tests: an API server, the scheduler, and nodes that are only objects.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use api::{EVENTS, NAMESPACES, NODES, PODS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{ApiServer, Client, DeleteOptions, PatchKind};
use controller_runtime::{Driver, Step};
use scheduler::Scheduler;
use world::World;

pub(crate) const NS: &str = "dev";

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) client: Client,
    driver: Driver,
}

impl Cluster {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Scheduler::default())
    }

    pub(crate) fn with(seed: u64, scheduler: Scheduler) -> Self {
        let world = World::simulated(seed);
        let server = ApiServer::builder(world.clone()).build();
        let mut driver = Driver::new(world.clone(), server);
        driver.add(Box::new(scheduler));
        let client = driver.client().clone();
        client.create(&NAMESPACES, "", json!({"metadata": {"name": NS}})).unwrap();
        Self { world, client, driver }
    }

    pub(crate) fn add_node(&self, name: &str, cpu: &str) {
        let node = self.client.create(&NODES, "", json!({"metadata": {"name": name}})).unwrap();
        let mut node = (*node).clone();
        let allocatable = json!({"cpu": cpu, "memory": "8Gi", "pods": "110"});
        let ready = json!({"type": "Ready", "status": "True"});
        node.set(&["status"], json!({"allocatable": allocatable, "conditions": [ready]}));
        self.client.update_status(&NODES, node).unwrap();
    }

    pub(crate) fn patch_node(&self, name: &str, patch: Value) {
        self.client.patch(&NODES, "", name, PatchKind::Merge, patch).unwrap();
    }

    /// A pod that requests `cpu`.
    pub(crate) fn add_pod(&self, name: &str, cpu: &str) {
        self.add(name, cpu, &json!({}));
    }

    /// A pod that requests `cpu`, with more fields in its spec.
    pub(crate) fn add(&self, name: &str, cpu: &str, more: &Value) {
        let requests = json!({"cpu": cpu, "memory": "1Mi"});
        let mut spec = json!({"containers": [{"name": "main", "image": "x",
            "resources": {"requests": requests}}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let metadata = json!({"name": name, "labels": {"app": "web"}});
        let pod = json!({"metadata": metadata, "spec": spec});
        self.client.create(&PODS, NS, pod).unwrap();
    }

    pub(crate) fn delete_pod(&self, name: &str) {
        self.client.delete(&PODS, NS, name, DeleteOptions::now("")).unwrap();
    }

    pub(crate) fn pod(&self, name: &str) -> Arc<Value> {
        self.client.get(&PODS, NS, name).unwrap()
    }

    pub(crate) fn node_of(&self, name: &str) -> String {
        self.pod(name).str_at(&["spec", "nodeName"]).to_owned()
    }

    /// Type, message and count of the events of a pod with this reason.
    pub(crate) fn told(&self, pod: &str, reason: &str) -> Vec<(String, String, i64)> {
        let events = self.client.list(&EVENTS, NS).unwrap();
        let told = events.iter().filter(|event| {
            event.str_at(&["reason"]) == reason
                && event.str_at(&["involvedObject", "name"]) == pod
                && event.str_at(&["source", "component"]) == "default-scheduler"
        });
        let text = |event: &Value, field: &str| event.str_at(&[field]).to_owned();
        told.map(|event| {
            let count = event.int_at(&["count"]).unwrap();
            (text(event, "type"), text(event, "message"), count)
        })
        .collect()
    }

    /// Runs for a virtual time, calling `check` after every step.
    pub(crate) fn run(&mut self, time: Duration, mut check: impl FnMut(&Client)) {
        let deadline = self.world.now() + time;
        loop {
            let step = self.driver.step();
            check(&self.client);
            if let Step::Idle { next } = step {
                match next.filter(|next| *next <= deadline) {
                    Some(next) => self.world.advance_to(next),
                    None => break self.world.advance_to(deadline),
                }
            }
        }
    }

    pub(crate) fn settle(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds), |_| {});
    }
}
