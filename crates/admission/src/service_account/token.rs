//! Tokens of service accounts: how they are signed and whom they stand for.
//!
//! A token is a JSON web token with HMAC-SHA-256 (`HS256`); the key is the secret
//! `kube-system/service-account-signing-key`, which is made when it is first needed. A token out of a
//! secret is good as long as the secret holds it and the account lives; one out of a `TokenRequest`
//! until it expires and while the pod or secret it is bound to lives.
//!
//! Deviation: OpenShift signs with RSA. An HMAC signature is a pure function of key and claims, so
//! that the same seed gives the same bytes, and nobody but the server checks signatures.

use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::http::Authenticator;
use apiserver::{ApiServer, Client, User};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;

use crate::request::find;

const KEY_NAMESPACE: &str = "kube-system";
const KEY_NAME: &str = "service-account-signing-key";
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";
/// Issuer of bound tokens.
const ISSUER: &str = "https://kubernetes.default.svc";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Value);

impl Claims {
    /// The claims of a token that is kept in a secret.
    #[must_use]
    pub fn of_secret(account: &Value, secret: &str) -> Self {
        Self(json!({
            "iss": LEGACY_ISSUER,
            "kubernetes.io/serviceaccount/namespace": account.namespace(),
            "kubernetes.io/serviceaccount/secret.name": secret,
            "kubernetes.io/serviceaccount/service-account.name": account.name(),
            "kubernetes.io/serviceaccount/service-account.uid": account.uid(),
            "sub": user_name(account.namespace(), account.name()),
        }))
    }

    /// The claims of a token that expires; `bound` is the `Pod` or `Secret` it lives with.
    #[must_use]
    pub fn expiring(
        account: &Value,
        audiences: &[Value],
        (issued, expires): (i64, i64),
        bound: Option<&Value>,
    ) -> Self {
        let identity = |object: &Value| json!({"name": object.name(), "uid": object.uid()});
        let mut private =
            json!({"namespace": account.namespace(), "serviceaccount": identity(account)});
        if let Some(bound) = bound {
            private[bound.kind().to_lowercase()] = identity(bound);
        }
        Self(json!({
            "aud": audiences,
            "exp": expires,
            "iat": issued,
            "nbf": issued,
            "iss": ISSUER,
            "kubernetes.io": private,
            "sub": user_name(account.namespace(), account.name()),
        }))
    }
}

fn user_name(ns: &str, name: &str) -> String {
    format!("system:serviceaccount:{ns}:{name}")
}

/// The signed token.
///
/// # Errors
/// When there is no signing key and none can be made.
pub fn sign(server: &ApiServer, claims: &Claims) -> Result<String, Status> {
    let payload = URL_SAFE_NO_PAD.encode(claims.0.to_string());
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(HEADER));
    let signature = hmac::sign(&key(server)?, signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The service account that a bearer token stands for; `None` when the token is not (or no longer)
/// good.
#[must_use]
pub fn token_user(server: &ApiServer, token: &str) -> Option<User> {
    let claims = verified(server, token)?;
    let private = claims.get("kubernetes.io");
    let legacy = |what: &str| claims.str_at(&[&format!("kubernetes.io/serviceaccount/{what}")]);
    let (ns, name, uid) = match private {
        Some(private) => (
            private.str_at(&["namespace"]),
            private.str_at(&["serviceaccount", "name"]),
            private.str_at(&["serviceaccount", "uid"]),
        ),
        None => {
            (legacy("namespace"), legacy("service-account.name"), legacy("service-account.uid"))
        }
    };
    let account = find(server, &api::SERVICE_ACCOUNTS, ns, name)?;
    let alive = account.uid() == uid && account.deletion_timestamp().is_none();
    let good = match private {
        Some(private) => in_time(server, &claims) && bound_lives(server, ns, private),
        None => kept_in(server, ns, legacy("secret.name"), token),
    };
    (alive && good).then(|| User { uid: uid.to_owned(), ..User::system(&user_name(ns, name)) })
}

/// The claims of a token with a true signature.
fn verified(server: &ApiServer, token: &str) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (_, payload) = signed.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(&key(server).ok()?, signed.as_bytes(), &signature).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn in_time(server: &ApiServer, claims: &Value) -> bool {
    let now = server.world().now().unix_nanos() / 1_000_000_000;
    claims.int_at(&["exp"]).is_some_and(|expires| now < expires)
}

fn bound_lives(server: &ApiServer, ns: &str, private: &Value) -> bool {
    [("pod", &api::PODS), ("secret", &api::SECRETS)].into_iter().all(|(kind, resource)| {
        private.get(kind).is_none_or(|bound| {
            find(server, resource, ns, bound.str_at(&["name"]))
                .is_some_and(|object| object.uid() == bound.str_at(&["uid"]))
        })
    })
}

/// The signature has been checked, so that comparing texts tells an attacker nothing.
fn kept_in(server: &ApiServer, ns: &str, secret: &str, token: &str) -> bool {
    find(server, &api::SECRETS, ns, secret).is_some_and(|secret| {
        secret.deletion_timestamp().is_none()
            && secret.str_at(&["data", "token"]) == STANDARD.encode(token)
    })
}

fn key(server: &ApiServer) -> Result<hmac::Key, Status> {
    let read = |secret: &Value| {
        let bytes = STANDARD.decode(secret.str_at(&["data", "key"])).unwrap_or_default();
        hmac::Key::new(hmac::HMAC_SHA256, &bytes)
    };
    if let Some(secret) = find(server, &api::SECRETS, KEY_NAMESPACE, KEY_NAME) {
        return Ok(read(&secret));
    }
    let mut bytes = [0; 32];
    server.world().random_bytes(&mut bytes);
    let secret = json!({
        "metadata": {"name": KEY_NAME},
        "type": "Opaque",
        "data": {"key": STANDARD.encode(bytes)},
    });
    let client = Client::new(server.clone(), User::system_admin());
    match client.create(&api::SECRETS, KEY_NAMESPACE, secret) {
        Err(status) if status.is_already_exists() => {
            Ok(read(&*client.get(&api::SECRETS, KEY_NAMESPACE, KEY_NAME)?))
        }
        secret => Ok(read(&*secret?)),
    }
}

/// How long a token out of a request lives when the request does not say, and at the least.
pub(super) const LIFETIME: Duration = Duration::from_secs(3600);
pub(super) const SHORTEST: Duration = Duration::from_secs(600);

/// Recognises service accounts at the edge, and asks another authenticator about other tokens.
#[derive(Debug)]
pub struct ServiceAccountTokens {
    server: ApiServer,
    otherwise: Option<std::sync::Arc<dyn Authenticator>>,
}

impl ServiceAccountTokens {
    /// Recognises the accounts of `server`.
    #[must_use]
    pub fn new(server: ApiServer) -> Self {
        Self { server, otherwise: None }
    }

    /// Asks `next` about tokens that belong to no account.
    #[must_use]
    pub fn or(mut self, next: std::sync::Arc<dyn Authenticator>) -> Self {
        self.otherwise = Some(next);
        self
    }
}

impl Authenticator for ServiceAccountTokens {
    fn authenticate(&self, token: &str) -> Option<User> {
        token_user(&self.server, token).or_else(|| self.otherwise.as_ref()?.authenticate(token))
    }
}
