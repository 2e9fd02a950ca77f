//! The role bindings that every namespace has: service accounts may pull, build and deploy in it.
//!
//! A binding that is missing is made; one that is there stays as it is, so that people can take its
//! subjects away.
//!
//! Mirrors: `openshift/origin:pkg/authorization/controller/defaultrolebindings`.
//!
//! Deviation: upstream runs one controller a binding, and makes a deleted binding again only when
//! the namespace is looked at again; here it is made again at once.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use controller_runtime::{Caches, Change, Context, Controller, Error, Key, Requeue, Watching};

use crate::escalation::GROUP;

const DESCRIPTION: &str = "openshift.io/description";

/// Makes the default role bindings.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultRoleBindings;

impl Controller for DefaultRoleBindings {
    fn name(&self) -> &'static str {
        "default-rolebindings-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&api::NAMESPACES, |_, change| vec![Key::new("", change.object().name())]),
            Watching::new(&api::ROLE_BINDINGS, namespace_of_deleted),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(namespace) = cx.caches.get(&api::NAMESPACES, "", key.name()) else {
            return Ok(Requeue::Done);
        };
        if namespace.deletion_timestamp().is_some() {
            return Ok(Requeue::Done);
        }
        for binding in bindings(key.name()) {
            let exists = cx.caches.get(&api::ROLE_BINDINGS, key.name(), binding.name()).is_some();
            if exists {
                continue;
            }
            match cx.client.create(&api::ROLE_BINDINGS, key.name(), binding) {
                Err(status) if !status.is_already_exists() => return Err(status.into()),
                _ => {}
            }
        }
        Ok(Requeue::Done)
    }
}

fn namespace_of_deleted(_: &Caches, change: &Change) -> Vec<Key> {
    match (&change.old, &change.new) {
        (Some(old), None) => vec![Key::new("", old.namespace())],
        _ => Vec::new(),
    }
}

/// The bindings that `namespace` starts with.
#[must_use]
pub fn bindings(namespace: &str) -> [Value; 3] {
    let auto = "It is auto-managed by a controller; remove subjects to disable.";
    let bind = |name: &str, role: &str, what: &str, subject: Value| {
        json!({
            "metadata": {"name": name, "annotations": {DESCRIPTION: format!("{what}  {auto}")}},
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        })
    };
    let account =
        |name: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
    let members = format!("system:serviceaccounts:{namespace}");
    [
        bind(
            "system:image-pullers",
            "system:image-puller",
            "Allows all pods in this namespace to pull images from this namespace.",
            json!({"apiGroup": GROUP, "kind": "Group", "name": members}),
        ),
        bind(
            "system:image-builders",
            "system:image-builder",
            "Allows builds in this namespace to push images to this namespace.",
            account("builder"),
        ),
        bind(
            "system:deployers",
            "system:deployer",
            "Allows deploymentconfigs in this namespace to rollout pods in this namespace.",
            account("deployer"),
        ),
    ]
}
