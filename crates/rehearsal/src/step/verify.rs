//! `verifyDeployment`: waits until the newest rollout is complete and serves in full.
//!
//! A rollout that has failed is given a minute for the old pods to serve again, so that the timeline
//! tells how it ended; then the step fails.
//!
//! Invariant: an older rollout is never taken for the newest: the config must have been looked at by
//! its controllers since it last changed, and its image triggers must be at what their tags say.

use std::time::Duration;

use api::views::deployment_config::{image_changes, trigger_source};
use apimachinery::{ObjectExt as _, Value};
use apiserver::Client;
use images::stream::resolve_pull_spec;

use crate::load::Plan;
use crate::runner::{Error, Stage, ready_pods};
use crate::spec::VerifyDeployment;

/// How long the old pods get to serve again.
const ROLL_BACK: Duration = Duration::from_secs(60);

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Not there yet, and why.
    UnderWay(String),
    /// Complete, all replicas ready.
    Complete,
    /// Ended as failed: the rollout, and what it was for.
    Failed(String, String),
}

pub(super) fn run(
    step: &VerifyDeployment,
    plan: &Plan,
    stage: &mut Stage<'_, '_>,
) -> Result<(), Error> {
    let cluster = super::cluster_of(plan, &step.cluster, &step.project)?;
    stage.settle()?;
    let (project, name) = (&step.project, &step.deployment_config);
    let mut last = State::UnderWay("nothing has happened yet".to_owned());
    let patience = Duration::from_secs(step.within_seconds);
    let reached = stage.run_until(cluster, patience, &mut |client| {
        last = look(client, project, name);
        !matches!(last, State::UnderWay(_))
    })?;
    let trouble = |stage: &Stage<'_, '_>, rollout: &str| {
        let seen = stage.observers[cluster].trouble(project, rollout);
        seen.map(|text| format!(", {text}")).unwrap_or_default()
    };
    match (reached, last) {
        (_, State::Complete) => Ok(()),
        (_, State::Failed(rollout, why)) => {
            stage.run_until(cluster, ROLL_BACK, &mut |client| {
                serves_in_full(client, project, name)
            })?;
            let trouble = trouble(stage, &rollout);
            Err(Error::NotHeld(format!("{project}/{rollout} failed ({why}){trouble}")))
        }
        (_, State::UnderWay(why)) => {
            let dc = stage.client(cluster).find(&api::DEPLOYMENT_CONFIGS, project, name)?;
            let version = dc.and_then(|dc| dc.int_at(&["status", "latestVersion"])).unwrap_or(0);
            let trouble = trouble(stage, &format!("{name}-{version}"));
            let seconds = step.within_seconds;
            Err(Error::NotHeld(format!(
                "{project}/{name} is not rolled out after {seconds} s: {why}{trouble}"
            )))
        }
    }
}

fn look(client: &Client, project: &str, name: &str) -> State {
    let dc = match client.get(&api::DEPLOYMENT_CONFIGS, project, name) {
        Ok(dc) => dc,
        Err(status) => return State::UnderWay(status.message),
    };
    if dc.int_at(&["status", "observedGeneration"]).unwrap_or(0) < dc.generation() {
        return State::UnderWay("its last change has not been looked at".to_owned());
    }
    if !triggers_are_current(client, &dc) {
        return State::UnderWay("its image triggers have not been followed".to_owned());
    }
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    if version == 0 {
        return State::UnderWay("it has never been rolled out".to_owned());
    }
    let rollout = format!("{name}-{version}");
    let rc = match client.get(&api::REPLICATION_CONTROLLERS, project, &rollout) {
        Ok(rc) => rc,
        Err(status) => return State::UnderWay(status.message),
    };
    let wanted = dc.int_at(&["spec", "replicas"]).unwrap_or(0);
    match rc.annotation("openshift.io/deployment.phase").unwrap_or_default() {
        "Failed" => {
            let reason = rc.annotation("openshift.io/deployment.status-reason");
            State::Failed(rollout, reason.unwrap_or_default().to_owned())
        }
        "Complete" => {
            let ready = ready_pods(client, project, name);
            if i64::try_from(ready).is_ok_and(|ready| ready == wanted) {
                State::Complete
            } else {
                State::UnderWay(format!("{ready} of {wanted} pods of {rollout} are ready"))
            }
        }
        phase => State::UnderWay(format!("{rollout} is {phase}")),
    }
}

/// Whether the pods of the last complete rollout, if there was one, are all ready.
fn serves_in_full(client: &Client, project: &str, name: &str) -> bool {
    let dc = client.get(&api::DEPLOYMENT_CONFIGS, project, name).ok();
    let wanted = dc.and_then(|dc| dc.int_at(&["spec", "replicas"])).unwrap_or(0);
    let rollouts = client.list(&api::REPLICATION_CONTROLLERS, project).unwrap_or_default();
    let complete = |rc: &Value| rc.annotation("openshift.io/deployment.phase") == Some("Complete");
    let any = rollouts.iter().any(|rc| {
        rc.annotation("openshift.io/deployment-config.name") == Some(name) && complete(rc)
    });
    !any || i64::try_from(ready_pods(client, project, name)).is_ok_and(|ready| ready >= wanted)
}

/// Whether every automatic image trigger holds what its tag points to.
fn triggers_are_current(client: &Client, dc: &Value) -> bool {
    image_changes(dc).filter(|params| params.bool_at(&["automatic"])).all(|params| {
        let (namespace, stream, tag) = trigger_source(params, dc.namespace());
        let stream = client.get(&api::IMAGE_STREAMS, namespace, stream);
        let wanted = stream.ok().and_then(|stream| resolve_pull_spec(&stream, tag));
        wanted.is_none_or(|wanted| wanted == params.str_at(&["lastTriggeredImage"]))
    })
}
