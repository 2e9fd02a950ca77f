//! What commands carry: sandbox, container and request descriptions.

use std::collections::BTreeMap;
use std::time::Duration;

/// A pod sandbox to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodSandboxConfig {
    /// Pod name.
    pub name: String,
    /// Pod namespace.
    pub namespace: String,
    /// Pod uid.
    pub uid: String,
    /// Number of earlier sandboxes of this pod.
    pub attempt: u32,
    /// Host name inside the pod.
    pub hostname: String,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
    /// The pod's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Whether the pod uses the host's network.
    pub host_network: bool,
    /// Host ports to publish.
    pub ports: Vec<PortMapping>,
    /// Extra `ip host` pairs for `/etc/hosts`.
    pub host_aliases: Vec<(String, String)>,
}

/// A container port published on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMapping {
    /// Port inside the pod.
    pub container_port: u16,
    /// Port on the host.
    pub host_port: u16,
    /// `TCP` or `UDP`.
    pub protocol: String,
}

/// A container to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerConfig {
    /// Name in the pod.
    pub name: String,
    /// Number of earlier instances (the restart count).
    pub attempt: u32,
    /// Pod name.
    pub pod_name: String,
    /// Pod namespace.
    pub pod_namespace: String,
    /// Pod uid.
    pub pod_uid: String,
    /// Reference as written in the pod.
    pub image: String,
    /// The engine's id of the image, as [`crate::Image::id`] said.
    pub image_id: String,
    /// Replaces the image's entry point when not empty.
    pub command: Vec<String>,
    /// Replaces the image's command when not empty.
    pub args: Vec<String>,
    /// Replaces the image's working directory when not empty.
    pub working_dir: String,
    /// Environment in order; names are unique.
    pub env: Vec<(String, String)>,
    /// Mounts in order.
    pub mounts: Vec<Mount>,
    /// Annotations that become engine labels, e.g. `io.kubernetes.container.hash`.
    pub annotations: BTreeMap<String, String>,
    /// Whether to allocate a terminal.
    pub tty: bool,
    /// Whether to keep standard input open.
    pub stdin: bool,
    /// Whether the end of the first client's input is the end of the process's.
    pub stdin_once: bool,
    /// Limits.
    pub resources: ContainerResources,
    /// Security settings.
    pub security: ContainerSecurity,
    /// Where the process leaves its termination message.
    pub termination_message_path: String,
    /// Whether a failing process without message gets the tail of its log as one.
    pub fallback_to_logs: bool,
}

/// Limits of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerResources {
    /// Thousandths of a CPU asked for; 0 is none.
    pub cpu_request_milli: i64,
    /// Thousandths of a CPU allowed; 0 is no limit.
    pub cpu_limit_milli: i64,
    /// Bytes allowed; 0 is no limit.
    pub memory_limit: i64,
    /// Score adjustment for the kernel's out-of-memory killer.
    pub oom_score_adj: i64,
}

/// Security settings of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSecurity {
    /// `uid` or `uid:gid`; empty for the image's.
    pub user: String,
    /// Supplemental groups.
    pub groups: Vec<String>,
    /// Whether the container is privileged.
    pub privileged: bool,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// Capabilities added.
    pub cap_add: Vec<String>,
    /// Capabilities dropped.
    pub cap_drop: Vec<String>,
}

/// One mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where the content comes from.
    pub source: MountSource,
    /// Path inside the container.
    pub path: String,
    /// Whether it may not be written.
    pub read_only: bool,
}

/// Where a mount's content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A path of the engine's host.
    HostPath(String),
    /// Scratch space that lives as long as the pod, shared by name among its containers.
    EmptyDir {
        /// Volume name in the pod.
        volume: String,
        /// Whether it lies in memory.
        memory: bool,
    },
    /// Files with given content.
    Files(Vec<FileEntry>),
}

/// One file of a [`MountSource::Files`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the mount; empty when the mount itself is the file (a `subPath`).
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Content.
    pub data: Vec<u8>,
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGet {
    /// `http` or `https`, lower case.
    pub scheme: String,
    /// Address to connect to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// Path with query.
    pub path: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// When to give up.
    pub timeout: Duration,
}

impl HttpGet {
    /// The URL as error texts spell it, e.g. `http://10.1.2.3:8080/healthz`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}:{}{}", self.scheme, self.host, self.port, self.path)
    }
}
