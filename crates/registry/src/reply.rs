//! Bodies of answers and requests.
//!
//! Invariant: of a file, two pieces at most are in memory: the one being sent and the next.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use apimachinery::Value;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::upload::{Next, Pieces};

/// An answer.
pub(crate) type Reply = Response<Either<Full<Bytes>, FileBody>>;

/// How much of a file is read at once, in bytes.
const PIECE: u64 = 1 << 18;

/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(60);

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    bytes(status, None, Bytes::new())
}

/// An answer with a JSON document.
pub(crate) fn json(status: StatusCode, document: &Value) -> Reply {
    let text = Bytes::from(document.to_string());
    bytes(status, Some("application/json; charset=utf-8"), text)
}

/// An answer with these bytes.
pub(crate) fn bytes(status: StatusCode, media_type: Option<&str>, content: Bytes) -> Reply {
    let length = content.len() as u64;
    let mut reply = Response::new(Either::Left(Full::new(content)));
    *reply.status_mut() = status;
    describe(&mut reply, media_type, length);
    reply
}

/// An answer with `length` bytes of a file from `start` on.
pub(crate) fn file(status: StatusCode, file: File, start: u64, length: u64) -> io::Result<Reply> {
    let body = FileBody::open(file, start, length)?;
    let mut reply = Response::new(Either::Right(body));
    *reply.status_mut() = status;
    describe(&mut reply, Some("application/octet-stream"), length);
    Ok(reply)
}

/// Says what a body is, also when a `HEAD` leaves it away.
pub(crate) fn describe(reply: &mut Reply, media_type: Option<&str>, length: u64) {
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(value) = media_type.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(CONTENT_TYPE, value);
    }
}

/// A part of a file, read ahead by one piece.
#[derive(Debug)]
pub(crate) struct FileBody {
    left: u64,
    reading: Option<JoinHandle<io::Result<(File, Bytes)>>>,
}

impl FileBody {
    fn open(mut file: File, start: u64, length: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(start))?;
        let reading = (length > 0).then(|| read(file, length));
        Ok(Self { left: length, reading })
    }
}

fn read(mut file: File, left: u64) -> JoinHandle<io::Result<(File, Bytes)>> {
    tokio::task::spawn_blocking(move || {
        let wanted = left.min(PIECE);
        let mut piece = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        file.by_ref().take(wanted).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((file, Bytes::from(piece)))
    })
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let result = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other);
        self.reading = None;
        let (file, piece) = result??;
        self.left = self.left.saturating_sub(piece.len() as u64);
        if self.left > 0 {
            self.reading = Some(read(file, self.left));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A request body, piece by piece.
#[derive(Debug)]
pub(crate) struct Arriving(pub(crate) Incoming);

impl Pieces for Arriving {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            loop {
                let frame = match world::edge::timeout(SILENCE, self.0.frame()).await {
                    None => return Some(Err(Error::body("nothing came for a minute"))),
                    Some(None) => return None,
                    Some(Some(Err(error))) => return Some(Err(Error::body(&error.to_string()))),
                    Some(Some(Ok(frame))) => frame,
                };
                if let Ok(piece) = frame.into_data() {
                    return Some(Ok(piece));
                }
            }
        })
    }
}

/// A whole request body of at most `limit` bytes.
pub(crate) async fn whole(body: Incoming, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Arriving(body);
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > limit {
            return Err(Error::body_too_large());
        }
    }
    Ok(bytes)
}
