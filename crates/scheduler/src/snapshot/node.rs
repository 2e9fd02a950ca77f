//! One node: what it has and what is taken.
//!
//! Invariant: the sums are those of [`NodeInfo::pods`].

use std::collections::BTreeMap;
use std::sync::Arc;

use api::views::pod::HostPort;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Key;
use rustc_hash::FxHashMap;

use crate::pod::PodInfo;
use crate::resources::{self, Resources};

/// The annotation by which a node asks to be avoided by the pods of some controllers.
const AVOID: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";

/// One node: what it has and what is taken.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// Name.
    pub name: Arc<str>,
    /// The Node object; `None` while pods are bound to a node that is not (or no longer) there.
    pub node: Option<Arc<Value>>,
    /// What pods may use.
    pub allocatable: Resources,
    /// What the pods on it have requested.
    pub requested: Resources,
    /// How many pods it takes.
    pub allowed_pods: i64,
    /// What the pods on it count for in priorities: CPU in thousandths, memory in bytes.
    pub non_zero: (i64, i64),
    /// Pods on it, bound or assumed, in no order.
    pub pods: FxHashMap<Key, PodInfo>,
    /// Kind and UID of the controllers whose pods it would rather not have.
    pub avoids: Vec<(String, String)>,
    /// Type and status of the conditions it tells, in its order.
    pub(crate) conditions: Vec<(String, String)>,
    /// Sizes of the images on it, by every name.
    pub images: BTreeMap<String, i64>,
    ports: BTreeMap<HostPort, usize>,
    pub(crate) rank: u32,
}

impl Default for NodeInfo {
    fn default() -> Self {
        Self {
            name: Arc::from(""),
            node: None,
            allocatable: Resources::default(),
            requested: Resources::default(),
            allowed_pods: 0,
            non_zero: (0, 0),
            pods: FxHashMap::default(),
            avoids: Vec::new(),
            conditions: Vec::new(),
            images: BTreeMap::new(),
            ports: BTreeMap::new(),
            rank: u32::MAX,
        }
    }
}

impl NodeInfo {
    /// The Node object's labels.
    #[must_use]
    pub fn labels(&self) -> Option<&apimachinery::Map> {
        self.node.as_ref().and_then(|node| node.labels())
    }

    /// Whether a pod on it has taken a port that `wanted` would collide with.
    #[must_use]
    pub fn is_port_taken(&self, wanted: &HostPort) -> bool {
        self.ports.keys().any(|port| port.conflicts_with(wanted))
    }

    /// The status of a condition; empty when the node does not tell.
    #[must_use]
    pub fn condition(&self, kind: &str) -> &str {
        let mut conditions = self.conditions.iter().filter(|_| self.node.is_some());
        conditions.find(|(told, _)| told == kind).map_or("", |(_, status)| status)
    }

    /// Reads what would be slow to read for every pod.
    pub(super) fn read_traits(&mut self) {
        let Some(node) = &self.node else { return };
        self.avoids = node.annotation(AVOID).map(avoided).unwrap_or_default();
        let conditions = node.list_at(&["status", "conditions"]).iter();
        let read = |condition: &Value, field: &str| condition.str_at(&[field]).to_owned();
        self.conditions = conditions.map(|it| (read(it, "type"), read(it, "status"))).collect();
        let images = node.list_at(&["status", "images"]).iter();
        self.images = images
            .flat_map(|image| {
                let size = image.int_at(&["sizeBytes"]).unwrap_or(0);
                let names = image.list_at(&["names"]).iter().filter_map(Value::as_str);
                names.map(move |name| (name.to_owned(), size))
            })
            .collect();
    }

    /// Adds a pod.
    pub fn add(&mut self, key: &Key, pod: PodInfo) {
        self.requested.add(&pod.usage);
        self.non_zero.0 += pod.non_zero.0;
        self.non_zero.1 += pod.non_zero.1;
        for port in &pod.host_ports {
            *self.ports.entry(port.clone()).or_insert(0) += 1;
        }
        self.pods.insert(key.clone(), pod);
    }

    /// Takes a pod away.
    pub fn remove(&mut self, key: &Key) -> Option<PodInfo> {
        let pod = self.pods.remove(key)?;
        resources::subtract(&mut self.requested, &pod.usage);
        self.non_zero.0 -= pod.non_zero.0;
        self.non_zero.1 -= pod.non_zero.1;
        for port in &pod.host_ports {
            if let Some(count) = self.ports.get_mut(port) {
                *count -= 1;
                if *count == 0 {
                    self.ports.remove(port);
                }
            }
        }
        Some(pod)
    }
}

/// Kind and UID of every controller that an annotation names; one that cannot be read names none.
fn avoided(text: &str) -> Vec<(String, String)> {
    let Ok(list) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let entries = list.list_at(&["preferAvoidPods"]).iter();
    entries
        .map(|entry| {
            let part = |field| entry.str_at(&["podSignature", "podController", field]).to_owned();
            (part("kind"), part("uid"))
        })
        .collect()
}
