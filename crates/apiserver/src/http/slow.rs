//! Clients that read slowly or not at all.
//!
//! A large answer is fed to its connection piece by piece, and only the piece under way is held in
//! buffers that nobody else shares; whoever takes no piece for a while loses the rest. A socket that
//! takes no byte for much longer is closed.
//!
//! Invariant: what a client that has stopped reading holds does not grow, and ends.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// How long a client may leave a piece of a large answer where it is.
const PIECE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a socket may refuse to take a byte: someone may be reading a log in a pager.
const WRITE_TIMEOUT: Duration = Duration::from_mins(15);
/// The size of a piece.
pub(crate) const PIECE: usize = 128 * 1024;

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The client left the answer where it was.
#[derive(Debug, thiserror::Error)]
#[error("the client stopped reading")]
pub(crate) struct Stalled;

/// The receiving end of an answer that is fed.
pub(crate) struct Fed {
    pieces: mpsc::Receiver<Bytes>,
    /// How many bytes are to come, where that is known.
    left: Option<u64>,
    /// Set when the last piece has been handed over.
    complete: Arc<AtomicBool>,
}

impl Fed {
    /// Feeds `pieces`, which have `length` bytes together if that is known.
    pub(crate) fn new(
        length: Option<usize>,
        pieces: impl Iterator<Item = Bytes> + Send + 'static,
    ) -> Self {
        Self::within(PIECE_TIMEOUT, length, pieces)
    }

    fn within(
        timeout: Duration,
        length: Option<usize>,
        pieces: impl Iterator<Item = Bytes> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let complete = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&complete);
        drop(world::edge::spawn(async move {
            let fed = feed(timeout, pieces, &sender).await;
            done.store(fed, Ordering::Release);
            drop(sender);
        }));
        Self { pieces: receiver, left: length.map(|length| length as u64), complete }
    }

    /// How many bytes are to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        self.left
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Stalled>>> {
        Poll::Ready(match ready!(self.pieces.poll_recv(cx)) {
            Some(piece) => {
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                Some(Ok(piece))
            }
            None if self.complete.load(Ordering::Acquire) => None,
            None => Some(Err(Stalled)),
        })
    }
}

/// Whether all pieces were taken.
async fn feed(
    timeout: Duration,
    pieces: impl Iterator<Item = Bytes>,
    sender: &mpsc::Sender<Bytes>,
) -> bool {
    for piece in pieces {
        match world::edge::timeout(timeout, sender.send(piece)).await {
            Some(Ok(())) => {}
            // The connection is gone.
            Some(Err(_)) => return false,
            None => {
                tracing::debug!("a client stopped reading a large answer");
                return false;
            }
        }
    }
    true
}

/// Copies of the pieces of `bytes`: a piece on its way must not keep the whole alive.
pub(crate) fn pieces(bytes: Bytes) -> impl Iterator<Item = Bytes> + Send {
    (0..bytes.len())
        .step_by(PIECE)
        .map(move |from| Bytes::copy_from_slice(&bytes[from..bytes.len().min(from + PIECE)]))
}

/// Puts small parts together to pieces; the parts are let go of as they are taken.
pub(crate) fn gather(
    parts: impl Iterator<Item = Bytes> + Send,
) -> impl Iterator<Item = Bytes> + Send {
    let mut parts = parts.peekable();
    std::iter::from_fn(move || {
        parts.peek()?;
        let mut piece = Vec::with_capacity(PIECE + PIECE / 8);
        while piece.len() < PIECE {
            let Some(part) = parts.next() else { break };
            piece.extend_from_slice(&part);
        }
        Some(Bytes::from(piece))
    })
}

/// A stream whose writes must get on.
pub(crate) struct Patient<S> {
    stream: S,
    timeout: Duration,
    /// Runs while a write is waiting.
    deadline: Option<Sleep>,
}

impl<S: fmt::Debug> fmt::Debug for Patient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, timeout: WRITE_TIMEOUT, deadline: None }
    }

    /// Notes how a write went; one that waits too long fails.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.deadline = None;
            return outcome;
        }
        let timeout = self.timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(world::edge::sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    fn tokio() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    async fn next(fed: &mut Fed) -> Option<Result<Bytes, Stalled>> {
        std::future::poll_fn(|cx| fed.poll(cx)).await
    }

    #[test]
    fn an_answer_arrives_whole_in_pieces() {
        let text: Vec<u8> = (0..PIECE * 2 + 5).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let parts = text.chunks(1000).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        tokio().block_on(async {
            let whole = Fed::new(Some(text.len()), pieces(Bytes::from(text.clone())));
            for mut fed in [whole, Fed::new(None, gather(parts.into_iter()))] {
                let (mut got, mut count) = (Vec::new(), 0);
                while let Some(piece) = next(&mut fed).await {
                    got.extend_from_slice(&piece.unwrap());
                    count += 1;
                }
                assert!(
                    got == text && count <= 3 && fed.left().is_none_or(|left| left == 0),
                    "{count} pieces"
                );
            }
        });
    }

    #[test]
    fn what_nobody_takes_is_let_go() {
        tokio().block_on(async {
            let all = Bytes::from(vec![0; PIECE * 100]);
            let mut fed = Fed::within(SHORT, Some(all.len()), pieces(all.clone()));
            assert!(next(&mut fed).await.unwrap().is_ok());
            while !all.is_unique() {
                tokio::task::yield_now().await;
            }
            assert!(next(&mut fed).await.unwrap().is_ok(), "one piece was under way");
            assert!(next(&mut fed).await.unwrap().is_err());
        });
    }

    #[test]
    fn a_socket_that_takes_nothing_is_given_up() {
        tokio().block_on(async {
            let (near, far) = tokio::io::duplex(16);
            let mut patient = Patient { timeout: SHORT, ..Patient::new(near) };
            let error = patient.write_all(&[0; 64]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            drop(far);
        });
    }
}
