//! Conversations with containers for the pods' `exec`, `attach` and `portforward`.

use std::sync::Arc;

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Reason, Status};
use apiserver::PodStreams;
use apiserver::stream::{Connecting, Connection, ExecOptions, Process, Stdio, TerminalSize};
use cri::Streams;
use tokio::sync::{mpsc, oneshot};

use crate::logs::container_id;

/// Finds the container of a pod by its status and talks to it through the runtime.
#[derive(Debug, Clone)]
pub struct RuntimeStreams {
    streams: Arc<dyn Streams>,
}

impl RuntimeStreams {
    /// Talks through `streams`, see [`cri::ContainerRuntime::streams`].
    #[must_use]
    pub fn new(streams: Arc<dyn Streams>) -> Self {
        Self { streams }
    }
}

fn id(pod: &Value, container: &str) -> Result<String, Status> {
    container_id(pod, container, false).ok_or_else(|| {
        Status::new(Reason::InternalError, format!("container not found ({container:?})"))
    })
}

fn stdio(wanted: Stdio) -> cri::stream::Stdio {
    let Stdio { stdin, stdout, stderr, tty } = wanted;
    cri::stream::Stdio { stdin, stdout, stderr, tty }
}

/// Failures are told as the kubelet tells those of its runtime.
fn refused(error: &cri::Error) -> Status {
    Status::internal(&format!("error executing command in container: {error}"))
}

/// The runtime's process in the words of the API server; both speak of the same queues.
fn process(inner: cri::Process) -> Process {
    let (resize, mut sizes) = mpsc::channel::<TerminalSize>(1);
    let (exit_sender, exit) = oneshot::channel();
    let (inner_resize, inner_exit) = (inner.resize, inner.exit);
    drop(world::edge::spawn(async move {
        let mut exit_sender = exit_sender;
        let resizing = async {
            while let Some(TerminalSize { width, height }) = sizes.recv().await {
                let size = cri::stream::TerminalSize { width, height };
                inner_resize.send(size).await.ok();
            }
            std::future::pending::<()>().await;
        };
        let result = tokio::select! {
            result = inner_exit => result,
            () = resizing => return,
            // Dropping the runtime's side ends the conversation there too.
            () = exit_sender.closed() => return,
        };
        if let Ok(result) = result {
            drop(exit_sender.send(result.map_err(|error| error.to_string())));
        }
    }));
    Process { stdin: inner.stdin, stdout: inner.stdout, stderr: inner.stderr, resize, exit }
}

impl PodStreams for RuntimeStreams {
    fn exec(&self, pod: &Value, container: &str, options: &ExecOptions) -> Result<Process, Status> {
        let id = id(pod, container)?;
        let started = self.streams.exec(&id, &options.command, stdio(options.stdio));
        started.map(process).map_err(|error| refused(&error))
    }

    fn attach(&self, pod: &Value, container: &str, wanted: Stdio) -> Result<Process, Status> {
        let id = id(pod, container)?;
        let joined = self.streams.attach(&id, stdio(wanted));
        joined.map(process).map_err(|error| refused(&error))
    }

    fn connect(&self, pod: &Value, port: u16) -> Connecting {
        let ip = pod.str_at(&["status", "podIP"]).to_owned();
        let streams = Arc::clone(&self.streams);
        Box::pin(async move {
            if ip.is_empty() {
                return Err("the pod has no address".to_owned());
            }
            let connection = streams.connect(&ip, port).await.map_err(|error| error.to_string())?;
            Ok(Box::new(connection) as Box<dyn Connection>)
        })
    }
}
