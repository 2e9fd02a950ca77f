//! `NoVolumeZoneConflict`: a bound volume's zone and region are the node's.

use apimachinery::ObjectExt as _;

use crate::affinity::value_of;
use crate::predicates::volume_binding::waits_for_consumer;
use crate::predicates::{Answer, Predicate, Reason, Request, Scope};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) had no available volume zone");

const LABELS: [&str; 2] =
    ["failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"];

#[derive(Debug)]
pub(super) struct NoVolumeZoneConflict;

impl Predicate for NoVolumeZoneConflict {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "NoVolumeZoneConflict"
    }

    fn scope(&self) -> Scope {
        Scope::Volumes
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let labels = node.labels();
        if !request.pod.has_volumes || LABELS.iter().all(|key| value_of(labels, key).is_none()) {
            return Ok(Vec::new());
        }
        let volumes = &request.snapshot.volumes;
        for volume in request.pod.pod.list_at(&["spec", "volumes"]) {
            let Some(source) = volume.get("persistentVolumeClaim").filter(|s| s.is_object()) else {
                continue;
            };
            let name = source.str_at(&["claimName"]);
            if name.is_empty() {
                return Err("PersistentVolumeClaim had no name".to_owned());
            }
            let namespace = request.pod.pod.namespace();
            let Some(claim) = volumes.claim(namespace, name) else {
                return Err(format!("PersistentVolumeClaim was not found: {name:?}"));
            };
            let bound = claim.str_at(&["spec", "volumeName"]);
            if bound.is_empty() {
                if waits_for_consumer(volumes, claim) {
                    continue;
                }
                return Err(format!("PersistentVolumeClaim is not bound: {name:?}"));
            }
            let Some(volume) = volumes.volume(bound) else {
                return Err(format!("PersistentVolume not found: {bound:?}"));
            };
            for key in LABELS {
                let Some(zones) = value_of(volume.labels(), key) else { continue };
                let mut zones = zones.split("__").map(str::trim);
                let here = value_of(labels, key).unwrap_or_default();
                if !zones.any(|zone| zone == here) {
                    return Ok(vec![REASON]);
                }
            }
        }
        Ok(Vec::new())
    }
}
