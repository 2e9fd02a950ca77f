//! WebSocket connections: numbered channels, and a tunnel for bytes.
//!
//! Invariant: a message is at most [`MAX_MESSAGE`] bytes; a longer one ends the connection.
//!
//! Mirrors: `k8s.io/apiserver/pkg/util/wsstream/conn.go`.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::lane::{self, Inlet, Outlet, PIECE, Packet, QUEUE};

/// How long nothing is said after the handshake. kubectl reads messages before it has set up its
/// streams and drops what belongs to none of them, so the output of a process that starts and ends at
/// once would be lost.
const SETTLE: Duration = Duration::from_millis(100);
/// The largest message taken.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// How often a silent connection is tried.
const PING_EVERY: Duration = Duration::from_secs(30);
/// The channel by which a client ends others.
const CLOSE: u8 = 255;

/// How messages of a channel look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// The channel is a digit, the rest is base64.
    pub(crate) base64: bool,
    /// Channel 255 ends the channel that it names.
    pub(crate) close: bool,
}

/// One numbered channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) inlet: Inlet,
    pub(crate) outlet: Outlet,
}

async fn accept<T: AsyncRead + AsyncWrite + Unpin>(io: T) -> WebSocketStream<T> {
    let config = WebSocketConfig::default()
        .read_buffer_size(PIECE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await
}

/// Speaks `count` numbered channels on `io`, which `user` gets, until either is done.
pub(crate) async fn serve<T, U, F>(io: T, format: Format, count: u8, user: U)
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
    U: FnOnce(Vec<Channel>) -> F,
    F: Future<Output = ()>,
{
    let (sink, messages) = accept(io).await.split();
    let (packets, queue) = mpsc::channel(QUEUE);
    let (mut inputs, mut channels) = (Vec::new(), Vec::new());
    for id in 0..u32::from(count) {
        let (input, pieces) = mpsc::channel(QUEUE);
        inputs.push(Some(input));
        let inlet = Inlet::new(id, pieces, None);
        channels.push(Channel { inlet, outlet: Outlet::new(id, packets.clone(), None) });
    }
    let reader = read_all(messages, format, inputs);
    lane::converse(reader, write_all(sink, queue, format), user(channels), packets).await;
}

async fn read_all<T: AsyncRead + AsyncWrite + Unpin>(
    mut messages: SplitStream<WebSocketStream<T>>,
    format: Format,
    mut inputs: Vec<Option<mpsc::Sender<Bytes>>>,
) {
    while let Some(Ok(message)) = messages.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::from(text),
            Message::Close(_) => return,
            // Pings are answered by the library.
            _ => continue,
        };
        match parse(format, &bytes) {
            Some(Piece::Data(channel, bytes)) => {
                if let Some(Some(input)) = inputs.get(usize::from(channel))
                    && !bytes.is_empty()
                {
                    drop(input.send(bytes).await);
                }
            }
            Some(Piece::Close(channel)) => {
                if let Some(input) = inputs.get_mut(usize::from(channel)) {
                    *input = None;
                }
            }
            None => {}
        }
    }
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Data(u8, Bytes),
    Close(u8),
}

fn parse(format: Format, message: &Bytes) -> Option<Piece> {
    let first = *message.first()?;
    let rest = message.slice(1..);
    if format.close && first == CLOSE {
        return rest.first().map(|channel| Piece::Close(*channel));
    }
    if format.base64 {
        let channel = first.checked_sub(b'0')?;
        return Some(Piece::Data(channel, STANDARD.decode(&rest).ok()?.into()));
    }
    Some(Piece::Data(first, rest))
}

fn compose(format: Format, id: u32, bytes: &[u8]) -> Message {
    let channel = u8::try_from(id).unwrap_or(CLOSE);
    if format.base64 {
        let digit = char::from(b'0'.saturating_add(channel));
        return Message::text(format!("{digit}{}", STANDARD.encode(bytes)));
    }
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.extend_from_slice(&[channel]);
    message.extend_from_slice(bytes);
    Message::Binary(message.freeze())
}

async fn write_all<T: AsyncRead + AsyncWrite + Unpin>(
    mut sink: SplitSink<WebSocketStream<T>, Message>,
    mut queue: mpsc::Receiver<Packet>,
    format: Format,
) -> io::Result<()> {
    world::edge::sleep(SETTLE).await;
    loop {
        let message = match world::edge::timeout(PING_EVERY, queue.recv()).await {
            None => Message::Ping(Bytes::new()),
            Some(Some(Packet::Data { id, bytes, .. })) if !bytes.is_empty() => {
                compose(format, id, &bytes)
            }
            Some(Some(Packet::GoodBye { .. }) | None) => break,
            Some(Some(_)) => continue,
        };
        sink.send(message).await.map_err(io::Error::other)?;
    }
    close(&mut sink).await
}

async fn close<T: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<WebSocketStream<T>, Message>,
) -> io::Result<()> {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    sink.send(Message::Close(Some(frame))).await.map_err(io::Error::other)
}

/// Carries the bytes of `inside` in binary messages on `io`, until either ends.
pub(crate) async fn tunnel<T: AsyncRead + AsyncWrite + Unpin>(io: T, inside: DuplexStream) {
    let (mut sink, mut messages) = accept(io).await.split();
    let (mut read, mut write) = tokio::io::split(inside);
    let inwards = async {
        while let Some(Ok(message)) = messages.next().await {
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Text(text) => Bytes::from(text),
                Message::Close(_) => break,
                _ => continue,
            };
            if write.write_all(&bytes).await.is_err() {
                break;
            }
        }
        drop(write.shutdown().await);
    };
    let outwards = async {
        let mut buffer = BytesMut::with_capacity(PIECE);
        loop {
            buffer.reserve(PIECE);
            match read.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let message = Message::Binary(buffer.split().freeze());
            if sink.send(message).await.is_err() {
                return;
            }
        }
        drop(close(&mut sink).await);
    };
    let (mut inwards, mut outwards) = (pin!(inwards), pin!(outwards));
    tokio::select! {
        () = inwards.as_mut() => {}
        () = outwards.as_mut() => { world::edge::timeout(lane::LINGER, inwards).await; }
    }
}

#[cfg(test)]
mod tests;
