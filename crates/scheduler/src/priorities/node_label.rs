//! `NodeLabel` (argument `labelPreference`): nodes that have a label, or have not.
//!
//! Mirrors: `node_label.go`.

use crate::affinity::value_of;
use crate::pod::PodInfo;
use crate::priorities::{MAX, Priority};
use crate::snapshot::NodeInfo;

/// Nodes that have a label, or have not.
#[derive(Debug)]
pub struct NodeLabel {
    /// The name that the policy gives it.
    pub name: String,
    /// The label, whatever its value.
    pub label: String,
    /// Whether it had better be there.
    pub presence: bool,
}

impl Priority for NodeLabel {
    fn name(&self) -> &str {
        &self.name
    }

    fn raw(&self, _: &PodInfo, node: &NodeInfo) -> i64 {
        if value_of(node.labels(), &self.label).is_some() == self.presence { MAX } else { 0 }
    }
}
