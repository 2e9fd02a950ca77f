//! OAuth clients: programs that ask for tokens on behalf of people.
//!
//! A client is an `OAuthClient`, or a service account that says in annotations where people may be sent
//! back to.
//!
//! Mirrors: `openshift/origin:pkg/serviceaccounts/oauthclient`,
//! `pkg/oauthserver/osinserver/registrystorage`, `RangelReale/osin:urivalidate.go`.
//!
//! Deviation: annotations that refer to routes (`oauth-redirectreference`) are not followed.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::{Client as Api, Scope};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::htpasswd::same;
use crate::token::texts;

const ACCOUNT: &str = "system:serviceaccount:";
const REDIRECT_ANNOTATION: &str = "serviceaccounts.openshift.io/oauth-redirecturi.";
const CHALLENGES_ANNOTATION: &str = "serviceaccounts.openshift.io/oauth-want-challenges";

/// A client that is known.
#[derive(Debug)]
pub(super) struct OAuthClient(Value);

impl OAuthClient {
    /// Finds a client by its name.
    pub(super) fn find(api: &Api, name: &str) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        match name.strip_prefix(ACCOUNT) {
            Some(account) => account_client(api, name, account).map(Self),
            None => api.find(&api::OAUTH_CLIENTS, "", name).ok()?.map(|c| Self((*c).clone())),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.0.name()
    }

    /// Whether it knows one of its secrets; a client without one need not.
    pub(super) fn knows(&self, shown: &str) -> bool {
        let own = self.0.str_at(&["secret"]).to_owned();
        let mut all = texts(&self.0, "additionalSecrets");
        all.push(own);
        all.iter().any(|secret| same(secret.as_bytes(), shown.as_bytes()))
    }

    /// Whether it can show a password itself.
    pub(super) fn wants_challenges(&self) -> bool {
        self.0.bool_at(&["respondWithChallenges"])
    }

    /// How its grants are approved.
    pub(super) fn grant_method(&self) -> &str {
        self.0.str_at(&["grantMethod"])
    }

    /// How long its tokens are good.
    pub(super) fn token_seconds(&self) -> Option<i64> {
        self.0.int_at(&["accessTokenMaxAgeSeconds"])
    }

    /// Whether it can be sent anything.
    pub(super) fn has_redirects(&self) -> bool {
        !self.0.list_at(&["redirectURIs"]).is_empty()
    }

    /// Where to send people: `asked` when it is below one of the client's own, or the only one there
    /// is.
    pub(super) fn redirect(&self, asked: &str) -> Option<String> {
        let own = texts(&self.0, "redirectURIs");
        match (asked, own.as_slice()) {
            ("", [only]) => Some(only.clone()),
            ("", _) => None,
            _ => own.iter().any(|base| is_below(base, asked)).then(|| asked.to_owned()),
        }
    }

    /// Whether its restrictions let it have the scopes.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_have(&self, scopes: &[String]) -> Result<(), String> {
        let restrictions = self.0.list_at(&["scopeRestrictions"]);
        if restrictions.is_empty() {
            return Ok(());
        }
        for scope in scopes {
            if !restrictions.iter().any(|restriction| permits(restriction, scope)) {
                return Err(format!("{scope} did not match any scope restriction"));
            }
        }
        Ok(())
    }
}

fn permits(restriction: &Value, scope: &str) -> bool {
    let lists = |path: &[&str], word: &str, all: bool| {
        restriction.list_at(path).iter().any(|own| *own == word || all && *own == "*")
    };
    if lists(&["literals"], scope, false) {
        return true;
    }
    let Ok(Scope::Role { name, namespace, escalating }) = Scope::parse(scope) else { return false };
    lists(&["clusterRole", "roleNames"], &name, true)
        && lists(&["clusterRole", "namespaces"], &namespace, true)
        && (!escalating || restriction.bool_at(&["clusterRole", "allowEscalation"]))
}

/// The client that a service account stands for: its secrets are its tokens.
fn account_client(api: &Api, name: &str, account: &str) -> Option<Value> {
    let (namespace, account) = account.split_once(':')?;
    let stored = api.find(&api::SERVICE_ACCOUNTS, namespace, account).ok()??;
    let annotations = stored.map_at(&["metadata", "annotations"]);
    let redirects: Vec<&Value> = annotations
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(REDIRECT_ANNOTATION))
        .map(|(_, value)| value)
        .collect();
    let secrets = api.list(&api::SECRETS, namespace).ok()?;
    let tokens: Vec<String> = secrets
        .iter()
        .filter(|secret| {
            secret.str_at(&["type"]) == "kubernetes.io/service-account-token"
                && secret.annotation("kubernetes.io/service-account.uid") == Some(stored.uid())
        })
        .filter_map(|secret| STANDARD.decode(secret.str_at(&["data", "token"])).ok())
        .filter_map(|token| String::from_utf8(token).ok().filter(|token| !token.is_empty()))
        .collect();
    // Without a token there is no secret to show, which must not mean that none is needed.
    let (first, rest) = tokens.split_first()?;
    Some(json!({
        "metadata": {"name": name},
        "secret": first,
        "additionalSecrets": rest,
        "redirectURIs": redirects,
        "respondWithChallenges": stored.annotation(CHALLENGES_ANNOTATION) == Some("true"),
        "grantMethod": "prompt",
        "scopeRestrictions": [
            {"literals": [
                "user:info", "user:check-access", "user:list-scoped-projects", "user:list-projects",
            ]},
            {"clusterRole": {"roleNames": ["*"], "namespaces": [namespace], "allowEscalation": true}},
        ],
    }))
}

/// Whether `asked` is `base` or a path below it on the same server.
fn is_below(base: &str, asked: &str) -> bool {
    let Some(((base_server, base_path), (server, path))) = split(base).zip(split(asked)) else {
        return false;
    };
    let inside = path == base_path
        || path.strip_prefix(base_path.trim_end_matches('/')).is_some_and(|r| r.starts_with('/'));
    let climbs = path.split('/').any(|segment| super::request::unescape(segment) == "..");
    server.eq_ignore_ascii_case(base_server) && inside && !climbs && !asked.contains('#')
}

/// Scheme with host, and the path.
fn split(uri: &str) -> Option<(&str, &str)> {
    let host = uri.find("://")? + 3;
    let rest = &uri[host..];
    let end = rest.find(['/', '?', '#', '\\']).map_or(uri.len(), |at| host + at);
    let path = &uri[end..];
    Some((&uri[..end], path.split(['?', '#']).next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_below_what_is_registered() {
        for (base, asked, expect) in [
            ("https://a/cb", "https://a/cb", true),
            ("https://a/cb", "https://a/cb?x=1", true),
            ("https://a/cb", "https://a/cb/deep", true),
            ("https://a/cb/", "https://a/cb/deep", true),
            ("https://a", "https://a/anything", true),
            ("https://a/cb", "https://a/cbx", false),
            ("https://a/cb", "https://a/cb/../x", false),
            ("https://a/cb", "https://a/cb/%2e%2e/x", false),
            ("https://a/cb", "https://a.evil/cb", false),
            ("https://a", "https://a.evil", false),
            ("https://a", "https://a@evil/", false),
            ("https://a", "https://a\\@evil/", false),
            ("https://a/cb", "http://a/cb", false),
            ("https://a:1/cb", "https://a/cb", false),
            ("https://a/cb", "https://a/cb#x", false),
            ("https://a/cb", "cb", false),
        ] {
            assert_eq!(is_below(base, asked), expect, "{base} {asked}");
        }
    }

    #[test]
    fn restrictions_hold() {
        let client = OAuthClient(json!({"scopeRestrictions": [
            {"literals": ["user:info"]},
            {"clusterRole": {"roleNames": ["view"], "namespaces": ["p"], "allowEscalation": false}},
        ]}));
        let may = |scope: &str| client.may_have(&[scope.to_owned()]).is_ok();
        assert_eq!(
            [
                "user:info",
                "user:full",
                "role:view:p",
                "role:view:q",
                "role:edit:p",
                "role:view:p:!"
            ]
            .map(may),
            [true, false, true, false, false, false]
        );
        assert!(OAuthClient(json!({})).may_have(&["user:full".to_owned()]).is_ok());
    }
}
