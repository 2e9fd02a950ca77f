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

use crate::access::Access;
use crate::handler::{self, State};
use crate::storage::Storage;
use crate::streams::Streams;
use crate::upload::Uploads;

/// Connections at one time.
const MAX_CONNECTIONS: usize = 512;

/// How long a request head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// What a registry needs.
#[derive(Debug)]
pub struct Config {
    /// Where to listen; a loopback address.
    pub listen: SocketAddr,
    /// Where the bytes are kept.
    pub directory: PathBuf,
    /// Who recognises callers by their tokens.
    pub authenticator: Arc<dyn Authenticator>,
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
}

impl Registry {
    /// Starts to listen; to be called within a tokio runtime.
    ///
    /// # Errors
    /// When the address or the directory cannot be used.
    pub fn start(server: &ApiServer, config: Config) -> Result<Self, Error> {
        let Config { listen, directory, authenticator } = config;
        if !listen.ip().is_loopback() {
            return Err(Error::NotLoopback(listen));
        }
        let storage =
            Storage::open(&directory).map_err(|error| Error::Directory(directory, error))?;
        let (listener, address) = bind(listen).map_err(|error| Error::Listen(listen, error))?;
        let state = State {
            access: Access { server: server.clone(), authenticator },
            streams: Streams::new(server.clone()),
            uploads: Uploads::new(storage.clone(), server.world().clone()),
            storage,
            manifests: parking_lot::Mutex::default(),
        };
        let (stop, stopped) = watch::channel(false);
        world::edge::spawn(accept(listener, Arc::new(state), stopped));
        Ok(Self { address, stop })
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and closes what is open.
    pub fn shut_down(self) {
        self.stop.send_replace(true);
    }
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(listener: TcpListener, state: Arc<State>, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            (Ok(slot), Ok((stream, _))) => {
                let (state, stop) = (Arc::clone(&state), stop.clone());
                world::edge::spawn(async move {
                    serve(stream, state, stop).await;
                    drop(slot);
                });
            }
            (_, Err(error)) => {
                // Out of file descriptors, or the peer went away: neither ends the registry.
                tracing::debug!(%error, "cannot accept a connection");
                world::edge::sleep(Duration::from_millis(20)).await;
            }
            (Err(_), _) => return,
        }
    }
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
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(%error, "a connection ended early");
            }
        }
        _ = stop.changed() => {}
    }
}
