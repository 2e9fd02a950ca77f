//! What scheduling reads off a pod, read once.
//!
//! Invariant: a [`PodInfo`] is immutable; a changed pod is read anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::views::pod::{self as views, HostPort, Resources};
use api::{REPLICA_SETS, REPLICATION_CONTROLLERS, SERVICES, STATEFUL_SETS};
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Caches;
use serde_json::Map;

/// Labels in a form that can be a key.
pub type Labels = BTreeMap<String, String>;

/// A pod as scheduling sees it.
#[derive(Debug, Clone)]
pub struct PodInfo {
    /// The pod.
    pub pod: Arc<Value>,
    /// What it needs to fit: the sum of its containers, or an init container when that is more.
    pub request: Resources,
    /// What it takes once it runs: the sum of its containers.
    pub usage: Resources,
    /// What it counts for in priorities: CPU in thousandths, memory in bytes.
    pub non_zero: (i64, i64),
    /// The ports of the node it takes.
    pub host_ports: Vec<HostPort>,
}

impl PodInfo {
    /// Reads `pod`.
    #[must_use]
    pub fn new(pod: Arc<Value>) -> Self {
        let mut usage = Resources::default();
        for container in pod.list_at(&["spec", "containers"]) {
            usage.add(&views::container_requests(container));
        }
        Self {
            usage,
            request: views::requests(&pod),
            non_zero: views::non_zero_requests(&pod),
            host_ports: views::host_ports(&pod),
            pod,
        }
    }

    /// The node it is bound to; empty when there is none yet.
    #[must_use]
    pub fn node_name(&self) -> &str {
        views::node_name(&self.pod)
    }

    /// Its labels as a key.
    #[must_use]
    pub fn label_key(&self) -> Labels {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = self.pod.labels().into_iter().flatten();
        labels.map(|(key, value)| (key.clone(), text(value))).collect()
    }
}

/// The selectors of everything that groups a pod with others: services, replication controllers,
/// replica sets and stateful sets of its namespace.
#[derive(Debug, Clone, Default)]
pub struct Selectors(pub Vec<LabelSelector>);

impl Selectors {
    /// The selectors in `caches` that select `pod`.
    #[must_use]
    pub fn of(caches: &Caches, pod: &Value) -> Self {
        let namespace = pod.namespace();
        let maps = [&SERVICES, &REPLICATION_CONTROLLERS].into_iter();
        let maps = maps.flat_map(|resource| caches.iter(resource, namespace));
        let maps = maps.filter_map(|(_, object)| from_map(object.map_at(&["spec", "selector"])));
        let sets = [&REPLICA_SETS, &STATEFUL_SETS].into_iter();
        let sets = sets.flat_map(|resource| caches.iter(resource, namespace));
        let sets = sets.filter_map(|(_, object)| from_json(object.at(&["spec", "selector"])));
        Self(maps.chain(sets).filter(|selector| selector.matches_object(pod)).collect())
    }
}

/// A selector of equalities; an empty one selects nothing.
pub(crate) fn from_map(labels: Option<&Map<String, Value>>) -> Option<LabelSelector> {
    labels.filter(|labels| !labels.is_empty()).map(LabelSelector::from_map)
}

fn from_json(selector: Option<&Value>) -> Option<LabelSelector> {
    LabelSelector::from_json(selector?).ok().filter(|selector| !selector.is_empty())
}
