//! `PodFitsHostPorts`: no two pods take the same port of a node.

use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) didn't have free ports for the requested pod ports");

#[derive(Debug)]
pub(super) struct PodFitsHostPorts;

impl Predicate for PodFitsHostPorts {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "PodFitsHostPorts"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let taken = request.pod.host_ports.iter().any(|port| node.is_port_taken(port));
        unless(!taken, &REASON)
    }
}
