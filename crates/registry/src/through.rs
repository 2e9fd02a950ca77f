//! Images of other registries, handed on through the stream that names them.
//!
//! A stream may tag an image that was never pushed here. When somebody pulls it through this registry
//! its manifest and blobs are fetched from where the stream says they are, with the credentials of the
//! project, and stay.
//!
//! Invariant: only what a stream's history names is fetched, and kept only when its digest is right.
//!
//! Mirrors: `openshift/image-registry/pkg/dockerregistry/server/{pullthroughblobstore,pullthroughmanifestservice}.go`.
//!
//! Deviation: a blob is sent on when all of it is here, not while it comes.

use std::io::{self, Read, Write as _};
use std::sync::Arc;

use api::SECRETS;
use apimachinery::image_reference::ImageReference;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{ApiServer, Call, ListOptions, Stored, User};
use images::source::registry::Registries;
use images::source::{Error as SourceError, Keyring, Platform, Wanted};

use crate::digest::{Digest, Hasher};
use crate::error::Error;
use crate::handler::State;
use crate::manifest::Manifest;
use crate::repository::Repository;
use crate::route::Reference;
use crate::storage::Shown;
use crate::streams;

/// How much of a blob is read at once, in bytes.
const PIECE: usize = 1 << 18;

/// The largest blob that is fetched, in bytes.
const LIMIT: u64 = 64 << 30;

/// Where an image comes from and what is needed to get it.
struct Origin {
    reference: ImageReference,
    insecure: bool,
    keyring: Keyring,
}

impl Origin {
    fn wanted<'a>(&'a self, platform: &'a Platform) -> Wanted<'a> {
        let Self { reference, insecure, keyring } = self;
        Wanted { reference, insecure: *insecure, keyring, platform }
    }
}

/// Sees to it that the manifest is here, if its stream says where else it is.
pub(crate) async fn fetch_manifest(
    state: &Arc<State>,
    repository: &Repository,
    reference: &Reference,
) -> Result<(), Error> {
    let Some(stream) = state.streams.stream(repository) else { return Ok(()) };
    let digest = match reference {
        Reference::Digest(digest) => Some(digest.clone()),
        Reference::Tag(tag) => streams::tagged(&stream, tag),
    };
    let Some(digest) = digest else { return Ok(()) };
    let here = state.storage.manifest(&digest)?.is_some()
        || state.streams.kept_manifest(&digest).is_some();
    if here || !streams::history(&stream).contains(&digest) {
        return Ok(());
    }
    let Some(origin) = origin(state, &stream, &digest) else { return Ok(()) };
    let (state, repository) = (Arc::clone(state), repository.clone());
    blocking(move || {
        let platform = Platform::default();
        let (media_type, bytes) = match Registries.manifest(&origin.wanted(&platform)) {
            Ok(found) => found,
            Err(error) => return told(&origin, &error),
        };
        if Digest::of(&bytes) != digest || Manifest::parse(&bytes, &media_type).is_err() {
            return Ok(());
        }
        state.storage.put_manifest(&state.uploads.id(), &bytes, &media_type)?;
        state.storage.show(&repository, Shown::Manifest, &digest)?;
        Ok(())
    })
    .await
}

/// Sees to it that the blob is here, if an image of the stream has it and says where else it is.
pub(crate) async fn fetch_blob(
    state: &Arc<State>,
    repository: &Repository,
    digest: &Digest,
) -> Result<(), Error> {
    if state.storage.length(digest)?.is_some() {
        return Ok(());
    }
    let Some(stream) = state.streams.stream(repository) else { return Ok(()) };
    let mut found = None;
    for image in streams::history(&stream) {
        let stored = state.storage.manifest(&image)?;
        let kept = stored.or_else(|| state.streams.kept_manifest(&image));
        let parsed = kept.and_then(|(bytes, kind)| Manifest::parse(&bytes, &kind).ok());
        if parsed.is_some_and(|manifest| manifest.blobs().any(|blob| blob == digest)) {
            found = origin(state, &stream, &image);
            if found.is_some() {
                break;
            }
        }
    }
    let Some(origin) = found else { return Ok(()) };
    let (state, digest) = (Arc::clone(state), digest.clone());
    blocking(move || {
        let platform = Platform::default();
        match Registries.blob(&origin.wanted(&platform), &digest.to_string()) {
            Ok(bytes) => Ok(keep(&state, bytes, &digest)?),
            Err(error) => told(&origin, &error),
        }
    })
    .await
}

/// Stores what comes, if it is what was asked for.
fn keep(state: &State, bytes: Box<dyn Read + Send>, digest: &Digest) -> io::Result<()> {
    let path = state.storage.upload(&state.uploads.id());
    let written = (|| {
        let mut file = std::fs::File::create(&path)?;
        let (mut bytes, mut hasher) = (bytes.take(LIMIT), Hasher::default());
        let mut piece = vec![0; PIECE];
        loop {
            let count = bytes.read(&mut piece)?;
            if count == 0 {
                break;
            }
            hasher.update(&piece[..count]);
            file.write_all(&piece[..count])?;
        }
        if hasher.digest() != *digest {
            return Err(io::Error::other("another registry sent something else under a digest"));
        }
        state.storage.adopt(&path, digest)
    })();
    if written.is_err() {
        drop(std::fs::remove_file(&path));
    }
    written
}

async fn blocking(work: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.map_err(io::Error::other)?
}

/// What is not to be had elsewhere is as unknown as what is not here; why is for the log.
fn told(origin: &Origin, error: &SourceError) -> Result<(), Error> {
    tracing::info!(image = origin.reference.exact(), %error, "cannot pull through");
    Ok(())
}

/// Where `stream` says that the image is, unless that is here.
fn origin(state: &State, stream: &Value, digest: &Digest) -> Option<Origin> {
    let digest = digest.to_string();
    let server = &state.access.server;
    let (tag, spec) = streams::origin(stream, &digest)?;
    let mut reference = ImageReference::parse(spec).ok()?;
    reference.tag.clear();
    reference.id = digest;
    let specs = stream.list_at(&["spec", "tags"]);
    let of_tag = specs.iter().find(|spec| spec.str_at(&["name"]) == tag);
    let insecure = of_tag.is_some_and(|spec| spec.bool_at(&["importPolicy", "insecure"]))
        || stream.annotation("openshift.io/image.insecureRepository") == Some("true");
    let keyring = keyring(server, stream.namespace());
    Some(Origin { reference, insecure, keyring })
}

/// The credentials of a project.
fn keyring(server: &ApiServer, namespace: &str) -> Keyring {
    let admin = User::system_admin();
    let call = Call::new(&admin, &SECRETS).within(namespace);
    let Ok(secrets) = server.list(&call, &ListOptions::default()) else {
        return Keyring::default();
    };
    let values: Vec<_> = secrets.items.iter().map(Stored::value).collect();
    Keyring::of_secrets(values.iter().map(|secret| &**secret))
}
