//! `MatchNodeSelector`: `spec.nodeSelector` and the required part of the node affinity.

use api::views::node::term_matches;
use apimachinery::{ObjectExt as _, Value};

use crate::pod::from_map;
use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) didn't match node selector");

#[derive(Debug)]
pub(super) struct MatchNodeSelector;

impl Predicate for MatchNodeSelector {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "MatchNodeSelector"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let spec = request.pod.pod.at(&["spec"]).unwrap_or(&Value::Null);
        let labels = node.labels();
        let selected = from_map(spec.map_at(&["nodeSelector"]))
            .is_none_or(|selector| selector.matches(labels));
        let path = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
        let wanted = spec.at(&path).filter(|required| !required.is_null());
        let attracted = wanted.is_none_or(|required| {
            let mut terms = required.list_at(&["nodeSelectorTerms"]).iter();
            terms.any(|term| term_matches(term, labels, &node.name))
        });
        unless(selected && attracted, &REASON)
    }
}
