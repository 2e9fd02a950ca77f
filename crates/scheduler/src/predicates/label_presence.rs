//! `CheckNodeLabelPresence` (argument `labelsPresence`): the node has all of some labels, or none.

use crate::affinity::value_of;
use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) didn't have the requested labels");

/// The node has all of some labels, or none.
#[derive(Debug)]
pub struct CheckNodeLabelPresence {
    /// The name that the policy gives it.
    pub name: String,
    /// The labels, whatever their values.
    pub labels: Vec<String>,
    /// Whether they must be there or must not.
    pub presence: bool,
}

impl Predicate for CheckNodeLabelPresence {
    fn name(&self) -> &str {
        &self.name
    }

    fn rule(&self) -> &'static str {
        "CheckNodeLabelPresence"
    }

    fn check(&self, _: &Request<'_>, node: &NodeInfo) -> Answer {
        let labels = node.labels();
        let mut wanted = self.labels.iter();
        unless(wanted.all(|key| value_of(labels, key).is_some() == self.presence), &REASON)
    }
}
