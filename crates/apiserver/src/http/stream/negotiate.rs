//! What a request to stream asks for: wire format, protocol version, answer.
//!
//! Invariant: pure.

use base64::Engine as _;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::remote::Ending;
use super::websocket::Format;
use crate::http::body::Body;
use crate::http::respond::Answer;

const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const ACCEPTED_PROTOCOLS: HeaderName =
    HeaderName::from_static("x-accepted-stream-protocol-versions");
/// Port forwarding over SPDY.
const PORT_FORWARD: &str = "portforward.k8s.io";
/// The same inside a WebSocket.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// The wire format a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Spdy,
    WebSocket,
}

impl Wire {
    /// `None` when the connection is not to be upgraded.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let has = |name: HeaderName, word: &str| {
            words(headers, &name).any(|found| found.eq_ignore_ascii_case(word))
        };
        if !has(header::CONNECTION, "upgrade") {
            return None;
        }
        if has(header::UPGRADE, "websocket") {
            return Some(Self::WebSocket);
        }
        has(header::UPGRADE, "SPDY/3.1").then_some(Self::Spdy)
    }

    /// The protocols that the client offers, most wanted first.
    pub(crate) fn offers(self, headers: &HeaderMap) -> Vec<String> {
        let name = match self {
            Self::Spdy => STREAM_PROTOCOL,
            Self::WebSocket => header::SEC_WEBSOCKET_PROTOCOL,
        };
        words(headers, &name).map(ToOwned::to_owned).collect()
    }
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

/// How `exec` and `attach` are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    Spdy { ending: Ending, resizes: bool },
    Channels { format: Format, ending: Ending },
}

/// How ports are forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    Spdy,
    Tunnel,
    Channels(Format),
}

/// The choices, each with the name by which the client knows it.
type Table<T> = Vec<(&'static str, T)>;

/// The versions of `exec` and `attach`.
pub(crate) fn remote(wire: Wire) -> Table<Remote> {
    let spdy = |ending, resizes| Remote::Spdy { ending, resizes };
    let channels = |base64, close, ending| {
        let format = Format { base64, close };
        Remote::Channels { format, ending }
    };
    match wire {
        Wire::Spdy => vec![
            ("v4.channel.k8s.io", spdy(Ending::Document, true)),
            ("v3.channel.k8s.io", spdy(Ending::Text, true)),
            ("v2.channel.k8s.io", spdy(Ending::Text, false)),
            ("channel.k8s.io", spdy(Ending::Text, false)),
            ("", spdy(Ending::Text, false)),
        ],
        Wire::WebSocket => vec![
            ("v5.channel.k8s.io", channels(false, true, Ending::Document)),
            ("v4.channel.k8s.io", channels(false, false, Ending::Document)),
            ("v4.base64.channel.k8s.io", channels(true, false, Ending::Document)),
            ("base64.v4.channel.k8s.io", channels(true, false, Ending::Document)),
            ("channel.k8s.io", channels(false, false, Ending::Text)),
            ("base64.channel.k8s.io", channels(true, false, Ending::Text)),
            ("", channels(false, false, Ending::Text)),
        ],
    }
}

/// The versions of `portforward`.
pub(crate) fn forward(wire: Wire) -> Table<Forward> {
    let channels = |base64| Forward::Channels(Format { base64, close: false });
    match wire {
        Wire::Spdy => vec![(PORT_FORWARD, Forward::Spdy), ("", Forward::Spdy)],
        Wire::WebSocket => vec![
            (TUNNEL, Forward::Tunnel),
            ("v4.channel.k8s.io", channels(false)),
            ("v4.base64.channel.k8s.io", channels(true)),
            ("base64.v4.channel.k8s.io", channels(true)),
            ("", channels(false)),
        ],
    }
}

/// The first offer that is known; the nameless choice when nothing is offered.
pub(crate) fn choose<T: Copy>(offers: &[String], known: &Table<T>) -> Option<(&'static str, T)> {
    let named = |wanted: &str| known.iter().find(|(name, _)| *name == wanted).copied();
    if offers.is_empty() {
        return named("");
    }
    offers.iter().find_map(|offer| named(offer))
}

/// The refusal of all offers.
pub(crate) fn refusal<T>(offers: &[String], known: &Table<T>) -> Answer {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).filter(|n| !n.is_empty()).collect();
    let text = format!(
        "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
        offers.join(" "),
        names.join(" ")
    );
    let mut answer = crate::http::respond::plain(StatusCode::FORBIDDEN, text);
    for name in names {
        answer.headers_mut().append(ACCEPTED_PROTOCOLS, HeaderValue::from_static(name));
    }
    answer
}

/// 101 with the protocol chosen; `None` when the WebSocket handshake is not in order.
pub(crate) fn switch(wire: Wire, protocol: &'static str, asked: &HeaderMap) -> Option<Answer> {
    let mut answer = Response::new(Body::Full(bytes::Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    let name = match wire {
        Wire::Spdy => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("SPDY/3.1"));
            STREAM_PROTOCOL
        }
        Wire::WebSocket => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            let accept = accept_key(asked)?;
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept).ok()?);
            header::SEC_WEBSOCKET_PROTOCOL
        }
    };
    if !protocol.is_empty() {
        headers.insert(name, HeaderValue::from_static(protocol));
    }
    Some(answer)
}

/// What proves that a WebSocket is understood (RFC 6455).
fn accept_key(headers: &HeaderMap) -> Option<String> {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    if headers.get(header::SEC_WEBSOCKET_VERSION)? != "13" {
        return None;
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    let text = format!("{key}{GUID}");
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    Some(base64::engine::general_purpose::STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn offers_come_in_one_header_or_several() {
        let asked = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-protocol", "v9.x, v5.channel.k8s.io"),
            ("sec-websocket-protocol", "v4.channel.k8s.io"),
        ]);
        let wire = Wire::of(&asked).unwrap();
        assert_eq!(wire, Wire::WebSocket);
        let (name, _) = choose(&wire.offers(&asked), &remote(wire)).unwrap();
        assert_eq!(name, "v5.channel.k8s.io");
        assert_eq!(choose(&["v9.x".to_owned()], &remote(wire)), None);
        assert_eq!(Wire::of(&headers(&[("upgrade", "websocket")])), None);
    }

    #[test]
    fn spdy_clients_get_the_newest_version_they_know() {
        let asked = headers(&[
            ("connection", "Upgrade"),
            ("upgrade", "SPDY/3.1"),
            ("x-stream-protocol-version", "v5.channel.k8s.io"),
            ("x-stream-protocol-version", "v4.channel.k8s.io"),
            ("x-stream-protocol-version", "channel.k8s.io"),
        ]);
        let (name, _) = choose(&Wire::Spdy.offers(&asked), &remote(Wire::Spdy)).unwrap();
        assert_eq!(name, "v4.channel.k8s.io");
        let (name, forward) = choose(&[], &forward(Wire::Spdy)).unwrap();
        assert_eq!((name, forward), ("", Forward::Spdy));
    }

    #[test]
    fn the_handshake_is_that_of_the_standard() {
        let asked = headers(&[
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        assert_eq!(accept_key(&asked).as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(accept_key(&HeaderMap::new()), None);
    }
}
