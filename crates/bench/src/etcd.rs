//! The same bytes put into etcd, where it is installed: what the store under every Kubernetes API
//! server needs for them alone, without decoding, rules and watches.
//!
//! etcd keeps its files in memory where the machine has such a directory, so that no disk is
//! measured.
//!
//! Invariant: every put is answered before the next of its connection is sent, and its gRPC status
//! is checked.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::TcpStream;
use world::{World, edge};

use crate::figure::Peer;
use crate::program::Running;

const PROGRAM: &str = "/usr/bin/etcd";
const MEMORY: &str = "/dev/shm";
const POLL: Duration = Duration::from_millis(20);
const POLLS: usize = 500;

/// Puts `bodies` by so many connections at once; nothing where there is no etcd.
pub(crate) async fn puts(bodies: &[Bytes], connections: usize) -> Result<Option<Peer>> {
    if !Path::new(PROGRAM).is_file() {
        return Ok(None);
    }
    let (etcd, directory, address) = start()?;
    let mut senders = Vec::new();
    for _ in 0..connections {
        senders.push(connect(address).await?);
    }
    let world = World::real();
    let start = world.now();
    let mut tasks = Vec::new();
    for (first, mut sender) in senders.into_iter().enumerate() {
        let bodies: Vec<_> =
            bodies.iter().cloned().enumerate().skip(first).step_by(connections).collect();
        tasks.push(edge::spawn(async move {
            for (number, body) in bodies {
                put(&mut sender, address, &format!("/registry/pods/{number:05}"), &body).await?;
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let seconds = (world.now() - start).as_secs_f64();
    drop((etcd, directory));
    Ok(Some(Peer { name: "etcd, puts of the same bytes".to_owned(), value: seconds }))
}

fn start() -> Result<(Running, TempDir, SocketAddr)> {
    let memory = Path::new(MEMORY);
    let directory = if memory.is_dir() { TempDir::new_in(memory)? } else { TempDir::new()? };
    let free = || TcpListener::bind(("127.0.0.1", 0))?.local_addr();
    let (clients, peers) = (free()?, free()?);
    let mut command = Command::new(PROGRAM);
    command.arg("--data-dir").arg(directory.path().join("data")).stderr(Stdio::null());
    for flag in ["--listen-client-urls", "--advertise-client-urls"] {
        command.arg(flag).arg(format!("http://{clients}"));
    }
    for flag in ["--listen-peer-urls", "--initial-advertise-peer-urls"] {
        command.arg(flag).arg(format!("http://{peers}"));
    }
    command.arg("--initial-cluster").arg(format!("default=http://{peers}"));
    let running = Running::start(command.args(["--log-level", "fatal"]))?;
    Ok((running, directory, clients))
}

type Sender = SendRequest<Full<Bytes>>;

/// Connects once etcd has a leader, i.e. takes a put.
async fn connect(address: SocketAddr) -> Result<Sender> {
    for _ in 0..POLLS {
        if let Ok(stream) = TcpStream::connect(address).await {
            stream.set_nodelay(true)?;
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            drop(edge::spawn(connection));
            if put(&mut sender, address, "/ready", b"").await.is_ok() {
                return Ok(sender);
            }
        }
        edge::sleep(POLL).await;
    }
    anyhow::bail!("{PROGRAM} does not answer on {address}")
}

async fn put(sender: &mut Sender, address: SocketAddr, key: &str, value: &[u8]) -> Result<()> {
    let request = Request::post(format!("http://{address}/etcdserverpb.KV/Put"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(message(key.as_bytes(), value)?))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?.into_body().collect().await?;
    let status = answer.trailers().and_then(|trailers| trailers.get("grpc-status"));
    let status = status.context("an answer without a status")?;
    ensure!(status == "0", "a put ended with gRPC status {status:?}");
    Ok(())
}

/// `PutRequest {key = 1, value = 2}`, framed.
fn message(key: &[u8], value: &[u8]) -> Result<Bytes> {
    let mut request = BytesMut::new();
    for (tag, bytes) in [(0x0a, key), (0x12, value)] {
        request.put_u8(tag);
        let mut length = bytes.len();
        while length >= 0x80 {
            request.put_u8(u8::try_from(length & 0x7f)? | 0x80);
            length >>= 7;
        }
        request.put_u8(u8::try_from(length)?);
        request.put_slice(bytes);
    }
    let mut framed = BytesMut::with_capacity(request.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(request.len())?);
    framed.put(request);
    Ok(framed.freeze())
}
