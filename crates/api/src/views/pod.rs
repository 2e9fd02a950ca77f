//! Readings of a Pod.
//!
//! Mirrors: `pkg/api/v1/pod`, `pkg/controller/controller_utils.go` and
//! `pkg/scheduler/algorithm/priorities/util/non_zero.go` of Kubernetes 1.11.

use std::collections::BTreeMap;
use std::time::Duration;

use apimachinery::json::Memo;
use apimachinery::quantity::Quantity;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

/// CPU that a container without a request counts as when nodes are scored.
pub const DEFAULT_MILLI_CPU: i64 = 100;
/// Memory that a container without a request counts as when nodes are scored.
pub const DEFAULT_MEMORY_BYTES: i64 = 200 * 1024 * 1024;

/// CPU, memory and other resources of a pod or a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    pub milli_cpu: i64,
    pub memory_bytes: i64,
    pub ephemeral_storage_bytes: i64,
    /// Extended resources and huge pages, in units, by name.
    pub scalar: BTreeMap<String, i64>,
}

impl Resources {
    /// Reads a resource list such as `resources.requests` or `status.allocatable`. `pods` is not a
    /// resource in this sense.
    #[must_use]
    pub fn read(list: Option<&Value>) -> Self {
        let mut resources = Self::default();
        for (name, quantity) in list.and_then(Value::as_object).into_iter().flatten() {
            let Ok(quantity) = Quantity::from_json(quantity) else { continue };
            match name.as_str() {
                "cpu" => resources.milli_cpu = quantity.milli_value(),
                "memory" => resources.memory_bytes = quantity.value(),
                "ephemeral-storage" => resources.ephemeral_storage_bytes = quantity.value(),
                "pods" | "storage" => {}
                _ => {
                    resources.scalar.insert(name.to_string(), quantity.value());
                }
            }
        }
        resources
    }

    /// The same of a list that many pods have from one template.
    #[must_use]
    pub fn read_shared(list: Option<&Value>) -> Self {
        thread_local! {
            static READ: Memo<Resources> = const { Memo::new() };
        }
        let Some(members) = list.and_then(Value::as_object).filter(|list| !list.is_empty()) else {
            return Self::default();
        };
        READ.with(|memo| {
            memo.get(members).unwrap_or_else(|| {
                let resources = Self::read(list);
                memo.put(members.clone(), resources.clone());
                resources
            })
        })
    }

    /// Adds another amount.
    pub fn add(&mut self, other: &Self) {
        self.milli_cpu += other.milli_cpu;
        self.memory_bytes += other.memory_bytes;
        self.ephemeral_storage_bytes += other.ephemeral_storage_bytes;
        for (name, amount) in &other.scalar {
            *self.scalar.entry(name.clone()).or_default() += amount;
        }
    }

    /// Takes the larger amount of each resource.
    pub fn raise_to(&mut self, other: &Self) {
        self.milli_cpu = self.milli_cpu.max(other.milli_cpu);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.ephemeral_storage_bytes =
            self.ephemeral_storage_bytes.max(other.ephemeral_storage_bytes);
        for (name, amount) in &other.scalar {
            let mine = self.scalar.entry(name.clone()).or_default();
            *mine = (*mine).max(*amount);
        }
    }
}

/// `status.phase`; a pod without one is `Pending`.
#[must_use]
pub fn phase(pod: &Value) -> &str {
    match pod.str_at(&["status", "phase"]) {
        "" => "Pending",
        phase => phase,
    }
}

/// Whether the pod ended: phase `Succeeded` or `Failed`.
#[must_use]
pub fn is_terminal(pod: &Value) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the pod is being deleted.
#[must_use]
pub fn is_terminating(pod: &Value) -> bool {
    pod.deletion_timestamp().is_some()
}

/// Whether the pod counts as a replica: neither ended nor being deleted.
#[must_use]
pub fn is_active(pod: &Value) -> bool {
    !is_terminal(pod) && !is_terminating(pod)
}

/// One entry of `status.conditions`.
#[must_use]
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.list_at(&["status", "conditions"]);
    conditions.iter().find(|condition| condition.str_at(&["type"]) == kind)
}

/// Whether the condition `Ready` is true.
#[must_use]
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.str_at(&["status"]) == "True")
}

/// When the pod became ready; `None` when it is not or does not say.
#[must_use]
pub fn ready_since(pod: &Value) -> Option<Time> {
    let ready = condition(pod, "Ready").filter(|c| c.str_at(&["status"]) == "True")?;
    Time::parse_rfc3339(ready.str_at(&["lastTransitionTime"]))
}

/// Whether the pod has been ready for `min_ready_seconds` at `now`.
#[must_use]
pub fn is_available(pod: &Value, min_ready_seconds: i64, now: Time) -> bool {
    if !is_ready(pod) {
        return false;
    }
    let minimum = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    minimum.is_zero() || ready_since(pod).is_some_and(|since| since + minimum <= now)
}

/// When a ready pod becomes available; `None` when it is not ready.
#[must_use]
pub fn available_at(pod: &Value, min_ready_seconds: i64) -> Option<Time> {
    let minimum = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    ready_since(pod).map(|since| since + minimum)
}

/// The node that the pod is bound to; empty while it is not.
#[must_use]
pub fn node_name(pod: &Value) -> &str {
    pod.str_at(&["spec", "nodeName"])
}

/// The highest restart count of the containers.
#[must_use]
pub fn max_restart_count(pod: &Value) -> i64 {
    restart_counts(pod).max().unwrap_or(0)
}

/// The restart counts of the containers added up.
#[must_use]
pub fn total_restart_count(pod: &Value) -> i64 {
    restart_counts(pod).sum()
}

fn restart_counts(pod: &Value) -> impl Iterator<Item = i64> {
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    statuses.iter().map(|status| status.int_at(&["restartCount"]).unwrap_or(0))
}

/// What one container asks for.
#[must_use]
pub fn container_requests(container: &Value) -> Resources {
    Resources::read_shared(container.at(&["resources", "requests"]))
}

/// What the pod asks for: its containers together, or the hungriest init container where that is
/// more.
#[must_use]
pub fn requests(pod: &Value) -> Resources {
    let mut total = Resources::default();
    for container in pod.list_at(&["spec", "containers"]) {
        total.add(&container_requests(container));
    }
    for container in pod.list_at(&["spec", "initContainers"]) {
        total.raise_to(&container_requests(container));
    }
    total
}

/// What the pod counts as when nodes are scored: containers without a request weigh a little too;
/// init containers do not count.
#[must_use]
pub fn non_zero_requests(pod: &Value) -> (i64, i64) {
    let mut total = (0, 0);
    for container in pod.list_at(&["spec", "containers"]) {
        let has = |name| container.at(&["resources", "requests", name]).is_some();
        let requests = container_requests(container);
        total.0 += if has("cpu") { requests.milli_cpu } else { DEFAULT_MILLI_CPU };
        total.1 += if has("memory") { requests.memory_bytes } else { DEFAULT_MEMORY_BYTES };
    }
    total
}

/// A port of the node that a pod occupies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    pub host_ip: String,
    pub protocol: String,
    pub port: i64,
}

impl HostPort {
    /// Whether both cannot be had on one node.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let any = |port: &Self| port.host_ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.host_ip == other.host_ip || any(self) || any(other))
    }
}

/// The ports of the node that the containers occupy.
#[must_use]
pub fn host_ports(pod: &Value) -> Vec<HostPort> {
    let or = |text: &str, default: &str| {
        if text.is_empty() { default.to_owned() } else { text.to_owned() }
    };
    let mut ports = Vec::new();
    for container in pod.list_at(&["spec", "containers"]) {
        for port in container.list_at(&["ports"]) {
            let number = port.int_at(&["hostPort"]).unwrap_or(0);
            if number > 0 {
                ports.push(HostPort {
                    host_ip: or(port.str_at(&["hostIP"]), "0.0.0.0"),
                    protocol: or(port.str_at(&["protocol"]), "TCP"),
                    port: number,
                });
            }
        }
    }
    ports
}

/// `Guaranteed`, `Burstable` or `BestEffort`, from requests and limits of CPU and memory.
///
/// Mirrors: `pkg/apis/core/helper/qos`.
#[must_use]
pub fn qos_class(pod: &Value) -> &'static str {
    let mut guaranteed = true;
    let mut totals = [Resources::default(), Resources::default()];
    for list in ["containers", "initContainers"] {
        for container in pod.list_at(&["spec", list]) {
            let requests = container_requests(container);
            let limits = Resources::read_shared(container.at(&["resources", "limits"]));
            guaranteed &= limits.milli_cpu > 0 && limits.memory_bytes > 0;
            totals[0].add(&requests);
            totals[1].add(&limits);
        }
    }
    let [requests, limits] = totals;
    let none = |r: &Resources| r.milli_cpu == 0 && r.memory_bytes == 0;
    if none(&requests) && none(&limits) {
        return "BestEffort";
    }
    let equal =
        requests.milli_cpu == limits.milli_cpu && requests.memory_bytes == limits.memory_bytes;
    if guaranteed && equal { "Guaranteed" } else { "Burstable" }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn requests_take_the_larger_of_init_and_sum() {
        let container = |cpu: &str, memory: &str| json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}});
        let pod = json!({"spec": {
            "containers": [container("100m", "1Mi"), container("0.2", "2Mi")],
            "initContainers": [container("250m", "8Mi")],
        }});
        let total = requests(&pod);
        assert_eq!((total.milli_cpu, total.memory_bytes), (300, 8 << 20));
        let bare = json!({"spec": {"containers": [{}, container("1", "0")]}});
        assert_eq!(non_zero_requests(&bare), (1100, DEFAULT_MEMORY_BYTES));
    }

    #[test]
    fn classes_follow_requests_and_limits() {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        let alike = json!({"cpu": "1000m", "memory": "1024Mi"});
        for (resources, expected) in [
            (json!({}), "BestEffort"),
            (json!({"requests": {"cpu": "0"}}), "BestEffort"),
            (json!({"requests": {"cpu": "100m"}}), "Burstable"),
            (json!({"limits": both, "requests": both}), "Guaranteed"),
            (json!({"limits": both, "requests": alike}), "Guaranteed"),
            (json!({"limits": both, "requests": {"cpu": "500m"}}), "Burstable"),
        ] {
            let pod = json!({"spec": {"containers": [{"resources": resources}]}});
            assert_eq!(qos_class(&pod), expected, "{resources}");
        }
    }

    #[test]
    fn availability_waits_for_min_ready_seconds() {
        let pod = json!({"status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2018-10-11T12:00:00Z"}]}});
        let at = |text| Time::parse_rfc3339(text).unwrap();
        assert!(is_available(&pod, 0, at("2018-10-11T12:00:00Z")));
        assert!(!is_available(&pod, 10, at("2018-10-11T12:00:09Z")));
        assert!(is_available(&pod, 10, at("2018-10-11T12:00:10Z")));
        assert!(!is_available(&json!({}), 0, at("2018-10-11T12:00:00Z")));
        assert!(is_active(&pod) && !is_active(&json!({"status": {"phase": "Failed"}})));
    }

    #[test]
    fn host_ports_conflict_by_protocol_and_address() {
        let port = |ip: &str, protocol: &str| HostPort {
            host_ip: ip.into(),
            protocol: protocol.into(),
            port: 80,
        };
        assert!(port("0.0.0.0", "TCP").conflicts_with(&port("10.0.0.1", "TCP")));
        assert!(!port("0.0.0.0", "TCP").conflicts_with(&port("0.0.0.0", "UDP")));
        assert!(!port("10.0.0.2", "TCP").conflicts_with(&port("10.0.0.1", "TCP")));
    }
}
