//! The controller around the decision: keeps the snapshot, asks, binds and tells.
//!
//! A key is a pod's, or a node's when its namespace is empty.
//!
//! Invariant: a pod that was bound is in the snapshot before the next decision (assumed), even
//! though its change has not come back from the API yet.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/scheduler.go`.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::views::pod::{is_terminal, node_name};
use api::{NODES, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, SERVICES, STATEFUL_SETS};
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching,
};
use serde_json::{Map, json};
use world::Time;

use crate::DEFAULT_SCHEDULER;
use crate::decision::{Decision, Outcome, decide};
use crate::pod::{PodInfo, Selectors};
use crate::profile::Profile;
use crate::queue::Queue;
use crate::snapshot::Snapshot;

/// Binds every pod that asks for the default scheduler to a node.
#[derive(Debug, Default)]
pub struct Scheduler {
    profile: Profile,
    snapshot: Snapshot,
    queue: Queue,
    /// How many decisions were a matter of turns.
    turn: u64,
    /// Pods that a change in the cluster has freed.
    freed: BTreeSet<Key>,
}

impl Scheduler {
    /// A scheduler that goes by `profile`.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile, ..Self::default() }
    }
}

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        DEFAULT_SCHEDULER
    }

    fn watches(&self) -> Vec<Watching> {
        let mut watches = vec![Watching::new(&PODS, pod_keys), Watching::new(&NODES, node_keys)];
        let grouping = [&SERVICES, &REPLICATION_CONTROLLERS, &REPLICA_SETS, &STATEFUL_SETS];
        watches.extend(grouping.map(Watching::reading));
        watches
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if key.namespace.is_empty() {
            self.take_in_node(cx.caches, key);
            return Ok(Requeue::Done);
        }
        match cx.caches.get_key(&PODS, key) {
            Some(pod) if is_waiting(&pod) => self.schedule(cx, key, &pod),
            pod => {
                self.take_in_pod(key, pod);
                Ok(Requeue::Done)
            }
        }
    }

    fn poll(&mut self, _cx: &mut Context<'_>) -> Vec<Key> {
        std::mem::take(&mut self.freed).into_iter().collect()
    }
}

/// Whether the pod has no node yet and asks for this scheduler.
fn is_waiting(pod: &Value) -> bool {
    let scheduler = pod.str_at(&["spec", "schedulerName"]);
    node_name(pod).is_empty()
        && !is_terminal(pod)
        && (scheduler.is_empty() || scheduler == DEFAULT_SCHEDULER)
}

/// The changed object's key, unless it looks the same to scheduling before and after.
fn key_unless(same: fn(&Value, &Value) -> bool, change: &Change) -> Vec<Key> {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if same(old, new) => Vec::new(),
        _ => vec![Key::of(change.object())],
    }
}

fn pod_keys(_: &Caches, change: &Change) -> Vec<Key> {
    key_unless(same_pod, change)
}

fn same_pod(old: &Value, new: &Value) -> bool {
    let going = |pod: &Value| pod.deletion_timestamp().is_some();
    old.uid() == new.uid()
        && old.labels() == new.labels()
        && going(old) == going(new)
        && is_terminal(old) == is_terminal(new)
        && old.at(&["spec"]) == new.at(&["spec"])
}

fn node_keys(_: &Caches, change: &Change) -> Vec<Key> {
    key_unless(same_node, change)
}

/// Whether nothing but heartbeats lies between two forms of a node.
fn same_node(old: &Value, new: &Value) -> bool {
    let allocatable = ["status", "allocatable"];
    old.uid() == new.uid()
        && old.labels() == new.labels()
        && old.at(&allocatable) == new.at(&allocatable)
        && conditions(old).eq(conditions(new))
        && old.at(&["spec"]) == new.at(&["spec"])
}

fn conditions(node: &Value) -> impl Iterator<Item = (&str, &str)> {
    let conditions = node.list_at(&["status", "conditions"]).iter();
    conditions.map(|condition| (condition.str_at(&["type"]), condition.str_at(&["status"])))
}

impl Scheduler {
    fn take_in_node(&mut self, caches: &Caches, key: &Key) {
        match caches.get_key(&NODES, key) {
            Some(node) => self.snapshot.set_node(&node),
            None => self.snapshot.remove_node(&key.name),
        }
        self.cluster_changed();
    }

    /// Takes in a pod that needs no decision: it runs, it has run, or it is gone.
    fn take_in_pod(&mut self, key: &Key, pod: Option<Arc<Value>>) {
        self.queue.forget(key);
        let running = pod.filter(|pod| !is_terminal(pod));
        let node = running.as_ref().map_or("", |pod| node_name(pod)).to_owned();
        match running {
            Some(pod) if !node.is_empty() => {
                self.snapshot.place(key, &Arc::new(PodInfo::new(pod)), &node);
            }
            _ => {
                if self.snapshot.displace(key) {
                    self.cluster_changed();
                }
            }
        }
    }

    fn cluster_changed(&mut self) {
        self.freed.extend(self.queue.move_all_to_active());
    }

    /// Brings the nodes of the snapshot to those of the cache, for their keys may still be queued.
    fn refresh_nodes(&mut self, caches: &Caches) {
        let mut count = 0;
        for (_, node) in caches.iter(&NODES, "") {
            self.snapshot.set_node(node);
            count += 1;
        }
        if self.snapshot.len() > count {
            let gone = self.snapshot.nodes().map(|info| info.name.clone());
            let gone = gone.filter(|name| caches.get(&NODES, "", name).is_none());
            for name in gone.collect::<Vec<_>>() {
                self.snapshot.remove_node(&name);
            }
        }
    }

    fn schedule(
        &mut self,
        cx: &mut Context<'_>,
        key: &Key,
        pod: &Arc<Value>,
    ) -> Result<Requeue, Error> {
        if pod.deletion_timestamp().is_some() {
            let message = format!("skip schedule deleting pod: {key}");
            tell(cx, pod, EventType::Warning, "FailedScheduling", &message);
            return Ok(Requeue::Done);
        }
        let wait = self.queue.wait(key, pod, cx.world.now());
        if !wait.is_zero() {
            return Ok(Requeue::After(wait));
        }
        self.refresh_nodes(cx.caches);
        let info = Arc::new(PodInfo::new(Arc::clone(pod)));
        let selectors = Selectors::of(cx.caches, pod);
        let decision = decide(&self.profile, &self.snapshot, &info, &selectors, self.turn);
        self.turn += u64::from(decision.took_turn());
        self.act(cx, key, &info, &decision)
    }

    fn act(
        &mut self,
        cx: &mut Context<'_>,
        key: &Key,
        info: &Arc<PodInfo>,
        decision: &Decision,
    ) -> Result<Requeue, Error> {
        let pod = &info.pod;
        match &decision.outcome {
            Outcome::Node(node) => {
                self.snapshot.place(key, info, node);
                let result = bind(cx, pod, node);
                if result.is_err() {
                    self.snapshot.displace(key);
                } else {
                    self.queue.forget(key);
                }
                result
            }
            Outcome::Unschedulable(message) => {
                tell(cx, pod, EventType::Warning, "FailedScheduling", message);
                write_condition(cx, pod, "Unschedulable", message)?;
                Ok(Requeue::After(self.queue.failed(key, pod, cx.world.now())))
            }
        }
    }
}

fn tell(cx: &mut Context<'_>, pod: &Value, kind: EventType, reason: &str, message: &str) {
    cx.recorder.event(DEFAULT_SCHEDULER, pod, kind, reason, message);
}

/// Binds the pod. One that has vanished meanwhile is nobody's loss.
fn bind(cx: &mut Context<'_>, pod: &Value, node: &str) -> Result<Requeue, Error> {
    let (namespace, name) = (pod.namespace(), pod.name());
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": pod.uid()},
        "target": {"kind": "Node", "name": node},
    });
    match cx.client.subresource_create(&PODS, namespace, name, "binding", binding) {
        Ok(_) => {
            let message = format!("Successfully assigned {namespace}/{name} to {node}");
            tell(cx, pod, EventType::Normal, "Scheduled", &message);
            Ok(Requeue::Done)
        }
        Err(status) => {
            if !status.is_not_found() {
                let message = format!("Binding rejected: {status}");
                tell(cx, pod, EventType::Warning, "FailedScheduling", &message);
                write_condition(cx, pod, "BindingRejected", &status.message)?;
            }
            Err(status.into())
        }
    }
}

/// The pod's status with `PodScheduled` false; `None` when it says so already.
fn unscheduled(pod: &Value, reason: &str, message: &str, now: Time) -> Option<Value> {
    let mut condition = json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastProbeTime": null,
        "lastTransitionTime": now.rfc3339(),
    });
    let mut conditions = pod.list_at(&["status", "conditions"]).to_vec();
    let place = conditions.iter().position(|c| c.str_at(&["type"]) == "PodScheduled");
    match place {
        Some(index) => {
            let old = &conditions[index];
            let same = |field: &str| old.str_at(&[field]) == condition.str_at(&[field]);
            if same("status") && same("reason") && same("message") {
                return None;
            }
            if same("status") {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            conditions[index] = condition;
        }
        None => conditions.push(condition),
    }
    let mut status = pod.at(&["status"]).cloned().unwrap_or_else(|| Map::new().into());
    status.set(&["conditions"], Value::Array(conditions));
    Some(status)
}

/// Writes the condition; a pod that changed or vanished meanwhile comes up again by itself.
fn write_condition(
    cx: &Context<'_>,
    pod: &Value,
    reason: &str,
    message: &str,
) -> Result<(), Error> {
    let Some(status) = unscheduled(pod, reason, message, cx.world.now()) else { return Ok(()) };
    let mut updated = pod.clone();
    updated.set(&["status"], status);
    match cx.client.update_status(&PODS, updated) {
        Err(status) if !status.is_not_found() && !status.is_conflict() => Err(status.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_keeps_the_time_of_its_first_failure() {
        let time = |text| Time::parse_rfc3339(text).unwrap();
        let mut pod = json!({"status": {"phase": "Pending"}});
        let first = unscheduled(&pod, "Unschedulable", "a", time("2018-10-11T12:00:00Z")).unwrap();
        assert_eq!(
            first["conditions"],
            json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "a", "lastProbeTime": null,
                "lastTransitionTime": "2018-10-11T12:00:00Z"}])
        );
        pod.set(&["status"], first);
        let later = time("2018-10-11T12:01:00Z");
        assert_eq!(unscheduled(&pod, "Unschedulable", "a", later), None);
        let changed = unscheduled(&pod, "Unschedulable", "b", later).unwrap();
        assert_eq!(changed["conditions"][0]["message"], "b");
        assert_eq!(changed["conditions"][0]["lastTransitionTime"], "2018-10-11T12:00:00Z");
    }

    #[test]
    fn heartbeats_are_no_news() {
        let node = |beat: &str, ready: &str| {
            Some(Arc::new(json!({"metadata": {"name": "n"}, "status": {"conditions":
                [{"type": "Ready", "status": ready, "lastHeartbeatTime": beat}]}})))
        };
        let keys = |old, new| node_keys(&Caches::default(), &Change { old, new }).len();
        assert_eq!(keys(node("1", "True"), node("2", "True")), 0);
        assert_eq!(keys(node("1", "True"), node("2", "False")), 1);
        assert_eq!(keys(None, node("2", "False")), 1);
    }
}
