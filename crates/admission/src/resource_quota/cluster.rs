//! Cluster resource quotas: which namespaces they span and what those use together.
//!
//! Mirrors: `openshift/origin:pkg/quota/controller/clusterquotareconciliation`,
//! `.../clusterquotamapping`.

use std::sync::Arc;

use api::{CLUSTER_RESOURCE_QUOTAS, NAMESPACES};
use apimachinery::json;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{Caches, Change, Context, Controller, Error, Key, Requeue, Watching};

use super::amounts::{self, Amounts};
use super::status::{RESYNC, WATCHED, count, limits_changed, matters};

/// Whether the quota spans the namespace: by labels and annotations, whichever are given.
#[must_use]
pub fn selects(quota: &Value, namespace: &Value) -> bool {
    let selector = quota.at(&["spec", "selector"]).unwrap_or(&Value::Null);
    let labels = selector.get("labels").filter(|labels| !labels.is_null());
    let annotations = selector.map_at(&["annotations"]).filter(|map| !map.is_empty());
    if labels.is_none() && annotations.is_none() {
        return false;
    }
    let by_labels = labels.is_none_or(|labels| {
        LabelSelector::from_json(labels).is_ok_and(|selector| selector.matches(namespace.labels()))
    });
    let by_annotations = annotations.is_none_or(|wanted| {
        wanted.iter().all(|(key, value)| namespace.annotation(key) == value.as_str())
    });
    by_labels && by_annotations
}

/// Books usage of one namespace.
pub(super) fn add(quota: &mut Value, namespace: &str, requested: &Amounts) {
    let entries = quota.pointer_mut("/status/namespaces").and_then(Value::as_array_mut);
    let entry = entries.into_iter().flatten().find(|e| e.str_at(&["namespace"]) == namespace);
    if let Some(entry) = entry {
        let used = amounts::read(entry.at(&["status", "used"]));
        entry.set(&["status", "used"], amounts::to_value(&amounts::sum(&used, requested)));
    }
}

/// Counts what is used of every `ClusterResourceQuota`.
#[derive(Debug)]
pub struct ClusterQuotaStatus;

impl Controller for ClusterQuotaStatus {
    fn name(&self) -> &'static str {
        "cluster-quota-reconciliation-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        let mut watches: Vec<Watching> =
            WATCHED.iter().map(|resource| Watching::new(resource, every_quota)).collect();
        watches.push(Watching::new(&NAMESPACES, every_quota_for_namespace));
        watches.push(Watching::new(&CLUSTER_RESOURCE_QUOTAS, limits_changed));
        watches
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(quota) = cx.caches.get_key(&CLUSTER_RESOURCE_QUOTAS, key) else {
            return Ok(Requeue::Done);
        };
        let spec = quota.at(&["spec", "quota"]).unwrap_or(&Value::Null);
        let hard = spec.get("hard").cloned().unwrap_or_else(|| json!({}));
        let zero = |name: &String| (name.clone(), apimachinery::quantity::Quantity::default());
        let mut total: Amounts = amounts::read(Some(&hard)).keys().map(zero).collect();
        let mut namespaces = Vec::new();
        for namespace in cx.caches.list(&NAMESPACES, "") {
            if !selects(&quota, &namespace) {
                continue;
            }
            let used = count(cx.client, spec, namespace.name(), cx.world.now())?;
            amounts::add(&mut total, &used);
            namespaces.push(json!({
                "namespace": namespace.name(),
                "status": {"hard": hard, "used": amounts::to_value(&used)},
            }));
        }
        let namespaces = if namespaces.is_empty() { Value::Null } else { json!(namespaces) };
        let total = json!({"hard": hard, "used": amounts::to_value(&total)});
        let status = json!({"total": total, "namespaces": namespaces});
        if quota.get("status") != Some(&status) {
            let mut new = (*quota).clone();
            new.set(&["status"], status);
            cx.client.update_status(&CLUSTER_RESOURCE_QUOTAS, new)?;
        }
        Ok(Requeue::After(RESYNC))
    }
}

fn every_quota(caches: &Caches, change: &Change) -> Vec<Key> {
    if !matters(change) {
        return Vec::new();
    }
    let namespace = caches.get(&NAMESPACES, "", change.object().namespace());
    let spans =
        |quota: &Arc<Value>| namespace.as_ref().is_none_or(|namespace| selects(quota, namespace));
    let quotas = caches.iter(&CLUSTER_RESOURCE_QUOTAS, "");
    quotas.filter(|(_, quota)| spans(quota)).map(|(key, _)| key.clone()).collect()
}

fn every_quota_for_namespace(caches: &Caches, _: &Change) -> Vec<Key> {
    caches.iter(&CLUSTER_RESOURCE_QUOTAS, "").map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_selected_by_labels_and_annotations() {
        let namespace = json!({"metadata": {"labels": {"cq": "yes"},
            "annotations": {"openshift.io/requester": "bob"}}});
        let check = |selector: Value| selects(&json!({"spec": {"selector": selector}}), &namespace);
        assert!(check(json!({"labels": {"matchLabels": {"cq": "yes"}}, "annotations": null})));
        assert!(!check(json!({"labels": {"matchLabels": {"cq": "no"}}})));
        assert!(check(json!({"annotations": {"openshift.io/requester": "bob"}, "labels": null})));
        assert!(!check(json!({"annotations": {"openshift.io/requester": "ann"}})));
        assert!(!check(json!({})));
    }
}
