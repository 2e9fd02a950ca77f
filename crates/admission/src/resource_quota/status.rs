//! The controller that counts what a namespace uses of its quotas.
//!
//! Mirrors: `kubernetes/pkg/controller/resourcequota`.

use std::time::Duration;

use api::{RESOURCE_QUOTAS, Resource};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::Client;
use controller_runtime::{
    Caches, Change, Context, Controller, CustomResources, Error, Key, Requeue, Watching, same_key,
};
use world::Time;

use super::amounts::{self, Amounts};
use super::{scope, usage};

/// How often quotas are counted anew although nothing that is watched changed: others use them too, and
/// what admission counted for a create that then failed is given back.
pub(super) const RESYNC: Duration = Duration::from_secs(300);

/// The resources whose changes are counted at once.
pub(super) static WATCHED: [&Resource; 11] = [
    &api::PODS,
    &api::SERVICES,
    &api::PERSISTENT_VOLUME_CLAIMS,
    &api::REPLICATION_CONTROLLERS,
    &api::SECRETS,
    &api::CONFIG_MAPS,
    &RESOURCE_QUOTAS,
    &api::IMAGE_STREAMS,
    &api::DEPLOYMENTS,
    &api::REPLICA_SETS,
    &api::DEPLOYMENT_CONFIGS,
];

/// Counts what is used of every `ResourceQuota`.
#[derive(Debug, Default)]
pub struct QuotaStatus {
    custom: CustomResources,
}

impl Controller for QuotaStatus {
    fn name(&self) -> &'static str {
        "resourcequota-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        let mut watches: Vec<Watching> =
            WATCHED.iter().map(|resource| Watching::new(resource, quotas_around)).collect();
        watches.push(Watching::new(&RESOURCE_QUOTAS, limits_changed));
        watches.push(Watching::reading(&api::CUSTOM_RESOURCE_DEFINITIONS));
        watches
    }

    fn new_watches(&mut self, caches: &Caches) -> Vec<Watching> {
        let new = self.custom.news(caches).into_iter();
        new.map(|resource| Watching::new(resource, quotas_around)).collect()
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(quota) = cx.caches.get_key(&RESOURCE_QUOTAS, key) else {
            return Ok(Requeue::Done);
        };
        if quota.deletion_timestamp().is_some() {
            return Ok(Requeue::Done);
        }
        let spec = &quota["spec"];
        let used = count(cx.client, spec, key.namespace(), cx.world.now())?;
        let status = json!({"hard": spec.get("hard"), "used": amounts::to_value(&used)});
        if quota.get("status") != Some(&status) {
            let mut new = (*quota).clone();
            new.set(&["status"], status);
            cx.client.update_status(&RESOURCE_QUOTAS, new)?;
        }
        Ok(Requeue::After(RESYNC))
    }
}

/// What the objects of a namespace use of what `spec` limits.
pub(super) fn count(client: &Client, spec: &Value, ns: &str, now: Time) -> Result<Amounts, Status> {
    let hard = amounts::read(spec.get("hard"));
    let mut used: Amounts = hard.keys().map(|name| (name.clone(), zero())).collect();
    let mut resources: Vec<&'static Resource> = Vec::new();
    let custom = client.server().custom_resources();
    for user in hard.keys().flat_map(|name| usage::users_of(name, &custom)) {
        if !resources.iter().any(|known| crate::request::same(known, user)) {
            resources.push(user);
        }
    }
    for resource in resources {
        for object in client.list(resource, ns)? {
            if scope::applies(spec, resource, &object) {
                amounts::add(&mut used, &amounts::mask(&usage::of(resource, &object, now), &hard));
            }
        }
    }
    Ok(used)
}

fn zero() -> apimachinery::quantity::Quantity {
    apimachinery::quantity::Quantity::default()
}

/// A quota whose limits are new. What admission writes into its status is ahead of the object that is
/// about to be stored: counted then, the object would be given away twice.
pub(super) fn limits_changed(caches: &Caches, change: &Change) -> Vec<Key> {
    let limits = |quota: &Value| quota.at(&["spec"]).cloned();
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if limits(old) == limits(new) => Vec::new(),
        _ => same_key(caches, change),
    }
}

/// The quotas of the namespace, when the change may matter to them.
fn quotas_around(caches: &Caches, change: &Change) -> Vec<Key> {
    if !matters(change) {
        return Vec::new();
    }
    let namespace = change.object().namespace();
    if namespace.is_empty() {
        return Vec::new();
    }
    caches.iter(&RESOURCE_QUOTAS, namespace).map(|(key, _)| key.clone()).collect()
}

/// Whether an object came, went, ended or asks for something else.
pub(super) fn matters(change: &Change) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return true };
    let phase = &["status", "phase"];
    old.at(phase) != new.at(phase)
        || old.deletion_timestamp() != new.deletion_timestamp()
        || (matches!(new.kind(), "Service" | "PersistentVolumeClaim")
            && old.get("spec") != new.get("spec"))
}
