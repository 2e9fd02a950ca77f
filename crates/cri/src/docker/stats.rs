//! What the containers of the engine use.
//!
//! The engine is asked only while somebody wants to know: a reading that is older than [`FRESH`] asks
//! for a new one behind the reader's back and gives the old one.
//!
//! Invariant: a CPU figure is the difference of two readings of the kernel's counter over the time
//! between them; the first one counts from the container's start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use world::Time;

use super::Shared;
use crate::stats::{ContainerUsage, PodMetrics};

/// How old a reading may be before a new one is taken.
const FRESH: Duration = Duration::from_secs(5);

/// The last reading of every container that anybody asked for.
#[derive(Debug, Default)]
pub(super) struct Readings {
    by_container: Mutex<BTreeMap<String, Reading>>,
}

#[derive(Debug, Default, Clone)]
struct Reading {
    /// Being taken at the moment.
    under_way: bool,
    /// When the counter was read, and what it said in nanoseconds.
    counter: Option<(Time, u64)>,
    usage: Option<ContainerUsage>,
}

/// Figures by way of the engine's `stats`.
#[derive(Debug)]
pub(super) struct DockerMetrics(pub(super) Arc<Shared>);

impl PodMetrics for DockerMetrics {
    fn pod(&self, pod_uid: &str) -> Vec<ContainerUsage> {
        let running = self.0.lives.lock().running(pod_uid);
        let mut usage: Vec<ContainerUsage> = running
            .into_iter()
            .filter_map(|(id, name, started)| self.read(pod_uid, &id, &name, started))
            .collect();
        usage.sort_by(|a, b| a.name.cmp(&b.name));
        usage
    }
}

impl DockerMetrics {
    fn read(&self, pod_uid: &str, id: &str, name: &str, started: Time) -> Option<ContainerUsage> {
        let now = self.0.world.now();
        let mut readings = self.0.readings.by_container.lock();
        let reading = readings.entry(id.to_owned()).or_default();
        let old = reading.counter.is_none_or(|(at, _)| now.since(at) >= FRESH);
        if old && !reading.under_way {
            reading.under_way = true;
            let template = ContainerUsage {
                id: id.to_owned(),
                pod_uid: pod_uid.to_owned(),
                name: name.to_owned(),
                at: now,
                window: Duration::ZERO,
                cpu_nano: 0,
                memory_bytes: 0,
            };
            let shared = Arc::clone(&self.0);
            let handle = shared.handle.clone();
            let _context = handle.enter();
            drop(world::edge::spawn(async move { take(&shared, template, started).await }));
        }
        reading.usage.clone()
    }
}

async fn take(shared: &Shared, mut usage: ContainerUsage, started: Time) {
    let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    let mut answers = std::pin::pin!(shared.docker.stats(&usage.id, Some(options)));
    let answer = answers.next().await;
    let now = shared.world.now();
    let mut readings = shared.readings.by_container.lock();
    let Some(reading) = readings.get_mut(&usage.id) else { return };
    reading.under_way = false;
    let Some(Ok(stats)) = answer else { return };
    let Some(total) = cpu_total(&stats) else { return };
    let (since, before) = reading.counter.unwrap_or((started, 0));
    usage.at = now;
    usage.window = now.since(since);
    let nanos = u64::try_from(usage.window.as_nanos()).unwrap_or(u64::MAX).max(1);
    let used = u128::from(total.saturating_sub(before)) * 1_000_000_000 / u128::from(nanos);
    usage.cpu_nano = u64::try_from(used).unwrap_or(u64::MAX);
    usage.memory_bytes = working_set(&stats);
    reading.counter = Some((now, total));
    reading.usage = Some(usage);
}

fn cpu_total(stats: &ContainerStatsResponse) -> Option<u64> {
    stats.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage
}

/// Memory in use without the page cache that the kernel would give up first.
fn working_set(stats: &ContainerStatsResponse) -> u64 {
    let Some(memory) = &stats.memory_stats else { return 0 };
    let detail = memory.stats.as_ref();
    let field = |name: &str| detail.and_then(|detail| detail.get(name)).copied();
    let inactive = field("total_inactive_file").or_else(|| field("inactive_file"));
    memory.usage.unwrap_or_default().saturating_sub(inactive.unwrap_or_default())
}

impl Readings {
    /// Forgets a container that is gone.
    pub(super) fn forget(&self, id: &str) {
        self.by_container.lock().remove(id);
    }
}
