//! `CheckNodeMemoryPressure`, `CheckNodeDiskPressure`, `CheckNodePIDPressure`: a node that is short of
//! something takes no more of those who would be the first to go.

use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;

const MEMORY: Reason = Reason::fixed("node(s) had memory pressure");
const DISK: Reason = Reason::fixed("node(s) had disk pressure");
const PID: Reason = Reason::fixed("node(s) had pid pressure");

#[derive(Debug)]
pub(super) struct CheckNodeMemoryPressure;

#[derive(Debug)]
pub(super) struct CheckNodeDiskPressure;

#[derive(Debug)]
pub(super) struct CheckNodePidPressure;

impl Predicate for CheckNodeMemoryPressure {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "CheckNodeMemoryPressure"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        unless(!request.pod.best_effort || node.condition("MemoryPressure") != "True", &MEMORY)
    }
}

impl Predicate for CheckNodeDiskPressure {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "CheckNodeDiskPressure"
    }

    fn check(&self, _: &Request<'_>, node: &NodeInfo) -> Answer {
        unless(node.condition("DiskPressure") != "True", &DISK)
    }
}

impl Predicate for CheckNodePidPressure {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "CheckNodePIDPressure"
    }

    fn check(&self, _: &Request<'_>, node: &NodeInfo) -> Answer {
        unless(node.condition("PIDPressure") != "True", &PID)
    }
}
