//! Paths and queries of the protocol.

use crate::digest::Digest;
use crate::error::Error;
use crate::repository::{Repository, is_tag};

/// What a path addresses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/v2/`
    Base,
    /// `/openshift/token`
    Token,
    /// `/healthz`
    Health,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<repository>/tags/list`
    Tags(Repository),
    /// `/v2/<repository>/manifests/<tag or digest>`
    Manifest(Repository, Reference),
    /// `/v2/<repository>/blobs/<digest>`
    Blob(Repository, Digest),
    /// `/v2/<repository>/blobs/uploads/`
    Uploads(Repository),
    /// `/v2/<repository>/blobs/uploads/<id>`
    Upload(Repository, String),
    /// `/admin/blobs/<digest>`
    Bytes(Digest),
}

/// How a manifest is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Tag(String),
    Digest(Digest),
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl Target {
    /// Reads a path.
    pub(crate) fn parse(path: &str) -> Result<Self, Error> {
        let path = decoded(path);
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["v2"] | ["v2", ""] => Ok(Self::Base),
            ["openshift", "token"] => Ok(Self::Token),
            ["healthz"] => Ok(Self::Health),
            ["v2", "_catalog"] => Ok(Self::Catalog),
            ["admin", "blobs", text] => Ok(Self::Bytes(digest(text)?)),
            ["v2", name @ .., "tags", "list"] => Ok(Self::Tags(repository(name)?)),
            ["v2", name @ .., "manifests", text] => {
                let repository = repository(name)?;
                Ok(Self::Manifest(repository, reference(text)?))
            }
            ["v2", name @ .., "blobs", "uploads"] | ["v2", name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(repository(name)?))
            }
            ["v2", name @ .., "blobs", "uploads", id] => {
                Ok(Self::Upload(repository(name)?, (*id).to_owned()))
            }
            ["v2", name @ .., "blobs", text] => {
                let repository = repository(name)?;
                Ok(Self::Blob(repository, digest(text)?))
            }
            _ => Err(Error::no_route()),
        }
    }

    /// The repository and what is mostly done there, as a challenge states it.
    pub(crate) fn scope(&self, writes: bool) -> Option<String> {
        let repository = match self {
            Self::Tags(repository)
            | Self::Manifest(repository, _)
            | Self::Blob(repository, _)
            | Self::Uploads(repository)
            | Self::Upload(repository, _) => repository,
            Self::Catalog => return Some("registry:catalog:*".to_owned()),
            Self::Base | Self::Token | Self::Health | Self::Bytes(_) => return None,
        };
        let actions = if writes { "pull,push" } else { "pull" };
        Some(format!("repository:{repository}:{actions}"))
    }
}

fn repository(segments: &[&str]) -> Result<Repository, Error> {
    let name = segments.join("/");
    Repository::parse(&name).ok_or_else(|| Error::name_invalid(&name))
}

fn digest(text: &str) -> Result<Digest, Error> {
    text.parse()
        .map_err(|error: crate::digest::Malformed| Error::digest_invalid(&error.to_string()))
}

fn reference(text: &str) -> Result<Reference, Error> {
    if text.contains(':') {
        return digest(text).map(Reference::Digest);
    }
    if is_tag(text) { Ok(Reference::Tag(text.to_owned())) } else { Err(Error::tag_invalid(text)) }
}

/// The value of a query parameter.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

/// Replaces `%XX`; what is malformed stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_address_what_the_protocol_says() {
        let app = || Repository::parse("dev/app").unwrap();
        let digest = Digest::of(b"");
        let parse = |path: &str| Target::parse(path).unwrap();
        assert_eq!(parse("/v2/"), Target::Base);
        assert_eq!(parse("/v2/_catalog"), Target::Catalog);
        assert_eq!(parse("/v2/dev/app/tags/list"), Target::Tags(app()));
        assert_eq!(parse("/v2/dev/app/blobs/uploads/"), Target::Uploads(app()));
        assert_eq!(parse("/v2/dev/app/blobs/uploads/u"), Target::Upload(app(), "u".to_owned()));
        let escaped = digest.to_string().replace(':', "%3A");
        assert_eq!(parse(&format!("/v2/dev/app/blobs/{escaped}")), Target::Blob(app(), digest));
        let latest = Reference::Tag("latest".to_owned());
        assert_eq!(parse("/v2/dev/app/manifests/latest"), Target::Manifest(app(), latest));
    }

    #[test]
    fn what_is_malformed_is_refused_by_name() {
        for (path, code) in [
            ("/v2/app/tags/list", "NAME_INVALID"),
            ("/v2/a/b/c/tags/list", "NAME_INVALID"),
            ("/v2/%2e%2e/x/tags/list", "NAME_INVALID"),
            ("/v2/dev/app/blobs/sha256:1", "DIGEST_INVALID"),
            ("/v2/dev/app/manifests/-x", "TAG_INVALID"),
            ("/v1/", "NOT_FOUND"),
        ] {
            let document = Target::parse(path).unwrap_err().document();
            assert_eq!(document["errors"][0]["code"], code, "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let query = Some("mount=sha256%3Aab&from=dev/app&bad=%zz");
        assert_eq!(parameter(query, "mount").as_deref(), Some("sha256:ab"));
        assert_eq!(parameter(query, "bad").as_deref(), Some("%zz"));
        assert_eq!(parameter(query, "no"), None);
    }
}
