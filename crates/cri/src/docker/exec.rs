//! Talking to containers through the engine.
//!
//! Invariant: a conversation is one task that ends when the process does or nobody listens.
//! Deviation: a port is reached at the pod's address, so a process that listens on the pod's
//! loopback interface only is not.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as EngineError;
use bollard::exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::{AttachContainerOptionsBuilder, ResizeContainerTTYOptionsBuilder};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use world::edge::sleep;

use super::{Shared, error, log, probe};
use crate::runtime::Error;
use crate::stream::{
    Connecting, Connection, Inside, Output, Process, Stdio, Streams, TerminalSize, pair,
};

/// How long connecting to a port may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Conversations with the containers of one cluster.
#[derive(Debug)]
pub(super) struct DockerStreams {
    shared: Arc<Shared>,
}

impl DockerStreams {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Runs `talk` on the engine's tokio runtime until it ends or the other side of `inside` is gone.
    fn spawn<F>(&self, inside: Inside, stdio: Stdio, talk: impl FnOnce(Arc<Shared>, Ends) -> F)
    where
        F: Future<Output = Result<i64, Error>> + Send + 'static,
    {
        let Inside { stdin, stdout, stderr, resize, mut exit } = inside;
        let ends = Ends { stdin, stdout, stderr, resize, stdio };
        let talk = talk(Arc::clone(&self.shared), ends);
        let _context = self.shared.handle.enter();
        drop(world::edge::spawn(async move {
            tokio::select! {
                result = talk => drop(exit.send(result)),
                () = exit.closed() => {}
            }
        }));
    }
}

/// What the task of a conversation holds.
struct Ends {
    stdin: mpsc::Receiver<Bytes>,
    stdout: Output,
    stderr: Output,
    resize: mpsc::Receiver<TerminalSize>,
    stdio: Stdio,
}

impl Streams for DockerStreams {
    fn exec(&self, id: &str, command: &[String], stdio: Stdio) -> Result<Process, Error> {
        let (process, inside) = pair(stdio);
        let (id, command) = (id.to_owned(), command.to_vec());
        self.spawn(
            inside,
            stdio,
            |shared, ends| async move { exec(&shared, &id, command, ends).await },
        );
        Ok(process)
    }

    fn attach(&self, id: &str, stdio: Stdio) -> Result<Process, Error> {
        let (process, inside) = pair(stdio);
        let id = id.to_owned();
        self.spawn(inside, stdio, |shared, ends| async move { attach(&shared, &id, ends).await });
        Ok(process)
    }

    fn connect(&self, ip: &str, port: u16) -> Connecting {
        let ip = ip.to_owned();
        Box::pin(async move {
            let stream = probe::connect(&ip, port, CONNECT_TIMEOUT).await?;
            Ok(Box::new(stream) as Box<dyn Connection>)
        })
    }
}

async fn exec(shared: &Shared, id: &str, command: Vec<String>, ends: Ends) -> Result<i64, Error> {
    let stdio = ends.stdio;
    let options = CreateExecOptions {
        attach_stdin: Some(stdio.stdin),
        attach_stdout: Some(stdio.stdout),
        attach_stderr: Some(stdio.stderr),
        tty: Some(stdio.tty),
        cmd: Some(command),
        ..CreateExecOptions::default()
    };
    let created = shared.docker.create_exec(id, options).await;
    let exec = created.map_err(|e| error::about(id, e))?.id;
    let options = StartExecOptions { tty: stdio.tty, ..StartExecOptions::default() };
    let started = shared.docker.start_exec(&exec, Some(options)).await;
    if let StartExecResults::Attached { output, input } = started.map_err(error::from_engine)? {
        talk(shared, output, input, ends, Terminal::Exec(&exec)).await;
    }
    exit_code(shared, &exec).await
}

/// The engine may need a moment to know that a process has ended.
async fn exit_code(shared: &Shared, exec: &str) -> Result<i64, Error> {
    for _ in 0..50 {
        let found = shared.docker.inspect_exec(exec).await.map_err(error::from_engine)?;
        match found.exit_code {
            Some(code) if found.running != Some(true) => return Ok(code),
            _ => sleep(Duration::from_millis(100)).await,
        }
    }
    Err(Error::Engine("the engine does not tell the exit code".to_owned()))
}

async fn attach(shared: &Shared, id: &str, ends: Ends) -> Result<i64, Error> {
    let stdio = ends.stdio;
    let options = AttachContainerOptionsBuilder::default()
        .stdin(stdio.stdin)
        .stdout(stdio.stdout)
        .stderr(stdio.stderr)
        .stream(true)
        .build();
    let attached = shared.docker.attach_container(id, Some(options)).await;
    let attached = attached.map_err(|e| error::about(id, e))?;
    talk(shared, attached.output, attached.input, ends, Terminal::Container(id)).await;
    Ok(0)
}

/// Whose terminal is meant.
#[derive(Debug, Clone, Copy)]
enum Terminal<'a> {
    Exec(&'a str),
    Container(&'a str),
}

impl Terminal<'_> {
    async fn resize(self, shared: &Shared, size: TerminalSize) -> Result<(), EngineError> {
        let TerminalSize { width, height } = size;
        match self {
            Self::Exec(id) => {
                shared.docker.resize_exec(id, ResizeExecOptions { height, width }).await
            }
            Self::Container(id) => {
                let (height, width) = (i32::from(height), i32::from(width));
                let options = ResizeContainerTTYOptionsBuilder::default().h(height).w(width);
                shared.docker.resize_container_tty(id, options.build()).await
            }
        }
    }
}

/// Passes the end of the input on. A terminal has none but a key for it, and the engine would end
/// its output too.
async fn end_input(mut input: Pin<&mut (dyn AsyncWrite + Send)>, stdio: Stdio) {
    const END_OF_TRANSMISSION: u8 = 4;
    let ended = match stdio {
        Stdio { stdin: false, .. } => Ok(()),
        Stdio { tty: true, .. } => input.write_all(&[END_OF_TRANSMISSION]).await,
        _ => input.shutdown().await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "cannot end the input of a process");
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<LogOutput, EngineError>> + Send>>;

/// Carries bytes both ways until the output ends.
async fn talk(
    shared: &Shared,
    mut output: Pieces,
    mut input: Pin<Box<dyn AsyncWrite + Send>>,
    ends: Ends,
    terminal: Terminal<'_>,
) {
    let Ends { mut stdin, stdout, stderr, resize: mut sizes, stdio } = ends;
    let inwards = async {
        while let Some(bytes) = stdin.recv().await {
            if input.write_all(&bytes).await.is_err() || input.flush().await.is_err() {
                break;
            }
        }
        end_input(input.as_mut(), stdio).await;
        std::future::pending::<()>().await;
    };
    let turning = async {
        while let Some(size) = sizes.recv().await {
            if let Err(error) = terminal.resize(shared, size).await {
                tracing::debug!(%error, "cannot resize a terminal");
            }
        }
        std::future::pending::<()>().await;
    };
    let outwards = async {
        while let Some(Ok(piece)) = output.next().await {
            let to = if matches!(piece, LogOutput::StdErr { .. }) { &stderr } else { &stdout };
            if to.send(log::bytes(piece)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = inwards => {}
        () = turning => {}
        () = outwards => {}
    }
}
