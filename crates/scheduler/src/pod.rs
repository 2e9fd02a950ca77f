//! What scheduling reads off a pod, read once.
//!
//! Invariant: a [`PodFacts`] is immutable; a changed pod is read anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::Arc;

use api::views::pod::{self as views, HostPort, Resources};
use apimachinery::Map;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

use crate::affinity::PodAffinity;

/// Labels in a form that can be a key.
pub type Labels = BTreeMap<String, String>;

/// What counts of a pod, whatever its status says.
#[derive(Debug)]
pub struct PodFacts {
    /// What it needs to fit: the sum of its containers, or an init container when that is more.
    pub request: Resources,
    /// What it takes once it runs: the sum of its containers.
    pub usage: Resources,
    /// What it may take at most: the sum of its containers, or an init container when that is more.
    pub limits: Resources,
    /// What it counts for in priorities: CPU in thousandths, memory in bytes.
    pub non_zero: (i64, i64),
    /// The ports of the node it takes.
    pub host_ports: Vec<HostPort>,
    /// Whether it asks for nothing and may be the first to go.
    pub best_effort: bool,
    /// Who goes first; higher is earlier.
    pub priority: i64,
    /// Which pods it wants near or far.
    pub affinity: PodAffinity,
    /// Whether a volume of it may tie it to a node.
    pub has_volumes: bool,
    /// Namespace, labels, affinity to pods and whether it is going: what others see of it.
    pub group: Arc<str>,
}

/// A pod as scheduling sees it.
#[derive(Debug, Clone)]
pub struct PodInfo {
    /// The pod.
    pub pod: Arc<Value>,
    facts: Arc<PodFacts>,
}

impl Deref for PodInfo {
    type Target = PodFacts;

    fn deref(&self) -> &PodFacts {
        &self.facts
    }
}

impl PodInfo {
    /// Reads `pod`.
    #[must_use]
    pub fn new(pod: Arc<Value>) -> Self {
        let (mut usage, mut limits) = (Resources::default(), Resources::default());
        for container in pod.list_at(&["spec", "containers"]) {
            usage.add(&views::container_requests(container));
            limits.add(&Resources::read_shared(container.at(&["resources", "limits"])));
        }
        let mut request = usage.clone();
        for container in pod.list_at(&["spec", "initContainers"]) {
            request.raise_to(&views::container_requests(container));
            limits.raise_to(&Resources::read_shared(container.at(&["resources", "limits"])));
        }
        let facts = PodFacts {
            request,
            usage,
            limits,
            non_zero: views::non_zero_requests(&pod),
            host_ports: views::host_ports(&pod),
            best_effort: views::qos_class(&pod) == "BestEffort",
            priority: pod.int_at(&["spec", "priority"]).unwrap_or(0),
            affinity: PodAffinity::of(&pod),
            has_volumes: pod.list_at(&["spec", "volumes"]).iter().any(ties),
            group: group(&pod),
        };
        Self { pod, facts: Arc::new(facts) }
    }

    /// The same pod with a newer status: nothing that counts has changed.
    #[must_use]
    pub fn renewed(&self, pod: Arc<Value>) -> Self {
        Self { pod, facts: Arc::clone(&self.facts) }
    }

    /// The node it is bound to; empty when there is none yet.
    #[must_use]
    pub fn node_name(&self) -> &str {
        views::node_name(&self.pod)
    }
}

/// Whether a volume is of a kind that predicates look at.
fn ties(volume: &Value) -> bool {
    const KINDS: [&str; 7] = [
        "persistentVolumeClaim",
        "gcePersistentDisk",
        "awsElasticBlockStore",
        "azureDisk",
        "iscsi",
        "rbd",
        "csi",
    ];
    KINDS.iter().any(|kind| volume.get(kind).is_some_and(|source| !source.is_null()))
}

/// The text that two pods share when no other pod can tell them apart.
fn group(pod: &Value) -> Arc<str> {
    let mut text = String::with_capacity(128);
    text.push_str(pod.namespace());
    for (key, value) in pod.labels().into_iter().flatten() {
        let _ = write!(text, "\n{key}={}", value.as_str().unwrap_or_default());
    }
    for part in ["podAffinity", "podAntiAffinity"] {
        if let Some(terms) = pod.at(&["spec", "affinity", part]).filter(|part| !part.is_null()) {
            let _ = write!(text, "\n{part} {terms}");
        }
    }
    if pod.deletion_timestamp().is_some() {
        text.push_str("\n-");
    }
    Arc::from(text)
}

/// A selector of equalities; an empty one selects nothing.
pub(crate) fn from_map(labels: Option<&Map>) -> Option<LabelSelector> {
    labels.filter(|labels| !labels.is_empty()).map(LabelSelector::from_map)
}

pub(crate) fn from_json(selector: Option<&Value>) -> Option<LabelSelector> {
    LabelSelector::from_json(selector?).ok().filter(|selector| !selector.is_empty())
}
