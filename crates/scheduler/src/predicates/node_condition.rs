//! `CheckNodeCondition`: the node is ready, has disk and network, and takes pods.

use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;
use api::views::node::is_unschedulable;

/// Type of a condition, the status it must have if it is there, and the reason if it has not.
static WANTED: [(&str, &str, Reason); 3] = [
    ("Ready", "True", Reason::fixed("node(s) were not ready")),
    ("OutOfDisk", "False", Reason::fixed("node(s) were out of disk space")),
    ("NetworkUnavailable", "False", Reason::fixed("node(s) had unavailable network")),
];
const UNSCHEDULABLE: Reason = Reason::fixed("node(s) were unschedulable");

#[derive(Debug)]
pub(super) struct CheckNodeCondition;

#[derive(Debug)]
pub(super) struct CheckNodeUnschedulable;

impl Predicate for CheckNodeCondition {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "CheckNodeCondition"
    }

    fn check(&self, _: &Request<'_>, node: &NodeInfo) -> Answer {
        let Some(object) = &node.node else { return Ok(Vec::new()) };
        let mut reasons = Vec::new();
        for (kind, status) in &node.conditions {
            let wanted = WANTED.iter().find(|(known, _, _)| known == kind);
            if let Some((_, wanted, reason)) = wanted
                && status != wanted
            {
                reasons.push(reason.clone());
            }
        }
        if is_unschedulable(object) {
            reasons.push(UNSCHEDULABLE);
        }
        Ok(reasons)
    }
}

impl Predicate for CheckNodeUnschedulable {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "CheckNodeUnschedulable"
    }

    fn check(&self, _: &Request<'_>, node: &NodeInfo) -> Answer {
        unless(!node.node.as_deref().is_some_and(is_unschedulable), &UNSCHEDULABLE)
    }
}
