//! The integrated registry beside the API: where it listens and where it keeps its bytes.

mod scratch;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use apiserver::http::Authenticator;
use apiserver::server::Builder;
use clap::Args;
use cluster::Cluster;
use registry::prune::Prunings;
use registry::{Bound, Config, Error, Registry};

use self::scratch::Scratch;

/// Where the registry listens when nobody says otherwise and nobody else does.
const PORT: u16 = 5000;

#[derive(Debug, Default, Args)]
pub(crate) struct RegistryOptions {
    /// Where the image registry listens, on loopback; by default 127.0.0.1:5000, or another port when
    /// that one is taken. Further clusters take the ports that follow.
    #[arg(long, value_name = "ADDRESS:PORT")]
    registry: Option<SocketAddr>,
    /// Where the registry keeps its images; by default a directory that is removed at the end. A
    /// cluster with a name has a directory of that name in it.
    #[arg(long, value_name = "DIR")]
    registry_data: Option<PathBuf>,
}

/// The options as they hold for one of several clusters.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) options: &'a RegistryOptions,
    pub(crate) name: Option<&'a str>,
    /// Counted from 0.
    pub(crate) number: u16,
}

/// `address`, or that of its port by `number` on; any port stays any.
pub(crate) fn following(mut address: SocketAddr, number: u16) -> SocketAddr {
    if address.port() != 0 {
        address.set_port(address.port().saturating_add(number));
    }
    address
}

/// Listens where the options say, before there is a cluster to answer for.
pub(crate) fn bind(place: &Place<'_>) -> Result<Bound> {
    let local = |port: u16| Bound::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let bound = match place.options.registry {
        Some(listen) => Bound::to(following(listen, place.number)),
        None => match local(PORT) {
            Err(Error::Listen(_, error)) if error.kind() == ErrorKind::AddrInUse => local(0),
            result => result,
        },
    };
    bound.context("cannot start the registry")
}

/// A running registry and the directory that goes with it.
#[derive(Debug)]
pub(crate) struct Running {
    registry: Registry,
    directory: Option<Scratch>,
}

impl Running {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.registry.addr()
    }

    /// Ends once the pushes and pulls under way have.
    pub(crate) async fn shut_down(self) {
        self.registry.shut_down().await;
        drop(self.directory);
    }
}

/// Starts the registry of `cluster`; to be called within a tokio runtime.
pub(crate) fn start(
    cluster: &Cluster,
    bound: Bound,
    place: &Place<'_>,
    authenticator: Arc<dyn Authenticator>,
    prunings: Prunings,
) -> Result<Running> {
    let (path, directory) = match &place.options.registry_data {
        Some(path) => (place.name.map_or_else(|| path.clone(), |name| path.join(name)), None),
        None => {
            let parent = std::env::temp_dir();
            scratch::remove_leftovers(&parent);
            let directory = Scratch::new(&parent).context("cannot make a directory for images")?;
            (directory.path(), Some(directory))
        }
    };
    let config = Config { bound, directory: path, authenticator, prunings };
    let registry = Registry::start(cluster.server(), config);
    Ok(Running { registry: registry.context("cannot start the registry")?, directory })
}

/// Pruning, as a cluster's API serves it.
#[derive(Debug)]
pub(crate) struct Pruning(pub(crate) Prunings);

impl cluster::Extension for Pruning {
    fn extend(&self, builder: Builder) -> Builder {
        self.0.extend(builder)
    }
}
