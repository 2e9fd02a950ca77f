//! Which container runtime a command uses, and everything that follows from the choice.
//!
//! Invariant: `auto` says which runtime it took, in one line, before anything runs.

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use cluster::{Cluster, Config, Runtime};
use cri::sim::SimImages;
use rehearsal::runner::ImageSource;
use tokio::runtime;
use world::World;

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

/// The runtime that was chosen.
#[derive(Debug)]
pub(crate) enum Engine {
    Sim,
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
    pub(crate) fn choose(on: On, _tokio: &runtime::Runtime) -> Result<Self> {
        match on {
            On::Auto | On::Sim => Ok(Self::Sim),
            On::Docker => anyhow::bail!("no Docker yet"),
        }
    }

    /// `sim, seed 1` or what the engine is.
    pub(crate) fn describe(&self, seed: u64) -> String {
        match self {
            Self::Sim => format!("sim, seed {seed}"),
        }
    }

    pub(crate) fn describe_real(&self) -> String {
        match self {
            Self::Sim => "sim".to_owned(),
        }
    }

    /// The world of a run: virtual when simulated.
    pub(crate) fn world(&self, seed: Option<u64>) -> World {
        match (self, seed) {
            (Self::Sim, Some(seed)) => World::simulated(seed),
            _ => World::real(),
        }
    }

    pub(crate) fn into_config(
        self,
        world: World,
        nodes: usize,
        _tokio: &runtime::Runtime,
    ) -> Result<(Config, Box<dyn ImageSource>)> {
        match self {
            Self::Sim => {
                let images = SimImages::new();
                let config = Config::new(world, Runtime::Sim(images.clone()), nodes);
                Ok((config, Box::new(images)))
            }
        }
    }
}

/// Takes the cluster down and removes what it left on the engine.
pub(crate) fn shut_down(
    cluster: Cluster,
    images: Box<dyn ImageSource>,
    _tokio: &runtime::Runtime,
) -> Result<()> {
    drop(cluster);
    drop(images);
    Ok(())
}
