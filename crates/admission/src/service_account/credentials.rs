//! The secrets of a service account: its token, and a pull secret with a token of its own.
//!
//! An account `sa` gets `sa-token-xxxxx` (mounted into pods), a second token and `sa-dockercfg-xxxxx`
//! that logs in to the integrated registry with that second token. `secrets` of the account names the
//! first and the third, `imagePullSecrets` the third.
//!
//! Invariant: a secret belongs to an account by annotations with its name and uid; an account made
//! anew under an old name inherits nothing.
//!
//! Mirrors: `kubernetes/pkg/controller/serviceaccount/tokens_controller.go`,
//! `openshift/origin:pkg/serviceaccounts/controllers`.

use std::sync::Arc;

use api::{NAMESPACES, SECRETS, SERVICE_ACCOUNTS};
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{ApiServer, Call, Client, DeleteOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};

use super::token::{self, Claims};
use crate::request::find;

pub(super) const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
pub(super) const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
pub(super) const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";
const DOCKERCFG_TYPE: &str = "kubernetes.io/dockercfg";
const CREATED_BY: &str = "kubernetes.io/created-by";
const DOCKERCFG_CREATOR: &str = "openshift.io/create-dockercfg-secrets";
const TOKEN_SECRET_NAME: &str = "openshift.io/token-secret.name";
const TOKEN_SECRET_VALUE: &str = "openshift.io/token-secret.value";
/// Longest name of an account that secrets' names are made from; longer ones are cut.
const MAX_BASE: usize = 63 - 10 - 6;

/// How accounts and their credentials are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The accounts that every namespace has.
    pub managed: Vec<String>,
    /// Namespaces where they are made only when a pod needs one.
    pub on_demand: Vec<String>,
    /// `ca.crt` of token secrets, PEM.
    pub ca: String,
    /// `service-ca.crt` of token secrets, PEM.
    pub service_ca: String,
    /// The addresses of the integrated registry that pull secrets log in to.
    pub registries: Vec<String>,
}

/// What to do about the secrets of an account.
#[derive(Debug, PartialEq)]
enum Action {
    /// Make the token that pods mount.
    CreateToken,
    /// Make the pull secret and the token in it.
    CreateDockercfg,
    /// Give a token secret that a user made its token.
    Fill(Arc<Value>),
    /// Delete a secret that belongs to nobody any more.
    Delete { name: String, uid: String },
    /// Write these names into `secrets` and `imagePullSecrets`.
    Reference { secrets: Vec<String>, pull: Vec<String> },
}

/// The actions for an account (`None`: it is gone), given all secrets annotated with its name.
fn plan(account: Option<&Value>, secrets: &[Arc<Value>]) -> Vec<Action> {
    let uid = account.map(|account| account.uid()).unwrap_or_default();
    let mine = |secret: &&Arc<Value>| {
        let of = secret.annotation(ACCOUNT_UID).unwrap_or_default();
        account.is_some() && (of.is_empty() || of == uid)
    };
    let delete = |secret: &Arc<Value>| Action::Delete {
        name: secret.name().to_owned(),
        uid: secret.uid().to_owned(),
    };
    let mut actions: Vec<Action> = secrets.iter().filter(|s| !mine(s)).map(delete).collect();
    let Some(account) = account else { return actions };
    let tokens = || secrets.iter().filter(mine).filter(|s| s.str_at(&["type"]) == TOKEN_TYPE);
    let empty = |secret: &&Arc<Value>| secret.str_at(&["data", "token"]).is_empty();
    actions.extend(tokens().filter(empty).map(|secret| Action::Fill(Arc::clone(secret))));
    let referenced = names(account, "secrets");
    let for_pods = |s: &&Arc<Value>| s.annotation(CREATED_BY) != Some(DOCKERCFG_CREATOR);
    let is_named = |s: &&Arc<Value>| referenced.iter().any(|name| name == s.name());
    let token = tokens().filter(for_pods).find(is_named).or_else(|| tokens().find(for_pods));
    let lives = |s: &&Arc<Value>| {
        let token = s.annotation(TOKEN_SECRET_NAME).unwrap_or_default();
        tokens().any(|secret| secret.name() == token)
    };
    let all_pull = || secrets.iter().filter(mine).filter(|s| s.str_at(&["type"]) == DOCKERCFG_TYPE);
    actions.extend(all_pull().filter(|s| !lives(s)).map(delete));
    let pull = all_pull().find(lives);
    match (token, pull) {
        (Some(token), Some(pull)) => actions.extend(reference(account, secrets, [token, pull])),
        (token, pull) => {
            actions.extend(token.is_none().then_some(Action::CreateToken));
            actions.extend(pull.is_none().then_some(Action::CreateDockercfg));
        }
    }
    actions
}

fn names(account: &Value, field: &str) -> Vec<String> {
    let entries = account.list_at(&[field]).iter();
    entries.map(|entry| entry.str_at(&["name"]).to_owned()).collect()
}

/// The references that are missing or that name a secret of the account that is gone.
fn reference(
    account: &Value,
    existing: &[Arc<Value>],
    [token, pull]: [&Arc<Value>; 2],
) -> Option<Action> {
    let (old_secrets, old_pull) = (names(account, "secrets"), names(account, "imagePullSecrets"));
    // Only names of the account's own making are taken off; what users wrote stays.
    let gone = |name: &String| {
        let own = ["token", "dockercfg"].iter().any(|kind| {
            name.strip_prefix(&base(account.name(), kind)).is_some_and(|rest| rest.len() == 5)
        });
        own && !existing.iter().any(|secret| secret.name() == name)
    };
    let merged = |old: &[String], wanted: &[&Arc<Value>]| {
        let mut list: Vec<String> = old.iter().filter(|name| !gone(name)).cloned().collect();
        for secret in wanted {
            if !list.iter().any(|name| name == secret.name()) {
                list.push(secret.name().to_owned());
            }
        }
        list
    };
    let secrets = merged(&old_secrets, &[token, pull]);
    let pull = merged(&old_pull, &[pull]);
    (secrets != old_secrets || pull != old_pull).then_some(Action::Reference { secrets, pull })
}

/// The base of a secret's generated name.
fn base(account: &str, kind: &str) -> String {
    let cut = account.char_indices().nth(MAX_BASE).map_or(account.len(), |(at, _)| at);
    format!("{}-{kind}-", &account[..cut])
}

/// The secrets that are annotated with the account's name.
fn annotated(client: &Client, ns: &str, account: &str) -> Result<Vec<Arc<Value>>, Status> {
    let mut secrets = client.list(&SECRETS, ns)?;
    secrets.retain(|secret| {
        matches!(secret.str_at(&["type"]), TOKEN_TYPE | DOCKERCFG_TYPE)
            && secret.annotation(ACCOUNT_NAME) == Some(account)
    });
    Ok(secrets)
}

/// Makes what is missing of an account's credentials; gives the account as it then is.
pub(super) fn ensure(
    client: &Client,
    settings: &Settings,
    account: &Value,
) -> Result<Arc<Value>, Status> {
    let (ns, name) = (account.namespace(), account.name());
    let mut current = Arc::new(account.clone());
    let mut secrets = annotated(client, ns, name)?;
    // First the secrets, then the references to them.
    for _ in 0..2 {
        for action in plan(Some(&current), &secrets) {
            apply(client, settings, (ns, name), &mut current, &mut secrets, action)?;
        }
    }
    Ok(current)
}

fn apply(
    client: &Client,
    settings: &Settings,
    (ns, name): (&str, &str),
    account: &mut Arc<Value>,
    secrets: &mut Vec<Arc<Value>>,
    action: Action,
) -> Result<(), Status> {
    match action {
        Action::CreateToken => secrets.push(create_token(client, settings, account, None)?),
        Action::CreateDockercfg => {
            let creator = Some(DOCKERCFG_CREATOR);
            let token = create_token(client, settings, account, creator)?;
            let pull = dockercfg(client, settings, account, &token);
            secrets.push(client.create(&SECRETS, ns, pull)?);
            secrets.push(token);
        }
        Action::Fill(secret) => {
            let mut filled = (*secret).clone();
            let data = token_data(client.server(), settings, account, secret.name())?;
            for (key, value) in data {
                filled.set(&["data", &key], value);
            }
            filled.set_annotation(ACCOUNT_UID, account.uid());
            let filled = client.update(&SECRETS, filled)?;
            secrets.retain(|secret| secret.name() != filled.name());
            secrets.push(filled);
        }
        Action::Delete { name, uid } => {
            delete(client, ns, &name, &uid)?;
            secrets.retain(|secret| secret.name() != name);
        }
        Action::Reference { secrets, pull } => {
            let call = Call::new(client.user(), &SERVICE_ACCOUNTS).within(ns).named(name);
            let list = |names: &[String]| -> Vec<Value> {
                names.iter().map(|name| json!({"name": name})).collect()
            };
            let written = client.server().modify(&call, &mut |old| {
                let mut new = old.clone();
                new.set(&["secrets"], json!(list(&secrets)));
                new.set(&["imagePullSecrets"], json!(list(&pull)));
                Ok(new)
            })?;
            *account = written.object.value();
        }
    }
    Ok(())
}

fn delete(client: &Client, ns: &str, name: &str, uid: &str) -> Result<(), Status> {
    let options = DeleteOptions { uid: Some(uid.to_owned()), ..DeleteOptions::default() };
    match client.delete(&SECRETS, ns, name, options) {
        Err(status) if !status.is_not_found() && !status.is_conflict() => Err(status),
        _ => Ok(()),
    }
}

/// The name is made up here, since the token says it.
fn create_token(
    client: &Client,
    settings: &Settings,
    account: &Value,
    creator: Option<&str>,
) -> Result<Arc<Value>, Status> {
    let suffix = client.server().world().name_suffix(5);
    let name = format!("{}{suffix}", base(account.name(), "token"));
    let mut annotations = json!({ACCOUNT_NAME: account.name(), ACCOUNT_UID: account.uid()});
    if let Some(creator) = creator {
        annotations[CREATED_BY] = json!(creator);
    }
    let secret = json!({
        "metadata": {"name": name, "annotations": annotations},
        "type": TOKEN_TYPE,
        "data": token_data(client.server(), settings, account, &name)?,
    });
    client.create(&SECRETS, account.namespace(), secret)
}

fn token_data(
    server: &ApiServer,
    settings: &Settings,
    account: &Value,
    secret: &str,
) -> Result<Map, Status> {
    let token = token::sign(server, &Claims::of_secret(account, secret))?;
    let mut data = Map::new();
    let parts = [
        ("ca.crt", settings.ca.as_str()),
        ("namespace", account.namespace()),
        ("service-ca.crt", &settings.service_ca),
        ("token", &token),
    ];
    for (key, text) in parts {
        data.insert(key.to_owned(), json!(STANDARD.encode(text)));
    }
    Ok(data)
}

fn dockercfg(client: &Client, settings: &Settings, account: &Value, token: &Value) -> Value {
    let text = STANDARD.decode(token.str_at(&["data", "token"])).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let entry = json!({
        "username": "serviceaccount",
        "password": text,
        "email": "serviceaccount@example.org",
        "auth": STANDARD.encode(format!("serviceaccount:{text}")),
    });
    let registries: Map =
        settings.registries.iter().map(|host| (host.clone(), entry.clone())).collect();
    let suffix = client.server().world().name_suffix(5);
    json!({
        "metadata": {
            "name": format!("{}{suffix}", base(account.name(), "dockercfg")),
            "annotations": {
                ACCOUNT_NAME: account.name(),
                ACCOUNT_UID: account.uid(),
                TOKEN_SECRET_NAME: token.name(),
                TOKEN_SECRET_VALUE: text,
            },
        },
        "type": DOCKERCFG_TYPE,
        "data": {".dockercfg": STANDARD.encode(Value::Object(registries).to_string())},
    })
}

/// The first token secret that the account names and that is truly its own.
pub(super) fn referenced_token(server: &ApiServer, account: &Value) -> Option<String> {
    let named = account.list_at(&["secrets"]).iter().map(|entry| entry.str_at(&["name"]));
    let mut named = named.filter(|name| {
        find(server, &SECRETS, account.namespace(), name).is_some_and(|secret| {
            secret.str_at(&["type"]) == TOKEN_TYPE
                && secret.annotation(ACCOUNT_NAME) == Some(account.name())
                && secret.annotation(ACCOUNT_UID) == Some(account.uid())
        })
    });
    named.next().map(str::to_owned)
}

/// Keeps the secrets of every account.
#[derive(Debug)]
pub struct Credentials {
    settings: Arc<Settings>,
}

impl Credentials {
    /// A controller that makes secrets by `settings`.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl Controller for Credentials {
    fn name(&self) -> &'static str {
        "serviceaccount-token-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&SERVICE_ACCOUNTS, same_key),
            Watching::new(&SECRETS, account_of),
            Watching::reading(&NAMESPACES),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let (ns, name) = (key.namespace(), key.name());
        let terminating = |ns: Arc<Value>| ns.deletion_timestamp().is_some();
        if cx.caches.get(&NAMESPACES, "", ns).is_none_or(terminating) {
            return Ok(Requeue::Done);
        }
        match cx.caches.get_key(&SERVICE_ACCOUNTS, key) {
            Some(account) if account.deletion_timestamp().is_some() => {}
            Some(account) => drop(ensure(cx.client, &self.settings, &account)?),
            None => {
                for action in plan(None, &annotated(cx.client, ns, name)?) {
                    if let Action::Delete { name, uid } = action {
                        delete(cx.client, ns, &name, &uid)?;
                    }
                }
            }
        }
        Ok(Requeue::Done)
    }
}

fn account_of(_: &Caches, change: &Change) -> Vec<Key> {
    let secret = change.object();
    let account = secret
        .annotation(ACCOUNT_NAME)
        .filter(|_| matches!(secret.str_at(&["type"]), TOKEN_TYPE | DOCKERCFG_TYPE));
    account.map(|name| Key::new(secret.namespace(), name)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, kind: &str, uid: &str, token: &str) -> Arc<Value> {
        let annotations = json!({ACCOUNT_NAME: "sa", ACCOUNT_UID: uid, TOKEN_SECRET_NAME: token});
        Arc::new(json!({"metadata": {"name": name, "uid": "s", "annotations": annotations},
            "type": kind, "data": {"token": "x"}}))
    }

    fn check(account: Option<&Value>, secrets: &[Arc<Value>]) -> Vec<Action> {
        plan(account, secrets)
    }

    #[test]
    fn an_account_gets_what_it_lacks() {
        let bare = json!({"metadata": {"name": "sa", "uid": "u"}});
        assert_eq!(check(Some(&bare), &[]), [Action::CreateToken, Action::CreateDockercfg]);
        let mut second = (*secret("sa-token-bbbbb", TOKEN_TYPE, "u", "")).clone();
        second.set_annotation(CREATED_BY, DOCKERCFG_CREATOR);
        let secrets = [
            secret("sa-token-aaaaa", TOKEN_TYPE, "u", ""),
            Arc::new(second),
            secret("sa-dockercfg-ccccc", DOCKERCFG_TYPE, "u", "sa-token-bbbbb"),
        ];
        let (token, pull) = ("sa-token-aaaaa".to_owned(), "sa-dockercfg-ccccc".to_owned());
        let secrets_of = vec![token, pull.clone()];
        assert_eq!(
            check(Some(&bare), &secrets),
            [Action::Reference { secrets: secrets_of, pull: vec![pull] }]
        );
        // The token that only logs in to the registry is not the one for pods.
        assert_eq!(check(Some(&bare), &secrets[1..]), [Action::CreateToken]);
        // Without its token a pull secret is worthless.
        let deleted = Action::Delete { name: "sa-dockercfg-ccccc".into(), uid: "s".into() };
        assert_eq!(
            check(Some(&bare), &[secrets[0].clone(), secrets[2].clone()]),
            [deleted, Action::CreateDockercfg]
        );
    }

    #[test]
    fn stale_references_go_and_foreign_ones_stay() {
        let account = json!({"metadata": {"name": "sa", "uid": "u"},
            "secrets": [{"name": "sa-token-zzzzz"}, {"name": "mine"}],
            "imagePullSecrets": [{"name": "mine"}]});
        let secrets = [
            secret("sa-token-aaaaa", TOKEN_TYPE, "u", ""),
            secret("sa-dockercfg-ccccc", DOCKERCFG_TYPE, "u", "sa-token-aaaaa"),
        ];
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            check(Some(&account), &secrets),
            [Action::Reference {
                secrets: strings(&["mine", "sa-token-aaaaa", "sa-dockercfg-ccccc"]),
                pull: strings(&["mine", "sa-dockercfg-ccccc"]),
            }]
        );
    }

    #[test]
    fn secrets_die_with_their_account() {
        let token = secret("sa-token-aaaaa", TOKEN_TYPE, "old", "");
        let gone = || Action::Delete { name: "sa-token-aaaaa".into(), uid: "s".into() };
        assert_eq!(check(None, std::slice::from_ref(&token)), [gone()]);
        let anew = json!({"metadata": {"name": "sa", "uid": "new"}});
        assert_eq!(
            check(Some(&anew), &[token]),
            [gone(), Action::CreateToken, Action::CreateDockercfg]
        );
    }
}
