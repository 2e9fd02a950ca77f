//! Requests: who may what, and which operation answers.
//!
//! Invariant: every operation is preceded by the check of its right.
//!
//! Mirrors: `docker/distribution/registry/handlers`.

mod blob;
mod listing;
mod manifest;
mod upload;

use std::sync::Arc;

use apimachinery::json;
use http::header::{HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use parking_lot::Mutex;

use crate::access::{ANONYMOUS, Access, Action, Caller};
use crate::error::Error;
use crate::reply::{self, Reply};
use crate::repository::Repository;
use crate::route::Target;
use crate::storage::Storage;
use crate::streams::Streams;
use crate::through;
use crate::upload::Uploads;

/// What every request needs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) access: Access,
    pub(crate) streams: Streams,
    pub(crate) storage: Storage,
    pub(crate) uploads: Uploads,
    /// Held while a manifest is stored and told to the cluster, or taken back.
    pub(crate) manifests: Mutex<()>,
}

/// Answers one request.
pub(crate) async fn answer(state: Arc<State>, request: Request<Incoming>) -> Reply {
    let head = request.method() == Method::HEAD;
    let host = request.headers().get(HOST).cloned();
    let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let target = Target::parse(request.uri().path());
    let scope = target.as_ref().ok().and_then(|target| target.scope(writes));
    let result = match target {
        Ok(target) => dispatch(&state, target, request).await,
        Err(error) => Err(error),
    };
    let mut reply = result.unwrap_or_else(|error| refusal(&error, host.as_ref(), scope.as_deref()));
    if head {
        let headers = std::mem::take(reply.headers_mut());
        let mut bare = Response::new(reply::empty(StatusCode::OK).into_body());
        *bare.status_mut() = reply.status();
        *bare.headers_mut() = headers;
        reply = bare;
    }
    let version = HeaderValue::from_static("registry/2.0");
    reply.headers_mut().insert("docker-distribution-api-version", version);
    reply
}

async fn dispatch(
    state: &Arc<State>,
    target: Target,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    let caller = state.access.caller(request.headers())?;
    let pull =
        |repository: &Repository| state.access.require(&caller.user, Action::Pull(repository));
    let push =
        |repository: &Repository| state.access.require(&caller.user, Action::Push(repository));
    let prune = || state.access.require(&caller.user, Action::Prune);
    let query = request.uri().query().map(str::to_owned);
    let query = query.as_deref();
    match (request.method().clone(), target) {
        (Method::GET | Method::HEAD, Target::Health) => Ok(reply::empty(StatusCode::OK)),
        (Method::GET, Target::Token) => Ok(token(&caller)),
        (Method::GET | Method::HEAD, Target::Base) => base(&caller),
        (Method::GET, Target::Catalog) => {
            state.access.require(&caller.user, Action::Catalog)?;
            listing::catalog(state, query)
        }
        (Method::GET, Target::Tags(repository)) => {
            pull(&repository)?;
            listing::tags(state, &repository, query)
        }
        (Method::GET | Method::HEAD, Target::Manifest(repository, reference)) => {
            pull(&repository)?;
            through::fetch_manifest(state, &repository, &reference).await?;
            let found = manifest::get(state, &repository, &reference, request.headers())?;
            let user = &caller.user.name;
            tracing::debug!(%repository, %reference, %user, "a manifest was asked for");
            Ok(found)
        }
        (Method::PUT, Target::Manifest(repository, reference)) => {
            push(&repository)?;
            manifest::put(state, &caller.user, &repository, &reference, request).await
        }
        (Method::DELETE, Target::Manifest(repository, reference)) => {
            prune()?;
            manifest::delete(state, &repository, &reference)
        }
        (Method::GET | Method::HEAD, Target::Blob(repository, digest)) => {
            pull(&repository)?;
            through::fetch_blob(state, &repository, &digest).await?;
            blob::get(state, &repository, &digest, request.headers())
        }
        (Method::DELETE, Target::Blob(repository, digest)) => {
            prune()?;
            blob::delete(state, &repository, &digest)
        }
        (Method::DELETE, Target::Bytes(digest)) => {
            prune()?;
            blob::remove(state, &digest)
        }
        (Method::POST, Target::Uploads(repository)) => {
            push(&repository)?;
            upload::begin(state, &caller, &repository, request).await
        }
        (method, Target::Upload(repository, id)) => {
            push(&repository)?;
            upload::resume(state, &repository, &id, &method, request).await
        }
        _ => Err(Error::method()),
    }
}

/// Tells clients which protocol is spoken and whether their credentials are known.
fn base(caller: &Caller) -> Result<Reply, Error> {
    if caller.token.is_empty() {
        return Err(Error::unauthorized());
    }
    Ok(reply::json(StatusCode::OK, &json!({})))
}

/// Exchanges credentials for a bearer token, which is the cluster's own.
fn token(caller: &Caller) -> Reply {
    let token = if caller.token.is_empty() { ANONYMOUS } else { &caller.token };
    reply::json(StatusCode::OK, &json!({"access_token": token, "token": token}))
}

fn refusal(error: &Error, host: Option<&HeaderValue>, scope: Option<&str>) -> Reply {
    let mut reply = reply::json(error.status, &error.document());
    if error.status == StatusCode::UNAUTHORIZED {
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let scope = scope.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
        let challenge = format!("Bearer realm=\"http://{host}/openshift/token\"{scope}");
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            reply.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
    }
    reply
}

/// Adds a header whose value is one of ours, which are all plain text.
fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
