//! Priorities by what is requested of CPU and memory: least, most, and in balance.
//!
//! Mirrors: `least_requested.go`, `most_requested.go`, `balanced_resource_allocation.go`.

use crate::pod::PodInfo;
use crate::priorities::{MAX, Priority};
use crate::snapshot::NodeInfo;

#[derive(Debug)]
pub(super) struct LeastRequested;

#[derive(Debug)]
pub(super) struct MostRequested;

#[derive(Debug)]
pub(super) struct Balanced;

/// What would count as requested with the pod there.
pub(super) fn requested(pod: &PodInfo, node: &NodeInfo) -> (i64, i64) {
    (node.non_zero.0 + pod.non_zero.0, node.non_zero.1 + pod.non_zero.1)
}

/// The mean over CPU and memory of `score(requested, capacity)`, cut to a whole number.
pub(super) fn mean(pod: &PodInfo, node: &NodeInfo, score: impl Fn(i64, i64) -> i64) -> i64 {
    let (cpu, memory) = requested(pod, node);
    let cpu = score(cpu, node.allocatable.milli_cpu);
    let memory = score(memory, node.allocatable.memory_bytes);
    (cpu + memory) / 2
}

fn unused(requested: i64, capacity: i64) -> i64 {
    if capacity == 0 || requested > capacity { 0 } else { (capacity - requested) * MAX / capacity }
}

fn used(requested: i64, capacity: i64) -> i64 {
    if capacity == 0 || requested > capacity { 0 } else { requested * MAX / capacity }
}

impl Priority for LeastRequested {
    fn name(&self) -> &str {
        "LeastRequestedPriority"
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        mean(pod, node, unused)
    }
}

impl Priority for MostRequested {
    fn name(&self) -> &str {
        "MostRequestedPriority"
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        mean(pod, node, used)
    }
}

impl Priority for Balanced {
    fn name(&self) -> &str {
        "BalancedResourceAllocation"
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let (cpu, memory) = requested(pod, node);
        let cpu = fraction(cpu, node.allocatable.milli_cpu);
        let memory = fraction(memory, node.allocatable.memory_bytes);
        if cpu >= 1.0 || memory >= 1.0 { 0 } else { whole((1.0 - (cpu - memory).abs()) * 10.0) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "upstream divides as floats")]
fn fraction(requested: i64, capacity: i64) -> f64 {
    if capacity == 0 { 1.0 } else { requested as f64 / capacity as f64 }
}

/// A score cut to a whole number.
#[expect(clippy::cast_possible_truncation, reason = "scores are cut, from 0 to 10")]
pub(super) fn whole(score: f64) -> i64 {
    score as i64
}
