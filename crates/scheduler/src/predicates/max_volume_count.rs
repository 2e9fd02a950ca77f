//! `MaxEBSVolumeCount` and its kin: a node takes so many disks of a kind.
//!
//! Mirrors: `MaxPDVolumeCountChecker` and `csi_volume_predicate.go`.

use std::collections::BTreeSet;

use apimachinery::quantity::Quantity;
use apimachinery::{ObjectExt as _, Value};

use crate::pod::PodInfo;
use crate::predicates::{Answer, Predicate, Reason, Request, Scope, unless};
use crate::snapshot::{NodeInfo, Snapshot};

const REASON: Reason = Reason::fixed("node(s) exceed max volume count");

/// Which disks are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// AWS EBS: 39 a node.
    Ebs,
    /// GCE PD: 16 a node.
    GcePd,
    /// Azure data disks: 16 a node.
    AzureDisk,
    /// Volumes of CSI drivers, as many as the node says it takes of each.
    Csi,
}

/// A node takes so many disks of a kind.
#[derive(Debug)]
pub struct MaxVolumeCount {
    filter: Filter,
    limit: usize,
}

impl MaxVolumeCount {
    /// Counts disks of `filter`, up to `limit` or upstream's number.
    #[must_use]
    pub fn new(filter: Filter, limit: Option<usize>) -> Self {
        let usual = if filter == Filter::Ebs { 39 } else { 16 };
        Self { filter, limit: limit.unwrap_or(usual) }
    }

    /// The identity of a disk in a pod or a persistent volume, if it is of the kind.
    fn disk(&self, source: &Value) -> Option<String> {
        let id = match self.filter {
            Filter::Ebs => source.str_at(&["awsElasticBlockStore", "volumeID"]),
            Filter::GcePd => source.str_at(&["gcePersistentDisk", "pdName"]),
            Filter::AzureDisk => source.str_at(&["azureDisk", "diskName"]),
            Filter::Csi => {
                let csi = source.get("csi").filter(|csi| csi.is_object())?;
                let (driver, handle) = (csi.str_at(&["driver"]), csi.str_at(&["volumeHandle"]));
                return Some(format!("{driver}/{handle}"));
            }
        };
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// The disks of `pod`. A claim whose disk is not known counts as one of its own.
    fn disks(&self, snapshot: &Snapshot, pod: &PodInfo) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if !pod.has_volumes {
            return found;
        }
        let namespace = pod.pod.namespace();
        for volume in pod.pod.list_at(&["spec", "volumes"]) {
            if let Some(id) = self.disk(volume) {
                found.insert(id);
                continue;
            }
            let name = volume.str_at(&["persistentVolumeClaim", "claimName"]);
            if name.is_empty() {
                continue;
            }
            let claim = snapshot.volumes.claim(namespace, name);
            let bound = claim.map_or("", |claim| claim.str_at(&["spec", "volumeName"]));
            match snapshot.volumes.volume(bound) {
                Some(volume) => {
                    found.extend(volume.at(&["spec"]).and_then(|source| self.disk(source)));
                }
                None if self.filter == Filter::Csi => {}
                None => {
                    found.insert(format!("\0{namespace}/{name}"));
                }
            }
        }
        found
    }
}

impl Predicate for MaxVolumeCount {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        match self.filter {
            Filter::Ebs => "MaxEBSVolumeCount",
            Filter::GcePd => "MaxGCEPDVolumeCount",
            Filter::AzureDisk => "MaxAzureDiskVolumeCount",
            Filter::Csi => "MaxCSIVolumeCount",
        }
    }

    fn scope(&self) -> Scope {
        Scope::Volumes
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let mut wanted = self.disks(request.snapshot, request.pod);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let pods = node.pods.values();
        let taken: BTreeSet<String> =
            pods.flat_map(|pod| self.disks(request.snapshot, pod)).collect();
        wanted.retain(|disk| !taken.contains(disk));
        if self.filter == Filter::Csi {
            return unless(fits_drivers(node, &taken, &wanted), &REASON);
        }
        unless(taken.len() + wanted.len() <= self.limit, &REASON)
    }
}

/// Whether every driver takes the new volumes; one that names no limit takes any number.
fn fits_drivers(node: &NodeInfo, taken: &BTreeSet<String>, wanted: &BTreeSet<String>) -> bool {
    let driver = |id: &str| id.split_once('/').map_or("", |(driver, _)| driver).to_owned();
    let count = |ids: &BTreeSet<String>, wanted: &str| {
        i64::try_from(ids.iter().filter(|id| driver(id) == wanted).count()).unwrap_or(i64::MAX)
    };
    let drivers: BTreeSet<String> = wanted.iter().map(|id| driver(id)).collect();
    drivers.iter().all(|driver| {
        let key = format!("attachable-volumes-csi-{driver}");
        let node = node.node.as_deref();
        let limit = node.and_then(|node| node.at(&["status", "allocatable", &key]));
        let limit = limit.and_then(|limit| Quantity::from_json(limit).ok());
        limit.is_none_or(|limit| count(taken, driver) + count(wanted, driver) <= limit.value())
    })
}
