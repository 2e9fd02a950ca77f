//! Sockets and connections of the registry: plain HTTP on loopback.
//!
//! Container engines accept a registry without TLS on loopback addresses only, which is where this
//! one listens.
//!
//! Invariant: what a client can hold is bounded: connections, the time for a request head, and the
//! silence in the middle of a body.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use apiserver::ApiServer;
use apiserver::http::Authenticator;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::access::Access;
use crate::handler::{self, State};
use crate::prune::Prunings;
use crate::storage::Storage;
use crate::streams::Streams;
use crate::upload::Uploads;

/// Connections at one time.
const MAX_CONNECTIONS: usize = 512;

/// How long a request head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests under way get when the registry ends.
const GRACE: Duration = Duration::from_secs(5);

/// An address that is listened on already, before there is anyone to answer: those who connect wait.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Listens on a loopback address.
    ///
    /// # Errors
    /// When the address is not one of loopback, or taken.
    pub fn to(address: SocketAddr) -> Result<Self, Error> {
        if !address.ip().is_loopback() {
            return Err(Error::NotLoopback(address));
        }
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind().map_err(|error| Error::Listen(address, error))
    }

    /// The address, with its port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

/// What a registry needs.
#[derive(Debug)]
pub struct Config {
    /// Where it listens.
    pub bound: Bound,
    /// Where the bytes are kept.
    pub directory: PathBuf,
    /// Who recognises callers by their tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Where pruning is asked for.
    pub prunings: Prunings,
}

/// Why a registry did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The directory cannot be used.
    #[error("cannot keep images in {0}")]
    Directory(PathBuf, #[source] io::Error),
    /// Engines refuse it without TLS.
    #[error("the registry listens on loopback addresses only, not on {0}")]
    NotLoopback(SocketAddr),
}

/// A running registry; it ends when this is dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// Ends when every connection has.
    accepting: JoinHandle<()>,
}

impl Registry {
    /// Starts to answer; to be called within a tokio runtime.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn start(server: &ApiServer, config: Config) -> Result<Self, Error> {
        let Config { bound: Bound { listener, address }, directory, authenticator, prunings } =
            config;
        let storage =
            Storage::open(&directory).map_err(|error| Error::Directory(directory, error))?;
        let listener =
            TcpListener::from_std(listener).map_err(|error| Error::Listen(address, error))?;
        let state = State {
            access: Access { server: server.clone(), authenticator },
            streams: Streams::new(server.clone()),
            uploads: Uploads::new(storage.clone(), server.world().clone()),
            storage,
            manifests: parking_lot::Mutex::default(),
        };
        let state = Arc::new(state);
        prunings.serve(&state);
        let (stop, stopped) = watch::channel(false);
        let accepting = world::edge::spawn(accept(listener, state, stopped));
        Ok(Self { address, stop, accepting })
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and waits for requests under way, for a few seconds at most.
    pub async fn shut_down(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.accepting.await {
            tracing::warn!(%error, "the registry did not end in order");
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Those that have ended are forgotten.
        while connections.try_join_next().is_some() {}
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = stop.changed() => break,
        };
        match accepted {
            (Ok(slot), Ok((stream, _))) => {
                let (state, stop) = (Arc::clone(&state), stop.clone());
                connections.spawn(async move {
                    serve(stream, state, stop).await;
                    drop(slot);
                });
            }
            (_, Err(error)) => {
                // Out of file descriptors, or the peer went away: neither ends the registry.
                tracing::debug!(%error, "cannot accept a connection");
                world::edge::sleep(Duration::from_millis(20)).await;
            }
            (Err(_), _) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, state: Arc<State>, mut stop: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended early");
        return;
    }
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(handler::answer(state, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => Some(result),
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            world::edge::timeout(GRACE, connection).await
        }
    };
    if let Some(Err(error)) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
