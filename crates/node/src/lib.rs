//! The node agent: what the kubelet does.
//!
//! One [`Agent`] serves all Node objects of the process on one container runtime. Per pod there is a
//! worker that repeats one sync: compute the status and write it when it changed, then decide what to
//! do and do it step by step. The decision ([`plan`]) and the status ([`status`]) are pure functions
//! of the pod and of what is known about its containers ([`record`]); so are back-off, environment,
//! volumes and probe results. The worker carries decisions out as commands to the runtime.
//!
//! Reading order: [`admission`], [`record`], [`plan`], [`status`], [`backoff`], [`expansion`], [`env`],
//! [`volumes`], [`container`] (the runtime's view of a container), [`probe`], [`pull_secrets`], `worker`, [`agent`],
//! [`node_status`], [`logs`], [`streams`].
//!
//! Mirrors: `k8s.io/kubernetes/pkg/kubelet` of 1.11.
//!
//! Invariant: the agent cannot tell which runtime it has.
//! Invariant: a pod's containers are started one after another, and killed side by side.

pub mod admission;
pub mod agent;
pub mod backoff;
pub mod config;
pub mod container;
pub mod env;
pub mod expansion;
pub mod logs;
pub mod node_status;
pub mod plan;
pub mod probe;
pub mod pull_secrets;
pub mod record;
pub mod status;
pub mod streams;
pub mod volumes;

mod worker;

pub use crate::agent::{Agent, AgentControl, agents};
pub use crate::config::{AgentConfig, NodeConfig};
pub use crate::logs::RuntimeLogs;
pub use crate::streams::RuntimeStreams;
pub use cri::PodMetrics;
