//! What may be chosen about a cluster.
//!
//! Invariant: plain data; nothing here touches the host.

use std::sync::Arc;

use audit::AuditLog;
use cri::ContainerRuntime;
use cri::sim::SimImages;
use node::{AgentConfig, NodeConfig};
use world::World;

/// How a cluster is put together.
#[derive(Debug)]
pub struct Config {
    /// Clock, randomness and names: virtual with a seed, or real.
    pub world: World,
    /// What runs the containers.
    pub runtime: Runtime,
    /// The nodes.
    pub agent: AgentConfig,
    /// Who may do what.
    pub access: Access,
    /// Where requests are recorded, if anywhere.
    pub audit: Option<Arc<AuditLog>>,
}

/// Who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone may do everything; there are no roles. For runs whose only caller is the program.
    Open,
    /// OpenShift's bootstrap roles and whatever is granted by bindings; its admission rules hold.
    Policy,
}

/// What runs the containers.
#[derive(Debug)]
pub enum Runtime {
    /// Scripted containers.
    Sim(SimImages),
    /// Real ones on an engine, whose pods are reached over the network.
    Engine(Box<dyn ContainerRuntime>),
}

impl Config {
    /// A cluster of `nodes` nodes. A simulated world gets no heartbeats, so that time may jump.
    #[must_use]
    pub fn new(world: World, runtime: Runtime, nodes: usize) -> Self {
        let nodes = node_configs(nodes);
        let heartbeat = if world.is_simulated() { None } else { AgentConfig::default().heartbeat };
        let agent = AgentConfig { nodes, heartbeat };
        Self { world, runtime, agent, access: Access::Open, audit: None }
    }
}

/// One node is `localhost`; several are `node-1`, `node-2` and so on.
fn node_configs(count: usize) -> Vec<NodeConfig> {
    if count <= 1 {
        return AgentConfig::default().nodes;
    }
    let address = |n: usize| format!("127.0.{}.{}", n / 250, n % 250 + 1);
    (1..=count).map(|n| NodeConfig::new(&format!("node-{n}"), &address(n))).collect()
}
