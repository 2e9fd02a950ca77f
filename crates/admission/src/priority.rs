//! `Priority`: from the name of a priority class to the number the scheduler goes by.
//!
//! Mirrors: `kubernetes/plugin/pkg/admission/priority`.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest};

use crate::request::{all, creates, find, refuse, writes};

const CRITICAL: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another \
         node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];

/// The priority classes of a new cluster.
#[must_use]
pub fn system_classes() -> Vec<Value> {
    let class = |(name, value, description): &(&str, i64, &str)| json!({"metadata": {"name": name}, "value": value, "description": description});
    CRITICAL.iter().map(class).collect()
}

/// Admission of pods and priority classes: `Priority`.
#[derive(Debug)]
pub struct Priority;

impl Admission for Priority {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if creates(request, &api::PODS) {
            return admit_pod(request);
        }
        if writes(request, &api::PRIORITY_CLASSES) && request.object.bool_at(&["globalDefault"]) {
            return check_only_default(request);
        }
        Ok(())
    }
}

/// Deviation: the number that the class gives is accepted, as today's servers do, so that clients can
/// copy pods (`kubectl debug --copy-to`); 3.11 refused any.
fn admit_pod(request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
    let class = request.object.str_at(&["spec", "priorityClassName"]);
    let priority = if class.is_empty() {
        let classes = all(request.server, &api::PRIORITY_CLASSES, "");
        let default = classes.iter().find(|class| class.bool_at(&["globalDefault"]));
        default.and_then(|class| class.int_at(&["value"])).unwrap_or(0)
    } else {
        let namespace = request.call.namespace;
        if CRITICAL.iter().any(|(name, ..)| *name == class) && namespace != "kube-system" {
            let text = format!(
                "pods with {class} priorityClass is not permitted in {namespace} namespace"
            );
            return Err(refuse(request, &text));
        }
        let Some(found) = find(request.server, &api::PRIORITY_CLASSES, "", class) else {
            return Err(refuse(request, &format!("no PriorityClass with name {class} was found")));
        };
        found.int_at(&["value"]).unwrap_or(0)
    };
    let given = request.object.at(&["spec", "priority"]).filter(|it| !it.is_null());
    if given.is_some_and(|given| given.as_i64() != Some(priority)) {
        let text = "the integer value of priority must not be provided in pod spec. Priority \
                    admission controller populates the value from the given PriorityClass name";
        return Err(refuse(request, text));
    }
    request.object.set(&["spec", "priority"], json!(priority));
    Ok(())
}

fn check_only_default(request: &AdmissionRequest<'_>) -> Result<(), Status> {
    let classes = all(request.server, &api::PRIORITY_CLASSES, "");
    let other = classes
        .iter()
        .find(|class| class.bool_at(&["globalDefault"]) && class.name() != request.object.name());
    let Some(other) = other else { return Ok(()) };
    let text = format!(
        "PriorityClass {} is already marked as default. Only one default can exist",
        other.name()
    );
    Err(refuse(request, &text))
}
