//! Manifests: by tag, which is the image stream's, or by digest.
//!
//! Invariant: a tag moves only after the manifest and all that it names are there; a push that the
//! cluster refuses leaves no manifest.

use std::collections::BTreeSet;

use apiserver::User;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;

use super::{State, blob, set, text};
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::reply::{self, Reply};
use crate::repository::Repository;
use crate::route::Reference;
use crate::storage::Shown;
use crate::streams::{self, Pushed};

/// The largest manifest, in bytes.
const LIMIT: usize = 4 << 20;

/// The largest config that is read into the cluster, in bytes.
const CONFIG_LIMIT: u64 = 4 << 20;

pub(super) fn get(
    state: &State,
    repository: &Repository,
    reference: &Reference,
    headers: &HeaderMap,
) -> Result<Reply, Error> {
    let unknown = || Error::manifest_unknown(repository, &reference.to_string());
    let digest = match reference {
        Reference::Digest(digest) if is_shown(state, repository, digest)? => digest.clone(),
        Reference::Digest(_) => return Err(unknown()),
        Reference::Tag(tag) => {
            let stream = state.streams.stream(repository);
            let stream = stream.ok_or_else(|| Error::name_unknown(repository))?;
            streams::tagged(&stream, tag).ok_or_else(unknown)?
        }
    };
    let etag = format!("\"{digest}\"");
    if text(headers, "if-none-match") == etag {
        return Ok(reply::empty(StatusCode::NOT_MODIFIED));
    }
    let (bytes, media_type) = read(state, &digest)?.ok_or_else(unknown)?;
    let mut reply = reply::bytes(StatusCode::OK, Some(&media_type), Bytes::from(bytes));
    set(&mut reply, "docker-content-digest", &digest.to_string());
    set(&mut reply, "etag", &etag);
    Ok(reply)
}

/// The bytes and media type of a manifest, which is here or in the cluster.
fn read(state: &State, digest: &Digest) -> Result<Option<(Vec<u8>, String)>, Error> {
    let stored = state.storage.manifest(digest)?;
    Ok(stored.or_else(|| state.streams.kept_manifest(digest)))
}

/// Whether `repository` shows this manifest, itself or through its stream.
fn is_shown(state: &State, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
    if state.storage.shows(repository, Shown::Manifest, digest) {
        return Ok(true);
    }
    let mut found = false;
    each_shown(state, repository, &mut |name, manifest| {
        found |= name == digest || manifest.manifests.contains(digest);
        found
    })?;
    Ok(found)
}

/// Hands every manifest that the stream of `repository` leads to to `visit`, until that gives true.
pub(super) fn each_shown(
    state: &State,
    repository: &Repository,
    visit: &mut dyn FnMut(&Digest, &Manifest) -> bool,
) -> Result<(), Error> {
    let Some(stream) = state.streams.stream(repository) else { return Ok(()) };
    let mut waiting: Vec<Digest> = streams::history(&stream).into_iter().collect();
    let mut seen: BTreeSet<Digest> = waiting.iter().cloned().collect();
    while let Some(digest) = waiting.pop() {
        let Some((bytes, media_type)) = read(state, &digest)? else { continue };
        let Ok(manifest) = Manifest::parse(&bytes, &media_type) else { continue };
        if visit(&digest, &manifest) {
            return Ok(());
        }
        waiting.extend(manifest.manifests.into_iter().filter(|child| seen.insert(child.clone())));
    }
    Ok(())
}

pub(super) async fn put(
    state: &State,
    user: &User,
    repository: &Repository,
    reference: &Reference,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    let content_type = text(request.headers(), "content-type").to_owned();
    let bytes = reply::whole(request.into_body(), LIMIT).await?;
    let manifest = Manifest::parse(&bytes, &content_type)
        .map_err(|error| Error::manifest_invalid(&error.to_string()))?;
    let digest = Digest::of(&bytes);
    if let Reference::Digest(expected) = reference
        && *expected != digest
    {
        return Err(Error::digest_invalid(&format!("{expected} is not {digest}")));
    }
    complete(state, repository, &manifest)?;
    store(state, user, repository, reference, &manifest, (&digest, &bytes))?;
    let mut reply = reply::empty(StatusCode::CREATED);
    set(&mut reply, "location", &format!("/v2/{repository}/manifests/{digest}"));
    set(&mut reply, "docker-content-digest", &digest.to_string());
    Ok(reply)
}

/// Refuses a manifest that names what is not here.
fn complete(state: &State, repository: &Repository, manifest: &Manifest) -> Result<(), Error> {
    for blob in manifest.blobs() {
        let here = state.storage.length(blob)?.is_some();
        if !here || !blob::is_shown(state, repository, blob)? {
            return Err(Error::manifest_blob_unknown(blob));
        }
    }
    for child in &manifest.manifests {
        if !is_shown(state, repository, child)? || read(state, child)?.is_none() {
            return Err(Error::manifest_blob_unknown(child));
        }
    }
    Ok(())
}

/// Stores the manifest and moves the tag, or neither.
fn store(
    state: &State,
    user: &User,
    repository: &Repository,
    reference: &Reference,
    manifest: &Manifest,
    (digest, bytes): (&Digest, &[u8]),
) -> Result<(), Error> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let config = config(state, manifest)?;
    let _guard = state.manifests.lock();
    let was_here = state.storage.length(digest)?.is_some();
    let was_shown = state.storage.shows(repository, Shown::Manifest, digest);
    let media_type = &manifest.media_type;
    state.storage.put_manifest(&state.uploads.id(), bytes, media_type)?;
    state.storage.show(repository, Shown::Manifest, digest)?;
    let Reference::Tag(tag) = reference else { return Ok(()) };
    let pushed = Pushed { tag, digest, media_type, manifest: text, config: &config };
    if let Err(status) = state.streams.push(user, repository, &pushed) {
        if !was_shown {
            state.storage.hide(repository, Shown::Manifest, digest)?;
        }
        if !was_here {
            state.storage.remove(digest)?;
        }
        return Err(status.into());
    }
    Ok(())
}

/// The text of an image's config; empty for lists, and for artifacts whose config is large or no text.
fn config(state: &State, manifest: &Manifest) -> Result<String, Error> {
    let Some(digest) = &manifest.config else { return Ok(String::new()) };
    let Some((file, length)) = state.storage.open_blob(digest)? else { return Ok(String::new()) };
    if length > CONFIG_LIMIT {
        return Ok(String::new());
    }
    Ok(std::io::read_to_string(file).unwrap_or_default())
}

/// Takes a manifest out of a repository.
pub(super) fn delete(
    state: &State,
    repository: &Repository,
    reference: &Reference,
) -> Result<Reply, Error> {
    let Reference::Digest(digest) = reference else { return Err(Error::method()) };
    if state.storage.hide(repository, Shown::Manifest, digest)? {
        return Ok(reply::empty(StatusCode::ACCEPTED));
    }
    Err(Error::manifest_unknown(repository, &digest.to_string()))
}
