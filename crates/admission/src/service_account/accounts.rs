//! The controller that keeps `default`, `builder` and `deployer` in every namespace.
//!
//! Mirrors: `kubernetes/pkg/controller/serviceaccount/serviceaccounts_controller.go` with
//! OpenShift's `serviceAccountConfig.managedNames`.

use std::sync::Arc;

use api::{NAMESPACES, SERVICE_ACCOUNTS};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::Client;
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};

use super::credentials::{self, Settings};

/// Makes the managed accounts of namespaces.
#[derive(Debug)]
pub struct ServiceAccounts {
    settings: Arc<Settings>,
}

impl ServiceAccounts {
    /// A controller that makes accounts and their credentials by `settings`.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl Controller for ServiceAccounts {
    fn name(&self) -> &'static str {
        "serviceaccount-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&NAMESPACES, same_key),
            Watching::new(&SERVICE_ACCOUNTS, namespace_of_deleted),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(namespace) = cx.caches.get_key(&NAMESPACES, key) else { return Ok(Requeue::Done) };
        if self.settings.on_demand.iter().any(|name| *name == *key.name()) {
            return Ok(Requeue::Done);
        }
        let has = |name: &str| cx.caches.get(&SERVICE_ACCOUNTS, key.name(), name).is_some();
        for name in plan(&namespace, &self.settings.managed, has) {
            ensure(cx.client, &self.settings, key.name(), name)?;
        }
        Ok(Requeue::Done)
    }
}

/// The accounts to make in a namespace.
fn plan<'a>(namespace: &Value, managed: &'a [String], has: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let phase = namespace.str_at(&["status", "phase"]);
    if phase == "Terminating" || namespace.deletion_timestamp().is_some() {
        return Vec::new();
    }
    managed.iter().map(String::as_str).filter(|name| !has(name)).collect()
}

fn namespace_of_deleted(_: &Caches, change: &Change) -> Vec<Key> {
    match &change.new {
        None => vec![Key::new("", change.object().namespace())],
        Some(_) => Vec::new(),
    }
}

/// Makes an account with its credentials unless it exists; gives the account.
pub(super) fn ensure(
    client: &Client,
    settings: &Settings,
    ns: &str,
    name: &str,
) -> Result<Arc<Value>, Status> {
    let account = match client.create(&SERVICE_ACCOUNTS, ns, json!({"metadata": {"name": name}})) {
        Err(status) if status.is_already_exists() => client.get(&SERVICE_ACCOUNTS, ns, name)?,
        account => account?,
    };
    credentials::ensure(client, settings, &account)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of upstream's `TestServiceAccountCreation`.
    #[test]
    fn active_namespaces_get_what_they_lack() {
        let managed = ["default".to_owned(), "managed".to_owned()];
        let check = |phase: &str, existing: &[&str]| {
            plan(&json!({"status": {"phase": phase}}), &managed, |name| existing.contains(&name))
        };
        assert_eq!(check("Active", &[]), ["default", "managed"]);
        assert_eq!(check("Active", &["default"]), ["managed"]);
        assert!(check("Active", &["default", "managed"]).is_empty());
        assert!(check("Terminating", &[]).is_empty());
    }
}
