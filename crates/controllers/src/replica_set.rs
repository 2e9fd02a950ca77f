//! The controller of `ReplicaSet`s.

use api::{PODS, REPLICA_SETS};
use controller_runtime::{Context, Controller, Error, Key, Requeue, Watching, same_key};

use crate::claim;
use crate::replica::{self, Flavor};

const FLAVOR: Flavor = Flavor {
    resource: &REPLICA_SETS,
    component: "replicaset-controller",
    selector: claim::selector,
};

/// Keeps as many pods as each `ReplicaSet` asks for.
#[derive(Debug, Default)]
pub struct ReplicaSet;

impl Controller for ReplicaSet {
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
