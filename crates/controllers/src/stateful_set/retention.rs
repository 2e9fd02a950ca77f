//! Who deletes the claims of a stateful set: nobody, unless its
//! `persistentVolumeClaimRetentionPolicy` says `Delete`.
//!
//! `whenDeleted: Delete` makes the set an owner of its claims, so that they go with it;
//! `whenScaled: Delete` makes a surplus pod the owner of its claims, so that they go with the pod.
//!
//! Mirrors: `updateClaimOwnerRefForSetAndPod` of Kubernetes 1.32.

use std::sync::Arc;

use api::PERSISTENT_VOLUME_CLAIMS;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{Context, Error};

use super::pod::{claims, ordinal};

const POLICY: &str = "persistentVolumeClaimRetentionPolicy";

/// Brings the owners of the claims of the set's pods in line with its policy.
pub(super) fn keep(cx: &Context<'_>, set: &Value, pods: &[Arc<Value>]) -> Result<(), Error> {
    if set.at(&["spec", POLICY]).is_none_or(Value::is_null) || set.deletion_timestamp().is_some() {
        return Ok(());
    }
    for pod in pods {
        for (_, claim) in claims(set, ordinal(pod)) {
            let stored = cx.caches.get(&PERSISTENT_VOLUME_CLAIMS, set.namespace(), claim.name());
            let Some(stored) = stored else { continue };
            let owners = owners(set, pod, &stored);
            if owners != stored.owner_references() {
                let mut updated = (*stored).clone();
                updated.set(&["metadata", "ownerReferences"], json!(owners));
                cx.client.update(&PERSISTENT_VOLUME_CLAIMS, updated)?;
            }
        }
    }
    Ok(())
}

/// The owners that the claim of `pod` must have.
fn owners(set: &Value, pod: &Value, claim: &Value) -> Vec<Value> {
    let deletes = |when: &str| set.str_at(&["spec", POLICY, when]) == "Delete";
    let start = set.int_at(&["spec", "ordinals", "start"]).unwrap_or(0);
    let end = start + api::views::workload::replicas(set);
    let condemned = !(start..end).contains(&ordinal(pod));
    let with_pod = condemned && deletes("whenScaled");
    let with_set = deletes("whenDeleted") && !with_pod;
    let uids = [set.uid(), pod.uid()];
    let others = claim.owner_references().iter();
    let mut owners: Vec<Value> = others
        .filter(|owner| !uids.contains(&owner.str_at(&["uid"])))
        .filter(|owner| !(owner.kind() == "Pod" && owner.str_at(&["name"]) == pod.name()))
        .cloned()
        .collect();
    if with_set {
        owners.push(reference(set, "apps/v1", "StatefulSet"));
    }
    if with_pod {
        owners.push(reference(pod, "v1", "Pod"));
    }
    owners
}

fn reference(owner: &Value, api_version: &str, kind: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": owner.name(), "uid": owner.uid()})
}
