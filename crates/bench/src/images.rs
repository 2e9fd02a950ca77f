//! An image of 200 MB through the integrated registry, beside Debian's `docker-registry`.
//!
//! Both get the same requests from the same client on loopback, in turns: four layers, a config and a
//! manifest in; manifest and blobs out.
//!
//! Invariant: what comes out is counted byte by byte; a registry that sends less has no figure.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use apimachinery::json;
use apiserver::http::Authenticator;
use apiserver::{ApiServer, Call, User};
use registry::digest::Digest;
use registry::{Bound, Config, Registry};
use tempfile::TempDir;
use world::World;

use crate::figure::{Figure, Peer, Target, median};
use crate::program::Running;

const LAYERS: usize = 4;
const LAYER: usize = 50_000_000;
const ROUNDS: usize = 5;
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Where Debian's package puts its program.
const PEER: &str = "/usr/bin/docker-registry";

/// Measures pushes and pulls; the peer only where it is installed.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let world = World::real();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let directory = TempDir::new()?;
    let server = images::register(ApiServer::builder(world.clone())).build();
    apiserver::bootstrap(&server)?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dev"}});
    server.create(&Call::new(&User::system_admin(), &api::NAMESPACES), namespace)?;
    let config = Config {
        bound: Bound::to(([127, 0, 0, 1], 0).into())?,
        directory: directory.path().to_owned(),
        authenticator: Arc::new(Everyone),
        prunings: registry::prune::Prunings::default(),
    };
    let ours = {
        let _guard = tokio.enter();
        Registry::start(&server, config)?
    };
    let peer = Path::new(PEER).is_file().then(debian).transpose()?;
    let mut rates = Rates::default();
    let mut peers = Rates::default();
    for round in 0..ROUNDS {
        let image = Image::new(&world, round);
        rates.measure(&world, ours.addr(), &image)?;
        if let Some((_, _, address)) = &peer {
            peers.measure(&world, *address, &image)?;
        }
    }
    let installed = peer.is_some();
    rates.report(report, installed.then_some(peers));
    Ok(())
}

/// Megabytes per second of every round.
#[derive(Default)]
struct Rates {
    push: Vec<f64>,
    pull: Vec<f64>,
}

impl Rates {
    fn measure(&mut self, world: &World, address: SocketAddr, image: &Image) -> Result<()> {
        let rate = |start: world::Time| {
            let took = world.now().since(start).as_secs_f64();
            (LAYERS * LAYER) as f64 / 1e6 / took
        };
        let start = world.now();
        image.push(address)?;
        self.push.push(rate(start));
        let start = world.now();
        image.pull(address)?;
        self.pull.push(rate(start));
        Ok(())
    }

    fn report(self, report: &mut dyn FnMut(Figure), peers: Option<Self>) {
        let (push, pull) = (median(self.push), median(self.pull));
        let (pushed, pulled) = match peers {
            Some(peers) => (Some(median(peers.push)), Some(median(peers.pull))),
            None => (None, None),
        };
        let mut of = |name, ratio_name, value: f64, other: Option<f64>| {
            let figure = Figure::number(name, value, "MB/s");
            let Some(other) = other else { return report(figure) };
            report(figure.peer(Peer { name: "docker-registry".to_owned(), value: other }));
            report(Figure::number(ratio_name, value / other, "x").target(Target::AtLeast(0.8)));
        };
        of("registry.push-200-mb", "registry.push-ratio", push, pushed);
        of("registry.pull-200-mb", "registry.pull-ratio", pull, pulled);
    }
}

/// Lets everyone in: who may what is not what is measured.
#[derive(Debug)]
struct Everyone;

impl Authenticator for Everyone {
    fn authenticate(&self, _token: &str) -> Option<User> {
        Some(User::system_admin())
    }
}

/// Starts Debian's registry on a directory of its own.
fn debian() -> Result<(Running, TempDir, SocketAddr)> {
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let directory = TempDir::new()?;
    let config = directory.path().join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n\
         http: {{addr: \"{address}\"}}\n",
        directory.path().join("data").display()
    );
    fs::write(&config, text)?;
    let mut command = Command::new(PEER);
    let running =
        Running::start(command.arg("serve").arg(&config).stderr(std::process::Stdio::null()))?;
    for _ in 0..200 {
        if TcpStream::connect(address).is_ok() {
            return Ok((running, directory, address));
        }
        std::thread::park_timeout(Duration::from_millis(25));
    }
    anyhow::bail!("{PEER} does not listen on {address}")
}

/// An image that no registry has seen.
struct Image {
    blobs: Vec<(Digest, Vec<u8>)>,
    manifest: Vec<u8>,
}

impl Image {
    fn new(world: &World, round: usize) -> Self {
        let mut blobs: Vec<_> = (0..LAYERS).map(|_| noise(world)).collect();
        blobs.push(format!(r#"{{"os":"linux","round":{round}}}"#).into_bytes());
        let blobs: Vec<_> = blobs.into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
        let descriptor = |(digest, bytes): &(Digest, Vec<u8>), media_type: &str| json!({"digest": digest.to_string(), "size": bytes.len(), "mediaType": media_type});
        let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        let layers: Vec<_> = blobs[..LAYERS].iter().map(|blob| descriptor(blob, layer)).collect();
        let config = "application/vnd.docker.container.image.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(&blobs[LAYERS], config), "layers": layers,
        });
        Self { blobs, manifest: manifest.to_string().into_bytes() }
    }

    fn push(&self, address: SocketAddr) -> Result<()> {
        for (digest, bytes) in &self.blobs {
            let (_, location) = send(address, "POST", "/v2/dev/app/blobs/uploads/", "", b"")?;
            let path = relative(&location);
            let (_, location) = send(address, "PATCH", path, "application/octet-stream", bytes)?;
            let path = relative(&location);
            let query = if path.contains('?') { '&' } else { '?' };
            let (code, _) =
                send(address, "PUT", &format!("{path}{query}digest={digest}"), "", b"")?;
            ensure!(code == 201, "a blob was answered {code}");
        }
        let path = "/v2/dev/app/manifests/latest";
        let (code, _) = send(address, "PUT", path, MANIFEST, &self.manifest)?;
        ensure!(code == 201, "the manifest was answered {code}");
        Ok(())
    }

    fn pull(&self, address: SocketAddr) -> Result<()> {
        receive(address, "/v2/dev/app/manifests/latest", self.manifest.len())?;
        for (digest, bytes) in &self.blobs {
            receive(address, &format!("/v2/dev/app/blobs/{digest}"), bytes.len())?;
        }
        Ok(())
    }
}

/// Bytes that no compression makes smaller.
fn noise(world: &World) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LAYER + 8);
    while bytes.len() < LAYER {
        bytes.extend_from_slice(&world.random_u64().to_le_bytes());
    }
    bytes.truncate(LAYER);
    bytes
}

fn relative(location: &str) -> &str {
    let path =
        location.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    path.unwrap_or(location)
}

fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let accept = if path.contains("/manifests/") { MANIFEST } else { "*/*" };
    let kind = if content_type.is_empty() {
        String::new()
    } else {
        format!("Content-Type: {content_type}\r\n")
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAccept: {accept}\r\n\
         Authorization: Bearer bench\r\n{kind}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    Ok(BufReader::with_capacity(1 << 18, stream))
}

/// Reads the head of an answer: its code and its `Location`.
fn head(reader: &mut BufReader<TcpStream>) -> Result<(u16, String)> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let code = line.split(' ').nth(1).context("no status line")?.parse()?;
    let mut location = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("location") => {
                value.clone_into(&mut location);
            }
            Some(_) => {}
            None => return Ok((code, location)),
        }
    }
}

fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(u16, String)> {
    let mut reader = request(address, method, path, content_type, body)?;
    let answer = head(&mut reader)?;
    std::io::copy(&mut reader, &mut std::io::sink())?;
    Ok(answer)
}

fn receive(address: SocketAddr, path: &str, expected: usize) -> Result<()> {
    let mut reader = request(address, "GET", path, "", b"")?;
    let (code, _) = head(&mut reader)?;
    ensure!(code == 200, "{path} was answered {code}");
    let mut piece = vec![0; 1 << 18];
    let mut received = 0;
    loop {
        let count = reader.read(&mut piece)?;
        if count == 0 {
            break;
        }
        received += count;
    }
    ensure!(received == expected, "{path} has {received} bytes, not {expected}");
    Ok(())
}
