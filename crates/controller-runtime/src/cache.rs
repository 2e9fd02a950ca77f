//! Current objects of every watched resource, with the indexes that controllers look things up by.
//!
//! Invariant: lists come in key order; an index never names an object that is not in the cache.

mod labels;
mod owned;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::Resource;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

use self::labels::{Labels, Selectors};
pub use self::owned::Alike;
use self::owned::Owned;
use crate::controller::Change;
use crate::key::Key;

/// Plural and storage group: what identifies a cache. The length comes first because it tells most
/// apart.
type ResourceId = (usize, &'static str, &'static str);

fn id_of(resource: &Resource) -> ResourceId {
    (resource.plural.len(), resource.plural, resource.storage.0)
}

/// The caches of all resources that some controller watches.
#[derive(Debug, Default)]
pub struct Caches {
    by_resource: BTreeMap<ResourceId, Cache>,
    looked_at: AtomicU64,
}

#[derive(Debug, Default)]
struct Cache {
    objects: BTreeMap<Key, Arc<Value>>,
    by_owner: Owned,
    by_node: BTreeMap<String, BTreeSet<Key>>,
    /// Of what has controllers that select it: pods, and the replica sets and replication
    /// controllers of rollouts.
    by_label: Option<Labels>,
    /// The same of what has no controller.
    orphans: Labels,
    by_selector: Selectors,
}

impl Caches {
    /// The object under `namespace` (empty for cluster scope) and `name`.
    #[must_use]
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.get_key(resource, &Key::new(namespace, name))
    }

    /// The object under `key`.
    #[must_use]
    pub fn get_key(&self, resource: &Resource, key: &Key) -> Option<Arc<Value>> {
        self.look();
        self.by_resource.get(&id_of(resource))?.objects.get(key).cloned()
    }

    /// All objects of a namespace, or of the cluster when `namespace` is empty, in key order.
    #[must_use]
    pub fn list(&self, resource: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        self.iter(resource, namespace).map(|(_, object)| object).collect()
    }

    /// Like [`Caches::list`], one after another.
    pub fn iter<'a>(
        &'a self,
        resource: &Resource,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, Arc<Value>)> {
        let start = Bound::Included(Key::new(namespace, ""));
        let cache = self.by_resource.get(&id_of(resource)).into_iter();
        let found = cache.flat_map(move |cache| {
            cache
                .objects
                .range((start.clone(), Bound::Unbounded))
                .take_while(move |(key, _)| namespace.is_empty() || key.namespace() == namespace)
        });
        found.inspect(|_| self.look()).map(|(key, object)| (key, Arc::clone(object)))
    }

    /// The objects whose `controllerRef` has `owner_uid`, in key order.
    #[must_use]
    pub fn owned_by(&self, resource: &Resource, owner_uid: &str) -> Vec<Arc<Value>> {
        let cache = self.by_resource.get(&id_of(resource));
        let owned = cache.into_iter().flat_map(|cache| {
            let keys = cache.by_owner.keys(owner_uid);
            keys.filter_map(|key| cache.objects.get(key).cloned())
        });
        owned.inspect(|_| self.look()).collect()
    }

    /// How many pods the controller with `owner_uid` has, by their labels. The cost does not grow with
    /// their number.
    pub fn pods_of(&self, owner_uid: &str) -> impl Iterator<Item = &Alike> {
        let cache = self.by_resource.get(&id_of(&api::PODS)).into_iter();
        cache.flat_map(move |cache| cache.by_owner.tally(owner_uid))
    }

    /// The pods bound to `node`, in key order.
    #[must_use]
    pub fn by_node(&self, resource: &Resource, node: &str) -> Vec<Arc<Value>> {
        self.indexed(resource, |cache| cache.by_node.get(node))
    }

    /// The pods (or other objects) of a namespace that `selector` chooses, in key order. For pods,
    /// replica sets and replication controllers the cost grows with the number of those that share a
    /// label of the selector, not with the cluster.
    #[must_use]
    pub fn selected(
        &self,
        resource: &Resource,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Vec<Arc<Value>> {
        let Some(cache) = self.by_resource.get(&id_of(resource)) else { return Vec::new() };
        self.chosen(cache, cache.by_label.as_ref(), (resource, namespace), selector)
    }

    /// What of [`Caches::selected`] has no controller.
    #[must_use]
    pub fn selected_orphans(
        &self,
        resource: &Resource,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Vec<Arc<Value>> {
        let Some(cache) = self.by_resource.get(&id_of(resource)) else { return Vec::new() };
        let labels = cache.by_label.as_ref().map(|_| &cache.orphans);
        let mut found = self.chosen(cache, labels, (resource, namespace), selector);
        found.retain(|object| object.controller_ref().is_none());
        found
    }

    fn chosen(
        &self,
        cache: &Cache,
        labels: Option<&Labels>,
        (resource, namespace): (&Resource, &str),
        selector: &LabelSelector,
    ) -> Vec<Arc<Value>> {
        let labels = labels.filter(|_| !namespace.is_empty());
        let found = match labels.and_then(|labels| labels.candidates(namespace, selector)) {
            Some(keys) => {
                let keys = keys.into_iter().flatten();
                keys.inspect(|_| self.look())
                    .filter_map(|key| cache.objects.get(key).cloned())
                    .collect()
            }
            None => self.list(resource, namespace),
        };
        found.into_iter().filter(|object| selector.matches_object(object)).collect()
    }

    /// The pods that use a claim, in key order.
    #[must_use]
    pub fn using_claim(&self, namespace: &str, claim: &str) -> Vec<Arc<Value>> {
        self.indexed(&api::PODS, |cache| cache.by_label.as_ref()?.using_claim(namespace, claim))
    }

    /// The objects of `resource` in the namespace of `object` whose `spec.selector` may choose it, in
    /// key order; the caller looks at the selectors. Cost as of [`Caches::selected`].
    #[must_use]
    pub fn may_select(&self, resource: &Resource, object: &Value) -> Vec<Arc<Value>> {
        let Some(cache) = self.by_resource.get(&id_of(resource)) else { return Vec::new() };
        let keys = cache.by_selector.candidates(object);
        let keys = keys.iter().inspect(|_| self.look());
        keys.filter_map(|key| cache.objects.get(key).cloned()).collect()
    }

    /// How many objects were handed out since the start: what the work of all controllers grows with.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.looked_at.load(Ordering::Relaxed)
    }

    fn look(&self) {
        self.looked_at.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether some controller watches `resource`.
    #[must_use]
    pub fn has(&self, resource: &Resource) -> bool {
        self.by_resource.contains_key(&id_of(resource))
    }

    fn indexed(
        &self,
        resource: &Resource,
        keys: impl Fn(&Cache) -> Option<&BTreeSet<Key>>,
    ) -> Vec<Arc<Value>> {
        let Some(cache) = self.by_resource.get(&id_of(resource)) else { return Vec::new() };
        let keys = keys(cache).into_iter().flatten().inspect(|_| self.look());
        keys.filter_map(|key| cache.objects.get(key).cloned()).collect()
    }

    /// Another set of caches that holds of `resources` what this one holds now.
    pub(crate) fn snapshot(&self, resources: &[&'static Resource]) -> Self {
        let mut copy = Self::default();
        for resource in resources {
            copy.add_resource(resource);
            let Some(cache) = self.by_resource.get(&id_of(resource)) else { continue };
            for object in cache.objects.values() {
                copy.upsert(resource, Arc::clone(object));
            }
        }
        copy
    }

    pub(crate) fn add_resource(&mut self, resource: &Resource) {
        self.cache(resource);
    }

    fn cache(&mut self, resource: &Resource) -> &mut Cache {
        self.by_resource.entry(id_of(resource)).or_insert_with(|| {
            let selected = [&api::PODS, &api::REPLICA_SETS, &api::REPLICATION_CONTROLLERS];
            let is_selected = selected.iter().any(|other| id_of(other) == id_of(resource));
            let are_pods = id_of(&api::PODS) == id_of(resource);
            let by_owner = Owned::new(are_pods);
            let by_label = is_selected.then(Labels::default);
            Cache { by_owner, by_label, ..Cache::default() }
        })
    }

    pub(crate) fn keys(&self, resource: &Resource) -> Vec<Key> {
        let cache = self.by_resource.get(&id_of(resource));
        cache.map(|cache| cache.objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// Stores `object` under its key and gives the change.
    pub(crate) fn upsert(&mut self, resource: &Resource, object: Arc<Value>) -> Change {
        let cache = self.cache(resource);
        let key = Key::of(&object);
        let old = cache.objects.insert(key.clone(), Arc::clone(&object));
        if old.as_ref().is_some_and(|old| indexed_alike(old, &object)) {
            cache.recount(&key, &object);
        } else {
            if let Some(old) = &old {
                cache.unindex(&key, old);
            }
            cache.index(&key, &object);
        }
        Change { old, new: Some(object) }
    }

    /// Removes the object under `key`; `None` when it was not there.
    pub(crate) fn remove(&mut self, resource: &Resource, key: &Key) -> Option<Change> {
        let cache = self.by_resource.get_mut(&id_of(resource))?;
        let old = cache.objects.remove(key)?;
        cache.unindex(key, &old);
        Some(Change { old: Some(old), new: None })
    }
}

impl Cache {
    /// Counts an object as it is now; what every other index says of it is the same as before.
    fn recount(&mut self, key: &Key, object: &Value) {
        let Some(owner) = object.controller_ref() else { return };
        self.by_owner.renew(owner.str_at(&["uid"]), key, object);
    }

    fn index(&mut self, key: &Key, object: &Value) {
        match object.controller_ref() {
            Some(owner) => self.by_owner.insert(owner.str_at(&["uid"]), key, object),
            None if self.by_label.is_some() => self.orphans.insert(key, object),
            None => {}
        }
        let node = object.str_at(&["spec", "nodeName"]);
        if !node.is_empty() {
            self.by_node.entry(node.to_owned()).or_default().insert(key.clone());
        }
        if let Some(labels) = &mut self.by_label {
            labels.insert(key, object);
        }
        self.by_selector.insert(key, object);
    }

    fn unindex(&mut self, key: &Key, object: &Value) {
        match object.controller_ref() {
            Some(owner) => self.by_owner.remove(owner.str_at(&["uid"]), key),
            None if self.by_label.is_some() => self.orphans.remove(key, object),
            None => {}
        }
        let node = object.str_at(&["spec", "nodeName"]);
        if !node.is_empty() {
            drop_from(&mut self.by_node, node, key);
        }
        if let Some(labels) = &mut self.by_label {
            labels.remove(key, object);
        }
        self.by_selector.remove(key);
    }
}

/// Whether every index finds both in the same places; most writes are of a status.
fn indexed_alike(old: &Value, new: &Value) -> bool {
    old.labels() == new.labels()
        && old.owner_references() == new.owner_references()
        && old.at(&["spec", "nodeName"]) == new.at(&["spec", "nodeName"])
        && old.at(&["spec", "selector"]) == new.at(&["spec", "selector"])
}

fn drop_from(index: &mut BTreeMap<String, BTreeSet<Key>>, value: &str, key: &Key) {
    if let Some(keys) = index.get_mut(value) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(value);
        }
    }
}
