//! Sockets and connections: from `bind` to the last byte.
//!
//! One task accepts, one task per connection serves it; HTTP/2 streams run as tasks of their
//! connection. Everything stops when the [`Server`] is shut down or dropped.
//!
//! Invariant: what a client can hold is bounded: connections, headers, bodies, streams per
//! connection, and the time until a handshake or a request head is complete.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::auth::{Authenticator, Gate, Peer};
use super::certs::{self, Authority};
use super::kubeconfig::{Credential, Kubeconfig};
use super::site::Site;
use super::slow::Patient;
use super::tls::{self, Tls};
use super::{limit, respond, route};
use crate::{ApiServer, User};

/// As upstream: 400 reading and 200 writing.
const MAX_IN_FLIGHT: usize = 600;
/// Connections that have become streams of `exec`, `attach` or `portforward`.
const MAX_TURNED: usize = 1000;
const MAX_STREAMS: u32 = 250;
const MAX_HEADERS: u32 = 256 * 1024;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Also the longest a kept-alive HTTP/1 connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long requests under way may finish after [`Server::shutdown`].
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What can go wrong when a server starts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error(transparent)]
    Certificates(#[from] certs::Error),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

/// How a server listens and whom it recognises.
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Signs the serving certificate and the client certificates that count.
    pub authority: Authority,
    /// DNS names and addresses in the serving certificate besides the usual ones.
    pub serving_names: Vec<String>,
    /// Bearer tokens and whose they are.
    pub tokens: Vec<(String, User)>,
    /// Recognises further tokens.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// Answers paths that are no API, e.g. those of OAuth.
    pub site: Option<Arc<dyn Site>>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens are secrets.
        f.debug_struct("Config").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl Config {
    /// A server on a free port of the loopback interface with an authority of its own.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn local() -> Result<Self, Error> {
        Ok(Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            authority: Authority::generate()?,
            serving_names: Vec::new(),
            tokens: Vec::new(),
            authenticator: None,
            site: None,
        })
    }
}

/// What every request needs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) api: ApiServer,
    pub(crate) gate: Gate,
    pub(crate) site: Option<Arc<dyn Site>>,
    pub(crate) address: SocketAddr,
    /// One permit per request that is being answered, streams excepted.
    pub(crate) in_flight: Semaphore,
    /// One permit per connection that speaks another protocol by now.
    pub(crate) turned: Arc<Semaphore>,
    /// Turns true when the server stops; streams end then.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) ready: watch::Receiver<bool>,
}

/// A server that is listening.
pub struct Server {
    address: SocketAddr,
    authority: Authority,
    kubeconfig: String,
    ready: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    /// Closed when every connection has ended.
    connections: watch::Sender<()>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The kubeconfig holds a private key.
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens and serves `api` on the tokio runtime that the caller is in.
    ///
    /// # Errors
    /// When the address cannot be listened on or the certificates are unusable.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(api: ApiServer, config: Config) -> Result<Self, Error> {
        let listen_error = |source| Error::Listen { address: config.listen, source };
        let listener = listen(config.listen).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let mut names = config.serving_names;
        names.push(address.ip().to_string());
        let serving = config.authority.serving(&names)?;
        let tls = Arc::new(Tls::new(&serving, config.authority.certificate())?);
        let (stop, stopped) = watch::channel(false);
        let (ready, readiness) = watch::channel(true);
        let (connections, life) = watch::channel(());
        let gate = Gate::new(&config.tokens, config.authenticator);
        if let Some(site) = &config.site {
            site.opened(&format!("https://{}", reached(address)));
        }
        let state = Arc::new(State {
            api,
            gate,
            site: config.site,
            address,
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            turned: Arc::new(Semaphore::new(MAX_TURNED)),
            stop: stopped,
            ready: readiness,
        });
        world::edge::spawn(accept(listener, Shared { state, tls, _life: life }));
        let kubeconfig = admin_kubeconfig(&config.authority, address)?;
        let authority = config.authority;
        Ok(Self { address, authority, kubeconfig, ready, stop, connections })
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What signs for this server: client certificates that it signs are recognised.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The text of a kubeconfig for `system:admin`; see [`super::kubeconfig::write`].
    #[must_use]
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Sets what `/readyz` says; a new server is ready.
    pub fn set_ready(&self, ready: bool) {
        self.ready.send_replace(ready);
    }

    /// Stops accepting, ends watches and logs, lets other requests finish for a few seconds.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if world::edge::timeout(DRAIN_TIMEOUT, self.connections.closed()).await.is_none() {
            tracing::debug!("connections were still open at the end of the drain time");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Where clients on this machine reach what listens on `address`.
fn reached(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from(([127, 0, 0, 1], address.port()));
    }
    address
}

fn admin_kubeconfig(authority: &Authority, address: SocketAddr) -> Result<String, Error> {
    let groups = ["system:cluster-admins", "system:masters"];
    let admin = authority.client("system:admin", &groups)?;
    let kubeconfig = Kubeconfig {
        server: &format!("https://{}", reached(address)),
        authority: authority.certificate(),
        user: "system:admin",
        credential: Credential::Certificate(&admin),
        namespace: "default",
    };
    Ok(kubeconfig.render())
}

/// What every connection needs.
#[derive(Debug, Clone)]
struct Shared {
    state: Arc<State>,
    tls: Arc<Tls>,
    /// Held by every connection, see [`Server::shutdown`].
    _life: watch::Receiver<()>,
}

async fn accept(listener: TcpListener, shared: Shared) {
    let slots = Arc::new(Semaphore::new(limit::connections()));
    let mut stop = shared.state.stop.clone();
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
                world::edge::spawn(Box::pin(connection(shared.clone(), stream, slot)));
            }
            (_, Err(error)) => {
                // Out of file descriptors, or the peer went away: neither ends the server.
                tracing::debug!(%error, "cannot accept a connection");
                world::edge::sleep(Duration::from_millis(20)).await;
            }
            (Err(_), _) => return,
        }
    }
}

async fn connection(shared: Shared, stream: TcpStream, slot: OwnedSemaphorePermit) {
    if let Err(error) = serve(&shared, stream).await {
        tracing::debug!(error = %error, "a connection ended early");
    }
    drop(slot);
}

async fn serve(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let near = stream.peer_addr().is_ok_and(|address| address.ip().is_loopback());
    let mut stop = shared.state.stop.clone();
    let handshake = async {
        let mut first = [0_u8];
        stream.peek(&mut first).await?;
        if first[0].is_ascii_uppercase() {
            refuse_plain(&mut stream).await?;
            return Ok(None);
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&shared.tls.config));
        acceptor.accept(Patient::new(stream)).await.map(Some)
    };
    let accepted = tokio::select! {
        accepted = world::edge::timeout(HANDSHAKE_TIMEOUT, handshake) => accepted,
        _ = stop.changed() => return Ok(()),
    };
    let Some(tls) = accepted.ok_or(io::ErrorKind::TimedOut)?? else { return Ok(()) };
    let (_, session) = tls.get_ref();
    let peer = Arc::new(shared.tls.peer(session.peer_certificates()));
    let http2 = session.alpn_protocol() == Some(b"h2");
    let state = Arc::clone(&shared.state);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(respond::Near(near));
        handle(Arc::clone(&state), Arc::clone(&peer), request)
    });
    let builder = builder(http2, HEAD_TIMEOUT);
    let mut served = Box::pin(builder.serve_connection_with_upgrades(TokioIo::new(tls), service));
    let result = tokio::select! {
        result = served.as_mut() => Some(result),
        _ = stop.changed() => {
            served.as_mut().graceful_shutdown();
            world::edge::timeout(DRAIN_TIMEOUT, served).await
        }
    };
    result.unwrap_or(Ok(())).map_err(io::Error::other)
}

/// Answers a plain HTTP request on the TLS port as Go's server does.
async fn refuse_plain(stream: &mut TcpStream) -> io::Result<()> {
    let text = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

pub(super) fn builder(http2: bool, head_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

async fn handle(
    state: Arc<State>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Result<respond::Answer, Infallible> {
    Ok(route::answer(&state, &peer, request).await)
}
