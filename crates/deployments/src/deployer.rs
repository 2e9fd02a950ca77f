//! What runs inside the deployer pod: one strategy per running deployer container.
//!
//! On OpenShift this is a process of its own; here it is a controller whose log lines and exit code
//! become those of the pod's container. It looks at the rollouts, asks the [`Strategy`] what is next
//! and carries that out through the API.
//!
//! Invariant: only a running deployer container scales; when it is asked to stop it stops at once.
//!
//! Mirrors: `openshift/origin pkg/cmd/infra/deployer/deployer.go`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::{ObjectExt as _, Value};
use apiserver::PatchKind;
use controller_runtime::{Change, Context, Controller, Error, Key, Requeue, Watching};
use cri::builtin::{Builtin, BuiltinContainer};
use serde_json::json;

use crate::keys;
use crate::rollout::{Phase, decode_config, newest_first, replicas, version_of};
use crate::strategy::{Action, Controller as Counts, Observed, Side, Strategy};

/// Exit code of a deployer that was asked to stop.
const TERMINATED: i64 = 143;

/// Runs the strategies of all deployer pods of this process.
#[derive(Debug)]
pub struct Deployer {
    builtin: Builtin,
    /// Strategies under way, by uid of the deployer pod.
    processes: BTreeMap<String, Strategy>,
}

impl Deployer {
    /// A deployer whose containers live in `builtin`; registers the deployer's image there.
    #[must_use]
    pub fn new(builtin: Builtin) -> Self {
        builtin.register(keys::DEPLOYER_IMAGE);
        Self { builtin, processes: BTreeMap::new() }
    }

    fn exit(&mut self, pod_uid: &str, code: i64) {
        self.processes.remove(pod_uid);
        self.builtin.exit(pod_uid, code);
    }

    fn fail(&mut self, pod_uid: &str, text: &str) {
        self.builtin.print(pod_uid, &format!("error: {text}"));
        self.exit(pod_uid, 1);
    }

    /// One look at one running deployer container.
    fn run(&mut self, cx: &Context<'_>, container: &BuiltinContainer) -> Result<Requeue, Error> {
        let uid = container.pod_uid.as_str();
        if self.builtin.stopping(uid) {
            self.exit(uid, TERMINATED);
            return Ok(Requeue::Done);
        }
        let rollouts = match Rollouts::find(cx, container) {
            Ok(rollouts) => rollouts,
            Err(text) => {
                self.fail(uid, &text);
                return Ok(Requeue::Done);
            }
        };
        if !self.processes.contains_key(uid) {
            if rollouts.to.annotation(keys::DESIRED_REPLICAS).is_none() {
                let name = rollouts.to.name();
                let text = format!("deployment {name} has already run to completion");
                self.fail(uid, &text);
                return Ok(Requeue::Done);
            }
            let config = match rollouts.config() {
                Ok(config) => config,
                Err(text) => {
                    self.fail(uid, &text);
                    return Ok(Requeue::Done);
                }
            };
            for older in rollouts.others() {
                set_replicas(cx, older, 0)?;
                self.builtin
                    .print(uid, &format!("--> Scaled older deployment {} down", older.name()));
            }
            match Strategy::for_config(&config, rollouts.from.is_some()) {
                Ok(strategy) => drop(self.processes.insert(uid.to_owned(), strategy)),
                Err(text) => {
                    self.fail(uid, &text);
                    return Ok(Requeue::Done);
                }
            }
        }
        let Some(strategy) = self.processes.get_mut(uid) else { return Ok(Requeue::Done) };
        let actions = strategy.next(&rollouts.observe(cx));
        self.carry_out(cx, uid, &rollouts, actions)
    }

    fn carry_out(
        &mut self,
        cx: &Context<'_>,
        uid: &str,
        rollouts: &Rollouts,
        actions: Vec<Action>,
    ) -> Result<Requeue, Error> {
        let mut requeue = Requeue::Done;
        for action in actions {
            match action {
                Action::Print(text) => {
                    text.lines().for_each(|line| self.builtin.print(uid, line));
                }
                Action::Scale(side, count) => {
                    if let Some(rc) = rollouts.side(side) {
                        set_replicas(cx, rc, count)?;
                    }
                }
                Action::BeginUpdate => begin_update(cx, rollouts)?,
                Action::EndUpdate => end_update(cx, rollouts)?,
                Action::Wake(at) => {
                    requeue = requeue.sooner(Requeue::After(at.since(cx.world.now())));
                }
                Action::Succeed => {
                    self.builtin.print(uid, "--> Success");
                    self.exit(uid, 0);
                }
                Action::Fail(text) => self.fail(uid, &text),
            }
        }
        Ok(requeue)
    }
}

/// The controllers that one deployer works on.
#[derive(Debug)]
struct Rollouts {
    all: Vec<Arc<Value>>,
    to: Arc<Value>,
    from: Option<Arc<Value>>,
    desired: i64,
}

impl Rollouts {
    /// Looks up what the container's environment names.
    fn find(cx: &Context<'_>, container: &BuiltinContainer) -> Result<Self, String> {
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
        let mut all = cx.caches.list(resource, &namespace);
        all.retain(|rc| rc.label(keys::CONFIG_NAME) == config);
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
    fn config(&self) -> Result<Value, String> {
        let name = self.to.name();
        decode_config(&self.to)
            .ok_or_else(|| format!("couldn't decode deployment config from deployment {name}"))
    }

    /// Controllers with replicas that are neither the new one nor the one it takes over from.
    fn others(&self) -> impl Iterator<Item = &Arc<Value>> {
        let from = self.from.as_ref().map(|from| from.uid().to_owned()).unwrap_or_default();
        let to = self.to.uid().to_owned();
        self.all
            .iter()
            .filter(move |rc| rc.uid() != to && rc.uid() != from)
            .filter(|rc| replicas(rc) > 0)
    }

    fn side(&self, side: Side) -> Option<&Arc<Value>> {
        match side {
            Side::From => self.from.as_ref(),
            Side::To => Some(&self.to),
        }
    }

    fn observe(&self, cx: &Context<'_>) -> Observed {
        let from = self.from.as_ref();
        Observed {
            now: cx.world.now(),
            namespace: self.to.namespace().to_owned(),
            from: from.map(|rc| Counts::read(rc)),
            to: Counts::read(&self.to),
            desired: self.desired,
            old_pods: from.map_or(0, |rc| pods_alive(cx, rc)),
        }
    }
}

/// Pods of `rc` that have not ended, terminating ones included.
fn pods_alive(cx: &Context<'_>, rc: &Value) -> usize {
    let ended = |pod: &Value| matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    cx.caches.owned_by(&api::PODS, rc.uid()).iter().filter(|pod| !ended(pod)).count()
}

fn set_replicas(cx: &Context<'_>, rc: &Value, count: i64) -> Result<(), Error> {
    let resource = &api::REPLICATION_CONTROLLERS;
    cx.client.update_scale(resource, rc.namespace(), rc.name(), count)?;
    Ok(())
}

fn annotate(cx: &Context<'_>, rc: &Value, key: &str, value: &Value) -> Result<(), Error> {
    let patch = json!({"metadata": {"annotations": {key: value}}});
    let resource = &api::REPLICATION_CONTROLLERS;
    cx.client.patch(resource, rc.namespace(), rc.name(), PatchKind::Merge, patch)?;
    Ok(())
}

fn begin_update(cx: &Context<'_>, rollouts: &Rollouts) -> Result<(), Error> {
    let Some(from) = &rollouts.from else { return Ok(()) };
    if rollouts.to.annotation(keys::UPDATE_SOURCE_ID).is_none() {
        let source = json!(format!("{}:{}", from.name(), from.uid()));
        annotate(cx, &rollouts.to, keys::UPDATE_SOURCE_ID, &source)?;
    }
    if from.annotation(keys::ORIGINAL_REPLICAS).is_none() {
        let original = json!(replicas(from).to_string());
        annotate(cx, from, keys::ORIGINAL_REPLICAS, &original)?;
    }
    Ok(())
}

fn end_update(cx: &Context<'_>, rollouts: &Rollouts) -> Result<(), Error> {
    let gone = Value::Null;
    annotate(cx, &rollouts.to, keys::UPDATE_SOURCE_ID, &gone)?;
    annotate(cx, &rollouts.to, keys::DESIRED_REPLICAS, &gone)
}

impl Controller for Deployer {
    fn name(&self) -> &'static str {
        "deployer"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&api::PODS, |_, change| deployer_pod(change)),
            Watching::new(&api::REPLICATION_CONTROLLERS, |_, change| deployer_of(change)),
        ]
    }

    fn poll(&mut self, _cx: &mut Context<'_>) -> Vec<Key> {
        let running = self.builtin.running();
        let news = running.iter().filter(|container| {
            container.image == keys::DEPLOYER_IMAGE
                && (!self.processes.contains_key(&container.pod_uid)
                    || self.builtin.stopping(&container.pod_uid))
        });
        news.map(|container| Key::new(&container.pod_namespace, &container.pod_name)).collect()
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let running = self.builtin.running();
        let found = running.iter().find(|container| {
            container.pod_namespace == *key.namespace && container.pod_name == *key.name
        });
        match found.filter(|container| container.image == keys::DEPLOYER_IMAGE) {
            Some(container) => self.run(cx, container),
            None => Ok(Requeue::Done),
        }
    }
}

fn deployer_pod(change: &Change) -> Vec<Key> {
    let pod = change.object();
    if pod.label(keys::DEPLOYER_POD_FOR).is_empty() { Vec::new() } else { vec![Key::of(pod)] }
}

/// The deployer pod of a changed rollout. A change of the old side is noticed at the next poll of
/// the strategy.
fn deployer_of(change: &Change) -> Vec<Key> {
    let rc = change.object();
    let under_way = matches!(Phase::of(rc), Phase::Pending | Phase::Running);
    if rc.annotation(keys::CONFIG_NAME).is_none() || !under_way {
        return Vec::new();
    }
    vec![Key::new(rc.namespace(), &crate::rollout::deployer_pod_name(rc.name()))]
}
