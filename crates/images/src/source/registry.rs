//! A client of registries that speak the distribution protocol: manifests, configurations and tags
//! for imports, blobs for whoever hands images on.
//!
//! Invariant: what is given back under a digest has that digest.
//!
//! Mirrors: `openshift/origin pkg/image/registryclient/client.go`, `pkg/image/importer/importer.go`.
//!
//! Deviation: registries that only know the first protocol or manifests of schema 1 are refused.

use std::io::Read;

use apimachinery::image_reference::ImageReference;
use apimachinery::{ObjectExt as _, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::source::http::{self, Answer, Url};
use crate::source::{Error, Fetched, Platform, Source, Wanted};

const MANIFEST_TYPES: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];
const MAX_DOCUMENT: u64 = 4 << 20;
const MAX_TAG_PAGES: usize = 100;

/// Images of any registry that can be reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Registries;

impl Source for Registries {
    fn image(&self, wanted: &Wanted<'_>) -> Result<Fetched, Error> {
        retried(wanted, |session| session.image(wanted))
    }

    fn tags(&self, wanted: &Wanted<'_>) -> Result<Vec<String>, Error> {
        retried(wanted, |session| session.tags())
    }

    fn is_remote(&self) -> bool {
        true
    }
}

impl Registries {
    /// A manifest of a repository by tag or digest, with its media type.
    ///
    /// # Errors
    /// Why there is none.
    pub fn manifest(&self, wanted: &Wanted<'_>) -> Result<(String, Vec<u8>), Error> {
        retried(wanted, |session| session.manifest(&tag_or_digest(wanted.reference)))
    }

    /// The bytes of a blob, as they come; who reads them compares them with the digest.
    ///
    /// # Errors
    /// Why there is none.
    pub fn blob(&self, wanted: &Wanted<'_>, digest: &str) -> Result<Box<dyn Read + Send>, Error> {
        retried(wanted, |session| session.blob(digest).map(Answer::into_body))
    }
}

/// Once with credentials and, when they are wrong, once without: the image may be public.
fn retried<T>(
    wanted: &Wanted<'_>,
    ask: impl Fn(&mut Session<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let first = Session::open(wanted, true).and_then(|mut session| ask(&mut session));
    match first {
        Err(refusal @ Error::Unauthorized { incorrect: true, .. }) => {
            let second = Session::open(wanted, false).and_then(|mut session| ask(&mut session));
            second.map_err(|_| refusal)
        }
        other => other,
    }
}

/// What a registry calls the image.
fn tag_or_digest(reference: &ImageReference) -> String {
    match (reference.id.as_str(), reference.tag.as_str()) {
        ("", "") => "latest".to_owned(),
        ("", tag) => tag.to_owned(),
        (id, _) => id.to_owned(),
    }
}

/// One repository of one registry, with what it wants to be shown.
struct Session<'a> {
    wanted: &'a Wanted<'a>,
    base: Url,
    repository: String,
    shows_credentials: bool,
    authorization: Option<String>,
}

/// What a registry asks for in `WWW-Authenticate`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    realm: String,
    service: String,
    scope: String,
}

impl<'a> Session<'a> {
    /// Finds out how the registry is spoken to.
    fn open(wanted: &'a Wanted<'a>, shows_credentials: bool) -> Result<Self, Error> {
        let reference = wanted.reference.docker_client_defaults();
        let host = match reference.registry.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            other => other,
        };
        let repository = reference.repository_name();
        let url = |scheme: &str| Url {
            scheme: scheme.to_owned(),
            authority: host.to_owned(),
            path: "/v2/".to_owned(),
        };
        let mut base = url("https");
        let answer = match http::get(&base, &[], wanted.insecure) {
            Err(error) if wanted.insecure => {
                base = url("http");
                http::get(&base, &[], true).map_err(|_| refused(error))?
            }
            other => other.map_err(refused)?,
        };
        let mut session = Self { wanted, base, repository, shows_credentials, authorization: None };
        match answer.code {
            200 => {}
            401 => session.answer_challenge(&answer)?,
            _ => return Err(Error::NotV2(host.to_owned())),
        }
        Ok(session)
    }

    fn image(&mut self, wanted: &Wanted<'_>) -> Result<Fetched, Error> {
        let mut name = tag_or_digest(wanted.reference);
        let (mut media_type, mut bytes) = self.manifest(&name)?;
        let mut manifest = document(&bytes)?;
        if let Some(entries) = manifest["manifests"].as_array() {
            choose(entries, wanted.platform).ok_or(Error::NotFound)?.clone_into(&mut name);
            (media_type, bytes) = self.manifest(&name)?;
            manifest = document(&bytes)?;
        }
        let config = match manifest.str_at(&["config", "digest"]) {
            "" => return Err(Error::Failed("the manifest names no configuration".to_owned())),
            digest => self.document(digest)?,
        };
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| Error::Failed("invalid UTF-8".to_owned()))
        };
        Ok(Fetched {
            digest: cri::digest::sha256(&bytes),
            manifest: text(bytes)?,
            media_type,
            config: text(config)?,
            metadata: None,
        })
    }

    fn manifest(&mut self, name: &str) -> Result<(String, Vec<u8>), Error> {
        let path = format!("/v2/{}/manifests/{name}", self.repository);
        let accept = MANIFEST_TYPES.map(|kind| ("Accept", kind.to_owned()));
        let answer = self.get(&path, &accept)?;
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
        let bytes = answer.bytes(MAX_DOCUMENT).map_err(Error::Failed)?;
        let digest = cri::digest::sha256(&bytes);
        if name.starts_with("sha256:") && name != digest {
            let text = format!("manifest verification failed for digest {name}");
            return Err(Error::Failed(text));
        }
        Ok((kind, bytes))
    }

    fn blob(&mut self, digest: &str) -> Result<Answer, Error> {
        self.get(&format!("/v2/{}/blobs/{digest}", self.repository), &[])
    }

    fn document(&mut self, digest: &str) -> Result<Vec<u8>, Error> {
        let bytes = self.blob(digest)?.bytes(MAX_DOCUMENT).map_err(Error::Failed)?;
        if cri::digest::sha256(&bytes) != digest {
            return Err(Error::Failed(format!("content does not match digest {digest}")));
        }
        Ok(bytes)
    }

    fn tags(&mut self) -> Result<Vec<String>, Error> {
        let mut path = format!("/v2/{}/tags/list", self.repository);
        let mut tags = Vec::new();
        for _ in 0..MAX_TAG_PAGES {
            let answer = self.get(&path, &[])?;
            let next = answer.header("link").and_then(next_page).map(str::to_owned);
            let page = document(&answer.bytes(MAX_DOCUMENT).map_err(Error::Failed)?)?;
            let names = page.list_at(&["tags"]).iter().filter_map(Value::as_str);
            tags.extend(names.map(str::to_owned));
            match next.and_then(|next| Url::parse(&next, Some(&self.base))) {
                Some(url) if url.authority == self.base.authority => path = url.path,
                _ => break,
            }
        }
        Ok(tags)
    }

    /// Fetches a path, answering at most one challenge.
    fn get(&mut self, path: &str, headers: &[(&str, String)]) -> Result<Answer, Error> {
        let url = Url { path: path.to_owned(), ..self.base.clone() };
        for challenged in [false, true] {
            let shown = self.authorization.clone().map(|value| ("Authorization", value));
            let headers: Vec<_> = headers.iter().cloned().chain(shown).collect();
            let answer = http::get(&url, &headers, self.wanted.insecure).map_err(refused)?;
            match answer.code {
                200 => return Ok(answer),
                404 => return Err(Error::NotFound),
                401 if !challenged => self.answer_challenge(&answer)?,
                401 | 403 => return Err(self.unauthorized(&challenge(&answer))),
                code => {
                    let text = format!("received unexpected HTTP status: {code}");
                    return Err(Error::Failed(text));
                }
            }
        }
        Err(Error::Unauthorized { no_basic: false, incorrect: false })
    }

    fn unauthorized(&self, challenge: &Challenge) -> Error {
        let basic = challenge.scheme == "basic";
        Error::Unauthorized {
            no_basic: basic && self.authorization.is_none(),
            incorrect: basic && self.authorization.is_some(),
        }
    }

    fn answer_challenge(&mut self, answer: &Answer) -> Result<(), Error> {
        let challenge = challenge(answer);
        match challenge.scheme.as_str() {
            "basic" => {
                let base = self.base.clone();
                let Some(basic) = self.basic(&base) else {
                    return Err(Error::Unauthorized { no_basic: true, incorrect: false });
                };
                if self.authorization.as_ref() == Some(&basic) {
                    return Err(self.unauthorized(&challenge));
                }
                self.authorization = Some(basic);
                Ok(())
            }
            "bearer" => {
                let token = self.token(&challenge)?;
                self.authorization = Some(format!("Bearer {token}"));
                Ok(())
            }
            _ => Err(Error::Unauthorized { no_basic: false, incorrect: false }),
        }
    }

    /// The `Authorization` header with the credentials filed for `url`.
    fn basic(&self, url: &Url) -> Option<String> {
        if !self.shows_credentials {
            return None;
        }
        let path = url.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        let keyring = self.wanted.keyring;
        let host = self.base.authority.as_str();
        // Those for this repository come before those for the host that hands out tokens.
        let repository = format!("/{}", self.repository);
        let login = keyring
            .login(&self.base.scheme, host, &repository)
            .or_else(|| keyring.login(&url.scheme, &url.authority, path))?;
        let packed = STANDARD.encode(format!("{}:{}", login.username, login.password));
        Some(format!("Basic {packed}"))
    }

    /// Asks the realm of a challenge for a token that lets this repository be pulled.
    fn token(&self, challenge: &Challenge) -> Result<String, Error> {
        let refusal = Error::Unauthorized { no_basic: false, incorrect: false };
        let mut url = Url::parse(&challenge.realm, Some(&self.base)).ok_or(refusal)?;
        let plain = url.scheme == "http" && self.base.scheme == "https";
        if plain && !self.wanted.insecure {
            return Err(Error::HttpOnly);
        }
        let scope = match challenge.scope.as_str() {
            "" => format!("repository:{}:pull", self.repository),
            given => given.to_owned(),
        };
        let separator = if url.path.contains('?') { '&' } else { '?' };
        let (service, scope) = (escape(&challenge.service), escape(&scope));
        let basic = self.basic(&url).map(|value| ("Authorization", value));
        url.path.push_str(&format!("{separator}service={service}&scope={scope}"));
        let shown = basic.is_some();
        let headers: Vec<_> = basic.into_iter().collect();
        let answer = http::get(&url, &headers, self.wanted.insecure).map_err(refused)?;
        match answer.code {
            200 => {}
            401 | 403 => return Err(Error::Unauthorized { no_basic: false, incorrect: shown }),
            code => return Err(Error::Failed(format!("received unexpected HTTP status: {code}"))),
        }
        let body = document(&answer.bytes(MAX_DOCUMENT).map_err(Error::Failed)?)?;
        let token = ["token", "access_token"].map(|field| body.str_at(&[field]));
        let token = token.into_iter().find(|token| !token.is_empty());
        token.map(str::to_owned).ok_or_else(|| Error::Failed("no token in the answer".to_owned()))
    }
}

fn refused(error: http::Error) -> Error {
    match error {
        http::Error::PlainServer(_) => Error::HttpOnly,
        failed @ http::Error::Failed { .. } => Error::Failed(failed.to_string()),
    }
}

fn document(bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Failed(error.to_string()))
}

/// The image of a list for the platform that was asked for, else for this machine, else the first.
fn choose<'a>(entries: &'a [Value], platform: &Platform) -> Option<&'a str> {
    let own = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let fits = |entry: &&Value, architecture: &str, os: &str| {
        let is = |field: &str, wanted: &str| {
            wanted.is_empty() || entry.str_at(&["platform", field]) == wanted
        };
        is("architecture", architecture) && is("os", os)
    };
    let asked = !platform.architecture.is_empty() || !platform.os.is_empty();
    let wanted = asked
        .then(|| entries.iter().find(|entry| fits(entry, &platform.architecture, &platform.os)));
    let entry = wanted
        .flatten()
        .or_else(|| entries.iter().find(|entry| fits(entry, own, "linux")))
        .or_else(|| entries.first())?;
    Some(entry.str_at(&["digest"])).filter(|digest| !digest.is_empty())
}

fn challenge(answer: &Answer) -> Challenge {
    let mut all = answer.headers("www-authenticate").map(parse_challenge);
    let first = all.next().unwrap_or_default();
    if first.scheme == "bearer" {
        first
    } else {
        all.find(|c| c.scheme == "bearer").unwrap_or(first)
    }
}

fn parse_challenge(text: &str) -> Challenge {
    let text = text.trim();
    let (scheme, mut rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut challenge = Challenge { scheme: scheme.to_ascii_lowercase(), ..Challenge::default() };
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        match key.trim().trim_start_matches(',').trim().to_ascii_lowercase().as_str() {
            "realm" => value.clone_into(&mut challenge.realm),
            "service" => value.clone_into(&mut challenge.service),
            "scope" => value.clone_into(&mut challenge.scope),
            _ => {}
        }
        rest = next.trim_start_matches([',', ' ']);
    }
    challenge
}

/// The address of a `Link` header with `rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then_some(address)
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
