//! ReplicationControllers, ReplicaSets, Deployments, DaemonSets and StatefulSets.
//!
//! Mirrors: `pkg/apis/{core,apps,extensions}/validation` of Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path, quote};
use apimachinery::json;
use apimachinery::validation::{self, object_meta};
use apimachinery::{ObjectExt as _, Text, Value};

use super::{checks, core, go_text, pod};
use crate::Resource;
use crate::views::workload;

const EMPTY_SELECTOR: &str = "empty selector is not valid for deployment.";
const NOT_MATCHING: &str = "`selector` does not match template `labels`";

/// Checks `spec` of an apps or extensions kind.
pub(super) fn create(kind: &str, object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    match kind {
        "Deployment" => deployment(object, spec, &path, errors),
        "ReplicaSet" => {
            checks::non_negative(spec, &path, "replicas", errors);
            checks::non_negative(spec, &path, "minReadySeconds", errors);
            selector_and_template(object, spec, &path, errors);
        }
        "DaemonSet" => daemon_set(object, spec, &path, errors),
        "StatefulSet" => stateful_set(object, spec, &path, errors),
        "ControllerRevision" => {
            if !checks::is_set(object, "data") {
                errors.push(Error::required(&Path::new("data"), "data is mandatory"));
            }
            checks::non_negative(object, &Path::default(), "revision", errors);
        }
        _ => {}
    }
}

/// Checks `spec` of a ReplicationController.
pub(super) fn replication_controller(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    checks::non_negative(spec, &path, "minReadySeconds", errors);
    if map_selector(spec).is_none() {
        errors.push(Error::required(&path.child("selector"), ""));
    }
    checks::non_negative(spec, &path, "replicas", errors);
    template_for_map_selector(spec, &path, errors);
}

/// Checks a template that a plain map of labels must select, as in a ReplicationController and a
/// DeploymentConfig.
pub(super) fn template_for_map_selector(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let parent = path;
    let path = path.child("template");
    let Some(template) = spec.get("template").filter(|value| !value.is_null()) else {
        errors.push(Error::required(&path, ""));
        return;
    };
    let selector = map_selector(spec);
    let owner = json!({"kind": "ReplicationController", "spec": {"selector": selector}});
    if selector.is_some() && !workload::selects(&owner, template) {
        labels_do_not_match(template, &path, errors);
    }
    pod::template(template, &path, errors);
    read_only_disks(spec, parent, errors);
    always_restart(template, &path, errors);
}

/// A selector of plain labels; one with a label that cannot be counts as empty.
fn map_selector(spec: &Value) -> Option<&Value> {
    let selector = spec.get("selector").filter(|selector| !checks::is_empty(Some(*selector)))?;
    let fine = |(key, value): (&Text, &Value)| {
        validation::qualified_name(key).is_empty()
            && validation::label_value(value.as_str().unwrap_or_default()).is_empty()
    };
    selector.as_object()?.iter().all(fine).then_some(selector)
}

/// Mirrors: `ValidateReadOnlyPersistentDisks`.
fn read_only_disks(spec: &Value, path: &Path, errors: &mut ErrorList) {
    if spec.int_at(&["replicas"]).unwrap_or(0) <= 1 {
        return;
    }
    let path = path.child("template").child("spec").child("volumes");
    for (index, volume) in spec.list_at(&["template", "spec", "volumes"]).iter().enumerate() {
        let Some(disk) = volume.get("gcePersistentDisk") else { continue };
        if !disk.bool_at(&["readOnly"]) {
            let path = path.index(index).child("gcePersistentDisk").child("readOnly");
            let text = "must be true for replicated pods > 1; GCE PD can only be mounted on \
                        multiple machines if it is read-only";
            errors.push(Error::invalid(&path, false, text));
        }
    }
}

fn labels_do_not_match(template: &Value, path: &Path, errors: &mut ErrorList) {
    let labels = template.at(&["metadata", "labels"]);
    let path = path.child("metadata").child("labels");
    let error = Error::invalid(&path, labels.cloned().unwrap_or(Value::Null), NOT_MATCHING);
    errors.push(error.shown_as(&go_text::string_map(labels)));
}

fn always_restart(template: &Value, path: &Path, errors: &mut ErrorList) {
    let policy = template.str_at(&["spec", "restartPolicy"]);
    if policy != "Always" {
        let path = path.child("spec").child("restartPolicy");
        errors.push(Error::not_supported(&path, policy, &["Always"]));
    }
}

/// Checks a `LabelSelector` and the template that it must select.
fn selector_and_template(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    if selector(spec, path, EMPTY_SELECTOR, errors) {
        template_for_selector(object, spec, path, errors);
    }
}

/// Checks the selector; `false` when it is not well-formed.
fn selector(spec: &Value, path: &Path, empty: &str, errors: &mut ErrorList) -> bool {
    let path = path.child("selector");
    let Some(selector) = spec.get("selector").filter(|value| !value.is_null()) else {
        errors.push(Error::required(&path, ""));
        return true;
    };
    let before = errors.len();
    checks::label_selector(Some(selector), &path, errors);
    let well_formed = errors.len() == before;
    if checks::is_empty(selector.get("matchLabels"))
        && checks::is_empty(selector.get("matchExpressions"))
    {
        let error = Error::invalid(&path, selector.clone(), empty);
        errors.push(error.shown_as(&go_text::label_selector(selector)));
    }
    if !well_formed {
        let error = Error::invalid(&path, selector.clone(), "invalid label selector.");
        errors.push(error.shown_as(&go_text::label_selector(selector)));
    }
    well_formed
}

fn template_for_selector(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    labels_must_match(object, spec, path, errors);
    let parent = path.clone();
    let path = path.child("template");
    let template = spec.get("template").unwrap_or(&Value::Null);
    pod::template(template, &path, errors);
    read_only_disks(spec, &parent, errors);
    always_restart(template, &path, errors);
}

fn labels_must_match(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let template = spec.get("template").unwrap_or(&Value::Null);
    let selector = spec.get("selector").filter(|value| !value.is_null());
    let selects_all = selector.is_some_and(|selector| {
        checks::is_empty(selector.get("matchLabels"))
            && checks::is_empty(selector.get("matchExpressions"))
    });
    if !selects_all && !workload::selects(object, template) {
        labels_do_not_match(template, &path.child("template"), errors);
    }
}

fn deployment(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    checks::non_negative(spec, path, "replicas", errors);
    selector_and_template(object, spec, path, errors);
    let strategy_path = path.child("strategy");
    let strategy = spec.get("strategy").unwrap_or(&Value::Null);
    let rolling = strategy.get("rollingUpdate").filter(|value| !value.is_null());
    match (strategy.str_at(&["type"]), rolling) {
        ("Recreate", Some(_)) => {
            let text = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(Error::forbidden(&strategy_path.child("rollingUpdate"), text));
        }
        ("Recreate", None) => {}
        ("RollingUpdate", Some(params)) => {
            rolling_update(params, &strategy_path.child("rollingUpdate"), errors);
        }
        ("RollingUpdate", None) => {
            let text = "this should be defaulted and never be nil";
            errors.push(Error::required(&strategy_path.child("rollingUpdate"), text));
        }
        (other, _) => {
            let supported = ["Recreate", "RollingUpdate"];
            let shown = format!(
                "extensions.DeploymentStrategy{{Type:{}, \
                 RollingUpdate:(*extensions.RollingUpdateDeployment)(nil)}}",
                quote(other)
            );
            let error = Error::not_supported(&strategy_path, other, &supported);
            errors.push(error.shown_as(&shown));
        }
    }
    checks::non_negative(spec, path, "minReadySeconds", errors);
    checks::non_negative(spec, path, "revisionHistoryLimit", errors);
    if let Some(revision) = spec.int_at(&["rollbackTo", "revision"]).filter(|r| *r < 0) {
        let path = path.child("rollback").child("version");
        errors.push(Error::invalid(&path, revision, object_meta::NEGATIVE));
    }
    if let Some(deadline) = spec.int_at(&["progressDeadlineSeconds"]) {
        checks::non_negative(spec, path, "progressDeadlineSeconds", errors);
        if deadline <= spec.int_at(&["minReadySeconds"]).unwrap_or(0) {
            let path = path.child("progressDeadlineSeconds");
            let text = "must be greater than minReadySeconds.";
            errors.push(Error::invalid(&path, deadline, text));
        }
    }
}

fn rolling_update(params: &Value, path: &Path, errors: &mut ErrorList) {
    let (unavailable, surge) = (params.get("maxUnavailable"), params.get("maxSurge"));
    let unavailable_path = path.child("maxUnavailable");
    checks::int_or_percent(unavailable, &unavailable_path, errors);
    checks::int_or_percent(surge, &path.child("maxSurge"), errors);
    let zero = |value: Option<&Value>| {
        checks::percent_of(value).or_else(|| value.and_then(Value::as_i64)).unwrap_or(0) == 0
    };
    if zero(unavailable) && zero(surge) {
        let text = "may not be 0 when `maxSurge` is 0";
        let value = unavailable.cloned().unwrap_or(Value::Null);
        let error = Error::invalid(&unavailable_path, value, text);
        errors.push(error.shown_as(&go_text::int_or_string(unavailable)));
    }
    checks::at_most_100_percent(unavailable, &unavailable_path, errors);
}

fn daemon_set(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let selector_errors = errors.len();
    let selector_path = path.child("selector");
    checks::label_selector(spec.get("selector"), &selector_path, errors);
    let template = spec.get("template").unwrap_or(&Value::Null);
    let selects_all = spec.get("selector").is_some_and(|selector| {
        !selector.is_null()
            && checks::is_empty(selector.get("matchLabels"))
            && checks::is_empty(selector.get("matchExpressions"))
    });
    if selects_all {
        let text = "empty selector is not valid for daemonset.";
        let error = Error::invalid(&selector_path, spec["selector"].clone(), text);
        errors.push(error.shown_as(&go_text::label_selector(&spec["selector"])));
    } else if errors.len() == selector_errors && !workload::selects(object, template) {
        labels_do_not_match(template, &path.child("template"), errors);
    }
    pod::template(template, &path.child("template"), errors);
    always_restart(template, &path.child("template"), errors);
    no_deadline(template, path, errors);
    checks::non_negative(spec, path, "minReadySeconds", errors);
    let strategy = spec.get("updateStrategy").unwrap_or(&Value::Null);
    let strategy_path = path.child("updateStrategy");
    match strategy.str_at(&["type"]) {
        "OnDelete" => {}
        "RollingUpdate" => match strategy.at(&["rollingUpdate"]).filter(|v| !v.is_null()) {
            Some(params) => {
                let path = strategy_path.child("rollingUpdate").child("maxUnavailable");
                let unavailable = params.get("maxUnavailable");
                checks::int_or_percent(unavailable, &path, errors);
                checks::at_most_100_percent(unavailable, &path, errors);
                let zero = checks::percent_of(unavailable)
                    .or_else(|| unavailable.and_then(Value::as_i64))
                    == Some(0);
                if zero {
                    let value = unavailable.cloned().unwrap_or(Value::Null);
                    let error = Error::invalid(&path, value, "cannot be 0");
                    errors.push(error.shown_as(&go_text::int_or_string(unavailable)));
                }
            }
            None => errors.push(Error::required(&strategy_path.child("rollingUpdate"), "")),
        },
        other => {
            let supported = ["RollingUpdate", "OnDelete"];
            let shown = format!(
                "extensions.DaemonSetUpdateStrategy{{Type:{}, \
                 RollingUpdate:(*extensions.RollingUpdateDaemonSet)(nil)}}",
                quote(other)
            );
            let error = Error::not_supported(&strategy_path, other, &supported);
            errors.push(error.shown_as(&shown));
        }
    }
    checks::non_negative(spec, path, "revisionHistoryLimit", errors);
}

fn no_deadline(template: &Value, path: &Path, errors: &mut ErrorList) {
    if let Some(deadline) = template.int_at(&["spec", "activeDeadlineSeconds"]) {
        let path = path.child("template").child("spec").child("activeDeadlineSeconds");
        errors.push(Error::invalid(&path, deadline, "must not be specified"));
    }
}

fn stateful_set(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    match spec.str_at(&["podManagementPolicy"]) {
        "" => errors.push(Error::required(&path.child("podManagementPolicy"), "")),
        "OrderedReady" | "Parallel" => {}
        other => {
            let text = "must be 'OrderedReady' or 'Parallel'";
            errors.push(Error::invalid(&path.child("podManagementPolicy"), other, text));
        }
    }
    let strategy = spec.get("updateStrategy").unwrap_or(&Value::Null);
    let strategy_path = path.child("updateStrategy");
    let rolling = strategy.get("rollingUpdate").filter(|value| !value.is_null());
    match strategy.str_at(&["type"]) {
        "" => errors.push(Error::required(&strategy_path, "")),
        "OnDelete" if rolling.is_some() => {
            let text = "only allowed for updateStrategy 'RollingUpdate'";
            let partition = rolling.and_then(|r| r.int_at(&["partition"])).unwrap_or(0);
            let shown = format!("apps.RollingUpdateStatefulSetStrategy{{Partition:{partition}}}");
            let path = strategy_path.child("rollingUpdate");
            errors.push(Error::invalid(&path, json!(rolling), text).shown_as(&shown));
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            if let Some(rolling) = rolling {
                let path = strategy_path.child("rollingUpdate");
                checks::non_negative(rolling, &path, "partition", errors);
            }
        }
        _ => {
            let text = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(Error::invalid(&strategy_path, strategy.clone(), text));
        }
    }
    checks::non_negative(spec, path, "replicas", errors);
    checks::non_negative(spec, path, "minReadySeconds", errors);
    if selector(spec, path, "empty selector is not valid for statefulset.", errors) {
        labels_must_match(object, spec, path, errors);
    }
    // Upstream does not look at the pod spec here: mounts may name claims that have no volume yet.
    let template = spec.get("template").unwrap_or(&Value::Null);
    pod::template_metadata(template, &path.child("template"), errors);
    always_restart(template, &path.child("template"), errors);
    no_deadline(template, path, errors);
    for (index, claim) in spec.list_at(&["volumeClaimTemplates"]).iter().enumerate() {
        let path = path.child("volumeClaimTemplates").index(index);
        core::claim_spec(claim.get("spec").unwrap_or(&Value::Null), &path.child("spec"), errors);
    }
}

/// Checks what an update changes.
pub(super) fn update(resource: &Resource, new: &Value, old: &Value, errors: &mut ErrorList) {
    let selector_is_fixed =
        !matches!((resource.group, resource.version), ("extensions", _) | ("apps", "v1beta1"));
    match resource.kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" if selector_is_fixed => {
            checks::immutable(new, old, &["spec", "selector"], errors);
        }
        "ControllerRevision" if new.get("data") != old.get("data") => {
            let value = new.get("data").cloned().unwrap_or_default();
            errors.push(Error::invalid(&Path::new("data"), value, object_meta::IMMUTABLE));
        }
        "StatefulSet" => {
            let mut allowed = new.clone();
            // The first three by 3.11's rule; the others came later and have been free since.
            for key in [
                "replicas",
                "template",
                "updateStrategy",
                "minReadySeconds",
                "ordinals",
                "persistentVolumeClaimRetentionPolicy",
            ] {
                match old.at(&["spec", key]) {
                    Some(value) => allowed.set(&["spec", key], value.clone()),
                    None => drop(allowed.remove(&["spec", key])),
                }
            }
            if !checks::same(allowed.get("spec"), old.get("spec")) {
                let text = "updates to statefulset spec for fields other than 'replicas', \
                            'template', and 'updateStrategy' are forbidden.";
                errors.push(Error::forbidden(&Path::new("spec"), text));
            }
        }
        _ => {}
    }
}
