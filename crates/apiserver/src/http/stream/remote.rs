//! A process and its client: `exec` and `attach` over either wire format.
//!
//! Invariant: the client gets all output before the status, and nothing after it.
//!
//! Mirrors: `kubernetes/pkg/kubelet/server/remotecommand`.

use std::time::Duration;

use apimachinery::Status;
use apimachinery::{Value, json};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::lane::{Inlet, Outlet};
use super::spdy;
use super::websocket::Channel;
use crate::stream::{Process, Stdio, TerminalSize};

/// How long a client may take to open the streams it has announced.
const STREAMS_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest announcement of a terminal's size.
const MAX_SIZE: usize = 1024;

/// How the end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A `Status` document, also on success: version 4 of the protocol and later.
    Document,
    /// A text, on failure only.
    Text,
}

/// The client's ends of a process.
#[derive(Debug)]
pub(crate) struct Ends {
    stdin: Option<Inlet>,
    stdout: Option<Outlet>,
    stderr: Option<Outlet>,
    status: Outlet,
    resize: Option<Inlet>,
    /// The ways back of what only comes in; dropping them would reset their streams.
    unused: Vec<Outlet>,
}

impl Ends {
    /// From the channels of a WebSocket: 0 to 4 are input, output, errors, status, size.
    pub(crate) fn of_channels(channels: Vec<Channel>, stdio: Stdio) -> Option<Self> {
        let [stdin, stdout, stderr, status, resize] = <[Channel; 5]>::try_from(channels).ok()?;
        Some(Self {
            stdin: stdio.stdin.then_some(stdin.inlet),
            stdout: stdio.stdout.then_some(stdout.outlet),
            stderr: stdio.stderr.then_some(stderr.outlet),
            status: status.outlet,
            resize: stdio.tty.then_some(resize.inlet),
            unused: Vec::new(),
        })
    }

    /// From the streams that a SPDY client opens; `None` when it does not open all it must.
    pub(crate) async fn of_streams(
        streams: &mut mpsc::Receiver<spdy::Stream>,
        stdio: Stdio,
        resizes: bool,
    ) -> Option<Self> {
        let gathered = Gathered::gather(streams, stdio, stdio.tty && resizes);
        let gathered = world::edge::timeout(STREAMS_TIMEOUT, gathered).await??;
        let mut unused = Vec::new();
        let mut keep = |stream: spdy::Stream| {
            unused.push(stream.outlet);
            stream.inlet
        };
        Some(Self {
            stdin: gathered.stdin.map(&mut keep),
            stdout: gathered.stdout.map(|stream| stream.outlet),
            stderr: gathered.stderr.map(|stream| stream.outlet),
            status: gathered.error?.outlet,
            resize: gathered.resize.map(&mut keep),
            unused,
        })
    }
}

/// The streams that a client has opened so far.
#[derive(Default)]
struct Gathered {
    stdin: Option<spdy::Stream>,
    stdout: Option<spdy::Stream>,
    stderr: Option<spdy::Stream>,
    error: Option<spdy::Stream>,
    resize: Option<spdy::Stream>,
}

impl Gathered {
    async fn gather(
        streams: &mut mpsc::Receiver<spdy::Stream>,
        stdio: Stdio,
        resize: bool,
    ) -> Option<Self> {
        let mut found = Self::default();
        while found.error.is_none()
            || (stdio.stdin && found.stdin.is_none())
            || (stdio.stdout && found.stdout.is_none())
            || (stdio.stderr && found.stderr.is_none())
            || (resize && found.resize.is_none())
        {
            let stream = streams.recv().await?;
            let place = match stream.header("streamtype") {
                "stdin" => &mut found.stdin,
                "stdout" => &mut found.stdout,
                "stderr" => &mut found.stderr,
                "error" => &mut found.error,
                "resize" => &mut found.resize,
                // Dropped, which resets it.
                _ => continue,
            };
            *place = Some(stream);
        }
        Some(found)
    }
}

/// Carries bytes between `process` and its client until the process has ended.
pub(crate) async fn run(process: Result<Process, Status>, ends: Ends, ending: Ending) {
    let Ends { stdin, stdout, stderr, status, resize, unused } = ends;
    let process = match process {
        Ok(process) => process,
        Err(refusal) => return tell(status, ending, &refusal.to_value()).await,
    };
    let Process { stdin: input, stdout: output, stderr: errors, resize: size, exit } = process;
    let outwards = async {
        tokio::join!(pour(output, stdout), pour(errors, stderr));
        exit.await
    };
    let inwards = async {
        tokio::join!(fill(stdin, input), turn(resize, size));
        std::future::pending::<()>().await;
    };
    let exit = tokio::select! {
        exit = outwards => exit,
        () = inwards => return,
    };
    let outcome = exit.unwrap_or_else(|_| Err("the container is gone".to_owned()));
    tell(status, ending, &outcome_status(outcome)).await;
    for outlet in unused {
        outlet.end().await;
    }
}

/// The process's output to the client.
async fn pour(mut from: mpsc::Receiver<Bytes>, to: Option<Outlet>) {
    let Some(mut to) = to else {
        // Unwanted output is read away.
        while from.recv().await.is_some() {}
        return;
    };
    while let Some(bytes) = from.recv().await {
        if to.send(bytes).await.is_err() {
            return;
        }
    }
    to.end().await;
}

/// The client's input to the process; its end is passed on.
async fn fill(from: Option<Inlet>, to: mpsc::Sender<Bytes>) {
    let Some(mut from) = from else { return };
    while let Some(bytes) = from.next().await {
        if to.send(bytes).await.is_err() {
            // Read away what the process does not take any more.
            while from.next().await.is_some() {}
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u16,
    height: u16,
}

/// The sizes of the client's terminal to the process.
async fn turn(from: Option<Inlet>, to: mpsc::Sender<TerminalSize>) {
    let Some(mut from) = from else { return };
    let mut text = BytesMut::new();
    while let Some(bytes) = from.next().await {
        text.extend_from_slice(&bytes);
        let (sizes, used) = sizes(&text);
        drop(text.split_to(used));
        for size in sizes {
            to.send(size).await.ok();
        }
        if text.len() > MAX_SIZE {
            text.clear();
        }
    }
}

/// The complete documents at the beginning of `text`, and how much of it they are.
fn sizes(text: &[u8]) -> (Vec<TerminalSize>, usize) {
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<Size>();
    let mut sizes = Vec::new();
    let mut used = 0;
    loop {
        match documents.next() {
            Some(Ok(Size { width, height })) => sizes.push(TerminalSize { width, height }),
            Some(Err(error)) if !error.is_eof() => return (sizes, text.len()),
            _ => return (sizes, used),
        }
        used = documents.byte_offset();
    }
}

/// What the client is told of the end of a process.
fn outcome_status(outcome: Result<i64, String>) -> Value {
    match outcome {
        Ok(0) => json!({"metadata": {}, "status": "Success"}),
        Ok(code) => json!({
            "metadata": {},
            "status": "Failure",
            "message": format!("command terminated with non-zero exit code: {code}"),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        Err(text) => {
            Status::internal(&format!("error executing command in container: {text}")).to_value()
        }
    }
}

async fn tell(mut to: Outlet, ending: Ending, status: &Value) {
    let text = match ending {
        Ending::Document => status.to_string(),
        Ending::Text if status["status"] == "Success" => String::new(),
        Ending::Text => status["message"].as_str().unwrap_or_default().to_owned(),
    };
    if to.send(Bytes::from(text)).await.is_ok() {
        to.end().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_in_any_pieces() {
        let whole = |width, height| TerminalSize { width, height };
        let text = b"{\"Width\":80,\"Height\":24}\n{\"Width\":100,\"Height\":40}\n{\"Wid";
        let (found, used) = sizes(text);
        assert_eq!(found, [whole(80, 24), whole(100, 40)]);
        assert_eq!(text[used..].trim_ascii_start(), b"{\"Wid");
        assert_eq!(sizes(b"nonsense"), (vec![], 8));
        assert_eq!(sizes(b""), (vec![], 0));
    }

    #[test]
    fn the_end_is_told_as_upstream_does() {
        let status = outcome_status(Ok(7));
        assert_eq!(status["message"], "command terminated with non-zero exit code: 7");
        assert_eq!(status["details"]["causes"][0], json!({"reason": "ExitCode", "message": "7"}));
        assert_eq!(outcome_status(Ok(0)), json!({"metadata": {}, "status": "Success"}));
        let failed = outcome_status(Err("no such container".to_owned()));
        assert_eq!(
            failed["message"],
            "Internal error occurred: error executing command in container: no such container"
        );
    }
}
