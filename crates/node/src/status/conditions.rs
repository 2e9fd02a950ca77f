//! The conditions that the agent owns, in upstream's order.

use apimachinery::ObjectExt as _;
use apimachinery::{List, Text, Value};

use super::{Input, alike};

/// One condition before its transition time is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Type.
    pub kind: &'static str,
    /// Whether it holds.
    pub status: bool,
    /// Reason; empty without one.
    pub reason: &'static str,
    /// Message; empty without one.
    pub message: String,
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
pub(super) fn conditions(input: &Input<'_>, phase: &str, inits: &[Value], apps: &[Value]) -> List {
    let spec = input.pod.at(&["spec"]).unwrap_or(&Value::Null);
    let old = input.pod.list_at(&["status", "conditions"]);
    let containers = containers_ready(spec, Some(apps), phase);
    let own = [
        initialized(spec, Some(inits), phase),
        ready_if(containers.clone(), spec, old),
        containers,
        Verdict::yes("PodScheduled"),
    ];
    let mut conditions: Vec<Value> = own
        .iter()
        .map(|verdict| {
            let before = old.iter().find(|c| c.str_at(&["type"]) == verdict.kind);
            condition(input, verdict, before)
        })
        .collect();
    let foreign = |c: &&Value| own.iter().all(|verdict| verdict.kind != c.str_at(&["type"]));
    conditions.extend(old.iter().filter(foreign).cloned());
    alike::list(conditions)
}

fn condition(input: &Input<'_>, verdict: &Verdict, before: Option<&Value>) -> Value {
    let status = if verdict.status { "True" } else { "False" };
    let since = since(before, status);
    if let (Some(before), Some(_)) = (before, since)
        && before.str_at(&["reason"]) == verdict.reason
        && before.str_at(&["message"]) == verdict.message
    {
        return before.clone();
    }
    match since {
        Some(since) => alike::condition(verdict, since, document),
        None => alike::condition(verdict, &alike::time(input.now), document),
    }
}

fn document(verdict: &Verdict, since: Text) -> Value {
    let status = if verdict.status { "True" } else { "False" };
    let members = [
        ("type", Value::from(verdict.kind)),
        ("status", status.into()),
        ("lastTransitionTime", since.into()),
    ];
    let told = [("reason", verdict.reason), ("message", &verdict.message)];
    let told = told.into_iter().filter(|(_, text)| !text.is_empty());
    members.into_iter().chain(told.map(|(name, text)| (name, text.into()))).collect()
}

/// Since when a condition has had `status`; `None` when that is news.
#[must_use]
pub fn since<'a>(before: Option<&'a Value>, status: &str) -> Option<&'a str> {
    let unchanged = before.filter(|c| c.str_at(&["status"]) == status);
    unchanged.map(|c| c.str_at(&["lastTransitionTime"])).filter(|time| !time.is_empty())
}

/// What the containers of a list in the spec lack, as messages name them.
#[derive(Debug)]
struct Lacking {
    unknown: Vec<String>,
    unready: Vec<String>,
}

impl Lacking {
    fn of(containers: &[Value], statuses: &[Value]) -> Self {
        let mut lacking = Self { unknown: Vec::new(), unready: Vec::new() };
        for container in containers {
            let name = container.str_at(&["name"]);
            match statuses.iter().find(|status| status.str_at(&["name"]) == name) {
                None => lacking.unknown.push(name.to_owned()),
                Some(status) if !status.bool_at(&["ready"]) => {
                    lacking.unready.push(name.to_owned());
                }
                Some(_) => {}
            }
        }
        lacking
    }

    /// One message for both kinds; `word` is what the unready ones are.
    fn message(&self, word: &str) -> String {
        let kinds = [("unknown", &self.unknown), (word, &self.unready)];
        let told = kinds.iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<String> = told
            .map(|(word, names)| format!("containers with {word} status: [{}]", names.join(" ")))
            .collect();
        told.join(", ")
    }
}

/// Whether the init containers are through. `statuses` are theirs, `None` when nothing is known.
///
/// Mirrors: `GeneratePodInitializedCondition`.
#[must_use]
pub fn initialized(spec: &Value, statuses: Option<&[Value]>, phase: &str) -> Verdict {
    let kind = "Initialized";
    let containers = spec.list_at(&["initContainers"]);
    let Some(statuses) = statuses else {
        return if containers.is_empty() {
            Verdict::yes(kind)
        } else {
            Verdict::no(kind, "UnknownContainerStatuses", String::new())
        };
    };
    let lacking = Lacking::of(containers, statuses);
    if phase == "Succeeded" && lacking.unknown.is_empty() {
        return Verdict { reason: "PodCompleted", ..Verdict::yes(kind) };
    }
    let message = lacking.message("incomplete");
    if message.is_empty() {
        return Verdict::yes(kind);
    }
    Verdict::no(kind, "ContainersNotInitialized", message)
}

/// Whether all containers are ready.
///
/// Mirrors: `GenerateContainersReadyCondition`.
#[must_use]
pub fn containers_ready(spec: &Value, statuses: Option<&[Value]>, phase: &str) -> Verdict {
    let kind = "ContainersReady";
    let Some(statuses) = statuses else {
        return Verdict::no(kind, "UnknownContainerStatuses", String::new());
    };
    let lacking = Lacking::of(spec.list_at(&["containers"]), statuses);
    if phase == "Succeeded" && lacking.unknown.is_empty() {
        return Verdict::no(kind, "PodCompleted", String::new());
    }
    let message = lacking.message("unready");
    if message.is_empty() {
        return Verdict::yes(kind);
    }
    Verdict::no(kind, "ContainersNotReady", message)
}

/// Whether the pod gets traffic: its containers are ready, and whoever holds one of its gates agrees.
///
/// Mirrors: `GeneratePodReadyCondition`.
#[must_use]
pub fn ready(
    spec: &Value,
    conditions: &[Value],
    statuses: Option<&[Value]>,
    phase: &str,
) -> Verdict {
    ready_if(containers_ready(spec, statuses, phase), spec, conditions)
}

/// The same, of what is known of the containers.
fn ready_if(containers: Verdict, spec: &Value, conditions: &[Value]) -> Verdict {
    if !containers.status {
        return Verdict { kind: "Ready", ..containers };
    }
    let mut told = Vec::new();
    for gate in spec.list_at(&["readinessGates"]) {
        let gate = gate.str_at(&["conditionType"]);
        let found = conditions.iter().find(|condition| condition.str_at(&["type"]) == gate);
        match found.map(|condition| condition.str_at(&["status"])) {
            None => told.push(format!(
                "corresponding condition of pod readiness gate {gate:?} does not exist."
            )),
            Some("True") => {}
            Some(status) => told.push(format!(
                "the status of pod readiness gate {gate:?} is not \"True\", but {status}"
            )),
        }
    }
    if told.is_empty() {
        return Verdict::yes("Ready");
    }
    Verdict::no("Ready", "ReadinessGatesNotReady", told.join(", "))
}
