//! `scale` of replication controllers, replica sets, deployments and stateful sets.
//!
//! Mirrors: `kubernetes/pkg/registry/apps/deployment/storage` (`ScaleREST`).

use apimachinery::field::{Error, Path};
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::{Call, Written};
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;
use crate::update::check_names;

const ATTEMPTS: usize = 100;

#[derive(Debug)]
pub(super) struct ScaleOf;

impl RestHandler for ScaleOf {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let current = cx.server.current(cx.call)?;
        Ok(Stored::new(scale_of(cx.call, &current.value.value())))
    }

    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let call = cx.call;
        check_names(call, &body)?;
        let replicas = body.int_at(&["spec", "replicas"]).unwrap_or(0);
        check(call, replicas)?;
        let target = cx.redirect(call.resource, "");
        let version = body.resource_version();
        let attempts = if version.is_empty() { ATTEMPTS } else { 1 };
        let written = cx.server.rewrite(&target, attempts, &mut |old| {
            if !version.is_empty() && version != old.resource_version() {
                return Err(error::modified(call.resource, call.name));
            }
            if !body.uid().is_empty() && body.uid() != old.uid() {
                let uids = (body.uid(), old.uid());
                return Err(error::uid_differs(call.resource, call.namespace, call.name, uids));
            }
            let mut new = old.clone();
            new.set(&["spec", "replicas"], json!(replicas));
            Ok(new)
        })?;
        Ok(Written::ok(Stored::new(scale_of(call, &written.object.value()))))
    }
}

fn check(call: &Call<'_>, replicas: i64) -> Result<(), Status> {
    if replicas >= 0 {
        return Ok(());
    }
    let field = Path::new("spec").child("replicas");
    let error = Error::invalid(&field, replicas, "must be greater than or equal to 0");
    Err(Status::invalid("autoscaling", "Scale", call.name, &[error]))
}

fn scale_of(call: &Call<'_>, object: &Value) -> Value {
    let sub = call.resource.subresource("scale");
    let group = sub.and_then(|sub| sub.group).unwrap_or("autoscaling");
    let version = sub.and_then(|sub| sub.version).unwrap_or("v1");
    let mut metadata = json!({"name": object.name(), "namespace": object.namespace()});
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.at(&["metadata", field]) {
            metadata[field] = value.clone();
        }
    }
    let mut status = json!({"replicas": object.int_at(&["status", "replicas"]).unwrap_or(0)});
    let selector = object.at(&["spec", "selector"]).unwrap_or(&Value::Null);
    let text = selector_text(selector);
    if group == "autoscaling" {
        status["selector"] = json!(text);
    } else {
        status["selector"] = selector.get("matchLabels").cloned().unwrap_or(Value::Null);
        status["targetSelector"] = json!(text);
    }
    json!({
        "kind": "Scale",
        "apiVersion": format!("{group}/{version}"),
        "metadata": metadata,
        "spec": {"replicas": object.int_at(&["spec", "replicas"]).unwrap_or(0)},
        "status": status,
    })
}

/// The text form of a plain map or of `matchLabels` and `matchExpressions`.
fn selector_text(selector: &Value) -> String {
    let typed = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let parsed = match selector.as_object() {
        Some(map) if !typed => LabelSelector::from_map(map),
        _ => LabelSelector::from_json(selector).unwrap_or_default(),
    };
    parsed.to_string()
}
