//! `GeneralPredicates`: what every node's kubelet checks too, with all reasons at once.

use crate::predicates::host_name::HostName;
use crate::predicates::host_ports::PodFitsHostPorts;
use crate::predicates::node_selector::MatchNodeSelector;
use crate::predicates::resources::PodFitsResources;
use crate::predicates::{Predicate, Reason, Request};
use crate::snapshot::NodeInfo;

#[derive(Debug)]
pub(super) struct GeneralPredicates;

impl Predicate for GeneralPredicates {
    fn name(&self) -> &'static str {
        "GeneralPredicates"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Vec<Reason> {
        let parts: [&dyn Predicate; 4] =
            [&PodFitsResources, &HostName, &PodFitsHostPorts, &MatchNodeSelector];
        parts.iter().flat_map(|part| part.check(request, node)).collect()
    }
}
