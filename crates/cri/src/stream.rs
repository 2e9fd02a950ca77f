//! Talking to containers: commands run in them, their main process joined, their ports reached.
//!
//! Invariant: the queues of a [`Process`] are bounded, and dropping it ends the conversation.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use crate::logs::{LineSource, LogOptions, line_stream};
use crate::runtime::Error;

/// How many pieces wait between the two sides of a process.
const QUEUE: usize = 16;

/// Which streams of a process are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stdio {
    /// Whether something can be written to it.
    pub stdin: bool,
    /// Whether its output is wanted.
    pub stdout: bool,
    /// Whether its error output is wanted.
    pub stderr: bool,
    /// Whether it has a terminal; both outputs are one then.
    pub tty: bool,
}

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// A process as the one who talks to it sees it.
#[derive(Debug)]
pub struct Process {
    /// Its standard input; dropping the sender is the end of the input.
    pub stdin: mpsc::Sender<Bytes>,
    /// Its standard output, ending when it does; ended at once when it was not wanted.
    pub stdout: mpsc::Receiver<Bytes>,
    /// Its error output, likewise.
    pub stderr: mpsc::Receiver<Bytes>,
    /// Tells its terminal a new size.
    pub resize: mpsc::Sender<TerminalSize>,
    /// Its exit code once both outputs have ended, or why it could not run.
    pub exit: oneshot::Receiver<Result<i64, Error>>,
}

/// A connection to a port of a pod.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Connection for T {}

/// A connection under way.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn Connection>, Error>> + Send>>;

/// Opens conversations with containers; shared between threads, called on tokio's.
pub trait Streams: Send + Sync + Debug {
    /// Runs `command` in container `id`.
    ///
    /// # Errors
    /// When that is known to be impossible; later failures are told by [`Process::exit`].
    fn exec(&self, id: &str, command: &[String], stdio: Stdio) -> Result<Process, Error>;

    /// Joins the main process of container `id` from now on. Its exit code counts as 0.
    ///
    /// # Errors
    /// As for `exec`.
    fn attach(&self, id: &str, stdio: Stdio) -> Result<Process, Error>;

    /// Connects to `port` of the pod with address `ip`.
    fn connect(&self, ip: &str, port: u16) -> Connecting;
}

/// A process as the runtime that runs it sees it.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) stdin: mpsc::Receiver<Bytes>,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) resize: mpsc::Receiver<TerminalSize>,
    pub(crate) exit: oneshot::Sender<Result<i64, Error>>,
}

/// Where output goes; nowhere when it is not wanted.
#[derive(Debug)]
pub(crate) struct Output(Option<mpsc::Sender<Bytes>>);

/// The reader is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Output {
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        match &self.0 {
            Some(sender) if !bytes.is_empty() => sender.send(bytes).await.map_err(|_| Gone),
            _ => Ok(()),
        }
    }
}

/// The two sides of a process.
pub(crate) fn pair(stdio: Stdio) -> (Process, Inside) {
    let (stdin_sender, stdin) = mpsc::channel(QUEUE);
    let (stdout_sender, stdout) = mpsc::channel(QUEUE);
    let (stderr_sender, stderr) = mpsc::channel(QUEUE);
    let (resize_sender, resize) = mpsc::channel(QUEUE);
    let (exit_sender, exit) = oneshot::channel();
    let inside = Inside {
        stdin,
        stdout: Output(stdio.stdout.then_some(stdout_sender)),
        stderr: Output(stdio.stderr.then_some(stderr_sender)),
        resize,
        exit: exit_sender,
    };
    let process = Process { stdin: stdin_sender, stdout, stderr, resize: resize_sender, exit };
    (process, inside)
}

/// Lines as a terminal shows them.
pub(crate) fn terminal(text: Bytes, tty: bool) -> Bytes {
    if !tty {
        return text;
    }
    let mut shown = Vec::with_capacity(text.len() + 16);
    for byte in text {
        if byte == b'\n' {
            shown.push(b'\r');
        }
        shown.push(byte);
    }
    shown.into()
}

/// Joins a process whose output is lines of this program: those that are written from now on.
pub(crate) fn follow_lines(
    source: Arc<dyn LineSource>,
    id: &str,
    stdio: Stdio,
) -> Result<Process, Error> {
    let options = LogOptions { follow: true, tail_lines: Some(0), ..LogOptions::default() };
    let mut lines = line_stream(source, id, &options)?;
    let (process, inside) = pair(stdio);
    drop(world::edge::spawn(async move {
        let Inside { mut stdin, stdout, stderr, resize: _resize, mut exit } = inside;
        let output = async {
            while let Some(lines) = lines.next().await {
                if stdout.send(terminal(lines, stdio.tty)).await.is_err() {
                    return;
                }
            }
        };
        let input = async {
            // Nobody reads it.
            while stdin.recv().await.is_some() {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = output => {}
            () = input => {}
            () = exit.closed() => {}
        }
        drop((stdout, stderr));
        drop(exit.send(Ok(0)));
    }));
    Ok(process)
}
