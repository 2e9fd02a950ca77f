//! The rules of a deployment, one by one, as functions of plain objects: for whoever explains or
//! checks a decision that the controller takes as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::{ObjectExt as _, Value, int_or_string};
use world::Time;

use super::sync::{Observed, Sync};
use super::{bounds, history, progress, replica_sets, rollout, scaling};

pub use super::replica_sets::{DESIRED_REPLICAS, MAX_REPLICAS};

/// Sizes by name of replica set after a step, and whether the step changed any.
pub type Sizes = (BTreeMap<String, i64>, bool);

fn sync_of<'a>(deployment: &'a Value, sets: &[Value], now: Time) -> Sync<'a> {
    let replica_sets = sets.iter().cloned().map(Arc::new).collect();
    Sync::new(Observed { deployment, replica_sets, pods: Vec::new(), now })
}

fn after(deployment: &Value, sets: &[Value], step: impl FnOnce(&mut Sync<'_>) -> bool) -> Sizes {
    let mut sync = sync_of(deployment, sets, Time::default());
    let changed = step(&mut sync);
    let sizes = sync.sets.iter().map(|set| (set.name().to_owned(), set.replicas()));
    (sizes.collect(), changed)
}

/// Whether `status` says that every replica is of the current template and available.
#[must_use]
pub fn is_complete(deployment: &Value, status: &Value) -> bool {
    progress::is_complete_by(deployment, status)
}

/// Whether `new` is further on than `old`.
#[must_use]
pub fn is_progressing(old: &Value, new: &Value) -> bool {
    progress::is_progressing(old, new)
}

/// Whether the progress deadline has passed.
#[must_use]
pub fn is_timed_out(deployment: &Value, now: Time) -> bool {
    progress::is_timed_out(deployment, deployment.list_at(&["status", "conditions"]), now)
}

/// Whether two pod templates are equal but for the label that tells replica sets apart.
#[must_use]
pub fn same_template(a: &Value, b: &Value) -> bool {
    replica_sets::same_template(Some(a), Some(b))
}

/// Name of the replica set for the current template.
#[must_use]
pub fn new_set(deployment: &Value, sets: &[Value]) -> Option<String> {
    let sync = sync_of(deployment, sets, Time::default());
    sync.new_set().map(|set| set.name().to_owned())
}

/// Names of the others, oldest first; and of those that want pods.
#[must_use]
pub fn old_sets(deployment: &Value, sets: &[Value]) -> (Vec<String>, Vec<String>) {
    let sync = sync_of(deployment, sets, Time::default());
    let names = |indexes: Vec<usize>| {
        indexes.into_iter().map(|index| sync.sets[index].name().to_owned()).collect()
    };
    (names(sync.old()), names(sync.active_old()))
}

/// Surge and unavailability in pods.
///
/// # Errors
/// When one is neither a number nor a percentage.
pub fn fenceposts(
    surge: &Value,
    unavailable: &Value,
    desired: i64,
) -> Result<(i64, i64), int_or_string::Error> {
    int_or_string::resolve(surge, desired, true)?;
    int_or_string::resolve(unavailable, desired, false)?;
    Ok(bounds::fenceposts(Some(surge), Some(unavailable), desired))
}

/// How many of the replicas may be unavailable.
#[must_use]
pub fn max_unavailable(deployment: &Value) -> i64 {
    bounds::max_unavailable(deployment)
}

/// The size that the strategy allows the new replica set to grow to now.
#[must_use]
pub fn new_size(deployment: &Value, sets: &[Value]) -> i64 {
    rollout::new_size(&sync_of(deployment, sets, Time::default()))
}

/// The sizes after a change of the deployment's size.
#[must_use]
pub fn scale(deployment: &Value, sets: &[Value]) -> Sizes {
    after(deployment, sets, |sync| {
        scaling::sync(sync);
        true
    })
}

/// The sizes after the new replica set has grown as far as it may.
#[must_use]
pub fn scale_up_new(deployment: &Value, sets: &[Value]) -> Sizes {
    after(deployment, sets, rollout::scale_up_new)
}

/// The sizes after the old replica sets have shrunk as far as they may.
#[must_use]
pub fn scale_down_old(deployment: &Value, sets: &[Value]) -> Sizes {
    after(deployment, sets, rollout::scale_down_old)
}

/// The sizes after old replica sets have lost up to `at_most` pods that are not available.
#[must_use]
pub fn drop_unhealthy(deployment: &Value, sets: &[Value], at_most: i64) -> Sizes {
    after(deployment, sets, |sync| {
        let old = sync.active_old();
        rollout::drop_unhealthy(sync, &old, at_most) > 0
    })
}

/// The sizes after old replica sets have lost what is available beyond the minimum.
#[must_use]
pub fn drop_available(deployment: &Value, sets: &[Value]) -> Sizes {
    let least = bounds::desired(deployment) - bounds::max_unavailable(deployment);
    after(deployment, sets, |sync| {
        let old = sync.active_old();
        rollout::drop_available(sync, &old, least) > 0
    })
}

/// Names of the replica sets that are forgotten.
#[must_use]
pub fn pruned(deployment: &Value, sets: &[Value]) -> Vec<String> {
    let mut sync = sync_of(deployment, sets, Time::default());
    history::prune(&mut sync);
    sync.prune
}

/// Whether a pod of an old replica set has not come to its end.
#[must_use]
pub fn old_pods_run(deployment: &Value, sets: &[Value], pods: Vec<Arc<Value>>) -> bool {
    let mut sync = sync_of(deployment, sets, Time::default());
    sync.pods = pods;
    rollout::old_pods_run(&sync)
}
