//! What commands carry: sandbox, container and request descriptions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::{Map, Text};

use crate::runtime::Id;

/// A pod sandbox to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodSandboxConfig {
    /// Pod name.
    pub name: Text,
    /// Pod namespace.
    pub namespace: Text,
    /// Pod uid.
    pub uid: Id,
    /// Number of earlier sandboxes of this pod.
    pub attempt: u32,
    /// Host name inside the pod.
    pub hostname: Text,
    /// The pod's labels: texts.
    pub labels: Map,
    /// The pod's annotations, likewise.
    pub annotations: Map,
    /// Whether the pod uses the host's network.
    pub host_network: bool,
    /// Host ports to publish.
    pub ports: Vec<PortMapping>,
    /// Extra lines of `/etc/hosts`: an address and its names.
    pub host_aliases: Vec<(String, Vec<String>)>,
    /// The domain that the host name is found under; empty without one.
    pub domain: Text,
    /// What `/etc/resolv.conf` says besides the engine's own.
    pub dns: Dns,
    /// Kernel settings of the pod.
    pub sysctls: BTreeMap<String, String>,
    /// The pod's volumes; a volume of an earlier sandbox of the same pod is kept as it is, files are
    /// written anew.
    pub volumes: Vec<PodVolume>,
    /// The group that volumes belong to.
    pub fs_group: Option<u32>,
}

/// What a resolver is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// Addresses of name servers; the engine's own without any.
    pub servers: Vec<String>,
    /// Domains to search.
    pub searches: Vec<String>,
    /// Options such as `ndots:5`.
    pub options: Vec<String>,
}

/// A volume of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodVolume {
    /// Name in the pod.
    pub name: String,
    /// What it is.
    pub source: VolumeSource,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// Scratch space that lives as long as the pod.
    Scratch {
        /// Whether it lies in memory.
        memory: bool,
    },
    /// Files with given content; [`crate::Command::WriteVolume`] replaces them.
    Files(Vec<FileEntry>),
    /// A path of the engine's host.
    HostPath {
        /// The path.
        path: String,
        /// What must be there: `hostPath.type` as Kubernetes spells it; empty for no check.
        kind: String,
    },
    /// A volume of the engine that outlives pods, made when it is not there.
    Lasting {
        /// The engine's name of it.
        name: String,
    },
}

/// A registry's credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Token instead of both.
    pub identity_token: String,
    /// The registry, as the secret names it.
    pub server: String,
}

/// A container port published on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMapping {
    /// Port inside the pod.
    pub container_port: u16,
    /// Port on the host.
    pub host_port: u16,
    /// Address of the host; all of them without one.
    pub host_ip: String,
    /// `TCP` or `UDP`.
    pub protocol: String,
}

/// A container to be created; clones share what is not small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerConfig {
    /// Name in the pod.
    pub name: Text,
    /// Number of earlier instances (the restart count).
    pub attempt: u32,
    /// Pod name.
    pub pod_name: Text,
    /// Pod namespace.
    pub pod_namespace: Text,
    /// Pod uid.
    pub pod_uid: Id,
    /// Reference as written in the pod.
    pub image: Text,
    /// The engine's id of the image, as [`crate::Image::id`] said.
    pub image_id: Text,
    /// Replaces the image's entry point when not empty.
    pub command: Arc<[String]>,
    /// Replaces the image's command when not empty.
    pub args: Arc<[String]>,
    /// Replaces the image's working directory when not empty.
    pub working_dir: Text,
    /// Whether the pod's other containers wait for its end.
    pub init: bool,
    /// Environment in order; names are unique.
    pub env: Arc<[(String, String)]>,
    /// Mounts in order; their volumes are the sandbox's.
    pub mounts: Arc<[Mount]>,
    /// Annotations that become engine labels, e.g. `io.kubernetes.container.hash`.
    pub annotations: Arc<BTreeMap<String, String>>,
    /// Whether to allocate a terminal.
    pub tty: bool,
    /// Whether to keep standard input open.
    pub stdin: bool,
    /// Whether the end of the first client's input is the end of the process's.
    pub stdin_once: bool,
    /// Limits.
    pub resources: ContainerResources,
    /// Security settings.
    pub security: Arc<ContainerSecurity>,
    /// Where the process leaves its termination message.
    pub termination_message_path: Text,
    /// Whether it uses the host's network.
    pub host_network: bool,
    /// Whether it sees the processes of the pod's other containers.
    pub share_pid: bool,
    /// The container whose processes it sees, by the engine's id; empty for its own only.
    pub pid_of: Id,
    /// Whether it sees the host's processes.
    pub host_pid: bool,
    /// Whether it shares the host's IPC.
    pub host_ipc: bool,
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
    /// Options of the kernel's security modules as the engine reads them, e.g. `no-new-privileges`.
    pub options: Vec<String>,
}

/// One mount of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Mount {
    /// Name of the volume in the pod.
    pub volume: String,
    /// What of the volume is mounted; everything without it. A directory that is not there is made.
    pub sub_path: String,
    /// Path inside the container.
    pub path: String,
    /// Whether it may not be written.
    pub read_only: bool,
    /// Mount propagation as the engine spells it (`rslave`, `rshared`); empty for none.
    pub propagation: String,
}

/// One file of a [`VolumeSource::Files`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path below the volume.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Content.
    pub data: Arc<[u8]>,
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
        format!("{}://{}{}", self.scheme, host_port(&self.host, self.port), self.path)
    }
}

/// `host:port`, with brackets around an IPv6 address.
#[must_use]
pub fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
