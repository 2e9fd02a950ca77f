//! Talking to simulated containers.
//!
//! A command is answered by the image's script ([`super::Behaviour`]'s `exec`), else by a few
//! programs that every simulated container has ([`super::shell`]). Joining the main process gives
//! the lines that it writes from then on; its ports speak HTTP as the script says.
//!
//! Invariant: none of this changes what the simulated engine does next.
//! Deviation: this runs on the host's clock; virtual worlds have no clients that stream.

use std::sync::Arc;

use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream,
};

use super::shell::{Place, Shell};
use super::{HttpAnswer, Shared, SimControl};
use crate::logs::LineSource;
use crate::runtime::Error;
use crate::stream::{Connecting, Connection, Inside, Process, Stdio, Streams, follow_lines, pair};

/// The most that a line of a request, and its head, may be long.
const MAX_HEAD: u64 = 16 * 1024;
/// The most of a request's body that is read away.
const MAX_BODY: u64 = 4 * 1024 * 1024;
const BUFFER: usize = 64 * 1024;

/// Conversations with the containers of one simulated engine.
#[derive(Debug)]
pub(super) struct SimStreams(pub(super) Arc<Shared>);

impl SimStreams {
    fn place(&self, id: &str) -> Result<Place, Error> {
        let mut state = self.0.state.lock();
        let place = state.place(id).ok_or_else(|| Error::NoSuchContainer(id.to_owned()))?;
        place.ok_or_else(|| {
            Error::Engine(format!("Error response from daemon: Container {id} is not running"))
        })
    }
}

impl Streams for SimStreams {
    fn exec(&self, id: &str, command: &[String], stdio: Stdio) -> Result<Process, Error> {
        let place = self.place(id)?;
        if command.is_empty() {
            let text = "Error response from daemon: No exec command specified";
            return Err(Error::Engine(text.to_owned()));
        }
        let (process, inside) = pair(stdio);
        let command = command.to_vec();
        drop(world::edge::spawn(async move {
            let Inside { stdin, stdout, stderr, resize: _resize, mut exit } = inside;
            let shell = Shell::new(place, stdio.tty, stdin, stdout, stderr);
            tokio::select! {
                code = shell.main(command) => drop(exit.send(Ok(code))),
                () = exit.closed() => {}
            }
        }));
        Ok(process)
    }

    fn attach(&self, id: &str, stdio: Stdio) -> Result<Process, Error> {
        self.place(id)?;
        let source: Arc<dyn LineSource> = Arc::<Shared>::clone(&self.0);
        follow_lines(source, id, stdio)
    }

    fn connect(&self, ip: &str, port: u16) -> Connecting {
        let control = SimControl { shared: Arc::clone(&self.0) };
        let ip = ip.to_owned();
        Box::pin(async move {
            // Refused now when nobody answers at all.
            control.http_get(&ip, port, "/").map_err(|_| {
                Error::Connect(format!("dial tcp {ip}:{port}: connect: connection refused"))
            })?;
            let (near, far) = tokio::io::duplex(BUFFER);
            drop(world::edge::spawn(async move {
                let ask = |path: &str| control.http_get(&ip, port, path);
                drop(serve_http(far, ask).await);
            }));
            Ok(Box::new(near) as Box<dyn Connection>)
        })
    }
}

/// Answers HTTP/1 requests until the client ends or sends something else.
async fn serve_http(
    stream: DuplexStream,
    ask: impl Fn(&str) -> Result<HttpAnswer, Error>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream).await? {
        let Ok(answer) = ask(&request.path) else { return Ok(()) };
        let HttpAnswer { status, body, .. } = answer;
        let connection = if request.close { "close" } else { "keep-alive" };
        let head = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \
             {}\r\nConnection: {connection}\r\n\r\n",
            reason(status),
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        if !request.head_only {
            stream.write_all(body.as_bytes()).await?;
        }
        stream.flush().await?;
        if request.close {
            break;
        }
    }
    stream.shutdown().await
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

/// What of a request matters.
struct Request {
    path: String,
    head_only: bool,
    close: bool,
}

impl Request {
    async fn read(stream: &mut BufReader<DuplexStream>) -> std::io::Result<Option<Self>> {
        let mut head = (&mut *stream).take(MAX_HEAD);
        let mut first = String::new();
        if head.read_line(&mut first).await? == 0 {
            return Ok(None);
        }
        let mut words = first.split_whitespace();
        let (Some(method), Some(path), Some(version)) = (words.next(), words.next(), words.next())
        else {
            return Ok(None);
        };
        let mut request = Self {
            path: path.to_owned(),
            head_only: method == "HEAD",
            close: version == "HTTP/1.0",
        };
        let mut length = 0_u64;
        loop {
            let mut line = String::new();
            if head.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "connection" => request.close |= value.trim().eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let mut body = stream.take(length.min(MAX_BODY));
        tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        Ok(Some(request))
    }
}
