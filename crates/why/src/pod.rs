//! What a pod waits for.
//!
//! Invariant: what comes first in a pod's life is told first: a place, volumes, init containers,
//! images, readiness.

use api::PERSISTENT_VOLUME_CLAIMS;
use api::views::pod::{condition, is_ready, phase};
use apimachinery::{ObjectExt as _, Value};
use scheduler::{DEFAULT_SCHEDULER, PodInfo};

use crate::facts::{Facts, title};
use crate::finding::Finding;
use crate::{kinds, placement};

const RESTARTS: &str = "A container that ends is started again after 10 s, then 20 s, 40 s and so \
                        on, at most 5 min (restartPolicy)";
const PULLS: &str = "A container starts when its image is there; a pull that failed is tried again \
                     after 10 s, then 20 s, 40 s and so on, at most 5 min";
const READINESS: &str =
    "A pod is ready, and gets traffic, when every container has passed its readiness probe";
const INIT: &str = "Init containers run one after the other; the others start when all have ended \
                    with exit code 0";

/// How a pod stands.
#[must_use]
pub fn look(facts: &Facts, pod: &Value) -> Finding {
    let object = title(pod);
    if pod.deletion_timestamp().is_some() {
        return going(facts, pod);
    }
    match phase(pod) {
        "Succeeded" => return Finding::settled(object, "its containers have ended well"),
        "Failed" => return failed(pod),
        _ => {}
    }
    if pod.str_at(&["spec", "nodeName"]).is_empty() {
        return unplaced(facts, pod);
    }
    let init = statuses(pod, "initContainerStatuses").find(|status| !ended_well(status));
    if let Some(status) = init {
        return container(facts, pod, status).rule(INIT);
    }
    let unready = statuses(pod, "containerStatuses").find(|status| !status.bool_at(&["ready"]));
    if let Some(status) = unready {
        return container(facts, pod, status);
    }
    let node = pod.str_at(&["spec", "nodeName"]);
    if is_ready(pod) {
        return Finding::settled(object, format!("it runs on {node} and is ready"));
    }
    if let Some(gate) = open_gate(pod) {
        let says = format!("its readiness gate {gate:?} is not open");
        let rule = "A pod is ready when the conditions that its readinessGates name are True";
        return Finding::waiting(object, says).rule(rule);
    }
    starting(facts, pod, format!("{node} has not started it yet"))
}

fn statuses<'a>(pod: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    pod.list_at(&["status", field]).iter()
}

fn ended_well(status: &Value) -> bool {
    status.int_at(&["state", "terminated", "exitCode"]) == Some(0)
}

fn going(facts: &Facts, pod: &Value) -> Finding {
    let object = title(pod);
    let held: Vec<&str> =
        pod.list_at(&["metadata", "finalizers"]).iter().filter_map(Value::as_str).collect();
    if !held.is_empty() {
        let says = format!("it is being deleted, which {} must allow", held.join(", "));
        let rule = "An object with finalizers stays until each has been removed by its owner";
        return Finding::held(object, says).rule(rule);
    }
    let grace = pod.int_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
    let asked = facts.ago(pod.deletion_timestamp().unwrap_or_default());
    let says = match asked.as_deref() {
        Some("0 s") | None => "it is being deleted; its containers are ending".to_owned(),
        Some(ago) => format!("it should have been gone {ago} ago; its containers are ending"),
    };
    let rule = format!("Containers get {grace} s to end by themselves (the grace period)");
    Finding::waiting(object, says).rule(rule)
}

fn failed(pod: &Value) -> Finding {
    let text = |field: &str| pod.str_at(&["status", field]);
    let (reason, message) = (text("reason"), text("message"));
    if !reason.is_empty() {
        let colon = if message.is_empty() { "" } else { ": " };
        return Finding::failed(title(pod), format!("{reason}{colon}{message}"));
    }
    let bad = |status: &&Value| {
        status.int_at(&["state", "terminated", "exitCode"]).is_some_and(|code| code != 0)
    };
    let all = statuses(pod, "initContainerStatuses").chain(statuses(pod, "containerStatuses"));
    match { all }.find(bad) {
        Some(status) => {
            let (name, end) = (status.str_at(&["name"]), status.at(&["state", "terminated"]));
            let says = format!("container {name:?} ended {}", ending(end));
            Finding::failed(title(pod), says).help(logs(pod, name, false))
        }
        None => Finding::failed(title(pod), "it ended as failed"),
    }
}

fn ending(end: Option<&Value>) -> String {
    let Some(end) = end else { return "again and again".to_owned() };
    let code = end.int_at(&["exitCode"]).unwrap_or(0);
    match end.str_at(&["reason"]) {
        "" | "Error" | "Completed" => format!("with exit code {code}"),
        "OOMKilled" => "because it used more memory than its limit (OOMKilled)".to_owned(),
        reason => format!("with exit code {code} ({reason})"),
    }
}

fn logs(pod: &Value, container: &str, previous: bool) -> String {
    let previous = if previous { " --previous" } else { "" };
    let (name, ns) = (pod.name(), pod.namespace());
    format!("See what it said: kubectl -n {ns} logs {name} -c {container}{previous}")
}

/// The last way out: started, but something is wanting that an event may name.
fn starting(facts: &Facts, pod: &Value, says: String) -> Finding {
    let reasons =
        ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady"];
    match facts.told(pod, &reasons) {
        Some(event) => Finding::held(title(pod), event.str_at(&["message"]))
            .rule("Containers start when the pod's volumes and its network are there")
            .because(open_claims(facts, pod)),
        None => Finding::waiting(title(pod), says),
    }
}

fn open_gate(pod: &Value) -> Option<&str> {
    let gates = pod.list_at(&["spec", "readinessGates"]).iter();
    let mut gates = gates.map(|gate| gate.str_at(&["conditionType"]));
    let open = |gate: &str| condition(pod, gate).map(|c| c.str_at(&["status"])) == Some("True");
    gates.find(|gate| !open(gate))
}

/// A pod without a node.
fn unplaced(facts: &Facts, pod: &Value) -> Finding {
    let object = title(pod);
    let scheduler = pod.str_at(&["spec", "schedulerName"]);
    if !scheduler.is_empty() && scheduler != DEFAULT_SCHEDULER {
        let says = format!("it waits for the scheduler {scheduler:?} to choose its node");
        let help = format!("Run that scheduler, or set schedulerName to {DEFAULT_SCHEDULER}");
        return Finding::held(object, says)
            .rule("Only the scheduler that a pod names places it")
            .help(help);
    }
    let node = pod.str_at(&["status", "nominatedNodeName"]);
    if !node.is_empty() {
        let says =
            format!("room is being made for it on {node}: less important pods there are ending");
        return Finding::waiting(object, says)
            .rule("A pod with a higher priority may push out pods with a lower one (preemption)");
    }
    let told = condition(pod, "PodScheduled").map(|it| it.str_at(&["message"])).unwrap_or_default();
    if told.is_empty() {
        return Finding::waiting(object, "the scheduler has not looked at it yet");
    }
    let mut finding = Finding::held(object, format!("no node can take it: {told}"))
        .rule("A pod runs on a node that passes every question of the scheduler's policy")
        .because(open_claims(facts, pod));
    if let Some((snapshot, profile)) = &facts.placing {
        let pod = PodInfo::new(std::sync::Arc::new(pod.clone()));
        let facts = placement::Facts { revision: facts.revision, snapshot, pod: &pod, turn: 0 };
        finding.help = placement::Placement::of(facts, profile).help;
    }
    finding
}

/// The claims of a pod that have no volume.
fn open_claims(facts: &Facts, pod: &Value) -> Vec<Finding> {
    let volumes = pod.list_at(&["spec", "volumes"]).iter();
    let names = volumes.map(|volume| volume.str_at(&["persistentVolumeClaim", "claimName"]));
    let found = names.filter_map(|name| facts.find(&PERSISTENT_VOLUME_CLAIMS, name));
    found.map(|claim| kinds::claim(facts, claim)).filter(|claim| !claim.is_settled()).collect()
}

/// A container that is not (yet) as it should be.
fn container(facts: &Facts, pod: &Value, status: &Value) -> Finding {
    let name = status.str_at(&["name"]);
    let state = |field: &str| status.at(&["state", field]);
    if let Some(waiting) = state("waiting") {
        return not_started(facts, pod, status, waiting);
    }
    if state("terminated").is_some() {
        let says = format!("container {name:?} ended {}", ending(state("terminated")));
        return Finding::waiting(title(pod), says).rule(RESTARTS).help(logs(pod, name, false));
    }
    if state("running").is_none() {
        return starting(facts, pod, format!("container {name:?} has not started yet"));
    }
    let of = pod.list_at(&["spec", "containers"]).iter();
    let spec = { of }.find(|container| container.str_at(&["name"]) == name);
    let probe = spec.and_then(|container| container.at(&["readinessProbe"]));
    let Some(probe) = probe else {
        let says = format!("container {name:?} has just started");
        return Finding::waiting(title(pod), says);
    };
    let failed = facts.told(pod, &["Unhealthy"]).map(|event| event.str_at(&["message"]));
    let failed = failed.filter(|text| text.starts_with("Readiness"));
    let period = probe.int_at(&["periodSeconds"]).unwrap_or(10);
    let delay = probe.int_at(&["initialDelaySeconds"]).unwrap_or(0);
    let after = if delay > 0 { format!(", from {delay} s after the start") } else { String::new() };
    let rule = format!("{READINESS}; this one is asked every {period} s{after}");
    match failed {
        Some(text) => {
            let says = format!("container {name:?} runs and is not ready: {text}");
            Finding::waiting(title(pod), says).rule(rule).help(logs(pod, name, false))
        }
        None => {
            let says = format!("container {name:?} runs and has not passed its readiness probe");
            Finding::waiting(title(pod), says).rule(rule)
        }
    }
}

fn not_started(facts: &Facts, pod: &Value, status: &Value, waiting: &Value) -> Finding {
    let (name, image) = (status.str_at(&["name"]), status.str_at(&["image"]));
    let (reason, message) = (waiting.str_at(&["reason"]), waiting.str_at(&["message"]));
    let object = title(pod);
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => {
            let told = facts.said(pod, "Failed to pull image");
            let told = told.and_then(|text| Some(text.split_once("\": ")?.1));
            let why = told.or(Some(message)).filter(|text| !text.is_empty());
            let why = why.map(|text| format!(": {text}")).unwrap_or_default();
            Finding::held(object, format!("container {name:?} cannot get its image {image}{why}"))
                .rule(PULLS)
                .help("Correct the image's name, push it, or give the pod a pull secret")
        }
        "CrashLoopBackOff" => {
            let restarts = status.int_at(&["restartCount"]).unwrap_or(0);
            let end = ending(status.at(&["lastState", "terminated"]));
            let says = format!(
                "container {name:?} ended {end}, was started again {restarts} times and waits for \
                 its next turn"
            );
            Finding::held(object, says).rule(RESTARTS).help(logs(pod, name, true))
        }
        "" | "ContainerCreating" | "PodInitializing" => {
            starting(facts, pod, format!("container {name:?} is being started"))
        }
        _ => {
            let says = format!("container {name:?} cannot be started: {reason}: {message}");
            let finding = Finding::held(object, says);
            if reason == "CreateContainerConfigError" {
                return finding.help("Make the config map, secret or key that the container names");
            }
            finding
        }
    }
}

/// Those of `pods` that are not settled, worst first; of those that say the same, one.
#[must_use]
pub fn unsettled<'a>(facts: &Facts, pods: impl IntoIterator<Item = &'a Value>) -> Vec<Finding> {
    const MOST: usize = 3;
    let mut found: Vec<Finding> = Vec::new();
    for pod in pods {
        let finding = look(facts, pod);
        let alike = |other: &Finding| {
            let bare = |finding: &Finding| {
                let name = finding.object.rsplit('/').next().unwrap_or_default();
                (finding.state, finding.says.replace(name, ""))
            };
            bare(other) == bare(&finding)
        };
        if !finding.is_settled() && !found.iter().any(alike) {
            found.push(finding);
        }
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.state as u8));
    found.truncate(MOST);
    found
}
