//! Sums of requested resources that pods are added to and taken from.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/cache/node_info.go` (`Resource`).

pub(crate) use api::views::pod::Resources;

/// Takes `other` away from `sum`; what comes to nothing is no longer named.
pub(crate) fn subtract(sum: &mut Resources, other: &Resources) {
    sum.milli_cpu -= other.milli_cpu;
    sum.memory_bytes -= other.memory_bytes;
    sum.ephemeral_storage_bytes -= other.ephemeral_storage_bytes;
    for (name, amount) in &other.scalar {
        if let Some(left) = sum.scalar.get_mut(name) {
            *left -= amount;
        }
    }
    sum.scalar.retain(|_, amount| *amount != 0);
}

/// Whether nothing is asked for. A named extended resource counts even at 0.
pub(crate) fn is_zero(resources: &Resources) -> bool {
    resources.milli_cpu == 0
        && resources.memory_bytes == 0
        && resources.ephemeral_storage_bytes == 0
        && resources.scalar.is_empty()
}
