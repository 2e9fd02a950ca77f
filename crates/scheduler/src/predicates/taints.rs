//! `PodToleratesNodeTaints`: the pod tolerates what keeps others off the node.

use apimachinery::{ObjectExt as _, Value};

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
        let taints = node.node.as_ref().map_or(&[][..], |node| node.list_at(&["spec", "taints"]));
        let tolerations = request.pod.pod.list_at(&["spec", "tolerations"]);
        let mut repelling = taints
            .iter()
            .filter(|taint| matches!(taint.str_at(&["effect"]), "NoSchedule" | "NoExecute"));
        let intolerable = repelling
            .any(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)));
        if intolerable { vec![REASON] } else { vec![] }
    }
}

/// Whether a toleration covers a taint; an empty effect or key covers every one.
pub(crate) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let covers = |field: &str| {
        let wanted = toleration.str_at(&[field]);
        wanted.is_empty() || wanted == taint.str_at(&[field])
    };
    let value_fits = match toleration.str_at(&["operator"]) {
        "" | "Equal" => toleration.str_at(&["value"]) == taint.str_at(&["value"]),
        "Exists" => true,
        _ => false,
    };
    covers("effect") && covers("key") && value_fits
}
