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
use hyper::header::{self, HeaderMap};

use super::respond::text;
use crate::User;

const AUTHENTICATED: &str = "system:authenticated";
const MASTERS: &str = "system:masters";

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
        let user = match peer {
            Peer::Certified(user) => Some(user.clone()),
            Peer::Unknown | Peer::Refused => match text(headers, header::AUTHORIZATION) {
                "" if matches!(peer, Peer::Refused) => return Err(unauthorized()),
                "" => None,
                credential => Some(self.bearer(credential).ok_or_else(unauthorized)?),
            },
        };
        match user {
            Some(user) => impersonated(user, headers).map(Some),
            None => Ok(None),
        }
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

/// Applies `Impersonate-User` and `Impersonate-Group` for those who may.
fn impersonated(user: User, headers: &HeaderMap) -> Result<User, Status> {
    let Some(name) = headers.get("impersonate-user").and_then(|value| value.to_str().ok()) else {
        return Ok(user);
    };
    if !user.groups.iter().any(|group| group == MASTERS) {
        let text = format!(
            "User {:?} cannot impersonate users at the cluster scope: no RBAC policy matched",
            user.name
        );
        return Err(Status::forbidden("", "users", name, &text));
    }
    let groups = headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|value| value.to_str().ok().map(ToOwned::to_owned))
        .collect();
    Ok(authenticated(User { name: name.to_owned(), uid: String::new(), groups }))
}

fn digest(token: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn user(name: &str, groups: &[&str]) -> User {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        User { name: name.to_owned(), uid: String::new(), groups }
    }

    fn call(headers: &[(&'static str, &'static str)], peer: &Peer) -> String {
        let gate = Gate::new(
            &[("t1".to_owned(), user("ann", &[])), ("t2".to_owned(), user("root", &[MASTERS]))],
            None,
        );
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
    fn only_masters_impersonate() {
        let as_bob =
            |token| call(&[("authorization", token), ("impersonate-user", "bob")], &Peer::Unknown);
        assert_eq!(as_bob("Bearer t2"), "bob system:authenticated");
        assert_eq!(
            as_bob("Bearer t1"),
            "users \"bob\" is forbidden: User \"ann\" cannot impersonate users at the cluster \
             scope: no RBAC policy matched"
        );
    }
}
