//! The pod garbage collector: pods that have ended and are too many, pods of nodes that are gone, and
//! pods that are being deleted but were never bound.
//!
//! Invariant: what is remembered here can be read again from the caches.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/podgc`.
//! Deviation: upstream looks at all pods every 20 s; here a pod is looked at when it changes, and
//! what is then found lost is deleted 20 s later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::views::pod::is_terminal;
use api::{NODES, PODS};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::DeleteOptions;
use controller_runtime::{Caches, Change, Context, Controller, Error, Key, Requeue, Watching};
use world::Time;

/// How many pods that have ended may stay.
const THRESHOLD: usize = 12_500;

const PERIOD: Duration = Duration::from_secs(20);

/// Deletes pods that nobody else will.
#[derive(Debug)]
pub struct PodGc {
    threshold: usize,
    /// Pods that have ended, oldest first.
    ended: BTreeSet<Ended>,
    ended_at: BTreeMap<Key, Ended>,
    /// Since when a pod is lost.
    lost: BTreeMap<Key, Time>,
}

type Ended = (String, Key);

impl Default for PodGc {
    fn default() -> Self {
        Self::with_threshold(THRESHOLD)
    }
}

impl PodGc {
    /// A collector that keeps `threshold` pods that have ended; 0 keeps all.
    #[must_use]
    pub fn with_threshold(threshold: usize) -> Self {
        Self { threshold, ended: BTreeSet::new(), ended_at: BTreeMap::new(), lost: BTreeMap::new() }
    }

    fn note(&mut self, key: &Key, pod: Option<&Value>) {
        if let Some(before) = self.ended_at.remove(key) {
            self.ended.remove(&before);
        }
        if let Some(pod) = pod.filter(|pod| is_terminal(pod)) {
            let ended = (pod.creation_timestamp().to_owned(), key.clone());
            self.ended.insert(ended.clone());
            self.ended_at.insert(key.clone(), ended);
        }
    }

    /// Deletes the oldest of the ended pods beyond the threshold.
    fn collect_ended(&self, cx: &Context<'_>) -> Result<(), Status> {
        let surplus = surplus(self.ended.len(), self.threshold);
        for (_, key) in self.ended.iter().take(surplus) {
            // Another pod may have taken the name since.
            let pod = cx.caches.get_key(&PODS, key).filter(|pod| is_terminal(pod));
            pod.map_or(Ok(()), |pod| delete(cx, &pod))?;
        }
        Ok(())
    }
}

/// How many of `ended` pods go when `threshold` may stay.
#[must_use]
pub fn surplus(ended: usize, threshold: usize) -> usize {
    if threshold == 0 { 0 } else { ended.saturating_sub(threshold) }
}

/// Whether a pod is being deleted without ever having been bound.
#[must_use]
pub fn is_unscheduled_terminating(pod: &Value) -> bool {
    pod.deletion_timestamp().is_some() && pod.str_at(&["spec", "nodeName"]).is_empty()
}

fn is_orphan(caches: &Caches, pod: &Value) -> bool {
    let node = pod.str_at(&["spec", "nodeName"]);
    !node.is_empty() && caches.get(&NODES, "", node).is_none()
}

impl Controller for PodGc {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&PODS, changed_pod), Watching::new(&NODES, pods_of_lost_node)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let pod = cx.caches.get_key(&PODS, key);
        self.note(key, pod.as_deref());
        self.collect_ended(cx)?;
        let lost = |pod: &Value| is_unscheduled_terminating(pod) || is_orphan(cx.caches, pod);
        let Some(pod) = pod.filter(|pod| lost(pod)) else {
            self.lost.remove(key);
            return Ok(Requeue::Done);
        };
        let now = cx.world.now();
        let due = *self.lost.entry(key.clone()).or_insert(now) + PERIOD;
        if due > now {
            return Ok(Requeue::After(due.since(now)));
        }
        delete(cx, &pod)?;
        Ok(Requeue::Done)
    }
}

/// A pod that came, went, ended, was bound or is being deleted.
fn changed_pod(_: &Caches, change: &Change) -> Vec<Key> {
    let facts = |pod: &Value| {
        (
            is_terminal(pod),
            pod.deletion_timestamp().is_some(),
            pod.at(&["spec", "nodeName"]).is_some(),
        )
    };
    let sides = (change.old.as_deref().map(facts), change.new.as_deref().map(facts));
    if sides.0 == sides.1 { Vec::new() } else { vec![change.key()] }
}

fn pods_of_lost_node(caches: &Caches, change: &Change) -> Vec<Key> {
    if change.old.is_some() && change.new.is_some() {
        return Vec::new();
    }
    let pods = caches.by_node(&PODS, change.object().name());
    pods.iter().map(|pod| Key::of(pod)).collect()
}

fn delete(cx: &Context<'_>, pod: &Value) -> Result<(), Status> {
    let options = DeleteOptions::now(pod.uid());
    match cx.client.delete(&PODS, pod.namespace(), pod.name(), options) {
        Err(status) if !status.is_not_found() && !status.is_conflict() => Err(status),
        _ => Ok(()),
    }
}
