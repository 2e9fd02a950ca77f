//! What may be chosen about a cluster.
//!
//! Invariant: plain data; nothing here touches the host.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use apimachinery::Value;
use apiserver::server::Builder;
use audit::AuditLog;
use controller_runtime::Faults;
use cri::ContainerRuntime;
use cri::sim::SimImages;
use images::AllowedRegistries;
use images::source::Source;
use node::{AgentConfig, NodeConfig};
use world::World;

use crate::nodes::{self, NodeSpec};

/// How a cluster is put together.
#[derive(Debug)]
pub struct Config {
    /// Clock, randomness and names: virtual with a seed, or real.
    pub world: World,
    /// What runs the containers.
    pub runtime: Runtime,
    /// The nodes.
    pub agent: AgentConfig,
    /// Nodes that are there before their agents are, with what agents do not say: taints and more.
    pub nodes: Vec<Value>,
    /// How pods are placed.
    pub scheduler: scheduler::Profile,
    /// Who may do what.
    pub access: Access,
    /// Bearer tokens that are recognised besides those of logins and service accounts, each with the
    /// name of its user.
    pub tokens: Vec<(String, String)>,
    /// Where requests are recorded, if anywhere.
    pub audit: Option<Arc<AuditLog>>,
    /// Kills components in the middle of their work, if anything does.
    pub faults: Option<Faults>,
    /// What is served besides, as aggregated API servers would.
    pub extensions: Vec<Arc<dyn Extension>>,
    /// Where the integrated registry listens, if there is one: pull secrets log in there too.
    pub registry: Option<SocketAddr>,
    /// Where images are imported from; without it the scripted images or, beside an engine, registries.
    pub image_source: Option<Arc<dyn Source>>,
    /// The registries that image streams may point to; all of them by default.
    pub allowed_registries: AllowedRegistries,
}

/// Serves something beside the resources of the API.
pub trait Extension: Send + Sync + Debug {
    /// Plugs it into an API server under construction.
    fn extend(&self, builder: Builder) -> Builder;
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
        let (nodes, scheduler) = (Vec::new(), scheduler::Profile::default());
        Self {
            world,
            runtime,
            agent,
            nodes,
            scheduler,
            access: Access::Open,
            audit: None,
            tokens: Vec::new(),
            faults: None,
            extensions: Vec::new(),
            registry: None,
            image_source: None,
            allowed_registries: AllowedRegistries::default(),
        }
    }
}

impl Config {
    /// With these nodes instead.
    #[must_use]
    pub fn with_nodes(mut self, nodes: Vec<NodeSpec>) -> Self {
        let (configs, objects) = nodes.into_iter().map(|node| (node.config, node.object)).unzip();
        self.agent.nodes = configs;
        self.nodes = objects;
        self
    }
}

/// One node is `localhost`; several are `node-1`, `node-2` and so on.
fn node_configs(count: usize) -> Vec<NodeConfig> {
    if count <= 1 {
        return AgentConfig::default().nodes;
    }
    (1..=count).map(|n| NodeConfig::new(&format!("node-{n}"), &nodes::address(n))).collect()
}
