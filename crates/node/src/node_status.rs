//! Node objects: what they say at their creation, and their status.
//!
//! Mirrors: `pkg/kubelet/kubelet_node_status.go`.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use world::Time;

use crate::config::NodeConfig;

/// The version that OpenShift 3.11's kubelet reports.
const KUBELET_VERSION: &str = "v1.11.0+d4cacc0";

/// A Node object as the agent registers it.
#[must_use]
pub fn document(config: &NodeConfig) -> Value {
    let mut labels = json!({
        "kubernetes.io/hostname": config.name,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": arch(),
    });
    for (key, value) in &config.labels {
        labels.set(&[key], json!(value));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": config.name, "labels": labels},
        "spec": {},
    })
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A condition of every node but `Ready`: type, reason and message while all is well.
const HEALTHY: &[(&str, &str, &str)] = &[
    ("OutOfDisk", "KubeletHasSufficientDisk", "kubelet has sufficient disk space available"),
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
];

/// How a node is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Health<'a> {
    /// Why the runtime cannot be used, when it cannot.
    pub trouble: Option<&'a str>,
    /// Whether it runs out of memory.
    pub memory_pressure: bool,
}

/// The status of `node` at `now`.
#[must_use]
pub fn status(
    config: &NodeConfig,
    node: &Value,
    runtime_version: &str,
    health: &Health<'_>,
    now: Time,
) -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        let old = node.list_at(&["status", "conditions"]);
        let before = old.iter().find(|c| c.str_at(&["type"]) == kind);
        let same = before.filter(|c| c.str_at(&["status"]) == status);
        let since = same.map(|c| c.str_at(&["lastTransitionTime"]).to_owned());
        json!({
            "type": kind,
            "status": status,
            "lastHeartbeatTime": now.rfc3339(),
            "lastTransitionTime": since.unwrap_or_else(|| now.rfc3339()),
            "reason": reason,
            "message": message,
        })
    };
    let mut conditions: Vec<Value> = HEALTHY
        .iter()
        .map(|(kind, reason, message)| match *kind {
            "MemoryPressure" if health.memory_pressure => {
                let message = "kubelet has insufficient memory available";
                condition(kind, "True", "KubeletHasInsufficientMemory", message)
            }
            _ => condition(kind, "False", reason, message),
        })
        .collect();
    conditions.push(match health.trouble {
        None => condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        Some(why) => {
            let message = format!("container runtime is down: {why}");
            condition("Ready", "False", "KubeletNotReady", &message)
        }
    });
    let mut resources =
        json!({"cpu": config.cpu, "memory": config.memory, "pods": config.pods.to_string()});
    for (name, amount) in &config.others {
        resources[name] = json!(amount);
    }
    json!({
        "capacity": resources,
        "allocatable": resources,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": config.address},
            {"type": "Hostname", "address": config.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
            "kernelVersion": "",
            "osImage": "Rehearsal",
            "containerRuntimeVersion": runtime_version,
            "kubeletVersion": KUBELET_VERSION,
            "kubeProxyVersion": KUBELET_VERSION,
            "operatingSystem": "linux",
            "architecture": arch(),
        },
    })
}

/// The events of a node agent's start: reason and message.
#[must_use]
pub fn start_events(name: &str) -> Vec<(&'static str, String)> {
    let mut events = vec![("Starting", "Starting kubelet.".to_owned())];
    for reason in [
        "NodeHasSufficientDisk",
        "NodeHasSufficientMemory",
        "NodeHasNoDiskPressure",
        "NodeHasSufficientPID",
    ] {
        events.push((reason, format!("Node {name} status is now: {reason}")));
    }
    let enforced = "Updated Node Allocatable limit across pods".to_owned();
    events.push(("NodeAllocatableEnforced", enforced));
    events.push(("NodeReady", format!("Node {name} status is now: NodeReady")));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_the_runtime_and_keeps_its_transition_time() {
        let config = NodeConfig::new("n1", "10.0.0.1");
        let at = Time::from_unix_seconds;
        let well = Health::default();
        let ill = Health { trouble: Some("no socket"), memory_pressure: true };
        let mut node = document(&config);
        assert_eq!(node.label("kubernetes.io/hostname"), "n1");
        node.set(&["status"], status(&config, &node, "sim://1", &well, at(0)));
        let later = status(&config, &node, "sim://1", &well, at(60));
        let ready = later.list_at(&["conditions"]).last().unwrap();
        assert_eq!(ready.str_at(&["lastTransitionTime"]), at(0).rfc3339());
        assert_eq!(ready.str_at(&["lastHeartbeatTime"]), at(60).rfc3339());
        let down = status(&config, &node, "sim://1", &ill, at(90));
        let pressure = &down.list_at(&["conditions"])[1];
        assert_eq!(pressure.str_at(&["reason"]), "KubeletHasInsufficientMemory");
        let ready = down.list_at(&["conditions"]).last().unwrap();
        assert_eq!(ready.str_at(&["status"]), "False");
        assert_eq!(ready.str_at(&["message"]), "container runtime is down: no socket");
        assert_eq!(ready.str_at(&["lastTransitionTime"]), at(90).rfc3339());
    }
}
