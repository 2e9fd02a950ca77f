//! The container runtime as the node agent sees it: commands in, events out.
//!
//! [`ContainerRuntime`] is the seam between the node agent and whatever runs containers. A command is
//! submitted under a [`Ticket`] and returns at once; its outcome, like every change of state that
//! nobody asked for (an exit, an engine that goes away), comes back as an [`Event`] from `poll`. The
//! vocabulary is that of the Kubernetes CRI: pod sandboxes, containers, images.
//!
//! Reading order: [`runtime`] (the trait), [`config`] (what commands carry), [`logs`], [`stream`],
//! [`stats`], [`builtin`] (containers that run inside this process), [`script`] (shell scripts), [`sim`] (scripted containers on the virtual clock),
//! [`docker`] (real ones), [`keyring`] (where credentials are for), [`conformance`] (what both must do alike).
//!
//! Invariant: the agent cannot tell which implementation it has.
//! Invariant: no call of the trait blocks.
#![warn(missing_docs)]

mod any_certificate;
pub mod builtin;
pub mod config;
pub mod conformance;
pub mod digest;
pub mod docker;
pub mod keyring;
pub mod logs;
pub mod runtime;
pub mod script;
pub mod sim;
pub mod stats;
pub mod stream;

pub use crate::any_certificate::AnyCertificate;
pub use crate::config::{
    ContainerConfig, ContainerResources, ContainerSecurity, Credentials, Dns, FileEntry, HttpGet,
    Mount, PodSandboxConfig, PodVolume, PortMapping, VolumeSource, host_port,
};
pub use crate::logs::{LogOptions, LogStream, Logs};
pub use crate::runtime::{
    Command, ContainerExit, ContainerRuntime, ContainerState, ContainerStatus, Error, Event, Id,
    Image, Reply, SandboxStatus, Ticket, Wake,
};
pub use crate::stats::{ContainerUsage, NoMetrics, PodMetrics};
pub use crate::stream::{Process, Streams};
