//! `PodFitsResources`: what is requested on a node stays within what it has.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::predicates::{Answer, Predicate, Reason, Request};
use crate::resources::{Resources, is_zero};
use crate::snapshot::NodeInfo;

#[derive(Debug, Default)]
pub(super) struct PodFitsResources {
    /// Extended resources that an extender counts instead.
    pub(super) ignored: BTreeSet<String>,
}

fn insufficient(resource: &str) -> Reason {
    Reason(Cow::Owned(format!("Insufficient {resource}")))
}

impl Predicate for PodFitsResources {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "PodFitsResources"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let mut reasons = Vec::new();
        let (has, used, asked) = (&node.allocatable, &node.requested, &request.pod.request);
        if i64::try_from(node.pods.len()).unwrap_or(i64::MAX) >= node.allowed_pods {
            reasons.push(insufficient("pods"));
        }
        if is_zero(asked) {
            return Ok(reasons);
        }
        for (resource, has, used, asked) in [
            ("cpu", has.milli_cpu, used.milli_cpu, asked.milli_cpu),
            ("memory", has.memory_bytes, used.memory_bytes, asked.memory_bytes),
            (
                "ephemeral-storage",
                has.ephemeral_storage_bytes,
                used.ephemeral_storage_bytes,
                asked.ephemeral_storage_bytes,
            ),
        ] {
            if has < asked.saturating_add(used) {
                reasons.push(insufficient(resource));
            }
        }
        for (resource, asked) in &asked.scalar {
            if self.ignored.contains(resource) {
                continue;
            }
            let of = |amounts: &Resources| amounts.scalar.get(resource).copied().unwrap_or(0);
            if of(has) < asked.saturating_add(of(used)) {
                reasons.push(insufficient(resource));
            }
        }
        Ok(reasons)
    }
}
