//! `rehearse up`: a cluster with its API served over HTTPS, until interrupted.
//!
//! Invariant: the kubeconfig is written before the first line is printed, and `/readyz` answers 200
//! by then.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use apiserver::http::{self, Server, kubeconfig};
use clap::Args;
use cluster::Cluster;

use crate::engine::{self, Engine, On, Prepared};
use crate::interrupt;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What runs the containers; `auto` takes Docker when its engine answers, else `sim`.
    #[arg(long, value_enum, default_value_t = On::Auto)]
    on: On,
    /// Number of nodes.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    nodes: u16,
    /// Where to write the kubeconfig.
    #[arg(long, default_value = "rehearse.kubeconfig", value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
}

/// How long the loop runs before it is asked to go on; it is woken by whatever happens before.
const TURN: Duration = Duration::from_secs(3600);

/// Serves until interrupted; gives whether the end was orderly.
pub(crate) fn up(options: &Options) -> Result<bool> {
    let tokio = engine::tokio_runtime()?;
    let engine = Engine::choose(options.on, &tokio);
    let nodes = usize::from(options.nodes);
    let Prepared { config, guard, .. } = engine.prepare(world::World::real(), nodes, &tokio)?;
    let mut cluster = Cluster::start(config).context("cannot start the cluster")?;
    let server = {
        let _guard = tokio.enter();
        serve(&cluster, options)?
    };
    announce(&server, &options.kubeconfig, engine.name())?;
    let stop = interrupt::listen(tokio.handle(), cluster.waker());
    while !stop.load(Ordering::SeqCst) {
        let deadline = cluster.world().now() + TURN;
        cluster.run_until(deadline, &mut || stop.load(Ordering::SeqCst));
    }
    tokio.block_on(server.shutdown());
    guard.shut_down(cluster)?;
    Ok(true)
}

fn serve(cluster: &Cluster, options: &Options) -> Result<Server> {
    let mut config = http::Config::local()?;
    config.listen = options.listen;
    Ok(Server::start(cluster.server().clone(), config)?)
}

fn announce(server: &Server, path: &Path, engine: &str) -> Result<()> {
    kubeconfig::write(path, server.kubeconfig())
        .with_context(|| format!("cannot write {}", path.display()))?;
    out!("cluster on {engine}, serving https://{}", server.addr());
    out!("export KUBECONFIG={}", path.display());
    Ok(())
}
