//! Images: looking up, pulling, making.

use std::collections::BTreeMap;

use apimachinery::Value;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{CreateImageOptionsBuilder, ImportImageOptionsBuilder};
use futures_util::TryStreamExt as _;

use super::{Shared, archive, error};
use crate::config::Credentials;
use crate::runtime::{Error, Image};

/// Looks `reference` up; a digest is also taken for the id of an image that never met a registry.
pub(super) async fn status(shared: &Shared, reference: &str) -> Result<Option<Image>, Error> {
    let registry = shared.registry.lock().clone();
    let reachable = registry.as_ref().and_then(|registry| registry.reachable(reference));
    let id = reference.split_once('@').map(|(_, digest)| digest);
    for name in [reachable.as_deref(), Some(reference), id].into_iter().flatten() {
        match shared.docker.inspect_image(name).await {
            Ok(found) => {
                let repository = repository(reachable.as_deref().unwrap_or(reference));
                let shown = |names: Option<Vec<String>>| {
                    let name = preferred(names, repository);
                    match (&registry, reference.split_once('/')) {
                        (Some(registry), Some((host, _))) if reachable.is_some() => {
                            registry.named(&name, host)
                        }
                        _ => name,
                    }
                };
                return Ok(Some(Image {
                    id: found.id.unwrap_or_default().into(),
                    tag: shown(found.repo_tags).into(),
                    repo_digest: shown(found.repo_digests).into(),
                    user: found.config.and_then(|config| config.user).unwrap_or_default().into(),
                }));
            }
            Err(missing) if error::is_missing(&missing) => {}
            Err(other) => return Err(error::from_engine(other)),
        }
    }
    Ok(None)
}

/// A reference without its tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    name[slash..].find(':').map_or(name, |colon| &name[..slash + colon])
}

/// Of the names of an image the one in `wanted`, or the first.
fn preferred(names: Option<Vec<String>>, wanted: &str) -> String {
    let mut names = names.unwrap_or_default();
    let fits = names.iter().position(|name| repository(name) == wanted).unwrap_or_default();
    if fits < names.len() { names.swap_remove(fits) } else { String::new() }
}

/// Fetches `reference`, showing the registry one of the `credentials` after the other.
pub(super) async fn pull(
    shared: &Shared,
    reference: &str,
    credentials: &[Credentials],
) -> Result<Image, Error> {
    let registry = shared.registry.lock().clone();
    let reachable = registry.as_ref().and_then(|registry| registry.reachable(reference));
    let host = reference.split('/').next().unwrap_or_default();
    let wanted = reachable.as_deref().unwrap_or(reference);
    let last = wanted.rsplit('/').next().unwrap_or_default();
    let named =
        if last.contains([':', '@']) { wanted.to_owned() } else { format!("{wanted}:latest") };
    let wrap = |error: Error| match (error, &registry) {
        (Error::Engine(text), Some(registry)) if reachable.is_some() => {
            let text = registry.named(&text, host);
            Error::Engine(format!("rpc error: code = Unknown desc = {text}"))
        }
        (Error::Engine(text), _) => {
            Error::Engine(format!("rpc error: code = Unknown desc = {text}"))
        }
        (other, _) => other,
    };
    let was_here = reachable.is_some() && inspect(shared, &named).await?.is_some();
    let shown = credentials.iter().map(|one| Some(shown(one)));
    let none = credentials.is_empty().then_some(None);
    let mut failure = None;
    for shown in shown.chain(none) {
        let options = CreateImageOptionsBuilder::default().from_image(&named).build();
        let stream = shared.docker.create_image(Some(options), None, shown);
        match stream.try_for_each(|_| std::future::ready(Ok(()))).await {
            Ok(()) => {
                failure = None;
                break;
            }
            Err(error) => failure = Some(wrap(error::from_engine(error))),
        }
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    if reachable.is_some() && !was_here {
        shared.names.lock().insert(named);
    }
    let found = status(shared, reference).await?;
    found.ok_or_else(|| wrap(Error::Engine(format!("No such image: {reference}"))))
}

/// What the engine says of `reference`.
pub(super) async fn inspect(shared: &Shared, reference: &str) -> Result<Option<Value>, Error> {
    match shared.docker.inspect_image(reference).await {
        Ok(found) => Ok(apimachinery::json::to_value(found).ok()),
        Err(missing) if error::is_missing(&missing) => Ok(None),
        Err(other) => Err(error::from_engine(other)),
    }
}

pub(super) fn shown(credentials: &Credentials) -> DockerCredentials {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    DockerCredentials {
        username: text(&credentials.username),
        password: text(&credentials.password),
        identitytoken: text(&credentials.identity_token),
        serveraddress: text(&credentials.server),
        ..DockerCredentials::default()
    }
}

/// Makes an image of one layer with `files` and gives its id.
pub(super) async fn build(
    shared: &Shared,
    labels: &BTreeMap<String, String>,
    tag: &str,
    files: &[(String, Vec<u8>)],
    entrypoint: &[&str],
) -> Result<String, Error> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let archive = archive::image(tag, files, entrypoint, labels, architecture);
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let stream = shared.docker.import_image(options, bollard::body_full(archive.into()), None);
    stream.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(error::from_engine)?;
    let found = status(shared, tag).await?;
    found
        .map(|image| image.id.into())
        .ok_or_else(|| Error::Engine(format!("the engine did not keep image {tag}")))
}
