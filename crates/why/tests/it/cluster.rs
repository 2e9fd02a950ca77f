//! A cluster for tests: an API server, the scheduler, and nodes that are only objects.

use std::time::Duration;

use api::{NAMESPACES, NODES, PODS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{ApiServer, Client, DeleteOptions, PatchKind};
use controller_runtime::{Driver, Step};
use scheduler::{Profile, Scheduler};
use why::{Explanation, Question};
use world::World;

pub(crate) const NS: &str = "dev";

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) client: Client,
    pub(crate) profile: Profile,
    driver: Driver,
}

impl Cluster {
    pub(crate) fn new(seed: u64, profile: Profile) -> Self {
        let world = World::simulated(seed);
        let server = ApiServer::builder(world.clone()).build();
        let mut driver = Driver::new(world.clone(), server);
        driver.add(Box::new(Scheduler::new(profile.clone())));
        let client = driver.client().clone();
        client.create(&NAMESPACES, "", json!({"metadata": {"name": NS}})).unwrap();
        Self { world, client, profile, driver }
    }

    /// A ready node; `more` is merged into it.
    pub(crate) fn add_node(&self, name: &str, cpu: &str, more: &Value) {
        let node = json!({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}});
        let node = apimachinery::patch::merge_patch(&node, more).unwrap();
        let node = self.client.create(&NODES, "", node).unwrap();
        let mut node = (*node).clone();
        let allocatable = json!({"cpu": cpu, "memory": "8Gi", "pods": "110"});
        let ready = json!({"type": "Ready", "status": "True"});
        node.set(&["status"], json!({"allocatable": allocatable, "conditions": [ready]}));
        self.client.update_status(&NODES, node).unwrap();
    }

    pub(crate) fn patch_node(&self, name: &str, patch: Value) {
        self.client.patch(&NODES, "", name, PatchKind::Merge, patch).unwrap();
    }

    /// A pod that requests `cpu`, with more fields in its spec.
    pub(crate) fn add_pod(&self, name: &str, cpu: &str, more: &Value) {
        let requests = json!({"cpu": cpu, "memory": "64Mi"});
        let mut spec = json!({"containers": [{"name": "main", "image": "x",
            "resources": {"requests": requests}}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let metadata = json!({"name": name, "labels": {"app": "web"}});
        self.client.create(&PODS, NS, json!({"metadata": metadata, "spec": spec})).unwrap();
    }

    pub(crate) fn delete_pod(&self, name: &str) {
        self.client.delete(&PODS, NS, name, DeleteOptions::now("")).unwrap();
    }

    pub(crate) fn why(&self, name: &str) -> Explanation {
        self.ask(name, None)
    }

    pub(crate) fn ask(&self, name: &str, policy: Option<&Profile>) -> Explanation {
        let question = Question { policy, ..Question::new(&PODS, NS, name) };
        why::explain(&self.client, &self.profile, question).unwrap()
    }

    /// Runs for some virtual seconds.
    pub(crate) fn settle(&mut self, seconds: u64) {
        let deadline = self.world.now() + Duration::from_secs(seconds);
        loop {
            let step = self.driver.step();
            if let Step::Idle { next } = step {
                match next.filter(|next| *next <= deadline) {
                    Some(next) => self.world.advance_to(next),
                    None => return self.world.advance_to(deadline),
                }
            }
        }
    }
}
