//! The persistent volume controller: claims find volumes, or have them made by their class.
//!
//! A key with a namespace is a claim, one without a volume. A claim and its volume point at each
//! other: the volume by `claimRef`, written first, the claim by `volumeName`. [`matching`] chooses the
//! volume, [`provision`] makes one.
//!
//! Invariant: a volume is never given to two claims: `claimRef` is written against the resource
//! version that was looked at.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/volume/persistentvolume`.
//! Deviation: volumes are not scrubbed, so `Recycle` fails as it does where no plug-in can; what a
//! deleted volume held stays with the engine. A claim whose class waits for the first consumer is
//! bound when a pod that uses it has a node, whether or not the scheduler wrote the node down.

pub mod matching;
pub mod provision;

use std::collections::BTreeSet;
use std::sync::Arc;

use api::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Client, DeleteOptions};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching, same_key,
};

use self::matching::{best_match, class_of, is_reserved_for, mismatch};
use self::provision::{Provisioner, provisioner};

const COMPONENT: &str = "persistentvolume-controller";

const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const STORAGE_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";

/// Binds claims and volumes.
#[derive(Debug, Default)]
pub struct PersistentVolumeBinder {
    /// Names of volumes that a claim may get.
    open: BTreeSet<String>,
    /// Claims that have no volume.
    pending: BTreeSet<Key>,
    /// Whether there is something new for the pending claims.
    news: bool,
}

/// Makes the default storage class of a cluster of one's own.
///
/// # Errors
/// When the class cannot be made.
pub fn bootstrap(client: &Client) -> Result<(), Status> {
    match client.create(&STORAGE_CLASSES, "", provision::default_class()) {
        Err(status) if !status.is_already_exists() => Err(status),
        _ => Ok(()),
    }
}

impl Controller for PersistentVolumeBinder {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&PERSISTENT_VOLUME_CLAIMS, claim_and_volume),
            Watching::new(&PERSISTENT_VOLUMES, volume_and_claim),
            Watching::new(&STORAGE_CLASSES, claims_of_class),
            Watching::new(&PODS, claims_of_placed_pod),
        ]
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Option<Vec<Key>> {
        if std::mem::take(&mut self.news) {
            return Some(self.pending.iter().cloned().collect());
        }
        Some(Vec::new())
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if key.namespace().is_empty() {
            self.sync_volume(cx, key)?;
        } else {
            self.sync_claim(cx, key)?;
        }
        Ok(Requeue::Done)
    }
}

impl PersistentVolumeBinder {
    fn sync_claim(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<(), Status> {
        let Some(claim) = cx.caches.get_key(&PERSISTENT_VOLUME_CLAIMS, key) else {
            self.pending.remove(key);
            return Ok(());
        };
        if claim.annotation(BIND_COMPLETED).is_some() {
            self.pending.remove(key);
            return sync_bound_claim(cx, &claim);
        }
        self.pending.insert(key.clone());
        match claim.str_at(&["spec", "volumeName"]) {
            "" => self.find_volume(cx, &claim),
            name => take_named(cx, &claim, name),
        }
    }

    /// A claim that takes whatever volume fits.
    fn find_volume(&self, cx: &mut Context<'_>, claim: &Arc<Value>) -> Result<(), Status> {
        let open = self.open.iter().filter_map(|name| cx.caches.get(&PERSISTENT_VOLUMES, "", name));
        let open: Vec<Arc<Value>> = open.collect();
        let class = class_of(claim).to_owned();
        let class = cx.caches.get(&STORAGE_CLASSES, "", &class).ok_or(class);
        let waits = class.as_ref().is_ok_and(|class| waits(cx, claim, class));
        if let Some(volume) = best_match(&open, claim, waits) {
            return bind(cx, volume, claim);
        }
        match class {
            _ if waits => {
                let text = "waiting for first consumer to be created before binding";
                tell(cx, claim, EventType::Normal, "WaitForFirstConsumer", text);
            }
            Ok(class) => provision(cx, claim, &class)?,
            Err(name) if name.is_empty() => {
                let text =
                    "no persistent volumes available for this claim and no storage class is set";
                tell(cx, claim, EventType::Normal, "FailedBinding", text);
            }
            Err(name) => {
                let text = format!("storageclass.storage.k8s.io \"{name}\" not found");
                tell(cx, claim, EventType::Warning, "ProvisioningFailed", &text);
            }
        }
        claim_status(cx, claim, "Pending", None)
    }

    fn sync_volume(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<(), Status> {
        self.open.remove(key.name());
        let Some(volume) = cx.caches.get_key(&PERSISTENT_VOLUMES, key) else { return Ok(()) };
        let reference = &volume["spec"]["claimRef"];
        let claim = Key::new(reference.str_at(&["namespace"]), reference.str_at(&["name"]));
        let uid = reference.str_at(&["uid"]);
        if !reference.is_object() || uid.is_empty() {
            if volume.deletion_timestamp().is_none() {
                self.open.insert(volume.name().to_owned());
                self.news = true;
            }
            return volume_phase(cx, &volume, "Available", "");
        }
        let found = cx.caches.get_key(&PERSISTENT_VOLUME_CLAIMS, &claim);
        match found.filter(|found| found.uid() == uid) {
            None => release(cx, &volume),
            Some(found) => match found.str_at(&["spec", "volumeName"]) {
                "" => {
                    // Half bound; the claim does the rest.
                    self.open.insert(volume.name().to_owned());
                    self.news = true;
                    Ok(())
                }
                name if name == volume.name() => volume_phase(cx, &volume, "Bound", ""),
                _ => give_back(cx, &volume),
            },
        }
    }
}

fn tell(cx: &mut Context<'_>, object: &Value, kind: EventType, reason: &str, message: &str) {
    cx.recorder.event(COMPONENT, object, kind, reason, message);
}

/// Whether the claim must not be bound before a pod that uses it has a node.
fn waits(cx: &Context<'_>, claim: &Value, class: &Value) -> bool {
    class.str_at(&["volumeBindingMode"]) == "WaitForFirstConsumer"
        && claim.annotation(SELECTED_NODE).is_none()
        && cx
            .caches
            .using_claim(claim.namespace(), claim.name())
            .iter()
            .all(|pod| pod.str_at(&["spec", "nodeName"]).is_empty())
}

/// A claim that was bound before.
fn sync_bound_claim(cx: &mut Context<'_>, claim: &Arc<Value>) -> Result<(), Status> {
    let name = claim.str_at(&["spec", "volumeName"]);
    let lost = |cx: &mut Context<'_>, reason: &str, text: &str| {
        if claim.str_at(&["status", "phase"]) != "Lost" {
            tell(cx, claim, EventType::Warning, reason, text);
        }
        claim_status(cx, claim, "Lost", None)
    };
    if name.is_empty() {
        let text =
            "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return lost(cx, "ClaimLost", text);
    }
    let Some(volume) = cx.caches.get(&PERSISTENT_VOLUMES, "", name) else {
        let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        return lost(cx, "ClaimLost", text);
    };
    let owner = volume.str_at(&["spec", "claimRef", "uid"]);
    if owner.is_empty() || owner == claim.uid() {
        return bind(cx, &volume, claim);
    }
    let text = "Two claims are bound to the same volume, this one is bound incorrectly";
    lost(cx, "ClaimMisbound", text)
}

/// A claim whose user named the volume.
fn take_named(cx: &mut Context<'_>, claim: &Arc<Value>, name: &str) -> Result<(), Status> {
    let Some(volume) = cx.caches.get(&PERSISTENT_VOLUMES, "", name) else {
        return claim_status(cx, claim, "Pending", None);
    };
    if volume["spec"]["claimRef"].is_object() && !is_reserved_for(&volume, claim) {
        return claim_status(cx, claim, "Pending", None);
    }
    if let Some(why) = mismatch(&volume, claim) {
        let text = format!("Cannot bind to requested volume \"{name}\": {why}");
        tell(cx, claim, EventType::Warning, "VolumeMismatch", &text);
        return claim_status(cx, claim, "Pending", None);
    }
    bind(cx, &volume, claim)
}

/// Points both at each other, the volume first.
fn bind(cx: &Context<'_>, volume: &Arc<Value>, claim: &Arc<Value>) -> Result<(), Status> {
    let reserved = bind_volume(cx, volume, claim)?;
    volume_phase(cx, &reserved, "Bound", "")?;
    let bound = bind_claim(cx, claim, volume.name())?;
    claim_status(cx, &bound, "Bound", Some(volume))
}

fn bind_volume(cx: &Context<'_>, volume: &Arc<Value>, claim: &Value) -> Result<Arc<Value>, Status> {
    if volume.str_at(&["spec", "claimRef", "uid"]) == claim.uid() {
        return Ok(Arc::clone(volume));
    }
    let mut reserved = (**volume).clone();
    if !volume["spec"]["claimRef"].is_object() {
        reserved.set_annotation(BOUND_BY_CONTROLLER, "yes");
    }
    reserved.set(&["spec", "claimRef"], claim_reference(claim));
    cx.client.update(&PERSISTENT_VOLUMES, reserved)
}

/// The reference of a volume to its claim.
fn claim_reference(claim: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": claim.namespace(),
        "name": claim.name(),
        "uid": claim.uid(),
        "resourceVersion": claim.resource_version(),
    })
}

fn bind_claim(cx: &Context<'_>, claim: &Arc<Value>, volume: &str) -> Result<Arc<Value>, Status> {
    let named = claim.str_at(&["spec", "volumeName"]) == volume;
    if named && claim.annotation(BIND_COMPLETED).is_some() {
        return Ok(Arc::clone(claim));
    }
    let mut bound = (**claim).clone();
    if !named {
        bound.set_annotation(BOUND_BY_CONTROLLER, "yes");
        bound.set(&["spec", "volumeName"], json!(volume));
    }
    bound.set_annotation(BIND_COMPLETED, "yes");
    cx.client.update(&PERSISTENT_VOLUME_CLAIMS, bound)
}

fn claim_status(
    cx: &Context<'_>,
    claim: &Value,
    phase: &str,
    volume: Option<&Value>,
) -> Result<(), Status> {
    let mut updated = claim.clone();
    updated.set(&["status", "phase"], json!(phase));
    if let Some(volume) = volume {
        for (field, from) in [("accessModes", "accessModes"), ("capacity", "capacity")] {
            if let Some(value) = volume.at(&["spec", from]) {
                updated.set(&["status", field], value.clone());
            }
        }
    }
    if updated.at(&["status"]) == claim.at(&["status"]) {
        return Ok(());
    }
    cx.client.update_status(&PERSISTENT_VOLUME_CLAIMS, updated).map(drop)
}

fn volume_phase(
    cx: &Context<'_>,
    volume: &Value,
    phase: &str,
    message: &str,
) -> Result<(), Status> {
    if volume.str_at(&["status", "phase"]) == phase
        && volume.str_at(&["status", "message"]) == message
    {
        return Ok(());
    }
    let mut updated = volume.clone();
    updated.set(&["status", "phase"], json!(phase));
    if message.is_empty() {
        updated.remove(&["status", "message"]);
    } else {
        updated.set(&["status", "message"], json!(message));
    }
    cx.client.update_status(&PERSISTENT_VOLUMES, updated).map(drop)
}

/// A volume whose claim is gone: what its reclaim policy says.
fn release(cx: &mut Context<'_>, volume: &Value) -> Result<(), Status> {
    let phase = volume.str_at(&["status", "phase"]);
    if !matches!(phase, "Released" | "Failed") {
        // The write brings the volume up again.
        return volume_phase(cx, volume, "Released", "");
    }
    let name = volume.name();
    let (reason, text) = match volume.str_at(&["spec", "persistentVolumeReclaimPolicy"]) {
        "Delete" if provision::is_ours(volume) => {
            let options =
                DeleteOptions { uid: Some(volume.uid().to_owned()), ..DeleteOptions::default() };
            return match cx.client.delete(&PERSISTENT_VOLUMES, "", name, options) {
                Err(status) if !status.is_not_found() => Err(status),
                _ => Ok(()),
            };
        }
        // Whoever made it deletes it.
        "Delete" if volume.annotation(PROVISIONED_BY).is_some() => return Ok(()),
        "Delete" => {
            let text = format!(
                "Error getting deleter volume plugin for volume \"{name}\": no volume plugin matched"
            );
            ("VolumeFailedDelete", text)
        }
        "Recycle" => ("VolumeFailedRecycle", "No recycler plugin found for the volume!".to_owned()),
        _ => return Ok(()),
    };
    if phase == "Failed" {
        return Ok(());
    }
    tell(cx, volume, EventType::Warning, reason, &text);
    volume_phase(cx, volume, "Failed", &text)
}

/// A volume whose claim has another one.
fn give_back(cx: &mut Context<'_>, volume: &Value) -> Result<(), Status> {
    let made = volume.annotation(PROVISIONED_BY).is_some();
    if made && volume.str_at(&["spec", "persistentVolumeReclaimPolicy"]) == "Delete" {
        return release(cx, volume);
    }
    let mut free = volume.clone();
    if volume.annotation(BOUND_BY_CONTROLLER).is_some() {
        free.remove(&["spec", "claimRef"]);
        free.remove(&["metadata", "annotations", BOUND_BY_CONTROLLER]);
    } else {
        free.remove(&["spec", "claimRef", "uid"]);
    }
    cx.client.update(&PERSISTENT_VOLUMES, free).map(drop)
}

/// Has a volume made for the claim.
fn provision(cx: &mut Context<'_>, claim: &Arc<Value>, class: &Value) -> Result<(), Status> {
    let name = class.str_at(&["provisioner"]);
    let kind = provisioner(name);
    if kind == Provisioner::Unknown {
        let text = "no volume plugin matched";
        tell(cx, claim, EventType::Warning, "ProvisioningFailed", text);
        return Ok(());
    }
    let mut marked = Arc::clone(claim);
    if claim.annotation(STORAGE_PROVISIONER) != Some(name) {
        let mut updated = (**claim).clone();
        updated.set_annotation(STORAGE_PROVISIONER, name);
        marked = cx.client.update(&PERSISTENT_VOLUME_CLAIMS, updated)?;
    }
    let Some(volume) = provision::volume(&marked, class, kind) else {
        let text = format!(
            "waiting for a volume to be created, either by external provisioner \"{name}\" or \
             manually created by system administrator"
        );
        tell(cx, claim, EventType::Normal, "ExternalProvisioning", &text);
        return Ok(());
    };
    match cx.client.create(&PERSISTENT_VOLUMES, "", volume) {
        Ok(volume) => {
            let text = format!("Successfully provisioned volume {} using {name}", volume.name());
            tell(cx, claim, EventType::Normal, "ProvisioningSucceeded", &text);
            Ok(())
        }
        // Made in an earlier turn; it is bound when it is seen.
        Err(status) if status.is_already_exists() => Ok(()),
        Err(status) => Err(status),
    }
}

fn claim_and_volume(_: &Caches, change: &Change) -> Vec<Key> {
    let names = [&change.old, &change.new].into_iter().flatten();
    let names = names.map(|claim| claim.str_at(&["spec", "volumeName"]));
    let mut keys: Vec<Key> =
        names.filter(|name| !name.is_empty()).map(|name| Key::new("", name)).collect();
    keys.dedup();
    keys.push(change.key());
    keys
}

fn volume_and_claim(caches: &Caches, change: &Change) -> Vec<Key> {
    let sides = [&change.old, &change.new].into_iter().flatten();
    let claims = sides.filter_map(|volume| {
        let reference = volume.at(&["spec", "claimRef"]).filter(|it| it.is_object())?;
        Some(Key::new(reference.str_at(&["namespace"]), reference.str_at(&["name"])))
    });
    let mut keys: Vec<Key> = claims.collect();
    keys.dedup();
    keys.extend(same_key(caches, change));
    keys
}

/// The claims that wait for a class; classes come seldom.
fn claims_of_class(caches: &Caches, change: &Change) -> Vec<Key> {
    let class = change.object().name();
    let all = caches.iter(&PERSISTENT_VOLUME_CLAIMS, "");
    let waiting = all.filter(|(_, claim)| {
        claim.annotation(BIND_COMPLETED).is_none() && class_of(claim) == class
    });
    waiting.map(|(key, _)| key.clone()).collect()
}

/// The claims of a pod that has just got a node.
fn claims_of_placed_pod(_: &Caches, change: &Change) -> Vec<Key> {
    if change.is_of_status() {
        return Vec::new();
    }
    let node = |pod: &Option<Arc<Value>>| {
        pod.as_ref().is_some_and(|pod| !pod.str_at(&["spec", "nodeName"]).is_empty())
    };
    match &change.new {
        Some(pod) if node(&change.new) && !node(&change.old) => {
            claims(pod).map(|name| Key::new(pod.namespace(), name)).collect()
        }
        _ => Vec::new(),
    }
}

/// Names of the claims that a pod uses.
fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod.list_at(&["spec", "volumes"]).iter();
    let names = volumes.map(|volume| volume.str_at(&["persistentVolumeClaim", "claimName"]));
    names.filter(|name| !name.is_empty())
}
