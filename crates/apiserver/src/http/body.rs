//! The bytes of requests and answers.
//!
//! Invariant: no request body beyond [`MAX_REQUEST`] is ever held in memory.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use apimachinery::Status;
use apimachinery::status::Reason;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::slow::{self, Fed, Stalled};

/// The largest request body, as upstream's.
pub(crate) const MAX_REQUEST: usize = 3 * 1024 * 1024;

/// How much of an unwanted body is read away, and for how long: a client that sends a large file
/// should see the answer rather than a broken connection.
const MAX_DISCARDED: usize = 256 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(20);
/// Answers above this size are fed to their connection.
const FEED_FROM: usize = 512 * 1024;

/// How long a client may take to send a body.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A stream of byte chunks, e.g. a watch or a log.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The body of an answer: known bytes, known bytes that are fed, or a stream that is polled only as
/// fast as it is sent.
pub(crate) enum Body {
    Full(Bytes),
    Fed(Fed),
    Stream(Chunks),
}

impl Body {
    /// The same answer; when it is large it does not depend on its client to be let go of.
    pub(crate) fn fed(self) -> Self {
        match self {
            Self::Full(bytes) if bytes.len() > FEED_FROM => {
                Self::Fed(Fed::new(Some(bytes.len()), slow::pieces(bytes)))
            }
            other => other,
        }
    }

    /// An answer made of small parts.
    pub(crate) fn parts(parts: Vec<Bytes>) -> Self {
        let length = parts.iter().map(Bytes::len).sum();
        if length > FEED_FROM {
            return Self::Fed(Fed::new(Some(length), slow::gather(parts.into_iter())));
        }
        let mut whole = Vec::with_capacity(length);
        for part in parts {
            whole.extend_from_slice(&part);
        }
        Self::Full(Bytes::from(whole))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(bytes) => f.debug_tuple("Full").field(&bytes.len()).finish(),
            Self::Fed(fed) => f.debug_tuple("Fed").field(&fed.left()).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Stalled;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Stalled>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Fed(fed) => fed.poll(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
            Self::Stream(chunks) => {
                chunks.as_mut().poll_next(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Fed(fed) => fed.left() == Some(0),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Fed(fed) => fed.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Reads the whole body of a request, within the limits of size and time. What is too large is left
/// where it is.
pub(crate) async fn read(incoming: &mut Option<Incoming>) -> Result<Bytes, Status> {
    let announced = incoming.as_ref().map_or(0, |body| body.size_hint().lower());
    if announced > MAX_REQUEST as u64 {
        return Err(too_large());
    }
    let Some(body) = incoming.as_mut().filter(|body| !body.is_end_stream()) else {
        return Ok(Bytes::new());
    };
    let read = world::edge::timeout(READ_TIMEOUT, collect(body)).await;
    read.unwrap_or_else(|| {
        Err(Status::new(Reason::Timeout, "the client took too long to send the request body"))
    })
}

async fn collect(body: &mut Incoming) -> Result<Bytes, Status> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::bad_request(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > MAX_REQUEST {
            return Err(too_large());
        }
        // Most bodies are one frame: those are not copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Reads away a body nobody wanted while its answer is sent, so that the connection can go on; gives
/// up on long ones.
///
/// A client that is still sending when the connection closes may never see the answer.
pub(crate) fn discard(body: Incoming) {
    drop(world::edge::spawn(read_away(body)));
}

async fn read_away(mut body: Incoming) {
    let reading = async {
        let mut left = MAX_DISCARDED;
        while left > 0 {
            let Some(Ok(frame)) = body.frame().await else { return };
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        }
    };
    if world::edge::timeout(DISCARD_TIMEOUT, reading).await.is_none() {
        tracing::debug!("an unwanted request body did not end in time");
    }
}

fn too_large() -> Status {
    let text = format!("Request entity too large: limit is {MAX_REQUEST}");
    Status::new(Reason::RequestEntityTooLarge, text)
}
