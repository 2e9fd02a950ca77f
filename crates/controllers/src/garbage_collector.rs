//! The garbage collector: removes what lost its owners, and carries out `orphan` and
//! `foregroundDeletion`.
//!
//! A key names either an object (`<plural>.<group>/<name>` in its namespace) that has owners or is
//! being deleted under one of the two finalizers, or (`uid:<uid>`) an owner that is gone. `plan`
//! decides about one object from itself, the state of its owners and its dependents.
//!
//! Invariant: the work for one change is bounded by the owners and dependents of the changed object.
//! Invariant: an owner is gone only when the cache of its kind, current at every reconcile, has no
//! object of that name and uid.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/garbagecollector`.

mod graph;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use api::{Resource, Verb};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{DeleteOptions, PatchKind};
use controller_runtime::{
    Caches, Change, Context, Controller, CustomResources, Error, Key, Requeue, Watching,
    custom_named, custom_of_kind,
};

use crate::garbage_collector::graph::Graph;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";
const GONE: &str = "uid:";

/// Every stored resource that can be deleted, but for events, which own nothing and have no owners.
static COLLECTED: LazyLock<Vec<&'static Resource>> = LazyLock::new(|| {
    let verbs = [Verb::List, Verb::Delete, Verb::Watch, Verb::Patch];
    let views = ["events", "projects"];
    let collected = |resource: &&&'static Resource| {
        verbs.iter().all(|verb| resource.supports(*verb))
            && !views.contains(&resource.plural)
            && resource.storage == (resource.group, resource.version)
    };
    api::resources().iter().filter(collected).copied().collect()
});

/// Removes objects whose owners are gone.
#[derive(Debug, Default)]
pub struct GarbageCollector {
    graph: Graph,
    custom: CustomResources,
    /// Keys to look at that no change of their own has brought up.
    pending: BTreeSet<Key>,
}

/// The state of one owner of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// There, or of a kind about which nothing can be said.
    Solid,
    /// Gone.
    Dangling,
    /// Being deleted, waiting for its dependents to go first.
    Waiting,
}

/// What a decision is made from.
#[derive(Debug)]
struct Observed<'a> {
    object: &'a Value,
    /// State of each entry of `ownerReferences`.
    owners: Vec<Owner>,
    dependents: &'a [Arc<Value>],
}

/// What to do about an object or its dependents.
#[derive(Debug, PartialEq)]
enum Action {
    /// Delete the object with this propagation policy.
    Delete(&'static str),
    /// Remove the owners with these uids from the object.
    Disown(Vec<String>),
    /// Let no owner of the object wait for it any longer.
    Unblock,
    /// Remove the object from the owners of the dependent at this index.
    Orphan(usize),
    /// Take a finalizer off the object.
    Unfinalize(&'static str),
    /// Look at the dependents: they must go before the object can.
    LookAtDependents,
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    object.list_at(&["metadata", "finalizers"]).iter().any(|entry| entry == finalizer)
}

fn is_foreground(object: &Value) -> bool {
    object.deletion_timestamp().is_some() && has_finalizer(object, FOREGROUND)
}

/// The policy that finalizers already on the object ask for.
fn policy(object: &Value) -> &'static str {
    if has_finalizer(object, ORPHAN) {
        "Orphan"
    } else if has_finalizer(object, FOREGROUND) {
        "Foreground"
    } else {
        "Background"
    }
}

/// Decides about one object.
fn plan(observed: &Observed<'_>) -> Vec<Action> {
    let object = observed.object;
    if object.deletion_timestamp().is_some() {
        return finish_deletion(object, observed.dependents);
    }
    let of_state = |states: &[Owner]| -> Vec<String> {
        let owners = object.owner_references().iter().zip(&observed.owners);
        let chosen = owners.filter(|(_, state)| states.contains(state));
        chosen.map(|(owner, _)| owner.str_at(&["uid"]).to_owned()).collect()
    };
    if observed.owners.is_empty() {
        return Vec::new();
    }
    if observed.owners.contains(&Owner::Solid) {
        let lost = of_state(&[Owner::Dangling, Owner::Waiting]);
        return if lost.is_empty() { Vec::new() } else { vec![Action::Disown(lost)] };
    }
    if observed.owners.contains(&Owner::Waiting) && !observed.dependents.is_empty() {
        // Two that wait for each other would wait for ever.
        let circle = observed.dependents.iter().any(|dependent| is_foreground(dependent));
        let unblock = circle.then_some(Action::Unblock);
        return unblock.into_iter().chain([Action::Delete("Foreground")]).collect();
    }
    vec![Action::Delete(policy(object))]
}

/// What holds up an object that is being deleted.
fn finish_deletion(object: &Value, dependents: &[Arc<Value>]) -> Vec<Action> {
    if has_finalizer(object, ORPHAN) {
        let orphans = (0..dependents.len()).map(Action::Orphan);
        return orphans.chain([Action::Unfinalize(ORPHAN)]).collect();
    }
    if !has_finalizer(object, FOREGROUND) {
        return Vec::new();
    }
    let blocks = |dependent: &Arc<Value>| {
        let mut owners = dependent.owner_references().iter();
        owners.any(|owner| {
            owner.str_at(&["uid"]) == object.uid() && owner.bool_at(&["blockOwnerDeletion"])
        })
    };
    if dependents.iter().any(blocks) {
        vec![Action::LookAtDependents]
    } else {
        vec![Action::Unfinalize(FOREGROUND)]
    }
}

impl Controller for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn watches(&self) -> Vec<Watching> {
        COLLECTED.iter().map(|resource| Watching::new(resource, keys_of)).collect()
    }

    fn new_watches(&mut self, caches: &Caches) -> Vec<Watching> {
        let new = self.custom.news(caches).into_iter();
        new.map(|resource| Watching::new(resource, keys_of)).collect()
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if let Some(uid) = key.name().strip_prefix(GONE) {
            self.pending.extend(self.graph.dependents(uid));
            return Ok(Requeue::Done);
        }
        let Some((resource, name)) = resource_of(cx.caches, key) else { return Ok(Requeue::Done) };
        let object = cx.caches.get(resource, key.namespace(), name);
        let touched = self.graph.set(key, owners_of(cx.caches, object.as_deref()));
        let waiting = |owner: &Key| lookup(cx.caches, owner).is_some_and(|o| is_foreground(&o));
        self.pending.extend(touched.into_iter().filter(waiting));
        let Some(object) = object else { return Ok(Requeue::Done) };
        let (keys, dependents) = self.dependents(cx.caches, &object);
        let owners = object.owner_references().iter();
        let owners =
            owners.map(|owner| owner_state(cx, &object, owner)).collect::<Result<_, _>>()?;
        let observed = Observed { object: &object, owners, dependents: &dependents };
        for action in plan(&observed) {
            if action == Action::LookAtDependents {
                self.pending.extend(keys.iter().cloned());
            } else {
                act(cx, (resource, &object), &dependents, action)?;
            }
        }
        Ok(Requeue::Done)
    }

    fn poll(&mut self, _cx: &mut Context<'_>) -> Option<Vec<Key>> {
        Some(std::mem::take(&mut self.pending).into_iter().collect())
    }
}

impl GarbageCollector {
    /// What depends on `object`: what the graph knows, and for an object that is being deleted also
    /// what the caches know and no reconcile has brought into the graph yet.
    fn dependents(&self, caches: &Caches, object: &Value) -> (Vec<Key>, Vec<Arc<Value>>) {
        let mut keys: BTreeSet<Key> = self.graph.dependents(object.uid()).collect();
        if object.deletion_timestamp().is_some() {
            let all = COLLECTED.iter().chain(self.custom.all());
            let owned = all.flat_map(|resource| caches.owned_by(resource, object.uid()));
            keys.extend(owned.filter_map(|dependent| object_key(caches, &dependent)));
        }
        let refers = |dependent: &Value| {
            let mut owners = dependent.owner_references().iter();
            owners.any(|owner| owner.str_at(&["uid"]) == object.uid())
        };
        let found = keys.into_iter().filter_map(|key| Some((lookup(caches, &key)?, key)));
        let found = found.filter(|(dependent, _)| refers(dependent));
        let (objects, keys) = found.unzip();
        (keys, objects)
    }
}

/// The keys that a change gives rise to; none for the many changes that ownership does not show in.
fn keys_of(caches: &Caches, change: &Change) -> Vec<Key> {
    let mut keys = Vec::new();
    if change.is_of_status() {
        return keys;
    }
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    if let Some(old) = old
        && new.is_none_or(|new| new.uid() != old.uid())
    {
        keys.push(Key::new("", &format!("{GONE}{}", old.uid())));
    }
    let concerns = |object: &Value| {
        !object.owner_references().is_empty() || object.deletion_timestamp().is_some()
    };
    if [old, new].into_iter().flatten().any(concerns) && old.map(facts) != new.map(facts) {
        keys.extend(object_key(caches, change.object()));
    }
    keys
}

/// Everything about an object that ownership depends on.
fn facts(object: &Value) -> impl PartialEq + use<'_> {
    let finalizers = object.list_at(&["metadata", "finalizers"]);
    let is_going = object.deletion_timestamp().is_some();
    (object.uid(), object.owner_references(), finalizers, is_going)
}

/// The resource that a kind is stored as.
fn stored_resource(caches: &Caches, api_version: &str, kind: &str) -> Option<&'static Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let built_in = api::find_kind(group, version, kind).map(api::storage_of);
    built_in.or_else(|| custom_of_kind(caches, group, kind))
}

fn key_for(resource: &Resource, namespace: &str, name: &str) -> Key {
    Key::new(namespace, &format!("{}.{}/{name}", resource.plural, resource.storage.0))
}

fn object_key(caches: &Caches, object: &Value) -> Option<Key> {
    let resource = stored_resource(caches, object.api_version(), object.kind())?;
    Some(key_for(resource, object.namespace(), object.name()))
}

fn resource_of<'a>(caches: &Caches, key: &'a Key) -> Option<(&'static Resource, &'a str)> {
    let (resource, name) = key.name().split_once('/')?;
    let (plural, group) = resource.split_once('.')?;
    let matches = |r: &&&'static Resource| r.plural == plural && r.storage.0 == group;
    let built_in = COLLECTED.iter().find(matches).copied();
    Some((built_in.or_else(|| custom_named(caches, group, plural))?, name))
}

fn lookup(caches: &Caches, key: &Key) -> Option<Arc<Value>> {
    let (resource, name) = resource_of(caches, key)?;
    caches.get(resource, key.namespace(), name)
}

/// The owners of an object, by uid, each with its key.
fn owners_of(caches: &Caches, object: Option<&Value>) -> Vec<(String, Option<Key>)> {
    let Some(object) = object else { return Vec::new() };
    let owner = |owner: &Value| {
        let key = stored_resource(caches, owner.api_version(), owner.kind()).map(|resource| {
            let namespace = if resource.namespaced() { object.namespace() } else { "" };
            key_for(resource, namespace, owner.str_at(&["name"]))
        });
        (owner.str_at(&["uid"]).to_owned(), key)
    };
    object.owner_references().iter().map(owner).collect()
}

fn owner_state(cx: &Context<'_>, object: &Value, owner: &Value) -> Result<Owner, Error> {
    let Some(resource) = stored_resource(cx.caches, owner.api_version(), owner.kind()) else {
        return Ok(Owner::Solid);
    };
    if resource.namespaced() && object.namespace().is_empty() {
        return Ok(Owner::Solid);
    }
    let namespace = if resource.namespaced() { object.namespace() } else { "" };
    let name = owner.str_at(&["name"]);
    let found = if cx.caches.has(resource) {
        cx.caches.get(resource, namespace, name)
    } else {
        cx.client.find(resource, namespace, name)?
    };
    Ok(match found {
        Some(found) if found.uid() != owner.str_at(&["uid"]) => Owner::Dangling,
        Some(found) if is_foreground(&found) => Owner::Waiting,
        Some(_) => Owner::Solid,
        None => Owner::Dangling,
    })
}

fn act(
    cx: &Context<'_>,
    (resource, object): (&'static Resource, &Value),
    dependents: &[Arc<Value>],
    action: Action,
) -> Result<(), Error> {
    let patch = |resource: &'static Resource, object: &Value, kind: PatchKind, body: Value| {
        cx.client.patch(resource, object.namespace(), object.name(), kind, body).map(drop)
    };
    let result = match action {
        Action::Delete(policy) => {
            let options = DeleteOptions {
                propagation_policy: Some(policy.to_owned()),
                uid: Some(object.uid().to_owned()),
                resource_version: Some(object.resource_version().to_owned()),
                ..DeleteOptions::default()
            };
            cx.client.delete(resource, object.namespace(), object.name(), options).map(drop)
        }
        Action::Disown(uids) => {
            let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
            let (kind, body) = disown(resource, object, &uids);
            patch(resource, object, kind, body)
        }
        Action::Unblock => patch(resource, object, PatchKind::Merge, unblock(object)),
        Action::Orphan(index) => {
            let dependent = &dependents[index];
            let of = stored_resource(cx.caches, dependent.api_version(), dependent.kind());
            of.map_or(Ok(()), |of| {
                let (kind, body) = disown(of, dependent, &[object.uid()]);
                patch(of, dependent, kind, body)
            })
        }
        Action::Unfinalize(finalizer) => {
            patch(resource, object, PatchKind::Merge, unfinalize(object, finalizer))
        }
        Action::LookAtDependents => Ok(()),
    };
    match result {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(()),
    }
}

/// A patch without these owners. Custom resources know no strategic ones.
fn disown(resource: &Resource, object: &Value, uids: &[&str]) -> (PatchKind, Value) {
    if api::find(resource.group, resource.version, resource.plural).is_some() {
        let gone: Vec<Value> =
            uids.iter().map(|uid| json!({"$patch": "delete", "uid": uid})).collect();
        let patch = json!({"metadata": {"ownerReferences": gone, "uid": object.uid()}});
        return (PatchKind::Strategic, patch);
    }
    let owners = object.owner_references().iter();
    let left: Vec<&Value> =
        owners.filter(|owner| !uids.contains(&owner.str_at(&["uid"]))).collect();
    let version = object.resource_version();
    let patch = json!({"metadata": {"ownerReferences": left, "resourceVersion": version}});
    (PatchKind::Merge, patch)
}

fn unblock(object: &Value) -> Value {
    let mut owners = object.owner_references().to_vec();
    for owner in &mut owners {
        owner.set(&["blockOwnerDeletion"], json!(false));
    }
    let version = object.resource_version();
    json!({"metadata": {"ownerReferences": owners, "resourceVersion": version}})
}

fn unfinalize(object: &Value, finalizer: &str) -> Value {
    let finalizers = object.list_at(&["metadata", "finalizers"]).iter();
    let others: Vec<&Value> = finalizers.filter(|entry| *entry != finalizer).collect();
    json!({"metadata": {"finalizers": others, "resourceVersion": object.resource_version()}})
}

#[cfg(test)]
mod tests;
