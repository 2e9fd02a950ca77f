//! `HostName`: a pod that names its node fits no other.

use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) didn't match the requested hostname");

#[derive(Debug)]
pub(super) struct HostName;

impl Predicate for HostName {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "HostName"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let wanted = request.pod.node_name();
        unless(wanted.is_empty() || wanted == &*node.name, &REASON)
    }
}
