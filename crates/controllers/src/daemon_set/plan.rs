//! Which daemon pods come and go, and the status of the set.
//!
//! Invariant: [`plan`] is pure. A pod of an old template goes only when creating and cleaning up
//! are done, and then no more than `maxUnavailable` nodes are without an available pod.
//!
//! Mirrors: `manage`, `rollingUpdate` and `updateDaemonSetStatus` of
//! `k8s.io/kubernetes/pkg/controller/daemon`.

use std::sync::Arc;
use std::time::Duration;

use api::views::pod::{is_ready, is_terminating, phase};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value, int_or_string};
use world::Time;

use super::placement::Verdict;
use super::pod::{is_updated, keep_order};
use crate::pod::available_in;

/// How many pods one sync creates or deletes at most.
const BURST: usize = 250;

/// One node, what must be so there, and the set's pods on it.
#[derive(Debug, Clone)]
pub struct OnNode {
    /// Name of the node.
    pub node: String,
    /// What must be so.
    pub verdict: Verdict,
    /// The set's pods, terminating and ended ones included.
    pub pods: Vec<Arc<Value>>,
    /// How long failed pods are left alone, after earlier failures.
    pub backoff: Option<Duration>,
}

/// What a decision is made from.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The set.
    pub ds: &'a Value,
    /// The hash of its present template.
    pub hash: &'a str,
    /// Every node.
    pub nodes: &'a [OnNode],
    /// The present.
    pub now: Time,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Complaints about nodes: name and reason.
    pub complaints: Vec<(String, String)>,
    /// Failed pods, by node and name, which are among `delete`.
    pub failed: Vec<(String, String)>,
    /// Nodes that get a pod.
    pub create: Vec<String>,
    /// Pods to delete.
    pub delete: Vec<String>,
    /// The status to write.
    pub status: Value,
    /// When to look again although nothing changed.
    pub resync: Option<Duration>,
}

/// What to do about all nodes.
#[must_use]
pub fn plan(observed: &Observed<'_>) -> Plan {
    let mut plan = Plan::default();
    for on_node in observed.nodes {
        manage(on_node, &mut plan);
    }
    plan.create.truncate(BURST);
    let rolling = observed.ds.str_at(&["spec", "updateStrategy", "type"]) == "RollingUpdate";
    if rolling && plan.create.is_empty() && plan.delete.is_empty() {
        plan.delete = outdated(observed);
    }
    plan.delete.truncate(BURST);
    plan.status = status(observed);
    let min_ready = api::views::workload::min_ready_seconds(observed.ds);
    let pods = observed.nodes.iter().flat_map(|on_node| &on_node.pods);
    let available = pods.filter_map(|pod| available_in(pod, min_ready, observed.now));
    let waits = observed.nodes.iter().filter_map(|on_node| {
        on_node.backoff.filter(|_| on_node.pods.iter().any(|pod| phase(pod) == "Failed"))
    });
    plan.resync = available.chain(waits).filter(|wait| !wait.is_zero()).min();
    plan
}

fn manage(on_node: &OnNode, plan: &mut Plan) {
    let verdict = &on_node.verdict;
    if let Some(complaint) = &verdict.complaint {
        plan.complaints.push((on_node.node.clone(), complaint.clone()));
    }
    if verdict.wanted && !verdict.schedule {
        return;
    }
    if verdict.schedule && on_node.pods.is_empty() {
        plan.create.push(on_node.node.clone());
    } else if verdict.keep {
        clean(on_node, plan);
    } else {
        let staying = on_node.pods.iter().filter(|pod| !is_terminating(pod));
        plan.delete.extend(staying.map(|pod| pod.name().to_owned()));
    }
}

/// Failed pods and all but the oldest go.
fn clean(on_node: &OnNode, plan: &mut Plan) {
    let staying = on_node.pods.iter().filter(|pod| !is_terminating(pod));
    let (failed, mut running): (Vec<_>, Vec<_>) = staying.partition(|pod| phase(pod) == "Failed");
    if on_node.backoff.is_none() {
        for pod in failed {
            plan.failed.push((on_node.node.clone(), pod.name().to_owned()));
            plan.delete.push(pod.name().to_owned());
        }
    }
    running.sort_by(|a, b| keep_order(a, b));
    plan.delete.extend(running.iter().skip(1).map(|pod| pod.name().to_owned()));
}

/// The pods of an old template that may go now: those that are of no use, and of the others as many
/// as `maxUnavailable` leaves.
fn outdated(observed: &Observed<'_>) -> Vec<String> {
    let min_ready = api::views::workload::min_ready_seconds(observed.ds);
    let available =
        |pod: &Value| available_in(pod, min_ready, observed.now).is_some_and(|wait| wait.is_zero());
    let (max, mut missing) = unavailable(observed, &available);
    let old = observed.nodes.iter().flat_map(|on_node| &on_node.pods);
    let old =
        old.filter(|pod| !is_updated(observed.ds, pod, observed.hash) && !is_terminating(pod));
    let (useful, useless): (Vec<_>, Vec<_>) = old.partition(|pod| available(pod));
    let mut gone: Vec<String> = useless.iter().map(|pod| pod.name().to_owned()).collect();
    for pod in useful {
        if missing >= max {
            break;
        }
        missing += 1;
        gone.push(pod.name().to_owned());
    }
    gone
}

/// How many wanted nodes may be, and how many are, without an available pod.
fn unavailable(observed: &Observed<'_>, available: &dyn Fn(&Value) -> bool) -> (i64, i64) {
    let wanted = || observed.nodes.iter().filter(|on_node| on_node.verdict.wanted);
    let serves = |pod: &Arc<Value>| available(pod) && !is_terminating(pod);
    let missing = wanted().filter(|on_node| !on_node.pods.iter().any(serves)).count();
    let total = i64::try_from(wanted().count()).unwrap_or(i64::MAX);
    let path = ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"];
    let max = observed.ds.at(&path).and_then(|max| int_or_string::resolve(max, total, true).ok());
    (max.unwrap_or(1), i64::try_from(missing).unwrap_or(i64::MAX))
}

fn status(observed: &Observed<'_>) -> Value {
    let ds = observed.ds;
    let min_ready = api::views::workload::min_ready_seconds(ds);
    let (mut desired, mut current, mut misscheduled) = (0, 0, 0);
    let (mut ready, mut available, mut updated) = (0, 0, 0);
    for on_node in observed.nodes {
        let first = on_node.pods.iter().min_by(|a, b| keep_order(a, b));
        if !on_node.verdict.wanted {
            misscheduled += i64::from(first.is_some());
            continue;
        }
        desired += 1;
        let Some(pod) = first else { continue };
        current += 1;
        updated += i64::from(is_updated(ds, pod, observed.hash));
        ready += i64::from(is_ready(pod));
        let wait = available_in(pod, min_ready, observed.now);
        available += i64::from(wait.is_some_and(|wait| wait.is_zero()));
    }
    let mut status = json!({
        "observedGeneration": ds.generation(),
        "currentNumberScheduled": current,
        "desiredNumberScheduled": desired,
        "numberMisscheduled": misscheduled,
        "numberReady": ready,
    });
    for (field, count) in [
        ("updatedNumberScheduled", updated),
        ("numberAvailable", available),
        ("numberUnavailable", desired - available),
    ] {
        if count != 0 {
            status[field] = json!(count);
        }
    }
    for field in ["collisionCount", "conditions"] {
        if let Some(value) = ds.at(&["status", field]) {
            status[field] = value.clone();
        }
    }
    status
}
