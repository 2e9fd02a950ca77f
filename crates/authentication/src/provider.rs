//! Who judges names and passwords.
//!
//! Mirrors: `openshift/origin:pkg/oauthserver/authenticator/password/{allowanypassword,htpasswd}`.
//!
//! Invariant: an empty name or password is never right.

use crate::htpasswd::Htpasswd;

/// An identity provider.
#[derive(Debug)]
pub enum Provider {
    /// Any name with any password, as `oc cluster up` has it.
    AnyPassword,
    /// The users of a file.
    Htpasswd(Htpasswd),
}

impl Provider {
    /// The name that identities begin with.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AnyPassword => "anypassword",
            Self::Htpasswd(_) => "htpasswd",
        }
    }

    /// The name by which the provider knows whoever shows these, if they are right.
    #[must_use]
    pub fn check(&self, user: &str, password: &str) -> Option<String> {
        // Spaces around a name are a slip of the hand.
        let user = user.trim();
        if user.is_empty() || password.is_empty() {
            return None;
        }
        let right = match self {
            Self::AnyPassword => true,
            Self::Htpasswd(users) => users.check(user, password),
        };
        right.then(|| user.to_owned())
    }
}
