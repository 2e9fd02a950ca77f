//! `ResourceLimitsPriority`: nodes that could satisfy the pod's limits break ties.
//!
//! Mirrors: `resource_limits.go`.

use crate::pod::PodInfo;
use crate::priorities::{Priority, Reads};
use crate::snapshot::NodeInfo;

#[derive(Debug)]
pub(super) struct ResourceLimits;

impl Priority for ResourceLimits {
    fn name(&self) -> &str {
        "ResourceLimitsPriority"
    }

    fn reads(&self) -> Reads {
        Reads::Limits
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let met = |limit: i64, has: i64| limit != 0 && has != 0 && limit <= has;
        let (limits, has) = (&pod.limits, &node.allocatable);
        let any =
            met(limits.milli_cpu, has.milli_cpu) || met(limits.memory_bytes, has.memory_bytes);
        i64::from(any)
    }
}
