//! Which objects of a namespace belong to a controller: kept, adopted or released, and to whom a change
//! of one is news.
//!
//! Invariant: an object controlled by somebody else is never touched; a controller that is being
//! deleted neither adopts nor releases.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/controller_ref_manager.go`.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Resource;
use apimachinery::json;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::PatchKind;
use controller_runtime::{Caches, Change, Context, Error, Key, controller_owner_of};

/// The outcome of claiming.
#[derive(Debug, Default)]
pub struct Claims {
    /// What belongs to the owner, the adopted included.
    pub owned: Vec<Arc<Value>>,
    /// Orphans that match and become owned.
    pub adopt: Vec<Arc<Value>>,
    /// Owned objects that no longer match.
    pub release: Vec<Arc<Value>>,
}

/// What `owner` selects by its `spec.selector`; nothing by one that is empty or cannot be read.
pub(crate) fn selector(owner: &Value) -> LabelSelector {
    let selector = owner.at(&["spec", "selector"]).unwrap_or(&Value::Null);
    let selector = LabelSelector::from_json(selector).unwrap_or_else(|_| LabelSelector::nothing());
    if selector.is_empty() { LabelSelector::nothing() } else { selector }
}

/// The keys of the controllers of `resource` to which a changed object matters, if the change is
/// `news`: its owner now and before, and for an orphan everyone of its namespace that `selects` it.
pub(crate) fn claimants(
    (caches, change): (&Caches, &Change),
    resource: &'static Resource,
    news: impl FnOnce() -> bool,
    selects: impl Fn(&Value, &Value) -> bool,
) -> Vec<Key> {
    if change.is_of_others_than(resource.kind) || !news() {
        return Vec::new();
    }
    let mut keys = controller_owner_of(change, resource.kind);
    let object = change.object();
    if change.new.is_some() && object.controller_ref().is_none() {
        let selecting = caches.may_select(resource, object).into_iter();
        let selecting = selecting.filter(|owner| selects(owner, object));
        keys.extend(selecting.map(|owner| Key::of(&owner)));
    }
    keys
}

/// Whether the object came or went, or its `facts` are others than before.
pub(crate) fn is_news<'a, F: PartialEq>(
    change: &'a Change,
    facts: impl Fn(&'a Value) -> F,
) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return true };
    facts(old) != facts(new)
}

/// What `owner` may have to do with, in key order: what it owns, and the orphans that its selector
/// chooses. What others own is none of its business.
pub(crate) fn candidates(
    cx: &Context<'_>,
    owner: &Value,
    selector: &LabelSelector,
    resource: &'static Resource,
) -> Vec<Arc<Value>> {
    let owned = cx.caches.owned_by(resource, owner.uid());
    let orphans = cx.caches.selected_orphans(resource, owner.namespace(), selector);
    if orphans.is_empty() {
        return owned;
    }
    let by_key: BTreeMap<Key, Arc<Value>> =
        orphans.into_iter().chain(owned).map(|object| (Key::of(&object), object)).collect();
    by_key.into_values().collect()
}

/// Sorts `candidates` by what `owner` with `selector` must do about them.
#[must_use]
pub fn claim(
    owner: &Value,
    selector: &LabelSelector,
    candidates: impl Iterator<Item = Arc<Value>>,
) -> Claims {
    let mut claims = Claims::default();
    let owner_leaves = owner.deletion_timestamp().is_some();
    for object in candidates {
        let matches = || selector.matches_object(&object);
        match object.controller_ref() {
            Some(reference) if reference.str_at(&["uid"]) != owner.uid() => {}
            Some(_) if matches() => claims.owned.push(object),
            Some(_) if owner_leaves => {}
            Some(_) => claims.release.push(object),
            None if owner_leaves || object.deletion_timestamp().is_some() || !matches() => {}
            None => {
                claims.adopt.push(Arc::clone(&object));
                claims.owned.push(object);
            }
        }
    }
    claims
}

/// Writes the adoptions and releases of `claims`. What vanished meanwhile is no failure.
pub(crate) fn carry_out(
    cx: &Context<'_>,
    (owner_resource, owner): (&'static Resource, &Value),
    resource: &'static Resource,
    claims: &Claims,
) -> Result<(), Error> {
    if !claims.adopt.is_empty() {
        still_there(cx, owner_resource, owner)?;
    }
    for object in &claims.adopt {
        ignore_gone(patch(cx, resource, object, &adoption(owner, object)))?;
    }
    for object in &claims.release {
        ignore_gone(patch(cx, resource, object, &release(owner, object)))?;
    }
    Ok(())
}

/// Proves by a live read that the adopter is still the object that was cached and stays.
fn still_there(cx: &Context<'_>, resource: &'static Resource, owner: &Value) -> Result<(), Error> {
    let live = cx.client.get(resource, owner.namespace(), owner.name())?;
    if live.uid() == owner.uid() && live.deletion_timestamp().is_none() {
        return Ok(());
    }
    Err(Error::Terminal(format!("{}/{} is gone or going", owner.namespace(), owner.name())))
}

fn patch(
    cx: &Context<'_>,
    resource: &'static Resource,
    object: &Value,
    body: &Value,
) -> Result<(), Status> {
    let (namespace, name) = (object.namespace(), object.name());
    cx.client.patch(resource, namespace, name, PatchKind::Strategic, body.clone()).map(drop)
}

fn ignore_gone(result: Result<(), Status>) -> Result<(), Error> {
    match result {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(()),
    }
}

/// The patch that makes `owner` the controller of `object`.
fn adoption(owner: &Value, object: &Value) -> Value {
    let reference = apimachinery::object::controller_owner_reference(owner);
    json!({"metadata": {"ownerReferences": [reference], "uid": object.uid()}})
}

/// The patch that removes `owner` from the owners of `object`.
pub(crate) fn release(owner: &Value, object: &Value) -> Value {
    let gone = json!({"$patch": "delete", "uid": owner.uid()});
    json!({"metadata": {"ownerReferences": [gone], "uid": object.uid()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, label: &str, owner: &str, deleted: bool) -> Arc<Value> {
        let mut pod = json!({"metadata": {"name": name, "uid": name, "labels": {"type": label}}});
        if !owner.is_empty() {
            let reference = json!({"uid": owner, "controller": true});
            pod.set(&["metadata", "ownerReferences"], json!([reference]));
        }
        if deleted {
            pod.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
        }
        Arc::new(pod)
    }

    fn names(objects: &[Arc<Value>]) -> String {
        objects.iter().map(|object| object.name()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn candidates_are_kept_adopted_released_or_left() {
        let pods = || {
            [
                pod("kept", "web", "me", false),
                pod("unmatched", "db", "me", false),
                pod("orphan", "web", "", false),
                pod("going", "web", "", true),
                pod("stranger", "db", "", false),
                pod("foreign", "web", "you", false),
            ]
            .into_iter()
        };
        let selector = LabelSelector::parse("type=web").unwrap();
        let mut owner = json!({"metadata": {"name": "me", "uid": "me"}});
        let claims = claim(&owner, &selector, pods());
        assert_eq!(names(&claims.owned), "kept orphan");
        assert_eq!(names(&claims.adopt), "orphan");
        assert_eq!(names(&claims.release), "unmatched");

        owner.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
        let claims = claim(&owner, &selector, pods());
        assert_eq!(names(&claims.owned), "kept");
        assert!(claims.adopt.is_empty() && claims.release.is_empty());
    }
}
