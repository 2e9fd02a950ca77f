//! Nodes.
//!
//! Mirrors: `ValidateNode` and `ValidateNodeUpdate` of `pkg/apis/core/validation` in Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Value};

use super::{checks, core, scheduling};

const AVOID_PODS: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";
const PROTECTED: &str = "node updates may only change labels, taints, or capacity (or configSource, if the \
                         DynamicKubeletConfig feature gate is enabled)";

pub(super) fn create(node: &Value, errors: &mut ErrorList) {
    avoided_pods(node, errors);
    // Upstream calls the place of taints by its old name.
    let path = Path::new("metadata").child("taints");
    scheduling::taints(node.list_at(&["spec", "taints"]), &path, errors);
    for list in ["capacity", "allocatable"] {
        for (name, value) in node.map_at(&["status", list]).into_iter().flatten() {
            core::amount(value, &Path::new("status").child(list).key(name), errors);
        }
    }
    let range = node.str_at(&["spec", "podCIDR"]);
    if !range.is_empty() && !checks::is_ip_range(range) {
        let path = Path::new("spec").child("podCIDR");
        errors.push(Error::invalid(&path, range, "not a valid CIDR"));
    }
}

fn avoided_pods(node: &Value, errors: &mut ErrorList) {
    let Some(text) = node.annotation(AVOID_PODS).filter(|text| !text.is_empty()) else { return };
    let path = Path::new("metadata").child("annotations");
    let list: Value = match serde_json::from_str(text) {
        Ok(list) => list,
        Err(error) => {
            let path = path.child("AvoidPods");
            errors.push(Error::invalid(&path, AVOID_PODS, &error.to_string()));
            return;
        }
    };
    for (index, entry) in list.list_at(&["preferAvoidPods"]).iter().enumerate() {
        let path = path.child(AVOID_PODS).index(index).child("PodSignature");
        match entry.at(&["podSignature", "podController"]).filter(|value| !value.is_null()) {
            None => errors.push(Error::required(&path, "")),
            Some(owner) if !owner.bool_at(&["controller"]) => {
                let path = path.child("PodController").child("Controller");
                errors.push(Error::invalid(&path, false, "must point to a controller"));
            }
            Some(_) => {}
        }
    }
}

/// Checks what an update changes.
pub(super) fn update(new: &Value, old: &Value, errors: &mut ErrorList) {
    let mut seen: Vec<&Value> = Vec::new();
    for (index, address) in new.list_at(&["status", "addresses"]).iter().enumerate() {
        if seen.contains(&address) {
            let shown = format!(
                "core.NodeAddress{{Type:{:?}, Address:{:?}}}",
                address.str_at(&["type"]),
                address.str_at(&["address"])
            );
            let path = Path::new("status").child("addresses").index(index);
            errors.push(Error::duplicate(&path, address.clone()).shown_as(&shown));
        }
        seen.push(address);
    }
    let mut protected = false;
    for field in ["podCIDR", "providerID"] {
        let before = old.str_at(&["spec", field]);
        if !before.is_empty() && before != new.str_at(&["spec", field]) {
            let text = format!("node updates may not change {field} except from \"\" to valid");
            errors.push(Error::forbidden(&Path::new("spec").child(field), &text));
            protected = true;
        }
    }
    if protected {
        errors.push(Error::forbidden(&Path::new("[]"), PROTECTED));
    }
}
