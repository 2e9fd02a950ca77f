//! `exec`, `attach` and `portforward`: requests that turn their connection into streams.
//!
//! Reading order: this file (what is asked), `negotiate` (by which protocol), `lane` (one logical
//! stream), `spdy` and `websocket` (two ways to carry several), `remote` and `port_forward` (who uses
//! them).
//!
//! Invariant: what can be refused is refused before the connection is turned; afterwards failures go
//! where the protocol has a place for them.
//! Invariant: a turned connection ends with the server.

mod lane;
mod negotiate;
mod port_forward;
mod remote;
pub(super) mod spdy;
mod websocket;

use std::future::Future;
use std::sync::Arc;

use apimachinery::{ObjectExt as _, Status};
use hyper::StatusCode;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

use self::negotiate::{Forward, Remote, Wire};
use self::port_forward::Pod;
use self::remote::Ends;
use super::query::Query;
use super::respond::{self, Answer};
use super::route::Asked;
use super::server::State;
use crate::Call;
use crate::stream::{ExecOptions, Process, Stdio};
use crate::subresource::{choose_container, runs};

/// The most channels of one WebSocket.
const MAX_PORTS: usize = 100;

/// What a pod is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Exec,
    Attach,
    PortForward,
}

impl Kind {
    /// The kind of a sub-resource of pods.
    pub(crate) fn of(plural: &str, subresource: &str) -> Option<Self> {
        match (plural, subresource) {
            ("pods", "exec") => Some(Self::Exec),
            ("pods", "attach") => Some(Self::Attach),
            ("pods", "portforward") => Some(Self::PortForward),
            _ => None,
        }
    }
}

/// Answers a request to stream; the caller may do so.
pub(crate) fn serve(
    state: &Arc<State>,
    call: &Call<'_>,
    kind: Kind,
    asked: &mut Asked,
) -> Result<Answer, Status> {
    let pod = Call { subresource: "", ..call.clone() };
    let object = state.api.get(&pod)?.value();
    let container = match kind {
        Kind::PortForward => "",
        _ => {
            choose_container(&object, asked.query.text("container")).map_err(Status::bad_request)?
        }
    };
    if object.str_at(&["spec", "nodeName"]).is_empty() {
        let name = object.name();
        return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let Some(streams) = state.api.pod_streams().cloned() else {
        return Err(Status::internal("no container runtime gives streams to this server"));
    };
    let upgrade = asked.parts.extensions.remove::<OnUpgrade>();
    let (Some(wire), Some(upgrade)) = (Wire::of(&asked.parts.headers), upgrade) else {
        return Err(Status::bad_request("Upgrade request required"));
    };
    let turn = Turn { state, asked, wire, upgrade };
    match kind {
        Kind::PortForward => turn.forward(Pod { streams, object }),
        _ if !runs(&object, container) => {
            // As the kubelet says it: text, which clients quote.
            let text = format!("container not found ({container:?})");
            Ok(respond::plain(StatusCode::INTERNAL_SERVER_ERROR, text))
        }
        Kind::Exec => {
            let command = turn.asked.query.all("command");
            let stdio = stdio(&turn.asked.query);
            let (options, name) = (ExecOptions { command, stdio }, container.to_owned());
            turn.remote(stdio, move || streams.exec(&object, &name, &options))
        }
        Kind::Attach => {
            let stdio = stdio(&turn.asked.query);
            let name = container.to_owned();
            turn.remote(stdio, move || streams.attach(&object, &name, stdio))
        }
    }
}

/// Which streams are wanted: both outputs when none is named; a terminal has no error output.
fn stdio(query: &Query) -> Stdio {
    let [stdin, stdout, stderr, tty] =
        ["stdin", "stdout", "stderr", "tty"].map(|name| query.flag(name));
    let unsaid = !stdin && !stdout && !stderr;
    Stdio { stdin, stdout: stdout || unsaid, stderr: (stderr || unsaid) && !tty, tty }
}

/// The ports of `?ports=80,81`.
fn ports(query: &Query) -> Result<Vec<u16>, Status> {
    let texts = query.all("ports");
    let words = texts.iter().flat_map(|text| text.split(','));
    let ports = words.map(|word| match word.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(Status::bad_request(format!("port {word:?} must be between 1 and 65535"))),
    });
    let ports: Vec<u16> = ports.collect::<Result<_, _>>()?;
    match ports.len() {
        0 => Err(Status::bad_request("query parameter \"ports\" is required")),
        1..=MAX_PORTS => Ok(ports),
        _ => {
            Err(Status::bad_request(format!("at most {MAX_PORTS} ports may be forwarded at once")))
        }
    }
}

/// A connection about to be turned.
struct Turn<'a> {
    state: &'a Arc<State>,
    asked: &'a Asked,
    wire: Wire,
    upgrade: OnUpgrade,
}

impl Turn<'_> {
    fn remote(
        self,
        stdio: Stdio,
        start: impl FnOnce() -> Result<Process, Status> + Send + 'static,
    ) -> Result<Answer, Status> {
        let (offers, known) =
            (self.wire.offers(&self.asked.parts.headers), negotiate::remote(self.wire));
        let Some((name, protocol)) = negotiate::choose(&offers, &known) else {
            return Ok(negotiate::refusal(&offers, &known));
        };
        self.turn(name, move |io| async move {
            match protocol {
                Remote::Spdy { ending, resizes } => {
                    let user = async |mut streams| {
                        let ends = Ends::of_streams(&mut streams, stdio, resizes).await;
                        if let Some(ends) = ends {
                            remote::run(start(), ends, ending).await;
                        }
                    };
                    spdy::serve(io, user).await;
                }
                Remote::Channels { format, ending } => {
                    let user = async |channels| {
                        if let Some(ends) = Ends::of_channels(channels, stdio) {
                            remote::run(start(), ends, ending).await;
                        }
                    };
                    websocket::serve(io, format, 5, user).await;
                }
            }
        })
    }

    fn forward(self, pod: Pod) -> Result<Answer, Status> {
        let (offers, known) =
            (self.wire.offers(&self.asked.parts.headers), negotiate::forward(self.wire));
        let Some((name, protocol)) = negotiate::choose(&offers, &known) else {
            return Ok(negotiate::refusal(&offers, &known));
        };
        let ports = match protocol {
            Forward::Channels(_) => ports(&self.asked.query)?,
            _ => Vec::new(),
        };
        self.turn(name, move |io| async move {
            match protocol {
                Forward::Spdy => {
                    spdy::serve(io, |opened| port_forward::streams(pod, opened)).await;
                }
                Forward::Tunnel => {
                    let (inside, outside) = tokio::io::duplex(2 * lane::PIECE);
                    let user = |opened| port_forward::streams(pod, opened);
                    let speaking = spdy::serve(inside, user);
                    tokio::join!(speaking, websocket::tunnel(io, outside));
                }
                Forward::Channels(format) => {
                    let count = u8::try_from(2 * ports.len()).unwrap_or(u8::MAX);
                    let user = |channels| port_forward::channels(pod, ports, channels);
                    websocket::serve(io, format, count, user).await;
                }
            }
        })
    }

    /// Answers 101 and hands the bare connection to `speak`, until that ends or the server does.
    fn turn<S, F>(self, protocol: &'static str, speak: S) -> Result<Answer, Status>
    where
        S: FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let Some(answer) = negotiate::switch(self.wire, protocol, &self.asked.parts.headers) else {
            return Err(Status::bad_request("not a WebSocket handshake of version 13"));
        };
        let Ok(permit) = Arc::clone(&self.state.turned).try_acquire_owned() else {
            return Err(super::resource::too_many());
        };
        let mut stop = self.state.stop.clone();
        let upgrade = self.upgrade;
        world::edge::spawn(async move {
            let speaking = async move {
                match upgrade.await {
                    Ok(upgraded) => Box::pin(speak(TokioIo::new(upgraded))).await,
                    Err(error) => tracing::debug!(%error, "a connection was not upgraded"),
                }
            };
            tokio::select! {
                () = speaking => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            drop(permit);
        });
        Ok(answer)
    }
}
