//! Jobs and CronJobs.
//!
//! Mirrors: `pkg/apis/batch/validation` of Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

use super::{checks, go_text, pod};
use crate::cron::{self, Schedule};

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
    if spec.get("podFailurePolicy").is_some_and(Value::is_object) && policy != "Never" {
        let path = template_path.child("spec").child("restartPolicy");
        let text = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.push(Error::invalid(&path, policy, text));
    }
    completion_mode(spec, path, errors);
}

/// The most pods that a job with indexes may run at once.
const MAX_INDEXED_PARALLELISM: i64 = 100_000;

fn completion_mode(spec: &Value, path: &Path, errors: &mut ErrorList) {
    match spec.str_at(&["completionMode"]) {
        "" | "NonIndexed" => return,
        "Indexed" => {}
        other => {
            let path = path.child("completionMode");
            errors.push(Error::not_supported(&path, other, &["Indexed", "NonIndexed"]));
            return;
        }
    }
    if spec.int_at(&["completions"]).is_none() {
        let text = "when completion mode is Indexed";
        errors.push(Error::required(&path.child("completions"), text));
    }
    let parallelism = spec.int_at(&["parallelism"]).unwrap_or(1);
    if parallelism > MAX_INDEXED_PARALLELISM {
        let text = "must be less than or equal to 100000 when completion mode is Indexed";
        errors.push(Error::invalid(&path.child("parallelism"), parallelism, text));
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
    } else if let Err(problem) = Schedule::parse(schedule, "") {
        errors.push(Error::invalid(&schedule_path, schedule, &problem));
    }
    time_zone(spec, path, errors);
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

fn time_zone(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let Some(zone) = spec.get("timeZone").and_then(Value::as_str) else { return };
    let path = path.child("timeZone");
    let problem = match zone {
        "" => "timeZone must be nil or non-empty string".to_owned(),
        "Local" | "local" => "timeZone must be an explicit time zone as defined in \
                              https://www.iana.org/time-zones"
            .to_owned(),
        _ if cron::time_zone(zone).is_none() => format!("unknown time zone {zone}"),
        _ if spec.str_at(&["schedule"]).contains("TZ") => {
            "cannot use both timeZone field and TZ or CRON_TZ in schedule".to_owned()
        }
        _ => return,
    };
    errors.push(Error::invalid(&path, zone, &problem));
}

/// Checks what an update changes in a Job.
pub(super) fn update_job(new: &Value, old: &Value, errors: &mut ErrorList) {
    for field in ["completions", "selector", "template", "completionMode", "podFailurePolicy"] {
        checks::immutable(new, old, &["spec", field], errors);
    }
}
