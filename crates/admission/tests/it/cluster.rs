//! A cluster for tests: an API server with all rules, and every controller but scheduler and node.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use admission::Options;
use api::Resource;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{ApiServer, Client, DeleteOptions, PatchKind, User};
use controller_runtime::Driver;
use cri::builtin::Builtin;
use world::World;

pub(crate) const NS: &str = "dev";

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) server: ApiServer,
    pub(crate) driver: Driver,
    pub(crate) client: Client,
}

impl Cluster {
    /// A cluster with the namespace [`NS`], where no controller has run yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, &Options::default())
    }

    pub(crate) fn with(seed: u64, options: &Options) -> Self {
        let world = World::simulated(seed);
        let builder = ApiServer::builder(world.clone());
        let builder = deployments::register(images::register(builder));
        let server = admission::register(builder, options).build();
        apiserver::bootstrap(&server).unwrap();
        admission::bootstrap(&server).unwrap();
        let mut driver = Driver::new(world.clone(), server.clone());
        let mut all = controllers::all();
        all.extend(deployments::controllers(Builtin::new(world.clone())));
        all.extend(images::controllers());
        all.extend(admission::controllers(options));
        for controller in all {
            driver.add(controller);
        }
        let client = driver.client().clone();
        client.create(&api::NAMESPACES, "", json!({"metadata": {"name": NS}})).unwrap();
        Self { world, server, driver, client }
    }

    /// A client that acts as a plain user.
    pub(crate) fn user(&self, name: &str) -> Client {
        let user = User::with_groups(name, &["system:authenticated"]);
        Client::new(self.server.clone(), user)
    }

    pub(crate) fn create(&self, resource: &'static Resource, object: Value) -> Arc<Value> {
        let ns = if resource.namespaced() { NS } else { "" };
        self.client.create(resource, ns, object).unwrap()
    }

    /// The text of the refusal.
    pub(crate) fn refused(&self, resource: &'static Resource, object: Value) -> String {
        let ns = if resource.namespaced() { NS } else { "" };
        self.client.create(resource, ns, object).unwrap_err().message
    }

    pub(crate) fn get(&self, resource: &'static Resource, name: &str) -> Arc<Value> {
        let ns = if resource.namespaced() { NS } else { "" };
        self.client.get(resource, ns, name).unwrap()
    }

    pub(crate) fn list(&self, resource: &'static Resource) -> Vec<Arc<Value>> {
        self.client.list(resource, NS).unwrap()
    }

    pub(crate) fn patch(&self, resource: &'static Resource, name: &str, patch: Value) {
        let ns = if resource.namespaced() { NS } else { "" };
        self.client.patch(resource, ns, name, PatchKind::Merge, patch).unwrap();
    }

    pub(crate) fn delete(&self, resource: &'static Resource, name: &str) {
        let ns = if resource.namespaced() { NS } else { "" };
        self.client.delete(resource, ns, name, DeleteOptions::background()).unwrap();
    }

    pub(crate) fn settle(&mut self) {
        self.driver.settle();
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        let deadline = self.world.now() + Duration::from_secs(seconds);
        self.driver.run_until(deadline, &mut |_| false);
    }
}

/// A pod with one container and these resources.
pub(crate) fn pod(name: &str, resources: &Value) -> Value {
    json!({"metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "hello:v1", "resources": resources}]}})
}

/// The names of the objects.
pub(crate) fn names(objects: &[Arc<Value>]) -> Vec<&str> {
    objects.iter().map(|object| object.name()).collect()
}
