//! Current objects of every watched resource, with the indexes that controllers look things up by.
//!
//! Invariant: lists come in key order; an index never names an object that is not in the cache.
//! Invariant: hash maps are only asked, never listed; whatever is listed stands in an ordered one.

mod labels;
mod objects;
mod owned;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::Resource;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use rustc_hash::FxHashMap;

use self::labels::{Labels, Selectors};
use self::objects::Objects;
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
    caches: Vec<Cache>,
    by_resource: BTreeMap<ResourceId, usize>,
    /// The same for the resources that were added themselves, by where they are described: other
    /// versions of theirs are described elsewhere.
    by_address: FxHashMap<usize, usize>,
    looked_at: AtomicU64,
}

#[derive(Debug, Default)]
struct Cache {
    objects: Objects,
    /// How often something has changed.
    changes: u64,
    by_owner: Owned,
    by_node: Sets,
    /// Of what has controllers that select it: pods, and the replica sets and replication
    /// controllers of rollouts.
    by_label: Option<Labels>,
    /// The same of what has no controller.
    orphans: Labels,
    by_selector: Selectors,
}

/// Keys by what they have in common.
type Sets = FxHashMap<String, BTreeSet<Key>>;

impl Caches {
    fn slot(&self, resource: &Resource) -> Option<usize> {
        let slot = self.by_address.get(&std::ptr::from_ref(resource).addr());
        slot.or_else(|| self.by_resource.get(&id_of(resource))).copied()
    }

    fn of(&self, resource: &Resource) -> Option<&Cache> {
        Some(&self.caches[self.slot(resource)?])
    }

    /// The object under `namespace` (empty for cluster scope) and `name`.
    #[must_use]
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.look();
        self.of(resource)?.objects.named(namespace, name).cloned()
    }

    /// The object under `key`.
    #[must_use]
    pub fn get_key(&self, resource: &Resource, key: &Key) -> Option<Arc<Value>> {
        self.look();
        self.of(resource)?.objects.get(key).cloned()
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
        let cache = self.of(resource).filter(|cache| !cache.objects.is_empty()).into_iter();
        let found = cache.flat_map(move |cache| {
            let objects = cache.objects.from(Key::new(namespace, ""));
            objects.take_while(move |(key, _)| namespace.is_empty() || key.namespace() == namespace)
        });
        found.inspect(|_| self.look()).map(|(key, object)| (key, Arc::clone(object)))
    }

    /// The objects whose `controllerRef` has `owner_uid`, in key order.
    #[must_use]
    pub fn owned_by(&self, resource: &Resource, owner_uid: &str) -> Vec<Arc<Value>> {
        let cache = self.of(resource);
        let owned = cache.into_iter().flat_map(|cache| {
            let keys = cache.by_owner.keys(owner_uid);
            keys.filter_map(|key| cache.objects.get(key).cloned())
        });
        owned.inspect(|_| self.look()).collect()
    }

    /// How many pods the controller with `owner_uid` has, by their labels. The cost does not grow with
    /// their number.
    pub fn pods_of(&self, owner_uid: &str) -> impl Iterator<Item = &Alike> {
        let cache = self.of(&api::PODS).into_iter();
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
        let Some(cache) = self.of(resource) else { return Vec::new() };
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
        let Some(cache) = self.of(resource) else { return Vec::new() };
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
        let Some(cache) = self.of(resource) else { return Vec::new() };
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
        self.slot(resource).is_some()
    }

    fn indexed(
        &self,
        resource: &Resource,
        keys: impl Fn(&Cache) -> Option<&BTreeSet<Key>>,
    ) -> Vec<Arc<Value>> {
        let Some(cache) = self.of(resource) else { return Vec::new() };
        let keys = keys(cache).into_iter().flatten().inspect(|_| self.look());
        keys.filter_map(|key| cache.objects.get(key).cloned()).collect()
    }

    /// Another set of caches that holds of `resources` what this one holds now.
    pub(crate) fn snapshot(&self, resources: &[&'static Resource]) -> Self {
        let mut copy = Self::default();
        for resource in resources {
            copy.add_resource(resource);
            let Some(cache) = self.of(resource) else { continue };
            for object in cache.objects.keys().filter_map(|key| cache.objects.get(key)) {
                copy.upsert(resource, Arc::clone(object));
            }
        }
        copy
    }

    pub(crate) fn add_resource(&mut self, resource: &'static Resource) {
        let slot = self.slot_for(resource);
        self.by_address.insert(std::ptr::from_ref(resource).addr(), slot);
    }

    fn slot_for(&mut self, resource: &Resource) -> usize {
        *self.by_resource.entry(id_of(resource)).or_insert_with(|| {
            let selected = [&api::PODS, &api::REPLICA_SETS, &api::REPLICATION_CONTROLLERS];
            let is_selected = selected.iter().any(|other| id_of(other) == id_of(resource));
            let are_pods = id_of(&api::PODS) == id_of(resource);
            let by_owner = Owned::new(are_pods);
            let by_label = is_selected.then(Labels::default);
            self.caches.push(Cache { by_owner, by_label, ..Cache::default() });
            self.caches.len() - 1
        })
    }

    /// Grows with every change to an object of `resource`.
    pub(crate) fn changes(&self, resource: &Resource) -> u64 {
        self.of(resource).map_or(0, |cache| cache.changes)
    }

    pub(crate) fn keys(&self, resource: &Resource) -> Vec<Key> {
        let cache = self.of(resource);
        cache.map(|cache| cache.objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// Stores `object` under its key and gives the change.
    pub(crate) fn upsert(&mut self, resource: &Resource, object: Arc<Value>) -> Change {
        let slot = self.slot(resource).unwrap_or_else(|| self.slot_for(resource));
        let (key, old) = self.caches[slot].upsert(&object);
        Change::under(key, old, Some(object))
    }

    /// Removes the object under `key`; `None` when it was not there.
    pub(crate) fn remove(&mut self, resource: &Resource, key: &Key) -> Option<Change> {
        let slot = self.slot(resource)?;
        let (key, old) = self.caches[slot].remove(key)?;
        Some(Change::under(key, Some(old), None))
    }
}

impl Cache {
    /// Stores `object`; gives its key and what it replaces.
    fn upsert(&mut self, object: &Arc<Value>) -> (Key, Option<Arc<Value>>) {
        self.changes += 1;
        let Some((key, old)) = self.objects.replace(object) else {
            let key = Key::of(object);
            self.index(&key, object);
            self.objects.add(&key, object);
            return (key, None);
        };
        self.reindex(&key, &old, object);
        (key, Some(old))
    }

    fn remove(&mut self, key: &Key) -> Option<(Key, Arc<Value>)> {
        let (key, old) = self.objects.remove(key)?;
        self.changes += 1;
        self.unindex(&key, &old);
        Some((key, old))
    }

    /// Lets the indexes tell of `new` in the place of `old`; most writes are of a status, which only
    /// the tallies show.
    fn reindex(&mut self, key: &Key, old: &Value, new: &Value) {
        let alike = old.labels() == new.labels()
            && old.owner_references() == new.owner_references()
            && old.at(&["spec", "selector"]) == new.at(&["spec", "selector"]);
        if !alike {
            self.unindex(key, old);
            self.index(key, new);
            return;
        }
        let nodes = (old.str_at(&["spec", "nodeName"]), new.str_at(&["spec", "nodeName"]));
        if nodes.0 != nodes.1 {
            drop_from(&mut self.by_node, nodes.0, key);
            add_to(&mut self.by_node, nodes.1, key);
        }
        if let Some(owner) = new.controller_ref() {
            self.by_owner.renew(owner.str_at(&["uid"]), old, new);
        }
    }

    fn index(&mut self, key: &Key, object: &Value) {
        match object.controller_ref() {
            Some(owner) => self.by_owner.insert(owner.str_at(&["uid"]), key, object),
            None if self.by_label.is_some() => self.orphans.insert(key, object),
            None => {}
        }
        add_to(&mut self.by_node, object.str_at(&["spec", "nodeName"]), key);
        if let Some(labels) = &mut self.by_label {
            labels.insert(key, object);
        }
        self.by_selector.insert(key, object);
    }

    fn unindex(&mut self, key: &Key, object: &Value) {
        match object.controller_ref() {
            Some(owner) => self.by_owner.remove(owner.str_at(&["uid"]), key, object),
            None if self.by_label.is_some() => self.orphans.remove(key, object),
            None => {}
        }
        drop_from(&mut self.by_node, object.str_at(&["spec", "nodeName"]), key);
        if let Some(labels) = &mut self.by_label {
            labels.remove(key, object);
        }
        self.by_selector.remove(key);
    }
}

/// Puts `key` among those of `value`, which is empty for those that belong to nothing.
fn add_to(index: &mut Sets, value: &str, key: &Key) {
    if value.is_empty() {
        return;
    }
    match index.get_mut(value) {
        Some(keys) => keys.insert(key.clone()),
        None => index.entry(value.to_owned()).or_default().insert(key.clone()),
    };
}

fn drop_from(index: &mut Sets, value: &str, key: &Key) {
    if let Some(keys) = index.get_mut(value) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(value);
        }
    }
}
