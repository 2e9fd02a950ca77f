//! `appliedclusterresourcequotas`: the cluster quotas that span a namespace, for its users.
//!
//! Mirrors: `openshift/origin:pkg/quota/apiserver/registry/appliedclusterresourcequota`.

use std::sync::Arc;

use api::{APPLIED_CLUSTER_RESOURCE_QUOTAS, CLUSTER_RESOURCE_QUOTAS, NAMESPACES};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{HandlerContext, ListOptions, ObjectList, RestHandler, Stored};

use super::cluster::selects;
use crate::request::{all, find};

/// Serves `appliedclusterresourcequotas`.
#[derive(Debug)]
pub struct AppliedClusterResourceQuotas;

fn spanning(cx: &HandlerContext<'_>) -> Vec<Arc<Value>> {
    let mut quotas = all(cx.server, &CLUSTER_RESOURCE_QUOTAS, "");
    if !cx.call.namespace.is_empty() {
        let namespace = find(cx.server, &NAMESPACES, "", cx.call.namespace);
        quotas.retain(|quota| namespace.as_ref().is_some_and(|ns| selects(quota, ns)));
    }
    quotas
}

fn shown(quota: &Value) -> Stored {
    let mut shown = quota.clone();
    shown.set(&["kind"], json!(APPLIED_CLUSTER_RESOURCE_QUOTAS.kind));
    Stored::new(shown)
}

impl RestHandler for AppliedClusterResourceQuotas {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let quotas = spanning(cx);
        let found = quotas.iter().find(|quota| quota.name() == cx.call.name);
        let resource = &APPLIED_CLUSTER_RESOURCE_QUOTAS;
        found
            .map(|quota| shown(quota))
            .ok_or_else(|| Status::not_found(resource.group, resource.plural, cx.call.name))
    }

    fn list(&self, cx: &HandlerContext<'_>, _: &ListOptions) -> Result<ObjectList, Status> {
        Ok(ObjectList {
            items: spanning(cx).iter().map(|quota| shown(quota)).collect(),
            resource_version: cx.server.store().revision().to_string(),
            continue_token: None,
            remaining: None,
            instead: None,
        })
    }
}
