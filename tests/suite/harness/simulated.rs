//! A cluster on a virtual clock, in process and without a thread.
//!
//! Invariant: same seed and calls, same history.

use std::time::Duration;

use apimachinery::yaml::load_documents;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Client, Stored};
use cluster::{Cluster, Config, Runtime};
use cri::sim::{Behaviour, SimImages};
use node::NodeConfig;
use store::{EventKind, Watcher};
use world::World;

#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) cluster: Cluster,
    pub(crate) images: SimImages,
    watcher: Watcher<Stored>,
    history: Vec<Write>,
}

/// One write: the object before and after.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) old: Option<Value>,
    pub(crate) new: Option<Value>,
}

impl Write {
    pub(crate) fn kind(&self) -> &str {
        self.new.as_ref().or(self.old.as_ref()).map(|object| object.kind()).unwrap_or_default()
    }
}

impl Simulated {
    pub(crate) fn start(seed: u64) -> Self {
        Self::with_nodes(seed, |_| {})
    }

    /// Two nodes, changed by `change`.
    pub(crate) fn with_nodes(seed: u64, change: impl Fn(&mut NodeConfig)) -> Self {
        Self::with(seed, |config| config.agent.nodes.iter_mut().for_each(change))
    }

    /// Two nodes, put together as `change` says.
    pub(crate) fn with(seed: u64, change: impl FnOnce(&mut Config)) -> Self {
        let images = SimImages::new();
        let mut config = Config::new(World::simulated(seed), Runtime::Sim(images.clone()), 2);
        change(&mut config);
        let cluster = Cluster::start(config).unwrap();
        let store = cluster.server().store();
        let watcher = store.watch("/registry/", store.revision()).unwrap();
        Self { cluster, images, watcher, history: Vec::new() }
    }

    pub(crate) fn client(&self) -> Client {
        self.cluster.client().clone()
    }

    /// Makes `reference` behave as the JSON `behaviour` says; gives the digest.
    pub(crate) fn image(&self, reference: &str, behaviour: &str) -> String {
        let behaviour: Behaviour = serde_json::from_str(behaviour).unwrap();
        self.images.add(reference, behaviour)
    }

    /// Creates a namespace and everything in `manifests` in it.
    pub(crate) fn create(&self, namespace: &str, manifests: &str) {
        let client = self.client();
        if client.find(&api::NAMESPACES, "", namespace).unwrap().is_none() {
            let object = apimachinery::json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
            });
            client.create(&api::NAMESPACES, "", object).unwrap();
        }
        for document in load_documents(manifests).unwrap() {
            let object = document.value;
            let version = object.str_at(&["apiVersion"]);
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let resource = api::find_kind(group, version, object.kind()).unwrap();
            client.create(resource, namespace, object).unwrap();
        }
    }

    /// Lets `seconds` pass.
    pub(crate) fn run_for(&mut self, seconds: u64) {
        let deadline = self.cluster.world().now() + Duration::from_secs(seconds);
        self.cluster.run_until(deadline, &mut || false);
        self.catch_up();
    }

    /// Runs until `holds`, which must be within `seconds`.
    #[track_caller]
    pub(crate) fn until(&mut self, seconds: u64, what: &str, holds: impl Fn(&Client) -> bool) {
        let deadline = self.cluster.world().now() + Duration::from_secs(seconds);
        let client = self.client();
        let reached = self.cluster.run_until(deadline, &mut || holds(&client));
        self.catch_up();
        assert!(reached, "after {seconds} s still not: {what}");
    }

    /// Every write so far, in order.
    pub(crate) fn history(&mut self) -> &[Write] {
        self.catch_up();
        &self.history
    }

    fn catch_up(&mut self) {
        while let Some(event) = self.watcher.try_next().unwrap() {
            let old = event.prev.as_ref().map(|kv| Value::clone(&kv.value.value()));
            let new = (event.kind == EventKind::Put).then(|| Value::clone(&event.kv.value.value()));
            self.history.push(Write { old, new });
        }
    }
}
