//! `NodeAffinityPriority`: nodes that the pod's affinity prefers.
//!
//! Mirrors: `node_affinity.go`.

use apimachinery::ObjectExt as _;

use crate::pod::PodInfo;
use crate::predicates::expressions_match;
use crate::priorities::{Item, Priority, normalise};
use crate::snapshot::NodeInfo;

const PREFERRED: [&str; 4] =
    ["spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"];

#[derive(Debug)]
pub(super) struct NodeAffinity;

impl Priority for NodeAffinity {
    fn name(&self) -> &str {
        "NodeAffinityPriority"
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let terms = pod.pod.list_at(&PREFERRED).iter();
        terms
            .filter(|term| {
                let wanted = term.list_at(&["preference", "matchExpressions"]);
                !wanted.is_empty() && expressions_match(wanted, node.labels())
            })
            .map(|term| term.int_at(&["weight"]).unwrap_or(0))
            .sum()
    }

    fn is_relative(&self) -> bool {
        true
    }

    fn reduce(&self, items: &mut [Item]) {
        normalise(items, false);
    }
}
