//! Attachments of volumes to nodes.
//!
//! Mirrors: `ValidateVolumeAttachment` of `pkg/apis/storage/validation` in Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::object_meta;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

const MAX_BYTES: usize = 256 * 1024;
const MAX_MESSAGE: usize = 1024;

pub(super) fn create(attachment: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = attachment.get("spec").unwrap_or(&Value::Null);
    checks::required(spec, &path, "attacher", errors);
    if spec.str_at(&["source", "persistentVolumeName"]).is_empty() {
        errors.push(Error::required(&path.child("source"), ""));
    }
    checks::dns_subdomain(spec.str_at(&["nodeName"]), &path.child("nodeName"), errors);
    let path = Path::new("status");
    let known = attachment.map_at(&["status", "attachmentMetadata"]);
    let size: usize =
        known.into_iter().flatten().map(|(k, v)| k.len() + v.as_str().map_or(0, str::len)).sum();
    if size > MAX_BYTES {
        errors.push(Error::too_long(&path.child("attachmentMetadata"), "", MAX_BYTES));
    }
    for field in ["attachError", "detachError"] {
        if attachment.str_at(&["status", field, "message"]).len() > MAX_MESSAGE {
            // Upstream names the other limit.
            errors.push(Error::too_long(&path.child(field).child("message"), "", MAX_BYTES));
        }
    }
}

/// Checks what an update changes: nothing but the status.
pub(super) fn update(new: &Value, old: &Value, errors: &mut ErrorList) {
    if !checks::same(new.get("spec"), old.get("spec")) {
        let value = new.get("spec").cloned().unwrap_or_default();
        errors.push(Error::invalid(&Path::new("spec"), value, object_meta::IMMUTABLE));
    }
}
