//! The conditions that the agent owns, in upstream's order.

use apimachinery::ObjectExt as _;
use serde_json::{Value, json};

use super::Input;

/// One condition before its transition time is known.
struct Verdict {
    kind: &'static str,
    status: bool,
    reason: &'static str,
    message: String,
}

impl Verdict {
    fn yes(kind: &'static str) -> Self {
        Self { kind, status: true, reason: "", message: String::new() }
    }

    fn no(kind: &'static str, reason: &'static str, message: String) -> Self {
        Self { kind, status: false, reason, message }
    }
}

/// `Initialized`, `Ready`, `ContainersReady`, `PodScheduled`, then whatever others have set.
pub(super) fn conditions(
    input: &Input<'_>,
    phase: &str,
    inits: &[Value],
    apps: &[Value],
) -> Vec<Value> {
    let ready = containers_ready("Ready", phase, apps);
    let containers_ready = containers_ready("ContainersReady", phase, apps);
    let own = [initialized(phase, inits), ready, containers_ready, Verdict::yes("PodScheduled")];
    let old = input.pod.list_at(&["status", "conditions"]);
    let mut conditions: Vec<Value> = own
        .iter()
        .map(|verdict| {
            let before = old.iter().find(|c| c.str_at(&["type"]) == verdict.kind);
            condition(input, verdict, before)
        })
        .collect();
    let foreign = |c: &&Value| own.iter().all(|verdict| verdict.kind != c.str_at(&["type"]));
    conditions.extend(old.iter().filter(foreign).cloned());
    conditions
}

fn condition(input: &Input<'_>, verdict: &Verdict, before: Option<&Value>) -> Value {
    let status = if verdict.status { "True" } else { "False" };
    let unchanged = before.filter(|c| c.str_at(&["status"]) == status);
    let since = unchanged.map(|c| c.str_at(&["lastTransitionTime"])).filter(|t| !t.is_empty());
    let mut condition = json!({
        "type": verdict.kind,
        "status": status,
        "lastProbeTime": null,
        "lastTransitionTime": since.map_or_else(|| input.now.rfc3339(), str::to_owned),
    });
    if !verdict.reason.is_empty() {
        condition.set(&["reason"], json!(verdict.reason));
    }
    if !verdict.message.is_empty() {
        condition.set(&["message"], json!(verdict.message));
    }
    condition
}

fn names<'a>(statuses: impl Iterator<Item = &'a Value>) -> String {
    let names: Vec<&str> = statuses.map(|status| status.str_at(&["name"])).collect();
    format!("[{}]", names.join(" "))
}

fn initialized(phase: &str, inits: &[Value]) -> Verdict {
    let incomplete: Vec<&Value> =
        inits.iter().filter(|status| !status.bool_at(&["ready"])).collect();
    if phase == "Succeeded" && !inits.is_empty() {
        return Verdict { reason: "PodCompleted", ..Verdict::yes("Initialized") };
    }
    if incomplete.is_empty() {
        let reason = if phase == "Succeeded" { "PodCompleted" } else { "" };
        return Verdict { reason, ..Verdict::yes("Initialized") };
    }
    let message = format!("containers with incomplete status: {}", names(incomplete.into_iter()));
    Verdict::no("Initialized", "ContainersNotInitialized", message)
}

fn containers_ready(kind: &'static str, phase: &str, apps: &[Value]) -> Verdict {
    if phase == "Succeeded" {
        return Verdict::no(kind, "PodCompleted", String::new());
    }
    let unready: Vec<&Value> = apps.iter().filter(|status| !status.bool_at(&["ready"])).collect();
    if unready.is_empty() {
        return Verdict::yes(kind);
    }
    let message = format!("containers with unready status: {}", names(unready.into_iter()));
    Verdict::no(kind, "ContainersNotReady", message)
}
