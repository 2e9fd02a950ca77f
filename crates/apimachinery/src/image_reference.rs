//! Pull specs: `[registry/][namespace/]name[:tag][@digest]`.
//!
//! Invariant: what [`ImageReference::exact`] prints has exactly the parts that were given.
//!
//! Mirrors: `github.com/openshift/origin/pkg/image/apis/image/docker10` references and the grammar
//! of `github.com/docker/distribution/reference`.

use std::fmt;
use std::str::FromStr;

use crate::field::quote;

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOSTS: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];
const NAME_MAX: usize = 255;

/// Why a text is no pull spec, or no name of a tag or image of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text has the wrong shape.
    #[error("invalid reference format")]
    Format,
    /// The name would be fine in lower case.
    #[error("repository name must be lowercase")]
    Uppercase,
    /// No name at all.
    #[error("repository name must have at least one component")]
    Empty,
    /// The name is too long.
    #[error("repository name must not be more than {NAME_MAX} characters")]
    TooLong,
    /// A digest of an unknown algorithm.
    #[error("unsupported digest algorithm")]
    DigestAlgorithm,
    /// A digest that is too long or too short for its algorithm.
    #[error("invalid checksum digest length")]
    DigestLength,
    /// `name@id` where `name:tag` was expected.
    #[error("{} is an image stream image, not an image stream tag", quote(.0))]
    ImageForTag(String),
    /// Not exactly one colon.
    #[error("expected exactly one : delimiter in the istag {}", quote(.0))]
    TagDelimiter(String),
    /// A part of `name:tag` is empty.
    #[error("image stream tag name {} must have a name and a tag", quote(.0))]
    TagParts(String),
    /// Not exactly one at sign.
    #[error("expected exactly one @ in the isimage name {}", quote(.0))]
    ImageDelimiter(String),
    /// A part of `name@id` is empty.
    #[error("image stream image name {} must have a name and ID", quote(.0))]
    ImageParts(String),
}

/// The parts of a pull spec; absent parts are empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ImageReference {
    /// Host and port of the registry.
    pub registry: String,
    /// First part of the path, when the path has several.
    pub namespace: String,
    /// The rest of the path.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// The digest, e.g. `sha256:…`, or the bare id of an old registry.
    pub id: String,
}

impl ImageReference {
    /// Reads a pull spec.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match parse(text) {
            Err(Error::Format) if text.is_empty() => Err(Error::Empty),
            Err(Error::Format) if parse(&text.to_lowercase()).is_ok() => Err(Error::Uppercase),
            result => result,
        }
    }

    /// Name with tag or, without tag, digest: `name:tag`, `name@sha256:…`.
    #[must_use]
    pub fn name_string(&self) -> String {
        let Self { name, tag, id, .. } = self;
        if name.is_empty() || (tag.is_empty() && id.is_empty()) {
            name.clone()
        } else if !tag.is_empty() {
            format!("{name}:{tag}")
        } else if is_digest(id) {
            format!("{name}@{id}")
        } else {
            format!("{name}:{id}")
        }
    }

    /// The pull spec with exactly the parts that are there.
    #[must_use]
    pub fn exact(&self) -> String {
        let name = self.name_string();
        if name.is_empty() {
            return name;
        }
        let parts = [self.registry.as_str(), &self.namespace, &name];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// What a Docker client makes of it: Docker Hub, `library` and `latest` where nothing is given.
    #[must_use]
    pub fn docker_client_defaults(&self) -> Self {
        let mut reference = self.clone();
        if reference.registry.is_empty() {
            DOCKER_HUB.clone_into(&mut reference.registry);
        }
        reference.default_namespace();
        if reference.tag.is_empty() {
            "latest".clone_into(&mut reference.tag);
        }
        reference
    }

    fn default_namespace(&mut self) {
        if self.namespace.is_empty() && self.is_docker_hub() {
            "library".clone_into(&mut self.namespace);
        }
    }

    fn is_docker_hub(&self) -> bool {
        DOCKER_HUB_HOSTS.contains(&self.registry.as_str())
    }

    /// Without the tag `latest`.
    #[must_use]
    pub fn minimal(&self) -> Self {
        let mut reference = self.clone();
        if reference.tag == "latest" {
            reference.tag.clear();
        }
        reference
    }

    /// As a Docker daemon shows it: Docker Hub under its short name, without `library` and `latest`.
    #[must_use]
    pub fn daemon_minimal(&self) -> Self {
        let mut reference = self.minimal();
        if reference.is_docker_hub() {
            DOCKER_HUB.clone_into(&mut reference.registry);
            if reference.namespace == "library" {
                reference.namespace.clear();
            }
        }
        reference
    }

    /// Without tag and digest.
    #[must_use]
    pub fn as_repository(&self) -> Self {
        Self { tag: String::new(), id: String::new(), ..self.clone() }
    }

    /// `namespace/name`, without registry, tag and digest.
    #[must_use]
    pub fn repository_name(&self) -> String {
        Self { registry: String::new(), ..self.as_repository() }.exact()
    }

    /// Whether both mean the same image to a Docker client.
    #[must_use]
    pub fn is_same_image(&self, other: &Self) -> bool {
        self.docker_client_defaults() == other.docker_client_defaults()
    }
}

/// Prints as [`ImageReference::exact`], with the namespace `library` where Docker Hub implies it.
impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reference = self.clone();
        reference.default_namespace();
        f.write_str(&reference.exact())
    }
}

impl FromStr for ImageReference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

fn parse(text: &str) -> Result<ImageReference, Error> {
    let good = |condition: bool| if condition { Ok(()) } else { Err(Error::Format) };
    let (rest, id) = match text.split_once('@') {
        Some((rest, id)) => {
            good(is_reference_digest(id))?;
            (rest, id)
        }
        None => (text, ""),
    };
    let path_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match rest[path_start..].find(':') {
        Some(colon) => {
            let (path, tag) = rest.split_at(path_start + colon);
            good(is_tag(&tag[1..]))?;
            (path, &tag[1..])
        }
        None => (rest, ""),
    };
    let (first, others) = path.split_once('/').map_or((path, None), |(a, b)| (a, Some(b)));
    good(is_path_component(first) || (others.is_some() && is_domain(first)))?;
    good(others.is_none_or(|others| others.split('/').all(is_path_component)))?;
    if path.len() > NAME_MAX {
        return Err(Error::TooLong);
    }
    if !id.is_empty() {
        check_digest(id)?;
    }
    let is_registry = first.contains(['.', ':']) || first == "localhost";
    let (registry, path) = match others {
        Some(others) if is_registry => (first, others),
        _ => ("", path),
    };
    let (namespace, name) = path.split_once('/').unwrap_or(("", path));
    Ok(ImageReference {
        registry: registry.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        tag: tag.to_owned(),
        id: id.to_owned(),
    })
}

/// `[a-z0-9]+` parts joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let alnum = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separator = |text: &str| match text {
        "." | "_" | "__" => true,
        _ => text.bytes().all(|byte| byte == b'-'),
    };
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|byte| alnum(*byte))
        && bytes.last().is_some_and(|byte| alnum(*byte))
        && text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(separator)
}

/// Labels joined by dots, and perhaps a port.
fn is_domain(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
    let label = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').all(label) && port.is_none_or(number)
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_reference_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let part = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(part)
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check_digest(text: &str) -> Result<(), Error> {
    let (algorithm, hex) = text.split_once(':').ok_or(Error::Format)?;
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(Error::DigestAlgorithm),
    };
    if hex.len() == length { Ok(()) } else { Err(Error::DigestLength) }
}

/// Whether a text is a digest of a known algorithm, e.g. `sha256:` and 64 hexadecimal digits.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    is_reference_digest(text) && check_digest(text).is_ok()
}

/// Splits the name of an `ImageStreamTag`, `stream:tag`.
///
/// # Errors
/// When it has not exactly these two parts.
pub fn parse_image_stream_tag(text: &str) -> Result<(&str, &str), Error> {
    if text.contains('@') {
        return Err(Error::ImageForTag(text.to_owned()));
    }
    match text.split_once(':') {
        Some((_, tag)) if tag.contains(':') => Err(Error::TagDelimiter(text.to_owned())),
        Some((name, tag)) if name.is_empty() || tag.is_empty() => {
            Err(Error::TagParts(text.to_owned()))
        }
        Some(parts) => Ok(parts),
        None => Err(Error::TagDelimiter(text.to_owned())),
    }
}

/// Splits the name of an `ImageStreamImage`, `stream@id`.
///
/// # Errors
/// When it has not exactly these two parts.
pub fn parse_image_stream_image(text: &str) -> Result<(&str, &str), Error> {
    match text.split_once('@') {
        Some((_, id)) if id.contains('@') => Err(Error::ImageDelimiter(text.to_owned())),
        Some((name, id)) if name.is_empty() || id.is_empty() => {
            Err(Error::ImageParts(text.to_owned()))
        }
        Some(parts) => Ok(parts),
        None => Err(Error::ImageDelimiter(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
