//! SPDY/3.1, the server's side: streams that the peer opens on one connection.
//!
//! Invariant: ids only grow; at most [`MAX_STREAMS`] streams are open; a broken frame ends the
//! connection.
//! Deviation: what is sent is held to the peer's window only once the peer has shown that it keeps
//! one. The library that Kubernetes' clients use never announces any credit.

pub(in crate::http) mod frame;
mod header_block;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};

use self::frame::{Decoder, Encoder, Frame};
pub(crate) use self::header_block::Headers;
use super::lane::{self, Gone, Inlet, Outlet, Packet, QUEUE};

/// The most streams open at once.
const MAX_STREAMS: usize = 1000;
/// The window of a stream and of a connection before anyone says otherwise.
const INITIAL_WINDOW: i64 = 64 * 1024;
/// How often a silent connection is tried.
const PING_EVERY: Duration = Duration::from_secs(60);

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 3;

/// A stream that the peer has opened.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) headers: Headers,
    pub(crate) inlet: Inlet,
    pub(crate) outlet: Outlet,
}

impl Stream {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// The streams of one connection and what may be sent on them.
#[derive(Debug)]
pub(crate) struct Table {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    streams: BTreeMap<u32, Entry>,
    last: u32,
    /// Whether the peer keeps windows.
    windows: bool,
    initial: i64,
    session: i64,
}

#[derive(Debug)]
struct Entry {
    /// Where its bytes go, until the peer ends its half.
    input: Option<mpsc::Sender<Bytes>>,
    /// Whether this side has ended its half.
    ended_here: bool,
    window: i64,
}

impl Table {
    fn new() -> Self {
        let state = State {
            streams: BTreeMap::new(),
            last: 0,
            windows: false,
            initial: INITIAL_WINDOW,
            session: INITIAL_WINDOW,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Takes up to `most` bytes of credit of stream `id`, as soon as there is some.
    pub(crate) async fn take_credit(&self, id: u32, most: usize) -> Result<usize, Gone> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(part) = self.state.lock().credit(id, most)? {
                return Ok(part);
            }
            changed.await;
        }
    }

    /// This side has ended its half of `id`.
    pub(crate) fn ended_here(&self, id: u32) {
        let mut state = self.state.lock();
        if let Some(entry) = state.streams.get_mut(&id) {
            entry.ended_here = true;
            if entry.input.is_none() {
                state.streams.remove(&id);
            }
        }
    }

    /// Whether a stream with `id` may be opened; `Err` with the reset's status, `Ok(None)` when the
    /// connection is broken.
    fn open(&self, id: u32, input: Option<mpsc::Sender<Bytes>>) -> Result<Option<()>, u32> {
        let mut state = self.state.lock();
        if id.is_multiple_of(2) || id <= state.last {
            return Ok(None);
        }
        state.last = id;
        if state.streams.len() >= MAX_STREAMS {
            return Err(REFUSED_STREAM);
        }
        let window = state.initial;
        state.streams.insert(id, Entry { input, ended_here: false, window });
        Ok(Some(()))
    }

    fn input(&self, id: u32) -> Option<mpsc::Sender<Bytes>> {
        self.state.lock().streams.get(&id)?.input.clone()
    }

    /// The peer has ended its half of `id`.
    fn ended_there(&self, id: u32) {
        let mut state = self.state.lock();
        if let Some(entry) = state.streams.get_mut(&id) {
            entry.input = None;
            if entry.ended_here {
                state.streams.remove(&id);
            }
        }
    }

    fn reset(&self, id: u32) {
        self.state.lock().streams.remove(&id);
        self.changed.notify_waiters();
    }

    fn set_initial_window(&self, value: u32) {
        let mut state = self.state.lock();
        let change = i64::from(value) - state.initial;
        state.windows = true;
        state.initial += change;
        for entry in state.streams.values_mut() {
            entry.window += change;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn update_window(&self, id: u32, delta: u32) {
        const MOST: i64 = i32::MAX as i64;
        let mut state = self.state.lock();
        state.windows = true;
        let window = match id {
            0 => Some(&mut state.session),
            id => state.streams.get_mut(&id).map(|entry| &mut entry.window),
        };
        if let Some(window) = window {
            *window = (*window + i64::from(delta)).min(MOST);
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

impl State {
    fn credit(&mut self, id: u32, most: usize) -> Result<Option<usize>, Gone> {
        let entry = self.streams.get_mut(&id).ok_or(Gone)?;
        let left = entry.window.min(self.session);
        let part = if self.windows { usize::try_from(left).unwrap_or(0).min(most) } else { most };
        let taken = i64::try_from(part).unwrap_or(i64::MAX);
        entry.window = entry.window.saturating_sub(taken);
        self.session = self.session.saturating_sub(taken);
        Ok((part > 0).then_some(part))
    }
}

/// Speaks SPDY on `io` with a peer whose streams `user` gets, until either is done.
pub(crate) async fn serve<T, U, F>(io: T, user: U)
where
    T: AsyncRead + AsyncWrite + Send,
    U: FnOnce(mpsc::Receiver<Stream>) -> F,
    F: Future<Output = ()>,
{
    let (read, write) = tokio::io::split(io);
    let (packets, queue) = mpsc::channel(QUEUE);
    let (opened, streams) = mpsc::channel(QUEUE);
    let reader = Reader { table: Arc::new(Table::new()), packets: packets.clone(), opened };
    let reading = async {
        if let Err(error) = reader.run(read).await {
            tracing::debug!(%error, "a SPDY connection ended early");
        }
    };
    lane::converse(reading, write_all(write, queue), user(streams), packets).await;
}

async fn write_all(
    mut write: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Packet>,
) -> io::Result<()> {
    let (mut encoder, mut out) = (Encoder::new(), BytesMut::new());
    let mut ping = 0_u32;
    loop {
        let packet = match world::edge::timeout(PING_EVERY, queue.recv()).await {
            Some(Some(packet)) => packet,
            Some(None) => break,
            None => {
                ping = ping.wrapping_add(2);
                Packet::Ping(ping)
            }
        };
        out.clear();
        encoder.put(&packet, &mut out);
        write.write_all(&out).await?;
        write.flush().await?;
        if matches!(packet, Packet::GoodBye { .. }) {
            break;
        }
    }
    write.shutdown().await
}

/// Why reading ended.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Frame(#[from] frame::Error),
    #[error("cannot read")]
    Read(#[from] io::Error),
    #[error("stream {0} was opened out of turn")]
    OutOfTurn(u32),
}

struct Reader {
    table: Arc<Table>,
    packets: mpsc::Sender<Packet>,
    opened: mpsc::Sender<Stream>,
}

impl Reader {
    async fn run(self, mut read: impl AsyncRead + Unpin) -> Result<(), Error> {
        let (mut decoder, mut bytes) = (Decoder::new(), BytesMut::new());
        loop {
            while let Some(frame) = decoder.next(&mut bytes)? {
                self.take(frame).await?;
            }
            bytes.reserve(lane::PIECE);
            if read.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn take(&self, frame: Frame) -> Result<(), Error> {
        match frame {
            Frame::SynStream { id, headers, fin } => return self.open(id, headers, fin).await,
            Frame::Data { id, bytes, fin } => {
                // Data of a stream that is over is read away.
                if let Some(input) = self.table.input(id).filter(|_| !bytes.is_empty()) {
                    drop(input.send(bytes).await);
                }
                if fin {
                    self.table.ended_there(id);
                }
            }
            Frame::Reset { id } => self.table.reset(id),
            // Even ones are answers to ours.
            Frame::Ping(id) if id % 2 == 1 => self.send(Packet::Ping(id)).await,
            Frame::InitialWindow(value) => self.table.set_initial_window(value),
            Frame::WindowUpdate { id, delta } => self.table.update_window(id, delta),
            Frame::Ping(_) | Frame::GoAway | Frame::Other => {}
        }
        Ok(())
    }

    async fn open(&self, id: u32, headers: Headers, fin: bool) -> Result<(), Error> {
        let (input, pieces) = mpsc::channel(QUEUE);
        match self.table.open(id, (!fin).then_some(input)) {
            Ok(None) => {
                self.send(Packet::Reset { id, status: PROTOCOL_ERROR }).await;
                return Err(Error::OutOfTurn(id));
            }
            Err(status) => self.send(Packet::Reset { id, status }).await,
            Ok(Some(())) => {
                self.send(Packet::Reply { id }).await;
                let inlet = Inlet::new(id, pieces, Some(self.packets.clone()));
                let table = Arc::clone(&self.table);
                let outlet = Outlet::new(id, self.packets.clone(), Some(table));
                drop(self.opened.send(Stream { headers, inlet, outlet }).await);
            }
        }
        Ok(())
    }

    async fn send(&self, packet: Packet) {
        drop(self.packets.send(packet).await);
    }
}
