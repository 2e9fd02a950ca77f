//! SPDY/3.1 frames: their bytes and back.
//!
//! Invariant: pure; no frame makes the decoder hold more than [`MAX_CONTROL`] bytes, unpack more than a
//! bounded header block, or panic. The payload of a data frame is handed on as it arrives.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::super::lane::Packet;
use super::header_block::Headers;
use super::header_block::{self, Inflater, Packer};

/// The largest control frame taken.
pub(super) const MAX_CONTROL: usize = 64 * 1024;
const VERSION: u16 = 3;
const FIN: u8 = 1;
const HEAD: usize = 8;
const ID_MASK: u32 = 0x7fff_ffff;

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    SynStream {
        id: u32,
        headers: Headers,
        fin: bool,
    },
    /// A part of a data frame; `fin` with the last part of the stream.
    Data {
        id: u32,
        bytes: Bytes,
        fin: bool,
    },
    Reset {
        id: u32,
    },
    Ping(u32),
    GoAway,
    /// The window that new streams begin with.
    InitialWindow(u32),
    WindowUpdate {
        id: u32,
        delta: u32,
    },
    /// Something without meaning for a server.
    Other,
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("SPDY version {0} is not 3")]
    Version(u16),
    #[error("a control frame of {0} bytes")]
    TooLarge(usize),
    #[error("a frame of type {0} is too short")]
    Short(u16),
    #[error(transparent)]
    Headers(#[from] header_block::Error),
}

/// The rest of a data frame.
#[derive(Debug, Clone, Copy)]
struct Payload {
    id: u32,
    left: usize,
    fin: bool,
}

/// Takes frames out of bytes.
#[derive(Debug)]
pub struct Decoder {
    inflater: Inflater,
    payload: Option<Payload>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self { inflater: Inflater::new(), payload: None }
    }

    /// The next frame of `bytes`, or `None` until there are more.
    ///
    /// # Errors
    /// When the connection cannot go on.
    pub fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, Error> {
        if let Some(payload) = self.payload.take() {
            return Ok(self.data(payload, bytes));
        }
        let Some(&[a, b, c, d, flags, e, f, g]) = bytes.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let word = u32::from_be_bytes([a, b, c, d]);
        let fin = flags & FIN != 0;
        let length = u32::from_be_bytes([0, e, f, g]) as usize;
        if a & 0x80 == 0 {
            bytes.advance(HEAD);
            let payload = Payload { id: word & ID_MASK, left: length, fin };
            return Ok(self.data(payload, bytes));
        }
        let version = u16::from_be_bytes([a & 0x7f, b]);
        if version != VERSION {
            return Err(Error::Version(version));
        }
        if length > MAX_CONTROL {
            return Err(Error::TooLarge(length));
        }
        if bytes.len() < HEAD + length {
            return Ok(None);
        }
        bytes.advance(HEAD);
        let body = bytes.split_to(length).freeze();
        self.control(u16::from_be_bytes([c, d]), fin, body).map(Some)
    }

    fn data(&mut self, payload: Payload, bytes: &mut BytesMut) -> Option<Frame> {
        let Payload { id, left, fin } = payload;
        if left == 0 {
            return Some(Frame::Data { id, bytes: Bytes::new(), fin });
        }
        if bytes.is_empty() {
            self.payload = Some(payload);
            return None;
        }
        let part = bytes.split_to(left.min(bytes.len())).freeze();
        let left = left - part.len();
        if left > 0 {
            self.payload = Some(Payload { left, ..payload });
        }
        Some(Frame::Data { id, bytes: part, fin: fin && left == 0 })
    }

    fn control(&mut self, kind: u16, fin: bool, mut body: Bytes) -> Result<Frame, Error> {
        let needed = match kind {
            1 => 10,
            3 | 7 | 9 => 8,
            2 | 4 | 6 | 8 => 4,
            _ => 0,
        };
        if body.len() < needed {
            return Err(Error::Short(kind));
        }
        match kind {
            1 => {
                let id = body.get_u32() & ID_MASK;
                body.advance(6);
                Ok(Frame::SynStream { id, headers: self.inflater.unpack(&body)?, fin })
            }
            // Nobody answers to a server; what their headers leave in the dictionary still counts.
            2 | 8 => {
                body.advance(4);
                self.inflater.unpack(&body)?;
                Ok(Frame::Other)
            }
            3 => Ok(Frame::Reset { id: body.get_u32() & ID_MASK }),
            4 => Ok(settings(body)),
            6 => Ok(Frame::Ping(body.get_u32())),
            7 => Ok(Frame::GoAway),
            9 => Ok(Frame::WindowUpdate {
                id: body.get_u32() & ID_MASK,
                delta: body.get_u32() & ID_MASK,
            }),
            _ => Ok(Frame::Other),
        }
    }
}

fn settings(mut body: Bytes) -> Frame {
    const INITIAL_WINDOW: u32 = 7;
    let mut count = body.get_u32();
    while count > 0 && body.len() >= 8 {
        let (id, value) = (body.get_u32() & 0x00ff_ffff, body.get_u32());
        if id == INITIAL_WINDOW {
            return Frame::InitialWindow(value & ID_MASK);
        }
        count -= 1;
    }
    Frame::Other
}

/// Turns frames into bytes.
#[derive(Debug)]
pub(super) struct Encoder {
    packer: Packer,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { packer: Packer::new() }
    }

    /// Appends `frame` to `out`; the payload of a data frame is at most 16 MiB.
    pub(super) fn put(&mut self, frame: &Packet, out: &mut BytesMut) {
        match frame {
            Packet::Reply { id } => {
                let block = self.packer.pack(&Headers::new());
                control(out, 2, 4 + block.len());
                out.put_u32(*id);
                out.put_slice(&block);
            }
            Packet::Data { id, bytes, fin } => {
                out.put_u32(*id);
                put_length(out, u8::from(*fin), bytes.len());
                out.put_slice(bytes);
            }
            Packet::Reset { id, status } => pair(out, 3, *id, *status),
            Packet::Ping(id) => {
                control(out, 6, 4);
                out.put_u32(*id);
            }
            Packet::GoodBye { last } => pair(out, 7, *last, 0),
            Packet::WindowUpdate { id, delta } => pair(out, 9, *id, *delta),
        }
    }
}

fn pair(out: &mut BytesMut, kind: u16, first: u32, second: u32) {
    control(out, kind, 8);
    out.put_u32(first);
    out.put_u32(second);
}

fn control(out: &mut BytesMut, kind: u16, length: usize) {
    out.put_u16(0x8000 | VERSION);
    out.put_u16(kind);
    put_length(out, 0, length);
}

fn put_length(out: &mut BytesMut, flags: u8, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX) & 0x00ff_ffff;
    out.put_u32(u32::from(flags) << 24 | length);
}
