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
use crate::{container, kinds, placement};

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
        return container::look(facts, pod, status).rule(INIT);
    }
    let unready = statuses(pod, "containerStatuses").find(|status| !status.bool_at(&["ready"]));
    if let Some(status) = unready {
        return container::look(facts, pod, status);
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
        let finding = Finding::failed(title(pod), format!("{reason}{colon}{message}"));
        let deadline = pod.int_at(&["spec", "activeDeadlineSeconds"]);
        return match deadline.filter(|_| reason == "DeadlineExceeded") {
            Some(seconds) => {
                finding.rule(format!("A pod may run for {seconds} s (activeDeadlineSeconds)"))
            }
            None => finding,
        };
    }
    let bad = |status: &&Value| {
        status.int_at(&["state", "terminated", "exitCode"]).is_some_and(|code| code != 0)
    };
    let all = statuses(pod, "initContainerStatuses").chain(statuses(pod, "containerStatuses"));
    match { all }.find(bad) {
        Some(status) => container::failed(pod, status),
        None => Finding::failed(title(pod), "it ended as failed"),
    }
}

/// The last way out: started, but something is wanting that an event may name.
pub(crate) fn starting(facts: &Facts, pod: &Value, says: String) -> Finding {
    let reasons =
        ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady"];
    let Some(event) = facts.told(pod, &reasons) else { return Finding::waiting(title(pod), says) };
    // After two minutes all volumes are named that are wanting; what each wants is said before.
    let each = facts.said(pod, "MountVolume.SetUp failed");
    let each = each.filter(|_| event.str_at(&["reason"]) == "FailedMount");
    let message = each.unwrap_or_else(|| event.str_at(&["message"]));
    let mut finding = Finding::held(title(pod), message)
        .rule("Containers start when the pod's volumes and its network are there")
        .because(open_claims(facts, pod));
    finding.help.extend(unmounted(pod.namespace(), message));
    if message.contains("port is already allocated") || message.contains("address already in use") {
        let help = "Something else on the engine's machine has that host port: end it, or take \
                    another hostPort or none";
        finding = finding.help(help);
    }
    finding
}

/// What helps when a volume cannot be set up.
fn unmounted(ns: &str, message: &str) -> Option<String> {
    let (_, why) =
        message.split_once("MountVolume.SetUp failed for volume ")?.1.split_once(" : ")?;
    if let Some(named) = why.strip_suffix(" not found")
        && let Some((resource, name)) = named.split_once(' ')
    {
        let kind = if resource == "secrets" { "secret" } else { "config map" };
        return Some(format!(
            "Make the {kind} {name} in project {ns:?}, or make the volume optional"
        ));
    }
    if why.starts_with("references non-existent") {
        return Some("Add that key, or correct the volume's items".to_owned());
    }
    if why.starts_with("hostPath type check failed") {
        return Some("Make that path on the node, or change the volume's hostPath.type".to_owned());
    }
    why.ends_with("is not supported by this node").then(|| {
        "Use a volume of another kind: emptyDir, hostPath, or a claim of the default storage class"
            .to_owned()
    })
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
