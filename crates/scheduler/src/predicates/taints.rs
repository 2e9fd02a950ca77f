//! `PodToleratesNodeTaints`: the pod tolerates what keeps others off the node.

use api::views::node::{taints, tolerates};
use apimachinery::ObjectExt as _;

use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) had taints that the pod didn't tolerate");

#[derive(Debug)]
pub(super) struct PodToleratesNodeTaints;

#[derive(Debug)]
pub(super) struct PodToleratesNodeNoExecuteTaints;

/// Whether the pod tolerates every taint with one of `effects`.
fn tolerated(request: &Request<'_>, node: &NodeInfo, effects: &[&str]) -> bool {
    let taints = node.node.as_ref().map_or(&[][..], |node| taints(node));
    if taints.is_empty() {
        return true;
    }
    let tolerations = request.pod.pod.list_at(&["spec", "tolerations"]);
    let mut repelling = taints.iter().filter(|taint| effects.contains(&taint.str_at(&["effect"])));
    repelling.all(|taint| tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

impl Predicate for PodToleratesNodeTaints {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "PodToleratesNodeTaints"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        unless(tolerated(request, node, &["NoSchedule", "NoExecute"]), &REASON)
    }
}

impl Predicate for PodToleratesNodeNoExecuteTaints {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "PodToleratesNodeNoExecuteTaints"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        unless(tolerated(request, node, &["NoExecute"]), &REASON)
    }
}
