//! `/oauth/token`: a code for a token.
//!
//! Mirrors: `RangelReale/osin:access.go`.
//!
//! Invariant: a code is good once: whoever takes it out of the store gets the token.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::DeleteOptions;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::OAuth;
use super::authorize::{
    ACCESS_DENIED, INVALID_REQUEST, Refusal, SERVER_ERROR, UNAUTHORIZED_CLIENT, verifies,
};
use super::client::OAuthClient;
use super::request::{Asked, JSON, respond};
use crate::token::{ACCESS_SECONDS, Grant, is_expired, stored, texts};
use crate::validation;

const INVALID_GRANT: (&str, &str) = (
    "invalid_grant",
    "The provided authorization grant (e.g., authorization code, resource owner credentials) or \
     refresh token is invalid, expired, revoked, does not match the redirection URI used in the \
     authorization request, or was issued to another client.",
);
const UNSUPPORTED_GRANT_TYPE: (&str, &str) = (
    "unsupported_grant_type",
    "The authorization grant type is not supported by the authorization server.",
);

pub(super) fn answer(oauth: &OAuth, asked: &Asked<'_>) -> Response<Bytes> {
    match grant(oauth, asked) {
        Ok(token) => document(StatusCode::OK, &token),
        Err(refusal) => failure(&refusal, ""),
    }
}

/// Tells a mistake to whoever asked.
pub(super) fn failure(refusal: &Refusal, state: &str) -> Response<Bytes> {
    let mut body = json!({"error": refusal.code, "error_description": refusal.description});
    if !state.is_empty() {
        body["state"] = json!(state);
    }
    document(StatusCode::BAD_REQUEST, &body)
}

fn document(code: StatusCode, value: &Value) -> Response<Bytes> {
    let mut answer = respond(code, JSON, format!("{value}\n"));
    let headers = answer.headers_mut();
    for (name, text) in [
        (header::CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::EXPIRES, "Fri, 01 Jan 1990 00:00:00 GMT"),
    ] {
        headers.insert(name, HeaderValue::from_static(text));
    }
    answer
}

fn grant(oauth: &OAuth, asked: &Asked<'_>) -> Result<Value, Refusal> {
    match asked.get("grant_type") {
        "authorization_code" => {}
        "refresh_token" | "password" | "client_credentials" | "assertion" => {
            client(oauth, asked)?;
            return Err(Refusal::of(ACCESS_DENIED));
        }
        _ => return Err(Refusal::of(UNSUPPORTED_GRANT_TYPE)),
    }
    let client = client(oauth, asked)?;
    let redeemed = Redeemed {
        code: asked.get("code"),
        redirect_uri: asked.find("redirect_uri"),
        verifier: asked.get("code_verifier"),
    };
    redeem(oauth, &client, &redeemed)
}

/// The client, by basic authentication or by parameters.
fn client(oauth: &OAuth, asked: &Asked<'_>) -> Result<OAuthClient, Refusal> {
    let shown = match (asked.find("client_secret"), asked.get("client_id")) {
        (Some(secret), id) if !id.is_empty() => Some((id.to_owned(), secret.to_owned())),
        (None, id) if !id.is_empty() && asked.basic().is_none() => {
            Some((id.to_owned(), String::new()))
        }
        _ => asked.basic(),
    };
    let Some((name, secret)) = shown else { return Err(Refusal::of(INVALID_REQUEST)) };
    let client = OAuthClient::find(&oauth.client, &super::request::unescape(&name));
    client
        .filter(|client| client.knows(&secret) && client.has_redirects())
        .ok_or_else(|| Refusal::of(UNAUTHORIZED_CLIENT))
}

/// A code with what must be shown along with it.
pub(super) struct Redeemed<'a> {
    pub(super) code: &'a str,
    pub(super) redirect_uri: Option<&'a str>,
    pub(super) verifier: &'a str,
}

/// Takes a code and gives what its client is told of the token.
pub(super) fn redeem(
    oauth: &OAuth,
    client: &OAuthClient,
    shown: &Redeemed<'_>,
) -> Result<Value, Refusal> {
    let invalid = || Refusal::of(INVALID_GRANT);
    if shown.code.is_empty() {
        return Err(invalid());
    }
    let server = oauth.client.server();
    let found = stored(server, &api::OAUTH_AUTHORIZE_TOKENS, shown.code);
    let Some(code) = found else { return Err(Refusal::of(UNAUTHORIZED_CLIENT)) };
    let code = code.value();
    let redirect = code.str_at(&["redirectURI"]);
    if code.str_at(&["clientName"]) != client.name() || is_expired(&code, server.world().now()) {
        return Err(invalid());
    }
    if shown.redirect_uri.is_some_and(|uri| !uri.is_empty() && uri != redirect) {
        return Err(Refusal::of(INVALID_REQUEST));
    }
    check_verifier(&code, shown.verifier)?;
    let name = code.str_at(&["userName"]);
    let user = stored(server, &api::USERS, name).ok_or_else(invalid)?;
    if user.value().uid() != code.str_at(&["userUID"]) {
        return Err(invalid());
    }
    let options = DeleteOptions::now(code.uid());
    oauth
        .client
        .delete(&api::OAUTH_AUTHORIZE_TOKENS, "", code.name(), options)
        .map_err(|_| invalid())?;
    let scopes = texts(&code, "scopes");
    let grant = Grant {
        client: client.name(),
        user: (name, code.str_at(&["userUID"])),
        scopes: &scopes,
        redirect_uri: redirect,
        expires_in: client.token_seconds().unwrap_or(ACCESS_SECONDS),
    };
    let token = grant.issue(&oauth.client, code.name()).map_err(|status| {
        tracing::warn!(%status, "a token could not be stored");
        Refusal::of(SERVER_ERROR)
    })?;
    Ok(json!({
        "access_token": token,
        "expires_in": grant.expires_in,
        "scope": scopes.join(" "),
        "token_type": "Bearer",
    }))
}

fn check_verifier(code: &Value, verifier: &str) -> Result<(), Refusal> {
    let challenge = code.str_at(&["codeChallenge"]);
    if challenge.is_empty() {
        return Ok(());
    }
    const TEXT: &str = "code_verifier invalid (rfc7636)";
    if !validation::is_challenge(verifier) {
        return Err(Refusal::because(INVALID_REQUEST, TEXT));
    }
    if !verifies(verifier, challenge, code.str_at(&["codeChallengeMethod"])) {
        return Err(Refusal::because(INVALID_GRANT, TEXT));
    }
    Ok(())
}
