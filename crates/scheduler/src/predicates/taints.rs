//! `PodToleratesNodeTaints`: the pod tolerates what keeps others off the node.

use api::views::node::{taints, tolerates};
use apimachinery::ObjectExt as _;

use crate::predicates::{Predicate, Reason, Request};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) had taints that the pod didn't tolerate");

#[derive(Debug)]
pub(super) struct PodToleratesNodeTaints;

impl Predicate for PodToleratesNodeTaints {
    fn name(&self) -> &'static str {
        "PodToleratesNodeTaints"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Vec<Reason> {
        let taints = node.node.as_ref().map_or(&[][..], |node| taints(node));
        let tolerations = request.pod.pod.list_at(&["spec", "tolerations"]);
        let mut repelling = taints
            .iter()
            .filter(|taint| matches!(taint.str_at(&["effect"]), "NoSchedule" | "NoExecute"));
        let intolerable = repelling
            .any(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)));
        if intolerable { vec![REASON] } else { vec![] }
    }
}
