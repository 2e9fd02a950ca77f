//! Jobs and CronJobs.
//!
//! Mirrors: `pkg/apis/batch/validation` of Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

use super::{checks, go_text, pod};

pub(super) fn create(kind: &str, object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    match kind {
        "Job" => job(spec, &path, errors),
        "CronJob" => cron_job(object, spec, &path, errors),
        _ => {}
    }
}

/// A Job of its own: the server has made its selector unless the client did.
fn job(spec: &Value, path: &Path, errors: &mut ErrorList) {
    job_spec(spec, path, errors);
    let selector = spec.get("selector").filter(|value| !value.is_null());
    if selector.is_none() {
        errors.push(Error::required(&path.child("selector"), ""));
    }
    let labels = spec.at(&["template", "metadata", "labels"]);
    let selector = LabelSelector::from_json(selector.unwrap_or(&Value::Null));
    if selector.is_ok_and(|selector| !selector.matches(labels.and_then(Value::as_object))) {
        let path = path.child("template").child("metadata").child("labels");
        let value = labels.cloned().unwrap_or(Value::Null);
        let error = Error::invalid(&path, value, "`selector` does not match template `labels`");
        errors.push(error.shown_as(&go_text::string_map(labels)));
    }
}

/// A Job yet to be made: it gets its selector then.
fn job_template(spec: &Value, path: &Path, errors: &mut ErrorList) {
    job_spec(spec, path, errors);
    if let Some(selector) = spec.get("selector").filter(|value| !value.is_null()) {
        let text = "`selector` will be auto-generated";
        let error = Error::invalid(&path.child("selector"), selector.clone(), text);
        errors.push(error.shown_as(&go_text::label_selector(selector)));
    }
    if spec.bool_at(&["manualSelector"]) {
        let path = path.child("manualSelector");
        errors.push(Error::not_supported(&path, true, &["nil", "false"]));
    }
}

fn job_spec(spec: &Value, path: &Path, errors: &mut ErrorList) {
    for field in ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit"] {
        checks::non_negative(spec, path, field, errors);
    }
    checks::label_selector(spec.get("selector"), &path.child("selector"), errors);
    let template_path = path.child("template");
    let template = spec.get("template").unwrap_or(&Value::Null);
    pod::template(template, &template_path, errors);
    let policy = template.str_at(&["spec", "restartPolicy"]);
    if !matches!(policy, "OnFailure" | "Never") {
        let path = template_path.child("spec").child("restartPolicy");
        errors.push(Error::not_supported(&path, policy, &["OnFailure", "Never"]));
    }
}

fn cron_job(object: &Value, spec: &Value, path: &Path, errors: &mut ErrorList) {
    let name = object.name();
    if name.len() > 52 {
        let path = Path::new("metadata").child("name");
        errors.push(Error::invalid(&path, name, "must be no more than 52 characters"));
    }
    let schedule = spec.str_at(&["schedule"]);
    let schedule_path = path.child("schedule");
    if schedule.is_empty() {
        errors.push(Error::required(&schedule_path, ""));
    } else if let Some(problem) = schedule_problem(schedule) {
        errors.push(Error::invalid(&schedule_path, schedule, &problem));
    }
    checks::non_negative(spec, path, "startingDeadlineSeconds", errors);
    match spec.str_at(&["concurrencyPolicy"]) {
        "" => errors.push(Error::required(&path.child("concurrencyPolicy"), "")),
        _ => {
            let supported = ["Allow", "Forbid", "Replace"];
            checks::one_of(spec, path, "concurrencyPolicy", &supported, errors);
        }
    }
    let job = spec.at(&["jobTemplate", "spec"]).unwrap_or(&Value::Null);
    job_template(job, &path.child("jobTemplate").child("spec"), errors);
    checks::non_negative(spec, path, "successfulJobsHistoryLimit", errors);
    checks::non_negative(spec, path, "failedJobsHistoryLimit", errors);
}

/// Only the shape of a schedule is checked here: five fields or a known `@` word.
fn schedule_problem(schedule: &str) -> Option<String> {
    if let Some(word) = schedule.strip_prefix('@') {
        let known = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
        let fine = known.contains(&word) || word.starts_with("every ");
        return (!fine).then(|| format!("Unrecognized descriptor: {schedule}"));
    }
    let fields = schedule.split_whitespace().count();
    (fields != 5).then(|| format!("Expected exactly 5 fields, found {fields}: {schedule}"))
}

/// Checks what an update changes in a Job.
pub(super) fn update_job(new: &Value, old: &Value, errors: &mut ErrorList) {
    for field in ["completions", "selector", "template"] {
        checks::immutable(new, old, &["spec", field], errors);
    }
}
