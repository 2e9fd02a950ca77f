//! Reading containers' logs from the engine.

use std::sync::Arc;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::Shared;
use crate::logs::{LogOptions, LogStream, Logs};
use crate::runtime::Error;

#[derive(Debug)]
pub(super) struct DockerLogs {
    shared: Arc<Shared>,
}

impl DockerLogs {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

/// The bytes of one piece of output.
pub(super) fn bytes(output: LogOutput) -> Bytes {
    match output {
        LogOutput::StdErr { message }
        | LogOutput::StdOut { message }
        | LogOutput::StdIn { message }
        | LogOutput::Console { message } => message,
    }
}

impl Logs for DockerLogs {
    /// The log of a container that is not there is empty: that is known only when reading begins.
    fn open(&self, id: &str, options: &LogOptions) -> Result<LogStream, Error> {
        let since = options.since.map_or(0, world::Time::unix_seconds);
        let tail = options.tail_lines.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let query = LogsOptionsBuilder::default()
            .follow(options.follow)
            .stdout(true)
            .stderr(true)
            .timestamps(options.timestamps)
            .since(i32::try_from(since).unwrap_or(i32::MAX))
            .tail(&tail)
            .build();
        // A task pumps, so that whoever reads need not be on the engine's tokio runtime.
        let (sender, mut receiver) = mpsc::channel::<Bytes>(16);
        let (shared, id) = (Arc::clone(&self.shared), id.to_owned());
        let mut left = options.limit_bytes.unwrap_or(usize::MAX);
        let _context = self.shared.handle.enter();
        drop(world::edge::spawn(async move {
            let mut output = std::pin::pin!(shared.docker.logs(&id, Some(query)));
            while let Some(Ok(piece)) = output.next().await {
                let mut piece = bytes(piece);
                piece.truncate(left);
                left -= piece.len();
                if sender.send(piece).await.is_err() || left == 0 {
                    break;
                }
            }
        }));
        Ok(Box::pin(futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx))))
    }
}
