//! `deploymentconfigs/scale`: an `extensions/v1beta1` Scale of a `DeploymentConfig`.
//!
//! Mirrors: `openshift/origin pkg/apps/apiserver/registry/deployconfig/etcd` (`ScaleREST`).

use apimachinery::field::{self, Path};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{HandlerContext, PatchKind, RestHandler, Stored, Written};

use super::config;
use crate::keys;

#[derive(Debug)]
pub(super) struct Scale;

impl RestHandler for Scale {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        Ok(Stored::new(scale_of(&config(cx)?)))
    }

    /// The resource version of the body is not enforced.
    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let replicas = body.int_at(&["spec", "replicas"]).unwrap_or(0);
        if replicas < 0 {
            let path = Path::new("spec").child("replicas");
            let text = "must be greater than or equal to 0";
            let error = field::Error::invalid(&path, replicas, text);
            return Err(Status::invalid("extensions", "Scale", cx.call.name, &[error]));
        }
        let call = cx.redirect(&api::DEPLOYMENT_CONFIGS, "");
        let patch = json!({"spec": {"replicas": replicas}});
        let written = cx.server.patch(&call, PatchKind::Merge, patch)?;
        let scale = scale_of(&written.object.value());
        Ok(Written { object: Stored::new(scale), ..written })
    }
}

fn scale_of(dc: &Value) -> Value {
    let mut selector = dc.map_at(&["spec", "selector"]).cloned().unwrap_or_default();
    selector.insert(keys::CONFIG_LABEL.to_owned(), json!(dc.name()));
    let pairs: Vec<String> = selector
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({
        "apiVersion": "extensions/v1beta1",
        "kind": "Scale",
        "metadata": {
            "name": dc.name(),
            "namespace": dc.namespace(),
            "uid": dc.uid(),
            "resourceVersion": dc.resource_version(),
            "creationTimestamp": dc.creation_timestamp(),
        },
        "spec": {"replicas": dc.int_at(&["spec", "replicas"]).unwrap_or(0)},
        "status": {
            "replicas": dc.int_at(&["status", "replicas"]).unwrap_or(0),
            "selector": selector,
            "targetSelector": pairs.join(","),
        },
    })
}
