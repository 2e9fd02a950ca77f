//! `GeneralPredicates`: what every node's kubelet checks too, with all reasons at once.

use crate::predicates::host_name::HostName;
use crate::predicates::host_ports::PodFitsHostPorts;
use crate::predicates::node_selector::MatchNodeSelector;
use crate::predicates::resources::PodFitsResources;
use crate::predicates::{Answer, Predicate, Request};
use crate::snapshot::NodeInfo;

#[derive(Debug, Default)]
pub(super) struct GeneralPredicates {
    pub(super) resources: PodFitsResources,
}

impl Predicate for GeneralPredicates {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "GeneralPredicates"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let parts: [&dyn Predicate; 4] =
            [&self.resources, &HostName, &PodFitsHostPorts, &MatchNodeSelector];
        let mut reasons = Vec::new();
        for part in parts {
            reasons.extend(part.check(request, node)?);
        }
        Ok(reasons)
    }
}
