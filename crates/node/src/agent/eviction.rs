//! Ending pods when a node runs out of memory.
//!
//! Every ten seconds, while the runtime says that its figures are worth watching, each node's use of
//! memory is held against its capacity. A node with less than 100 MiB left has memory pressure: it
//! ends one pod a time and refuses pods that promise nothing about memory.
//!
//! Mirrors: `pkg/kubelet/eviction`.
//! Deviation: on a Docker engine nothing is evicted; its host's memory is its owner's affair.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apimachinery::quantity::{Format, Quantity};
use controller_runtime::{Context, EventType, Key};
use cri::{ContainerUsage, PodMetrics};
use world::Time;

use super::Agent;
use crate::admission::{Refusal, is_critical_priority};
use crate::worker::Io;

/// How often figures are looked at.
const PERIOD: Duration = Duration::from_secs(10);
/// The least memory that a node keeps free.
const THRESHOLD: i64 = 100 << 20;
/// How long a node keeps its condition after the pressure.
const TRANSITION: Duration = Duration::from_secs(300);

/// Which nodes are short of memory.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    metrics: Option<Arc<dyn PodMetrics>>,
    looked_at: Option<Time>,
    /// Nodes with the condition, and when they were last short.
    since: BTreeMap<String, Time>,
}

impl Pressure {
    pub(super) fn is_on(&self, node: &str) -> bool {
        self.since.contains_key(node)
    }

    /// When the figures are to be looked at next; never while nothing can press.
    pub(super) fn next_look(&self) -> Option<Time> {
        let pressing = self.metrics.as_ref().is_some_and(|metrics| metrics.presses());
        let last = self.looked_at.filter(|_| pressing || !self.since.is_empty())?;
        Some(last + PERIOD)
    }

    /// Why `node` does not take `pod` because of its condition.
    pub(super) fn refuses(&self, node: &str, pod: &Value) -> Option<Refusal> {
        let best_effort = api::views::pod::qos_class(pod) == "BestEffort";
        (self.is_on(node) && best_effort).then(|| Refusal {
            reason: "Evicted".to_owned(),
            message: "The node was low on resource: [MemoryPressure]. ".to_owned(),
        })
    }
}

/// One pod that could be ended.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// The pod.
    pub(crate) pod: Arc<Value>,
    /// What its containers use.
    pub(crate) usage: Vec<ContainerUsage>,
}

impl Candidate {
    fn used(&self) -> i64 {
        self.usage.iter().map(|one| i64::try_from(one.memory_bytes).unwrap_or(i64::MAX)).sum()
    }

    fn over_request(&self) -> i64 {
        self.used() - api::views::pod::requests(&self.pod).memory_bytes
    }

    /// What its status and event say.
    fn message(&self) -> String {
        let mut message = "The node was low on resource: memory. ".to_owned();
        for usage in &self.usage {
            let containers = self.pod.list_at(&["spec", "containers"]);
            let container = containers.iter().find(|c| c.str_at(&["name"]) == usage.name);
            let request = container.and_then(|c| c.at(&["resources", "requests", "memory"]));
            let request = request.and_then(|value| Quantity::from_json(value).ok());
            let bytes = i64::try_from(usage.memory_bytes).unwrap_or(i64::MAX);
            if request.as_ref().is_some_and(|request| bytes <= request.value()) {
                continue;
            }
            let used = Quantity::new(bytes, Format::BinarySi).canonical();
            let request = request.map_or_else(|| "0".to_owned(), |request| request.canonical());
            message.push_str(&format!(
                "Container {} was using {used}, which exceeds its request of {request}. ",
                usage.name
            ));
        }
        message
    }
}

/// The pod to be ended: one that uses more than it asked for before others, then by priority, then
/// by how much more. Critical pods are spared.
#[must_use]
pub(crate) fn victim(mut candidates: Vec<Candidate>) -> Option<Candidate> {
    let priority = |pod: &Value| pod.int_at(&["spec", "priority"]).unwrap_or_default();
    candidates.retain(|candidate| !is_critical_priority(priority(&candidate.pod)));
    candidates.into_iter().min_by_key(|candidate| {
        let over = candidate.over_request();
        (over <= 0, priority(&candidate.pod), -over)
    })
}

impl Agent {
    /// Looks at the figures when it is time; gives the keys of nodes and pods to look at.
    pub(super) fn watch_pressure(&mut self, cx: &mut Context<'_>) -> Vec<Key> {
        let now = cx.world.now();
        let metrics = match &self.pressure.metrics {
            Some(metrics) => Arc::clone(metrics),
            None => Arc::clone(self.pressure.metrics.insert(self.runtime.metrics())),
        };
        if !metrics.presses() && self.pressure.since.is_empty() {
            return Vec::new();
        }
        let last = *self.pressure.looked_at.get_or_insert(now);
        if now < last + PERIOD {
            return Vec::new();
        }
        self.pressure.looked_at = Some(now);
        let mut by_node: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for worker in self.in_order() {
            let usage = metrics.pod(&worker.uid);
            if usage.is_empty() || worker.is_over() {
                continue;
            }
            let candidate = Candidate { pod: Arc::clone(worker.pod()), usage };
            by_node.entry(worker.node.config.name.clone()).or_default().push(candidate);
        }
        let nodes: BTreeSet<String> =
            by_node.keys().chain(self.pressure.since.keys()).cloned().collect();
        let mut keys = Vec::new();
        for node in nodes {
            keys.extend(self.hold(cx, &node, by_node.remove(&node).unwrap_or_default()));
        }
        keys
    }

    /// Holds one node to its capacity.
    fn hold(&mut self, cx: &mut Context<'_>, node: &str, pods: Vec<Candidate>) -> Vec<Key> {
        let now = cx.world.now();
        let used: i64 = pods.iter().map(Candidate::used).sum();
        let capacity = self.nodes.get(node).map_or(i64::MAX, |served| served.memory);
        let before = self.pressure.since.get(node).copied();
        let mut io = Io { cx, runtime: &mut *self.runtime, tickets: &mut self.tickets };
        if capacity.saturating_sub(used) >= THRESHOLD {
            if before.is_none_or(|since| now.since(since) < TRANSITION) {
                return Vec::new();
            }
            self.pressure.since.remove(node);
            say(&mut io, node, EventType::Normal, "NodeHasSufficientMemory", None);
            return vec![Key::new("", node)];
        }
        self.pressure.since.insert(node.to_owned(), now);
        let mut keys = Vec::new();
        if before.is_none() {
            say(&mut io, node, EventType::Normal, "NodeHasInsufficientMemory", None);
            keys.push(Key::new("", node));
        }
        let text = "Attempting to reclaim memory";
        say(&mut io, node, EventType::Warning, "EvictionThresholdMet", Some(text));
        if let Some(victim) = victim(pods)
            && let Some(worker) = self.workers.get_mut(victim.pod.uid())
        {
            worker.evict(&victim.message(), &mut io);
            keys.push(worker.key.clone());
        }
        keys
    }
}

/// An event of a node, with the usual text for a change of its conditions.
fn say(io: &mut Io<'_, '_>, node: &str, kind: EventType, reason: &str, text: Option<&str>) {
    let Some(object) = io.cx.caches.get(&api::NODES, "", node) else { return };
    let usual = format!("Node {node} status is now: {reason}");
    io.event(&object, node, kind, reason, text.unwrap_or(&usual), "");
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn candidate(name: &str, priority: i64, request: &str, mib: u64) -> Candidate {
        let pod = json!({
            "metadata": {"name": name},
            "spec": {"priority": priority, "containers":
                [{"name": "c", "resources": {"requests": {"memory": request}}}]},
        });
        let usage = ContainerUsage {
            id: String::new(),
            pod_uid: String::new(),
            name: "c".to_owned(),
            at: Time::default(),
            window: PERIOD,
            cpu_nano: 0,
            memory_bytes: mib << 20,
        };
        Candidate { pod: Arc::new(pod), usage: vec![usage] }
    }

    #[test]
    fn who_goes_first() {
        let name = |candidates| victim(candidates).map(|found| found.pod.name().to_owned());
        let modest = || candidate("modest", 0, "500Mi", 400);
        let greedy = || candidate("greedy", 0, "100Mi", 200);
        let greedier = || candidate("greedier", 0, "100Mi", 300);
        let dear = || candidate("dear", 5, "100Mi", 900);
        let vital = || candidate("vital", 2_000_001_000, "1Mi", 900);
        for (candidates, expected) in [
            (vec![modest(), greedy()], Some("greedy")),
            (vec![greedy(), greedier()], Some("greedier")),
            (vec![dear(), greedy()], Some("greedy")),
            (vec![dear(), modest()], Some("dear")),
            (vec![vital()], None),
        ] {
            assert_eq!(name(candidates).as_deref(), expected);
        }
        let text = "The node was low on resource: memory. Container c was using 200Mi, which exceeds \
                    its request of 100Mi. ";
        assert_eq!(greedy().message(), text);
    }
}
