//! Forgetting old replica sets beyond `revisionHistoryLimit`.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment/sync.go` (`cleanupDeployment`).

use apimachinery::ObjectExt as _;

use crate::deployment::replica_sets::Set;
use crate::deployment::sync::Sync;

/// Marks the oldest replica sets for deletion, passing over those that still have pods.
pub(crate) fn prune(sync: &mut Sync<'_>) {
    let Some(limit) = sync.deployment.int_at(&["spec", "revisionHistoryLimit"]) else { return };
    let mut old = sync.old();
    old.retain(|index| sync.sets[*index].value.deletion_timestamp().is_none());
    let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    let oldest = old.into_iter().take(surplus).map(|index| &sync.sets[index]);
    let empty = oldest.filter(|set| is_empty(set)).map(|set| set.name().to_owned());
    sync.prune = empty.collect();
}

fn is_empty(set: &Set) -> bool {
    let observed = set.counted("observedGeneration");
    set.counted("replicas") == 0 && set.replicas() == 0 && set.value.generation() <= observed
}
