//! Who somebody is: users, identities and groups, passwords, OAuth and its tokens.
//!
//! A person shows a name and a password to the OAuth pages ([`oauth`]), a [`provider`] judges them, an
//! [`identity`] leads to a `User` object, which is made at the first login, and the answer is an
//! `OAuthAccessToken`. Requests carry its name as their bearer token; [`token`] finds the user again
//! and the groups that [`group`] knows them in.
//!
//! Reading order: [`provider`] and [`htpasswd`], [`identity`], [`token`], [`group`] and [`bearer`], [`oauth`] (the
//! pages), then what the API shows: [`user`], [`mapping`], [`review`], [`validation`].
//!
//! Invariant: everything but the session of a browser lives in the store, so that whoever may read or
//! delete tokens and users does so through the API.
//!
//! Deviation: the inactivity timeout of tokens is stored and not enforced.

pub mod bearer;
pub mod group;
pub mod htpasswd;
pub mod identity;
pub mod mapping;
pub mod oauth;
pub mod provider;
pub mod review;
pub mod token;
pub mod user;
pub mod validation;

use apiserver::{ApiServer, Builder, User};

pub use crate::bearer::Bearers;
pub use crate::identity::MappingMethod;
pub use crate::oauth::OAuth;
pub use crate::provider::Provider;
pub use crate::token::Tokens;

/// Recognises tokens that are no OAuth tokens, e.g. those of service accounts.
pub type Recognise = fn(&ApiServer, &str) -> Option<User>;

/// Plugs the views and rules of users and tokens into an API server under construction. `bearers`
/// are who is known in reviews.
#[must_use]
pub fn register(builder: Builder, bearers: Bearers) -> Builder {
    builder
        .handler(&api::TOKEN_REVIEWS, "", Box::new(review::TokenReviews(bearers)))
        .handler(&api::USER_IDENTITY_MAPPINGS, "", Box::new(mapping::UserIdentityMappings))
        .strategy(&api::USERS, Box::new(user::Users))
        .strategy(&api::GROUPS, Box::new(validation::Checked::GROUPS))
        .strategy(&api::IDENTITIES, Box::new(validation::Checked::IDENTITIES))
        .strategy(&api::OAUTH_ACCESS_TOKENS, Box::new(validation::Checked::ACCESS_TOKENS))
        .strategy(&api::OAUTH_AUTHORIZE_TOKENS, Box::new(validation::Checked::AUTHORIZE_TOKENS))
        .strategy(&api::OAUTH_CLIENTS, Box::new(validation::Checked::CLIENTS))
        .strategy(
            &api::OAUTH_CLIENT_AUTHORIZATIONS,
            Box::new(validation::Checked::CLIENT_AUTHORIZATIONS),
        )
}
