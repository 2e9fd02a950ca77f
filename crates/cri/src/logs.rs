//! Reading what containers write.
//!
//! Invariant: a stream is lazy; dropping it ends the reading.

use std::fmt::Debug;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use world::Time;

use crate::runtime::Error;

/// Pieces of a log; each holds whole lines where the runtime can tell.
pub type LogStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Which part of a log to read, in the words of the pod's `log` sub-resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Whether to go on until the container ends.
    pub follow: bool,
    /// Whether each line begins with its time.
    pub timestamps: bool,
    /// Only lines from then on.
    pub since: Option<Time>,
    /// Only the last so many lines of what is there.
    pub tail_lines: Option<usize>,
    /// End after so many bytes.
    pub limit_bytes: Option<usize>,
}

/// Opens containers' logs; shared between threads.
pub trait Logs: Send + Sync + Debug {
    /// The log of container `id`.
    ///
    /// # Errors
    /// [`Error::NoSuchContainer`] when the runtime does not know it (any more).
    fn open(&self, id: &str, options: &LogOptions) -> Result<LogStream, Error>;
}

/// One written line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) time: Time,
    pub(crate) text: String,
}

impl Line {
    /// The line as a reader gets it.
    pub(crate) fn render(&self, timestamps: bool) -> String {
        if timestamps {
            format!("{} {}\n", self.time.rfc3339_nano(), self.text)
        } else {
            format!("{}\n", self.text)
        }
    }
}

/// Where the lines of one container come from, for runtimes that keep them in this process.
pub(crate) trait LineSource: Send + Sync + Debug {
    /// Lines from the `from`th on that have been written by now, and whether more can come.
    fn lines(&self, id: &str, from: usize) -> Option<(Vec<Line>, bool)>;
    /// Calls `waker` when a line is written to `id` or it ends.
    fn wake_on_line(&self, id: &str, waker: &std::task::Waker);
}

/// A stream over a [`LineSource`].
pub(crate) fn line_stream(
    source: std::sync::Arc<dyn LineSource>,
    id: &str,
    options: &LogOptions,
) -> Result<LogStream, Error> {
    let Some((lines, _)) = source.lines(id, 0) else {
        return Err(Error::NoSuchContainer(id.to_owned()));
    };
    let start = options.tail_lines.map_or(0, |tail| lines.len().saturating_sub(tail));
    let reader = LineReader {
        source,
        id: id.to_owned(),
        next: start,
        until: if options.follow { usize::MAX } else { lines.len() },
        remaining: options.limit_bytes.unwrap_or(usize::MAX),
        options: options.clone(),
    };
    Ok(Box::pin(reader))
}

#[derive(Debug)]
struct LineReader {
    source: std::sync::Arc<dyn LineSource>,
    id: String,
    next: usize,
    until: usize,
    remaining: usize,
    options: LogOptions,
}

impl LineReader {
    fn render(&mut self, lines: &[Line]) -> Bytes {
        let since = self.options.since;
        let mut text = String::new();
        for line in lines.iter().filter(|line| since.is_none_or(|since| line.time >= since)) {
            text.push_str(&line.render(self.options.timestamps));
        }
        let mut bytes = text.into_bytes();
        bytes.truncate(self.remaining);
        self.remaining -= bytes.len();
        Bytes::from(bytes)
    }
}

impl Stream for LineReader {
    type Item = Bytes;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Bytes>> {
        use std::task::Poll;
        loop {
            if self.next >= self.until || self.remaining == 0 {
                return Poll::Ready(None);
            }
            // Registered before reading, so that a line written in between is not missed.
            if self.options.follow {
                self.source.wake_on_line(&self.id, cx.waker());
            }
            let Some((mut lines, more)) = self.source.lines(&self.id, self.next) else {
                return Poll::Ready(None);
            };
            lines.truncate(self.until - self.next);
            self.next += lines.len();
            if lines.is_empty() {
                return if more && self.options.follow { Poll::Pending } else { Poll::Ready(None) };
            }
            let bytes = self.render(&lines);
            if !bytes.is_empty() {
                return Poll::Ready(Some(bytes));
            }
        }
    }
}
