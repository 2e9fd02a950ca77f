//! Keeps the service `kubernetes` of the namespace `default`: whoever deletes it gets it back.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/master/controller.go`, which looks every ten seconds.

use api::{NAMESPACES, SERVICES};
use apimachinery::ObjectExt as _;
use controller_runtime::{Caches, Change, Context, Controller, Error, Key, Requeue, Watching};

const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";

/// Makes the service again when it is gone.
#[derive(Debug, Default)]
pub struct KubernetesService {
    /// Whether it was looked for since this controller began.
    looked: bool,
}

impl Controller for KubernetesService {
    fn name(&self) -> &'static str {
        "bootstrap-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::reading(&NAMESPACES), Watching::new(&SERVICES, its_end)]
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Vec<Key>> {
        if self.looked {
            return None;
        }
        // Before the namespace is known nothing is.
        if cx.caches.get(&NAMESPACES, "", NAMESPACE).is_none() {
            return Some(Vec::new());
        }
        self.looked = true;
        let is_there = cx.caches.get(&SERVICES, NAMESPACE, NAME).is_some();
        Some(if is_there { Vec::new() } else { vec![Key::new(NAMESPACE, NAME)] })
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let namespace = cx.caches.get(&NAMESPACES, "", NAMESPACE);
        let stays = namespace.is_some_and(|it| it.deletion_timestamp().is_none());
        if !stays || cx.caches.get_key(&SERVICES, key).is_some() {
            return Ok(Requeue::Done);
        }
        match cx.client.create(&SERVICES, NAMESPACE, apiserver::kubernetes_service()) {
            Err(status) if !status.is_already_exists() => Err(status.into()),
            _ => Ok(Requeue::Done),
        }
    }
}

fn its_end(_: &Caches, change: &Change) -> Vec<Key> {
    let service = change.object();
    let is_it = service.name() == NAME && service.namespace() == NAMESPACE;
    if is_it && change.new.is_none() { vec![change.key()] } else { Vec::new() }
}
