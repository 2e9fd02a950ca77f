//! `proxy`: HTTP through the server to a pod, to a service's endpoints, and to what a node tells.
//!
//! Reading order: this file (whom a request is for, and the bytes in between), `target` (names such
//! as `https:web:8080`, services and their endpoints), `node` (the pages of a kubelet).
//!
//! Invariant: the caller's credentials never reach what is behind the proxy.
//! Invariant: a proxied answer ends with the server, and there are never more than the server turns
//! connections.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/util/proxy` (`UpgradeAwareHandler`, `Transport`).
//! Deviation: pages are passed on as they are, links in HTML are not rewritten; only plain HTTP is
//! spoken to pods.

mod node;
mod target;

use std::future::ready;
use std::sync::Arc;

use apimachinery::Status;
use apimachinery::json;
use apimachinery::status::Reason;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;

use self::target::Target;
use super::body::{Body, Chunks};
use super::respond::{self, Answer};
use super::route::Asked;
use super::server::State;
use super::{log, resource};
use crate::Call;

/// Headers about one connection only, and those that are for this server alone.
const DROPPED: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::CONNECTION,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Answers a request to a `proxy` sub-resource; the caller may make it.
pub(crate) async fn serve(
    state: &Arc<State>,
    call: &Call<'_>,
    asked: &mut Asked,
    incoming: &mut Option<Incoming>,
) -> Result<Answer, Status> {
    let path = asked.parts.uri.path().to_owned();
    let (front, rest) = split(&path, if call.resource.namespaced() { 7 } else { 5 });
    if call.resource.plural == "nodes" {
        return node::serve(state, call, rest);
    }
    let upgrade = asked.parts.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade.filter(|_| asked.parts.headers.contains_key(header::UPGRADE));
    if rest.is_empty() && upgrade.is_none() {
        return Ok(redirect(&path, asked.parts.uri.query()));
    }
    let target = Target::find(&state.api, call)?;
    let Ok(permit) = Arc::clone(&state.turned).try_acquire_owned() else {
        return Err(resource::too_many());
    };
    let request = outgoing(state, asked, &target, rest, incoming, upgrade.is_some())?;
    let response = exchange(state, &target, request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(upgrade) = upgrade
    {
        return Ok(turned(state, response, upgrade, permit));
    }
    Ok(passed_on(state, response, &target, front, permit))
}

/// The path up to `proxy`, which is its segment number `segments`, and what follows it.
fn split(path: &str, segments: usize) -> (&str, &str) {
    let mut left = segments;
    let mut before = '/';
    for (at, letter) in path.char_indices() {
        if letter == '/' && before != '/' {
            left -= 1;
            if left == 0 {
                return path.split_at(at);
            }
        }
        before = letter;
    }
    (path, "")
}

/// Browsers must end up where relative links work.
fn redirect(path: &str, query: Option<&str>) -> Answer {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut answer = Response::new(Body::Full(Bytes::new()));
    *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
    respond::set(answer.headers_mut(), header::LOCATION, &format!("{path}/{query}"));
    answer
}

fn unreachable(text: &str) -> Status {
    let text = format!("error trying to reach service: {text}");
    Status::new(Reason::ServiceUnavailable, text)
}

type Outgoing = Request<Either<Incoming, Empty<Bytes>>>;

fn outgoing(
    state: &State,
    asked: &Asked,
    target: &Target,
    rest: &str,
    incoming: &mut Option<Incoming>,
    upgrades: bool,
) -> Result<Outgoing, Status> {
    let query = asked.parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let rest = if rest.is_empty() { "/" } else { rest };
    let uri: Uri = format!("{rest}{query}")
        .parse()
        .map_err(|_| Status::bad_request(format!("invalid path {rest:?}")))?;
    let from = &asked.parts.headers;
    let body = incoming.take().map_or(Either::Right(Empty::new()), Either::Left);
    let mut request = Request::new(body);
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    *headers = kept(from);
    respond::set(headers, header::HOST, &target.authority());
    let asked_host = respond::text(from, header::HOST);
    let host = match (asked.parts.uri.authority(), asked_host) {
        (Some(authority), _) => authority.to_string(),
        (None, "") => state.address.to_string(),
        (None, host) => host.to_owned(),
    };
    respond::set(headers, HeaderName::from_static("x-forwarded-host"), &host);
    respond::set(headers, HeaderName::from_static("x-forwarded-proto"), "https");
    respond::set(headers, HeaderName::from_static("x-forwarded-uri"), asked.parts.uri.path());
    if upgrades {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        for value in from.get_all(header::UPGRADE) {
            headers.append(header::UPGRADE, value.clone());
        }
    }
    Ok(request)
}

/// The headers that are passed on, either way.
fn kept(from: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = from
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mine = |name: &HeaderName| {
        DROPPED.contains(name)
            || named.iter().any(|word| word == name.as_str())
            || name.as_str().starts_with("impersonate-")
            || name == "keep-alive"
            || name == "proxy-connection"
    };
    let kept = from.iter().filter(|(name, _)| !mine(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn exchange(
    state: &State,
    target: &Target,
    request: Outgoing,
) -> Result<Response<Incoming>, Status> {
    let Some(streams) = state.api.pod_streams() else {
        return Err(Status::internal("no container runtime gives streams to this server"));
    };
    let pod = json!({"status": {"podIP": target.ip}});
    let connected = streams.connect(&pod, target.port).await;
    let connection = connected.map_err(|text| unreachable(&text))?;
    let failed = |error: hyper::Error| unreachable(&error.to_string());
    let (mut sender, running) = http1::handshake(TokioIo::new(connection)).await.map_err(failed)?;
    drop(world::edge::spawn(async move {
        if let Err(error) = running.with_upgrades().await {
            tracing::debug!(%error, "a proxied connection broke");
        }
    }));
    let mut stop = state.stop.clone();
    tokio::select! {
        response = sender.send_request(request) => response.map_err(failed),
        _ = stop.wait_for(|stop| *stop) => Err(unreachable("the server is shutting down")),
    }
}

/// The answer as it came, under the path of the proxy.
fn passed_on(
    state: &State,
    response: Response<Incoming>,
    target: &Target,
    front: &str,
    permit: OwnedSemaphorePermit,
) -> Answer {
    let (parts, body) = response.into_parts();
    let mut headers = kept(&parts.headers);
    if let Some(location) = relocated(respond::text(&headers, header::LOCATION), target, front) {
        respond::set(&mut headers, header::LOCATION, &location);
    }
    let chunks = body
        .into_data_stream()
        .take_while(|chunk| ready(chunk.is_ok()))
        .filter_map(|chunk| ready(chunk.ok()))
        // The permit goes when the answer does.
        .map(move |chunk| {
            let _held = &permit;
            chunk
        });
    let chunks: Chunks = log::until_stop(Box::pin(chunks), state.stop.clone());
    let mut answer = Response::new(Body::Stream(chunks));
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = headers;
    answer
}

/// Where a redirection of the page behind leads, seen from in front.
fn relocated(location: &str, target: &Target, front: &str) -> Option<String> {
    let own = format!("http://{}", target.authority());
    let path = location.strip_prefix(&own).unwrap_or(location);
    (path.starts_with('/') && !path.starts_with("//")).then(|| format!("{front}{path}"))
}

/// Both sides speak another protocol from now on: bytes go through.
fn turned(
    state: &State,
    mut response: Response<Incoming>,
    upgrade: OnUpgrade,
    permit: OwnedSemaphorePermit,
) -> Answer {
    let inner = hyper::upgrade::on(&mut response);
    let mut stop = state.stop.clone();
    drop(world::edge::spawn(async move {
        let talking = async move {
            let (Ok(inner), Ok(outer)) = tokio::join!(inner, upgrade) else { return };
            let (mut inner, mut outer) = (TokioIo::new(inner), TokioIo::new(outer));
            drop(tokio::io::copy_bidirectional(&mut inner, &mut outer).await);
        };
        tokio::select! {
            () = talking => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        drop(permit);
    }));
    let (parts, _) = response.into_parts();
    let mut answer = Response::new(Body::Full(Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = parts.headers;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_word_proxy_is_for_the_pod() {
        let pod = "/api/v1/namespaces/proxy/pods/p:80/proxy";
        assert_eq!(split(pod, 7), (pod, ""));
        assert_eq!(split(&format!("{pod}/"), 7), (pod, "/"));
        assert_eq!(split(&format!("{pod}//a%2Fb/proxy/"), 7), (pod, "//a%2Fb/proxy/"));
        let node = "/api/v1/nodes/n/proxy";
        assert_eq!(split(&format!("{node}/healthz"), 5), (node, "/healthz"));
    }

    #[test]
    fn credentials_and_headers_of_the_connection_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer secret"),
            ("impersonate-user", "bob"),
            ("connection", "X-Mine, close"),
            ("x-mine", "1"),
            ("accept", "text/html"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let kept = kept(&headers);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[header::ACCEPT], "text/html");
    }

    #[test]
    fn redirections_lead_through_the_proxy() {
        let target = Target { ip: "10.1.2.3".to_owned(), port: 80 };
        let moved = |location| relocated(location, &target, "/front/proxy");
        assert_eq!(moved("/login?a").as_deref(), Some("/front/proxy/login?a"));
        assert_eq!(moved("http://10.1.2.3:80/x").as_deref(), Some("/front/proxy/x"));
        assert_eq!(moved("https://elsewhere/"), None);
        assert_eq!(moved("//elsewhere/"), None);
        assert_eq!(moved("next"), None);
    }
}
