//! The controller of `ReplicationController`s.

use api::{PODS, REPLICATION_CONTROLLERS};
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{Context, Controller, Error, Key, Requeue, Watching, same_key};

use crate::replica::{self, Flavor};

const FLAVOR: Flavor =
    Flavor { resource: &REPLICATION_CONTROLLERS, component: "replication-controller", selector };

/// The selector of a replication controller; an empty one selects nothing.
fn selector(rc: &Value) -> LabelSelector {
    match rc.map_at(&["spec", "selector"]) {
        Some(labels) if !labels.is_empty() => LabelSelector::from_map(labels),
        _ => LabelSelector::nothing(),
    }
}

/// Keeps as many pods as each `ReplicationController` asks for.
#[derive(Debug, Default)]
pub struct ReplicationController;

impl Controller for ReplicationController {
    fn name(&self) -> &'static str {
        FLAVOR.component
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(FLAVOR.resource, same_key),
            Watching::new(&PODS, |caches, change| replica::owners_of_pod(FLAVOR, caches, change)),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        replica::reconcile(FLAVOR, cx, key)
    }
}
