//! What a `ReplicationController` or `ReplicaSet` waits for.
//!
//! Invariant: a refused pod is told before pods that are not ready: nothing else can go on.

use api::PODS;
use api::views::pod::{condition, is_terminating};
use api::views::workload::{available_replicas, min_ready_seconds, ready_replicas, replicas};
use apimachinery::{ObjectExt as _, Value};

use crate::facts::{Facts, are, count, title};
use crate::finding::Finding;
use crate::pod;

/// How a controller of like pods stands.
#[must_use]
pub fn look(facts: &Facts, owner: &Value) -> Finding {
    let object = title(owner);
    if let Some(finding) = deleted(owner) {
        return finding;
    }
    let wanted = replicas(owner);
    let (ready, available) = (ready_replicas(owner), available_replicas(owner));
    let there = owner.int_at(&["status", "replicas"]).unwrap_or(0);
    let pods = || facts.owned(&PODS, owner).map(|pod| &**pod);
    if let Some(failure) = failure(owner) {
        let says = format!("{wanted} wanted, {there} there, and a new one is refused: {failure}");
        return refused(Finding::held(object, says), failure)
            .because(pod::unsettled(facts, pods()));
    }
    if there < wanted {
        let says = format!("{wanted} pods are wanted and {there} {} there yet", are(there));
        return Finding::waiting(object, says).because(pod::unsettled(facts, pods()));
    }
    if there > wanted {
        let says =
            format!("{} must go: {wanted} wanted, {there} there", count(there - wanted, "pod"));
        return Finding::waiting(object, says).because(pod::unsettled(facts, pods()));
    }
    if ready < wanted {
        let says = format!("{ready} of {} {} ready", count(wanted, "pod"), are(wanted));
        let live = pods().filter(|pod| !is_terminating(pod));
        return Finding::waiting(object, says).because(pod::unsettled(facts, live));
    }
    if available < wanted {
        let seconds = min_ready_seconds(owner);
        let says = format!("all {wanted} pods are ready, {available} long enough");
        let rule = format!(
            "A pod counts as available when it has been ready for {seconds} s (minReadySeconds)"
        );
        return Finding::waiting(object, says).rule(rule);
    }
    let says = match wanted {
        0 => "it wants no pods and has none".to_owned(),
        _ => format!("{} wanted, {available} available", count(wanted, "pod")),
    };
    Finding::settled(object, says)
}

/// What is said of any object that is being deleted.
#[must_use]
pub fn deleted(owner: &Value) -> Option<Finding> {
    owner.deletion_timestamp()?;
    let held: Vec<&str> =
        owner.list_at(&["metadata", "finalizers"]).iter().filter_map(Value::as_str).collect();
    let says = format!("it is being deleted; {} must allow it", held.join(", "));
    Some(Finding::waiting(title(owner), says).rule(
        "An object with finalizers stays until each has been removed by its owner; \
         foregroundDeletion waits for the objects it controls",
    ))
}

/// Why pods of `owner` cannot be made, as its condition says.
#[must_use]
pub fn failure(owner: &Value) -> Option<&str> {
    let failure = condition(owner, "ReplicaFailure")?;
    (failure.str_at(&["status"]) == "True").then(|| failure.str_at(&["message"]))
}

/// Names the rule that refuses a pod, and what would help.
#[must_use]
pub fn refused(finding: Finding, message: &str) -> Finding {
    let known = [
        (
            "exceeded quota",
            "A ResourceQuota bounds what all pods of the project may ask for together",
            "Delete other pods of the project, ask for less, or have the quota raised: kubectl describe quota",
        ),
        (
            "must specify",
            "A ResourceQuota on CPU or memory wants every pod to say how much it asks for",
            "Give the containers requests and limits, or the project a LimitRange with defaults",
        ),
        (
            "failed quota",
            "A ResourceQuota on CPU or memory wants every pod to say how much it asks for",
            "Give the containers requests and limits, or the project a LimitRange with defaults",
        ),
        (
            "security context constraint",
            "A pod may only do what a SecurityContextConstraints allows that its service account may use",
            "Ask for less (user, volumes, host access), or: oc adm policy add-scc-to-user",
        ),
        (
            "usage per",
            "A LimitRange bounds what one pod or container may ask for",
            "Ask for an amount within the bounds: kubectl describe limits",
        ),
        (
            "serviceaccount",
            "A pod runs as a service account, which must exist",
            "Make the service account that the pod names",
        ),
        (
            "service account",
            "A pod runs as a service account, which must exist",
            "Make the service account that the pod names",
        ),
        (
            "no PriorityClass",
            "A pod's priorityClassName must name a PriorityClass",
            "Make the priority class, or name another",
        ),
    ];
    match known.iter().find(|(word, _, _)| message.contains(word)) {
        Some((_, rule, help)) => finding.rule(*rule).help(*help),
        None => finding.rule("The API server refuses a pod that breaks one of its rules"),
    }
}
