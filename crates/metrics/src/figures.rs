//! From what containers use to documents.

use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::duration::go_format;
use apimachinery::{Value, json};
use cri::ContainerUsage;
use world::Time;

/// Over how long figures are averages when nothing was measured.
const WINDOW: Duration = Duration::from_secs(30);

/// A sum of what containers use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    cpu_nano: u64,
    memory_bytes: u64,
    newest: Option<(Time, Duration)>,
}

impl Usage {
    pub(crate) fn add(&mut self, container: &ContainerUsage) {
        self.cpu_nano = self.cpu_nano.saturating_add(container.cpu_nano);
        self.memory_bytes = self.memory_bytes.saturating_add(container.memory_bytes);
        let measured = (container.at, container.window);
        self.newest = Some(self.newest.map_or(measured, |newest| newest.max(measured)));
    }

    /// Nanocores and kibibytes, as metrics-server writes them.
    fn document(&self) -> Value {
        json!({
            "cpu": format!("{}n", self.cpu_nano),
            "memory": format!("{}Ki", self.memory_bytes.div_ceil(1024)),
        })
    }
}

fn metadata(of: &Value, now: Time) -> Value {
    let mut metadata = json!({"name": of.name(), "creationTimestamp": now.rfc3339()});
    if !of.namespace().is_empty() {
        metadata["namespace"] = json!(of.namespace());
    }
    if let Some(labels) = of.at(&["metadata", "labels"]) {
        metadata["labels"] = labels.clone();
    }
    metadata
}

/// The figures of a pod; `None` when there are none.
pub(crate) fn pod(of: &Value, containers: &[ContainerUsage]) -> Option<Value> {
    let (at, window) = containers.iter().map(|one| (one.at, one.window)).max()?;
    let containers: Vec<Value> = containers
        .iter()
        .map(|container| {
            let mut usage = Usage::default();
            usage.add(container);
            json!({"name": container.name, "usage": usage.document()})
        })
        .collect();
    Some(json!({
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": metadata(of, at),
        "timestamp": at.rfc3339(),
        "window": go_format(window),
        "containers": containers,
    }))
}

/// The figures of a node.
pub(crate) fn node(of: &Value, usage: &Usage, now: Time) -> Value {
    let (at, window) = usage.newest.unwrap_or((now, WINDOW));
    json!({
        "kind": "NodeMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": metadata(of, at),
        "timestamp": at.rfc3339(),
        "window": go_format(window),
        "usage": usage.document(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, cpu_nano: u64, memory_bytes: u64) -> ContainerUsage {
        ContainerUsage {
            id: "x".to_owned(),
            pod_uid: "u".to_owned(),
            name: name.to_owned(),
            at: Time::from_unix_nanos(5_000_000_000),
            window: Duration::from_secs(10),
            cpu_nano,
            memory_bytes,
        }
    }

    #[test]
    fn a_pod_shows_each_container_and_a_node_the_sum() {
        let of = json!({"metadata": {"name": "web", "namespace": "shop", "labels": {"a": "b"}}});
        assert_eq!(pod(&of, &[]), None);
        let two = [container("app", 100_000_000, 2048), container("side", 1, 1)];
        let figures = pod(&of, &two).unwrap();
        assert_eq!(figures["window"], "10s");
        assert_eq!(figures["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(
            figures["containers"][0]["usage"],
            json!({"cpu": "100000000n", "memory": "2Ki"})
        );
        let mut sum = Usage::default();
        two.iter().for_each(|container| sum.add(container));
        let figures = node(&json!({"metadata": {"name": "n"}}), &sum, Time::from_unix_nanos(0));
        assert_eq!(figures["usage"], json!({"cpu": "100000001n", "memory": "3Ki"}));
        assert_eq!(figures["timestamp"], "1970-01-01T00:00:05Z");
    }
}
