//! The seam to whoever can run commands in containers, join them and reach their ports.
//!
//! Invariant: everything between the two sides of a [`Process`] is bounded, so a slow reader slows
//! the writer and nothing piles up.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use apimachinery::Status;
use apimachinery::Value;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

/// A command to run in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOptions {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Which of its streams are wanted.
    pub stdio: Stdio,
}

/// Which streams of a process are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stdio {
    /// Whether something can be written to it.
    pub stdin: bool,
    /// Whether its output is wanted.
    pub stdout: bool,
    /// Whether its error output is wanted; never together with `tty`.
    pub stderr: bool,
    /// Whether it has a terminal.
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

/// A process as the one who talks to it sees it. Dropping it ends the conversation.
#[derive(Debug)]
pub struct Process {
    /// Its standard input; dropping the sender is the end of the input.
    pub stdin: mpsc::Sender<Bytes>,
    /// Its standard output, ending when it does. Silent when it was not asked for.
    pub stdout: mpsc::Receiver<Bytes>,
    /// Its error output, likewise.
    pub stderr: mpsc::Receiver<Bytes>,
    /// Tells its terminal a new size.
    pub resize: mpsc::Sender<TerminalSize>,
    /// Its exit code once both outputs have ended, or why it could not run.
    pub exit: oneshot::Receiver<Result<i64, String>>,
}

/// A connection to a port of a pod.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Connection for T {}

/// A connection under way; its failure is the text that the client is told.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn Connection>, String>> + Send>>;

/// Opens conversations with running containers; called on tokio's threads.
pub trait PodStreams: Send + Sync + Debug {
    /// Runs a command in `container` of `pod`.
    ///
    /// # Errors
    /// When the container does not run. What goes wrong later is told by [`Process::exit`].
    fn exec(&self, pod: &Value, container: &str, options: &ExecOptions) -> Result<Process, Status>;

    /// Joins the main process of `container` of `pod`; its exit code is not told, only its end.
    ///
    /// # Errors
    /// When the container does not run.
    fn attach(&self, pod: &Value, container: &str, stdio: Stdio) -> Result<Process, Status>;

    /// Connects to `port` of `pod`.
    fn connect(&self, pod: &Value, port: u16) -> Connecting;
}
