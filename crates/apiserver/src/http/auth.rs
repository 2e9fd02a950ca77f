//! Who is calling: client certificates, bearer tokens, impersonation.
//!
//! What a caller may do is not decided here: every request reaches the server with its
//! [`User`], which is where an authoriser will look.
//!
//! Invariant: tokens are compared by digest, never byte by byte.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use apimachinery::Status;
use apimachinery::status::Reason;
use hyper::header::{self, HeaderMap, HeaderValue};

use super::respond::text;
use crate::User;
use crate::user::Impersonation;

const AUTHENTICATED: &str = "system:authenticated";

/// Recognises bearer tokens that are not in the static table, e.g. OAuth access tokens.
pub trait Authenticator: Send + Sync + fmt::Debug {
    /// The user a token belongs to; `None` when it is not known.
    fn authenticate(&self, token: &str) -> Option<User>;
}

/// What a connection shows of its client before any request.
#[derive(Debug, Clone, Default)]
pub(crate) enum Peer {
    /// No client certificate.
    #[default]
    Unknown,
    /// A certificate that the authority signed.
    Certified(User),
    /// A certificate that it did not sign, or that names nobody.
    Refused,
}

/// The ways to recognise a caller.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    tokens: BTreeMap<[u8; 32], User>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

impl Gate {
    pub(crate) fn new(
        tokens: &[(String, User)],
        authenticator: Option<Arc<dyn Authenticator>>,
    ) -> Self {
        let tokens = tokens.iter().map(|(token, user)| (digest(token), user.clone())).collect();
        Self { tokens, authenticator }
    }

    /// The caller of a request; `None` for an anonymous one.
    pub(crate) fn caller(&self, peer: &Peer, headers: &HeaderMap) -> Result<Option<User>, Status> {
        Ok(match peer {
            Peer::Certified(user) => Some(user.clone()),
            Peer::Unknown | Peer::Refused => match text(headers, header::AUTHORIZATION) {
                "" if matches!(peer, Peer::Refused) => return Err(unauthorized()),
                "" => None,
                credential => Some(self.bearer(credential).ok_or_else(unauthorized)?),
            },
        })
    }

    fn bearer(&self, credential: &str) -> Option<User> {
        let (scheme, token) = credential.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let token = token.trim();
        let known = self.tokens.get(&digest(token)).cloned();
        let user = known.or_else(|| self.authenticator.as_ref()?.authenticate(token))?;
        Some(authenticated(user))
    }
}

/// 401, as every request without a recognised caller gets it.
pub(crate) fn unauthorized() -> Status {
    Status::new(Reason::Unauthorized, "Unauthorized")
}

/// Adds the group of everyone who is recognised.
pub(crate) fn authenticated(mut user: User) -> User {
    if !user.groups.iter().any(|group| group == AUTHENTICATED) {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    user
}

/// Whom the caller wants to act as, by `Impersonate-User` and the headers that go with it; whether
/// they may is the authoriser's to say.
pub(crate) fn impersonation(headers: &HeaderMap) -> Option<Impersonation> {
    const EXTRA: &str = "impersonate-extra-";
    let text = |value: &HeaderValue| value.to_str().ok().map(ToOwned::to_owned);
    let user = headers.get("impersonate-user").and_then(text)?;
    let groups = headers.get_all("impersonate-group").iter().filter_map(text).collect();
    let extra = headers
        .iter()
        .filter_map(|(name, value)| {
            let key = name.as_str().strip_prefix(EXTRA)?;
            Some((key.to_owned(), text(value)?))
        })
        .collect();
    Some(Impersonation { user, groups, extra })
}

fn digest(token: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, groups: &[&str]) -> User {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        User { name: name.to_owned(), uid: String::new(), groups }
    }

    fn call(headers: &[(&'static str, &'static str)], peer: &Peer) -> String {
        let gate = Gate::new(&[("t1".to_owned(), user("ann", &[]))], None);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        match gate.caller(peer, &map) {
            Ok(Some(user)) => format!("{} {}", user.name, user.groups.join(",")),
            Ok(None) => "anonymous".to_owned(),
            Err(status) => status.message,
        }
    }

    #[test]
    fn callers_are_recognised() {
        let unknown = Peer::Unknown;
        assert_eq!(call(&[], &unknown), "anonymous");
        assert_eq!(call(&[("authorization", "Bearer t1")], &unknown), "ann system:authenticated");
        assert_eq!(call(&[("authorization", "Bearer no")], &unknown), "Unauthorized");
        assert_eq!(call(&[("authorization", "Basic abc")], &unknown), "Unauthorized");
        assert_eq!(call(&[], &Peer::Refused), "Unauthorized");
        let certified = Peer::Certified(user("eve", &["g"]));
        assert_eq!(call(&[], &certified), "eve g");
    }

    #[test]
    fn impersonation_is_read_from_its_headers() {
        let mut headers = HeaderMap::new();
        assert!(impersonation(&headers).is_none());
        headers.append("impersonate-user", HeaderValue::from_static("bob"));
        headers.append("impersonate-group", HeaderValue::from_static("a"));
        headers.append("impersonate-group", HeaderValue::from_static("b"));
        headers.append("impersonate-extra-scopes", HeaderValue::from_static("user:info"));
        let wanted = impersonation(&headers).unwrap();
        assert_eq!((wanted.user.as_str(), wanted.groups), ("bob", vec!["a".into(), "b".into()]));
        assert_eq!(wanted.extra, [("scopes".to_owned(), "user:info".to_owned())]);
    }
}
