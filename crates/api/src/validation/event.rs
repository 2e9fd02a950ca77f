//! Events of the core group and of `events.k8s.io`.
//!
//! Mirrors: `ValidateEvent` of `pkg/apis/core/validation` in Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

const MAX_WORD: usize = 128;
const MAX_MESSAGE: usize = 1024;
const NOT_MATCHING: &str = "does not match event.namespace";

pub(super) fn create(event: &Value, errors: &mut ErrorList) {
    // The same fields have other names in `events.k8s.io`.
    let involved = event.get("involvedObject").or_else(|| event.get("regarding"));
    let involved = involved.map_or("", |object| object.str_at(&["namespace"]));
    let namespace = event.namespace();
    let timed = checks::is_set(event, "eventTime");
    let fits = match (involved.is_empty(), timed) {
        (false, false) => involved == namespace,
        (false, true) => true,
        // Deviation: events with a time may also stand in `default`, as in later versions.
        (true, true) => matches!(namespace, "default" | "kube-system"),
        (true, false) => matches!(namespace, "" | "default" | "kube-system"),
    };
    if !fits {
        let path = Path::new("involvedObject").child("namespace");
        errors.push(Error::invalid(&path, involved, NOT_MATCHING));
    }
    if timed {
        with_time(event, errors);
    }
    let complaints = validation::dns1123_subdomain(namespace);
    checks::invalid(&Path::new("namespace"), namespace, &complaints, errors);
}

/// What an event of the new form must say.
fn with_time(event: &Value, errors: &mut ErrorList) {
    let text = |names: [&str; 2]| match event.str_at(&[names[0]]) {
        "" => event.str_at(&[names[1]]),
        text => text,
    };
    let controller = text(["reportingController", "reportingComponent"]);
    let path = Path::new("reportingController");
    if controller.is_empty() {
        errors.push(Error::required(&path, ""));
    }
    checks::invalid(&path, controller, &validation::qualified_name(controller), errors);
    let instance = event.str_at(&["reportingInstance"]);
    if instance.is_empty() {
        errors.push(Error::required(&Path::new("reportingInstance"), ""));
    }
    // The misspelling is upstream's.
    too_long(instance, "repotingIntance", MAX_WORD, errors);
    for field in ["action", "reason"] {
        checks::required(event, &Path::default(), field, errors);
        too_long(event.str_at(&[field]), field, MAX_WORD, errors);
    }
    too_long(text(["message", "note"]), "message", MAX_MESSAGE, errors);
}

fn too_long(text: &str, field: &str, max: usize, errors: &mut ErrorList) {
    if text.len() > max {
        let text = format!("can have at most {max} characters");
        errors.push(Error::invalid(&Path::new(field), "", &text));
    }
}
