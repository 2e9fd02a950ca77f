//! `SecurityContextConstraint`: what the containers of a pod may do on their node, and as whom.
//!
//! [`choice`] finds the constraints that the caller or the pod's account may use, in the order they
//! are tried; [`provider`] fills in and checks a pod by one of them; [`bootstrap`] has those of a new
//! cluster. The first that lets the pod pass wins and is named in the pod's annotation
//! `openshift.io/scc`.
//!
//! Deviation: controllers of this process call the API as `system:admin`. Where such a caller creates
//! a pod whose owner exists, only the pod's account counts, as upstream's controllers have no
//! constraints of their own.
//!
//! Mirrors: `openshift/origin:pkg/security/apiserver/admission/sccadmission`,
//! `openshift/origin:pkg/security/securitycontextconstraints`.

pub mod bootstrap;
pub mod choice;
pub mod provider;

use std::sync::Arc;

use apimachinery::field::{self, ErrorList};
use apimachinery::json;
use apimachinery::{Gvk, ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Operation, User};

use self::provider::Provider;
use crate::request::{all, find, namespace, refuse, writes};

/// Names the constraint that let a pod pass.
pub const VALIDATED: &str = "openshift.io/scc";

/// Admission of pods: `SecurityContextConstraint`.
#[derive(Debug)]
pub struct SecurityContextConstraint;

impl Admission for SecurityContextConstraint {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let joins = joins(request);
        if !writes(request, &api::PODS) && !joins {
            return Ok(());
        }
        let creates = request.operation == Operation::Create;
        if let Some(old) = request.old.filter(|_| !creates)
            && same_security(request.object, old)
        {
            return Ok(());
        }
        let mut errors = ErrorList::new();
        let candidates = candidates(request);
        let providers = providers(request, &candidates);
        if providers.is_empty() {
            return Err(refuse(request, "no providers available to validate pod request"));
        }
        for provider in &providers {
            let mut pod = request.object.clone();
            let found = provider.assign(&mut pod);
            if !found.is_empty() {
                errors.extend(found);
            } else if creates {
                pod.set_annotation(VALIDATED, provider.name());
                *request.object = pod;
                return Ok(());
            } else if pod == *request.object || joins && differ_in_joining(&pod, request.object) {
                *request.object = pod;
                return Ok(());
            }
        }
        let texts: Vec<String> = errors.iter().map(field::Error::to_string).collect();
        let text = format!(
            "unable to validate against any security context constraint: [{}]",
            texts.join(" ")
        );
        Err(refuse(request, &text))
    }
}

/// Whether the request brings containers into a pod that runs.
fn joins(request: &AdmissionRequest<'_>) -> bool {
    request.operation == Operation::Update
        && request.call.subresource == "ephemeralcontainers"
        && request.call.resource.plural == api::PODS.plural
}

/// Whether only ephemeral containers tell the two pods apart.
fn differ_in_joining(pod: &Value, other: &Value) -> bool {
    let rest = |pod: &Value| {
        let mut pod = pod.clone();
        pod.remove(&["spec", provider::EPHEMERAL]);
        pod
    };
    rest(pod) == rest(other)
}

/// Whether an update leaves alone what constraints are about; labels, annotations, owners and the
/// little that may change in a spec are nobody's privilege.
fn same_security(new: &Value, old: &Value) -> bool {
    let part = |pod: &Value| {
        let mut spec = pod.get("spec").cloned().unwrap_or(Value::Null);
        for list in crate::pod::LISTS {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
            {
                container.remove(&["image"]);
            }
        }
        for field in ["activeDeadlineSeconds", "tolerations", "nodeName"] {
            spec.remove(&[field]);
        }
        spec
    };
    part(new) == part(old)
}

/// The constraints that may be used for the pod, in the order they are tried.
fn candidates(request: &AdmissionRequest<'_>) -> Vec<Arc<Value>> {
    let mut found = all(request.server, &api::SECURITY_CONTEXT_CONSTRAINTS, "");
    let account = request.object.str_at(&["spec", "serviceAccountName"]);
    let account = (!account.is_empty()).then(|| {
        User::system(&format!("system:serviceaccount:{}:{account}", request.call.namespace))
    });
    let by_controller =
        request.call.user.name == "system:admin" && account.is_some() && has_living_owner(request);
    let caller = (!by_controller).then_some(request.call.user);
    found.retain(|constraint| {
        caller.is_some_and(|user| choice::usable(constraint, user))
            || account.as_ref().is_some_and(|user| choice::usable(constraint, user))
    });
    choice::sort(&mut found);
    found
}

/// Whether the pod names an object that exists as its owner; what people apply never does.
fn has_living_owner(request: &AdmissionRequest<'_>) -> bool {
    request.object.owner_references().iter().any(|owner| {
        let gvk = Gvk::from_api_version(owner.api_version(), owner.kind());
        let resource = api::find_kind(&gvk.group, &gvk.version, &gvk.kind);
        let ns = request.call.namespace;
        resource
            .and_then(|resource| find(request.server, resource, ns, owner.str_at(&["name"])))
            .is_some_and(|found| found.uid() == owner.str_at(&["uid"]))
    })
}

/// What can be made of the constraints in this namespace.
fn providers<'a>(
    request: &AdmissionRequest<'_>,
    candidates: &'a [Arc<Value>],
) -> Vec<Provider<'a>> {
    let namespace = namespace(request).unwrap_or_else(|| Arc::new(json!({})));
    candidates.iter().filter_map(|constraint| Provider::new(constraint, &namespace)).collect()
}

#[cfg(test)]
mod tests;
