//! `pods/binding`: puts a pod on a node.
//!
//! Mirrors: `kubernetes/pkg/registry/core/pod/storage` (`BindingREST`).

use apimachinery::field::{Error, Path};
use apimachinery::{Map, Value, json};
use apimachinery::{ObjectExt as _, Status};

use crate::call::{Call, Written};
use crate::client::Client;
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::server::ApiServer;
use crate::stored::Stored;

const ATTEMPTS: usize = 100;

#[derive(Debug)]
pub(super) struct PodBinding;

impl RestHandler for PodBinding {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        check(&body)?;
        write(cx.server, cx.call, &Binding::of(&body))
    }
}

/// The older way: `bindings`, which names the pod in the body.
#[derive(Debug)]
pub(super) struct Bindings;

impl RestHandler for Bindings {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        check(&body)?;
        let call = Call { name: body.name(), ..cx.redirect(&api::PODS, "") };
        write(cx.server, &call, &Binding::of(&body))
    }
}

/// What a `Binding` says.
struct Binding<'a> {
    /// Which pod of that name is meant; empty for any.
    uid: &'a str,
    node: &'a str,
    annotations: Option<&'a Map>,
}

impl<'a> Binding<'a> {
    fn of(body: &'a Value) -> Self {
        Self {
            uid: body.uid(),
            node: body.str_at(&["target", "name"]),
            annotations: body.map_at(&["metadata", "annotations"]),
        }
    }
}

impl Client {
    /// Puts `pod`, as it was read, on a node: what creating its `binding` does.
    ///
    /// # Errors
    /// As of that creation.
    pub fn bind(&self, pod: &Value, node: &str) -> Result<(), Status> {
        let call = Call::new(self.user(), &api::PODS).within(pod.namespace()).named(pod.name());
        let binding = Binding { uid: pod.uid(), node, annotations: None };
        let outcome = write_binding(self.server(), &call.subresource("binding"), &binding);
        self.server().answered(outcome)
    }
}

fn write(server: &ApiServer, call: &Call<'_>, binding: &Binding<'_>) -> Result<Written, Status> {
    write_binding(server, call, binding)?;
    Ok(Written::created(Stored::new(error::success(201))))
}

fn write_binding(server: &ApiServer, call: &Call<'_>, binding: &Binding<'_>) -> Result<(), Status> {
    for _ in 0..ATTEMPTS {
        let current = server.current(call)?;
        let pod = bind(&current.value.value(), binding, &server.world().now().rfc3339())
            .map_err(|text| Status::conflict("", "pods/binding", call.name, &text))?;
        let pod = Stored::revised(pod, &current.value);
        let strategy = server.strategy(&api::PODS);
        if call.options.dry_run || server.replace(strategy, &current, pod).is_some() {
            return Ok(());
        }
    }
    Err(error::modified(call.resource, call.name))
}

fn check(binding: &Value) -> Result<(), Status> {
    let mut errors = Vec::new();
    let kind = binding.str_at(&["target", "kind"]);
    let target = Path::new("target");
    if !kind.is_empty() && kind != "Node" {
        errors.push(Error::not_supported(&target.child("kind"), kind, &["Node", "<empty>"]));
    }
    if binding.str_at(&["target", "name"]).is_empty() {
        errors.push(Error::required(&target.child("name"), ""));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("", "Binding", binding.name(), &errors))
}

fn bind(pod: &Value, binding: &Binding<'_>, now: &str) -> Result<Value, String> {
    let (name, uid) = (pod.name(), binding.uid);
    if !uid.is_empty() && uid != pod.uid() {
        return Err(format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            pod.uid()
        ));
    }
    if pod.deletion_timestamp().is_some() {
        return Err(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let node = pod.str_at(&["spec", "nodeName"]);
    if !node.is_empty() {
        return Err(format!("pod {name} is already assigned to node {node:?}"));
    }
    let mut pod = pod.clone();
    pod.set(&["spec", "nodeName"], json!(binding.node));
    for (key, value) in binding.annotations.into_iter().flatten() {
        pod.set(&["metadata", "annotations", key], value.clone());
    }
    let mut conditions = pod.list_at(&["status", "conditions"]).to_vec();
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(json!({
        "type": "PodScheduled",
        "status": "True",
        "lastTransitionTime": now,
    }));
    pod.set(&["status", "conditions"], Value::from(conditions));
    Ok(pod)
}
