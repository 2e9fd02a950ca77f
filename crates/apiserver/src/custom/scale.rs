//! `scale` of custom resources: the definition says where the numbers stand.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go` (`ScaleREST`).

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::Written;
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;
use crate::update::check_names;

/// Serves `scale` of every custom resource that has one.
#[derive(Debug)]
pub(crate) struct CustomScale;

/// Where the numbers stand.
struct Places {
    spec: Vec<String>,
    status: Vec<String>,
    selector: Vec<String>,
}

impl Places {
    fn of(cx: &HandlerContext<'_>) -> Result<Self, Status> {
        let definition = cx.server.definition(cx.call.resource);
        let scale = definition.as_ref().and_then(|definition| {
            definition.version(cx.call.resource.version)?.at(&["subresources", "scale"])
        });
        let scale = scale.ok_or_else(Status::no_such_path)?;
        let path = |name: &str| {
            let parts = scale.str_at(&[name]).split('.').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        Ok(Self {
            spec: path("specReplicasPath"),
            status: path("statusReplicasPath"),
            selector: path("labelSelectorPath"),
        })
    }

    fn show(&self, object: &Value) -> Value {
        let mut metadata = json!({"name": object.name(), "namespace": object.namespace()});
        for field in ["uid", "resourceVersion", "creationTimestamp"] {
            if let Some(value) = object.at(&["metadata", field]) {
                metadata[field] = value.clone();
            }
        }
        let mut status = json!({"replicas": object.int_at(&keys(&self.status)).unwrap_or(0)});
        let selector = object.str_at(&keys(&self.selector));
        if !self.selector.is_empty() && !selector.is_empty() {
            status["selector"] = json!(selector);
        }
        json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
            "spec": {"replicas": object.int_at(&keys(&self.spec)).unwrap_or(0)},
            "status": status,
        })
    }
}

fn keys(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

impl RestHandler for CustomScale {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let object = cx.server.get(&cx.redirect(cx.call.resource, ""))?;
        Ok(Stored::new(Places::of(cx)?.show(&object.value())))
    }

    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let call = cx.call;
        check_names(call, &body)?;
        let places = Places::of(cx)?;
        let replicas = body.int_at(&["spec", "replicas"]).unwrap_or(0);
        let version = body.resource_version();
        let written = cx.server.modify(&cx.redirect(call.resource, ""), &mut |old| {
            if !version.is_empty() && version != old.resource_version() {
                return Err(error::modified(call.resource, call.name));
            }
            let mut new = old.clone();
            new.set(&keys(&places.spec), json!(replicas));
            Ok(new)
        })?;
        Ok(Written::ok(Stored::new(places.show(&written.object.value()))))
    }
}
