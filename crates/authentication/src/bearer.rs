//! Every kind of bearer token: those of people who logged in, those that were named when the cluster
//! was started, and what others know.
//!
//! Invariant: a request, a `TokenReview` and the registry take a token for the same user with the same
//! groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apiserver::{ApiServer, User};

use crate::Recognise;
use crate::group::Groups;
use crate::token::{self, stored};

/// Who knows whose a token is.
#[derive(Debug, Clone, Default)]
pub struct Bearers {
    groups: Arc<Groups>,
    named: BTreeMap<[u8; 32], String>,
    others: Vec<Recognise>,
}

impl Bearers {
    /// Those of OAuth tokens, and of what `others` know.
    #[must_use]
    pub fn new(others: &[Recognise]) -> Self {
        Self { others: others.to_vec(), ..Self::default() }
    }

    /// Knows further tokens, each with the name of its user.
    #[must_use]
    pub fn named(mut self, tokens: &[(String, String)]) -> Self {
        let digests = tokens.iter().map(|(token, user)| (digest(token), user.clone()));
        self.named.extend(digests);
        self
    }

    /// Whose a token is.
    #[must_use]
    pub fn user(&self, server: &ApiServer, token: &str) -> Option<User> {
        let named = || self.named.get(&digest(token)).map(|name| self.person(server, name));
        token::user_of(server, &self.groups, token)
            .or_else(named)
            .or_else(|| self.others.iter().find_map(|other| other(server, token)))
    }

    /// The user of a named token: as after a login, whether or not there is an object.
    fn person(&self, server: &ApiServer, name: &str) -> User {
        if name.starts_with("system:serviceaccount:") {
            return User::system(name);
        }
        let user = stored(server, &api::USERS, name).map(|stored| stored.value());
        let uid = user.as_deref().map(|user| user.uid().to_owned()).unwrap_or_default();
        let groups = token::groups_of(server, &self.groups, name, user.as_deref());
        User { name: name.to_owned(), uid, groups, ..User::default() }
    }
}

/// Tokens are compared by digest, never byte by byte.
fn digest(token: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}
