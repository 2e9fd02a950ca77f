//! What the agent is told at its start.

use std::collections::BTreeMap;
use std::time::Duration;

use apimachinery::Value;
use apimachinery::quantity::Quantity;
use cri::Credentials;
use parking_lot::Mutex;

/// How long until what could not be cleaned up is tried again.
pub(crate) const HOUSEKEEPING: Duration = Duration::from_secs(2);

/// The nodes of this process.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The Node objects to serve.
    pub nodes: Vec<NodeConfig>,
    /// How often the Ready condition is refreshed; `None` never refreshes it, which keeps a simulated
    /// cluster quiet.
    pub heartbeat: Option<Duration>,
}

impl Default for AgentConfig {
    fn default() -> Self {
        let nodes = vec![NodeConfig::new("localhost", "127.0.0.1")];
        Self { nodes, heartbeat: Some(Duration::from_secs(10)) }
    }
}

/// One Node object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Node name.
    pub name: String,
    /// Internal address.
    pub address: String,
    /// Labels besides host name, operating system and architecture.
    pub labels: BTreeMap<String, String>,
    /// CPU capacity as a quantity.
    pub cpu: String,
    /// Memory capacity as a quantity.
    pub memory: String,
    /// Most pods.
    pub pods: u32,
    /// What else there is, as quantities: `ephemeral-storage`, extended resources.
    pub others: BTreeMap<String, String>,
    /// What the node shows registries after the pull secrets of a pod: its own Docker configuration.
    pub credentials: Vec<Credentials>,
}

impl NodeConfig {
    /// A compute node of 4 CPUs, 16 GiB and a disk of 100 GiB that takes 250 pods.
    #[must_use]
    pub fn new(name: &str, address: &str) -> Self {
        let role = ("node-role.kubernetes.io/compute".to_owned(), "true".to_owned());
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            labels: BTreeMap::from([role]),
            cpu: "4".to_owned(),
            memory: "16Gi".to_owned(),
            pods: 250,
            others: BTreeMap::from([("ephemeral-storage".to_owned(), "100Gi".to_owned())]),
            credentials: Vec::new(),
        }
    }
}

/// A node with what its workers ask again and again.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) config: NodeConfig,
    /// Whether host ports are published at the node's own address only: nodes that share a machine do
    /// not share its ports then.
    pub(crate) own_ports: bool,
    /// Thousandths of a CPU.
    pub(crate) milli_cpu: i64,
    /// Bytes of memory.
    pub(crate) memory: i64,
    /// What the last pod that waited for its sandbox here had as its status.
    waiting: Mutex<Value>,
}

impl Served {
    pub(crate) fn new(config: NodeConfig) -> Self {
        let read = |text: &str| Quantity::parse(text).ok();
        let milli_cpu = read(&config.cpu).map_or(i64::MAX, |q| q.milli_value());
        let memory = read(&config.memory).map_or(i64::MAX, |q| q.value());
        Self { config, own_ports: false, milli_cpu, memory, waiting: Mutex::default() }
    }

    /// The status of a pod that waits for its sandbox: pods of one template that came here together
    /// have one.
    pub(crate) fn shared(&self, status: Value) -> Value {
        let mut known = self.waiting.lock();
        if *known != status {
            *known = status;
        }
        known.clone()
    }
}
