//! What the scheduler writes: bindings, conditions, events, nominations.
//!
//! Invariant: a pod that vanished meanwhile is nobody's loss.

use api::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS};
use apimachinery::json::Name as _;
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Text, Value};
use apiserver::event::{Involved, Told};
use apiserver::{DeleteOptions, PatchKind};
use controller_runtime::{Context, Error, EventType, Key};
use world::Time;

use crate::DEFAULT_SCHEDULER;
use crate::predicates::Binding;

/// On the `Scheduled` event: the revision of the store that the decision was made from.
pub const REVISION_ANNOTATION: &str = "scheduler.rehearse/revision";
/// On the `Scheduled` event: how many decisions had been a matter of turns before.
pub const TURN_ANNOTATION: &str = "scheduler.rehearse/turn";

/// What a decision can be made again from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) revision: u64,
    pub(super) turn: u64,
    pub(super) took_turn: bool,
}

pub(super) fn tell(
    cx: &mut Context<'_>,
    pod: &Value,
    kind: EventType,
    reason: &str,
    message: &str,
) {
    cx.recorder.event(DEFAULT_SCHEDULER, pod, kind, reason, message);
}

/// Tells that the pod is bound, and from which facts that was decided. The facts stand on the event and
/// not on the pod, which looks as it always has.
pub(super) fn scheduled(cx: &Context<'_>, pod: &Value, node: &str, facts: Facts) {
    let (at, namespace, name) = (cx.world.now(), pod.namespace(), pod.name());
    let nanos = u128::try_from(at.unix_nanos()).unwrap_or_default();
    let marks = [(REVISION_ANNOTATION, facts.revision), (TURN_ANNOTATION, facts.turn)];
    let told = Told {
        involved: Involved::of(pod, ""),
        // Odd ends tell it from what the recorder names at the same time.
        ending: nanos << 4 | 1,
        annotations: marks
            .map(|(name, mark)| (name, Value::from(mark.to_string())))
            .into_iter()
            .collect(),
        at,
        event_type: "Normal",
        reason: "Scheduled".into(),
        message: format!("Successfully assigned {namespace}/{name} to {node}").into(),
        component: DEFAULT_SCHEDULER.name(),
        host: Text::new(),
    };
    if let Err(status) = cx.client.tell(told) {
        tracing::debug!(%status, "event dropped");
    }
}

/// Binds claims to volumes, or tells their provisioner the node.
pub(super) fn bind_claims(cx: &Context<'_>, open: &[Binding], node: &str) -> Result<(), Error> {
    for binding in open {
        let written = match binding {
            Binding::Volume { volume, claim } => {
                let holder = json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1",
                    "namespace": claim.namespace(), "name": claim.name(), "uid": claim.uid()});
                let patch = json!({"spec": {"claimRef": holder}});
                cx.client.patch(&PERSISTENT_VOLUMES, "", volume.name(), PatchKind::Merge, patch)
            }
            Binding::Provision { claim } => {
                let told = claim.annotation("volume.kubernetes.io/selected-node") == Some(node);
                if told {
                    continue;
                }
                let annotations = json!({"volume.kubernetes.io/selected-node": node});
                let patch = json!({"metadata": {"annotations": annotations}});
                let claims = &PERSISTENT_VOLUME_CLAIMS;
                cx.client.patch(claims, claim.namespace(), claim.name(), PatchKind::Merge, patch)
            }
        };
        written?;
    }
    Ok(())
}

/// The pod's status with `PodScheduled` false; `None` when it says so already.
pub(super) fn unscheduled(pod: &Value, reason: &str, message: &str, now: Time) -> Option<Value> {
    let mut condition = json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
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
    status.set(&["conditions"], Value::from(conditions));
    Some(status)
}

/// Writes the condition; a pod that changed or vanished meanwhile comes up again by itself.
pub(super) fn condition(
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

/// Says for which node a pod waits, or that it waits for none any more.
pub(super) fn nominate(cx: &Context<'_>, pod: &Key, node: Option<&str>) {
    let patch = json!({"status": {"nominatedNodeName": node}});
    let (namespace, name) = (pod.namespace(), pod.name());
    if let Err(status) = cx.client.patch_status(&PODS, namespace, name, PatchKind::Merge, patch) {
        tracing::debug!(%status, "nomination dropped");
    }
}

/// Sends a pod away to make room for a more important one.
pub(super) fn evict(cx: &mut Context<'_>, victim: &Value, pod: &Value, node: &str) {
    let (namespace, name) = (victim.namespace(), victim.name());
    if let Err(status) = cx.client.delete(&PODS, namespace, name, DeleteOptions::default()) {
        tracing::debug!(%status, "victim is gone already");
        return;
    }
    let message = format!("by {}/{} on node {node}", pod.namespace(), pod.name());
    tell(cx, victim, EventType::Normal, "Preempted", &message);
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
                "message": "a", "lastTransitionTime": "2018-10-11T12:00:00Z"}])
        );
        pod.set(&["status"], first);
        let later = time("2018-10-11T12:01:00Z");
        assert_eq!(unscheduled(&pod, "Unschedulable", "a", later), None);
        let changed = unscheduled(&pod, "Unschedulable", "b", later).unwrap();
        assert_eq!(changed["conditions"][0]["message"], "b");
        assert_eq!(changed["conditions"][0]["lastTransitionTime"], "2018-10-11T12:00:00Z");
    }
}
