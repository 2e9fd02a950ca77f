//! Volumes that are made on demand.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::{BOUND_BY_CONTROLLER, PROVISIONED_BY, claim_reference, matching};

/// Directories of the node, as upstream's test clusters have them.
pub const HOST_PATH: &str = "kubernetes.io/host-path";

/// Volumes of the container engine.
pub const ENGINE: &str = "rehearse.io/volume";

/// Where directories for claims are made.
const HOST_PATH_ROOT: &str = "/tmp/hostpath_pv";

/// Who makes the volumes of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisioner {
    /// This controller, as directories.
    HostPath,
    /// This controller, as volumes of the engine.
    Engine,
    /// Somebody else.
    External,
    /// Nobody: a name of Kubernetes' own for which there is no plug-in.
    Unknown,
}

/// Who answers to the name of a provisioner.
#[must_use]
pub fn provisioner(name: &str) -> Provisioner {
    match name {
        HOST_PATH => Provisioner::HostPath,
        ENGINE => Provisioner::Engine,
        name if name.starts_with("kubernetes.io/") => Provisioner::Unknown,
        _ => Provisioner::External,
    }
}

/// Whether this controller made the volume and may delete it.
pub(super) fn is_ours(volume: &Value) -> bool {
    let by = volume.annotation(PROVISIONED_BY).map(provisioner);
    matches!(by, Some(Provisioner::HostPath | Provisioner::Engine))
}

/// The volume that `class` makes for `claim`, reserved for it; `None` when somebody else makes it.
#[must_use]
pub fn volume(claim: &Value, class: &Value, provisioner: Provisioner) -> Option<Value> {
    let name = format!("pvc-{}", claim.uid());
    let (source, described) = match provisioner {
        Provisioner::HostPath => {
            ("hostPath", json!({"path": format!("{HOST_PATH_ROOT}/{name}"), "type": ""}))
        }
        Provisioner::Engine => {
            ("flexVolume", json!({"driver": ENGINE, "options": {"name": name.clone()}}))
        }
        Provisioner::External | Provisioner::Unknown => return None,
    };
    let policy = Some(class.str_at(&["reclaimPolicy"])).filter(|policy| !policy.is_empty());
    let mut spec = json!({
        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        "accessModes": claim["spec"]["accessModes"],
        "persistentVolumeReclaimPolicy": policy.unwrap_or("Delete"),
        "storageClassName": matching::class_of(claim),
        "claimRef": claim_reference(claim),
    });
    spec[source] = described;
    if let Some(options) = class.get("mountOptions") {
        spec["mountOptions"] = options.clone();
    }
    let mut volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": spec,
    });
    volume.set_annotation(BOUND_BY_CONTROLLER, "yes");
    volume.set_annotation(PROVISIONED_BY, class.str_at(&["provisioner"]));
    Some(volume)
}

/// The class that claims without one get in a cluster of one's own: volumes of the engine.
#[must_use]
pub fn default_class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": ENGINE,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    })
}
