//! The row of a Pod.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::text::{self, or_none};
use super::{AGE, NAME, Printer, integer, string, wide};

pub(super) static POD: Printer = Printer {
    columns: &[
        NAME,
        string("Ready"),
        string("Status"),
        integer("Restarts"),
        AGE,
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
    ],
    cells,
};

fn cells(pod: &Value, now: Time) -> Vec<Value> {
    let summary = summary(pod);
    let total = pod.list_at(&["spec", "containers"]).len();
    vec![
        json!(pod.name()),
        json!(format!("{}/{total}", summary.ready)),
        json!(summary.status),
        json!(summary.restarts),
        text::age(pod, now),
        json!(or_none(pod.str_at(&["status", "podIP"]))),
        json!(or_none(pod.str_at(&["spec", "nodeName"]))),
        json!(or_none(pod.str_at(&["status", "nominatedNodeName"]))),
    ]
}

struct Summary {
    status: String,
    ready: usize,
    restarts: i64,
}

/// Mirrors: `printPod` of `pkg/printers/internalversion`.
fn summary(pod: &Value) -> Summary {
    let reason = pod.str_at(&["status", "reason"]);
    let phase = if reason.is_empty() { pod.str_at(&["status", "phase"]) } else { reason };
    let mut summary = Summary { status: phase.to_owned(), ready: 0, restarts: 0 };
    if !initializing(pod, &mut summary) {
        running(pod, &mut summary);
    }
    if pod.deletion_timestamp().is_some() {
        let lost = reason == "NodeLost";
        summary.status = if lost { "Unknown" } else { "Terminating" }.to_owned();
    }
    summary
}

/// Reads the init containers; `true` while one of them is not done.
fn initializing(pod: &Value, summary: &mut Summary) -> bool {
    let total = pod.list_at(&["spec", "initContainers"]).len();
    for (index, status) in pod.list_at(&["status", "initContainerStatuses"]).iter().enumerate() {
        summary.restarts += status.int_at(&["restartCount"]).unwrap_or(0);
        let terminated = status.at(&["state", "terminated"]).filter(|value| !value.is_null());
        let waiting = status.str_at(&["state", "waiting", "reason"]);
        summary.status = match terminated {
            Some(end) if end.int_at(&["exitCode"]).unwrap_or(0) == 0 => continue,
            Some(end) => format!("Init:{}", end_text(end)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => {
                format!("Init:{waiting}")
            }
            None => format!("Init:{index}/{total}"),
        };
        return true;
    }
    false
}

fn running(pod: &Value, summary: &mut Summary) {
    summary.restarts = 0;
    let mut any_running = false;
    for status in pod.list_at(&["status", "containerStatuses"]).iter().rev() {
        summary.restarts += status.int_at(&["restartCount"]).unwrap_or(0);
        let waiting = status.str_at(&["state", "waiting", "reason"]);
        let terminated = status.at(&["state", "terminated"]).filter(|value| !value.is_null());
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.status);
        } else if let Some(end) = terminated {
            summary.status = end_text(end);
        } else if status.bool_at(&["ready"]) && status.at(&["state", "running"]).is_some() {
            any_running = true;
            summary.ready += 1;
        }
    }
    if summary.status == "Completed" && any_running {
        "Running".clone_into(&mut summary.status);
    }
}

fn end_text(terminated: &Value) -> String {
    let signal = terminated.int_at(&["signal"]).unwrap_or(0);
    match terminated.str_at(&["reason"]) {
        "" if signal != 0 => format!("Signal:{signal}"),
        "" => format!("ExitCode:{}", terminated.int_at(&["exitCode"]).unwrap_or(0)),
        reason => reason.to_owned(),
    }
}
