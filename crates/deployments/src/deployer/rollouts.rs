//! The controllers that one deployer works on: looking them up, and writing to them.
//!
//! Invariant: what is read comes from the caches; every write goes through the API.

use std::sync::Arc;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::PatchKind;
use controller_runtime::{Context, Error};
use cri::builtin::BuiltinContainer;

use crate::keys;
use crate::rollout::{self, Phase, decode_config, newest_first, replicas, version_of};
use crate::strategy::{Controller as Counts, Observed, Side};

/// The controllers that one deployer works on.
#[derive(Debug)]
pub(super) struct Rollouts {
    all: Vec<Arc<Value>>,
    pub(super) to: Arc<Value>,
    pub(super) from: Option<Arc<Value>>,
    desired: i64,
}

impl Rollouts {
    /// Looks up what the container's environment names.
    pub(super) fn find(cx: &Context<'_>, container: &BuiltinContainer) -> Result<Self, String> {
        let variable = |name: &str| {
            let found = container.env.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let name = variable("OPENSHIFT_DEPLOYMENT_NAME")
            .ok_or("--deployment or OPENSHIFT_DEPLOYMENT_NAME is required")?;
        let namespace = variable("OPENSHIFT_DEPLOYMENT_NAMESPACE")
            .ok_or("--namespace or OPENSHIFT_DEPLOYMENT_NAMESPACE is required")?;
        let resource = &api::REPLICATION_CONTROLLERS;
        let to = cx.caches.get(resource, &namespace, &name).ok_or_else(|| {
            let missing = format!("replicationcontrollers {name:?} not found");
            format!("couldn't get deployment {name}: {missing}")
        })?;
        let config = to.annotation(keys::CONFIG_NAME).unwrap_or_default();
        let mut all = rollout::of_config(cx.caches, &namespace, config);
        newest_first(&mut all);
        let complete = |rc: &&Arc<Value>| rc.uid() != to.uid() && Phase::of(rc) == Phase::Complete;
        let from = all.iter().find(complete).cloned();
        if let Some(from) = &from
            && version_of(&to) < version_of(from)
        {
            return Err(format!("deployment {name} is older than {}", from.name()));
        }
        let desired = to.annotation(keys::DESIRED_REPLICAS).and_then(|text| text.parse().ok());
        // The rolling updater removes the annotation at its end, while it still waits for the
        // controller to catch up.
        let desired = desired.unwrap_or_else(|| replicas(&to));
        Ok(Self { all, to, from, desired })
    }

    /// The config that the rollout was made from; read only where it is needed, as it is large.
    pub(super) fn config(&self) -> Result<Value, String> {
        let name = self.to.name();
        decode_config(&self.to)
            .ok_or_else(|| format!("couldn't decode deployment config from deployment {name}"))
    }

    /// Controllers with replicas that are neither the new one nor the one it takes over from.
    pub(super) fn others(&self) -> impl Iterator<Item = &Arc<Value>> {
        let from = self.from.as_ref().map(|from| from.uid().to_owned()).unwrap_or_default();
        let to = self.to.uid().to_owned();
        self.all
            .iter()
            .filter(move |rc| rc.uid() != to && rc.uid() != from)
            .filter(|rc| replicas(rc) > 0)
    }

    pub(super) fn side(&self, side: Side) -> Option<&Arc<Value>> {
        match side {
            Side::From => self.from.as_ref(),
            Side::To => Some(&self.to),
        }
    }

    pub(super) fn observe(&self, cx: &Context<'_>, hook: Option<Result<(), String>>) -> Observed {
        let from = self.from.as_ref();
        Observed {
            now: cx.world.now(),
            namespace: self.to.namespace().to_owned(),
            from: from.map(|rc| Counts::read(rc)),
            to: Counts::read(&self.to),
            desired: self.desired,
            old_pods: from.map_or(0, |rc| pods_alive(cx, rc)),
            hook,
        }
    }
}

/// Pods of `rc` that have not ended, terminating ones included.
fn pods_alive(cx: &Context<'_>, rc: &Value) -> usize {
    let ended = |pod: &Value| matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    cx.caches.owned_by(&api::PODS, rc.uid()).iter().filter(|pod| !ended(pod)).count()
}

pub(super) fn set_replicas(cx: &Context<'_>, rc: &Value, count: i64) -> Result<(), Error> {
    let resource = &api::REPLICATION_CONTROLLERS;
    cx.client.update_scale(resource, rc.namespace(), rc.name(), count)?;
    Ok(())
}

fn annotate(cx: &Context<'_>, rc: &Value, annotations: &Value) -> Result<(), Error> {
    let patch = json!({"metadata": {"annotations": annotations}});
    let resource = &api::REPLICATION_CONTROLLERS;
    cx.client.patch(resource, rc.namespace(), rc.name(), PatchKind::Merge, patch)?;
    Ok(())
}

pub(super) fn begin_update(cx: &Context<'_>, rollouts: &Rollouts) -> Result<(), Error> {
    let Some(from) = &rollouts.from else { return Ok(()) };
    if rollouts.to.annotation(keys::UPDATE_SOURCE_ID).is_none() {
        let source = format!("{}:{}", from.name(), from.uid());
        annotate(cx, &rollouts.to, &json!({keys::UPDATE_SOURCE_ID: source}))?;
    }
    if from.annotation(keys::ORIGINAL_REPLICAS).is_none() {
        let original = replicas(from).to_string();
        annotate(cx, from, &json!({keys::ORIGINAL_REPLICAS: original}))?;
    }
    Ok(())
}

pub(super) fn end_update(cx: &Context<'_>, rollouts: &Rollouts) -> Result<(), Error> {
    let gone = json!({keys::UPDATE_SOURCE_ID: null, keys::DESIRED_REPLICAS: null});
    annotate(cx, &rollouts.to, &gone)
}
