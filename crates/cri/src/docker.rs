//! Real containers, through the API of a Docker engine.
//!
//! [`DockerRuntime`] carries each command out in a task of its own and queues the outcome;
//! [`DockerEngine`] is the shared handle with what a cluster needs besides: building images out of
//! nothing, and cleaning up. Pods are a sandbox container of a tiny image that the program makes
//! itself, whose network the pod's containers join.
//!
//! Every container, network, volume and image made here carries the labels `rehearse.cluster` (whose
//! it is) and `rehearse.owner` (which process made it), by which [`DockerEngine::cleanup`] finds what
//! is its own and [`DockerEngine::remove_leftovers`] what a process left that is not there any more.
//!
//! Invariant: nothing is pulled but what a pod names.
//! Deviation: no out-of-memory score below 0 is asked for; rootless engines and engines inside a
//! container may not grant one, and every container would fail.
//! Deviation: probes need a host that reaches the engine's bridge network, as Linux hosts do.

mod archive;
mod build;
mod container;
mod error;
mod exec;
mod exits;
mod image;
mod log;
mod owner;
mod ownership;
mod pause;
mod probe;
mod registry;
mod sandbox;
mod stats;
mod tls;
mod transfer;
mod volume;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use apimachinery::Value;
use bollard::Docker;
use bollard::models::NetworkCreateRequest;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use world::{Time, World};

use self::exits::Lives;
pub use self::pause::pause_program;
pub use self::registry::IntegratedRegistry;
use crate::logs::Logs;
use crate::runtime::{Command, ContainerRuntime, Error, Event, Reply, Ticket, Wake};
use crate::stats::PodMetrics;
use crate::stream::Streams;

/// Label with the id of the cluster that an object belongs to.
pub const CLUSTER_LABEL: &str = "rehearse.cluster";
/// Label with the process that made an object.
pub const OWNER_LABEL: &str = "rehearse.owner";

/// Seconds after which a request to the engine is given up; a stop lasts as long as its grace period.
const REQUEST_TIMEOUT: u64 = 600;

/// How to reach the engine, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerConfig {
    /// Id of the cluster, used in names; a DNS label.
    pub cluster: String,
    /// Path or URL of the engine's socket; the usual one without it.
    pub socket: Option<String>,
}

/// The runtime on a Docker engine.
#[derive(Debug)]
pub struct DockerRuntime {
    engine: DockerEngine,
}

/// A handle on the engine as one cluster uses it; cheap to clone.
#[derive(Debug, Clone)]
pub struct DockerEngine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    docker: Docker,
    world: World,
    handle: Handle,
    cluster: String,
    owner: String,
    network: String,
    pause_image: Mutex<String>,
    registry: Mutex<Option<IntegratedRegistry>>,
    /// Names that images got here, by tagging or by a pull from the cluster's registry: gone with it.
    names: Mutex<BTreeSet<String>>,
    version: String,
    queue: Queue,
    lives: Mutex<Lives>,
    readings: stats::Readings,
    /// Volumes by pod uid.
    volumes: Mutex<BTreeMap<String, volume::Places>>,
    /// False once the cluster is being cleaned up. Held for reading by whoever makes something, so
    /// that nothing is made behind the back of the sweep.
    open: tokio::sync::RwLock<bool>,
}

/// What has happened and has not been polled yet.
#[derive(Default)]
struct Queue {
    events: Mutex<VecDeque<Event>>,
    wake: Mutex<Option<Wake>>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Queue {
    fn push(&self, events: impl IntoIterator<Item = Event>) {
        self.events.lock().extend(events);
        let wake = self.wake.lock().clone();
        if let Some(wake) = wake {
            wake();
        }
    }
}

/// Whether an engine answers on `socket` (the usual one without it).
pub async fn available(socket: Option<&str>) -> bool {
    match dial(socket) {
        Ok(docker) => docker.ping().await.is_ok(),
        Err(_) => false,
    }
}

fn dial(socket: Option<&str>) -> Result<Docker, Error> {
    let docker = match socket {
        Some(path) => {
            Docker::connect_with_socket(path, REQUEST_TIMEOUT, bollard::API_DEFAULT_VERSION)
        }
        None => Docker::connect_with_local_defaults(),
    };
    let timeout = std::time::Duration::from_secs(REQUEST_TIMEOUT);
    docker.map(|docker| docker.with_timeout(timeout)).map_err(error::from_engine)
}

impl DockerRuntime {
    /// Connects to the engine, removes what crashed processes left, and makes the cluster's network
    /// and sandbox image. Called inside a tokio runtime, which goes on to carry the commands.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub async fn connect(world: World, config: DockerConfig) -> Result<Self, Error> {
        let docker = dial(config.socket.as_deref())?;
        let docker = docker.negotiate_version().await.map_err(error::from_engine)?;
        let version = docker.version().await.map_err(error::from_engine)?;
        let network = format!("rehearse-{}", config.cluster);
        let shared = Arc::new(Shared {
            docker,
            world,
            handle: Handle::current(),
            cluster: config.cluster,
            owner: owner::this_process(),
            network,
            pause_image: Mutex::default(),
            registry: Mutex::default(),
            names: Mutex::default(),
            version: format!("docker://{}", version.version.unwrap_or_default()),
            queue: Queue::default(),
            lives: Mutex::default(),
            readings: stats::Readings::default(),
            volumes: Mutex::default(),
            open: tokio::sync::RwLock::new(true),
        });
        let engine = DockerEngine { shared };
        engine.remove_leftovers().await?;
        engine.prepare().await?;
        drop(world::edge::spawn(exits::watch(Arc::downgrade(&engine.shared))));
        Ok(Self { engine })
    }

    /// The shared handle.
    #[must_use]
    pub fn engine(&self) -> DockerEngine {
        self.engine.clone()
    }
}

impl DockerEngine {
    /// Makes the network and the sandbox image.
    async fn prepare(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let request = NetworkCreateRequest {
            name: shared.network.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(shared.labels().into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        shared.docker.create_network(request).await.map_err(error::from_engine)?;
        let tag = format!("rehearse/pause:{}", shared.cluster);
        let program = pause_program(std::env::consts::ARCH)
            .ok_or(Error::Unsupported("a sandbox on this processor architecture"))?;
        let files = [("pause".to_owned(), program)];
        let id = self.build_scratch_image(&tag, &files, &["/pause"]).await?;
        *shared.pause_image.lock() = id;
        Ok(())
    }

    /// Makes an image of nothing but `files` (path and content, all executable) that runs
    /// `entrypoint`, named `tag`; gives its id, `sha256:…`, by which `<anything>@sha256:…` finds it.
    /// Same files and tag in the same cluster, same id.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub async fn build_scratch_image(
        &self,
        tag: &str,
        files: &[(String, Vec<u8>)],
        entrypoint: &[&str],
    ) -> Result<String, Error> {
        image::build(&self.shared, &self.shared.labels(), tag, files, entrypoint).await
    }

    /// Like [`DockerEngine::build_scratch_image`], but the image belongs to the user: it is left when
    /// the cluster goes.
    ///
    /// # Errors
    /// When the engine does not answer or refuses.
    pub async fn build_lasting_image(
        &self,
        tag: &str,
        files: &[(String, Vec<u8>)],
        entrypoint: &[&str],
    ) -> Result<String, Error> {
        image::build(&self.shared, &BTreeMap::new(), tag, files, entrypoint).await
    }

    /// From now on images of `registry` are pulled from where it listens.
    pub fn serve_registry(&self, registry: IntegratedRegistry) {
        *self.shared.registry.lock() = Some(registry);
    }

    /// What the engine says of a local image, in its own words; `None` when it has no such image.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn inspect_image(&self, reference: &str) -> Result<Option<Value>, Error> {
        image::inspect(&self.shared, reference).await
    }

    /// The id of a local image.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn image_id(&self, reference: &str) -> Result<Option<String>, Error> {
        Ok(image::status(&self.shared, reference).await?.map(|image| image.id.into()))
    }

    /// Sends one HTTP request from this host, e.g. to a pod's address.
    ///
    /// # Errors
    /// [`Error::Connect`] when nothing answers.
    pub async fn http_get(&self, request: &crate::config::HttpGet) -> Result<(u16, String), Error> {
        probe::http(request).await
    }

    /// Removes every container, volume, network and image of this cluster and the names that images
    /// got for it, once what is being made is there; nothing is made any more from now on.
    ///
    /// # Errors
    /// When the engine does not answer; single objects that resist are left.
    pub async fn cleanup(&self) -> Result<(), Error> {
        *self.shared.open.write().await = false;
        let cluster = self.shared.cluster.clone();
        owner::remove(&self.shared.docker, &|labels| labels.cluster == cluster).await?;
        let names = std::mem::take(&mut *self.shared.names.lock());
        for name in names {
            self.remove_image(&name).await?;
        }
        Ok(())
    }

    /// Removes what processes of this host left that do not run any more.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn remove_leftovers(&self) -> Result<(), Error> {
        owner::remove(&self.shared.docker, &|labels| owner::is_gone(labels.owner)).await
    }
}

impl Shared {
    /// The labels of everything made here.
    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (CLUSTER_LABEL.to_owned(), self.cluster.clone()),
            (OWNER_LABEL.to_owned(), self.owner.clone()),
        ])
    }

    async fn perform(self: &Arc<Self>, command: Command) -> Result<Reply, Error> {
        let makes = matches!(
            command,
            Command::RunPodSandbox { .. }
                | Command::CreateContainer { .. }
                | Command::StartContainer { .. }
        );
        let open = self.open.read().await;
        if makes && !*open {
            return Err(Error::Unavailable("the cluster is being taken down".to_owned()));
        }
        let _making = makes.then_some(open);
        match command {
            Command::ImageStatus { image } => image::status(self, &image).await.map(Reply::Image),
            Command::PullImage { image, credentials } => {
                let pulled = image::pull(self, &image, &credentials).await;
                pulled.map(|image| Reply::Image(Some(image)))
            }
            Command::WriteVolume { sandbox, volume, files, fs_group } => {
                volume::write(self, &sandbox, &volume, &files, fs_group).await
            }
            Command::RunPodSandbox { config } => {
                sandbox::run(self, &config).await.map(Reply::Sandbox)
            }
            Command::StopPodSandbox { id } => sandbox::stop(self, &id).await,
            Command::RemovePodSandbox { id } => sandbox::remove(self, &id).await,
            Command::CreateContainer { sandbox, config } => {
                container::create(self, &sandbox, &config)
                    .await
                    .map(|id| Reply::Container(id.into()))
            }
            // Its outcome is queued together with the exit that may have come first.
            Command::StartContainer { id } => container::start(self, &id).await,
            Command::StopContainer { id, grace } => container::stop(self, &id, grace).await,
            Command::RemoveContainer { id } => container::remove(self, &id).await,
            Command::ExecSync { id, command } => container::exec(self, &id, command).await,
            Command::HttpGet { request, .. } => {
                probe::http(&request).await.map(|(status, body)| Reply::Http { status, body })
            }
            Command::TcpConnect { host, port, timeout, .. } => {
                probe::tcp(&host, port, timeout).await.map(|()| Reply::Done)
            }
            Command::List => container::list(self).await,
        }
    }
}

impl ContainerRuntime for DockerRuntime {
    fn version(&self) -> String {
        self.engine.shared.version.clone()
    }

    fn scheme(&self) -> &'static str {
        "docker"
    }

    fn submit(&mut self, ticket: Ticket, command: Command) {
        let shared = Arc::clone(&self.engine.shared);
        let _context = shared.handle.clone().enter();
        drop(world::edge::spawn(async move {
            let started = match &command {
                Command::StartContainer { id } => Some(id.clone()),
                _ => None,
            };
            let result = shared.perform(command).await;
            let at = match &result {
                Ok(Reply::Started(at)) => Some(*at),
                _ => None,
            };
            let done = Event::Done { ticket, result };
            // Under one lock, so that the exit of a short-lived container comes after its start.
            let mut lives = shared.lives.lock();
            let exit = started.zip(at).and_then(|(id, at)| lives.started(&id, at));
            shared.queue.push(std::iter::once(done).chain(exit));
        }));
    }

    fn poll(&mut self) -> Vec<Event> {
        self.engine.shared.queue.events.lock().drain(..).collect()
    }

    fn next_event_at(&self) -> Option<Time> {
        None
    }

    fn set_wake(&mut self, wake: Wake) {
        *self.engine.shared.queue.wake.lock() = Some(wake);
    }

    fn logs(&self) -> Arc<dyn Logs> {
        Arc::new(log::DockerLogs::new(Arc::clone(&self.engine.shared)))
    }

    fn streams(&self) -> Arc<dyn Streams> {
        Arc::new(exec::DockerStreams::new(Arc::clone(&self.engine.shared)))
    }
    fn metrics(&self) -> Arc<dyn PodMetrics> {
        Arc::new(stats::DockerMetrics(Arc::clone(&self.engine.shared)))
    }
}
