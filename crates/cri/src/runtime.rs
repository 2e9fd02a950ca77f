//! The trait, its commands, replies and events.
//!
//! Invariant: every submitted ticket is answered by exactly one [`Event::Done`].
//! Invariant: every container whose start succeeded gives exactly one [`Event::ContainerExited`]
//! when it ends, after the `Done` of its start; it may come before or after the `Done` of a stop.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::Text;
use world::Time;

use crate::config::{ContainerConfig, Credentials, FileEntry, HttpGet, PodSandboxConfig};
use crate::logs::Logs;
use crate::stats::PodMetrics;
use crate::stream::Streams;

/// Names a sandbox, a container or a pod; whoever keeps the name shares its text.
pub type Id = Arc<str>;

/// Names one submitted command; chosen by the caller, unique per runtime.
pub type Ticket = u64;

/// Called from any thread when `poll` has something new; unused by runtimes on the virtual clock.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Runs pod sandboxes and containers.
pub trait ContainerRuntime: Send + Debug {
    /// `containerRuntimeVersion` of the node's status, e.g. `docker://28.2.2`.
    fn version(&self) -> String;

    /// The scheme of container ids in pod statuses: `docker` or `sim`.
    fn scheme(&self) -> &'static str;

    /// Starts `command`; its outcome comes back from [`ContainerRuntime::poll`] under `ticket`.
    fn submit(&mut self, ticket: Ticket, command: Command);

    /// Completions and changes of state since the last call, in order.
    fn poll(&mut self) -> Vec<Event>;

    /// When the runtime will next have something to say, where that is known (virtual clock).
    fn next_event_at(&self) -> Option<Time>;

    /// Sets what to call when there is something to poll.
    fn set_wake(&mut self, wake: Wake);

    /// What a container of `config` is started with, where that is known without an image's contents;
    /// empty where it is not.
    fn command_of(&self, _config: &ContainerConfig) -> Vec<String> {
        Vec::new()
    }

    /// The way to the containers' output, usable from other threads.
    fn logs(&self) -> Arc<dyn Logs>;

    /// The way to run commands in containers and to reach their ports, likewise.
    fn streams(&self) -> Arc<dyn Streams>;

    /// The figures of what the containers use, likewise.
    fn metrics(&self) -> Arc<dyn PodMetrics>;
}

impl<R: ContainerRuntime + ?Sized> ContainerRuntime for Box<R> {
    fn version(&self) -> String {
        (**self).version()
    }
    fn scheme(&self) -> &'static str {
        (**self).scheme()
    }
    fn submit(&mut self, ticket: Ticket, command: Command) {
        (**self).submit(ticket, command);
    }
    fn poll(&mut self) -> Vec<Event> {
        (**self).poll()
    }
    fn next_event_at(&self) -> Option<Time> {
        (**self).next_event_at()
    }
    fn set_wake(&mut self, wake: Wake) {
        (**self).set_wake(wake);
    }
    fn command_of(&self, config: &ContainerConfig) -> Vec<String> {
        (**self).command_of(config)
    }
    fn logs(&self) -> Arc<dyn Logs> {
        (**self).logs()
    }
    fn streams(&self) -> Arc<dyn Streams> {
        (**self).streams()
    }
    fn metrics(&self) -> Arc<dyn PodMetrics> {
        (**self).metrics()
    }
}

/// What a runtime can be asked to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Looks an image up locally: [`Reply::Image`].
    ImageStatus {
        /// Reference as written in the pod.
        image: String,
    },
    /// Fetches an image: [`Reply::Image`] (never `None`).
    PullImage {
        /// Reference as written in the pod.
        image: String,
        /// What the registry may be shown, tried in order; nothing is shown without any.
        credentials: Vec<Credentials>,
    },
    /// Creates and starts a sandbox: [`Reply::Sandbox`].
    RunPodSandbox {
        /// What the sandbox is like.
        config: Box<PodSandboxConfig>,
    },
    /// Stops a sandbox and what still runs in it: [`Reply::Done`].
    StopPodSandbox {
        /// Sandbox id.
        id: Id,
    },
    /// Replaces the files of a running pod's volume: [`Reply::Done`].
    WriteVolume {
        /// Sandbox id.
        sandbox: Id,
        /// Name of the volume in the pod.
        volume: String,
        /// The files.
        files: Vec<FileEntry>,
        /// The group that they belong to.
        fs_group: Option<u32>,
    },
    /// Removes a sandbox with its containers and scratch volumes: [`Reply::Done`], also when it is gone.
    RemovePodSandbox {
        /// Sandbox id.
        id: Id,
    },
    /// Creates a container in a running sandbox: [`Reply::Container`].
    CreateContainer {
        /// Sandbox id.
        sandbox: Id,
        /// What the container is like.
        config: Box<ContainerConfig>,
    },
    /// Starts a created container: [`Reply::Started`].
    StartContainer {
        /// Container id.
        id: Id,
    },
    /// Asks a container to end and kills it after `grace`: [`Reply::Done`], also when it has ended.
    StopContainer {
        /// Container id.
        id: Id,
        /// Time to end by itself.
        grace: Duration,
    },
    /// Removes a container that does not run: [`Reply::Done`], also when it is gone.
    RemoveContainer {
        /// Container id.
        id: Id,
    },
    /// Runs a command inside a container: [`Reply::Exec`].
    ExecSync {
        /// Container id.
        id: Id,
        /// Program and arguments.
        command: Vec<String>,
    },
    /// Sends one HTTP request to a container: [`Reply::Http`].
    HttpGet {
        /// Container id.
        id: Id,
        /// What to ask whom.
        request: Box<HttpGet>,
    },
    /// Opens a TCP connection to a container and closes it: [`Reply::Done`].
    TcpConnect {
        /// Container id.
        id: Id,
        /// Address to connect to.
        host: String,
        /// Port to connect to.
        port: u16,
        /// When to give up.
        timeout: Duration,
    },
    /// Lists everything of this cluster: [`Reply::List`].
    List,
}

/// What a successful command brings back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The command has no result of its own.
    Done,
    /// The image, or `None` when it is not present.
    Image(Option<Image>),
    /// The sandbox is running.
    Sandbox(SandboxStatus),
    /// Id of the created container.
    Container(Id),
    /// The container runs since then.
    Started(Time),
    /// The command inside the container ended.
    Exec {
        /// Its exit code.
        exit_code: i64,
        /// What it wrote to both outputs, cut to 10 KiB.
        output: String,
        /// What of that it wrote to its error output.
        stderr: String,
    },
    /// The HTTP answer.
    Http {
        /// Status code.
        status: u16,
        /// Body, cut to 10 KiB.
        body: String,
    },
    /// All sandboxes and containers of this cluster.
    List {
        /// Sandboxes, with whether they run.
        sandboxes: Vec<SandboxStatus>,
        /// Containers.
        containers: Vec<ContainerStatus>,
    },
}

/// An image that is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The engine's id, `sha256:…`.
    pub id: Text,
    /// The first tag as the engine writes it; empty for an untagged image.
    pub tag: Text,
    /// The first `repository@sha256:…`; empty for an image that never met a registry.
    pub repo_digest: Text,
    /// The user the image runs as; empty means root.
    pub user: Text,
}

/// A sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxStatus {
    /// Sandbox id.
    pub id: Id,
    /// Pod IP; empty in the host's network.
    pub ip: Text,
    /// Uid of the pod.
    pub pod_uid: Id,
    /// Number of earlier sandboxes of the pod.
    pub attempt: u32,
    /// Whether it runs.
    pub running: bool,
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// Created, not started.
    Created,
    /// Running.
    Running,
    /// Ended.
    Exited,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Container id.
    pub id: Id,
    /// Uid of the pod.
    pub pod_uid: Id,
    /// Id of the sandbox that it was made in.
    pub sandbox: Id,
    /// Name in the pod.
    pub name: Text,
    /// Number of earlier instances.
    pub attempt: u32,
    /// The annotations that it was created with.
    pub annotations: Arc<BTreeMap<String, String>>,
    /// When it was created.
    pub created_at: Time,
    /// When it was started.
    pub started_at: Option<Time>,
    /// Where it is in its life.
    pub state: ContainerState,
    /// How it ended, when it has.
    pub exit: Option<Box<ContainerExit>>,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerExit {
    /// Container id.
    pub id: Id,
    /// Exit code; 128 + signal when a signal ended it.
    pub exit_code: i64,
    /// Whether the memory limit ended it.
    pub oom_killed: bool,
    /// When.
    pub finished_at: Time,
    /// The termination message or the engine's own error text.
    pub message: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A command ended.
    Done {
        /// Of which command.
        ticket: Ticket,
        /// How.
        result: Result<Reply, Error>,
    },
    /// A started container ended.
    ContainerExited(ContainerExit),
    /// A sandbox ended without being asked to.
    SandboxExited {
        /// Sandbox id.
        id: Id,
    },
    /// The engine does not answer any more.
    EngineUnavailable {
        /// Why.
        message: String,
    },
    /// The engine answers again; exits may have been missed, see [`Command::List`].
    EngineAvailable,
}

/// Why a command failed. The text is the engine's own and ends up in statuses and events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such container or sandbox.
    #[error("Error: No such container: {0}")]
    NoSuchContainer(String),
    /// The engine does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The engine refused.
    #[error("{0}")]
    Engine(String),
    /// A reference that cannot be read.
    #[error(
        "Failed to apply default image tag {0:?}: couldn't parse image reference {0:?}: invalid reference format"
    )]
    InvalidImageName(String),
    /// A volume of a sandbox cannot be set up.
    #[error("{message}")]
    Volume {
        /// Its name in the pod.
        volume: String,
        /// Why.
        message: String,
    },
    /// A probe's connection failed.
    #[error("{0}")]
    Connect(String),
    /// The runtime has no way to do this.
    #[error("{0} is not supported by this container runtime")]
    Unsupported(&'static str),
}
