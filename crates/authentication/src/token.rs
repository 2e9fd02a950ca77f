//! Access tokens: how they are made and whom they stand for.
//!
//! Mirrors: `openshift/origin:pkg/oauthserver/oauth/registry/tokenauthenticator.go`,
//! `pkg/oauthserver/osinserver/registrystorage`.
//!
//! Invariant: a token that is expired, or whose user is gone or another one by now, stands for nobody.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::http::Authenticator;
use apiserver::user::SCOPES;
use apiserver::{ApiServer, Client, Stored, User, key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use world::{Time, World};

use crate::bearer::Bearers;
use crate::group::Groups;

/// How long an access token is good when its client does not say.
pub const ACCESS_SECONDS: i64 = 86_400;
/// How long an authorize code is good.
pub const AUTHORIZE_SECONDS: i64 = 300;

/// The group of everyone who came with an OAuth token.
const BY_OAUTH: &str = "system:authenticated:oauth";
const AUTHENTICATED: &str = "system:authenticated";

/// Recognises the callers of a server by their tokens.
#[derive(Debug)]
pub struct Tokens {
    server: ApiServer,
    bearers: Bearers,
}

impl Tokens {
    /// Recognises the users of `server`.
    #[must_use]
    pub fn new(server: ApiServer, bearers: Bearers) -> Self {
        Self { server, bearers }
    }
}

impl Authenticator for Tokens {
    fn authenticate(&self, token: &str) -> Option<User> {
        self.bearers.user(&self.server, token)
    }
}

/// The user an access token stands for, with all groups.
#[must_use]
pub fn user_of(server: &ApiServer, groups: &Groups, token: &str) -> Option<User> {
    let token = stored(server, &api::OAUTH_ACCESS_TOKENS, token)?.value();
    let user = stored(server, &api::USERS, token.str_at(&["userName"]))?.value();
    let same = user.uid() == token.str_at(&["userUID"]);
    if !same || is_expired(&token, server.world().now()) || token.deletion_timestamp().is_some() {
        return None;
    }
    let name = user.name().to_owned();
    let groups = groups_of(server, groups, &name, Some(&user));
    let scopes = texts(&token, "scopes");
    let extra = [(SCOPES.to_owned(), scopes)].into();
    Some(User { name, uid: user.uid().to_owned(), groups, extra })
}

/// The groups of somebody who logged in: those of `Group` objects, those that the user object names and
/// the virtual ones.
pub(crate) fn groups_of(
    server: &ApiServer,
    groups: &Groups,
    name: &str,
    user: Option<&Value>,
) -> Vec<String> {
    let mut all = groups.of(server.store(), name);
    all.extend(user.map(|user| texts(user, "groups")).unwrap_or_default());
    all.extend([BY_OAUTH.to_owned(), AUTHENTICATED.to_owned()]);
    all
}

/// Whether a token or code is past its time; `expiresIn` 0 is for ever.
#[must_use]
pub fn is_expired(token: &Value, now: Time) -> bool {
    let seconds = token.int_at(&["expiresIn"]).unwrap_or(0);
    let created = Time::parse_rfc3339(token.creation_timestamp());
    seconds > 0 && created.is_none_or(|at| now.unix_seconds() >= at.unix_seconds() + seconds)
}

/// What a new token is for.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// The OAuth client.
    pub client: &'a str,
    /// The `User` object.
    pub user: (&'a str, &'a str),
    /// What it may be used for.
    pub scopes: &'a [String],
    /// Where it was sent.
    pub redirect_uri: &'a str,
    /// How long it is good; 0 for ever.
    pub expires_in: i64,
}

impl Grant<'_> {
    /// The fields that access tokens and authorize codes share; the name is the secret.
    #[must_use]
    pub fn object(&self, world: &World) -> Value {
        let mut object = json!({
            "metadata": {"name": secret(world)},
            "clientName": self.client,
            "expiresIn": self.expires_in,
            "scopes": self.scopes,
            "redirectURI": self.redirect_uri,
            "userName": self.user.0,
            "userUID": self.user.1,
        });
        if self.expires_in == 0 {
            object.remove(&["expiresIn"]);
        }
        object
    }

    /// Makes an access token and gives its name.
    ///
    /// # Errors
    /// What the API answers.
    pub fn issue(&self, client: &Client, code: &str) -> Result<String, Status> {
        let mut token = self.object(client.server().world());
        if !code.is_empty() {
            token["authorizeToken"] = json!(code);
        }
        let token = client.create(&api::OAUTH_ACCESS_TOKENS, "", token)?;
        Ok(token.name().to_owned())
    }
}

/// 256 random bits as 43 characters that need no escape in a URL.
#[must_use]
pub fn secret(world: &World) -> String {
    let mut bytes = [0; 32];
    world.random_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An object of cluster scope as it is stored.
pub(crate) fn stored(
    server: &ApiServer,
    resource: &'static api::Resource,
    name: &str,
) -> Option<Stored> {
    if name.is_empty() {
        return None;
    }
    server.store().get(&key::object(resource, "", name)).map(|kv| kv.value.clone())
}

/// The texts of a list of an object.
pub(crate) fn texts(object: &Value, field: &str) -> Vec<String> {
    let list = object.list_at(&[field]).iter();
    list.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}
