//! A decision made again, from the store as it stood then.
//!
//! The `Scheduled` event of a pod says from which revision its node was chosen and whose turn it was;
//! everything else that the decision was made from is in the store.
//!
//! Invariant: under the policy that was in force, [`Recall::decide`] chooses the node that was chosen.

use api::{EVENTS, PODS};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Client, ListOptions};

use crate::decision::{Decision, decide, explain};
use crate::pod::PodInfo;
use crate::profile::Profile;
use crate::scheduler::{REVISION_ANNOTATION, TURN_ANNOTATION};
use crate::snapshot::{RESOURCES, Snapshot};

/// What a decision was made from.
#[derive(Debug)]
pub struct Recall {
    /// The revision of the store.
    pub revision: u64,
    /// How many decisions had been a matter of turns before.
    pub turn: u64,
    /// The facts at that revision.
    pub snapshot: Snapshot,
    /// The pod at that revision.
    pub pod: PodInfo,
}

impl Recall {
    /// Makes the decision again.
    #[must_use]
    pub fn decide(&self, profile: &Profile) -> Decision {
        decide(profile, &self.snapshot, &self.pod, self.turn)
    }

    /// Explains the decision: as [`Recall::decide`], with every predicate asked.
    #[must_use]
    pub fn explain(&self, profile: &Profile) -> Decision {
        explain(profile, &self.snapshot, &self.pod, self.turn)
    }
}

/// What the node of a pod was chosen from; `None` when nobody recorded it: the pod has no node, or
/// another scheduler, or the event is gone.
///
/// # Errors
/// 410 when the store's history does not reach back that far.
pub fn recall(client: &Client, namespace: &str, name: &str) -> Result<Option<Recall>, Status> {
    let pod = client.get(&PODS, namespace, name)?;
    let events = client.list(&EVENTS, namespace)?;
    let recorded = events.iter().find_map(|event| {
        let about = event.str_at(&["involvedObject", "uid"]) == pod.uid()
            && event.str_at(&["reason"]) == "Scheduled";
        about.then(|| marks(event)).flatten()
    });
    let Some((revision, turn)) = recorded else { return Ok(None) };
    let snapshot = facts_at(client, revision)?;
    let pods = client.list_with(&PODS, namespace, &exactly(revision))?.items;
    let then = pods.into_iter().find(|then| then.value().name() == name);
    Ok(then.map(|pod| Recall { revision, turn, snapshot, pod: PodInfo::new(pod.value()) }))
}

fn marks(event: &Value) -> Option<(u64, u64)> {
    let number = |key| event.annotation(key)?.parse().ok();
    Some((number(REVISION_ANNOTATION)?, number(TURN_ANNOTATION)?))
}

/// The facts as they stood at a revision of the store.
///
/// # Errors
/// 410 when the store's history does not reach back that far.
pub fn facts_at(client: &Client, revision: u64) -> Result<Snapshot, Status> {
    let mut objects = Vec::new();
    for resource in RESOURCES {
        let list = client.list_with(resource, "", &exactly(revision))?;
        objects.extend(list.items.into_iter().map(|object| (resource, object.value())));
    }
    Ok(Snapshot::of(objects))
}

fn exactly(revision: u64) -> ListOptions {
    ListOptions {
        resource_version: revision.to_string(),
        resource_version_match: "Exact".to_owned(),
        ..ListOptions::default()
    }
}
