//! Changing the size of a deployment without a rollout: one replica set, or several in proportion.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment/sync.go` (`scale`, `isScalingEvent`).

use std::cmp::Reverse;

use apimachinery::ObjectExt as _;

use crate::deployment::bounds;
use crate::deployment::replica_sets::{DESIRED_REPLICAS, MAX_REPLICAS, Set};
use crate::deployment::sync::Sync;

/// Whether the deployment's size changed since an active replica set was last scaled.
pub(crate) fn is_scaling_event(sync: &Sync<'_>) -> bool {
    let active = sync.sets.iter().filter(|set| set.replicas() > 0);
    let mut recorded = active.filter_map(|set| set.number(DESIRED_REPLICAS));
    recorded.any(|desired| desired != sync.desired())
}

/// Brings the replica sets to the deployment's size.
///
/// Deviation: a single replica set of the right size has the record of that size refreshed too;
/// upstream leaves a stale one, and the deployment takes every later sync for a change of size.
pub(crate) fn sync(sync: &mut Sync<'_>) {
    sync.follow_revisions();
    let desired = sync.desired();
    if let Some(index) = active_or_latest(sync) {
        sync.scale(index, desired);
    } else if is_saturated(sync) {
        for index in sync.active_old() {
            sync.scale(index, 0);
        }
    } else if bounds::is_rolling(sync.deployment) && !sync.sets.is_empty() {
        in_proportion(sync);
    }
}

/// The only replica set with replicas; the newest when none has; `None` when several have.
fn active_or_latest(sync: &Sync<'_>) -> Option<usize> {
    let active: Vec<usize> =
        (0..sync.sets.len()).filter(|index| sync.sets[*index].replicas() > 0).collect();
    match active.as_slice() {
        [] => sync.new.or_else(|| sync.old().last().copied()),
        [only] => Some(*only),
        _ => None,
    }
}

/// Whether the new replica set has all the deployment asks for, available.
fn is_saturated(sync: &Sync<'_>) -> bool {
    sync.new_set().is_some_and(|set| {
        let desired = sync.desired();
        set.replicas() == desired
            && set.number(DESIRED_REPLICAS) == Some(desired)
            && set.available() == desired
    })
}

/// Spreads the change over all active replica sets by their size; the largest takes what is left.
fn in_proportion(sync: &mut Sync<'_>) {
    let desired = sync.desired();
    let surge = bounds::max_surge(sync.deployment);
    let allowed = if desired > 0 { desired + surge } else { 0 };
    let mut active: Vec<usize> =
        (0..sync.sets.len()).filter(|index| sync.sets[*index].replicas() > 0).collect();
    let to_add = allowed - active.iter().map(|index| sync.sets[*index].replicas()).sum::<i64>();
    if to_add > 0 {
        active.sort_by_key(|index| {
            let set = &sync.sets[*index];
            (Reverse(set.replicas()), Reverse(set.age_key()))
        });
    } else {
        active.sort_by_key(|index| {
            let set = &sync.sets[*index];
            (Reverse(set.replicas()), set.age_key())
        });
    }
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::with_capacity(active.len());
    for index in &active {
        let share = share(sync, &sync.sets[*index], to_add, added);
        sizes.push(sync.sets[*index].replicas() + share);
        added += share;
    }
    if let Some(largest) = sizes.first_mut()
        && to_add != 0
    {
        *largest = (*largest + to_add - added).max(0);
    }
    for (index, size) in active.into_iter().zip(sizes) {
        sync.scale(index, size);
    }
}

/// What one replica set gains or loses of `to_add`, of which `added` is given out already.
fn share(sync: &Sync<'_>, set: &Set, to_add: i64, added: i64) -> i64 {
    if set.replicas() == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = fraction(sync, set);
    let left = to_add - added;
    if to_add > 0 { fraction.min(left) } else { fraction.max(left) }
}

fn fraction(sync: &Sync<'_>, set: &Set) -> i64 {
    let (desired, replicas) = (sync.desired(), set.replicas());
    if desired == 0 {
        return -replicas;
    }
    let recorded = set.number(MAX_REPLICAS);
    let before =
        recorded.unwrap_or_else(|| sync.deployment.int_at(&["status", "replicas"]).unwrap_or(0));
    rounded(replicas * (desired + bounds::max_surge(sync.deployment)), before) - replicas
}

/// `value / divisor` rounded half away from zero; both are at least 0. A divisor of 0 gives the
/// largest number, as a division of floats does.
fn rounded(value: i64, divisor: i64) -> i64 {
    if divisor <= 0 {
        return i64::from(i32::MAX);
    }
    (2 * value + divisor) / (2 * divisor)
}
