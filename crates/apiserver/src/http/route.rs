//! From a request to whoever answers it.
//!
//! Invariant: a panic while answering becomes a 500 for that request and nothing else.
//! Invariant: nothing but a [`Site`](super::Site) answers before the caller is recognised and allowed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use apimachinery::Status;
use apimachinery::{Value, json};
use bytes::Bytes;
use futures_util::FutureExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, header};

use super::accept::{self, clauses};
use super::audit::Draft;
use super::auth::{Peer, impersonation};
use super::path::{ResourcePath, Target};
use super::query::{Query, percent_decode};
use super::respond::{self, Answer, Wishes, text};
use super::server::State;
use super::{body, discovery, openapi, resource, site};
use crate::legacy;

/// A request taken apart; the body is still on the wire.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) query: Query,
    pub(crate) wishes: Wishes,
    pub(crate) parts: Parts,
}

impl Asked {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        text(&self.parts.headers, name)
    }

    pub(crate) fn accept(&self) -> Option<&str> {
        self.parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok())
    }

    /// Whether only reading is asked for.
    pub(crate) fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

/// Answers one request.
pub(crate) async fn answer(state: &Arc<State>, peer: &Peer, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let wishes = Wishes::read(query.get("pretty"), &parts.headers);
    let wishes = wishes.seen_from(parts.extensions.get());
    let asked = Asked { method: parts.method.clone(), query, wishes, parts };
    let auditor = state.api.auditor();
    let mut draft = auditor.map(|_| Draft::begin(&asked, state.api.world().now()));
    let mut body = Some(body);
    let answering = dispatch(state, peer, asked, &mut body, draft.as_mut());
    let answering = AssertUnwindSafe(Box::pin(answering));
    let answered = answering.catch_unwind().await;
    if let Some(unread) = body.filter(|body| !body.is_end_stream()) {
        body::discard(unread);
    }
    if let (Some(auditor), Some(draft), Ok(answered)) = (auditor, draft, &answered) {
        draft.finish(&**auditor, answered, state.api.world().now());
    }
    let answer = match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(status)) => respond::failure(&status, wishes),
        Err(_) => {
            tracing::error!("a request handler panicked");
            let text = "this request caused the server to panic; its log has the details";
            respond::failure(&Status::internal(text), wishes)
        }
    };
    answer.map(body::Body::fed)
}

async fn dispatch(
    state: &Arc<State>,
    peer: &Peer,
    asked: Asked,
    body: &mut Option<Incoming>,
    mut draft: Option<&mut Draft>,
) -> Result<Answer, Status> {
    if let Some(page) = state.site.as_ref().filter(|site| site.serves(asked.parts.uri.path())) {
        return site::answer(page, asked, body).await;
    }
    let headers = &asked.parts.headers;
    let mut caller = state.gate.caller(peer, headers)?;
    if let Some(draft) = &mut draft {
        draft.by(&caller);
    }
    if let Some(wanted) = impersonation(headers) {
        caller = state.api.impersonate(&caller, &wanted)?;
        if let Some(draft) = &mut draft {
            draft.acting_as(&caller);
        }
    }
    let target = Target::parse(asked.parts.uri.path());
    if let Target::Resource(path) = &target {
        if known(state, path) {
            return resource::serve(state, &caller, path, asked, body).await;
        }
        resource::authorize_unknown(&state.api, &caller, path, &asked)?;
        return not_found_page();
    }
    let method = asked.method.as_str().to_ascii_lowercase();
    state.api.authorize_path(&caller, &method, &checked_path(&target, &asked))?;
    match target {
        target if asked.reads() => document(state, &target, &asked),
        Target::Unknown => unknown(&asked),
        _ => Err(Status::method_not_allowed()),
    }
}

/// The path by which it is decided who may read a document. The checks of health have newer names that
/// the roles of OpenShift 3.11 do not know.
fn checked_path(target: &Target, asked: &Asked) -> String {
    let path = percent_decode(asked.parts.uri.path());
    let renamed = ["/readyz", "/livez"].into_iter().find_map(|name| path.strip_prefix(name));
    match (target, renamed) {
        (Target::Health, Some(check)) => format!("/healthz{check}"),
        _ => path,
    }
}

fn known(state: &State, path: &ResourcePath) -> bool {
    if path.group == legacy::ROOT {
        return path.version == "v1";
    }
    let built_in = api::resources()
        .iter()
        .any(|resource| resource.group == path.group && resource.version == path.version);
    built_in || state.api.find(&path.group, &path.version, &path.plural).is_some()
}

/// The documents that are not about any object.
fn document(state: &State, target: &Target, asked: &Asked) -> Result<Answer, Status> {
    let resources = &*state.api.resources();
    let wishes = asked.wishes;
    let ok = |value: &Value| Ok(respond::json(StatusCode::OK, value, wishes));
    match target {
        Target::Version => ok(&version()),
        Target::VersionOpenShift => ok(&version_openshift()),
        Target::Health => Ok(health(state, asked)),
        Target::Root => ok(&discovery::root_paths(resources)),
        Target::Api => discovered(asked, resources, true, || {
            discovery::api_versions(resources, &state.address.to_string())
        }),
        Target::Oapi => {
            ok(&discovery::api_versions(legacy::resources(), &state.address.to_string()))
        }
        Target::Apis => discovered(asked, resources, false, || discovery::group_list(resources)),
        Target::Group(name) => {
            discovery::group(resources, name).map_or_else(not_found_page, |group| ok(&group))
        }
        Target::GroupVersion { group, version } => {
            let list = if group == legacy::ROOT {
                discovery::resource_list(legacy::resources(), "", version)
            } else {
                discovery::resource_list(resources, group, version)
            };
            list.map_or_else(not_found_page, |list| {
                accept::negotiate(asked.accept())?;
                tagged(asked, "application/json", &list)
            })
        }
        Target::OpenApiV2 => openapi::v2(asked),
        Target::OpenApiV3 => openapi::v3_index(&state.api, asked),
        Target::OpenApiV3Document(path) => openapi::v3_document(&state.api, asked, path),
        Target::Resource(_) | Target::Unknown => unknown(asked),
    }
}

fn not_found_page() -> Result<Answer, Status> {
    Ok(respond::plain(StatusCode::NOT_FOUND, "404 page not found\n"))
}

fn unknown(asked: &Asked) -> Result<Answer, Status> {
    let paths = discovery::root_paths(api::resources());
    Ok(respond::json(StatusCode::NOT_FOUND, &paths, asked.wishes))
}

fn discovered(
    asked: &Asked,
    resources: &[&api::Resource],
    core: bool,
    plain: impl FnOnce() -> Value,
) -> Result<Answer, Status> {
    match discovery::negotiate(&clauses(asked.accept())) {
        Some(version) => {
            let document = discovery::aggregated(resources, core, version);
            tagged(asked, &version.content_type(), &document)
        }
        None => {
            accept::negotiate(asked.accept())?;
            tagged(asked, "application/json", &plain())
        }
    }
}

/// A document with an entity tag.
pub(crate) fn tagged(asked: &Asked, media: &str, document: &Value) -> Result<Answer, Status> {
    let encode = if asked.wishes.pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
    let bytes = encode(document).map_err(|error| Status::internal(&error.to_string()))?;
    let known = asked.header(header::IF_NONE_MATCH);
    Ok(respond::tagged(media, Bytes::from(bytes), known, asked.wishes))
}

fn health(state: &State, asked: &Asked) -> Answer {
    let path = asked.parts.uri.path();
    let ready = *state.ready.borrow() && !*state.stop.borrow();
    if (path.starts_with("/readyz") || path == "/healthz/ready") && !ready {
        return respond::plain(StatusCode::INTERNAL_SERVER_ERROR, "readyz check failed\n");
    }
    let checks = ["/healthz", "/livez", "/readyz"].into_iter().find(|checks| *checks == path);
    let Some(checks) = checks.filter(|_| asked.query.get("verbose").is_some()) else {
        return respond::plain(StatusCode::OK, "ok");
    };
    let name = checks.trim_start_matches('/');
    respond::plain(StatusCode::OK, format!("[+]ping ok\n[+]etcd ok\n{name} check passed\n"))
}

/// What OpenShift 3.11 says of its Kubernetes.
fn version() -> Value {
    json!({
        "major": "1",
        "minor": "11+",
        "gitVersion": "v1.11.0+d4cacc0",
        "gitCommit": "d4cacc0",
        "gitTreeState": "clean",
        "buildDate": "2018-10-11T00:00:00Z",
        "goVersion": "go1.10.3",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// What OpenShift 3.11 says of itself.
fn version_openshift() -> Value {
    json!({
        "major": "3",
        "minor": "11+",
        "gitVersion": "v3.11.0+d8e0721",
        "gitCommit": "d8e0721",
        "gitTreeState": "",
        "buildDate": "2019-04-22T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    })
}
