//! The two strategies: how a new replica set takes over from the old ones.
//!
//! Invariant (rolling): the plan never lets Σ `spec.replicas` pass `replicas + maxSurge`, nor takes
//! available pods under `replicas − maxUnavailable`.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment` (`rolling.go`, `recreate.go`).

use api::views::pod::is_terminal;
use apimachinery::ObjectExt as _;

use crate::deployment::replica_sets::Set;
use crate::deployment::sync::Sync;
use crate::deployment::{bounds, history, progress};

/// One step of the deployment's strategy.
pub(crate) fn advance(sync: &mut Sync<'_>) {
    let moved = if bounds::is_rolling(sync.deployment) { rolling(sync) } else { recreate(sync) };
    if !moved && progress::is_complete(sync) {
        history::prune(sync);
    }
}

/// The size that the strategy allows the new replica set to grow to now.
pub(crate) fn new_size(sync: &Sync<'_>) -> i64 {
    let desired = sync.desired();
    if !bounds::is_rolling(sync.deployment) {
        return desired;
    }
    let new = sync.new_set().map_or(0, Set::replicas);
    let room = desired + bounds::max_surge(sync.deployment) - sync.total();
    if room <= 0 { new } else { new + room.min(desired - new) }
}

/// Scales up the new replica set or, when that is not possible, scales down old ones. Gives whether
/// something was scaled.
fn rolling(sync: &mut Sync<'_>) -> bool {
    sync.ensure_new();
    scale_up_new(sync) || scale_down_old(sync)
}

pub(crate) fn scale_up_new(sync: &mut Sync<'_>) -> bool {
    let Some(index) = sync.new else { return false };
    let (replicas, desired) = (sync.sets[index].replicas(), sync.desired());
    if replicas == desired {
        return false;
    }
    let size = if replicas > desired { desired } else { new_size(sync) };
    sync.scale(index, size)
}

pub(crate) fn scale_down_old(sync: &mut Sync<'_>) -> bool {
    let old = sync.active_old();
    if old.is_empty() {
        return false;
    }
    let min_available = sync.desired() - bounds::max_unavailable(sync.deployment);
    let new_unavailable = sync.new_set().map_or(0, |set| set.replicas() - set.available());
    let spare = sync.total() - min_available - new_unavailable;
    if spare <= 0 {
        return false;
    }
    if old.iter().any(|index| sync.sets[*index].available() > sync.sets[*index].replicas()) {
        // A status from before the last scaling: its pods are counted twice until it catches up.
        return false;
    }
    let cleaned = drop_unhealthy(sync, &old, spare);
    let dropped = drop_available(sync, &old, min_available);
    cleaned + dropped > 0
}

/// Takes unavailable replicas from the old replica sets, so that broken ones do not block a rollout.
pub(crate) fn drop_unhealthy(sync: &mut Sync<'_>, old: &[usize], at_most: i64) -> i64 {
    let mut dropped = 0;
    for index in old {
        let set = &sync.sets[*index];
        let (replicas, available) = (set.replicas(), set.available());
        let count = (at_most - dropped).min(replicas - available);
        if count > 0 && replicas > 0 {
            sync.scale(*index, replicas - count);
            dropped += count;
        }
    }
    dropped
}

/// Takes as many replicas from the old replica sets as there are available ones beyond the minimum.
pub(crate) fn drop_available(sync: &mut Sync<'_>, old: &[usize], min_available: i64) -> i64 {
    let counted = old.iter().copied().chain(sync.new).map(|index| sync.sets[index].available());
    let surplus = counted.sum::<i64>() - min_available;
    let mut dropped = 0;
    for index in old {
        let replicas = sync.sets[*index].replicas();
        let count = replicas.min(surplus - dropped);
        if count > 0 {
            sync.scale(*index, replicas - count);
            dropped += count;
        }
    }
    dropped
}

/// Scales all old replica sets to 0, waits for their pods to end, then brings up the new one.
fn recreate(sync: &mut Sync<'_>) -> bool {
    sync.follow_revisions();
    let old = sync.active_old();
    if !old.is_empty() {
        for index in old {
            sync.scale(index, 0);
        }
        return true;
    }
    if old_pods_run(sync) {
        return true;
    }
    if sync.new.is_none() {
        sync.ensure_new();
    }
    let desired = sync.desired();
    sync.new.is_some_and(|index| sync.scale(index, desired))
}

/// Whether a pod of an old replica set has not come to its end.
pub(crate) fn old_pods_run(sync: &Sync<'_>) -> bool {
    let old = sync.old();
    let old: Vec<&Set> = old.iter().map(|index| &sync.sets[*index]).collect();
    old.iter().any(|set| set.counted("replicas") > 0)
        || sync.pods.iter().any(|candidate| {
            let owner = candidate.controller_ref().map_or("", |owner| owner.str_at(&["uid"]));
            !is_terminal(candidate) && old.iter().any(|set| set.value.uid() == owner)
        })
}
