//! What runs inside the deployer pod: one strategy per running deployer container.
//!
//! On OpenShift this is a process of its own; here it is a controller whose log lines and exit code
//! become those of the pod's container. It looks at the rollouts, asks the [`Strategy`] what is next
//! and carries that out through the API. While a lifecycle hook runs ([`hook_run`]) the strategy
//! waits. A container with a command of its own runs that ([`program`]).
//!
//! Invariant: only a running deployer container scales; when it is asked to stop it stops at once.
//! Invariant: an action whose write fails is tried again before anything else is done.
//!
//! Mirrors: `openshift/origin pkg/cmd/infra/deployer/deployer.go`.

mod hook_run;
mod program;
mod rollouts;
mod warnings;

use std::collections::{BTreeMap, VecDeque};

use api::Verb;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Attributes, User};
use controller_runtime::{Change, Context, Controller, Error, Key, Requeue, Watching};
use cri::builtin::{Builtin, BuiltinContainer};
use world::Time;

use self::hook_run::{HookRun, Progress};
use self::program::{Instruction, PROGRAMS, Program};
use self::rollouts::{Rollouts, begin_update, end_update, set_replicas};
use crate::keys;
use crate::rollout::{Phase, deployer_pod_name};
use crate::strategy::{Action, Strategy, Until};

/// Exit code of a shell that does not understand its script.
const BAD_SCRIPT: i64 = 2;
/// Exit code of a deployer that was asked to stop.
const TERMINATED: i64 = 143;

/// Runs the strategies of all deployer pods of this process.
#[derive(Debug)]
pub struct Deployer {
    builtin: Builtin,
    /// What runs, by uid of the deployer pod.
    processes: BTreeMap<String, Process>,
    /// Up to which change of the builtin containers they were looked at.
    seen: Option<u64>,
}

/// One deployer container at work.
#[derive(Debug)]
struct Process {
    program: Program,
    work: Work,
    /// It had written to its log when it was found: it lives on from before this process was killed.
    lives_on: bool,
}

/// What a program waits for.
#[derive(Debug)]
enum Work {
    Nothing,
    Sleep(Time),
    Deploy(Box<Deployment>),
}

/// One rollout under way.
#[derive(Debug)]
struct Deployment {
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
        PROGRAMS.iter().for_each(|program| builtin.register_program(program));
        Self { builtin, processes: BTreeMap::new(), seen: None }
    }

    fn exit(&mut self, pod_uid: &str, code: i64) {
        self.processes.remove(pod_uid);
        self.builtin.exit(pod_uid, code);
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
        if !self.processes.contains_key(uid) {
            match Program::of(&container.command) {
                Ok(program) => {
                    let lives_on = self.builtin.has_printed(uid);
                    let process = Process { program, work: Work::Nothing, lives_on };
                    self.processes.insert(uid.to_owned(), process);
                }
                Err(text) => {
                    self.builtin.print(uid, &text);
                    self.exit(uid, BAD_SCRIPT);
                }
            }
        }
        while let Some(process) = self.processes.get_mut(uid) {
            match &mut process.work {
                Work::Nothing => {
                    let instruction = process.program.next(&container.env);
                    self.carry_on(cx, container, instruction);
                }
                Work::Sleep(until) if cx.world.now() < *until => {
                    return Ok(Requeue::After(until.since(cx.world.now())));
                }
                Work::Sleep(_) => process.end(0),
                Work::Deploy(_) => {
                    if let Some(requeue) = self.deploy(cx, container)? {
                        return Ok(requeue);
                    }
                }
            }
        }
        Ok(Requeue::Done)
    }

    /// Does what the program of a container wants, or begins it.
    fn carry_on(
        &mut self,
        cx: &mut Context<'_>,
        container: &BuiltinContainer,
        instruction: Instruction,
    ) {
        let uid = container.pod_uid.as_str();
        let lives_on = self.processes.get(uid).is_some_and(|process| process.lives_on);
        let log = Log { builtin: &self.builtin, pod_uid: uid };
        let (code, work) = match instruction {
            Instruction::End(code) => {
                self.exit(uid, code);
                return;
            }
            Instruction::Print(text) => {
                log.print(&text);
                (0, Work::Nothing)
            }
            Instruction::Complain(text, code) => {
                log.print(&text);
                (code, Work::Nothing)
            }
            Instruction::Sleep(time) => (0, Work::Sleep(cx.world.now() + time)),
            Instruction::Scale(name, replicas) => {
                (scale_as_told(cx, container, &name, replicas, log), Work::Nothing)
            }
            Instruction::Deploy(until) => match begin(cx, container, (until, lives_on), log) {
                Ok(Some(deployment)) => (0, Work::Deploy(Box::new(deployment))),
                Ok(None) => (0, Work::Nothing),
                Err(text) => {
                    log.print(&format!("error: {text}"));
                    (1, Work::Nothing)
                }
            },
        };
        if let Some(process) = self.processes.get_mut(uid) {
            process.end(code);
            process.work = work;
        }
    }

    /// One look at a rollout; `None` when it is over.
    fn deploy(
        &mut self,
        cx: &mut Context<'_>,
        container: &BuiltinContainer,
    ) -> Result<Option<Requeue>, Error> {
        let uid = container.pod_uid.as_str();
        let log = Log { builtin: &self.builtin, pod_uid: uid };
        let Some(process) = self.processes.get_mut(uid) else { return Ok(None) };
        let Work::Deploy(deployment) = &mut process.work else { return Ok(None) };
        let rollouts = match Rollouts::find(cx, container) {
            Ok(rollouts) => rollouts,
            Err(text) => {
                log.print(&format!("error: {text}"));
                process.end(1);
                return Ok(None);
            }
        };
        let mut outcome = None;
        if let Some(hook) = &mut deployment.hook {
            match hook.go_on(cx, &rollouts, log) {
                Progress::LookAgain(after) => return Ok(Some(Requeue::After(after))),
                Progress::Ended(result) => outcome = Some(result),
            }
            deployment.hook = None;
        }
        if deployment.actions.is_empty() {
            deployment.actions = deployment.strategy.next(&rollouts.observe(cx, outcome)).into();
        }
        let (requeue, code) = deployment.carry_out(cx, &rollouts, log)?;
        Ok(match code {
            Some(code) => {
                process.end(code);
                None
            }
            None => Some(requeue),
        })
    }
}

impl Process {
    /// What it worked on is over.
    fn end(&mut self, code: i64) {
        self.program.ended(code);
        self.work = Work::Nothing;
    }
}

/// Chooses the strategy of a deployer that is started; `None` when it is to stop before it begins. One
/// that lives on from before this process was killed may have got as far as removing the number of
/// replicas that it was asked for.
fn begin(
    cx: &mut Context<'_>,
    container: &BuiltinContainer,
    (until, lives_on): (Option<Until>, bool),
    log: Log<'_>,
) -> Result<Option<Deployment>, String> {
    let rollouts = Rollouts::find(cx, container)?;
    if !lives_on && rollouts.to.annotation(keys::DESIRED_REPLICAS).is_none() {
        let name = rollouts.to.name();
        return Err(format!("deployment {name} has already run to completion"));
    }
    let config = rollouts.config()?;
    let strategy = Strategy::for_config(&config, rollouts.from.is_some())?.until(until);
    if !lives_on {
        // What another process of this name told it does not know.
        cx.recorder.forget(&deployer_pod_name(rollouts.to.name()), &config);
    }
    scale_down_older(cx, &rollouts, log);
    if until == Some(Until::Start) {
        log.print("--> Ready to start deployment");
        return Ok(None);
    }
    Ok(Some(Deployment { strategy, config, hook: None, actions: VecDeque::new() }))
}

impl Deployment {
    /// Does what the strategy wants, up to a write that fails; gives when to look again, and the code
    /// when the rollout is over.
    fn carry_out(
        &mut self,
        cx: &mut Context<'_>,
        rollouts: &Rollouts,
        log: Log<'_>,
    ) -> Result<(Requeue, Option<i64>), Error> {
        let (mut requeue, mut code) = (Requeue::Done, None);
        while let Some(action) = self.actions.front().cloned() {
            match action {
                Action::Succeed | Action::Reached(_) | Action::Fail(_) => {
                    warnings::tell(cx, rollouts, log);
                    code = Some(tell_end(&action, log));
                }
                action => requeue = requeue.sooner(self.act(cx, rollouts, action, log)?),
            }
            self.actions.pop_front();
        }
        Ok((requeue, code))
    }

    fn act(
        &mut self,
        cx: &mut Context<'_>,
        rollouts: &Rollouts,
        action: Action,
        log: Log<'_>,
    ) -> Result<Requeue, Error> {
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
                self.hook = Some(HookRun::begin(cx, &self.config, rollouts, moment, log));
                return Ok(Requeue::After(hook_run::FIRST_LOOK));
            }
            Action::Wake(at) => return Ok(Requeue::After(at.since(cx.world.now()))),
            Action::Succeed | Action::Reached(_) | Action::Fail(_) => {}
        }
        Ok(Requeue::Done)
    }
}

/// The last line of a rollout, and its exit code.
fn tell_end(action: &Action, log: Log<'_>) -> i64 {
    match action {
        Action::Fail(text) => {
            log.print(&format!("error: {text}"));
            1
        }
        Action::Reached(text) => {
            log.print(&format!("--> {text}"));
            0
        }
        _ => {
            log.print("--> Success");
            0
        }
    }
}

/// `oc scale` in a script, with the rights of the pod's service account; gives the exit code.
fn scale_as_told(
    cx: &Context<'_>,
    container: &BuiltinContainer,
    name: &str,
    replicas: i64,
    log: Log<'_>,
) -> i64 {
    let namespace = container.pod_namespace.as_str();
    let pod = cx.caches.get(&api::PODS, namespace, &container.pod_name);
    let account = pod.as_deref().map_or("", |pod| pod.str_at(&["spec", "serviceAccountName"]));
    let user = User::system(&format!("system:serviceaccount:{namespace}:{account}"));
    let (verb, resource) = (Verb::Update, &api::REPLICATION_CONTROLLERS);
    let attributes =
        Attributes { user: &user, verb, resource, subresource: "scale", namespace, name };
    let outcome = if cx.client.server().allows(&attributes) {
        cx.client.update_scale(resource, namespace, name, replicas).map(drop)
    } else {
        Err(attributes.refusal("no RBAC policy matched"))
    };
    match outcome {
        Ok(()) => {
            log.print(&format!("replicationcontroller/{name} scaled"));
            0
        }
        Err(status) => {
            let reason = status.reason.as_str();
            log.print(&format!("Error from server ({reason}): {}", status.message));
            1
        }
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

    fn poll(&mut self, _cx: &mut Context<'_>) -> Option<Vec<Key>> {
        let changes = self.builtin.changes();
        if self.seen == Some(changes) {
            return Some(Vec::new());
        }
        self.seen = Some(changes);
        let running = self.builtin.running();
        let news = running.iter().filter(|container| {
            !self.processes.contains_key(&container.pod_uid)
                || self.builtin.stopping(&container.pod_uid)
        });
        let keys = news.map(|container| Key::new(&container.pod_namespace, &container.pod_name));
        Some(keys.collect())
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let found = match cx.caches.get_key(&api::PODS, key) {
            Some(pod) => self.builtin.find(pod.uid()),
            // It runs on for a while when its pod is gone already.
            None => self.builtin.running().into_iter().find(|container| {
                container.pod_namespace == *key.namespace() && container.pod_name == *key.name()
            }),
        };
        match found {
            Some(container) => self.run(cx, &container),
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
