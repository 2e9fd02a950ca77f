//! Volumes and claims: the default class, growth, and protection while they are in use.
//!
//! Mirrors: `kubernetes/plugin/pkg/admission/storage`,
//! `kubernetes/pkg/controller/volume/pvcprotection`, `.../pvprotection`.

use std::sync::Arc;

use api::views::pod::is_terminal;
use api::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, Resource, STORAGE_CLASSES};
use apimachinery::json;
use apimachinery::quantity::Quantity;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Operation};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};

use crate::pod::list_mut;
use crate::request::{all, creates, find, refuse, writes};

const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
const DEFAULT_ANNOTATIONS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// New volumes and claims get a finalizer: `StorageObjectInUseProtection`.
#[derive(Debug)]
pub struct StorageObjectInUseProtection;

impl Admission for StorageObjectInUseProtection {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        for (resource, finalizer) in
            [(&PERSISTENT_VOLUME_CLAIMS, CLAIM_FINALIZER), (&PERSISTENT_VOLUMES, VOLUME_FINALIZER)]
        {
            if creates(request, resource) {
                let finalizers = list_mut(request.object, &["metadata", "finalizers"]);
                if !finalizers.iter().any(|known| known == finalizer) {
                    finalizers.push(json!(finalizer));
                }
            }
        }
        Ok(())
    }
}

/// Claims that name no class get the default one: `DefaultStorageClass`.
#[derive(Debug)]
pub struct DefaultStorageClass;

impl Admission for DefaultStorageClass {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let says = |claim: &Value| {
            claim.annotation(CLASS_ANNOTATION).is_some()
                || claim.at(&["spec", "storageClassName"]).is_some_and(|it| !it.is_null())
        };
        if !creates(request, &PERSISTENT_VOLUME_CLAIMS) || says(request.object) {
            return Ok(());
        }
        let mut classes = all(request.server, &STORAGE_CLASSES, "");
        classes.retain(|class| {
            DEFAULT_ANNOTATIONS.iter().any(|a| class.annotation(a) == Some("true"))
        });
        match classes.as_slice() {
            [] => {}
            [class] => request.object.set(&["spec", "storageClassName"], json!(class.name())),
            many => {
                let text = format!("{} default StorageClasses were found", many.len());
                return Err(Status::internal(&text));
            }
        }
        Ok(())
    }
}

/// Claims grow only where their class lets them: `PersistentVolumeClaimResize`.
#[derive(Debug)]
pub struct PersistentVolumeClaimResize;

impl Admission for PersistentVolumeClaimResize {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(old) = request.old.filter(|_| writes(request, &PERSISTENT_VOLUME_CLAIMS)) else {
            return Ok(());
        };
        let size = |claim: &Value| {
            let size = claim.at(&["spec", "resources", "requests", "storage"])?;
            Quantity::from_json(size).ok()
        };
        if request.operation != Operation::Update || size(request.object) <= size(old) {
            return Ok(());
        }
        if old.str_at(&["status", "phase"]) != "Bound" {
            return Err(refuse(request, "Only bound persistent volume claims can be expanded"));
        }
        let class = old
            .annotation(CLASS_ANNOTATION)
            .unwrap_or_else(|| old.str_at(&["spec", "storageClassName"]));
        let class = find(request.server, &STORAGE_CLASSES, "", class);
        if class.is_some_and(|class| class.bool_at(&["allowVolumeExpansion"])) {
            return Ok(());
        }
        let text = "only dynamically provisioned pvc can be resized and the storageclass that \
                    provisions the pvc must support resize";
        Err(refuse(request, text))
    }
}

/// Lets claims go that are being deleted once no pod uses them.
#[derive(Debug)]
pub struct ClaimProtection;

impl Controller for ClaimProtection {
    fn name(&self) -> &'static str {
        "pvc-protection-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&PERSISTENT_VOLUME_CLAIMS, same_key), Watching::new(&PODS, claims_of)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let pods = || cx.caches.using_claim(key.namespace(), key.name());
        let in_use = |_: &Value| pods().iter().any(|pod| uses(pod, key.name()));
        release(cx, &PERSISTENT_VOLUME_CLAIMS, key, CLAIM_FINALIZER, in_use)
    }
}

/// Lets volumes go that are being deleted once no claim is bound to them.
#[derive(Debug)]
pub struct VolumeProtection;

impl Controller for VolumeProtection {
    fn name(&self) -> &'static str {
        "pv-protection-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&PERSISTENT_VOLUMES, same_key)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let bound = |volume: &Value| volume.str_at(&["status", "phase"]) == "Bound";
        release(cx, &PERSISTENT_VOLUMES, key, VOLUME_FINALIZER, bound)
    }
}

/// Takes the finalizer off an object that is being deleted and not in use.
fn release(
    cx: &Context<'_>,
    resource: &'static Resource,
    key: &Key,
    finalizer: &str,
    in_use: impl Fn(&Value) -> bool,
) -> Result<Requeue, Error> {
    let Some(object) = cx.caches.get_key(resource, key) else { return Ok(Requeue::Done) };
    let finalizers = object.list_at(&["metadata", "finalizers"]);
    let held = finalizers.iter().any(|known| known == finalizer);
    if object.deletion_timestamp().is_none() || !held || in_use(&object) {
        return Ok(Requeue::Done);
    }
    let left: Vec<&Value> = finalizers.iter().filter(|known| *known != finalizer).collect();
    let mut new = (*object).clone();
    new.set(&["metadata", "finalizers"], json!(left));
    match cx.client.update(resource, new) {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(Requeue::Done),
    }
}

fn claim_names(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod.list_at(&["spec", "volumes"]).iter();
    volumes
        .map(|volume| volume.str_at(&["persistentVolumeClaim", "claimName"]))
        .filter(|name| !name.is_empty())
}

/// Whether a pod that runs or may run uses the claim.
fn uses(pod: &Value, claim: &str) -> bool {
    let waits = pod.str_at(&["spec", "nodeName"]).is_empty();
    !waits && !is_terminal(pod) && claim_names(pod).any(|name| name == claim)
}

/// The claims of a pod that ended or is gone.
fn claims_of(_: &Caches, change: &Change) -> Vec<Key> {
    let pod: &Arc<Value> = change.object();
    if change.new.is_some() && !is_terminal(pod) {
        return Vec::new();
    }
    claim_names(pod).map(|name| Key::new(pod.namespace(), name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_in_use_while_a_placed_pod_names_it() {
        let pod = |node: &str, phase: &str| {
            json!({"spec": {"nodeName": node, "volumes": [{"persistentVolumeClaim": {"claimName": "c"}}]},
                "status": {"phase": phase}})
        };
        assert!(uses(&pod("n", "Running"), "c"));
        assert!(!uses(&pod("n", "Running"), "other"));
        assert!(!uses(&pod("n", "Succeeded"), "c"));
        assert!(!uses(&pod("", "Pending"), "c"));
    }
}
