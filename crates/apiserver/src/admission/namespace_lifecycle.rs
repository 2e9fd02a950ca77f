//! Nothing is created in a namespace that does not exist or is going away.
//!
//! Mirrors: `k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle`.

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};

use super::{Admission, AdmissionRequest, Operation};
use crate::server::ApiServer;
use crate::{error, key};

/// Namespaces the cluster cannot live without.
const IMMORTAL: &[&str] =
    &["default", "kube-system", "kube-public", "openshift", "openshift-infra"];

#[derive(Debug)]
pub(crate) struct NamespaceLifecycle;

impl Admission for NamespaceLifecycle {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let call = request.call;
        match request.operation {
            Operation::Delete
                if call.resource.plural == "namespaces" && IMMORTAL.contains(&call.name) =>
            {
                let text = "this namespace may not be deleted";
                Err(error::forbidden(call.resource, call.name, text))
            }
            Operation::Create if call.resource.namespaced() => check_open(request),
            _ => Ok(()),
        }
    }

    fn sees_events(&self, server: &ApiServer, namespace: &str) -> bool {
        let stored = server.store().get(&key::object(&api::NAMESPACES, "", namespace));
        stored.is_none_or(|namespace| is_terminating(&namespace.value.value()))
    }
}

fn check_open(request: &AdmissionRequest<'_>) -> Result<(), Status> {
    let call = request.call;
    let key = key::object(&api::NAMESPACES, "", call.namespace);
    let Some(namespace) = request.server.store().get(&key) else {
        return Err(error::not_found(&api::NAMESPACES, call.namespace));
    };
    if !is_terminating(&namespace.value.value()) {
        return Ok(());
    }
    let text = format!(
        "unable to create new content in namespace {} because it is being terminated",
        call.namespace
    );
    Err(error::forbidden(call.resource, shown_name(request.object), &text))
}

fn is_terminating(namespace: &Value) -> bool {
    namespace.str_at(&["status", "phase"]) == "Terminating"
        || namespace.deletion_timestamp().is_some()
}

/// The name is not made up yet when admission runs.
fn shown_name(object: &Value) -> &str {
    match (object.name(), object.str_at(&["metadata", "generateName"])) {
        ("", "") => "Unknown",
        ("", generate) => generate,
        (name, _) => name,
    }
}
