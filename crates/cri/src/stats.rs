//! What containers use: the one source of figures for metrics, autoscaling and eviction.
//!
//! Invariant: reading figures changes nothing that a pod could notice, and never blocks.

use std::fmt::Debug;
use std::time::Duration;

use world::Time;

/// What one running container uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Container id.
    pub id: String,
    /// Uid of the pod.
    pub pod_uid: String,
    /// Name in the pod.
    pub name: String,
    /// When it was measured.
    pub at: Time,
    /// Over how long the CPU figure is an average.
    pub window: Duration,
    /// Billionths of a CPU.
    pub cpu_nano: u64,
    /// Working set in bytes.
    pub memory_bytes: u64,
}

/// Figures of pods, usable from any thread.
pub trait PodMetrics: Send + Sync + Debug {
    /// What the running containers of pod `pod_uid` use, in order of their names. Empty while
    /// nothing of it runs, and before its first measurement.
    fn pod(&self, pod_uid: &str) -> Vec<ContainerUsage>;

    /// Whether any container may press on its node, so that the figures are worth watching.
    fn presses(&self) -> bool {
        false
    }
}

/// Figures of nothing, for runtimes without any.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMetrics;

impl PodMetrics for NoMetrics {
    fn pod(&self, _: &str) -> Vec<ContainerUsage> {
        Vec::new()
    }
}
