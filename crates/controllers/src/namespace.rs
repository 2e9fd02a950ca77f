//! The controller of namespaces that are being deleted: empties them, then lets them go.
//!
//! Invariant: a namespace is finalized only after a look found every resource in it empty.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/namespace/deletion`; OpenShift's finalizer
//! `openshift.io/origin` is taken off in the same step, as one controller empties all groups.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use api::{NAMESPACES, PODS, Resource, Verb};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{DeleteOptions, ListOptions};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};

/// Finalizers of a namespace's spec that stand for "it has been emptied".
const FINALIZERS: [&str; 2] = ["kubernetes", "openshift.io/origin"];

/// How soon to look again while something is left (pods end in their own time).
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Every stored resource that lives in namespaces and can be deleted.
static CONTENT: LazyLock<Vec<&'static Resource>> = LazyLock::new(|| {
    let mut seen = BTreeSet::new();
    let deletable = |resource: &&&'static Resource| {
        resource.namespaced()
            && [Verb::List, Verb::Delete, Verb::Watch].iter().all(|verb| resource.supports(*verb))
    };
    let all = api::resources().iter().filter(deletable).map(|resource| api::storage_of(resource));
    all.filter(|resource| seen.insert((resource.storage.0, resource.plural))).collect()
});

/// Empties namespaces that are being deleted.
#[derive(Debug, Default)]
pub struct Namespace;

/// What to do about a namespace.
#[derive(Debug, PartialEq)]
enum Action {
    /// Delete all objects of this resource in it.
    Empty(&'static Resource),
    /// Take off the finalizers: write the namespace to its `finalize` sub-resource.
    Finalize(Value),
    /// Wait for objects that take their time.
    Wait,
}

/// The actions for `namespace`, given the resources that still have objects in it and whether those
/// have been asked to go already.
fn plan(namespace: &Value, left: &[(&'static Resource, bool)]) -> Vec<Action> {
    if namespace.deletion_timestamp().is_none() {
        return Vec::new();
    }
    let staying = left.iter().filter(|(_, all_going)| !all_going);
    let mut actions: Vec<Action> = staying.map(|(resource, _)| Action::Empty(resource)).collect();
    if actions.is_empty() && !left.is_empty() {
        return vec![Action::Wait];
    }
    if left.is_empty() {
        let old = namespace.list_at(&["spec", "finalizers"]);
        let others: Vec<Value> = old
            .iter()
            .filter(|finalizer| !FINALIZERS.contains(&finalizer.as_str().unwrap_or_default()))
            .cloned()
            .collect();
        if others.len() < old.len() {
            let mut finalized = namespace.clone();
            finalized.set(&["spec", "finalizers"], json!(others));
            actions.push(Action::Finalize(finalized));
        }
    }
    actions
}

impl Controller for Namespace {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&NAMESPACES, same_key), Watching::new(&PODS, terminating_namespace)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(namespace) = cx.caches.get_key(&NAMESPACES, key) else { return Ok(Requeue::Done) };
        if namespace.deletion_timestamp().is_none() {
            return Ok(Requeue::Done);
        }
        let mut left = look(cx, key.name())?;
        let mut requeue = Requeue::Done;
        // Twice: what went at once lets the namespace go in the same reconcile.
        for _ in 0..2 {
            for action in plan(&namespace, &left) {
                match action {
                    Action::Empty(resource) => empty(cx, resource, key.name())?,
                    Action::Wait => requeue = Requeue::After(LOOK_AGAIN),
                    Action::Finalize(value) => return finalize(cx, value),
                }
            }
            if requeue != Requeue::Done {
                return Ok(requeue);
            }
            left = look(cx, key.name())?;
        }
        Ok(Requeue::After(LOOK_AGAIN))
    }
}

/// The namespace of a pod that is gone, if that is being deleted.
fn terminating_namespace(caches: &Caches, change: &Change) -> Vec<Key> {
    if change.new.is_some() {
        return Vec::new();
    }
    let key = Key::new("", change.object().namespace());
    let namespace = caches.get_key(&NAMESPACES, &key);
    let waits = namespace.is_some_and(|namespace| namespace.deletion_timestamp().is_some());
    if waits { vec![key] } else { Vec::new() }
}

/// The resources with objects in the namespace, and whether all of those are being deleted.
fn look(cx: &Context<'_>, namespace: &str) -> Result<Vec<(&'static Resource, bool)>, Error> {
    let mut left = Vec::new();
    let mut custom = cx.client.server().custom_resources();
    custom.retain(|resource| resource.namespaced());
    for resource in CONTENT.iter().chain(&custom) {
        let objects = match cx.client.list(resource, namespace) {
            Ok(objects) => objects,
            // Served by nobody, so there is nothing of it.
            Err(status) if status.is_not_found() || status.code == 405 => continue,
            Err(status) => return Err(status.into()),
        };
        if !objects.is_empty() {
            let all_going = objects.iter().all(|object| object.deletion_timestamp().is_some());
            left.push((*resource, all_going));
        }
    }
    Ok(left)
}

fn empty(cx: &Context<'_>, resource: &'static Resource, namespace: &str) -> Result<(), Error> {
    let options = DeleteOptions::background();
    cx.client.delete_collection(resource, namespace, options, &ListOptions::default())?;
    Ok(())
}

fn finalize(cx: &Context<'_>, namespace: Value) -> Result<Requeue, Error> {
    match cx.client.update_sub(&NAMESPACES, "finalize", namespace) {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(Requeue::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminating() -> Value {
        json!({"metadata": {"name": "dev", "deletionTimestamp": "2018-10-11T12:00:00Z"},
            "spec": {"finalizers": ["openshift.io/origin", "kubernetes", "example.org/mine"]}})
    }

    #[test]
    fn a_namespace_is_emptied_then_waited_for_then_finalized() {
        let namespace = terminating();
        assert_eq!(
            plan(&namespace, &[(&PODS, true), (&api::SERVICES, false)]),
            [Action::Empty(&api::SERVICES)]
        );
        assert_eq!(plan(&namespace, &[(&PODS, true)]), [Action::Wait]);
        let [Action::Finalize(finalized)] = &plan(&namespace, &[])[..] else { panic!("finalized") };
        assert_eq!(finalized["spec"]["finalizers"], json!(["example.org/mine"]));
        assert_eq!(plan(finalized, &[]), []);
    }

    #[test]
    fn a_living_namespace_is_left_alone() {
        let mut namespace = terminating();
        namespace.remove(&["metadata", "deletionTimestamp"]);
        assert_eq!(plan(&namespace, &[(&PODS, false)]), []);
    }

    #[test]
    fn content_is_every_stored_namespaced_resource_once() {
        let names: BTreeSet<(&str, &str)> =
            CONTENT.iter().map(|resource| (resource.storage.0, resource.plural)).collect();
        assert_eq!(names.len(), CONTENT.len());
        for resource in [&PODS, &api::DEPLOYMENTS, &api::IMAGE_STREAMS, &api::DEPLOYMENT_CONFIGS] {
            assert!(names.contains(&(resource.storage.0, resource.plural)), "{}", resource.plural);
        }
        assert!(!names.contains(&("", "nodes")));
    }
}
