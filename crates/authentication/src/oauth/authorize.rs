//! `/oauth/authorize`: who is there, and what may the client have?
//!
//! Mirrors: `openshift/origin:pkg/oauthserver/oauth/handlers`, `RangelReale/osin:authorize.go`.
//!
//! Invariant: mistakes of a client that is not known to own the address are told to whoever asked, all
//! others to that address.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::client::OAuthClient;
use super::request::{Asked, encode_form, escape, found, plain};
use super::session::{Person, SESSION};
use super::{AUTHORIZE, BROWSER_CLIENT, DISPLAY, LOGIN, OAuth, access, consent};
use crate::identity::{self, Identity};
use crate::token::{ACCESS_SECONDS, AUTHORIZE_SECONDS, Grant};
use crate::validation;

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
const NO_CSRF: &str =
    "A non-empty X-CSRF-Token header is required to receive basic-auth challenges";
const CHALLENGE: &str = "Basic realm=\"openshift\"";
const DEFAULT_SCOPE: &str = "user:full";

/// An error of OAuth with its usual description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) description: String,
}

pub(super) const INVALID_REQUEST: (&str, &str) = (
    "invalid_request",
    "The request is missing a required parameter, includes an invalid parameter value, includes a \
     parameter more than once, or is otherwise malformed.",
);
pub(super) const UNAUTHORIZED_CLIENT: (&str, &str) =
    ("unauthorized_client", "The client is not authorized to request a token using this method.");
pub(super) const ACCESS_DENIED: (&str, &str) =
    ("access_denied", "The resource owner or authorization server denied the request.");
const UNSUPPORTED_RESPONSE_TYPE: (&str, &str) = (
    "unsupported_response_type",
    "The authorization server does not support obtaining an authorization code using this method.",
);
const INVALID_SCOPE: (&str, &str) =
    ("invalid_scope", "The requested scope is invalid, unknown, or malformed.");
pub(super) const SERVER_ERROR: (&str, &str) = (
    "server_error",
    "The authorization server encountered an unexpected condition that prevented it from fulfilling \
     the request.",
);

impl Refusal {
    pub(super) fn of((code, description): (&'static str, &str)) -> Self {
        Self { code, description: description.to_owned() }
    }

    pub(super) fn because((code, _): (&'static str, &str), description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }

    fn redirect(&self, to: &str, state: &str) -> Response<Bytes> {
        let mut pairs = vec![("error", self.code), ("error_description", &self.description)];
        if !state.is_empty() {
            pairs.push(("state", state));
        }
        found(&with_query(to, &encode_form(&pairs)))
    }
}

/// What the client wants.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// A code, which a challenge (with its method) may bind to whoever asked.
    Code(Option<(String, String)>),
    /// The token itself.
    Token,
}

/// Where a browser begins that wants to see a token.
pub(super) fn browser_url(url: &str) -> String {
    let redirect = format!("{url}{DISPLAY}");
    let query = encode_form(&[
        ("client_id", BROWSER_CLIENT),
        ("redirect_uri", &redirect),
        ("response_type", "code"),
    ]);
    format!("{url}{AUTHORIZE}?{query}")
}

pub(super) fn answer(oauth: &OAuth, asked: &Asked<'_>) -> Response<Bytes> {
    let state = asked.get("state");
    let client = OAuthClient::find(&oauth.client, asked.get("client_id"));
    let Some(client) = client.filter(OAuthClient::has_redirects) else {
        return access::failure(&Refusal::of(UNAUTHORIZED_CLIENT), state);
    };
    let Some(redirect) = client.redirect(asked.get("redirect_uri")) else {
        return access::failure(&Refusal::of(INVALID_REQUEST), state);
    };
    let wanted = match wanted(asked) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.redirect(&redirect, state),
    };
    if !asked.get("error").is_empty() {
        // The person has said no.
        return Refusal::of(ACCESS_DENIED).redirect(&redirect, state);
    }
    let person = match person(oauth, asked) {
        Ok(Some(person)) => person,
        Ok(None) => return authentication_needed(&client, asked),
        Err(error) => {
            return plain(StatusCode::INTERNAL_SERVER_ERROR, format!("Error: {error}"));
        }
    };
    let issued = match scopes(asked.get("scope"), &client, &person, oauth) {
        Ok(Granted::Yes(scopes)) => {
            let grant = Grant {
                client: client.name(),
                user: (&person.name, &person.uid),
                scopes: &scopes,
                redirect_uri: &redirect,
                expires_in: client.token_seconds().unwrap_or(ACCESS_SECONDS),
            };
            issue(oauth, &grant, &wanted, asked).map_err(|status| {
                tracing::warn!(%status, "a token could not be stored");
                Refusal::of(SERVER_ERROR)
            })
        }
        Ok(Granted::Ask(scopes)) => return consent::ask(&client, &scopes, asked),
        Err(refusal) => Err(refusal),
    };
    let mut answer = match issued {
        Ok(location) => found(&location),
        Err(refusal) => refusal.redirect(&redirect, state),
    };
    if asked.cookie(SESSION).is_some() {
        // One login, one token.
        super::request::set_cookie(&mut answer, SESSION, "");
    }
    answer
}

fn wanted(asked: &Asked<'_>) -> Result<Wanted, Refusal> {
    match asked.get("response_type") {
        "token" => Ok(Wanted::Token),
        "code" => challenge(asked).map(Wanted::Code),
        _ => Err(Refusal::of(UNSUPPORTED_RESPONSE_TYPE)),
    }
}

fn challenge(asked: &Asked<'_>) -> Result<Option<(String, String)>, Refusal> {
    let refuse = |text: &str| Err(Refusal::because(INVALID_REQUEST, text));
    let challenge = asked.get("code_challenge");
    if challenge.is_empty() {
        return Ok(None);
    }
    let method = match asked.get("code_challenge_method") {
        "" => "plain",
        method => method,
    };
    if !matches!(method, "plain" | "S256") {
        return refuse("code_challenge_method transform algorithm not supported (rfc7636)");
    }
    if !validation::is_challenge(challenge) {
        return refuse("code_challenge invalid (rfc7636)");
    }
    Ok(Some((challenge.to_owned(), method.to_owned())))
}

/// Whether a verifier is what a challenge was made of.
pub(super) fn verifies(verifier: &str, challenge: &str, method: &str) -> bool {
    let shown = if method == "S256" {
        let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    } else {
        verifier.to_owned()
    };
    crate::htpasswd::same(shown.as_bytes(), challenge.as_bytes())
}

/// Whoever asks, by password or session. A wrong password is nobody's.
fn person(oauth: &OAuth, asked: &Asked<'_>) -> Result<Option<Person>, identity::Error> {
    if let Some((name, password)) = asked.basic() {
        return by_password(oauth, &name, &password);
    }
    Ok(oauth.remembered(asked))
}

/// The user behind a name and a password.
pub(super) fn by_password(
    oauth: &OAuth,
    name: &str,
    password: &str,
) -> Result<Option<Person>, identity::Error> {
    let Some(known) = oauth.provider.check(name, password) else { return Ok(None) };
    if let Err(complaint) = validation::user_name(&known) {
        tracing::debug!(complaint, "a name that no user may have was refused");
        return Ok(None);
    }
    let identity = Identity { provider: oauth.provider.name(), user: &known };
    let user = identity.user(&oauth.client, oauth.method)?;
    Ok(Some(Person { name: user.name().to_owned(), uid: user.uid().to_owned() }))
}

/// Asks for a password, in the way the client can show one.
fn authentication_needed(client: &OAuthClient, asked: &Asked<'_>) -> Response<Bytes> {
    if !client.wants_challenges() {
        let here = asked.uri.path_and_query().map_or(AUTHORIZE, |path| path.as_str());
        return found(&format!("{LOGIN}?then={}", escape(here)));
    }
    if asked.header(&CSRF_HEADER).is_empty() {
        let mut answer = plain(StatusCode::UNAUTHORIZED, format!("{NO_CSRF}\n"));
        let warning = HeaderValue::from_str(&format!("199 Origin \"{NO_CSRF}\""));
        let warning = warning.expect("the text is a header value");
        answer.headers_mut().insert(header::WARNING, warning);
        return answer;
    }
    let mut answer = plain(StatusCode::UNAUTHORIZED, Bytes::new());
    let challenge = HeaderValue::from_static(CHALLENGE);
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    answer
}

/// What becomes of the scopes that a client asks for.
enum Granted {
    /// It gets them.
    Yes(Vec<String>),
    /// The person must be asked.
    Ask(Vec<String>),
}

/// The scopes that the client gets.
fn scopes(
    asked: &str,
    client: &OAuthClient,
    person: &Person,
    oauth: &OAuth,
) -> Result<Granted, Refusal> {
    let mut scopes: Vec<String> = asked.split_whitespace().map(ToOwned::to_owned).collect();
    if scopes.is_empty() {
        scopes.push(DEFAULT_SCOPE.to_owned());
    }
    let values: Vec<Value> = scopes.iter().map(|scope| json!(scope)).collect();
    if let [first, ..] = validation::scopes(&values).as_slice() {
        return Err(Refusal::because(INVALID_SCOPE, first.to_string()));
    }
    client.may_have(&scopes).map_err(|why| Refusal::because(ACCESS_DENIED, why))?;
    match client.grant_method() {
        "" | "auto" => Ok(Granted::Yes(scopes)),
        "prompt" if consent::was_given(oauth, person, client.name(), &scopes) => {
            Ok(Granted::Yes(scopes))
        }
        "prompt" => Ok(Granted::Ask(scopes)),
        _ => Err(Refusal::of(ACCESS_DENIED)),
    }
}

/// Stores a code or token; gives where to send the client with it.
fn issue(
    oauth: &OAuth,
    grant: &Grant<'_>,
    wanted: &Wanted,
    asked: &Asked<'_>,
) -> Result<String, Status> {
    let state = asked.get("state");
    if *wanted == Wanted::Token {
        let token = grant.issue(&oauth.client, "")?;
        let (expires, scope) = (grant.expires_in.to_string(), grant.scopes.join(" "));
        let mut pairs = vec![
            ("access_token", token.as_str()),
            ("expires_in", &expires),
            ("scope", &scope),
            ("token_type", "Bearer"),
        ];
        if !state.is_empty() {
            pairs.push(("state", state));
        }
        return Ok(format!("{}#{}", grant.redirect_uri, encode_form(&pairs)));
    }
    let grant = Grant { expires_in: AUTHORIZE_SECONDS, ..grant.clone() };
    let mut code = grant.object(oauth.client.server().world());
    if !state.is_empty() {
        code["state"] = json!(state);
    }
    if let Wanted::Code(Some((challenge, method))) = wanted {
        code["codeChallenge"] = json!(challenge);
        code["codeChallengeMethod"] = json!(method);
    }
    let code = oauth.client.create(&api::OAUTH_AUTHORIZE_TOKENS, "", code)?;
    let pairs = [("code", code.name()), ("scope", asked.get("scope")), ("state", state)];
    Ok(with_query(grant.redirect_uri, &encode_form(&pairs)))
}

fn with_query(uri: &str, query: &str) -> String {
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{query}")
}
