//! Connections to the ports of a pod, over either wire format.
//!
//! Invariant: one failing connection is told on its error stream and harms no other.
//!
//! Mirrors: `kubernetes/pkg/kubelet/server/portforward`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::lane::{Gone, Inlet, Outlet, PIECE};
use super::spdy;
use super::websocket::Channel;
use crate::stream::PodStreams;

/// The most halves of pairs whose other half has not come.
const MAX_WAITING: usize = 100;

/// A pod whose ports are reached.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) streams: Arc<dyn PodStreams>,
    pub(crate) object: Arc<Value>,
}

/// Serves the channels of a WebSocket: two for each port, data and errors, each of which begins with
/// the port.
pub(crate) async fn channels(pod: Pod, ports: Vec<u16>, channels: Vec<Channel>) {
    let mut running = FuturesUnordered::new();
    let mut channels = channels.into_iter();
    for port in ports {
        let (Some(mut data), Some(mut errors)) = (channels.next(), channels.next()) else { return };
        let pod = pod.clone();
        running.push(async move {
            let name = Bytes::copy_from_slice(&port.to_le_bytes());
            for outlet in [&mut data.outlet, &mut errors.outlet] {
                if outlet.send(name.clone()).await.is_err() {
                    return;
                }
            }
            forward(pod, port, data.inlet, data.outlet, errors.outlet).await;
        });
    }
    while running.next().await.is_some() {}
}

/// Serves the streams of a SPDY connection: one for data and one for errors per connection.
pub(crate) async fn streams(pod: Pod, mut opened: mpsc::Receiver<spdy::Stream>) {
    let mut waiting: BTreeMap<String, spdy::Stream> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        let stream = tokio::select! {
            stream = opened.recv() => stream,
            Some(()) = running.next() => continue,
        };
        let Some(stream) = stream else { return };
        let Some(key) = pair_key(&stream) else { continue };
        let Some(other) = waiting.remove(&key) else {
            if waiting.len() < MAX_WAITING {
                waiting.insert(key, stream);
            }
            continue;
        };
        if let Some((data, errors)) = sorted(stream, other)
            && let Ok(port) = data.header("port").parse()
        {
            running.push(forward(pod.clone(), port, data.inlet, data.outlet, errors.outlet));
        }
    }
}

/// What the two streams of one connection share. Old clients send no request id and open the error
/// stream first, whose id is two less.
fn pair_key(stream: &spdy::Stream) -> Option<String> {
    let id = stream.inlet.id();
    let number = match (stream.header("requestid"), stream.header("streamtype")) {
        ("", "error") => format!("#{id}"),
        ("", "data") => format!("#{}", id.saturating_sub(2)),
        (request, "error" | "data") => request.to_owned(),
        _ => return None,
    };
    Some(number)
}

fn sorted(one: spdy::Stream, other: spdy::Stream) -> Option<(spdy::Stream, spdy::Stream)> {
    let kinds = (one.header("streamtype"), other.header("streamtype"));
    match kinds {
        ("data", "error") => Some((one, other)),
        ("error", "data") => Some((other, one)),
        _ => None,
    }
}

async fn forward(pod: Pod, port: u16, data: Inlet, mut back: Outlet, mut errors: Outlet) {
    match pod.streams.connect(&pod.object, port).await {
        Ok(mut connection) => {
            let (read, write) = tokio::io::split(&mut connection);
            // The pod's end ends the connection; the client's only its half.
            let inwards = async {
                upload(data, write).await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = inwards => {}
                _ = download(read, &mut back) => {}
            }
        }
        Err(text) => {
            let text = format!(
                "error forwarding port {port} to pod {}, uid {}: {text}",
                pod.object.name(),
                pod.object.str_at(&["metadata", "uid"]),
            );
            errors.send(Bytes::from(text)).await.ok();
        }
    }
    errors.end().await;
    back.end().await;
}

async fn upload(mut from: Inlet, mut to: impl AsyncWrite + Unpin) {
    while let Some(bytes) = from.next().await {
        if to.write_all(&bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    drop(to.shutdown().await);
}

async fn download(mut from: impl AsyncRead + Unpin, to: &mut Outlet) -> Result<(), Gone> {
    let mut buffer = BytesMut::with_capacity(PIECE);
    loop {
        buffer.reserve(PIECE);
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => to.send(buffer.split().freeze()).await?,
        }
    }
}
