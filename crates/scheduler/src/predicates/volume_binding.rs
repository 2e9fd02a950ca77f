//! `CheckVolumeBinding`: bound volumes may be used from the node, and claims that wait for their first
//! pod can be bound there.
//!
//! Mirrors: `volume_binder`'s `FindPodVolumes`.
//! Deviation: a class with a provisioner counts as able to provision on any node, which 1.11 does only
//! behind a gate.

use std::collections::BTreeSet;
use std::sync::Arc;

use apimachinery::quantity::Quantity;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

use crate::pod::PodInfo;
use crate::predicates::{Answer, Predicate, Reason, Request, Scope, term_matches};
use crate::snapshot::{NodeInfo, Volumes};

const NODE_CONFLICT: Reason = Reason::fixed("node(s) had volume node affinity conflict");
const NO_MATCH: Reason = Reason::fixed("node(s) didn't find available persistent volumes to bind");

#[derive(Debug)]
pub(super) struct CheckVolumeBinding;

/// The older half of the rule, by its older name.
#[derive(Debug)]
pub(super) struct NoVolumeNodeConflict;

/// What must be written so that a claim is bound where its pod goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Binding {
    /// This volume is for this claim.
    Volume {
        /// The volume.
        volume: Arc<Value>,
        /// The claim.
        claim: Arc<Value>,
    },
    /// The provisioner is told the node.
    Provision {
        /// The claim.
        claim: Arc<Value>,
    },
}

impl Predicate for CheckVolumeBinding {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "CheckVolumeBinding"
    }

    fn scope(&self) -> Scope {
        Scope::Volumes
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        if !request.pod.has_volumes {
            return Ok(Vec::new());
        }
        let claims = claims(&request.snapshot.volumes, request.pod);
        let volumes = &request.snapshot.volumes;
        let (bound, open): (Vec<_>, Vec<_>) = claims.into_iter().partition(|c| is_bound(c));
        if open.iter().any(|claim| !waits_for_consumer(volumes, claim)) {
            return Err("pod has unbound PersistentVolumeClaims".to_owned());
        }
        let mut reasons = Vec::new();
        if !bound.iter().all(|claim| reaches(volumes, claim, node)) {
            reasons.push(NODE_CONFLICT);
        }
        if bind(volumes, &open, node).is_none() {
            reasons.push(NO_MATCH);
        }
        Ok(reasons)
    }
}

impl Predicate for NoVolumeNodeConflict {
    fn name(&self) -> &str {
        "NoVolumeNodeConflict"
    }

    fn rule(&self) -> &'static str {
        "CheckVolumeBinding"
    }

    fn scope(&self) -> Scope {
        Scope::Volumes
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let volumes = &request.snapshot.volumes;
        let claims = claims(volumes, request.pod);
        let fits = claims.iter().filter(|c| is_bound(c)).all(|claim| reaches(volumes, claim, node));
        Ok(if fits { Vec::new() } else { vec![NODE_CONFLICT] })
    }
}

/// What must be written before the pod goes to `node`; nothing when all its claims are bound.
#[must_use]
pub fn bindings(volumes: &Volumes, pod: &PodInfo, node: &NodeInfo) -> Vec<Binding> {
    if !pod.has_volumes {
        return Vec::new();
    }
    let open: Vec<_> = claims(volumes, pod).into_iter().filter(|claim| !is_bound(claim)).collect();
    bind(volumes, &open, node).unwrap_or_default()
}

/// The claims of `pod` that exist.
fn claims(volumes: &Volumes, pod: &PodInfo) -> Vec<Arc<Value>> {
    let sources = pod.pod.list_at(&["spec", "volumes"]).iter();
    let names = sources.map(|volume| volume.str_at(&["persistentVolumeClaim", "claimName"]));
    let found = names.filter(|name| !name.is_empty());
    found.filter_map(|name| volumes.claim(pod.pod.namespace(), name).cloned()).collect()
}

fn is_bound(claim: &Value) -> bool {
    !claim.str_at(&["spec", "volumeName"]).is_empty()
}

/// Whether the claim's class binds when the first pod comes.
pub(super) fn waits_for_consumer(volumes: &Volumes, claim: &Value) -> bool {
    let class = class_of(claim);
    let class = volumes.class(class);
    class.is_some_and(|class| class.str_at(&["volumeBindingMode"]) == "WaitForFirstConsumer")
}

fn class_of(claim: &Value) -> &str {
    claim
        .annotation("volume.beta.kubernetes.io/storage-class")
        .unwrap_or_else(|| claim.str_at(&["spec", "storageClassName"]))
}

/// Whether the volume of a bound claim may be used from `node`.
fn reaches(volumes: &Volumes, claim: &Value, node: &NodeInfo) -> bool {
    let volume = volumes.volume(claim.str_at(&["spec", "volumeName"]));
    volume.is_none_or(|volume| is_reachable(volume, node))
}

fn is_reachable(volume: &Value, node: &NodeInfo) -> bool {
    let required = volume.at(&["spec", "nodeAffinity", "required"]);
    let Some(required) = required.filter(|required| !required.is_null()) else { return true };
    let mut terms = required.list_at(&["nodeSelectorTerms"]).iter();
    terms.any(|term| term_matches(term, node.labels(), &node.name))
}

/// A binding for every claim of `open` on `node`; `None` when one of them finds nothing.
fn bind(volumes: &Volumes, open: &[Arc<Value>], node: &NodeInfo) -> Option<Vec<Binding>> {
    let mut chosen = BTreeSet::new();
    let mut bindings = Vec::new();
    for claim in open {
        let mut fitting: Vec<&Arc<Value>> = volumes
            .volumes()
            .filter(|volume| !chosen.contains(volume.name()) && serves(volume, claim, node))
            .collect();
        fitting.sort_by_key(|volume| capacity(volume, &["spec", "capacity", "storage"]));
        if let Some(volume) = fitting.first() {
            chosen.insert(volume.name().to_owned());
            let (volume, claim) = (Arc::clone(volume), Arc::clone(claim));
            bindings.push(Binding::Volume { volume, claim });
            continue;
        }
        let class = volumes.class(class_of(claim))?;
        let provisioner = class.str_at(&["provisioner"]);
        if provisioner.is_empty() || provisioner == "kubernetes.io/no-provisioner" {
            return None;
        }
        bindings.push(Binding::Provision { claim: Arc::clone(claim) });
    }
    Some(bindings)
}

fn capacity(object: &Value, path: &[&str]) -> i64 {
    let quantity = object.at(path).and_then(|value| Quantity::from_json(value).ok());
    quantity.map_or(0, |quantity| quantity.value())
}

/// Whether a free volume suits a claim on a node.
fn serves(volume: &Value, claim: &Value, node: &NodeInfo) -> bool {
    let holder = volume.at(&["spec", "claimRef"]).filter(|holder| holder.is_object());
    if let Some(holder) = holder {
        let same = holder.str_at(&["name"]) == claim.name()
            && holder.str_at(&["namespace"]) == claim.namespace();
        return same && is_reachable(volume, node);
    }
    let modes = volume.list_at(&["spec", "accessModes"]);
    let selector = claim.at(&["spec", "selector"]).filter(|selector| selector.is_object());
    let selected = selector.is_none_or(|selector| {
        LabelSelector::from_json(selector).is_ok_and(|it| it.matches_object(volume))
    });
    volume.deletion_timestamp().is_none()
        && class_of(volume) == class_of(claim)
        && capacity(volume, &["spec", "capacity", "storage"])
            >= capacity(claim, &["spec", "resources", "requests", "storage"])
        && claim.list_at(&["spec", "accessModes"]).iter().all(|mode| modes.contains(mode))
        && selected
        && matches!(volume.str_at(&["status", "phase"]), "" | "Available")
        && is_reachable(volume, node)
}
