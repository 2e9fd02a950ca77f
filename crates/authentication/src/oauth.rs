//! The pages of OAuth: how a name and a password become a token.
//!
//! `oc login -u -p` asks [`authorize`] with a challenge, shows the password when it is asked for one
//! and trades the code it is given for a token at [`access`]. A browser that wants a token is sent
//! through [`session`]'s login form to a [`page`] that shows one; a program that is not trusted with
//! everything has to pass [`consent`].
//!
//! Mirrors: `openshift/origin:pkg/oauthserver`, `RangelReale/osin`.
//!
//! Invariant: nothing is issued for a client that is not stored, or to an address that is not its.

mod access;
mod authorize;
mod client;
mod consent;
mod page;
mod request;
mod session;

use std::fmt;
use std::sync::OnceLock;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status};
use apiserver::http::Site;
use apiserver::{ApiServer, Client, User};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::Serialize;

use self::request::{Asked, JSON, found, html, plain, respond};
use self::session::{Person, SESSION, Sessions};
use crate::identity::MappingMethod;
use crate::provider::Provider;
use crate::token::{secret, stored};

/// The client of `oc login`.
pub const CHALLENGING_CLIENT: &str = "openshift-challenging-client";
/// The client that shows tokens to people.
pub const BROWSER_CLIENT: &str = "openshift-browser-client";
const WEB_CONSOLE: &str = "openshift-web-console";

const METADATA: &str = "/.well-known/oauth-authorization-server";
const AUTHORIZE: &str = "/oauth/authorize";
const APPROVE: &str = "/oauth/authorize/approve";
const TOKEN: &str = "/oauth/token";
const REQUEST: &str = "/oauth/token/request";
const DISPLAY: &str = "/oauth/token/display";
const IMPLICIT: &str = "/oauth/token/implicit";
const LOGIN: &str = "/login";

/// The OAuth server of a cluster.
pub struct OAuth {
    client: Client,
    provider: Provider,
    method: MappingMethod,
    sessions: Sessions,
    url: OnceLock<String>,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The sessions hold a key.
        f.debug_struct("OAuth").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// What there is, for clients that ask first (RFC 8414).
#[derive(Serialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    scopes_supported: [&'static str; 5],
    response_types_supported: [&'static str; 2],
    grant_types_supported: [&'static str; 2],
    code_challenge_methods_supported: [&'static str; 2],
}

impl OAuth {
    /// Logs in the people that `provider` knows; their users are found by `method`.
    #[must_use]
    pub fn new(server: ApiServer, provider: Provider, method: MappingMethod) -> Self {
        let sessions = Sessions::new(server.world());
        let client = Client::new(server, User::system_admin());
        Self { client, provider, method, sessions, url: OnceLock::new() }
    }

    fn url(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    /// Whoever has logged in with this browser a moment ago, as long as the user lives.
    fn remembered(&self, asked: &Asked<'_>) -> Option<Person> {
        let person = self.sessions.open(asked.cookie(SESSION)?)?;
        let user = stored(self.client.server(), &api::USERS, &person.name)?;
        (user.value().uid() == person.uid).then_some(person)
    }

    fn metadata(&self) -> Response<Bytes> {
        let url = self.url();
        let metadata = Metadata {
            issuer: url.to_owned(),
            authorization_endpoint: format!("{url}{AUTHORIZE}"),
            token_endpoint: format!("{url}{TOKEN}"),
            scopes_supported: [
                "user:check-access",
                "user:full",
                "user:info",
                "user:list-projects",
                "user:list-scoped-projects",
            ],
            response_types_supported: ["code", "token"],
            grant_types_supported: ["authorization_code", "implicit"],
            code_challenge_methods_supported: ["plain", "S256"],
        };
        let text = serde_json::to_string_pretty(&metadata).unwrap_or_default();
        respond(StatusCode::OK, JSON, text)
    }

    /// Stores the clients that every cluster has; those that are there are told where it is now.
    fn bootstrap(&self, url: &str) -> Result<(), Status> {
        let at = |path: &str| json!([format!("{url}{path}")]);
        let clients = [
            json!({"metadata": {"name": BROWSER_CLIENT}, "grantMethod": "auto",
                "secret": secret(self.client.server().world()), "redirectURIs": at(DISPLAY)}),
            json!({"metadata": {"name": CHALLENGING_CLIENT}, "grantMethod": "auto",
                "respondWithChallenges": true, "redirectURIs": at(IMPLICIT)}),
            json!({"metadata": {"name": WEB_CONSOLE}, "grantMethod": "auto",
                "redirectURIs": at("/console/")}),
        ];
        for wanted in clients {
            let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
            let Some(stored) = self.client.find(&api::OAUTH_CLIENTS, "", name)? else {
                self.client.create(&api::OAUTH_CLIENTS, "", wanted)?;
                continue;
            };
            let mut stored = (*stored).clone();
            stored["redirectURIs"] = wanted["redirectURIs"].clone();
            self.client.update(&api::OAUTH_CLIENTS, stored)?;
        }
        Ok(())
    }
}

impl Site for OAuth {
    fn opened(&self, url: &str) {
        self.url.get_or_init(|| url.to_owned());
        if let Err(status) = self.bootstrap(url) {
            tracing::warn!(%status, "nobody can log in: the OAuth clients could not be stored");
        }
    }

    fn serves(&self, path: &str) -> bool {
        [METADATA, AUTHORIZE, APPROVE, TOKEN, REQUEST, DISPLAY, IMPLICIT, LOGIN].contains(&path)
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let asked = Asked::read(request);
        let method = request.method();
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match (request.uri().path(), reads, method == Method::POST) {
            (METADATA, true, _) => self.metadata(),
            (AUTHORIZE, true, _) | (AUTHORIZE, _, true) => authorize::answer(self, &asked),
            (APPROVE, true, _) => consent::form(self, &asked),
            (APPROVE, _, true) => consent::decide(self, &asked),
            (TOKEN, true, _) | (TOKEN, _, true) => access::answer(self, &asked),
            (REQUEST, true, _) => found(&authorize::browser_url(self.url())),
            (DISPLAY, true, _) => page::display(self, &asked),
            (IMPLICIT, true, _) => plain(StatusCode::OK, page::IMPLICIT),
            (LOGIN, true, _) => session::form(self, &asked),
            (LOGIN, _, true) => session::login(self, &asked),
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n"),
        }
    }
}

/// A page for people.
fn people(code: StatusCode, title: &str, body: &str) -> Response<Bytes> {
    html(code, &page::document(title, body))
}
