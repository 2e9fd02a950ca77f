//! The page that asks people whether a program may have what it asks for.
//!
//! Clients whose `grantMethod` is `prompt` get here, service accounts among them. What was allowed is
//! kept as an `OAuthClientAuthorization`, so that it is asked once.
//!
//! Mirrors: `openshift/origin:pkg/oauthserver/server/grant`.
//!
//! Invariant: nothing is allowed but by a form that this server has made for this person.

use apimachinery::Status;
use apimachinery::json;
use apiserver::{DeleteOptions, Scope};
use bytes::Bytes;
use http::{Response, StatusCode};

use super::client::OAuthClient;
use super::request::{Asked, encode_form, escape, found, plain, set_cookie};
use super::session::{CSRF, Person, csrf_word, is_local, same_word};
use super::{APPROVE, LOGIN, OAuth, page, people};
use crate::token::{stored, texts};
use crate::validation;

/// Sends a browser to the page, and from there back to where it is.
pub(super) fn ask(client: &OAuthClient, scopes: &[String], asked: &Asked<'_>) -> Response<Bytes> {
    let then = asked.uri.path_and_query().map_or("/", |path| path.as_str());
    let scope = scopes.join(" ");
    let query = [("client_id", client.name()), ("scope", &scope), ("then", then)];
    found(&format!("{APPROVE}?{}", encode_form(&query)))
}

/// Whether the person has let the client have all of these before.
pub(super) fn was_given(oauth: &OAuth, person: &Person, client: &str, scopes: &[String]) -> bool {
    let name = format!("{}:{client}", person.name);
    let stored = stored(oauth.client.server(), &api::OAUTH_CLIENT_AUTHORIZATIONS, &name);
    stored.is_some_and(|stored| {
        let own = texts(&stored.value(), "scopes");
        stored.value()["userUID"] == json!(person.uid)
            && scopes.iter().all(|scope| own.contains(scope))
    })
}

/// What the form is about: who, for whom, what.
struct Question {
    person: Person,
    client: OAuthClient,
    scopes: Vec<String>,
}

fn question(oauth: &OAuth, asked: &Asked<'_>) -> Result<Question, Box<Response<Bytes>>> {
    let Some(person) = oauth.remembered(asked) else {
        let here = asked.uri.path_and_query().map_or(APPROVE, |path| path.as_str());
        return Err(Box::new(found(&format!("{LOGIN}?then={}", escape(here)))));
    };
    let bad = |text: &str| Box::new(plain(StatusCode::BAD_REQUEST, format!("{text}\n")));
    if !is_local(asked.get("then")) {
        return Err(bad("the address to be sent to is not on this server"));
    }
    let client = OAuthClient::find(&oauth.client, asked.get("client_id"));
    let client = client.ok_or_else(|| bad("Could not find client for client_id"))?;
    let scopes: Vec<String> =
        asked.get("scope").split_whitespace().map(ToOwned::to_owned).collect();
    let values: Vec<_> = scopes.iter().map(|scope| json!(scope)).collect();
    if let [error, ..] = validation::scopes(&values).as_slice() {
        return Err(bad(&error.to_string()));
    }
    client.may_have(&scopes).map_err(|why| bad(&why))?;
    Ok(Question { person, client, scopes })
}

/// The page.
pub(super) fn form(oauth: &OAuth, asked: &Asked<'_>) -> Response<Bytes> {
    let question = match question(oauth, asked) {
        Ok(question) => question,
        Err(answer) => return *answer,
    };
    let word = csrf_word(oauth, asked);
    let scopes: Vec<_> = question.scopes.iter().map(|s| (s.as_str(), describe(s))).collect();
    let fields = [
        ("client_id", question.client.name()),
        ("scope", asked.get("scope")),
        ("then", asked.get("then")),
        (CSRF, &word),
    ];
    let body = page::consent_form(&question.person.name, question.client.name(), &scopes, &fields);
    let mut answer = people(StatusCode::OK, "Authorize Access", &body);
    set_cookie(&mut answer, CSRF, &word);
    answer
}

/// The page filled in.
pub(super) fn decide(oauth: &OAuth, asked: &Asked<'_>) -> Response<Bytes> {
    let question = match question(oauth, asked) {
        Ok(question) => question,
        Err(answer) => return *answer,
    };
    if !same_word(asked) {
        let text = "Could not check CSRF token. Please try again.\n";
        return plain(StatusCode::BAD_REQUEST, text);
    }
    let then = asked.get("then");
    if asked.get("approve").is_empty() {
        let separator = if then.contains('?') { '&' } else { '?' };
        return found(&format!("{then}{separator}error=access_denied"));
    }
    match remember(oauth, &question) {
        Ok(()) => found(then),
        Err(status) => {
            tracing::warn!(%status, "a consent could not be stored");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be stored\n")
        }
    }
}

/// Adds the scopes to those given before.
fn remember(oauth: &OAuth, question: &Question) -> Result<(), Status> {
    let Question { person, client, scopes } = question;
    let name = format!("{}:{}", person.name, client.name());
    let resource = &api::OAUTH_CLIENT_AUTHORIZATIONS;
    let stored = oauth.client.find(resource, "", &name)?;
    let Some(stored) = stored.filter(|stored| stored["userUID"] == json!(person.uid)) else {
        // One of an older user of that name.
        match oauth.client.delete(resource, "", &name, DeleteOptions::default()) {
            Err(status) if !status.is_not_found() => return Err(status),
            _ => {}
        }
        let consent = json!({
            "metadata": {"name": name},
            "clientName": client.name(),
            "userName": person.name,
            "userUID": person.uid,
            "scopes": scopes,
        });
        return oauth.client.create(resource, "", consent).map(drop);
    };
    let mut all = texts(&stored, "scopes");
    all.extend(scopes.iter().filter(|scope| !texts(&stored, "scopes").contains(scope)).cloned());
    let mut consent = (*stored).clone();
    consent["scopes"] = json!(all);
    oauth.client.update(resource, consent).map(drop)
}

/// What a scope means, in words.
fn describe(scope: &str) -> String {
    let text = match Scope::parse(scope) {
        Ok(Scope::Info) => "who you are: your name, identities and groups",
        Ok(Scope::CheckAccess) => "questions about what you may do",
        Ok(Scope::ListScopedProjects | Scope::ListProjects) => "the projects you see",
        Ok(Scope::Full) => "everything you may do",
        Ok(Scope::Role { name, namespace, escalating }) => {
            let place = match namespace.as_str() {
                "*" => "all projects".to_owned(),
                namespace => format!("the project {namespace}"),
            };
            let secrets = if escalating { "with" } else { "without" };
            return format!("what the role {name} allows in {place}, {secrets} secrets and roles");
        }
        Err(complaint) => return complaint,
    };
    text.to_owned()
}
