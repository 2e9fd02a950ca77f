//! Measures the server over HTTPS with keep-alive, client and server in this process:
//! pod creates per second, and the time to list 1,000 pods.
//!
//! `load [CREATES] [CONNECTIONS]`; run it with `--release`.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apimachinery::json;
use apiserver::http::certs::Authority;
use apiserver::http::{Config, Server};
use apiserver::{ApiServer, User};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use world::World;

type Failure = Box<dyn Error + Send + Sync>;

const TOKEN: &str = "load";
const PODS: &str = "/api/v1/namespaces/default/pods";
const LISTS: u32 = 20;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let creates: usize = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let connections: usize = arguments.next().map_or(Ok(8), |text| text.parse())?;
    let api = ApiServer::builder(World::real()).build();
    apiserver::bootstrap(&api)?;
    let config =
        Config { tokens: vec![(TOKEN.to_owned(), User::system_admin())], ..Config::local()? };
    let connector = connector(&config.authority)?;
    let server = Server::start(api, config)?;
    let address = server.addr();

    let world = World::real();
    let mut connection = Connection::open(&connector, address).await?;
    for number in 0..1000 {
        connection.create(&format!("first-{number}")).await?;
    }
    let mut best = Duration::MAX;
    let mut bytes = 0;
    for _ in 0..LISTS {
        let start = world.now();
        bytes = connection.call("GET", PODS, "").await?;
        best = best.min(world.now() - start);
    }
    println!("list of 1000 pods: {best:?} ({bytes} bytes, best of {LISTS})");

    let next = Arc::new(AtomicUsize::new(0));
    let start = world.now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(&connector, address).await?;
        let next = Arc::clone(&next);
        tasks.push(world::edge::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= creates {
                    return Ok::<(), Failure>(());
                }
                connection.create(&format!("pod-{number}")).await?;
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    let took = world.now() - start;
    let rate = f64::from(u32::try_from(creates)?) / took.as_secs_f64();
    println!("pod creates: {rate:.0}/s ({creates} over {connections} connections in {took:?})");
    server.shutdown().await;
    Ok(())
}

fn connector(authority: &Authority) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A kept-alive HTTP/1.1 connection that sends one request at a time.
struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(
        connector: &TlsConnector,
        address: std::net::SocketAddr,
    ) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let stream = connector.connect(name, stream).await?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    async fn create(&mut self, name: &str) -> Result<(), Failure> {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "load", "tier": "front"}},
            "spec": {"containers": [{
                "name": "main",
                "image": "registry.test/load:1",
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
            }]},
        });
        self.call("POST", PODS, &pod.to_string()).await?;
        Ok(())
    }

    /// Sends a request and reads its answer; gives the length of the body.
    async fn call(&mut self, method: &str, path: &str, body: &str) -> Result<usize, Failure> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
        if !text.starts_with("http/1.1 20") {
            return Err(text.into());
        }
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .ok_or("an answer without length")?
            .parse::<usize>()?;
        while self.buffer.len() < head + length {
            self.fill().await?;
        }
        Ok(length)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(())
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
