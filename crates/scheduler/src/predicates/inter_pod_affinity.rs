//! `MatchInterPodAffinity`: pods that must be near are, pods that must be far are not, and no pod there
//! objects.
//!
//! Several required anti-affinity terms are met together or not at all, as in 1.11.

use crate::predicates::{Answer, Predicate, Reason, Request, Scope};
use crate::snapshot::NodeInfo;

const NOT_MATCHED: Reason = Reason::fixed("node(s) didn't match pod affinity/anti-affinity");
const EXISTING: Reason = Reason::fixed("node(s) didn't satisfy existing pods anti-affinity rules");
const AFFINITY: Reason = Reason::fixed("node(s) didn't match pod affinity rules");
const ANTI_AFFINITY: Reason = Reason::fixed("node(s) didn't match pod anti-affinity rules");

#[derive(Debug)]
pub(super) struct MatchInterPodAffinity;

impl Predicate for MatchInterPodAffinity {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "MatchInterPodAffinity"
    }

    fn scope(&self) -> Scope {
        Scope::Neighbours
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let (labels, neighbours) = (node.labels(), request.neighbours);
        Ok(if neighbours.bars(labels) {
            vec![NOT_MATCHED, EXISTING]
        } else if !neighbours.is_near(request.pod, labels) {
            vec![NOT_MATCHED, AFFINITY]
        } else if !neighbours.is_far(request.pod, labels) {
            vec![NOT_MATCHED, ANTI_AFFINITY]
        } else {
            Vec::new()
        })
    }
}
