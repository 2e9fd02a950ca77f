//! The nodes and what runs on them, kept current change by change.
//!
//! Invariant: the sums of a [`NodeInfo`] and the counts of the [`Spread`] index are those of its
//! pods, whatever the order of changes; a pod is on at most one node.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/cache`.

mod spread;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::views;
use api::views::pod::HostPort;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;

use crate::pod::PodInfo;
use crate::resources::{self, Resources};
pub use crate::snapshot::spread::Spread;

/// One node: what it has and what is taken.
#[derive(Debug, Default)]
pub struct NodeInfo {
    /// Name.
    pub name: String,
    /// The Node object; `None` while pods are bound to a node that is not (or no longer) there.
    pub node: Option<Arc<Value>>,
    /// What pods may use.
    pub allocatable: Resources,
    /// What the pods on it have requested.
    pub requested: Resources,
    /// How many pods it takes.
    pub allowed_pods: i64,
    /// What the pods on it count for in priorities: CPU in thousandths, memory in bytes.
    pub non_zero: (i64, i64),
    /// Pods on it, bound or assumed.
    pub pods: BTreeMap<Key, Arc<PodInfo>>,
    ports: BTreeMap<HostPort, usize>,
}

impl NodeInfo {
    /// The Node object's labels.
    #[must_use]
    pub fn labels(&self) -> Option<&serde_json::Map<String, Value>> {
        self.node.as_ref().and_then(|node| node.labels())
    }

    /// Whether a pod on it has taken a port that `wanted` would collide with.
    #[must_use]
    pub fn is_port_taken(&self, wanted: &HostPort) -> bool {
        self.ports.keys().any(|port| port.conflicts_with(wanted))
    }

    fn add(&mut self, key: &Key, pod: Arc<PodInfo>) {
        self.requested.add(&pod.usage);
        self.non_zero.0 += pod.non_zero.0;
        self.non_zero.1 += pod.non_zero.1;
        for port in &pod.host_ports {
            *self.ports.entry(port.clone()).or_insert(0) += 1;
        }
        self.pods.insert(key.clone(), pod);
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<PodInfo>> {
        let pod = self.pods.remove(key)?;
        resources::subtract(&mut self.requested, &pod.usage);
        self.non_zero.0 -= pod.non_zero.0;
        self.non_zero.1 -= pod.non_zero.1;
        for port in &pod.host_ports {
            if let Some(count) = self.ports.get_mut(port) {
                *count -= 1;
                if *count == 0 {
                    self.ports.remove(port);
                }
            }
        }
        Some(pod)
    }
}

/// All nodes and the pods on them.
#[derive(Debug, Default)]
pub struct Snapshot {
    nodes: BTreeMap<String, NodeInfo>,
    /// Where the pods of a namespace are, by their labels.
    pub spread: Spread,
    placed: BTreeMap<Key, String>,
    present: usize,
}

impl Snapshot {
    /// The nodes that are there, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values().filter(|info| info.node.is_some())
    }

    /// How many nodes are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.present
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// One node.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name).filter(|info| info.node.is_some())
    }

    /// Records a node as it is now. Costs nothing when it is the one already recorded.
    pub fn set_node(&mut self, node: &Arc<Value>) {
        let known = self.nodes.get(node.name()).and_then(|info| info.node.as_ref());
        match known {
            Some(known) if Arc::ptr_eq(known, node) => return,
            Some(_) => {}
            None => self.present += 1,
        }
        let info = self.nodes.entry(node.name().to_owned()).or_default();
        node.name().clone_into(&mut info.name);
        info.allocatable = views::node::allocatable(node);
        info.allowed_pods = views::node::allocatable_pods(node);
        info.node = Some(Arc::clone(node));
    }

    /// Records that a node is gone. Its pods are remembered until they are gone themselves.
    pub fn remove_node(&mut self, name: &str) {
        let Some(info) = self.nodes.get_mut(name) else { return };
        if info.node.take().is_some() {
            self.present -= 1;
        }
        if info.pods.is_empty() {
            self.nodes.remove(name);
        }
    }

    /// Records a pod on `node`, bound or assumed to be.
    pub fn place(&mut self, key: &Key, pod: &Arc<PodInfo>, node: &str) {
        self.displace(key);
        self.nodes.entry(node.to_owned()).or_default().add(key, Arc::clone(pod));
        self.spread.add(pod, node);
        self.placed.insert(key.clone(), node.to_owned());
    }

    /// Records that a pod takes nothing any more. Gives whether it had.
    pub fn displace(&mut self, key: &Key) -> bool {
        let Some(node) = self.placed.remove(key) else { return false };
        let Some(info) = self.nodes.get_mut(&node) else { return false };
        if let Some(pod) = info.remove(key) {
            self.spread.remove(&pod, &node);
        }
        if info.pods.is_empty() && info.node.is_none() {
            self.nodes.remove(&node);
        }
        true
    }
}

#[cfg(test)]
mod tests;
