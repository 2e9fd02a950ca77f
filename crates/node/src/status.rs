//! The status of a pod, computed from what is known about its containers.
//!
//! Invariant: pure; the old status only lends transition times, foreign conditions and a final phase.
//!
//! Mirrors: `pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/generate.go`.

mod alike;
pub mod conditions;

use apimachinery::ObjectExt as _;
use apimachinery::{Text, Value, json};
use world::Time;

use crate::record::{ContainerRecord, Instance, PodRecord, RestartPolicy};

/// What a status is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The pod as stored, with its old status.
    pub pod: &'a Value,
    /// What is known.
    pub record: &'a PodRecord,
    /// Address of the node.
    pub host_ip: &'a str,
    /// Scheme of container ids.
    pub scheme: &'a str,
    /// Time of new transitions.
    pub now: Time,
}

/// The whole `status` of the pod.
#[must_use]
pub fn pod_status(input: &Input<'_>) -> Value {
    let Input { pod, record, host_ip, .. } = *input;
    if let Some((reason, message)) = record.failed.as_deref() {
        return ended_early(record, reason, message);
    }
    let mut inits = container_statuses(input, "initContainers");
    let mut apps = container_statuses(input, "containers");
    let joined = container_statuses(input, "ephemeralContainers");
    limit_messages(&mut inits, &mut apps);
    let phase = final_phase(pod, &inits, &apps);
    let conditions = conditions::conditions(input, phase, &inits, &apps);
    apps.sort_by(|a, b| a.str_at(&["name"]).cmp(b.str_at(&["name"])));

    // Put together in one go, so that no room is left over.
    let mut members: Vec<(&str, Value)> = Vec::with_capacity(12);
    members.extend([
        ("phase", phase.into()),
        ("conditions", conditions.into()),
        ("hostIP", host_ip.into()),
        ("startTime", alike::time(record.started_at).into()),
        ("containerStatuses", listed(apps)),
    ]);
    if !inits.is_empty() {
        members.push(("initContainerStatuses", inits.into()));
    }
    if !joined.is_empty() {
        members.push(("ephemeralContainerStatuses", joined.into()));
    }
    let host_network = pod.bool_at(&["spec", "hostNetwork"]);
    let ip = if host_network { host_ip } else { record.ip() };
    if !ip.is_empty() {
        members.push(("podIP", ip.into()));
    }
    let class = pod.at(&["status", "qosClass"]).cloned();
    members.push(("qosClass", class.unwrap_or_else(|| api::views::pod::qos_class(pod).into())));
    if let Some(node) = pod.at(&["status", "nominatedNodeName"]) {
        members.push(("nominatedNodeName", node.clone()));
    }
    members.into_iter().collect()
}

/// The status of a pod that was evicted or ran for too long: nothing is told of its containers, its
/// conditions or its address any more.
///
/// Mirrors: `generateAPIPodStatus`, where a handler's `ShouldEvict` says so.
fn ended_early(record: &PodRecord, reason: &str, message: &str) -> Value {
    let members: [(&str, Value); 4] = [
        ("phase", "Failed".into()),
        ("message", message.into()),
        ("reason", reason.into()),
        ("startTime", alike::time(record.started_at).into()),
    ];
    members.into_iter().collect()
}

/// The statuses of containers; those of pods that wait are likely to be another's too.
fn listed(statuses: Vec<Value>) -> Value {
    let wait = |status: &Value| status.at(&["state", "waiting"]).is_some();
    if statuses.iter().all(wait) { alike::list(statuses).into() } else { statuses.into() }
}

fn container_statuses(input: &Input<'_>, list: &str) -> Vec<Value> {
    let of = match list {
        "initContainers" => Role::Init,
        "ephemeralContainers" => Role::Ephemeral,
        _ => Role::App,
    };
    let containers = input.pod.list_at(&["spec", list]);
    containers.iter().map(|container| container_status(input, container, of)).collect()
}

/// All termination messages of a pod together, in bytes.
const MOST_MESSAGES: usize = 12 * 1024;

/// Cuts termination messages so that all containers' fit into what a pod may have.
///
/// Mirrors: `normalizeStatus` of `pkg/kubelet/status/status_manager.go`.
pub fn limit_messages(inits: &mut [Value], apps: &mut [Value]) {
    let most = MOST_MESSAGES / (inits.len() + apps.len()).max(1);
    for status in inits.iter_mut().chain(apps) {
        for state in ["state", "lastState"] {
            let path = [state, "terminated", "message"];
            let message = status.str_at(&path);
            if message.len() <= most {
                continue;
            }
            let end = (0..=most).rev().find(|at| message.is_char_boundary(*at)).unwrap_or_default();
            let cut = json!(message[..end]);
            status.set(&path, cut);
        }
    }
}

/// What a container is to its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Init,
    App,
    Ephemeral,
}

fn container_status(input: &Input<'_>, container: &Value, role: Role) -> Value {
    let name = container.str_at(&["name"]);
    let record = input.record.container(name);
    let current = record.and_then(|record| record.current.as_ref());
    let previous = record.and_then(|record| record.previous.as_deref());
    let has_init = !input.pod.list_at(&["spec", "initContainers"]).is_empty();
    let default = if has_init { "PodInitializing" } else { "ContainerCreating" };

    if record.is_none_or(|record| *record == ContainerRecord::default()) {
        let told = (role == Role::Init).then(|| told_exit(input.pod, name)).flatten();
        return told.cloned().unwrap_or_else(|| waiting_status(container, default));
    }
    let mut state = current.map_or_else(
        || json!({"waiting": {"reason": default}}),
        |instance| instance_state(instance, input.scheme),
    );
    let mut last = previous.map_or_else(|| json!({}), |i| instance_state(i, input.scheme));
    let ready = is_ready(record, role);
    if let Some((reason, message)) = waiting_reason(input.pod, record, role) {
        if state.at(&["terminated"]).is_some() {
            last = state;
        }
        state = json!({"waiting": {"reason": reason}});
        if !message.is_empty() {
            state.set(&["waiting", "message"], json!(message));
        }
    }
    let image = current.map(|i| &i.image).filter(|image| !image.is_empty());
    let image = image.map_or_else(|| container.text_at(&["image"]), Text::clone);
    let mut members: Vec<(&str, Value)> = Vec::with_capacity(9);
    members.extend([
        ("name", container.text_at(&["name"]).into()),
        ("state", state),
        ("lastState", last),
        ("ready", ready.into()),
        ("restartCount", current.map_or(0, |instance| instance.attempt).into()),
        ("image", image.into()),
        ("imageID", current.map_or_else(|| "".into(), |instance| Value::from(&instance.image_id))),
    ]);
    if let Some(started) = record.and_then(|record| record.started) {
        let running = current.is_some_and(Instance::runs);
        members.push(("started", (started && running).into()));
    }
    if let Some(instance) = current {
        members.push(("containerID", container_id(input.scheme, instance)));
    }
    members.into_iter().collect()
}

/// What the pod says of init container `name`, if that it has ended: it may have been removed since.
///
/// Mirrors: `pkg/kubelet/kubelet_pods.go` `convertToAPIContainerStatuses`.
fn told_exit<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let told = pod.list_at(&["status", "initContainerStatuses"]).iter();
    let mut ended = told.filter(|status| status.at(&["state", "terminated"]).is_some());
    ended.find(|status| status.str_at(&["name"]) == name)
}

fn container_id(scheme: &str, instance: &Instance) -> Value {
    let mut id = Text::with_capacity(scheme.len() + 3 + instance.id.len());
    for part in [scheme, "://", &instance.id] {
        id.push_str(part);
    }
    id.into()
}

/// The status of a container of which nothing is known yet.
fn waiting_status(container: &Value, reason: &'static str) -> Value {
    let (name, image) = (container.text_at(&["name"]), container.text_at(&["image"]));
    alike::waiting(alike::Waiting { name, image, reason }, |of| {
        json!({
            "name": of.name,
            "state": {"waiting": {"reason": of.reason}},
            "lastState": {},
            "ready": false,
            "restartCount": 0,
            "image": of.image,
            "imageID": "",
        })
    })
}

fn is_ready(record: Option<&ContainerRecord>, role: Role) -> bool {
    let Some(record) = record else { return false };
    if role == Role::Ephemeral {
        return false;
    }
    if role == Role::Init {
        let exit = record.current.as_ref().and_then(|instance| instance.exit.as_ref());
        return exit.is_some_and(|exit| exit.code == 0);
    }
    let started = record.started.unwrap_or(true);
    record.running().is_some() && started && record.readiness.unwrap_or(true)
}

/// The reason of the last failed start, for a container that is still to be started.
fn waiting_reason<'a>(
    pod: &Value,
    record: Option<&'a ContainerRecord>,
    role: Role,
) -> Option<(&'a str, &'a str)> {
    let (reason, message) = record?.waiting.as_deref()?;
    let exit = record?.current.as_ref().and_then(|instance| instance.exit.as_ref());
    let init_is_done = role == Role::Init && exit.is_some_and(|exit| exit.code == 0);
    let policy =
        if role == Role::Ephemeral { RestartPolicy::Never } else { RestartPolicy::of(pod) };
    let restarts = policy.restarts(record) && pod.deletion_timestamp().is_none();
    (restarts && !init_is_done).then_some((reason.as_str(), message.as_str()))
}

fn instance_state(instance: &Instance, scheme: &str) -> Value {
    if let Some(exit) = &instance.exit {
        let started = instance.started_at.unwrap_or(instance.created_at);
        let mut terminated = json!({
            "exitCode": exit.code,
            "reason": exit.reason,
            "startedAt": alike::time(started),
            "finishedAt": alike::time(exit.finished_at),
            "containerID": container_id(scheme, instance),
        });
        if !exit.message.is_empty() {
            terminated.set(&["message"], json!(exit.message));
        }
        return json!({"terminated": terminated});
    }
    match instance.started_at {
        Some(started) => alike::running(
            alike::time(started),
            |started| json!({"running": {"startedAt": started}}),
        ),
        None => json!({"waiting": {"reason": "ContainerCreating"}}),
    }
}

/// How many containers are in which state.
#[derive(Debug, Default)]
struct Counts {
    unknown: usize,
    running: usize,
    waiting: usize,
    stopped: usize,
    succeeded: usize,
}

fn final_phase(pod: &Value, inits: &[Value], apps: &[Value]) -> &'static str {
    match pod.str_at(&["status", "phase"]) {
        "Failed" => return "Failed",
        "Succeeded" => return "Succeeded",
        _ => {}
    }
    phase(RestartPolicy::of(pod), inits, apps)
}

/// The phase that follows from the containers' statuses.
///
/// Mirrors: `getPhase`.
fn phase(policy: RestartPolicy, inits: &[Value], apps: &[Value]) -> &'static str {
    let exit_code = |status: &Value, state: &str| status.int_at(&[state, "terminated", "exitCode"]);
    let (mut pending_init, mut failed_init) = (0, 0);
    for status in inits {
        let waiting = status.at(&["state", "waiting"]).is_some();
        let code = exit_code(status, "state")
            .or_else(|| exit_code(status, "lastState").filter(|_| waiting));
        match code {
            Some(0) => {}
            Some(_) => failed_init += 1,
            None => pending_init += 1,
        }
    }
    let mut counts = Counts::default();
    for status in apps {
        if status.at(&["state", "running"]).is_some() {
            counts.running += 1;
        } else if let Some(code) = exit_code(status, "state") {
            counts.stopped += 1;
            counts.succeeded += usize::from(code == 0);
        } else if status.at(&["state", "waiting"]).is_some() {
            if exit_code(status, "lastState").is_some() {
                counts.stopped += 1;
            } else {
                counts.waiting += 1;
            }
        } else {
            counts.unknown += 1;
        }
    }
    decide(policy, pending_init, failed_init, &counts)
}

fn decide(
    policy: RestartPolicy,
    pending_init: usize,
    failed_init: usize,
    counts: &Counts,
) -> &'static str {
    if failed_init > 0 && policy == RestartPolicy::Never {
        return "Failed";
    }
    if pending_init > 0 || counts.waiting > 0 {
        return "Pending";
    }
    if counts.running > 0 && counts.unknown == 0 {
        return "Running";
    }
    if counts.running == 0 && counts.stopped > 0 && counts.unknown == 0 {
        return match policy {
            RestartPolicy::Always => "Running",
            _ if counts.stopped == counts.succeeded => "Succeeded",
            RestartPolicy::Never => "Failed",
            RestartPolicy::OnFailure => "Running",
        };
    }
    "Pending"
}

/// What becomes of containers that never ran, or wait to run again, when their pod goes: they count
/// as ended.
///
/// Mirrors: `TerminatePod` of `pkg/kubelet/status/status_manager.go`.
#[must_use]
pub fn terminated(status: &Value) -> Option<Value> {
    let mut ended = status.clone();
    let mut changed = false;
    for list in ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] {
        let statuses = ended.get_mut(list).and_then(Value::as_array_mut);
        for status in statuses.into_iter().flatten() {
            if status.at(&["state", "terminated"]).is_none() {
                let never = json!({"exitCode": 0, "startedAt": null, "finishedAt": null});
                status.set(&["state"], json!({"terminated": never}));
                changed = true;
            }
        }
    }
    changed.then_some(ended)
}

#[cfg(test)]
mod tests;
