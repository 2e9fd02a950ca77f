//! Who is calling: client certificates, bearer tokens, impersonation.
//!
//! What a caller may do is not decided here: every request reaches the server with its [`User`], who
//! is [`User::anonymous`] when there are no credentials.
//!
//! Invariant: tokens are compared by digest, never byte by byte.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use apimachinery::Status;
use apimachinery::status::Reason;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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

/// The ways to recognise a caller: a table of tokens, and whoever knows others.
#[derive(Debug, Default)]
pub struct Gate {
    tokens: BTreeMap<[u8; 32], User>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

impl Gate {
    /// Recognises `tokens` first.
    #[must_use]
    pub fn new(tokens: &[(String, User)], authenticator: Option<Arc<dyn Authenticator>>) -> Self {
        let tokens = tokens.iter().map(|(token, user)| (digest(token), user.clone())).collect();
        Self { tokens, authenticator }
    }

    /// The caller of a request; [`User::anonymous`] when it shows no credentials.
    ///
    /// # Errors
    /// 401 for credentials that are not recognised.
    pub(crate) fn caller(&self, peer: &Peer, headers: &HeaderMap) -> Result<User, Status> {
        match (peer, bearer_token(headers)) {
            (Peer::Certified(user), _) => Ok(user.clone()),
            (_, Some(token)) => self.authenticate(&token).ok_or_else(unauthorized),
            (Peer::Refused, None) => Err(unauthorized()),
            (Peer::Unknown, None) => Ok(User::anonymous()),
        }
    }
}

impl Authenticator for Gate {
    fn authenticate(&self, token: &str) -> Option<User> {
        let known = self.tokens.get(&digest(token)).cloned();
        let user = known.or_else(|| self.authenticator.as_ref()?.authenticate(token))?;
        Some(authenticated(user))
    }
}

/// The bearer token of a request, out of its header or, where browsers can set none, out of the list
/// of protocols for a WebSocket. Other schemes are no credentials here.
///
/// Mirrors: `k8s.io/apiserver/pkg/authentication/request/{bearertoken,websocket}`.
fn bearer_token(headers: &HeaderMap) -> Option<String> {
    const PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";
    if let Some((scheme, token)) = text(headers, header::AUTHORIZATION).trim().split_once(' ')
        && scheme.eq_ignore_ascii_case("bearer")
        && !token.trim().is_empty()
    {
        return Some(token.trim().to_owned());
    }
    let protocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut words = protocols.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    let encoded = words.find_map(|word| word.trim().strip_prefix(PROTOCOL))?;
    let token = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    String::from_utf8(token).ok().filter(|token| !token.is_empty())
}

/// 401, as every request without a recognised caller gets it.
pub(crate) fn unauthorized() -> Status {
    Status::new(Reason::Unauthorized, "Unauthorized")
}

/// Adds the group of everyone who is recognised.
#[must_use]
pub fn authenticated(mut user: User) -> User {
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
        User { name: name.to_owned(), groups, ..User::default() }
    }

    fn call(headers: &[(&'static str, &'static str)], peer: &Peer) -> String {
        let gate = Gate::new(&[("t1".to_owned(), user("ann", &[]))], None);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        match gate.caller(peer, &map) {
            Ok(user) => format!("{} {}", user.name, user.groups.join(",")),
            Err(status) => status.message,
        }
    }

    #[test]
    fn callers_are_recognised() {
        let unknown = Peer::Unknown;
        let anonymous = "system:anonymous system:unauthenticated";
        assert_eq!(call(&[], &unknown), anonymous);
        assert_eq!(call(&[("authorization", "Bearer t1")], &unknown), "ann system:authenticated");
        assert_eq!(call(&[("authorization", "Bearer no")], &unknown), "Unauthorized");
        assert_eq!(call(&[("authorization", "Basic abc")], &unknown), anonymous);
        assert_eq!(call(&[("authorization", "Bearer ")], &unknown), anonymous);
        let protocol = "base64url.bearer.authorization.k8s.io.dDE, v4.channel.k8s.io";
        let ann = "ann system:authenticated";
        assert_eq!(call(&[("sec-websocket-protocol", protocol)], &unknown), ann);
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
