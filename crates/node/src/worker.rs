//! One pod's worker: repeats the sync of its pod and carries out what was decided.
//!
//! A sync computes and writes the status, plans, and then works through the plan's actions one after
//! another; what an action waits for is the worker's `active` state. Events that arrive meanwhile only
//! mark the worker dirty: it syncs again when it has worked through the plan. A sync in which a start
//! failed is repeated after 10 to 15 seconds.
//!
//! Mirrors: `pkg/kubelet/pod_workers.go`, `pkg/kubelet/kubelet.go` `syncPod`.
//! Deviation: exits are noticed at once, not at the next relisting.

mod io;
mod kill;
mod probes;
mod recover;
mod start;
mod volumes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Text, Value};
use apiserver::DeleteOptions;
use controller_runtime::{EventType, Key};
use cri::{Command, ContainerExit, ContainerStatus, Error, Id, Image, Reply, SandboxStatus};
use world::Time;

pub(crate) use self::io::{Io, Purpose, Tickets};
use self::kill::Kill;
use self::volumes::Mounting;
pub(crate) use self::volumes::shown_objects;
use crate::backoff::{Backoff, go_duration};
use crate::config::Served;
use crate::env::Place;
use crate::plan::{Action, is_down, plan};
use crate::probe::{Kind, Probe};
use crate::record::{Exit, PodRecord, Sandbox};
use crate::status::{Input as StatusInput, pod_status};
use crate::volumes::Failure;

/// How long after a failed sync the next comes at the earliest.
const RESYNC: Duration = Duration::from_secs(10);

/// What the runtime had to say to this pod.
#[derive(Debug)]
pub(crate) enum Input {
    Reply(Purpose, Result<Reply, Error>),
    Exited(ContainerExit),
    SandboxExited(Id),
    /// The runtime has a container of this pod that is not as the record says, in this sandbox.
    Found(Box<ContainerStatus>, Option<Box<SandboxStatus>>),
}

/// What the action under way waits for.
#[derive(Debug, Clone, PartialEq)]
enum Active {
    Sandbox,
    StopSandbox,
    KillPod,
    Kill(Text),
    ImageStatus(Starting),
    Pull(Starting),
    Create(Starting, Box<Image>),
    Start(Starting),
    PostStart(Starting),
}

/// The container being started.
#[derive(Debug, Clone, PartialEq)]
struct Starting {
    name: Text,
    init: bool,
}

/// An instance that is being removed.
#[derive(Debug, Default)]
struct Stray {
    /// When to try again, once it could not be removed.
    again_at: Option<Time>,
    /// How it has ended meanwhile.
    exit: Option<Box<ContainerExit>>,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) key: Key,
    pub(crate) uid: Arc<str>,
    pub(crate) node: Arc<Served>,
    pod: Arc<Value>,
    record: PodRecord,
    inbox: VecDeque<Input>,
    steps: VecDeque<Action>,
    active: Option<Active>,
    kills: BTreeMap<Text, Kill>,
    probes: BTreeMap<(Text, Kind), Probe>,
    /// What is known of the volumes of a sandbox that is to be made.
    mounting: Option<Box<Mounting>>,
    /// When the files of the pod's volumes are brought up to date.
    refresh_at: Option<Time>,
    /// When the tokens among them are replaced.
    rotate_at: Option<Time>,
    /// The grace period of a pod that the agent itself ends in a hurry.
    grace_override: Option<Duration>,
    /// Whether the pod counts for what its node has left.
    pub(crate) counted: bool,
    /// Sandboxes to be removed with the pod.
    sandboxes: Vec<Id>,
    removing: usize,
    /// Instances that nobody wants.
    strays: BTreeMap<Id, Stray>,
    /// Ids of all sandboxes and containers made.
    owned: Vec<Id>,
    /// A sandbox was refused, which the engine may have made nevertheless.
    doubt: bool,
    /// The pod is not in the API any more.
    gone: bool,
    dirty: bool,
    /// Only the status has to be computed anew.
    status_dirty: bool,
    /// Containers that the sync under way has killed.
    killed: BTreeSet<Text>,
    resync_at: Option<Time>,
}

fn exit_of(exit: &ContainerExit) -> Exit {
    let reason = match exit.exit_code {
        _ if exit.oom_killed => "OOMKilled",
        0 => "Completed",
        _ => "Error",
    };
    Exit {
        code: exit.exit_code,
        reason,
        message: exit.message.clone(),
        finished_at: exit.finished_at,
    }
}

/// Whether a worker still has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Goes,
    Finished,
}

impl Worker {
    pub(crate) fn new(key: Key, pod: Arc<Value>, node: Arc<Served>, io: &Io<'_, '_>) -> Self {
        let now = io.now();
        let mut worker = Self {
            key,
            uid: Arc::from(pod.uid()),
            node,
            record: PodRecord::new(now),
            pod,
            inbox: VecDeque::new(),
            steps: VecDeque::new(),
            active: None,
            kills: BTreeMap::new(),
            probes: BTreeMap::new(),
            mounting: None,
            refresh_at: None,
            rotate_at: None,
            grace_override: None,
            counted: false,
            sandboxes: Vec::new(),
            removing: 0,
            strays: BTreeMap::new(),
            owned: Vec::new(),
            doubt: false,
            gone: false,
            dirty: true,
            status_dirty: false,
            killed: BTreeSet::new(),
            resync_at: None,
        };
        worker.plan_probes(io);
        worker
    }

    pub(crate) fn push(&mut self, input: Input) {
        if self.inbox.capacity() == 0 {
            // Hardly ever does more than one thing happen to a pod at a time.
            self.inbox.reserve_exact(1);
        }
        self.inbox.push_back(input);
    }

    /// Ids of all sandboxes and containers made.
    pub(crate) fn owned(&self) -> &[Id] {
        &self.owned
    }

    fn own(&mut self, id: &Id, io: &mut Io<'_, '_>) {
        io.tickets.own(id, &self.uid);
        self.owned.reserve_exact(1);
        self.owned.push(Id::clone(id));
    }

    /// As [`Self::own`], for a sandbox.
    fn own_sandbox(&mut self, id: &Id, io: &mut Io<'_, '_>) {
        self.own(id, io);
        self.note_sandbox(Id::clone(id));
    }

    /// Sandbox `id` is to be removed with the pod.
    fn note_sandbox(&mut self, id: Id) {
        if let Err(place) = self.sandboxes.binary_search(&id) {
            self.sandboxes.reserve_exact(1);
            self.sandboxes.insert(place, id);
        }
    }

    /// Ids of the running containers that were started before `time`.
    pub(crate) fn running_before(&self, time: Time) -> Vec<Id> {
        let running = self.record.running().map(|(_, instance)| instance);
        let before = running.filter(|instance| instance.started_at.is_none_or(|at| at < time));
        before.map(|instance| Id::clone(&instance.id)).collect()
    }

    /// Takes over the pod as it stands in the API; `None` when it is gone or replaced.
    pub(crate) fn observe(&mut self, pod: Option<Arc<Value>>, io: &mut Io<'_, '_>) {
        let Some(pod) = pod else {
            self.dirty |= !self.gone;
            self.gone = true;
            return;
        };
        if self.take_known(&pod) {
            return;
        }
        self.notice_metadata(&pod, io);
        let same = |path: &[&str]| pod.at(path) == self.pod.at(path);
        let asks_the_same = same(&["spec"])
            && same(&["metadata", "deletionTimestamp"])
            && same(&["metadata", "deletionGracePeriodSeconds"]);
        if !asks_the_same {
            self.dirty = true;
            self.pod = pod;
            self.shorten_kills(io);
        } else {
            // A status that somebody else wrote is put right, as upstream's does within ten seconds.
            self.status_dirty |= !same(&["status"]);
            self.pod = pod;
        }
    }

    /// Takes over a pod that the worker has written itself or knows already, as everybody else has it;
    /// gives whether it is one.
    pub(crate) fn take_known(&mut self, pod: &Arc<Value>) -> bool {
        let is_known =
            Arc::ptr_eq(pod, &self.pod) || pod.resource_version() == self.pod.resource_version();
        if is_known {
            self.pod = Arc::clone(pod);
        }
        is_known
    }

    /// Whether nothing but time can give the worker something to do.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_busy = self.active.is_none() && (self.dirty || !self.steps.is_empty());
        !is_busy && !self.status_dirty && self.inbox.is_empty() && !self.ending()
    }

    /// Marks the pod for a sync.
    pub(crate) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    fn ending(&self) -> bool {
        self.gone || self.pod.deletion_timestamp().is_some()
    }

    /// Works on as far as possible without waiting.
    pub(crate) fn run(&mut self, io: &mut Io<'_, '_>) -> Result<Progress, Status> {
        while let Some(input) = self.inbox.pop_front() {
            self.take(input, io);
        }
        self.check_deadline(io);
        self.run_kill_timers(io);
        self.remove_strays(io);
        self.run_probes(io);
        self.refresh_volumes(io);
        while self.active.is_none() {
            if let Some(step) = self.steps.pop_front() {
                self.begin(step, io);
            } else if self.dirty || self.resync_at.is_some_and(|at| at <= io.now()) {
                self.sync(io)?;
            } else {
                break;
            }
        }
        if self.status_dirty {
            self.write_status(io)?;
        }
        if self.active.is_none() && self.ending() && is_down(&self.record) {
            return self.finish(io);
        }
        Ok(Progress::Goes)
    }

    fn sync(&mut self, io: &mut Io<'_, '_>) -> Result<(), Status> {
        self.write_status(io)?;
        self.dirty = false;
        self.resync_at = None;
        self.killed.clear();
        if !self.strays.is_empty() && !self.ending() {
            // Comes again when they are gone.
            return Ok(());
        }
        let actions = plan(&self.pod, &self.record, self.ending());
        let creates = actions.iter().any(|a| matches!(a, Action::CreateSandbox { .. }));
        if creates && !self.volumes_ready(io) {
            return Ok(());
        }
        if self.steps.is_empty() {
            self.steps = actions.into();
        } else {
            self.steps.extend(actions);
        }
        Ok(())
    }

    /// When the worker wants to run although nothing happens.
    pub(crate) fn next_timer(&self) -> Option<Time> {
        let resync = self.resync_at.filter(|_| self.active.is_none());
        let kills = self.kills.values().filter_map(Kill::timer);
        let probes =
            self.probes.iter().filter_map(|((name, _), probe)| self.probe_is_due_at(name, probe));
        let refresh =
            self.files_due().filter(|_| matches!(self.record.sandbox, Sandbox::Ready { .. }));
        let strays = self.strays.values().filter_map(|stray| stray.again_at);
        let own = resync.into_iter().chain(refresh).chain(self.deadline()).chain(strays);
        own.chain(kills).chain(probes).min()
    }

    fn deadline(&self) -> Option<Time> {
        let seconds = self.pod.int_at(&["spec", "activeDeadlineSeconds"])?;
        let over = self.record.failed.is_some() || self.ending();
        let terminal = matches!(self.pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
        let after = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        (!over && !terminal).then_some(self.record.started_at + after)
    }

    fn check_deadline(&mut self, io: &mut Io<'_, '_>) {
        if self.deadline().is_some_and(|at| at <= io.now()) {
            let reason = "DeadlineExceeded";
            let message = "Pod was active on the node longer than the specified deadline";
            self.record.failed = Some(Box::new((reason.to_owned(), message.to_owned())));
            self.event(io, EventType::Normal, reason, message, "");
            self.dirty = true;
        }
    }

    fn write_status(&mut self, io: &mut Io<'_, '_>) -> Result<(), Status> {
        if self.gone {
            self.status_dirty = false;
            return Ok(());
        }
        let input = StatusInput {
            pod: &self.pod,
            record: &self.record,
            host_ip: &self.node.config.address,
            scheme: io.runtime.scheme(),
            now: io.now(),
        };
        let mut status = pod_status(&input);
        if self.record.sandbox == Sandbox::None {
            status = self.node.shared(status);
        }
        if self.pod.at(&["status"]) != Some(&status) {
            match io.cx.client.replace_status(&api::PODS, &self.pod, status) {
                Ok(stored) => self.pod = stored,
                Err(status) if status.is_not_found() => {}
                Err(status) => return Err(status),
            }
        }
        self.status_dirty = false;
        Ok(())
    }

    /// Removes what is left of an ended pod, then the pod itself.
    fn finish(&mut self, io: &mut Io<'_, '_>) -> Result<Progress, Status> {
        if self.resync_at.is_some() {
            // What could not be removed is not tried again at once.
            return Ok(Progress::Goes);
        }
        for id in std::mem::take(&mut self.sandboxes) {
            self.removing += 1;
            self.submit(io, Purpose::Remove(Id::clone(&id)), Command::RemovePodSandbox { id });
        }
        if self.removing > 0 {
            return Ok(Progress::Goes);
        }
        if !self.gone {
            self.write_last_status(io)?;
            let options = DeleteOptions::now(&self.uid);
            match io.cx.client.delete(&api::PODS, self.key.namespace(), self.key.name(), options) {
                Err(status) if !status.is_not_found() && !status.is_conflict() => {
                    return Err(status);
                }
                _ => {}
            }
        }
        Ok(Progress::Finished)
    }

    /// Writes that what still waited in a pod that goes has ended.
    fn write_last_status(&mut self, io: &mut Io<'_, '_>) -> Result<(), Status> {
        let status = self.pod.at(&["status"]).and_then(crate::status::terminated);
        let Some(status) = status else { return Ok(()) };
        match io.cx.client.replace_status(&api::PODS, &self.pod, status) {
            Ok(stored) => self.pod = stored,
            Err(status) if status.is_not_found() => {}
            Err(status) => return Err(status),
        }
        Ok(())
    }

    /// Where the pod runs.
    fn place(&self) -> Place<'_> {
        let (host, ip) = (self.node.config.address.as_str(), self.record.ip());
        let pod_ip = if ip.is_empty() { host } else { ip };
        Place { pod_ip, host_ip: host, allocatable: (self.node.milli_cpu, self.node.memory) }
    }

    /// Ends the pod because its node needs what it uses.
    pub(crate) fn evict(&mut self, message: &str, io: &mut Io<'_, '_>) {
        self.event(io, EventType::Warning, "Evicted", message, "");
        self.record.failed = Some(Box::new(("Evicted".to_owned(), message.to_owned())));
        self.grace_override = Some(Duration::ZERO);
        self.dirty = true;
    }

    /// The pod as last seen.
    pub(crate) fn pod(&self) -> &Arc<Value> {
        &self.pod
    }

    /// The worker has nothing to do for a while: what was needed for work is given back.
    pub(crate) fn rest(&mut self) {
        self.inbox.shrink_to_fit();
        self.steps.shrink_to_fit();
    }

    /// Whether the pod takes nothing of its node any more.
    pub(crate) fn is_over(&self) -> bool {
        self.gone || self.record.failed.is_some() || api::views::pod::is_terminal(&self.pod)
    }

    fn submit(&self, io: &mut Io<'_, '_>, purpose: Purpose, command: Command) {
        let ticket = io.tickets.issue(&self.uid, purpose);
        io.runtime.submit(ticket, command);
    }

    fn event(
        &self,
        io: &mut Io<'_, '_>,
        kind: EventType,
        reason: &str,
        message: &str,
        field_path: &str,
    ) {
        io.event(&self.pod, &self.node.config.name, kind, reason, message, field_path);
    }

    fn container_event(
        &self,
        io: &mut Io<'_, '_>,
        name: &str,
        kind: EventType,
        reason: &str,
        message: &str,
    ) {
        let path = crate::record::field_path(&self.pod, name).unwrap_or_default();
        self.event(io, kind, reason, message, &path);
    }

    /// The container named `name` of the pod's spec.
    fn spec_of(&self, name: &str) -> Option<&Value> {
        let lists = ["containers", "initContainers", "ephemeralContainers"];
        let all = lists.iter().flat_map(|list| self.pod.list_at(&["spec", list]));
        all.into_iter().find(|container| container.str_at(&["name"]) == name)
    }

    /// Ends a sync in which something failed: the rest of the plan is dropped and made anew later.
    fn fail_sync(&mut self, io: &Io<'_, '_>) {
        let jitter = Duration::from_millis(io.cx.world.random_below(5000));
        self.resync_at = Some(io.now() + RESYNC + jitter);
    }

    fn begin(&mut self, step: Action, io: &mut Io<'_, '_>) {
        match step {
            Action::KillPod => self.begin_kill_pod(io),
            Action::Kill { name, message } => {
                self.kill(&name, &message, io);
                self.killed.insert(name.clone());
                self.active = Some(Active::Kill(name));
                self.after_exit(io);
            }
            Action::CreateSandbox { attempt } => self.begin_sandbox(attempt, io),
            Action::Start { name, init } => self.begin_start(Starting { name, init }, io),
        }
    }

    fn take(&mut self, input: Input, io: &mut Io<'_, '_>) {
        match input {
            Input::Exited(exit) => self.exited(&exit, io),
            Input::SandboxExited(id) => self.sandbox_exited(&id, io),
            Input::Found(container, home) => self.found(container, home, io),
            Input::Reply(purpose, result) => self.replied(purpose, result, io),
        }
    }

    fn replied(&mut self, purpose: Purpose, result: Result<Reply, Error>, io: &mut Io<'_, '_>) {
        match purpose {
            Purpose::Step => self.step_done(result, io),
            Purpose::PreStop(name) => self.pre_stop_done(&name, &result, io),
            Purpose::Stop(name) => self.stop_done(&name, result.is_ok(), io),
            Purpose::Probe(name, kind, id) => self.probe_done(&name, kind, &id, result, io),
            Purpose::Stray(id) => self.stray_removed(&id, result.is_ok(), io.now()),
            Purpose::Forget => {}
            Purpose::Refresh => self.refreshed(result.is_ok(), io),
            Purpose::Remove(id) => {
                self.removing -= 1;
                if result.is_err() {
                    self.note_sandbox(id);
                    self.fail_sync(io);
                }
            }
        }
    }

    fn step_done(&mut self, result: Result<Reply, Error>, io: &mut Io<'_, '_>) {
        let Some(active) = self.active.take() else { return };
        if let Err(Error::Unavailable(_)) = result {
            self.doubt |= active == Active::Sandbox;
            self.steps.clear();
            return self.fail_sync(io);
        }
        match active {
            Active::Sandbox => self.sandbox_done(result, io),
            Active::StopSandbox => self.sandbox_stopped(result.is_ok(), io),
            Active::ImageStatus(starting) => self.image_known(starting, result, io),
            Active::Pull(starting) => self.pulled(starting, result, io),
            Active::Create(starting, image) => self.created(starting, &image, result, io),
            Active::Start(starting) => self.started(starting, result, io),
            Active::PostStart(starting) => self.post_started(&starting, &result, io),
            waiting @ (Active::KillPod | Active::Kill(_)) => self.active = Some(waiting),
        }
    }

    fn begin_sandbox(&mut self, attempt: u32, io: &mut Io<'_, '_>) {
        if attempt > 0 {
            let message = "Pod sandbox changed, it will be killed and re-created.";
            self.event(io, EventType::Normal, "SandboxChanged", message, "");
            // Init containers run again in a new sandbox, from the first.
            for container in self.pod.list_at(&["spec", "initContainers"]) {
                self.record.containers.remove(container.str_at(&["name"]));
            }
        }
        let mounting = self.mounting.as_mut();
        let volumes = mounting.map(|m| std::mem::take(&mut m.volumes)).unwrap_or_default();
        let mut config = Box::new(crate::container::sandbox_config(&self.pod, attempt, volumes));
        config.uid = Arc::clone(&self.uid);
        if self.node.own_ports {
            crate::container::publish_at(&mut config.ports, &self.node.config.address);
        }
        self.active = Some(Active::Sandbox);
        self.submit(io, Purpose::Step, Command::RunPodSandbox { config });
    }

    fn sandbox_done(&mut self, result: Result<Reply, Error>, io: &mut Io<'_, '_>) {
        match result {
            Ok(Reply::Sandbox(status)) => {
                self.own_sandbox(&status.id, io);
                self.record.sandboxes += 1;
                self.record.sandbox = Sandbox::Ready { id: status.id, ip: status.ip };
                self.mounting = None;
                self.dirty = true;
            }
            Err(Error::Volume { volume, message }) => {
                self.steps.clear();
                self.mount_failed(&[Failure { volume, message }], io);
            }
            other => {
                let text = other.err().map(|error| error.to_string()).unwrap_or_default();
                let message = format!("Failed create pod sandbox: {text}");
                self.event(io, EventType::Warning, "FailedCreatePodSandBox", &message, "");
                self.doubt = true;
                self.steps.clear();
                self.fail_sync(io);
            }
        }
        if self.ending() {
            self.steps.clear();
        }
    }

    fn sandbox_exited(&mut self, id: &str, io: &mut Io<'_, '_>) {
        if let Sandbox::Ready { id: own, ip } = &self.record.sandbox
            && **own == *id
        {
            self.record.sandbox = Sandbox::Stopped { id: Id::clone(own), ip: ip.clone() };
            self.dirty = true;
            self.after_exit(io);
        }
    }

    fn exited(&mut self, exit: &ContainerExit, io: &mut Io<'_, '_>) {
        if let Some(stray) = self.strays.get_mut(&exit.id) {
            stray.exit = Some(Box::new(exit.clone()));
        }
        let ended = self.record.containers.iter_mut().find_map(|(name, record)| {
            let instance =
                record.current.as_mut().filter(|i| i.id == exit.id && i.exit.is_none())?;
            instance.exit = Some(Box::new(exit_of(exit)));
            record.failed_probe = None;
            Some(name.clone())
        });
        if let Some(name) = ended {
            self.kills.remove(&name);
            self.dirty = true;
            self.after_exit(io);
        }
    }

    /// `<pod>_<namespace>(<uid>)`, as messages name the pod.
    fn full_name(&self) -> String {
        format!("{}_{}({})", self.pod.name(), self.pod.namespace(), self.uid)
    }

    fn crash_message(&self, name: &str, backoff: Backoff) -> String {
        format!(
            "Back-off {} restarting failed container={name} pod={}",
            go_duration(backoff.delay()),
            self.full_name()
        )
    }
}
