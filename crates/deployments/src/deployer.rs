//! What runs inside the deployer pod: one strategy per running deployer container.
//!
//! On OpenShift this is a process of its own; here it is a controller whose log lines and exit code
//! become those of the pod's container. It looks at the rollouts, asks the [`Strategy`] what is next
//! and carries that out through the API. While a lifecycle hook runs ([`hook_run`]) the strategy
//! waits.
//!
//! Invariant: only a running deployer container scales; when it is asked to stop it stops at once.
//! Invariant: an action whose write fails is tried again before anything else is done.
//!
//! Mirrors: `openshift/origin pkg/cmd/infra/deployer/deployer.go`.

mod hook_run;
mod rollouts;
mod warnings;

use std::collections::{BTreeMap, VecDeque};

use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{Change, Context, Controller, Error, Key, Requeue, Watching};
use cri::builtin::{Builtin, BuiltinContainer};

use self::hook_run::{HookRun, Progress};
use self::rollouts::{Rollouts, begin_update, end_update, set_replicas};
use crate::keys;
use crate::rollout::{Phase, deployer_pod_name};
use crate::strategy::{Action, Strategy};

/// Exit code of a deployer that was asked to stop.
const TERMINATED: i64 = 143;

/// Runs the strategies of all deployer pods of this process.
#[derive(Debug)]
pub struct Deployer {
    builtin: Builtin,
    /// What runs, by uid of the deployer pod.
    processes: BTreeMap<String, Process>,
}

/// One deployer at work.
#[derive(Debug)]
struct Process {
    strategy: Strategy,
    config: Value,
    hook: Option<HookRun>,
    /// What the strategy wants done and is not done yet.
    actions: VecDeque<Action>,
}

/// Where a deployer writes its log.
#[derive(Debug, Clone, Copy)]
struct Log<'a> {
    builtin: &'a Builtin,
    pod_uid: &'a str,
}

impl Log<'_> {
    fn print(&self, text: &str) {
        text.lines().for_each(|line| self.builtin.print(self.pod_uid, line));
    }
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
    fn run(
        &mut self,
        cx: &mut Context<'_>,
        container: &BuiltinContainer,
    ) -> Result<Requeue, Error> {
        let uid = container.pod_uid.as_str();
        if self.builtin.stopping(uid) {
            self.exit(uid, TERMINATED);
            return Ok(Requeue::Done);
        }
        let begun = self.processes.contains_key(uid);
        let rollouts = Rollouts::find(cx, container)
            .and_then(|rollouts| if begun { Ok(rollouts) } else { self.begin(uid, rollouts) });
        let rollouts = match rollouts {
            Ok(rollouts) => rollouts,
            Err(text) => {
                self.fail(uid, &text);
                return Ok(Requeue::Done);
            }
        };
        let log = Log { builtin: &self.builtin, pod_uid: uid };
        if !begun {
            scale_down_older(cx, &rollouts, log);
        }
        let Some(process) = self.processes.get_mut(uid) else { return Ok(Requeue::Done) };
        let mut outcome = None;
        if let Some(hook) = &mut process.hook {
            match hook.go_on(cx, &rollouts, log) {
                Progress::LookAgain(after) => return Ok(Requeue::After(after)),
                Progress::Ended(result) => outcome = Some(result),
            }
            process.hook = None;
        }
        if process.actions.is_empty() {
            process.actions = process.strategy.next(&rollouts.observe(cx, outcome)).into();
        }
        self.carry_out(cx, uid, &rollouts)
    }

    /// Chooses the strategy of a deployer that was just started. One that has written to its log
    /// lives on from before this process was killed: it may have got as far as removing the number
    /// of replicas that it was asked for.
    fn begin(&mut self, uid: &str, rollouts: Rollouts) -> Result<Rollouts, String> {
        let fresh = !self.builtin.has_printed(uid);
        if fresh && rollouts.to.annotation(keys::DESIRED_REPLICAS).is_none() {
            let name = rollouts.to.name();
            return Err(format!("deployment {name} has already run to completion"));
        }
        let config = rollouts.config()?;
        let strategy = Strategy::for_config(&config, rollouts.from.is_some())?;
        let process = Process { strategy, config, hook: None, actions: VecDeque::new() };
        self.processes.insert(uid.to_owned(), process);
        Ok(rollouts)
    }

    /// Does what the strategy wants, up to a write that fails.
    fn carry_out(
        &mut self,
        cx: &mut Context<'_>,
        uid: &str,
        rollouts: &Rollouts,
    ) -> Result<Requeue, Error> {
        let mut requeue = Requeue::Done;
        while let Some(action) = self.processes.get(uid).and_then(|p| p.actions.front().cloned()) {
            requeue = requeue.sooner(self.act(cx, uid, rollouts, action)?);
            if let Some(process) = self.processes.get_mut(uid) {
                process.actions.pop_front();
            }
        }
        Ok(requeue)
    }

    fn act(
        &mut self,
        cx: &mut Context<'_>,
        uid: &str,
        rollouts: &Rollouts,
        action: Action,
    ) -> Result<Requeue, Error> {
        let log = Log { builtin: &self.builtin, pod_uid: uid };
        match action {
            Action::Print(text) => log.print(&text),
            Action::Scale(side, count) => {
                if let Some(rc) = rollouts.side(side) {
                    set_replicas(cx, rc, count)?;
                }
            }
            Action::BeginUpdate => begin_update(cx, rollouts)?,
            Action::EndUpdate => end_update(cx, rollouts)?,
            Action::RunHook(moment) => {
                if let Some(process) = self.processes.get_mut(uid) {
                    let hook = HookRun::begin(cx, &process.config, rollouts, moment, log);
                    process.hook = Some(hook);
                    return Ok(Requeue::After(hook_run::FIRST_LOOK));
                }
            }
            Action::Wake(at) => return Ok(Requeue::After(at.since(cx.world.now()))),
            Action::Succeed => {
                warnings::tell(cx, rollouts, log);
                log.print("--> Success");
                self.exit(uid, 0);
            }
            Action::Fail(text) => {
                warnings::tell(cx, rollouts, log);
                self.fail(uid, &text);
            }
        }
        Ok(Requeue::Done)
    }
}

/// Scales rollouts to nothing that are neither the new one nor the one it takes over from; that one
/// cannot be scaled is told, not fatal.
fn scale_down_older(cx: &Context<'_>, rollouts: &Rollouts, log: Log<'_>) {
    for older in rollouts.others() {
        match set_replicas(cx, older, 0) {
            Ok(()) => log.print(&format!("--> Scaled older deployment {} down", older.name())),
            Err(error) => {
                let place = format!("{}/{}", older.namespace(), older.name());
                let text = format!("error: Couldn't scale down prior deployment {place}: {error}");
                log.print(&text);
            }
        }
    }
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

/// The deployer pod that a deployer or hook pod belongs to.
fn deployer_pod(change: &Change) -> Vec<Key> {
    let pod = change.object();
    let rollout = pod.label(keys::DEPLOYER_POD_FOR);
    if rollout.is_empty() {
        return Vec::new();
    }
    vec![Key::new(pod.namespace(), &deployer_pod_name(rollout))]
}

/// The deployer pod of a changed rollout. A change of the old side is noticed at the next poll of
/// the strategy.
fn deployer_of(change: &Change) -> Vec<Key> {
    let rc = change.object();
    let under_way = matches!(Phase::of(rc), Phase::Pending | Phase::Running);
    if rc.annotation(keys::CONFIG_NAME).is_none() || !under_way {
        return Vec::new();
    }
    vec![Key::new(rc.namespace(), &deployer_pod_name(rc.name()))]
}
