//! Whether a node takes a pod that was bound to it; checked once, when the agent first sees the pod.
//!
//! The scheduler checks the same before it binds; this catches pods that name their node themselves
//! and bindings made at the same time.
//!
//! Mirrors: `pkg/kubelet/lifecycle/predicate.go`.

use api::views::pod::HostPort;
use apimachinery::ObjectExt as _;
use apimachinery::Value;

use crate::config::Served;

/// Why a pod is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Reason of the status and the event, e.g. `OutOfcpu`.
    pub reason: String,
    /// Message of the event; the status says `Pod ` before it.
    pub message: String,
}

impl Refusal {
    fn out_of(resource: &str, requested: i64, used: i64, capacity: i64) -> Self {
        Self {
            reason: format!("OutOf{resource}"),
            message: format!(
                "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, \
                 capacity: {capacity}"
            ),
        }
    }

    fn predicate(name: &str) -> Self {
        Self { reason: name.to_owned(), message: format!("Predicate {name} failed") }
    }
}

/// What the pods that a node has taken use of it; grows and shrinks with each of them.
#[derive(Debug, Clone, Default)]
pub struct Used {
    pods: i64,
    milli_cpu: i64,
    memory: i64,
    ports: Vec<HostPort>,
}

impl Used {
    /// Counts `pod`.
    pub fn add(&mut self, pod: &Value) {
        let requests = api::views::pod::requests(pod);
        self.pods += 1;
        self.milli_cpu += requests.milli_cpu;
        self.memory += requests.memory_bytes;
        self.ports.extend(api::views::pod::host_ports(pod));
    }

    /// Counts `pod` no more.
    pub fn remove(&mut self, pod: &Value) {
        let requests = api::views::pod::requests(pod);
        self.pods -= 1;
        self.milli_cpu -= requests.milli_cpu;
        self.memory -= requests.memory_bytes;
        for port in api::views::pod::host_ports(pod) {
            if let Some(at) = self.ports.iter().position(|known| *known == port) {
                self.ports.swap_remove(at);
            }
        }
    }
}

/// Whether pods of this priority are part of the cluster itself.
///
/// Mirrors: `IsCriticalPodBasedOnPriority`.
#[must_use]
pub fn is_critical_priority(priority: i64) -> bool {
    priority >= 2_000_000_000
}

/// The kernel settings that a pod may make without asking.
///
/// Mirrors: `pkg/kubelet/sysctl/whitelist.go`.
const SAFE_SYSCTLS: &[&str] =
    &["kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"];

/// Whether `node`, registered as `registered`, takes `pod` besides what is `used` already.
///
/// # Errors
/// Why it does not.
pub(crate) fn admit(
    pod: &Value,
    used: &Used,
    node: &Served,
    registered: &Value,
) -> Result<(), Refusal> {
    let most = i64::from(node.config.pods);
    if used.pods >= most {
        return Err(Refusal::out_of("pods", 1, used.pods, most));
    }
    let wanted = api::views::pod::requests(pod);
    if wanted.milli_cpu > 0 && wanted.milli_cpu + used.milli_cpu > node.milli_cpu {
        return Err(Refusal::out_of("cpu", wanted.milli_cpu, used.milli_cpu, node.milli_cpu));
    }
    if wanted.memory_bytes > 0 && wanted.memory_bytes + used.memory > node.memory {
        return Err(Refusal::out_of("memory", wanted.memory_bytes, used.memory, node.memory));
    }
    let selector = pod.map_at(&["spec", "nodeSelector"]).into_iter().flatten();
    let label = |key: &str| registered.at(&["metadata", "labels", key]).and_then(Value::as_str);
    if selector.into_iter().any(|(key, value)| value.as_str() != label(key)) {
        return Err(Refusal::predicate("MatchNodeSelector"));
    }
    let ports = api::views::pod::host_ports(pod);
    if ports.iter().any(|ours| used.ports.iter().any(|theirs| ours.conflicts_with(theirs))) {
        return Err(Refusal::predicate("PodFitsHostPorts"));
    }
    let unsafe_one = crate::container::sysctls(pod).into_keys().find(|name| {
        let safe = SAFE_SYSCTLS.contains(&name.as_str());
        !safe
    });
    if let Some(name) = unsafe_one {
        let message = format!("forbidden sysctl: {name:?} not whitelisted");
        return Err(Refusal { reason: "SysctlForbidden".to_owned(), message });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;
    use crate::config::NodeConfig;

    fn pod(requests: &Value, spec: &Value) -> Value {
        let mut pod =
            json!({"spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}});
        for (key, value) in spec.as_object().unwrap() {
            pod["spec"][key] = value.clone();
        }
        pod
    }

    fn check(new: &Value, others: &[&Value]) -> String {
        let config = NodeConfig { pods: 2, ..NodeConfig::new("n1", "10.0.0.1") };
        let registered = crate::node_status::document(&config);
        let mut used = Used::default();
        others.iter().for_each(|other| used.add(other));
        used.add(&json!({"spec": {"containers": [{"name": "x", "resources": {"requests": {"cpu": "2"}}}]}}));
        used.remove(&json!({"spec": {"containers": [{"name": "x", "resources": {"requests": {"cpu": "2"}}}]}}));
        match admit(new, &used, &Served::new(config), &registered) {
            Ok(()) => "taken".to_owned(),
            Err(refusal) => format!("{}: {}", refusal.reason, refusal.message),
        }
    }

    #[test]
    fn refusals() {
        let plain = pod(&json!({}), &json!({}));
        let big = pod(&json!({"cpu": "3"}), &json!({}));
        let fat = pod(&json!({"memory": "10Gi"}), &json!({}));
        let picky = pod(&json!({}), &json!({"nodeSelector": {"disk": "ssd"}}));
        let home = pod(&json!({}), &json!({"nodeSelector": {"kubernetes.io/hostname": "n1"}}));
        let sysctls = json!([{"name": "kernel.msgmax", "value": "1"}]);
        let tuned = pod(&json!({}), &json!({"securityContext": {"sysctls": sysctls}}));
        let port = json!([{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]}]);
        let port = pod(&json!({}), &json!({"containers": port}));
        for (new, others, expected) in [
            (&plain, vec![], "taken"),
            (&home, vec![&plain], "taken"),
            (&big, vec![&plain], "taken"),
            (&plain, vec![&big], "taken"),
            (
                &plain,
                vec![&plain, &plain],
                "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2",
            ),
            (
                &big,
                vec![&big],
                "OutOfcpu: Node didn't have enough resource: cpu, requested: 3000, used: 3000, capacity: 4000",
            ),
            (
                &fat,
                vec![&fat],
                "OutOfmemory: Node didn't have enough resource: memory, requested: 10737418240, used: 10737418240, capacity: 17179869184",
            ),
            (
                &tuned,
                vec![],
                "SysctlForbidden: forbidden sysctl: \"kernel.msgmax\" not whitelisted",
            ),
            (&picky, vec![], "MatchNodeSelector: Predicate MatchNodeSelector failed"),
            (&port, vec![&port], "PodFitsHostPorts: Predicate PodFitsHostPorts failed"),
        ] {
            assert_eq!(check(new, &others), expected);
        }
    }
}
