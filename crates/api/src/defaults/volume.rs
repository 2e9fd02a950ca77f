//! Defaults of volumes, in pods and in PersistentVolumes.
//!
//! Mirrors: `pkg/apis/core/v1/defaults.go` of Kubernetes 1.11.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::{each, fill, within};

const FILE_MODE: i64 = 0o644;

/// Fills one entry of a pod's `volumes`; one that names no source is an `emptyDir`.
pub(super) fn volume(volume: &mut Value) {
    let has_source = volume
        .as_object()
        .is_some_and(|map| map.iter().any(|(key, value)| key != "name" && !value.is_null()));
    if !has_source {
        volume.set(&["emptyDir"], json!({}));
    }
    for source in ["secret", "configMap"] {
        within(volume, &[source], |source| fill(source, &["defaultMode"], json!(FILE_MODE)));
    }
    within(volume, &["downwardAPI"], |source| {
        fill(source, &["defaultMode"], json!(FILE_MODE));
        downward_items(source);
    });
    within(volume, &["projected"], |projected| {
        fill(projected, &["defaultMode"], json!(FILE_MODE));
        each(projected, &["sources"], |source| {
            within(source, &["downwardAPI"], downward_items);
            within(source, &["serviceAccountToken"], |token| {
                fill(token, &["expirationSeconds"], json!(3600));
            });
        });
    });
    source(volume);
}

fn downward_items(source: &mut Value) {
    each(source, &["items"], |item| {
        within(item, &["fieldRef"], |field| fill(field, &["apiVersion"], json!("v1")));
    });
}

/// Fills the sources that pods and PersistentVolumes share.
pub(super) fn source(volume: &mut Value) {
    within(volume, &["hostPath"], |source| {
        if source.at(&["type"]).is_none_or(Value::is_null) {
            source.set(&["type"], json!(""));
        }
    });
    within(volume, &["iscsi"], |source| fill(source, &["iscsiInterface"], json!("default")));
    within(volume, &["rbd"], |source| {
        fill(source, &["pool"], json!("rbd"));
        fill(source, &["user"], json!("admin"));
        fill(source, &["keyring"], json!("/etc/ceph/keyring"));
    });
    within(volume, &["azureDisk"], |source| {
        fill(source, &["cachingMode"], json!("ReadWrite"));
        fill(source, &["kind"], json!("Shared"));
        fill(source, &["fsType"], json!("ext4"));
        fill(source, &["readOnly"], json!(false));
    });
    within(volume, &["scaleIO"], |source| {
        fill(source, &["storageMode"], json!("ThinProvisioned"));
        fill(source, &["fsType"], json!("xfs"));
    });
}
