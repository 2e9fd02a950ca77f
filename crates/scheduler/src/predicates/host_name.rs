//! `HostName`: a pod that names its node fits no other.

use crate::predicates::{Predicate, Reason, Request};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) didn't match the requested hostname");

#[derive(Debug)]
pub(super) struct HostName;

impl Predicate for HostName {
    fn name(&self) -> &'static str {
        "HostName"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Vec<Reason> {
        let wanted = request.pod.node_name();
        if wanted.is_empty() || wanted == node.name { vec![] } else { vec![REASON] }
    }
}
