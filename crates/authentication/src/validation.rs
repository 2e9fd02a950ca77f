//! What users, groups, identities, OAuth clients and tokens may look like.
//!
//! Mirrors: `openshift/origin:pkg/user/apis/user/validation`, `pkg/oauth/apis/oauth/validation`.
//!
//! Invariant: pure; names that no path could carry are found before, by the rules of all objects.

use apimachinery::ObjectExt as _;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{Value, json};
use apiserver::{Scope, Strategy, StrategyContext};

/// The shortest name of a token: it is the secret.
const MIN_TOKEN: usize = 32;
const CHALLENGE_METHODS: &[&str] = &["plain", "S256"];
const SHORTEST_INACTIVITY: i64 = 300;

/// A strategy that only looks at the fields.
#[derive(Debug)]
pub struct Checked {
    create: fn(&Value) -> ErrorList,
    /// What may not change; the rules for new objects hold besides, unless nothing may.
    update: fn(&Value, &Value) -> ErrorList,
}

impl Checked {
    pub(crate) const GROUPS: Self = Self { create: group, update: |new, _| group(new) };
    pub(crate) const IDENTITIES: Self = Self { create: identity, update: identity_update };
    pub(crate) const ACCESS_TOKENS: Self = Self { create: access_token, update: token_update };
    pub(crate) const AUTHORIZE_TOKENS: Self =
        Self { create: authorize_token, update: token_update };
    pub(crate) const CLIENTS: Self = Self { create: client, update: |new, _| client(new) };
    pub(crate) const CLIENT_AUTHORIZATIONS: Self =
        Self { create: client_authorization, update: client_authorization_update };
}

impl Strategy for Checked {
    fn validate_create(&self, _cx: &StrategyContext<'_>, object: &Value) -> ErrorList {
        (self.create)(object)
    }

    fn validate_update(&self, _cx: &StrategyContext<'_>, new: &Value, old: &Value) -> ErrorList {
        (self.update)(new, old)
    }
}

/// Whether `name` may be the name of a user or a group.
///
/// # Errors
/// What is wrong with it.
pub fn user_name(name: &str) -> Result<(), &'static str> {
    match name {
        "." => Err("may not be '.'"),
        ".." => Err("may not be '..'"),
        _ if name.contains('/') => Err("may not contain '/'"),
        _ if name.contains('%') => Err("may not contain '%'"),
        _ if name.contains(':') => Err("may not contain \":\""),
        "~" => Err("may not equal \"~\""),
        _ => Ok(()),
    }
}

fn identity_name(name: &str) -> Result<(), &'static str> {
    const FORMAT: &str = "must be in the format <providerName>:<providerUserName>";
    match name.split(':').collect::<Vec<_>>().as_slice() {
        ["", _] => Err(
            "must be in the format <providerName>:<providerUserName> with a non-empty providerName",
        ),
        [_, ""] => Err(
            "must be in the format <providerName>:<providerUserName> with a non-empty providerUserName",
        ),
        [_, _] => Ok(()),
        _ => Err(FORMAT),
    }
}

/// Adds what `rule` says of the object's own name, where the rules of all objects say nothing.
fn own_name(object: &Value, rule: fn(&str) -> Result<(), &'static str>, errors: &mut ErrorList) {
    let name = object.name();
    let told = ["/", "%"].iter().any(|word| name.contains(word)) || matches!(name, "." | "..");
    if !told && let Err(text) = rule(name) {
        errors.push(Error::invalid(&Path::new("metadata").child("name"), name, text));
    }
}

fn named(
    items: &[Value],
    path: &Path,
    rule: fn(&str) -> Result<(), &'static str>,
    errors: &mut ErrorList,
) {
    for (index, item) in items.iter().enumerate() {
        let text = item.as_str().unwrap_or_default();
        if let Err(complaint) = if text.is_empty() { Err("may not be empty") } else { rule(text) } {
            errors.push(Error::invalid(&path.index(index), text, complaint));
        }
    }
}

/// What is wrong with a user.
#[must_use]
pub fn user(user: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    own_name(user, user_name, &mut errors);
    named(user.list_at(&["identities"]), &Path::new("identities"), identity_name, &mut errors);
    named(user.list_at(&["groups"]), &Path::new("groups"), user_name, &mut errors);
    errors
}

/// What is wrong with a group.
#[must_use]
pub fn group(group: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    own_name(group, user_name, &mut errors);
    named(group.list_at(&["users"]), &Path::new("user"), user_name, &mut errors);
    errors
}

/// What is wrong with an identity.
#[must_use]
pub fn identity(identity: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    own_name(identity, identity_name, &mut errors);
    let (provider, by) =
        (identity.str_at(&["providerName"]), identity.str_at(&["providerUserName"]));
    for (field, text) in [("providerName", provider), ("providerUserName", by)] {
        if text.is_empty() {
            errors.push(Error::required(&Path::new(field), ""));
        } else if let Err(complaint) =
            user_name(text).or_else(|c| if text == "~" { Ok(()) } else { Err(c) })
        {
            errors.push(Error::invalid(&Path::new(field), text, complaint));
        }
    }
    let path = Path::new("user");
    let (name, uid) = (identity.str_at(&["user", "name"]), identity.str_at(&["user", "uid"]));
    if !provider.is_empty() && !by.is_empty() && identity.name() != format!("{provider}:{by}") {
        let text = format!("must be {provider}:{by}");
        errors.push(Error::invalid(&path.child("name"), name, &text));
    }
    if let Err(text) = user_name(name) {
        errors.push(Error::invalid(&path.child("name"), name, text));
    }
    if name.is_empty() && !uid.is_empty() {
        let text = "username is required when uid is provided";
        errors.push(Error::required(&path.child("username"), text));
    }
    if !name.is_empty() && uid.is_empty() {
        let text = "uid is required when username is provided";
        errors.push(Error::required(&path.child("uid"), text));
    }
    errors
}

fn identity_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = identity(new);
    for field in ["providerName", "providerUserName"] {
        if new.str_at(&[field]) != old.str_at(&[field]) {
            let text = format!("may not change {field}");
            errors.push(Error::invalid(&Path::new(field), new.str_at(&[field]), &text));
        }
    }
    errors
}

/// What is wrong with a mapping of an identity to a user.
#[must_use]
pub fn mapping(mapping: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    own_name(mapping, identity_name, &mut errors);
    let path = Path::new("identity").child("name");
    let identity = mapping.str_at(&["identity", "name"]);
    if identity.is_empty() {
        errors.push(Error::required(&path, ""));
    }
    if identity != mapping.name() {
        errors.push(Error::invalid(&path, identity, "must match metadata.name"));
    }
    if mapping.str_at(&["user", "name"]).is_empty() {
        errors.push(Error::required(&Path::new("user").child("name"), ""));
    }
    errors
}

fn token_name(name: &str) -> Result<(), &'static str> {
    if name.len() < MIN_TOKEN { Err("must be at least 32 characters long") } else { Ok(()) }
}

/// What access tokens and authorize codes share.
fn token(token: &Value, errors: &mut ErrorList) {
    own_name(token, token_name, errors);
    owner(token, errors);
    if token.str_at(&["userUID"]).is_empty() {
        errors.push(Error::required(&Path::new("userUID"), ""));
    }
    let uri = token.str_at(&["redirectURI"]);
    if let Err(text) = redirect_uri(uri) {
        errors.push(Error::invalid(&Path::new("redirectURI"), uri, text));
    }
}

fn access_token(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    token(object, &mut errors);
    for field in ["inactivityTimeoutSeconds", "expiresIn"] {
        let value = object.int_at(&[field]).unwrap_or(0);
        if value < 0 {
            let text = "cannot be a negative value";
            errors.push(Error::invalid(&Path::new(field), json!(value), text));
        }
    }
    errors
}

fn authorize_token(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    token(object, &mut errors);
    let path = |field: &str| Path::new(field);
    let (challenge, method) =
        (object.str_at(&["codeChallenge"]), object.str_at(&["codeChallengeMethod"]));
    if !challenge.is_empty() || !method.is_empty() {
        if challenge.is_empty() {
            let text = "required if codeChallengeMethod is specified";
            errors.push(Error::required(&path("codeChallenge"), text));
        } else if !is_challenge(challenge) {
            let text = "must be 43-128 characters [a-zA-Z0-9.~_-]";
            errors.push(Error::invalid(&path("codeChallenge"), challenge, text));
        }
        let at = path("codeChallengeMethod");
        if method.is_empty() {
            errors.push(Error::required(&at, "required if codeChallenge is specified"));
        } else if !CHALLENGE_METHODS.contains(&method) {
            errors.push(Error::not_supported(&at, method, CHALLENGE_METHODS));
        }
    }
    let expires = object.int_at(&["expiresIn"]).unwrap_or(0);
    if expires <= 0 {
        let text = "must be greater than zero";
        errors.push(Error::invalid(&path("expiresIn"), json!(expires), text));
    }
    errors
}

/// Whether a text may be a code challenge or its verifier (RFC 7636).
#[must_use]
pub fn is_challenge(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"~._-".contains(&byte))
}

/// Nothing of a token changes but its metadata and when it times out.
fn token_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let timeout = |object: &Value| object.int_at(&["inactivityTimeoutSeconds"]).unwrap_or(0);
    let (was, is) = (timeout(old), timeout(new));
    let path = Path::new("inactivityTimeoutSeconds");
    if is > 0 && is < was {
        let text = format!("cannot be less than the current value={was}");
        errors.push(Error::invalid(&path, json!(is), &text));
    }
    if is < 0 {
        errors.push(Error::invalid(&path, json!(is), "cannot be a negative value"));
    }
    if was == 0 && is != 0 {
        let text = "cannot update non-timing-out token";
        errors.push(Error::invalid(&path, json!(is), text));
    }
    let rest = |object: &Value| {
        let mut object = object.clone();
        for field in ["metadata", "inactivityTimeoutSeconds"] {
            drop(object.remove(&[field]));
        }
        object
    };
    if rest(new) != rest(old) {
        errors.push(Error::invalid(&Path::new(""), rest(new), "field is immutable"));
    }
    errors
}

fn client(client: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let uris = client.list_at(&["redirectURIs"]).iter().filter_map(Value::as_str);
    for (index, uri) in uris.enumerate() {
        if let Err(text) = redirect_uri(uri) {
            errors.push(Error::invalid(&Path::new("redirectURIs").index(index), uri, text));
        }
    }
    for (index, restriction) in client.list_at(&["scopeRestrictions"]).iter().enumerate() {
        scope_restriction(restriction, &Path::new("scopeRestrictions").index(index), &mut errors);
    }
    let path = Path::new("accessTokenInactivityTimeoutSeconds");
    match client.int_at(&["accessTokenInactivityTimeoutSeconds"]) {
        None | Some(0 | SHORTEST_INACTIVITY..) => {}
        Some(seconds) if seconds < 0 => {
            errors.push(Error::invalid(&path, json!(seconds), "value cannot be negative"));
        }
        Some(seconds) => {
            let text = "The minimum valid timeout value is 300 seconds";
            errors.push(Error::invalid(&path, json!(seconds), text));
        }
    }
    errors
}

fn scope_restriction(restriction: &Value, path: &Path, errors: &mut ErrorList) {
    let literals = restriction.list_at(&["literals"]);
    let role = restriction.at(&["clusterRole"]).filter(|role| !role.is_null());
    match (literals, role) {
        ([], Some(role)) => {
            for field in ["roleNames", "namespaces"] {
                if role.list_at(&[field]).is_empty() {
                    let at = path.child("clusterRole").child(field);
                    errors.push(Error::required(&at, "won't match anything"));
                }
            }
        }
        ([_, ..], None) => {
            for (index, _) in literals.iter().enumerate().filter(|(_, text)| *text == "") {
                let at = path.child("literals").index(index);
                errors.push(Error::invalid(&at, "", "may not be empty"));
            }
        }
        _ => {
            let text = "exactly one of literals, clusterRole is required";
            errors.push(Error::invalid(path, restriction.clone(), text));
        }
    }
}

fn client_authorization(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let (user, client) = (object.str_at(&["userName"]), object.str_at(&["clientName"]));
    if object.name() != format!("{user}:{client}") {
        let text = "must be in the format <userName>:<clientName>";
        errors.push(Error::invalid(&Path::new("metadata").child("name"), object.name(), text));
    }
    owner(object, &mut errors);
    if object.str_at(&["userUID"]).is_empty() {
        errors.push(Error::required(&Path::new("useruid"), ""));
    }
    errors
}

fn client_authorization_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = client_authorization(new);
    for field in ["clientName", "userName", "userUID"] {
        if new.str_at(&[field]) != old.str_at(&[field]) {
            let text = format!("{field} is not a mutable field");
            errors.push(Error::invalid(&Path::new(field), new.str_at(&[field]), &text));
        }
    }
    errors
}

/// Client, user and scopes of a token.
fn owner(object: &Value, errors: &mut ErrorList) {
    if object.str_at(&["clientName"]).is_empty() {
        errors.push(Error::required(&Path::new("clientName"), ""));
    }
    let user = object.str_at(&["userName"]);
    if user.is_empty() {
        errors.push(Error::required(&Path::new("userName"), ""));
    } else if let Err(text) = user_name(user) {
        errors.push(Error::invalid(&Path::new("userName"), user, text));
    }
    errors.extend(scopes(object.list_at(&["scopes"])));
}

/// What is wrong with a list of scopes.
#[must_use]
pub fn scopes(scopes: &[Value]) -> ErrorList {
    let path = Path::new("scopes");
    let mut errors = ErrorList::new();
    if scopes.is_empty() {
        errors.push(Error::required(&path, "may not be empty"));
    }
    for (index, scope) in scopes.iter().enumerate() {
        let text = scope.as_str().unwrap_or_default();
        let illegal = text.chars().find(|c| !matches!(c, '!' | '#'..='[' | ']'..='~'));
        if let Some(letter) = illegal {
            let complaint = format!("{} not allowed", u32::from(letter));
            errors.push(Error::invalid(&path.index(index), text, &complaint));
        } else if let Err(complaint) = Scope::parse(text) {
            errors.push(Error::invalid(&path.index(index), text, &complaint));
        }
    }
    errors
}

/// Whether a client may be sent back to `uri`.
///
/// # Errors
/// What is wrong with it.
pub fn redirect_uri(uri: &str) -> Result<(), &'static str> {
    if uri.is_empty() {
        return Err("may not be empty");
    }
    if uri.split_once('#').is_some_and(|(_, fragment)| !fragment.is_empty()) {
        return Err("may not contain a fragment");
    }
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    if path.split('/').any(|segment| segment == ".") {
        return Err("may not contain a path segment of .");
    }
    if path.split('/').any(|segment| segment == "..") {
        return Err("may not contain a path segment of ..");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
