//! Uploads: in one request, in pieces, or not at all where another repository has the bytes.

use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;

use super::{State, blob, set, text};
use crate::access::{Action, Caller};
use crate::digest::Digest;
use crate::error::Error;
use crate::reply::{self, Arriving, Reply};
use crate::repository::Repository;
use crate::route::parameter;
use crate::storage::Shown;
use crate::upload::Upload;

pub(super) async fn begin(
    state: &State,
    caller: &Caller,
    repository: &Repository,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    let query = request.uri().query().map(str::to_owned);
    if let Some(digest) = mounted(state, caller, query.as_deref())? {
        state.storage.show(repository, Shown::Blob, &digest)?;
        return Ok(created(repository, &digest));
    }
    let id = state.uploads.begin(repository)?;
    if parameter(query.as_deref(), "digest").is_some() {
        let outcome = finish(state, repository, &id, query.as_deref(), request).await;
        state.uploads.forget(&id);
        return outcome;
    }
    Ok(progress(StatusCode::ACCEPTED, repository, &id, 0))
}

/// The bytes that another repository has and the caller may read there.
fn mounted(state: &State, caller: &Caller, query: Option<&str>) -> Result<Option<Digest>, Error> {
    let digest = parameter(query, "mount").and_then(|text| text.parse::<Digest>().ok());
    let from = parameter(query, "from").and_then(|text| Repository::parse(&text));
    let Some((digest, from)) = digest.zip(from) else { return Ok(None) };
    let readable = state.access.require(&caller.user, Action::Pull(&from)).is_ok();
    let there = readable
        && state.storage.length(&digest)?.is_some()
        && blob::is_shown(state, &from, &digest)?;
    Ok(there.then_some(digest))
}

pub(super) async fn resume(
    state: &State,
    repository: &Repository,
    id: &str,
    method: &Method,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    match *method {
        Method::GET | Method::HEAD => {
            let offset = state.uploads.find(repository, id)?.lock().await.offset()?;
            Ok(progress(StatusCode::NO_CONTENT, repository, id, offset))
        }
        Method::DELETE => {
            state.uploads.find(repository, id)?;
            state.uploads.forget(id);
            Ok(reply::empty(StatusCode::NO_CONTENT))
        }
        Method::PATCH => {
            let upload = state.uploads.find(repository, id)?;
            let mut upload = upload.lock().await;
            let offset = append(&mut upload, request).await?;
            Ok(progress(StatusCode::ACCEPTED, repository, id, offset))
        }
        Method::PUT => {
            let query = request.uri().query().map(str::to_owned);
            finish(state, repository, id, query.as_deref(), request).await
        }
        _ => Err(Error::method()),
    }
}

async fn append(upload: &mut Upload, request: Request<Incoming>) -> Result<u64, Error> {
    let offset = upload.offset()?;
    if start(request.headers()).is_some_and(|start| start != offset) {
        return Err(Error::range_invalid());
    }
    upload.append(&mut Arriving(request.into_body())).await?;
    upload.offset()
}

async fn finish(
    state: &State,
    repository: &Repository,
    id: &str,
    query: Option<&str>,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    let digest = parameter(query, "digest").unwrap_or_default();
    let digest: Digest = digest
        .parse()
        .map_err(|error: crate::digest::Malformed| Error::digest_invalid(&error.to_string()))?;
    let upload = state.uploads.find(repository, id)?;
    let mut upload = upload.lock().await;
    append(&mut upload, request).await?;
    let finished = upload.finish(&state.storage, &digest);
    state.uploads.forget(id);
    finished?;
    state.storage.show(repository, Shown::Blob, &digest)?;
    Ok(created(repository, &digest))
}

/// Where the bytes of a request begin, when it says so.
fn start(headers: &HeaderMap) -> Option<u64> {
    let range = text(headers, "content-range");
    range.trim_start_matches("bytes ").split_once('-')?.0.trim().parse().ok()
}

fn created(repository: &Repository, digest: &Digest) -> Reply {
    let mut reply = reply::empty(StatusCode::CREATED);
    set(&mut reply, "location", &format!("/v2/{repository}/blobs/{digest}"));
    set(&mut reply, "docker-content-digest", &digest.to_string());
    reply
}

fn progress(status: StatusCode, repository: &Repository, id: &str, offset: u64) -> Reply {
    let mut reply = reply::empty(status);
    set(&mut reply, "location", &format!("/v2/{repository}/blobs/uploads/{id}"));
    set(&mut reply, "docker-upload-uuid", id);
    set(&mut reply, "range", &format!("0-{}", offset.saturating_sub(1)));
    reply
}
