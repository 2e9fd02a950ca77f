//! What to do with a pod.
//!
//! Mirrors: `pkg/kubelet/kuberuntime/kuberuntime_manager.go` `computePodActions`.

use apimachinery::ObjectExt as _;
use apimachinery::{Text, Value};

use crate::record::{ContainerRecord, PodRecord, RestartPolicy, Sandbox, container_hash};

/// One step of a sync; steps are carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Kills all containers, then the sandbox.
    KillPod,
    /// Makes a sandbox.
    CreateSandbox {
        /// Number of earlier ones.
        attempt: u32,
    },
    /// Kills one container.
    Kill {
        /// Container name.
        name: Text,
        /// Why, as the event says it.
        message: String,
    },
    /// Starts a container.
    Start {
        /// Container name.
        name: Text,
        /// Whether it is an init container.
        init: bool,
    },
}

/// What is to be done so that `record` becomes what `pod` asks for. `ending` is whether the pod is
/// being deleted.
#[must_use]
pub fn plan(pod: &Value, record: &PodRecord, ending: bool) -> Vec<Action> {
    if ending || record.failed.is_some() {
        return if is_down(record) { Vec::new() } else { vec![Action::KillPod] };
    }
    match &record.sandbox {
        Sandbox::Ready { ip, .. } if !ip.is_empty() || host_network(pod) => in_sandbox(pod, record),
        // A sandbox without an address is of no use either.
        _ => new_sandbox(pod, record),
    }
}

fn host_network(pod: &Value) -> bool {
    pod.bool_at(&["spec", "hostNetwork"])
}

/// Whether nothing of the pod runs.
#[must_use]
pub fn is_down(record: &PodRecord) -> bool {
    !matches!(record.sandbox, Sandbox::Ready { .. }) && record.running().next().is_none()
}

fn start(container: &Value, init: bool) -> Action {
    Action::Start { name: container.text_at(&["name"]), init }
}

fn new_sandbox(pod: &Value, record: &PodRecord) -> Vec<Action> {
    let policy = RestartPolicy::of(pod);
    let attempt = record.sandboxes;
    let mut actions = Vec::new();
    if !is_down(record) {
        actions.push(Action::KillPod);
    }
    let containers = pod.list_at(&["spec", "containers"]);
    let of = |container: &Value| record.container(container.str_at(&["name"]));
    // What still runs is killed with the old sandbox, so it is started again as well.
    let wanted = |c: &&Value| {
        let record = of(c);
        record.is_some_and(|record| record.running().is_some()) || policy.restarts(record)
    };
    let to_start: Vec<&Value> = containers.iter().filter(wanted).collect();
    // A pod that is done is not begun again only because its sandbox went away.
    let begun = containers.iter().any(|c| of(c).is_some_and(|r| r.current.is_some()));
    if begun && (policy == RestartPolicy::Never || to_start.is_empty()) {
        return actions;
    }
    let inits = pod.list_at(&["spec", "initContainers"]);
    if attempt != 0 && policy == RestartPolicy::Never {
        let ran = inits.iter().any(|c| of(c).is_some_and(|r| r.current.is_some()));
        if ran {
            return actions;
        }
    }
    actions.push(Action::CreateSandbox { attempt });
    match inits.first() {
        Some(first) => actions.push(start(first, true)),
        None => actions.extend(to_start.into_iter().map(|c| start(c, false))),
    }
    actions
}

/// Which init container comes next.
#[derive(Debug, PartialEq, Eq)]
enum Next<'a> {
    Done,
    Wait,
    Run(&'a Value),
    Failed(&'a Value),
}

fn next_init<'a>(pod: &'a Value, record: &PodRecord) -> Next<'a> {
    let inits = pod.list_at(&["spec", "initContainers"]);
    for (index, container) in inits.iter().enumerate().rev() {
        let current =
            record.container(container.str_at(&["name"])).and_then(|r| r.current.as_ref());
        let Some(current) = current else { continue };
        return match &current.exit {
            None if current.runs() => Next::Wait,
            None => Next::Run(container),
            Some(exit) if exit.code != 0 => Next::Failed(container),
            Some(_) => inits.get(index + 1).map_or(Next::Done, Next::Run),
        };
    }
    inits.first().map_or(Next::Done, Next::Run)
}

fn in_sandbox(pod: &Value, record: &PodRecord) -> Vec<Action> {
    let policy = RestartPolicy::of(pod);
    let joining = ephemeral(pod, record);
    let planned = match next_init(pod, record) {
        Next::Done => app_containers(pod, record, policy),
        Next::Wait => Vec::new(),
        Next::Run(container) => vec![start(container, true)],
        Next::Failed(_) if policy == RestartPolicy::Never => vec![Action::KillPod],
        Next::Failed(container) => vec![start(container, true)],
    };
    if planned.contains(&Action::KillPod) {
        return planned;
    }
    joining.into_iter().chain(planned).collect()
}

/// Ephemeral containers are started once, whatever the others do.
fn ephemeral(pod: &Value, record: &PodRecord) -> Vec<Action> {
    let ran = |container: &&Value| {
        let current = record.container(container.str_at(&["name"])).map(|r| r.current.as_ref());
        current
            .flatten()
            .is_some_and(|instance| instance.started_at.is_some() || instance.exit.is_some())
    };
    let all = pod.list_at(&["spec", "ephemeralContainers"]).iter();
    all.filter(|container| !ran(container)).map(|container| start(container, false)).collect()
}

fn app_containers(pod: &Value, record: &PodRecord, policy: RestartPolicy) -> Vec<Action> {
    let (mut kills, mut starts, mut kept) = (Vec::new(), Vec::new(), 0);
    for container in pod.list_at(&["spec", "containers"]) {
        let name = container.str_at(&["name"]);
        let known = record.container(name);
        let Some(running) = known.and_then(ContainerRecord::running) else {
            if policy.restarts(known) {
                starts.push(start(container, false));
            }
            continue;
        };
        let hash = container_hash(container);
        let (reason, restart) = if running.hash != hash {
            let reason = format!("Container spec hash changed ({} vs {hash}).", running.hash);
            (reason, true)
        } else if let Some(kind) = known.and_then(|record| record.failed_probe) {
            let reason = format!("Container failed {} probe.", kind.word().to_lowercase());
            (reason, policy != RestartPolicy::Never)
        } else {
            kept += 1;
            continue;
        };
        let mut message = reason;
        if restart {
            message.push_str(". Container will be killed and recreated.");
            starts.push(start(container, false));
        }
        kills.push(Action::Kill { name: name.into(), message });
    }
    if kept == 0 && starts.is_empty() {
        return vec![Action::KillPod];
    }
    kills.extend(starts);
    kills
}

#[cfg(test)]
mod tests;
