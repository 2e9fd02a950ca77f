//! Whether a node takes a pod that was bound to it; checked once, when the agent first sees the pod.
//!
//! The scheduler checks the same before it binds; this catches pods that name their node themselves
//! and bindings made at the same time.
//!
//! Mirrors: `pkg/kubelet/lifecycle/predicate.go`.

use apimachinery::ObjectExt as _;
use apimachinery::quantity::Quantity;
use serde_json::Value;

use crate::config::NodeConfig;

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

/// Whether `node`, registered as `registered`, takes `pod` besides the pods `others` that it has
/// taken already.
///
/// # Errors
/// Why it does not.
pub fn admit(
    pod: &Value,
    others: &[&Value],
    node: &NodeConfig,
    registered: &Value,
) -> Result<(), Refusal> {
    let taken = i64::try_from(others.len()).unwrap_or(i64::MAX);
    if taken >= i64::from(node.pods) {
        return Err(Refusal::out_of("pods", 1, taken, i64::from(node.pods)));
    }
    let wanted = api::views::pod::requests(pod);
    let used = others.iter().map(|other| api::views::pod::requests(other));
    let (cpu, memory) = used.fold((0, 0), |(cpu, memory), requests| {
        (cpu + requests.milli_cpu, memory + requests.memory_bytes)
    });
    let capacity = |text: &str| Quantity::parse(text).ok();
    let most_cpu = capacity(&node.cpu).map_or(i64::MAX, |q| q.milli_value());
    if wanted.milli_cpu > 0 && wanted.milli_cpu + cpu > most_cpu {
        return Err(Refusal::out_of("cpu", wanted.milli_cpu, cpu, most_cpu));
    }
    let most_memory = capacity(&node.memory).map_or(i64::MAX, |q| q.value());
    if wanted.memory_bytes > 0 && wanted.memory_bytes + memory > most_memory {
        return Err(Refusal::out_of("memory", wanted.memory_bytes, memory, most_memory));
    }
    let selector = pod.map_at(&["spec", "nodeSelector"]).into_iter().flatten();
    let label = |key: &str| registered.at(&["metadata", "labels", key]).and_then(Value::as_str);
    if selector.into_iter().any(|(key, value)| value.as_str() != label(key)) {
        return Err(Refusal::predicate("MatchNodeSelector"));
    }
    let ports = api::views::pod::host_ports(pod);
    let clash = others.iter().flat_map(|other| api::views::pod::host_ports(other));
    if clash.into_iter().any(|theirs| ports.iter().any(|ours| ours.conflicts_with(&theirs))) {
        return Err(Refusal::predicate("PodFitsHostPorts"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(requests: &Value, spec: &Value) -> Value {
        let mut pod =
            json!({"spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]}});
        for (key, value) in spec.as_object().unwrap() {
            pod["spec"][key] = value.clone();
        }
        pod
    }

    fn check(new: &Value, others: &[&Value]) -> String {
        let node = NodeConfig { pods: 2, ..NodeConfig::new("n1", "10.0.0.1") };
        match admit(new, others, &node, &crate::node_status::document(&node)) {
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
            (&picky, vec![], "MatchNodeSelector: Predicate MatchNodeSelector failed"),
            (&port, vec![&port], "PodFitsHostPorts: Predicate PodFitsHostPorts failed"),
        ] {
            assert_eq!(check(new, &others), expected);
        }
    }
}
