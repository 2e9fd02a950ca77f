//! The facts that decisions are made from: nodes, what runs there, who owns whom, volumes and
//! disruption budgets. Kept current change by change, or built at once from the store's objects.
//!
//! Invariant: the sums of a [`NodeInfo`] and the counts of [`Groups`] are those of its pods, whatever
//! the order of changes; a pod is on at most one node.
//! Invariant: two snapshots made from the same objects decide alike, however they came about.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/cache`.

mod changes;
mod groups;
mod node;
mod owners;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::views::node as views;
use api::views::pod::{is_terminal, node_name};
use api::{
    NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, POD_DISRUPTION_BUDGETS, PODS,
    REPLICA_SETS, REPLICATION_CONTROLLERS, Resource, SERVICES, STATEFUL_SETS, STORAGE_CLASSES,
};
use apimachinery::{Map, ObjectExt as _, Text, Value};
use controller_runtime::Key;
use rustc_hash::FxHashMap;

use crate::pod::PodInfo;
pub(crate) use crate::snapshot::changes::{Changes, PodChange};
pub use crate::snapshot::groups::{Group, Groups};
pub use crate::snapshot::node::NodeInfo;
pub use crate::snapshot::owners::Owners;
pub use crate::snapshot::volumes::Volumes;

/// The resources that facts are read from.
pub static RESOURCES: [&Resource; 10] = [
    &NODES,
    &PODS,
    &SERVICES,
    &REPLICATION_CONTROLLERS,
    &REPLICA_SETS,
    &STATEFUL_SETS,
    &PERSISTENT_VOLUME_CLAIMS,
    &PERSISTENT_VOLUMES,
    &STORAGE_CLASSES,
    &POD_DISRUPTION_BUDGETS,
];

/// What a change may mean for pods that fitted nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// Nothing.
    Nothing,
    /// Pods that want to be near others may fit now.
    Neighbours,
    /// Any pod may fit now.
    Room,
}

#[derive(Debug)]
struct Place {
    node: Arc<str>,
    group: u32,
}

/// Everything that decisions are made from.
#[derive(Debug, Default)]
pub struct Snapshot {
    nodes: BTreeMap<Arc<str>, NodeInfo>,
    /// Only asked, never listed.
    placed: FxHashMap<Key, Place>,
    /// The same pods, to be listed.
    placed_order: BTreeSet<Key>,
    present: usize,
    /// What other pods can see of the pods that are there.
    pub groups: Groups,
    /// The selectors of services and controllers.
    pub owners: Owners,
    /// Claims, volumes and classes.
    pub volumes: Volumes,
    /// Disruption budgets.
    pub budgets: BTreeMap<Key, Arc<Value>>,
    /// Pods that wait for room that was made for them, and where.
    pub nominated: BTreeMap<Key, (String, PodInfo)>,
    priorities: BTreeMap<i64, usize>,
    /// How many nodes would rather not have the pods of some controller.
    pub(crate) avoided: usize,
    pub(crate) changes: Changes,
}

impl Snapshot {
    /// The facts that `objects` of [`RESOURCES`] amount to.
    pub fn of(objects: impl IntoIterator<Item = (&'static Resource, Arc<Value>)>) -> Self {
        let mut snapshot = Self::default();
        for (resource, object) in objects {
            snapshot.set(resource, &Key::of(&object), Some(&object));
        }
        snapshot
    }

    /// Takes in an object as it is now; `None` when it is gone.
    pub fn set(&mut self, resource: &Resource, key: &Key, object: Option<&Arc<Value>>) -> News {
        if resource.plural == "pods" {
            return self.set_pod(key, object);
        }
        match resource.plural {
            "nodes" => match object {
                Some(node) => self.set_node(node),
                None => self.remove_node(key.name()),
            },
            "services" | "replicationcontrollers" | "replicasets" | "statefulsets" => {
                let changed = self.owners.set(resource.plural, key, object.map(|o| &**o));
                if changed && resource.plural == "services" { News::Room } else { News::Nothing }
            }
            "poddisruptionbudgets" => {
                match object {
                    Some(budget) => self.budgets.insert(key.clone(), Arc::clone(budget)),
                    None => self.budgets.remove(key),
                };
                News::Nothing
            }
            _ => {
                if self.volumes.set(resource.plural, key, object) {
                    News::Room
                } else {
                    News::Nothing
                }
            }
        }
    }

    /// The nodes that are there, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values().filter(|info| info.node.is_some())
    }

    /// How many nodes are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.present
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// One node.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name).filter(|info| info.node.is_some())
    }

    /// The priority of the least important pod that is somewhere.
    #[must_use]
    pub fn least_priority(&self) -> Option<i64> {
        self.priorities.first_key_value().map(|(priority, _)| *priority)
    }

    /// Where the pod under `key` is, if it is anywhere.
    #[must_use]
    pub fn place_of(&self, key: &Key) -> Option<&str> {
        self.placed.get(key).map(|place| &*place.node)
    }

    /// The pods of a namespace that are somewhere: name, group and node, by name.
    pub(crate) fn placed_in<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, u32, &'a str)> {
        let range = self.placed_order.range(Key::new(namespace, "")..);
        range.take_while(move |key| key.namespace() == namespace).filter_map(|key| {
            let place = self.placed.get(key)?;
            Some((key, place.group, &*place.node))
        })
    }

    /// Records a node as it is now.
    pub fn set_node(&mut self, node: &Arc<Value>) -> News {
        let name: Arc<str> = Arc::from(node.name());
        let info = self.nodes.entry(Arc::clone(&name)).or_default();
        let known = info.node.replace(Arc::clone(node));
        match &known {
            Some(known) if Arc::ptr_eq(known, node) || same_node(known, node) => {
                return News::Nothing;
            }
            Some(known) if known.labels() == node.labels() => self.changes.node(info.rank),
            _ => self.changes.renumber(),
        }
        info.name = name;
        info.allocatable = views::allocatable(node);
        info.allowed_pods = views::allocatable_pods(node);
        self.avoided -= usize::from(!info.avoids.is_empty());
        info.read_traits();
        self.avoided += usize::from(!info.avoids.is_empty());
        self.present += usize::from(known.is_none());
        News::Room
    }

    /// Records that a node is gone. Its pods are remembered until they are gone themselves.
    pub fn remove_node(&mut self, name: &str) -> News {
        let Some(info) = self.nodes.get_mut(name) else { return News::Nothing };
        if info.node.take().is_some() {
            self.present -= 1;
            self.avoided -= usize::from(!info.avoids.is_empty());
            info.avoids.clear();
            self.changes.renumber();
        }
        if info.pods.is_empty() {
            self.nodes.remove(name);
        }
        News::Nothing
    }

    fn set_pod(&mut self, key: &Key, pod: Option<&Arc<Value>>) -> News {
        let Some(pod) = pod.filter(|pod| !is_terminal(pod)) else {
            self.nominated.remove(key);
            return if self.displace(key) { News::Room } else { News::Nothing };
        };
        let node = node_name(pod);
        if node.is_empty() {
            self.set_nominated(key, pod);
            return if self.displace(key) { News::Room } else { News::Nothing };
        }
        self.nominated.remove(key);
        let known = self.placed.get(key).filter(|place| &*place.node == node);
        let known = known.and_then(|place| self.nodes.get_mut(&place.node));
        if let Some(known) = known.and_then(|info| info.pods.get_mut(key))
            && same_pod(&known.pod, pod)
        {
            *known = known.renewed(pod.clone());
            return News::Nothing;
        }
        self.place(key, &PodInfo::new(pod.clone()), node);
        News::Neighbours
    }

    fn set_nominated(&mut self, key: &Key, pod: &Arc<Value>) {
        let node = pod.str_at(&["status", "nominatedNodeName"]);
        if node.is_empty() || pod.deletion_timestamp().is_some() {
            self.nominated.remove(key);
        } else {
            let entry = (node.to_owned(), PodInfo::new(pod.clone()));
            self.nominated.insert(key.clone(), entry);
        }
    }

    /// Records a pod on `node`, bound or assumed to be.
    pub fn place(&mut self, key: &Key, pod: &PodInfo, node: &str) {
        self.displace(key);
        let name = match self.nodes.get_key_value(node) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(node),
        };
        let info = self.nodes.entry(Arc::clone(&name)).or_default();
        *self.priorities.entry(pod.priority).or_insert(0) += 1;
        info.add(key, pod.clone());
        let group = self.groups.add(pod, &name);
        self.changes.pod(PodChange { group, rank: info.rank, added: true });
        self.placed.insert(key.clone(), Place { node: name, group });
        self.placed_order.insert(key.clone());
    }

    /// Records that a pod takes nothing any more. Gives whether it had.
    pub fn displace(&mut self, key: &Key) -> bool {
        let Some(Place { node, group }) = self.placed.remove(key) else { return false };
        self.placed_order.remove(key);
        let Some(info) = self.nodes.get_mut(&node) else { return false };
        if let Some(pod) = info.remove(key)
            && let Some(count) = self.priorities.get_mut(&pod.priority)
        {
            *count -= 1;
            if *count == 0 {
                self.priorities.remove(&pod.priority);
            }
        }
        self.groups.remove(group, &node);
        self.changes.pod(PodChange { group, rank: info.rank, added: false });
        if info.pods.is_empty() && info.node.is_none() {
            self.nodes.remove(&node);
        }
        true
    }

    /// The ranks of the nodes that are there, brought up to date: the place of each by name.
    pub(crate) fn ranked(&mut self) -> u64 {
        if self.changes.is_stale() {
            let mut names = Vec::with_capacity(self.present);
            for info in self.nodes.values_mut() {
                info.rank = u32::MAX;
                if info.node.is_some() {
                    info.rank = u32::try_from(names.len()).unwrap_or(u32::MAX);
                    names.push(Arc::clone(&info.name));
                }
            }
            self.changes.numbered(names);
        }
        self.changes.epoch()
    }
}

/// Whether nothing but heartbeats lies between two forms of a node.
pub(crate) fn same_node(old: &Value, new: &Value) -> bool {
    let same = |path: &[&str]| old.at(path) == new.at(path);
    old.uid() == new.uid()
        && old.labels() == new.labels()
        && same(&["metadata", "annotations"])
        && same(&["status", "allocatable"])
        && same(&["status", "images"])
        && conditions(old).eq(conditions(new))
        && same(&["spec"])
}

fn conditions(node: &Value) -> impl Iterator<Item = (&str, &str)> {
    let conditions = node.list_at(&["status", "conditions"]).iter();
    conditions.map(|condition| (condition.str_at(&["type"]), condition.str_at(&["status"])))
}

/// Whether a pod looks the same to scheduling before and after, wherever it is.
pub(crate) fn same_pod(old: &Value, new: &Value) -> bool {
    let going = |pod: &Value| pod.deletion_timestamp().is_some();
    let (old_spec, new_spec) = (pod_spec(old), pod_spec(new));
    let is_one = old_spec.zip(new_spec).is_some_and(|(old, new)| old.is_same(new));
    fn placeless(spec: Option<&Map>) -> impl Iterator<Item = (&Text, &Value)> {
        spec.into_iter().flatten().filter(|(field, _)| *field != "nodeName")
    }
    old.uid() == new.uid()
        && old.labels() == new.labels()
        && going(old) == going(new)
        && is_terminal(old) == is_terminal(new)
        && (is_one || placeless(old_spec).eq(placeless(new_spec)))
}

fn pod_spec(pod: &Value) -> Option<&Map> {
    pod.map_at(&["spec"])
}

#[cfg(test)]
mod tests;
