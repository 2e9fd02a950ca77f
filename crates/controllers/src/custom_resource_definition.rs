//! The controller of definitions that are being deleted: their objects go first.
//!
//! Invariant: a definition is let go only after a look found no object of it.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/controller/finalizer`.

use std::time::Duration;

use api::{CUSTOM_RESOURCE_DEFINITIONS, Resource};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{CLEANUP_FINALIZER, DeleteOptions, ListOptions, PatchKind, custom_resource};
use controller_runtime::{Context, Controller, Error, Key, Requeue, Watching, same_key};

/// How soon to look again while objects take their time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Removes the objects of definitions that are being deleted.
#[derive(Debug, Default)]
pub struct CustomResourceDefinition;

/// What to do about a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Nothing: it is not being deleted, or somebody else holds it.
    Leave,
    /// Ask its objects to go.
    Empty,
    /// Wait for objects that take their time.
    Wait,
    /// Let it go.
    Release,
}

/// Decides, given how many objects there are and how many of those are going already.
fn plan(definition: &Value, objects: usize, going: usize) -> Action {
    let finalizers = definition.list_at(&["metadata", "finalizers"]);
    let ours = finalizers.iter().any(|finalizer| finalizer == CLEANUP_FINALIZER);
    match (definition.deletion_timestamp(), objects) {
        (None, _) => Action::Leave,
        _ if !ours => Action::Leave,
        (_, 0) => Action::Release,
        _ if going == objects => Action::Wait,
        _ => Action::Empty,
    }
}

impl Controller for CustomResourceDefinition {
    fn name(&self) -> &'static str {
        "crd-finalizer"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&CUSTOM_RESOURCE_DEFINITIONS, same_key)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(definition) = cx.caches.get_key(&CUSTOM_RESOURCE_DEFINITIONS, key) else {
            return Ok(Requeue::Done);
        };
        if definition.deletion_timestamp().is_none() {
            return Ok(Requeue::Done);
        }
        let resource = custom_resource(&definition);
        // Twice: what went at once lets the definition go in the same reconcile.
        for _ in 0..2 {
            let (objects, going) = resource.map_or(Ok((0, 0)), |resource| look(cx, resource))?;
            match (plan(&definition, objects, going), resource) {
                (Action::Leave, _) => return Ok(Requeue::Done),
                (Action::Release, _) => return release(cx, &definition),
                (Action::Empty, Some(resource)) => {
                    let options = DeleteOptions::background();
                    let all = ListOptions::default();
                    cx.client.delete_collection(resource, "", options, &all)?;
                }
                (Action::Empty | Action::Wait, _) => return Ok(Requeue::After(LOOK_AGAIN)),
            }
        }
        Ok(Requeue::After(LOOK_AGAIN))
    }
}

/// How many objects there are, and how many are being deleted.
fn look(cx: &Context<'_>, resource: &'static Resource) -> Result<(usize, usize), Error> {
    let objects = cx.client.list(resource, "")?;
    let going = objects.iter().filter(|object| object.deletion_timestamp().is_some()).count();
    Ok((objects.len(), going))
}

fn release(cx: &Context<'_>, definition: &Value) -> Result<Requeue, Error> {
    let finalizers = definition.list_at(&["metadata", "finalizers"]).iter();
    let others: Vec<&Value> =
        finalizers.filter(|finalizer| *finalizer != CLEANUP_FINALIZER).collect();
    let patch = json!({"metadata": {
        "finalizers": others, "resourceVersion": definition.resource_version(),
    }});
    let crds = &CUSTOM_RESOURCE_DEFINITIONS;
    match cx.client.patch(crds, "", definition.name(), PatchKind::Merge, patch) {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(Requeue::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_go_before_their_definition() {
        let mut definition = json!({"metadata": {"finalizers": [CLEANUP_FINALIZER]}});
        assert_eq!(plan(&definition, 2, 0), Action::Leave);
        definition.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
        assert_eq!(plan(&definition, 2, 1), Action::Empty);
        assert_eq!(plan(&definition, 2, 2), Action::Wait);
        assert_eq!(plan(&definition, 0, 0), Action::Release);
        definition.set(&["metadata", "finalizers"], json!(["example.com/mine"]));
        assert_eq!(plan(&definition, 0, 0), Action::Leave);
    }
}
