//! `PodFitsHostPorts`: no two pods take the same port of a node.

use crate::predicates::{Predicate, Reason, Request};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) didn't have free ports for the requested pod ports");

#[derive(Debug)]
pub(super) struct PodFitsHostPorts;

impl Predicate for PodFitsHostPorts {
    fn name(&self) -> &'static str {
        "PodFitsHostPorts"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Vec<Reason> {
        let taken = request.pod.host_ports.iter().any(|port| node.is_port_taken(port));
        if taken { vec![REASON] } else { vec![] }
    }
}
