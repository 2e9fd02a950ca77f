//! The taint controller: pods that do not tolerate a `NoExecute` taint of their node are deleted, at
//! once or when their toleration has run out.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/nodelifecycle/scheduler/taint_manager.go`.

use std::collections::BTreeMap;
use std::time::Duration;

use api::views::node::{taints, tolerates};
use api::{NODES, PODS};
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching,
};
use world::Time;

const COMPONENT: &str = "taint-controller";

/// Deletes pods from nodes whose taints they do not tolerate.
#[derive(Debug, Default)]
pub struct TaintEviction {
    /// Since when a pod lives on borrowed time.
    marked: BTreeMap<Key, Time>,
}

/// How long a pod may live with the taints of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// For ever.
    Forever,
    /// So long from when the taints came.
    For(Duration),
}

/// How long a pod with `tolerations` may stay on a node with `taints`: of the tolerations that fit a
/// taint the first counts, of all those that count the shortest.
#[must_use]
pub fn stay(taints: &[Value], tolerations: &[Value]) -> Stay {
    let mut shortest = None;
    for taint in taints.iter().filter(|taint| taint.str_at(&["effect"]) == "NoExecute") {
        let used = tolerations.iter().find(|toleration| tolerates(toleration, taint));
        let Some(used) = used else { return Stay::For(Duration::ZERO) };
        if let Some(seconds) = used.int_at(&["tolerationSeconds"]) {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            shortest = Some(shortest.map_or(seconds, |other: u64| other.min(seconds)));
        }
    }
    shortest.map_or(Stay::Forever, |seconds| Stay::For(Duration::from_secs(seconds)))
}

impl Controller for TaintEviction {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&NODES, pods_of_tainted), Watching::new(&PODS, bound_pod)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let pod = cx.caches.get_key(&PODS, key).filter(|pod| pod.deletion_timestamp().is_none());
        let Some(pod) = pod else {
            self.marked.remove(key);
            return Ok(Requeue::Done);
        };
        let node = cx.caches.get(&NODES, "", pod.str_at(&["spec", "nodeName"]));
        let taints = node.as_deref().map_or(&[][..], taints);
        let now = cx.world.now();
        let Stay::For(time) = stay(taints, pod.list_at(&["spec", "tolerations"])) else {
            if self.marked.remove(key).is_some() {
                let message = format!("Cancelling deletion of Pod {key}");
                cx.recorder.event(
                    COMPONENT,
                    &pod,
                    EventType::Normal,
                    "TaintManagerEviction",
                    &message,
                );
            }
            return Ok(Requeue::Done);
        };
        let due = *self.marked.entry(key.clone()).or_insert(now) + time;
        if due > now {
            return Ok(Requeue::After(due.since(now)));
        }
        let message = format!("Marking for deletion Pod {key}");
        cx.recorder.event(COMPONENT, &pod, EventType::Normal, "TaintManagerEviction", &message);
        let options = DeleteOptions { uid: Some(pod.uid().to_owned()), ..DeleteOptions::default() };
        self.marked.remove(key);
        match cx.client.delete(&PODS, key.namespace(), key.name(), options) {
            Err(status) if !status.is_not_found() && !status.is_conflict() => Err(status.into()),
            _ => Ok(Requeue::Done),
        }
    }
}

fn no_execute(node: &Value) -> Vec<&Value> {
    taints(node).iter().filter(|taint| taint.str_at(&["effect"]) == "NoExecute").collect()
}

fn pods_of_tainted(caches: &Caches, change: &Change) -> Vec<Key> {
    let sides = [&change.old, &change.new].map(|side| side.as_deref().map_or(vec![], no_execute));
    if sides[0] == sides[1] {
        return Vec::new();
    }
    let pods = caches.by_node(&PODS, change.object().name());
    pods.iter().map(|pod| Key::of(pod)).collect()
}

/// A pod that came to a tainted node, or whose tolerations changed there, or that goes from it.
fn bound_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    if change.is_of_status() {
        return Vec::new();
    }
    let tainted = |pod: &Value| {
        let node = caches.get(&NODES, "", pod.str_at(&["spec", "nodeName"]));
        node.is_some_and(|node| !no_execute(&node).is_empty())
    };
    let sides = [&change.old, &change.new].map(|side| side.as_deref().map(facts));
    if sides[0] == sides[1] || !tainted(change.object()) {
        return Vec::new();
    }
    vec![change.key()]
}

/// Everything about a pod that its stay depends on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    let spec = (pod.str_at(&["spec", "nodeName"]), pod.at(&["spec", "tolerations"]));
    (spec, pod.deletion_timestamp().is_some())
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_pod_stays_as_long_as_its_shortest_toleration() {
        let taint = |key: &str, effect: &str| json!({"key": key, "effect": effect});
        let tolerates = |key: &str, seconds: Option<i64>| {
            let mut it = json!({"key": key, "operator": "Exists", "effect": "NoExecute"});
            if let Some(seconds) = seconds {
                it["tolerationSeconds"] = json!(seconds);
            }
            it
        };
        let both = [taint("a", "NoExecute"), taint("b", "NoExecute")];
        let seconds = |seconds| Stay::For(Duration::from_secs(seconds));
        assert_eq!(stay(&[taint("a", "NoSchedule")], &[]), Stay::Forever);
        assert_eq!(stay(&both, &[]), seconds(0));
        assert_eq!(stay(&both, &[tolerates("a", None)]), seconds(0));
        assert_eq!(stay(&both, &[tolerates("a", None), tolerates("b", None)]), Stay::Forever);
        assert_eq!(stay(&both, &[tolerates("a", Some(30)), tolerates("b", None)]), seconds(30));
        assert_eq!(stay(&both, &[tolerates("a", Some(30)), tolerates("b", Some(9))]), seconds(9));
        assert_eq!(stay(&both[..1], &[tolerates("a", Some(-5))]), seconds(0));
        // Of several that tolerate a taint the first counts.
        let (brief, endless) = (tolerates("a", Some(30)), tolerates("a", None));
        assert_eq!(stay(&both[..1], &[endless.clone(), brief.clone()]), Stay::Forever);
        assert_eq!(stay(&both[..1], &[brief, endless]), seconds(30));
    }
}
