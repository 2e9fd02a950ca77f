//! Which container runtime a command uses, and everything that follows from the choice.
//!
//! Invariant: the runtime that `auto` took is said in one line before anything runs.
//! Invariant: whatever was made on an engine is removed when the command ends, however it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use cluster::{Cluster, Config, Runtime};
use cri::docker::{self, DockerConfig, DockerEngine, DockerRuntime, IntegratedRegistry};
use cri::sim::SimImages;
use images::source::engine::LocalEngine;
use images::source::registry::Registries;
use images::source::{NearThenFar, Source};
use tokio::runtime::{self, Handle};
use world::World;

use crate::docker_images::Workbench;

/// The choice as given on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// Docker when its engine answers, else simulated.
    Auto,
    /// Scripted containers.
    Sim,
    /// Real containers on the local Docker engine.
    Docker,
}

/// The choice with what belongs to it.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// What runs the containers; `auto` takes Docker when its engine answers, else `sim`.
    #[arg(long, value_enum, default_value_t = On::Auto)]
    on: On,
    /// Socket of the Docker engine, `unix://` or a path; the usual one without it.
    #[arg(long, env = "DOCKER_HOST", value_name = "SOCKET")]
    docker_host: Option<String>,
}

/// The runtime that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Engine {
    Sim,
    Docker { socket: Option<String> },
}

/// A cluster's configuration and what belongs to it outside the cluster.
pub(crate) struct Prepared {
    pub(crate) config: Config,
    pub(crate) images: Images,
    pub(crate) guard: Guard,
}

/// Where images of a cluster are made.
#[derive(Debug)]
pub(crate) enum Images {
    Sim(SimImages),
    Docker(Workbench),
}

/// Removes what a cluster left on its engine.
#[derive(Debug)]
pub(crate) struct Guard {
    engine: Option<DockerEngine>,
    handle: Handle,
}

/// The tokio runtime of the edges.
pub(crate) fn tokio_runtime() -> Result<runtime::Runtime> {
    runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the I/O threads")
}

impl Engine {
    pub(crate) fn choose(choice: &Choice, tokio: &runtime::Runtime) -> Result<Self> {
        if choice.on == On::Sim {
            return Ok(Self::Sim);
        }
        let socket = local_socket(choice.docker_host.as_deref())?;
        let docker = Self::Docker { socket: socket.clone() };
        let auto = choice.on == On::Auto;
        if auto && !tokio.block_on(docker::available(socket.as_deref())) {
            return Ok(Self::Sim);
        }
        Ok(docker)
    }

    pub(crate) fn is_simulated(&self) -> bool {
        *self == Self::Sim
    }

    /// The word in reports.
    pub(crate) fn name(&self) -> &'static str {
        if self.is_simulated() { "sim" } else { "docker" }
    }

    /// The world of a run: virtual when simulated.
    pub(crate) fn world(&self, seed: u64) -> World {
        if self.is_simulated() { World::simulated(seed) } else { World::real() }
    }

    /// Makes ready what a cluster of `nodes` nodes needs; what is made on an engine bears its name.
    pub(crate) fn prepare(
        &self,
        world: World,
        name: Option<&str>,
        nodes: usize,
        tokio: &runtime::Runtime,
    ) -> Result<Prepared> {
        let handle = tokio.handle().clone();
        match self {
            Self::Sim => {
                let images = SimImages::new();
                let config = Config::new(world, Runtime::Sim(images.clone()), nodes);
                let guard = Guard { engine: None, handle };
                Ok(Prepared { config, images: Images::Sim(images), guard })
            }
            Self::Docker { socket } => {
                let id = world.name_suffix(8);
                let cluster = name.map(|name| format!("{name}-{id}")).unwrap_or(id);
                let prefix = format!("rehearse/{cluster}");
                let docker = DockerConfig { cluster, socket: socket.clone() };
                let runtime = tokio
                    .block_on(DockerRuntime::connect(world.clone(), docker))
                    .context("cannot use the Docker engine")?;
                let engine = runtime.engine();
                let images = Workbench { engine: engine.clone(), handle: handle.clone(), prefix };
                let mut config = Config::new(world, Runtime::Engine(Box::new(runtime)), nodes);
                config.image_source = Some(image_source(&engine, &handle));
                let guard = Guard { engine: Some(engine), handle };
                Ok(Prepared { config, images: Images::Docker(images), guard })
            }
        }
    }
}

/// Imports take what was built here from the engine, the rest from its registry and, without network,
/// what the engine has of it.
fn image_source(engine: &DockerEngine, handle: &Handle) -> Arc<dyn Source> {
    let local = |pulled_too| {
        let (engine, handle) = (engine.clone(), handle.clone());
        Arc::new(LocalEngine { engine, handle, pulled_too })
    };
    let far =
        Arc::new(NearThenFar { near: Arc::new(Registries), far: local(true), last_resort: true });
    Arc::new(NearThenFar { near: local(false), far, last_resort: false })
}

/// The path of the engine's socket; remote engines are refused.
fn local_socket(host: Option<&str>) -> Result<Option<String>> {
    let host = host.filter(|host| !host.is_empty());
    if let Some(remote) = host.filter(|host| host.contains("://") && !host.starts_with("unix://")) {
        bail!(
            "the engine at {remote} is not supported: pods must be reachable, so it must be local"
        );
    }
    Ok(host.map(|host| host.trim_start_matches("unix://").to_owned()))
}

/// A handle on the engine, for making images.
pub(crate) fn connect(host: Option<&str>, tokio: &runtime::Runtime) -> Result<DockerEngine> {
    let world = World::real();
    let docker = DockerConfig { cluster: world.name_suffix(8), socket: local_socket(host)? };
    let runtime = tokio.block_on(DockerRuntime::connect(world, docker));
    Ok(runtime.context("cannot use the Docker engine")?.engine())
}

impl Guard {
    /// From now on the engine pulls the images of the cluster's registry from `address`.
    pub(crate) fn serve_registry(&self, address: SocketAddr) {
        if let Some(engine) = &self.engine {
            let hosts = admission::Options::default().registries;
            engine.serve_registry(IntegratedRegistry { hosts, address });
        }
    }

    /// Takes the cluster down and removes everything it made on the engine.
    pub(crate) fn shut_down(mut self, cluster: Cluster) -> Result<()> {
        let Some(engine) = self.engine.take() else {
            // Nothing outside the process: the process ends sooner than its memory is taken apart.
            std::mem::forget(cluster);
            return Ok(());
        };
        drop(cluster);
        self.handle.block_on(engine.cleanup()).context("cannot clean up")
    }
}

impl Drop for Guard {
    /// On the way out of an error; an orderly end has gone through [`Guard::shut_down`].
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take()
            && let Err(error) = self.handle.block_on(engine.cleanup())
        {
            tracing::warn!(%error, "cannot clean up the engine");
        }
    }
}
