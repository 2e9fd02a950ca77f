//! Priorities by what is requested of CPU and memory: least, most, and in balance.
//!
//! Mirrors: `least_requested.go`, `most_requested.go`, `balanced_resource_allocation.go`.

use crate::priorities::{MAX, Priority, Request};
use crate::snapshot::NodeInfo;

#[derive(Debug)]
pub(super) struct LeastRequested;

#[derive(Debug)]
pub(super) struct MostRequested;

#[derive(Debug)]
pub(super) struct Balanced;

/// What would count as requested with the pod there.
fn requested(request: &Request<'_>, node: &NodeInfo) -> (i64, i64) {
    let (pod, others) = (request.pod.non_zero, node.non_zero);
    (others.0 + pod.0, others.1 + pod.1)
}

/// The mean over CPU and memory of `score(requested, capacity)`, cut to a whole number.
fn mean(request: &Request<'_>, node: &NodeInfo, score: fn(i64, i64) -> i64) -> i64 {
    let (cpu, memory) = requested(request, node);
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
    fn name(&self) -> &'static str {
        "LeastRequestedPriority"
    }

    fn score(&self, request: &Request<'_>, nodes: &[&NodeInfo]) -> Vec<i64> {
        nodes.iter().map(|node| mean(request, node, unused)).collect()
    }
}

impl Priority for MostRequested {
    fn name(&self) -> &'static str {
        "MostRequestedPriority"
    }

    fn score(&self, request: &Request<'_>, nodes: &[&NodeInfo]) -> Vec<i64> {
        nodes.iter().map(|node| mean(request, node, used)).collect()
    }
}

impl Priority for Balanced {
    fn name(&self) -> &'static str {
        "BalancedResourceAllocation"
    }

    fn score(&self, request: &Request<'_>, nodes: &[&NodeInfo]) -> Vec<i64> {
        let balance = |node: &&NodeInfo| {
            let (cpu, memory) = requested(request, node);
            let cpu = fraction(cpu, node.allocatable.milli_cpu);
            let memory = fraction(memory, node.allocatable.memory_bytes);
            if cpu >= 1.0 || memory >= 1.0 { 0 } else { whole((1.0 - (cpu - memory).abs()) * 10.0) }
        };
        nodes.iter().map(balance).collect()
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
