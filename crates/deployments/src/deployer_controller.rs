//! The deployer controller: gives every new rollout its deployer pod and carries the pod's phase over
//! to the rollout.
//!
//! Invariant: a phase only moves forward ([`Phase::may_become`]).
//! Invariant: all events are about the `DeploymentConfig`, as users look there.
//! Invariant: a rollout that fails again and again is left alone after [`MAX_RETRIES`] retries, until
//! it or its pods change.
//!
//! Mirrors: `openshift/origin pkg/apps/controller/deployer/deployer_controller.go`.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::selector::LabelSelector;
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{DeleteOptions, PatchKind};
use controller_runtime::{
    Change, Context, Controller, Error, EventType, Key, Requeue, Watching, same_key,
};
use world::Time;

use crate::deployer_pod;
use crate::keys;
use crate::rollout::{Phase, decode_config, deployer_pod_name, is_cancelled, replicas};

const NAME: &str = "deployer-controller";
/// Retries before a key is dropped; the last is 82 s after the one before.
pub(crate) const MAX_RETRIES: u32 = 15;

/// The controller. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct DeployerController;

/// What is known when a rollout is looked at.
#[derive(Debug, Clone)]
pub struct Observed<'a> {
    /// The rollout.
    pub rc: &'a Value,
    /// The pod named like its deployer pod, if any.
    pub pod: Option<&'a Value>,
    /// Names of its deployer and hook pods that do not name it as an owner.
    pub unowned: Vec<String>,
    /// The present.
    pub now: Time,
    /// Hardly any retry is left.
    pub last_try: bool,
}

/// What is to be done for one rollout.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create the deployer pod.
    CreatePod,
    /// Delete all deployer and hook pods of the rollout.
    DeletePods,
    /// Make the rollout an owner of this pod, so that it goes with it.
    Own(String),
    /// Move to this phase, merging these annotations.
    Become(Phase, Map),
    /// Record this event (reason, message) about the config.
    Event(EventType, &'static str, String),
    /// Fail with this, to be called again.
    Retry(Status),
}

/// Why a rollout could not be brought further.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Something that goes by.
    #[error(transparent)]
    Passing(#[from] Error),
    /// Something that users can do something about; told when retries are used up.
    #[error("{0}")]
    Actionable(String, Status),
}

/// Decides what is to be done for one rollout.
#[must_use]
pub fn plan(observed: &Observed<'_>) -> Vec<Action> {
    let rc = observed.rc;
    let cancelled = is_cancelled(rc);
    match Phase::of(rc) {
        Phase::New if cancelled => {
            vec![Action::DeletePods, Action::Become(Phase::Pending, Map::new())]
        }
        Phase::New => plan_new(observed),
        phase @ (Phase::Pending | Phase::Running) => plan_under_way(observed, phase, cancelled),
        Phase::Failed if cancelled => vec![Action::DeletePods],
        Phase::Complete => vec![Action::DeletePods],
        Phase::Failed => own(observed).collect(),
    }
}

fn own(observed: &Observed<'_>) -> impl Iterator<Item = Action> {
    observed.unowned.clone().into_iter().map(Action::Own)
}

fn plan_new(observed: &Observed<'_>) -> Vec<Action> {
    let rc = observed.rc;
    let name = place(rc);
    let config = decode_config(rc).unwrap_or(Value::Null);
    let timeout = timeout_seconds(&config);
    let created = Time::parse_rfc3339(rc.creation_timestamp()).unwrap_or(observed.now);
    let age = observed.now.since(created);
    if timeout.is_some_and(|timeout| age > timeout) {
        let seconds = timeout.map_or(0, |timeout| timeout.as_secs());
        let text = format!(
            "Rollout for {name:?} failed to create deployer pod (timeoutSeconds: {seconds}s)"
        );
        return vec![
            fail("unable to create deployer pod"),
            Action::Event(EventType::Warning, "RolloutTimeout", text),
        ];
    }
    match observed.pod {
        None if rc.annotation(keys::IGNORE_POD).is_some() => Vec::new(),
        None => vec![Action::CreatePod],
        Some(pod) if pod.annotation(keys::DEPLOYMENT_NAME) != Some(rc.name()) => {
            let text = format!(
                "Error creating deployer pod since another pod with the same name ({:?}) exists",
                pod.name()
            );
            let why = "unrelated pod with the same name as this deployment is already running";
            vec![fail(why), Action::Event(EventType::Warning, "FailedCreate", text)]
        }
        Some(pod) => {
            let phase = match phase_for(pod) {
                Phase::New => Phase::Pending,
                phase => phase,
            };
            let mut annotations = begun_annotations(pod);
            annotations.extend(ended_annotations(pod, phase));
            vec![Action::Become(phase, annotations)]
        }
    }
}

fn plan_under_way(observed: &Observed<'_>, phase: Phase, cancelled: bool) -> Vec<Action> {
    let rc = observed.rc;
    let Some(pod) = observed.pod else {
        if cancelled {
            return finish(rc, Phase::Failed, Map::new());
        }
        let name = deployer_pod_name(rc.name());
        if phase == Phase::Pending && !observed.last_try {
            return vec![Action::Retry(Status::not_found("", "pods", &name))];
        }
        let text = format!("Deployer pod {name:?} has gone missing");
        let mut actions = vec![fail("deployer pod no longer exists")];
        actions.push(Action::Event(EventType::Warning, "Failed", text));
        return actions;
    };
    let next = phase_for(pod);
    if cancelled && !next.is_terminal() {
        return vec![Action::DeletePods];
    }
    let mut actions: Vec<Action> = own(observed).collect();
    if phase.may_become(next) {
        let annotations = ended_annotations(pod, next);
        actions.extend(if next.is_terminal() {
            finish(rc, next, annotations)
        } else {
            vec![Action::Become(next, annotations)]
        });
    }
    actions
}

/// The end of a rollout: phase, bookkeeping of replicas, and what there is to say about it.
fn finish(rc: &Value, phase: Phase, mut annotations: Map) -> Vec<Action> {
    let name = place(rc);
    let mut actions = Vec::new();
    if phase == Phase::Complete {
        let desired = rc.annotation(keys::DESIRED_REPLICAS).unwrap_or_default();
        annotations.insert(keys::REPLICAS.to_owned(), json!(desired));
        annotations.insert(keys::DESIRED_REPLICAS.to_owned(), Value::Null);
        if is_cancelled(rc) {
            annotations.insert(keys::CANCELLED.to_owned(), Value::Null);
            annotations.insert(keys::STATUS_REASON.to_owned(), Value::Null);
            let text = "Succeeded before cancel recorded".to_owned();
            actions.push(Action::Event(EventType::Warning, "FailedCancellation", text));
        }
    } else if is_cancelled(rc) {
        let text = format!("Rollout for {name:?} cancelled");
        actions.push(Action::Event(EventType::Normal, "RolloutCancelled", text));
    }
    actions.insert(0, Action::Become(phase, annotations));
    actions
}

fn fail(why: &str) -> Action {
    let reason = Map::from_iter([(keys::STATUS_REASON.to_owned(), json!(why))]);
    Action::Become(Phase::Failed, reason)
}

/// The phase that a deployer pod stands for.
fn phase_for(pod: &Value) -> Phase {
    match pod.str_at(&["status", "phase"]) {
        "Running" => Phase::Running,
        "Succeeded" => Phase::Complete,
        "Failed" => Phase::Failed,
        _ => Phase::Pending,
    }
}

/// What is noted of a deployer pod when it is made or found: a pod that was just made has no start
/// yet, and none is noted later.
fn begun_annotations(pod: &Value) -> Map {
    let notes = [
        (keys::DEPLOYER_POD_NAME, pod.name().to_owned()),
        (keys::DEPLOYER_POD_CREATED_AT, go_time(pod.creation_timestamp())),
        (keys::DEPLOYER_POD_STARTED_AT, go_time(pod.str_at(&["status", "startTime"]))),
    ];
    let known = notes.into_iter().filter(|(_, text)| !text.is_empty());
    known.map(|(key, text)| (key.to_owned(), json!(text))).collect()
}

/// What is noted of a deployer pod when the rollout ends with it.
fn ended_annotations(pod: &Value, phase: Phase) -> Map {
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    let mut ended = statuses.iter().map(|s| s.str_at(&["state", "terminated", "finishedAt"]));
    let at = ended.next().filter(|_| phase.is_terminal()).map(go_time).unwrap_or_default();
    let known = Some(at).filter(|text| !text.is_empty());
    known
        .map(|text| (keys::DEPLOYER_POD_COMPLETED_AT.to_owned(), json!(text)))
        .into_iter()
        .collect()
}

fn go_time(text: &str) -> String {
    Time::parse_rfc3339(text).map(Time::go_string).unwrap_or_default()
}

/// How long a rollout may wait for its deployer pod; `None` for no limit.
fn timeout_seconds(config: &Value) -> Option<Duration> {
    let params = match config.str_at(&["spec", "strategy", "type"]) {
        "Rolling" => "rollingParams",
        "Recreate" => "recreateParams",
        _ => "",
    };
    let given = config.int_at(&["spec", "strategy", params, "timeoutSeconds"]).unwrap_or(600);
    u64::try_from(given).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

impl Controller for DeployerController {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&api::REPLICATION_CONTROLLERS, same_key),
            Watching::new(&api::PODS, |_, change| rollout_of(change)),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(rc) = cx.caches.get_key(&api::REPLICATION_CONTROLLERS, key) else {
            return Ok(Requeue::Done);
        };
        if rc.annotation(keys::CONFIG_NAME).is_none() || rc.deletion_timestamp().is_some() {
            return Ok(Requeue::Done);
        }
        let pod = cx.caches.get(&api::PODS, rc.namespace(), &deployer_pod_name(rc.name()));
        let unowned = pods_of(cx, &rc).filter(|pod| !is_owned(pod, &rc));
        let unowned = unowned.map(|pod| pod.name().to_owned()).collect();
        let (now, last_try) = (cx.world.now(), cx.retries >= MAX_RETRIES - 2);
        let observed = Observed { rc: &rc, pod: pod.as_deref(), unowned, now, last_try };
        let mut actions = plan(&observed).into_iter();
        let done = actions.try_for_each(|action| act(cx, &rc, action));
        done.map_or_else(|failure| Err(or_give_up(cx, &rc, failure)), |()| Ok(Requeue::Done))
    }
}

/// The error to end with: when all retries are used up nothing is tried any more.
fn or_give_up(cx: &mut Context<'_>, rc: &Value, failure: Failure) -> Error {
    if cx.retries < MAX_RETRIES {
        return match failure {
            Failure::Passing(error) => error,
            Failure::Actionable(_, status) => Error::Retry(status),
        };
    }
    let text = format!("Stop retrying: {failure}");
    if matches!(failure, Failure::Actionable(..)) {
        record(cx, rc, EventType::Warning, "FailedRetry", &text);
    }
    Error::Terminal(text)
}

/// The rollout that a deployer pod works for.
fn rollout_of(change: &Change) -> Vec<Key> {
    let pod = change.object();
    let rollout = pod.label(keys::DEPLOYER_POD_FOR);
    if rollout.is_empty() { Vec::new() } else { vec![Key::new(pod.namespace(), rollout)] }
}

fn act(cx: &mut Context<'_>, rc: &Value, action: Action) -> Result<(), Failure> {
    match action {
        Action::CreatePod => create_pod(cx, rc)?,
        Action::DeletePods => delete_pods(cx, rc)?,
        Action::Own(name) => own_pod(cx, rc, &name)?,
        Action::Become(phase, annotations) => become_phase(cx, rc, phase, annotations)?,
        Action::Event(event_type, reason, text) => record(cx, rc, event_type, reason, &text),
        Action::Retry(status) => return Err(Error::Retry(status).into()),
    }
    Ok(())
}

fn create_pod(cx: &mut Context<'_>, rc: &Value) -> Result<(), Failure> {
    let Some(config) = decode_config(rc) else {
        let text = format!("couldn't decode deployment config from deployment {}", rc.name());
        return Err(Error::Terminal(text).into());
    };
    let made = deployer_pod::make(rc, &config);
    match cx.client.create(&api::PODS, rc.namespace(), made) {
        Ok(pod) => {
            let annotations = begun_annotations(&pod);
            Ok(become_phase(cx, rc, Phase::Pending, annotations)?)
        }
        Err(status) => {
            let text = format!("Error creating deployer pod: {status}");
            record(cx, rc, EventType::Warning, "FailedCreate", &text);
            let text = format!("couldn't create deployer pod for {:?}: {status}", place(rc));
            Err(Failure::Actionable(text, status))
        }
    }
}

/// How messages name a rollout.
fn place(rc: &Value) -> String {
    format!("{}/{}", rc.namespace(), rc.name())
}

/// The deployer and hook pods of a rollout.
fn pods_of(cx: &Context<'_>, rc: &Value) -> impl Iterator<Item = Arc<Value>> {
    let labels = Map::from_iter([(keys::DEPLOYER_POD_FOR.to_owned(), json!(rc.name()))]);
    let selector = LabelSelector::from_map(&labels);
    let pods = cx.caches.selected(&api::PODS, rc.namespace(), &selector);
    pods.into_iter()
}

fn is_owned(pod: &Value, rc: &Value) -> bool {
    let owners = pod.list_at(&["metadata", "ownerReferences"]);
    owners.iter().any(|owner| owner.str_at(&["uid"]) == rc.uid())
}

fn own_pod(cx: &Context<'_>, rc: &Value, name: &str) -> Result<(), Error> {
    let owner = deployer_pod::owner_reference(rc);
    let patch = json!({"metadata": {"ownerReferences": [owner]}});
    match cx.client.patch(&api::PODS, rc.namespace(), name, PatchKind::Strategic, patch) {
        Err(status) if !status.is_not_found() => Err(status.into()),
        _ => Ok(()),
    }
}

/// Deletes all deployer and hook pods, as far as that can be done.
fn delete_pods(cx: &Context<'_>, rc: &Value) -> Result<(), Failure> {
    let mut left = None;
    for pod in pods_of(cx, rc).filter(|pod| pod.deletion_timestamp().is_none()) {
        let options = DeleteOptions::default();
        match cx.client.delete(&api::PODS, pod.namespace(), pod.name(), options) {
            Err(status) if !status.is_not_found() => left = Some(status),
            _ => {}
        }
    }
    let text = || format!("couldn't clean up all deployer pods for {:?}", place(rc));
    left.map_or(Ok(()), |status| Err(Failure::Actionable(text(), status)))
}

fn become_phase(
    cx: &Context<'_>,
    rc: &Value,
    phase: Phase,
    mut annotations: Map,
) -> Result<(), Error> {
    annotations.insert(keys::PHASE.to_owned(), json!(phase.as_str()));
    let mut patch = json!({"metadata": {
        "resourceVersion": rc.resource_version(), "annotations": annotations}});
    let is_test = || decode_config(rc).is_some_and(|config| config.bool_at(&["spec", "test"]));
    if phase.is_terminal() && replicas(rc) != 0 && is_test() {
        patch["spec"] = json!({"replicas": 0});
    }
    let resource = &api::REPLICATION_CONTROLLERS;
    cx.client.patch(resource, rc.namespace(), rc.name(), PatchKind::Merge, patch)?;
    Ok(())
}

fn record(cx: &mut Context<'_>, rc: &Value, event_type: EventType, reason: &str, text: &str) {
    let involved = decode_config(rc).unwrap_or_else(|| rc.clone());
    cx.recorder.event(NAME, &involved, event_type, reason, text);
}

#[cfg(test)]
mod tests;
