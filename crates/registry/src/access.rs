//! Who asks, and whether they may.
//!
//! Clients show a token of the cluster, as their password or as a bearer; rights are those to
//! `imagestreams/layers`.
//!
//! Invariant: a refusal does not tell whether a repository exists.
//!
//! Mirrors: `openshift/image-registry/pkg/dockerregistry/server/{auth,tokenhandler}.go`.

use std::sync::Arc;

use api::Verb;
use apiserver::http::{Authenticator, authenticated};
use apiserver::{ApiServer, Attributes, User};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::error::Error;
use crate::repository::Repository;

/// The token of callers without credentials: clients want one from the token service anyway.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// What a caller wants to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action<'a> {
    /// Read from a repository.
    Pull(&'a Repository),
    /// Write to a repository.
    Push(&'a Repository),
    /// Remove bytes.
    Prune,
    /// List all repositories.
    Catalog,
}

/// Recognises callers and judges what they want.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) server: ApiServer,
    pub(crate) authenticator: Arc<dyn Authenticator>,
}

impl Access {
    /// The caller of a request, who is anonymous without credentials.
    ///
    /// # Errors
    /// 401 for credentials that nobody has.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Error> {
        let Some(token) = token(headers) else { return Ok(Caller::unknown()) };
        if token == ANONYMOUS {
            return Ok(Caller { user: User::anonymous(), token });
        }
        let user = self.authenticator.authenticate(&token).ok_or_else(Error::unauthorized)?;
        Ok(Caller { user: authenticated(user), token })
    }

    /// Whether `user` may do `action`.
    ///
    /// # Errors
    /// 401 when not.
    pub(crate) fn require(&self, user: &User, action: Action<'_>) -> Result<(), Error> {
        let streams = &api::IMAGE_STREAMS;
        let (verb, resource, subresource, repository) = match action {
            Action::Pull(repository) => (Verb::Get, streams, "layers", Some(repository)),
            Action::Push(repository) => (Verb::Update, streams, "layers", Some(repository)),
            Action::Prune => (Verb::Delete, &api::IMAGES, "", None),
            Action::Catalog => (Verb::List, streams, "", None),
        };
        let (namespace, name) = repository.map_or(("", ""), |repository| {
            (repository.namespace.as_str(), repository.name.as_str())
        });
        let attributes = Attributes { user, verb, resource, subresource, namespace, name };
        if self.server.allows(&attributes) {
            return Ok(());
        }
        Err(match action {
            Action::Pull(repository) => {
                Error::not_allowed("repository", &repository.to_string(), "pull")
            }
            Action::Push(repository) => {
                Error::not_allowed("repository", &repository.to_string(), "push")
            }
            Action::Prune => Error::not_allowed("admin", "", "prune"),
            Action::Catalog => Error::not_allowed("registry", "catalog", "*"),
        })
    }
}

/// Who asks.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) user: User,
    /// What they showed; empty for nothing.
    pub(crate) token: String,
}

impl Caller {
    fn unknown() -> Self {
        Self { user: User::anonymous(), token: String::new() }
    }
}

/// The token of a request: the bearer, or the password whatever the name.
fn token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned()).filter(|token| !token.is_empty());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (_, password) = text.split_once(':')?;
    Some(password.to_owned()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        token(&headers)
    }

    #[test]
    fn tokens_come_as_bearers_or_passwords() {
        assert_eq!(shown("Bearer t1").as_deref(), Some("t1"));
        let basic = format!("Basic {}", STANDARD.encode("anyone:t2"));
        assert_eq!(shown(&basic).as_deref(), Some("t2"));
        for nothing in ["Bearer ", "Basic ?", "Digest x", "Basic", "Basic YTo="] {
            assert_eq!(shown(nothing), None, "{nothing}");
        }
    }
}
