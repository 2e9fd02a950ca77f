//! `CheckServiceAffinity` (argument `serviceAffinity`): the pods of a service share the values of some
//! node labels.
//!
//! Where upstream takes the first pod that it happens to find, this takes the first by name.

use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;

use crate::affinity::value_of;
use crate::pod::PodInfo;
use crate::predicates::{Answer, Predicate, Reason, Request, Scope, unless};
use crate::snapshot::{Group, NodeInfo, Snapshot};

const REASON: Reason = Reason::fixed("node(s) didn't match service affinity");

/// The pods of a service share the values of some node labels.
#[derive(Debug)]
pub struct CheckServiceAffinity {
    /// The name that the policy gives it.
    pub name: String,
    /// The labels.
    pub labels: Vec<String>,
}

impl Predicate for CheckServiceAffinity {
    fn name(&self) -> &str {
        &self.name
    }

    fn rule(&self) -> &'static str {
        "CheckServiceAffinity"
    }

    fn scope(&self) -> Scope {
        Scope::Siblings
    }

    fn sibling_labels(&self) -> &[String] {
        &self.labels
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let wanted = wanted(&self.labels, request.snapshot, request.pod);
        let labels = node.labels();
        unless(wanted.iter().all(|(key, value)| value_of(labels, key) == Some(*value)), &REASON)
    }
}

/// The values that a node must have: those that the pod selects itself, else those of the node where
/// the first pod like it runs, if a service selects it.
pub(crate) fn wanted<'a>(
    labels: &'a [String],
    snapshot: &'a Snapshot,
    pod: &'a PodInfo,
) -> BTreeMap<&'a str, &'a str> {
    let selector = pod.pod.map_at(&["spec", "nodeSelector"]);
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for label in labels {
        if let Some(value) = value_of(selector, label) {
            wanted.insert(label, value);
        }
    }
    if wanted.len() == labels.len() {
        return wanted;
    }
    if let Some(node) = sibling(snapshot, pod) {
        for label in labels {
            if let Some(value) = value_of(node.labels(), label) {
                wanted.entry(label).or_insert(value);
            }
        }
    }
    wanted
}

/// The node of the first pod that has all labels of `pod`, if a service selects it.
fn sibling<'a>(snapshot: &'a Snapshot, pod: &PodInfo) -> Option<&'a NodeInfo> {
    let (namespace, labels) = (pod.pod.namespace(), pod.pod.labels());
    snapshot.owners.services(namespace, labels).next()?;
    let is_like = |group: &Group| {
        let theirs = group.labels();
        labels
            .into_iter()
            .flatten()
            .all(|(key, value)| theirs.and_then(|l| l.get(key)) == Some(value))
    };
    let alike: Vec<u32> = snapshot
        .groups
        .iter()
        .filter(|(_, group)| group.namespace() == namespace && is_like(group))
        .map(|(id, _)| id)
        .collect();
    if alike.is_empty() {
        return None;
    }
    let mut placed = snapshot.placed_in(namespace);
    let (_, _, node) = placed.find(|(_, group, _)| alike.contains(group))?;
    snapshot.node(node)
}
