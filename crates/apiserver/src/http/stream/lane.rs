//! One logical stream of a connection that carries several: bytes in, bytes out.
//!
//! Both wire formats (SPDY streams, WebSocket channels) hand these to whoever uses them.
//!
//! Invariant: between wire and user there are bounded queues only. Who does not read stops the
//! peer; who cannot write waits.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use world::edge::timeout;

use super::spdy::Table;

/// What a writer is to put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    /// A stream that the peer opened is taken.
    Reply { id: u32 },
    /// Bytes of a stream, the last ones with `fin`.
    Data { id: u32, bytes: Bytes, fin: bool },
    /// A stream is refused or given up.
    Reset { id: u32, status: u32 },
    /// A sign of life, or the answer to one.
    Ping(u32),
    /// The peer may send so much more.
    WindowUpdate { id: u32, delta: u32 },
    /// The end of the connection; nothing is written after it.
    GoodBye { last: u32 },
}

/// How many packets wait for the wire, and how many pieces for a reader.
pub(crate) const QUEUE: usize = 16;
/// The largest piece that is written at once.
pub(crate) const PIECE: usize = 32 * 1024;
/// How long a peer may take to go after the end.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// The peer is gone, or does not want this stream any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The way to the peer.
#[derive(Debug)]
pub(crate) struct Outlet {
    id: u32,
    packets: mpsc::Sender<Packet>,
    /// For wire formats that count what may be sent.
    table: Option<Arc<Table>>,
    ended: bool,
}

impl Outlet {
    pub(crate) fn new(id: u32, packets: mpsc::Sender<Packet>, table: Option<Arc<Table>>) -> Self {
        Self { id, packets, table, ended: false }
    }

    /// Sends `bytes` as fast as the peer takes them.
    pub(crate) async fn send(&mut self, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let most = bytes.len().min(PIECE);
            let part = match &self.table {
                Some(table) => table.take_credit(self.id, most).await?,
                None => most,
            };
            let packet = Packet::Data { id: self.id, bytes: bytes.split_to(part), fin: false };
            self.packets.send(packet).await.map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes.
    pub(crate) async fn end(mut self) {
        self.ended = true;
        let packet = Packet::Data { id: self.id, bytes: Bytes::new(), fin: true };
        drop(self.packets.send(packet).await);
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        const CANCEL: u32 = 5;
        if !self.ended && self.table.is_some() {
            drop(self.packets.try_send(Packet::Reset { id: self.id, status: CANCEL }));
        }
        if let Some(table) = &self.table {
            table.ended_here(self.id);
        }
    }
}

/// What comes from the peer.
#[derive(Debug)]
pub(crate) struct Inlet {
    id: u32,
    pieces: mpsc::Receiver<Bytes>,
    /// For wire formats that count what may be sent.
    credit: Option<mpsc::Sender<Packet>>,
    read: u32,
}

impl Inlet {
    pub(crate) fn new(
        id: u32,
        pieces: mpsc::Receiver<Bytes>,
        credit: Option<mpsc::Sender<Packet>>,
    ) -> Self {
        Self { id, pieces, credit, read: 0 }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The next bytes; `None` when the peer has ended its half or is gone.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let bytes = self.pieces.recv().await?;
        self.read = self.read.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.give_credit();
        Some(bytes)
    }

    /// Lets the peer send as much again as was read; later when the wire is busy.
    fn give_credit(&mut self) {
        const STEP: u32 = 16 * 1024;
        let Some(packets) = self.credit.as_ref().filter(|_| self.read >= STEP) else { return };
        for id in [self.id, 0] {
            let Ok(place) = packets.try_reserve() else { return };
            place.send(Packet::WindowUpdate { id, delta: self.read });
        }
        self.read = 0;
    }
}

/// Runs a connection: `reader` ends when the peer is gone, `writer` after [`Packet::GoodBye`] or
/// when nothing can be written, `user` when all is done.
pub(crate) async fn converse(
    reader: impl Future<Output = ()>,
    writer: impl Future<Output = io::Result<()>>,
    user: impl Future<Output = ()>,
    packets: mpsc::Sender<Packet>,
) {
    let work = async move {
        let mut reader = pin!(reader);
        tokio::select! {
            () = user => {}
            () = reader.as_mut() => return,
        }
        drop(packets.send(Packet::GoodBye { last: 0 }).await);
        drop(packets);
        // What the peer still sends is read away, lest the system tell it of an error instead of
        // handing it the end.
        timeout(LINGER, reader).await;
    };
    let (mut work, mut writer) = (pin!(work), pin!(writer));
    tokio::select! {
        () = work.as_mut() => { timeout(LINGER, writer).await; }
        result = writer.as_mut() => {
            if result.is_ok() {
                timeout(LINGER, work).await;
            }
        }
    }
}
