//! `EqualPriority`: every node is as good as any other.

use crate::priorities::{Priority, Request};
use crate::snapshot::NodeInfo;

#[derive(Debug)]
pub(super) struct Equal;

impl Priority for Equal {
    fn name(&self) -> &'static str {
        "EqualPriority"
    }

    fn score(&self, _: &Request<'_>, nodes: &[&NodeInfo]) -> Vec<i64> {
        vec![1; nodes.len()]
    }
}
