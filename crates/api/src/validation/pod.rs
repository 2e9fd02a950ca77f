//! Pods and pod templates.
//!
//! Mirrors: `ValidatePod`, `ValidatePodSpec` and `ValidatePodUpdate` of
//! `pkg/apis/core/validation` in Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::json::Memo;
use apimachinery::validation::{self, object_meta};
use apimachinery::{ObjectExt as _, Value};

use super::{annotations, checks, container, scheduling, volume};

const MAX_INT32: i64 = 2_147_483_647;
const CONTAINER_LISTS: [&str; 2] = ["containers", "initContainers"];

thread_local! {
    /// The specs that nothing was found wrong with, as the pods of one controller share theirs.
    static FAULTLESS: Memo<()> = const { Memo::new() };
}

/// Checks `spec` of a Pod.
pub(super) fn create(pod: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let null = Value::Null;
    let metadata = pod.get("metadata").unwrap_or(&null);
    annotations::check(metadata, spec, &Path::new("metadata").child("annotations"), errors);
    let members = spec.as_object().filter(|members| !members.is_empty());
    if members.is_some_and(|members| FAULTLESS.with(|memo| memo.get(members).is_some())) {
        return;
    }
    let before = errors.len();
    check_spec(spec, &path, errors);
    for list in CONTAINER_LISTS {
        for (index, container) in spec.list_at(&[list]).iter().enumerate() {
            untrimmed_image(container, &path.child(list).index(index), errors);
        }
    }
    if let Some(members) = members.filter(|_| errors.len() == before) {
        FAULTLESS.with(|memo| memo.put(members.clone(), ()));
    }
}

/// Checks what only a Pod that is there already may have.
pub(super) fn create_only(pod: &Value, errors: &mut ErrorList) {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    container::ephemeral::none(spec, &Path::new("spec"), "cannot be set on create", errors);
}

fn untrimmed_image(container: &Value, path: &Path, errors: &mut ErrorList) {
    let image = container.str_at(&["image"]);
    if image.trim().len() != image.len() {
        let text = "must not have leading or trailing whitespace";
        errors.push(Error::invalid(&path.child("image"), image, text));
    }
}

/// Checks a pod template: its labels, annotations and spec.
pub(super) fn template(template: &Value, path: &Path, errors: &mut ErrorList) {
    template_metadata(template, path, errors);
    let null = Value::Null;
    let spec = template.get("spec").unwrap_or(&null);
    let metadata = template.get("metadata").unwrap_or(&null);
    annotations::check(metadata, spec, &path.child("annotations"), errors);
    let path = path.child("spec");
    check_spec(spec, &path, errors);
    container::ephemeral::none(
        spec,
        &path,
        "ephemeral containers not allowed in pod template",
        errors,
    );
}

/// Checks labels and annotations of a pod template.
pub(super) fn template_metadata(template: &Value, path: &Path, errors: &mut ErrorList) {
    // Upstream leaves `metadata` out of these two paths.
    checks::labels(template.at(&["metadata", "labels"]), &path.child("labels"), errors);
    let annotations = template.map_at(&["metadata", "annotations"]);
    let annotations_path = path.child("annotations");
    errors.extend(object_meta::validate_annotations(annotations, &annotations_path));
}

fn check_spec(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let volumes = volume::check_all(spec.list_at(&["volumes"]), &path.child("volumes"), errors);
    container::check_all(spec, &volumes, path, errors);
    match spec.str_at(&["restartPolicy"]) {
        "" => errors.push(Error::required(&path.child("restartPolicy"), "")),
        _ => {
            let supported = ["Always", "OnFailure", "Never"];
            checks::one_of(spec, path, "restartPolicy", &supported, errors);
        }
    }
    match spec.str_at(&["dnsPolicy"]) {
        "" => errors.push(Error::required(&path.child("dnsPolicy"), "")),
        _ => {
            let supported = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
            checks::one_of(spec, path, "dnsPolicy", &supported, errors);
        }
    }
    checks::labels(spec.at(&["nodeSelector"]), &path.child("nodeSelector"), errors);
    container::security_context_of_pod(spec, path, errors);
    for (index, secret) in spec.list_at(&["imagePullSecrets"]).iter().enumerate() {
        let path = path.child("imagePullSecrets").index(index);
        checks::required(secret, &path, "name", errors);
    }
    scheduling::affinity(spec.at(&["affinity"]), &path.child("affinity"), errors);
    names(spec, path, errors);
    if let Some(seconds) = spec.int_at(&["activeDeadlineSeconds"]) {
        let complaints = validation::in_range(seconds, 1, MAX_INT32);
        let path = path.child("activeDeadlineSeconds");
        errors.extend(complaints.iter().map(|text| Error::invalid(&path, seconds, text)));
    }
    scheduling::tolerations(spec.list_at(&["tolerations"]), &path.child("tolerations"), errors);
    host_aliases(spec.list_at(&["hostAliases"]), &path.child("hostAliases"), errors);
}

fn names(spec: &Value, path: &Path, errors: &mut ErrorList) {
    for key in ["serviceAccountName", "nodeName", "priorityClassName"] {
        let text = spec.str_at(&[key]);
        if !text.is_empty() {
            checks::dns_subdomain(text, &path.child(key), errors);
        }
    }
    for key in ["hostname", "subdomain"] {
        let text = spec.str_at(&[key]);
        if !text.is_empty() {
            checks::dns_label(text, &path.child(key), errors);
        }
    }
}

fn host_aliases(aliases: &[Value], path: &Path, errors: &mut ErrorList) {
    for alias in aliases {
        let ip = alias.str_at(&["ip"]);
        if !validation::ip_address(ip).is_empty() {
            errors.push(Error::invalid(&path.child("ip"), ip, "must be valid IP address"));
        }
        for hostname in alias.list_at(&["hostnames"]).iter().filter_map(Value::as_str) {
            checks::dns_subdomain(hostname, &path.child("hostnames"), errors);
        }
    }
}

/// Checks what an update changes in a Pod.
///
/// Deviation: upstream appends a dump of both specs, as Go structs, to the refusal.
pub(super) fn update(new: &Value, old: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    annotations::update(new, old, errors);
    for list in CONTAINER_LISTS {
        if new.list_at(&["spec", list]).len() != old.list_at(&["spec", list]).len() {
            let text = "pod updates may not add or remove containers";
            errors.push(Error::forbidden(&path.child(list), text));
            return;
        }
    }
    deadline_change(new, old, &path, errors);
    toleration_change(new, old, &path, errors);
    let mut allowed = new.clone();
    for list in CONTAINER_LISTS {
        let containers = old.list_at(&["spec", list]);
        for (index, container) in containers.iter().enumerate() {
            if let Some(place) = allowed["spec"][list].get_mut(index) {
                match container.get("image") {
                    Some(image) => place.set(&["image"], image.clone()),
                    None => drop(place.remove(&["image"])),
                }
            }
        }
    }
    for key in ["activeDeadlineSeconds", "tolerations"] {
        match old.at(&["spec", key]) {
            Some(value) => allowed.set(&["spec", key], value.clone()),
            None => drop(allowed.remove(&["spec", key])),
        }
    }
    if !checks::same(allowed.get("spec"), old.get("spec")) {
        let text = "pod updates may not change fields other than `spec.containers[*].image`, \
                    `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or \
                    `spec.tolerations` (only additions to existing tolerations)";
        errors.push(Error::forbidden(&path, text));
    }
}

fn deadline_change(new: &Value, old: &Value, path: &Path, errors: &mut ErrorList) {
    let path = path.child("activeDeadlineSeconds");
    let read = |pod: &Value| pod.int_at(&["spec", "activeDeadlineSeconds"]);
    match (read(new), read(old)) {
        (Some(now), before) => {
            if !(0..=MAX_INT32).contains(&now) {
                let text = validation::range_error(0, MAX_INT32);
                errors.push(Error::invalid(&path, now, &text));
            } else if before.is_some_and(|before| before < now) {
                let text = "must be less than or equal to previous value";
                errors.push(Error::invalid(&path, now, text));
            }
        }
        (None, Some(_)) => {
            let text = "must not update from a positive integer to nil value";
            errors.push(Error::invalid(&path, Value::Null, text));
        }
        (None, None) => {}
    }
}

/// Tolerations may be added; those that are there stay, but for the seconds of `NoExecute`.
fn toleration_change(new: &Value, old: &Value, path: &Path, errors: &mut ErrorList) {
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        drop(toleration.remove(&["tolerationSeconds"]));
        toleration
    };
    let now: Vec<Value> =
        new.list_at(&["spec", "tolerations"]).iter().map(without_seconds).collect();
    let kept = |toleration: &Value| now.contains(&without_seconds(toleration));
    if !old.list_at(&["spec", "tolerations"]).iter().all(kept) {
        let text = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(Error::forbidden(&path.child("tolerations"), text));
    }
}
