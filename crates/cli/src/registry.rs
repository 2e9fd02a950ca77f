//! The integrated registry beside the API: where it listens and where it keeps its bytes.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use apiserver::User;
use apiserver::http::Authenticator;
use clap::Args;
use cluster::Cluster;
use registry::{Config, Error, Registry};
use tempfile::TempDir;

/// Where the registry listens when nobody says otherwise and nobody else does.
const PORT: u16 = 5000;

#[derive(Debug, Args)]
pub(crate) struct RegistryOptions {
    /// Where the image registry listens, on loopback; by default 127.0.0.1:5000, or another port when
    /// that one is taken.
    #[arg(long, value_name = "ADDRESS:PORT")]
    registry: Option<SocketAddr>,
    /// Where the registry keeps its images; by default a directory that is removed at the end.
    #[arg(long, value_name = "DIR")]
    registry_data: Option<PathBuf>,
}

/// A running registry and the directory that goes with it.
#[derive(Debug)]
pub(crate) struct Running {
    registry: Registry,
    _directory: Option<TempDir>,
}

impl Running {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.registry.addr()
    }
}

/// Starts the registry of `cluster`; to be called within a tokio runtime.
pub(crate) fn start(
    cluster: &Cluster,
    options: &RegistryOptions,
    authenticator: Arc<dyn Authenticator>,
) -> Result<Running> {
    let (path, directory) = match &options.registry_data {
        Some(path) => (path.clone(), None),
        None => {
            let directory = tempfile::Builder::new().prefix("rehearse-registry-").tempdir();
            let directory = directory.context("cannot make a directory for images")?;
            (directory.path().to_owned(), Some(directory))
        }
    };
    let start = |listen: SocketAddr| {
        let (directory, authenticator) = (path.clone(), Arc::clone(&authenticator));
        Registry::start(cluster.server(), Config { listen, directory, authenticator })
    };
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let registry = match options.registry {
        Some(listen) => start(listen),
        None => match start(local(PORT)) {
            Err(Error::Listen(_, error)) if error.kind() == ErrorKind::AddrInUse => start(local(0)),
            result => result,
        },
    };
    let registry = registry.context("cannot start the registry")?;
    Ok(Running { registry, _directory: directory })
}

/// Recognises the tokens that were given at the start, and then whatever `others` do.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) tokens: Vec<(String, User)>,
    pub(crate) others: Arc<dyn Authenticator>,
}

impl Authenticator for Known {
    fn authenticate(&self, token: &str) -> Option<User> {
        let known = self.tokens.iter().find(|(known, _)| known == token);
        known.map(|(_, user)| user.clone()).or_else(|| self.others.authenticate(token))
    }
}
