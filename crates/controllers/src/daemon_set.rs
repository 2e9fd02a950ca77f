//! The controller of `DaemonSet`s: one pod on every node that is meant.
//!
//! Reading order: [`placement`] (does a pod belong on a node), [`plan()`] (the decision), [`pod`],
//! this file (observe and act), [`crate::history`] (revisions).
//!
//! Invariant: pods are bound by this controller, never by the scheduler, as in 3.11.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/daemon/daemon_controller.go`.

mod backoff;
pub mod placement;
mod plan;
pub mod pod;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::views::pod::{condition, is_terminal, is_terminating, node_name, phase};
use api::{CONTROLLER_REVISIONS, DAEMON_SETS, NAMESPACES, NODES, PODS};
use apimachinery::hash::{fnv32a, fnv32a_continue};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching, same_key,
};

use self::backoff::Backoff;
use self::placement::{Verdict, namespace_admits, verdict};
pub use self::plan::{Observed, OnNode, Plan, plan};
use crate::{claim, history, pod_control};

const COMPONENT: &str = "daemonset-controller";

/// Keeps a pod of each `DaemonSet` on the nodes that are meant.
#[derive(Debug, Default)]
pub struct DaemonSet {
    backoff: Backoff,
}

impl Controller for DaemonSet {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&DAEMON_SETS, same_key),
            Watching::new(&PODS, sets_of_pod),
            Watching::new(&NODES, sets_of_node),
            Watching::new(&NAMESPACES, sets_of_namespace),
            Watching::reading(&CONTROLLER_REVISIONS),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(ds) = cx.caches.get_key(&DAEMON_SETS, key) else { return Ok(Requeue::Done) };
        if ds.map_at(&["spec", "selector"]).is_some_and(apimachinery::Map::is_empty) {
            let message =
                "This daemon set is selecting all pods. A non-empty selector is required.";
            cx.recorder.event(COMPONENT, &ds, EventType::Warning, "SelectingAll", message);
            return Ok(Requeue::Done);
        }
        if ds.deletion_timestamp().is_some() {
            return Ok(Requeue::Done);
        }
        let selector = claim::selector(&ds);
        let revisions = history::claimed(cx, (&DAEMON_SETS, &ds), &selector)?;
        let (current, collisions) = history::ensure(cx, &ds, &revisions, |number, collisions| {
            history::revision(&ds, number, pod::HASH, &hash(&ds, collisions))
        })?;
        let candidates = claim::candidates(cx, &ds, &selector, &PODS).into_iter();
        let claims = claim::claim(&ds, &selector, candidates);
        claim::carry_out(cx, (&DAEMON_SETS, &ds), &PODS, &claims)?;
        let nodes = self.observe(cx, &ds, &claims.owned);
        let observed = Observed {
            ds: &ds,
            hash: current.label(pod::HASH),
            nodes: &nodes,
            now: cx.world.now(),
        };
        let mut plan = plan(&observed);
        if collisions > 0 {
            plan.status["collisionCount"] = json!(collisions);
        }
        self.apply(cx, &ds, observed.hash, &plan)?;
        if ds.at(&["status"]) != Some(&plan.status) {
            let mut updated = (*ds).clone();
            updated.set(&["status"], plan.status);
            match cx.client.update_status(&DAEMON_SETS, updated) {
                Err(status) if !status.is_not_found() => return Err(status.into()),
                _ => {}
            }
        }
        let live = live_revisions(&revisions, &claims.owned, &current);
        let limit = ds.int_at(&["spec", "revisionHistoryLimit"]).unwrap_or(10);
        let surplus = history::surplus(&revisions, &live, limit);
        history::delete(cx, key.namespace(), &surplus)?;
        Ok(plan.resync.map_or(Requeue::Done, Requeue::After))
    }
}

impl DaemonSet {
    /// Every node with what must be so there.
    fn observe(&self, cx: &Context<'_>, ds: &Value, pods: &[Arc<Value>]) -> Vec<OnNode> {
        let mut by_node: BTreeMap<&str, Vec<Arc<Value>>> = BTreeMap::new();
        for pod in pods {
            by_node.entry(node_name(pod)).or_default().push(Arc::clone(pod));
        }
        let now = cx.world.now();
        let nodes = cx.caches.iter(&NODES, "");
        let observed = nodes.map(|(_, node)| OnNode {
            node: node.name().to_owned(),
            verdict: judge(cx.caches, ds, &node),
            pods: by_node.get(node.name()).cloned().unwrap_or_default(),
            backoff: self.backoff.remaining(ds.uid(), node.name(), now),
        });
        observed.collect()
    }

    fn apply(
        &mut self,
        cx: &mut Context<'_>,
        ds: &Value,
        hash: &str,
        plan: &Plan,
    ) -> Result<(), Error> {
        for (node, complaint) in &plan.complaints {
            let message = format!("failed to place pod on {node:?}: {complaint}");
            cx.recorder.event(COMPONENT, ds, EventType::Warning, "FailedPlacement", &message);
        }
        for (node, name) in &plan.failed {
            self.backoff.next(ds.uid(), node, cx.world.now());
            let message = format!(
                "Found failed daemon pod {}/{name} on node {node}, will try to kill it",
                ds.namespace()
            );
            cx.recorder.event(COMPONENT, ds, EventType::Warning, "FailedDaemonPod", &message);
        }
        let mut nodes = plan.create.iter();
        let (_, mut failure) = pod_control::slow_start(plan.create.len(), || {
            let Some(node) = nodes.next() else { return Ok(()) };
            pod_control::create(cx, COMPONENT, ds, &pod::template_on(ds, hash, node))
        });
        for name in &plan.delete {
            let deleted = pod_control::delete(cx, COMPONENT, ds, name);
            failure = failure.or_else(|| deleted.err());
        }
        failure.map_or(Ok(()), |status| Err(status.into()))
    }
}

/// The revisions that pods were made from, and the present one.
fn live_revisions<'a>(
    revisions: &'a [Arc<Value>],
    pods: &[Arc<Value>],
    current: &'a Value,
) -> BTreeSet<&'a str> {
    let hashes: BTreeSet<&str> = pods.iter().map(|pod| pod.label(pod::HASH)).collect();
    let used = revisions.iter().filter(|revision| hashes.contains(revision.label(pod::HASH)));
    used.map(|revision| revision.name()).chain([current.name()]).collect()
}

/// The hash of the set's template.
///
/// Deviation: upstream hashes a Go dump of the template; here the canonical JSON is hashed, so the
/// numbers differ and clients cannot tell.
fn hash(ds: &Value, collisions: i64) -> String {
    let template = ds.at(&["spec", "template"]).map(Value::to_string).unwrap_or_default();
    let mut hash = fnv32a(template.as_bytes());
    if collisions > 0 {
        hash = fnv32a_continue(hash, &collisions.to_le_bytes());
    }
    hash.to_string()
}

/// What must be so on `node`, with the pods that run there.
fn judge(caches: &Caches, ds: &Value, node: &Value) -> Verdict {
    let namespace = caches.get(&NAMESPACES, "", ds.namespace());
    if !namespace_admits(namespace.as_deref(), node) {
        return Verdict::default();
    }
    let foreign = |pod: &Arc<Value>| {
        !is_terminal(pod) && pod.controller_ref().is_none_or(|o| o.str_at(&["uid"]) != ds.uid())
    };
    let mut others = caches.by_node(&PODS, node.name());
    others.retain(foreign);
    verdict(&pod::template(ds, ""), node, &others)
}

/// The owner now and before, for an orphan every set that selects it, and for a pod that leaves its
/// node every set that waits for room there.
fn sets_of_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    let selects = |ds: &Value, pod: &Value| claim::selector(ds).matches_object(pod);
    let news = || claim::is_news(change, facts);
    let mut keys = claim::claimants((caches, change), &DAEMON_SETS, news, selects);
    let leaves = change.new.as_ref().is_none_or(|pod| is_terminal(pod));
    if leaves && news() {
        keys.extend(waiting_for_room(caches, node_name(change.object())));
    }
    keys
}

/// The sets that want a pod on `node` and have none there.
fn waiting_for_room(caches: &Caches, node: &str) -> Vec<Key> {
    let mut sets = caches.iter(&DAEMON_SETS, "").peekable();
    let (Some(_), Some(node)) = (sets.peek(), caches.get(&NODES, "", node)) else {
        return Vec::new();
    };
    let pods = caches.by_node(&PODS, node.name());
    let served = |ds: &Value| {
        let mut owners = pods.iter().filter_map(|pod| pod.controller_ref());
        owners.any(|owner| owner.str_at(&["uid"]) == ds.uid())
    };
    let waiting = sets.filter(|(_, ds)| !served(ds) && judge(caches, ds, &node).wanted);
    waiting.map(|(key, _)| key.clone()).collect()
}

/// Every set, when something about the node changes that decides about pods.
fn sets_of_node(caches: &Caches, change: &Change) -> Vec<Key> {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && !placement_may_differ(old, new)
    {
        return Vec::new();
    }
    caches.iter(&DAEMON_SETS, "").map(|(key, _)| key.clone()).collect()
}

/// Whether a changed node may have to run other daemon pods than before.
#[must_use]
pub fn placement_may_differ(old: &Value, new: &Value) -> bool {
    let (spec, allocatable) = (&["spec"], &["status", "allocatable"]);
    old.uid() != new.uid()
        || old.labels() != new.labels()
        || old.at(spec) != new.at(spec)
        || old.at(allocatable) != new.at(allocatable)
}

/// Every set of a namespace whose node selector changes.
fn sets_of_namespace(caches: &Caches, change: &Change) -> Vec<Key> {
    let annotations =
        |namespace: &Arc<Value>| namespace.map_at(&["metadata", "annotations"]).cloned();
    if change.old.as_ref().map(annotations) == change.new.as_ref().map(annotations) {
        return Vec::new();
    }
    let sets = caches.iter(&DAEMON_SETS, change.object().name());
    sets.map(|(key, _)| key.clone()).collect()
}

/// Everything about a pod that a decision depends on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    let state = (phase(pod), is_terminating(pod), condition(pod, "Ready"), node_name(pod));
    (pod.uid(), state, pod.labels(), pod.owner_references())
}

#[cfg(test)]
mod tests;
