//! Rollouts as a resource of the API that they happen in: `/apis/rehearse/v1/…/rollouts`.
//!
//! Whoever drives the cluster calls [`Follower::catch_up`] while it runs; clients read what was seen.
//!
//! Invariant: nothing is written to the cluster's own store.

use std::sync::Arc;

use api::{Resource, Verb};
use apimachinery::Status;
use apimachinery::json;
use apiserver::server::Builder;
use apiserver::{ApiServer, HandlerContext, ListOptions, ObjectList, RestHandler, Stored};
use cluster::Extension;
use parking_lot::Mutex;
use store::{EventKind, Watcher};
use world::World;

use super::{Recorder, Rollout};

/// The resource.
pub static ROLLOUTS: Resource =
    Resource::in_namespace("rehearse", "v1", "rollouts", "rollout", "Rollout")
        .only(&[Verb::Get, Verb::List]);

/// What was seen so far; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Rollouts {
    recorder: Arc<Mutex<Recorder>>,
}

impl Extension for Rollouts {
    fn extend(&self, builder: Builder) -> Builder {
        builder.extension(&ROLLOUTS, Box::new(self.clone()))
    }
}

impl RestHandler for Rollouts {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let (namespace, name) = (cx.call.namespace, cx.call.name);
        let recorder = self.recorder.lock();
        let found = recorder
            .rollouts()
            .find(|one| one.project == namespace && object_name(one) == name)
            .map(|one| Stored::new(object(one)));
        found.ok_or_else(|| Status::not_found("rehearse", "rollouts", name))
    }

    fn list(&self, cx: &HandlerContext<'_>, _options: &ListOptions) -> Result<ObjectList, Status> {
        let namespace = cx.call.namespace;
        let recorder = self.recorder.lock();
        let fits =
            recorder.rollouts().filter(|one| namespace.is_empty() || one.project == namespace);
        let items = fits.map(|one| Stored::new(object(one))).collect();
        let resource_version = cx.server.store().revision().to_string();
        Ok(ObjectList {
            items,
            resource_version,
            continue_token: None,
            remaining: None,
            instead: None,
        })
    }
}

fn object_name(rollout: &Rollout) -> String {
    format!("{}-{}", rollout.deployment_config, rollout.version)
}

fn object(rollout: &Rollout) -> apimachinery::Value {
    let mut object = json::to_value(rollout).unwrap_or_default();
    object["apiVersion"] = json!("rehearse/v1");
    object["kind"] = json!("Rollout");
    object["metadata"] = json!({
        "name": object_name(rollout),
        "namespace": rollout.project,
        "creationTimestamp": rollout.began,
        "labels": {"deploymentconfig": rollout.deployment_config},
    });
    object
}

/// Follows the writes of a cluster for [`Rollouts`].
#[derive(Debug)]
pub struct Follower {
    world: World,
    server: ApiServer,
    watcher: Option<Watcher<Stored>>,
    rollouts: Rollouts,
}

impl Follower {
    /// Follows `server` from now on.
    #[must_use]
    pub fn new(world: &World, server: &ApiServer, rollouts: &Rollouts) -> Self {
        let (world, server, rollouts) = (world.clone(), server.clone(), rollouts.clone());
        Self { world, server, watcher: None, rollouts }
    }

    /// Takes in every write since the last call. When some were compacted away meanwhile, it goes on
    /// from the present: a story may then miss a line.
    pub fn catch_up(&mut self) {
        let watcher = match &mut self.watcher {
            Some(watcher) => watcher,
            none => {
                let store = self.server.store();
                let Ok(watcher) = store.watch("/registry/", store.revision()) else { return };
                none.insert(watcher)
            }
        };
        loop {
            match watcher.try_next() {
                Ok(Some(event)) => {
                    let old = event.prev.as_ref().map(|kv| kv.value.value());
                    let new = (event.kind == EventKind::Put).then(|| event.kv.value.value());
                    let mut recorder = self.rollouts.recorder.lock();
                    recorder.see(self.world.now(), old.as_deref(), new.as_deref());
                }
                Ok(None) => return,
                Err(_) => {
                    self.watcher = None;
                    return;
                }
            }
        }
    }
}
