//! The controller that serves the nodes of this process.
//!
//! Keys with a namespace are pods, keys without are nodes. Runtime events and timers come in through
//! `poll` and are handed to the pods' workers; a reconcile lets the workers of one key work on.

mod control;
mod eviction;
mod recovery;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching,
};
use cri::{
    Command, ContainerExit, ContainerRuntime, ContainerState, Event, Id, Reply, SandboxStatus,
    Ticket,
};
use rustc_hash::FxHashMap;
use world::Time;

pub use self::control::AgentControl;
use self::eviction::Pressure;
use self::recovery::{Ended, Leftovers, Recovery, UNDER_WAY};
use crate::admission::{Refusal, Used, admit};
use crate::config::{AgentConfig, HOUSEKEEPING, NodeConfig, Served};
use crate::node_status;
use crate::worker::{Input, Io, Progress, Tickets, Worker, shown_objects};

/// Exit code of a container whose end nobody saw.
const UNSEEN: i64 = 137;
/// How soon a runtime that could not say what there is, is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The node agent.
#[derive(Debug)]
pub struct Agent {
    heartbeat: Option<Duration>,
    nodes: BTreeMap<String, Arc<Served>>,
    runtime: Box<dyn ContainerRuntime>,
    control: AgentControl,
    recovery: Recovery,
    /// What the runtime has is known since the last turn.
    look_at_all: bool,
    pressure: Pressure,
    /// What the pods of each node use.
    used: BTreeMap<String, Used>,
    /// By the uids of their pods.
    workers: FxHashMap<Arc<str>, Box<Worker>>,
    /// Uids of the pods whose volumes show an object: namespace and `configmaps/<name>` or
    /// `secrets/<name>`.
    shown: BTreeMap<Key, BTreeSet<Arc<str>>>,
    /// Pod uids by key, sorted; more than one while a pod is replaced by another of its name.
    uids: FxHashMap<Key, Vec<Arc<str>>>,
    tickets: Tickets,
    timers: BTreeSet<(Time, Arc<str>)>,
    timer_of: FxHashMap<Arc<str>, Time>,
    /// Why the engine cannot be used, while it cannot.
    trouble: Option<String>,
    listing: Option<Ticket>,
    /// When that was asked.
    listed_at: Time,
    /// Whether what is there is to be compared with what should be, as after an outage.
    compares: bool,
    /// When to ask the runtime again what there is, as it could not say.
    ask_again: Option<Time>,
    /// When to look once more for what nobody wants; never while there can be nothing.
    look_again_at: Option<Time>,
    /// Sandboxes that no worker knows, with the uids of their pods.
    strange: Vec<(Id, Id)>,
    leftovers: Leftovers,
    next_heartbeat: Option<Time>,
    /// Nodes that this agent has registered and told of.
    announced: BTreeSet<String>,
}

/// The agent for `config` on `runtime`, ready for a driver. The caller has set the runtime's wake
/// function where the runtime needs one.
#[must_use]
pub fn agents(config: AgentConfig, runtime: Box<dyn ContainerRuntime>) -> Box<dyn Controller> {
    Box::new(Agent::new(config, runtime))
}

fn bound_pods(_: &Caches, change: &Change) -> Vec<Key> {
    let bound = !change.object().str_at(&["spec", "nodeName"]).is_empty();
    if bound { vec![change.key()] } else { Vec::new() }
}

/// A node that comes or goes; its status changes are the agent's own.
fn new_and_gone(_: &Caches, change: &Change) -> Vec<Key> {
    let came_or_went = change.old.is_none() || change.new.is_none();
    if came_or_went { vec![change.key()] } else { Vec::new() }
}

/// An object with new data, as a key that no pod can have.
fn changed_object(change: &Change, resource: &str) -> Vec<Key> {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return Vec::new() };
    let data = |object: &Value| ["data", "binaryData"].map(|field| object.at(&[field]).cloned());
    if data(old) == data(new) {
        return Vec::new();
    }
    vec![Key::new(new.namespace(), &format!("{resource}/{}", new.name()))]
}

fn changed_config_map(_: &Caches, change: &Change) -> Vec<Key> {
    changed_object(change, "configmaps")
}

fn changed_secret(_: &Caches, change: &Change) -> Vec<Key> {
    changed_object(change, "secrets")
}

impl Agent {
    /// An agent that serves the nodes of `config` on `runtime`.
    #[must_use]
    pub fn new(config: AgentConfig, runtime: Box<dyn ContainerRuntime>) -> Self {
        // Other systems have but one loopback address.
        let own_ports = config.nodes.len() > 1 && cfg!(target_os = "linux");
        let served = |node: NodeConfig| {
            let name = node.name.clone();
            let mut served = Served::new(node);
            served.own_ports = own_ports;
            (name, Arc::new(served))
        };
        Self {
            heartbeat: config.heartbeat,
            nodes: config.nodes.into_iter().map(served).collect(),
            runtime,
            control: AgentControl::default(),
            recovery: Recovery::Begins,
            look_at_all: false,
            pressure: Pressure::default(),
            used: BTreeMap::new(),
            workers: FxHashMap::default(),
            shown: BTreeMap::new(),
            uids: FxHashMap::default(),
            tickets: Tickets::default(),
            timers: BTreeSet::new(),
            timer_of: FxHashMap::default(),
            trouble: None,
            listing: None,
            listed_at: Time::default(),
            compares: false,
            ask_again: None,
            look_again_at: None,
            strange: Vec::new(),
            leftovers: Leftovers::default(),
            next_heartbeat: Some(Time::default()),
            announced: BTreeSet::new(),
        }
    }

    /// Obeys `control`, which may have been another agent's before.
    #[must_use]
    pub fn with_control(mut self, control: AgentControl) -> Self {
        self.control = control;
        self
    }

    /// The handle for scenarios and tests.
    #[must_use]
    pub fn control(&self) -> AgentControl {
        self.control.clone()
    }

    fn node_keys(&self) -> Vec<Key> {
        let living = self.nodes.keys().filter(|name| !self.control.is_stopped(name));
        living.map(|name| Key::new("", name)).collect()
    }

    /// Hands `event` to whom it concerns; gives the keys to look at.
    fn route(&mut self, event: Event, now: Time) -> Vec<Key> {
        match event {
            Event::Done { ticket, result } if self.listing == Some(ticket) => {
                self.listing = None;
                match result {
                    Ok(reply) if !self.recovery.is_over() => self.recovered(reply),
                    Ok(reply) => {
                        let mut keys = self.notice_strays(&reply, now);
                        if std::mem::take(&mut self.compares) {
                            keys.extend(self.compare(&reply, now));
                        }
                        keys
                    }
                    Err(_) => {
                        self.ask_again = Some(now + ASK_AGAIN);
                        Vec::new()
                    }
                }
            }
            Event::Done { ticket, result }
                if self.leftovers.answered(ticket, result.is_ok(), now) =>
            {
                Vec::new()
            }
            Event::Done { ticket, result } => match self.tickets.redeem(ticket) {
                Some((uid, purpose)) => self.hand(&uid, Input::Reply(purpose, result)),
                None => Vec::new(),
            },
            Event::ContainerExited(exit) => match self.tickets.owner(&exit.id) {
                Some(uid) => self.hand(&uid, Input::Exited(exit)),
                None => {
                    self.recovery.note(Ended::Container(exit));
                    Vec::new()
                }
            },
            Event::SandboxExited { id } => match self.tickets.owner(&id) {
                Some(uid) => self.hand(&uid, Input::SandboxExited(id)),
                None => {
                    self.recovery.note(Ended::Sandbox(id));
                    Vec::new()
                }
            },
            Event::EngineUnavailable { message } => {
                self.trouble = Some(message);
                self.node_keys()
            }
            Event::EngineAvailable => {
                self.trouble = None;
                self.compares = self.recovery.is_over();
                self.list(now);
                self.node_keys()
            }
        }
    }

    fn list(&mut self, now: Time) {
        let ticket = self.tickets.fresh();
        (self.ask_again, self.listed_at) = (None, now);
        self.listing = Some(ticket);
        self.runtime.submit(ticket, Command::List);
    }

    fn hand(&mut self, uid: &str, input: Input) -> Vec<Key> {
        let Some(worker) = self.workers.get_mut(uid) else { return Vec::new() };
        worker.push(input);
        vec![worker.key.clone()]
    }

    /// After an outage: ends what ended meanwhile, and looks at every pod.
    fn compare(&mut self, reply: &Reply, now: Time) -> Vec<Key> {
        let Reply::List { containers, sandboxes } = reply else { return Vec::new() };
        let running: BTreeSet<&str> = containers
            .iter()
            .filter(|c| c.state == ContainerState::Running)
            .map(|c| &*c.id)
            .collect();
        let listed_at = self.listed_at;
        let mut keys = Vec::new();
        for worker in self.in_order() {
            // The answer says nothing of what was started after the question.
            for id in worker.running_before(listed_at) {
                if running.contains(&*id) {
                    continue;
                }
                let known = containers.iter().find(|c| c.id == id).and_then(|c| c.exit.clone());
                let unseen = || ContainerExit {
                    id: id.clone(),
                    exit_code: UNSEEN,
                    oom_killed: false,
                    finished_at: now,
                    message: String::new(),
                };
                worker.push(Input::Exited(known.map_or_else(unseen, |exit| *exit)));
            }
            let uid = Arc::clone(&worker.uid);
            for sandbox in sandboxes.iter().filter(|s| !s.running && *s.pod_uid == *uid) {
                worker.push(Input::SandboxExited(Id::clone(&sandbox.id)));
            }
            worker.mark_dirty();
            keys.push(worker.key.clone());
        }
        keys
    }

    /// The workers in the order of their pods' uids.
    fn in_order(&mut self) -> impl Iterator<Item = &mut Worker> {
        let mut workers: Vec<&mut Worker> = self.workers.values_mut().map(Box::as_mut).collect();
        workers.sort_unstable_by(|a, b| a.uid.cmp(&b.uid));
        workers.into_iter()
    }

    /// The uids of the pods of that key.
    fn uids_of(&self, key: &Key) -> Vec<Arc<str>> {
        self.uids.get(key).cloned().unwrap_or_default()
    }

    fn due(&mut self, now: Time) -> Vec<Key> {
        let mut keys = Vec::new();
        while let Some((at, uid)) = self.timers.first().cloned().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, Arc::clone(&uid)));
            self.timer_of.remove(&uid);
            if let Some(worker) = self.workers.get(&uid) {
                keys.push(worker.key.clone());
            }
        }
        if self.next_heartbeat.is_some_and(|at| at <= now) {
            self.next_heartbeat = self.heartbeat.map(|period| now + period);
            keys.extend(self.node_keys());
        }
        keys
    }

    fn set_timer(&mut self, uid: &Arc<str>, at: Option<Time>) {
        if let Some(old) = self.timer_of.remove(uid) {
            self.timers.remove(&(old, Arc::clone(uid)));
        }
        if let Some(at) = at {
            self.timer_of.insert(Arc::clone(uid), at);
            self.timers.insert((at, Arc::clone(uid)));
        }
    }

    fn reconcile_node(&mut self, cx: &mut Context<'_>, name: &str) -> Result<(), Status> {
        let Some(served) = self.nodes.get(name).map(Arc::clone) else { return Ok(()) };
        if self.control.is_stopped(name) {
            return Ok(());
        }
        let config = &served.config;
        let node = match cx.caches.get(&api::NODES, "", name) {
            Some(node) => node,
            // Whoever deletes a node wants it gone; an agent registers it when it begins.
            None if self.announced.contains(name) => return Ok(()),
            None => match cx.client.create(&api::NODES, "", node_status::document(config)) {
                Ok(node) => node,
                Err(status) if status.is_already_exists() => {
                    cx.client.get(&api::NODES, "", name)?
                }
                Err(status) => return Err(status),
            },
        };
        let trouble = self.trouble.as_deref();
        let version = self.runtime.version();
        let health = node_status::Health { trouble, memory_pressure: self.pressure.is_on(name) };
        let status = node_status::status(config, &node, &version, &health, cx.world.now());
        let was_ready = api::views::node::is_ready(&node);
        let mut updated = (*node).clone();
        updated.set(&["status"], status);
        cx.client.update_status(&api::NODES, updated)?;
        self.announce(cx, &node, was_ready);
        Ok(())
    }

    fn announce(&mut self, cx: &mut Context<'_>, node: &Value, was_ready: bool) {
        let name = node.name();
        let events = if self.announced.insert(name.to_owned()) {
            node_status::start_events(name)
        } else {
            let reason = match (&self.trouble, was_ready) {
                (Some(_), true) => "NodeNotReady",
                (None, false) => "NodeReady",
                _ => return,
            };
            vec![(reason, format!("Node {name} status is now: {reason}"))]
        };
        let mut io = Io { cx, runtime: &mut *self.runtime, tickets: &mut self.tickets };
        for (reason, message) in events {
            io.event(node, name, EventType::Normal, reason, &message, "");
        }
    }

    /// A ConfigMap or Secret has changed: the files of the pods that show it follow.
    fn reconcile_object(&mut self, cx: &mut Context<'_>, key: &Key) {
        let uids: Vec<Arc<str>> = self.shown.get(key).into_iter().flatten().cloned().collect();
        for uid in uids {
            let Some(worker) = self.workers.get_mut(&uid) else { continue };
            let io = Io { cx, runtime: &mut *self.runtime, tickets: &mut self.tickets };
            worker.volumes_changed(&io);
            let timer = worker.next_timer();
            self.set_timer(&uid, timer);
        }
    }

    fn reconcile_pod(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<(), Status> {
        if !self.recovery.is_over() {
            // Comes again when it is known what runs already.
            return Ok(());
        }
        let pod = cx.caches.get_key(&api::PODS, key);
        if pod.as_ref().is_some_and(|pod| self.passes_over(key, pod, cx.world.now())) {
            return Ok(());
        }
        let mut failure = match &pod {
            Some(pod) => self.accept(cx, key, pod).err(),
            None => None,
        };
        let uids = self.uids_of(key);
        let mut io = Io { cx, runtime: &mut *self.runtime, tickets: &mut self.tickets };
        for uid in uids {
            let Some(worker) = self.workers.get_mut(&uid) else { continue };
            if self.control.is_stopped(&worker.node.config.name) {
                continue;
            }
            let own = pod.clone().filter(|pod| *pod.uid() == *uid);
            worker.observe(own, &mut io);
            let progress = worker.run(&mut io);
            let strays = worker.wants_look().then(|| io.now() + HOUSEKEEPING);
            let sandbox = worker.take_doubt().then(|| io.now() + UNDER_WAY);
            let looks = strays.into_iter().chain(sandbox).chain(self.look_again_at);
            self.look_again_at = looks.min();
            if worker.counted && (worker.is_over() || progress == Ok(Progress::Finished)) {
                worker.counted = false;
                if let Some(used) = self.used.get_mut(&worker.node.config.name) {
                    used.remove(worker.pod());
                }
            }
            match progress {
                Ok(Progress::Goes) => {}
                Ok(Progress::Finished) => {
                    io.tickets.disown(worker.owned());
                    if let Some(worker) = self.workers.remove(&uid) {
                        forget_shown(&mut self.shown, &worker);
                    }
                }
                Err(status) => failure = Some(status),
            }
        }
        self.settle(key);
        failure.map_or(Ok(()), Err)
    }

    /// Whether all there is to say of `pod` is known to its worker, which waits for nothing that has
    /// come: what the agent hears of its own writes.
    fn passes_over(&mut self, key: &Key, pod: &Arc<Value>, now: Time) -> bool {
        let uid = pod.uid();
        let Some(worker) = self.workers.get_mut(uid) else { return false };
        if !worker.take_known(pod) || !worker.is_at_rest() {
            return false;
        }
        let timer = worker.next_timer();
        timer.is_none_or(|at| at > now)
            && self.timer_of.get(uid).copied() == timer
            && !self.recovery.awaits(uid)
            && !self.control.is_stopped(&worker.node.config.name)
            && self.uids.get(key).is_some_and(|uids| uids.len() == 1)
    }

    /// Gives a pod that is new to one of our nodes a worker, if the node takes it.
    fn accept(&mut self, cx: &mut Context<'_>, key: &Key, pod: &Arc<Value>) -> Result<(), Status> {
        if self.workers.contains_key(pod.uid()) && !self.recovery.awaits(pod.uid()) {
            return Ok(());
        }
        let name = pod.str_at(&["spec", "nodeName"]);
        let Some(node) = self.nodes.get(name).map(Arc::clone) else { return Ok(()) };
        if self.control.is_stopped(name) {
            // What was found of the pod waits until the agent of its node goes on.
            return Ok(());
        }
        let ending = pod.deletion_timestamp().is_some();
        let over = api::views::pod::is_terminal(pod) && !ending;
        let (mut sandboxes, containers) = self.recovery.take(pod.uid());
        if self.workers.contains_key(pod.uid()) {
            return Ok(());
        }
        let is_empty = |sandbox: &mut SandboxStatus| {
            !containers.iter().any(|container| container.sandbox == sandbox.id)
        };
        for sandbox in sandboxes.extract_if(.., is_empty) {
            // Perhaps half made. Whoever made it is dead, and nothing begins in it any more.
            self.leftovers.add(sandbox.id);
        }
        let known = !sandboxes.is_empty() || !containers.is_empty();
        if over && !known {
            return Ok(());
        }
        let used = self.used.entry(name.to_owned()).or_default();
        let mut io = Io { cx, runtime: &mut *self.runtime, tickets: &mut self.tickets };
        if !ending && !over && !known {
            let registered = io.cx.caches.get(&api::NODES, "", name);
            let registered =
                registered.unwrap_or_else(|| Arc::new(node_status::document(&node.config)));
            let pressed = self.pressure.refuses(name, pod);
            let verdict = pressed.map_or(Ok(()), Err);
            if let Err(refusal) = verdict.and_then(|()| admit(pod, used, &node, &registered)) {
                return reject(pod, &refusal, name, &mut io);
            }
        }
        let mut worker = Worker::new(key.clone(), pod.clone(), node, &io);
        if known {
            worker.adopt(sandboxes, containers, &mut io);
        }
        worker.counted = !over;
        if worker.counted {
            used.add(pod);
        }
        for object in shown_objects(pod) {
            let object = Key::new(pod.namespace(), &object);
            self.shown.entry(object).or_default().insert(Arc::clone(&worker.uid));
        }
        let uids = self.uids.entry(key.clone()).or_default();
        if let Err(place) = uids.binary_search(&worker.uid) {
            uids.reserve_exact(1);
            uids.insert(place, Arc::clone(&worker.uid));
        }
        self.workers.insert(Arc::clone(&worker.uid), Box::new(worker));
        Ok(())
    }

    /// Sets the timers of a key's workers and forgets the finished ones.
    fn settle(&mut self, key: &Key) {
        for uid in self.uids_of(key) {
            // The agent of a silent node wants nothing.
            let stopped = |worker: &Worker| self.control.is_stopped(&worker.node.config.name);
            let timer = self
                .workers
                .get(&uid)
                .map(|worker| if stopped(worker) { None } else { worker.next_timer() });
            self.set_timer(&uid, timer.flatten());
            if let Some(worker) = self.workers.get_mut(&uid) {
                worker.rest();
            }
            if timer.is_none()
                && let Some(uids) = self.uids.get_mut(key)
            {
                uids.retain(|other| *other != uid);
            }
        }
        if self.uids.get(key).is_some_and(Vec::is_empty) {
            self.uids.remove(key);
        }
    }
}

fn forget_shown(shown: &mut BTreeMap<Key, BTreeSet<Arc<str>>>, worker: &Worker) {
    let pod = worker.pod();
    for object in shown_objects(pod) {
        let object = Key::new(pod.namespace(), &object);
        if let Some(uids) = shown.get_mut(&object) {
            uids.remove(&worker.uid);
            if uids.is_empty() {
                shown.remove(&object);
            }
        }
    }
}

/// Fails a pod that its node does not take.
fn reject(pod: &Value, refusal: &Refusal, node: &str, io: &mut Io<'_, '_>) -> Result<(), Status> {
    let Refusal { reason, message } = refusal;
    let mut failed = pod.clone();
    failed.set(&["status", "phase"], json!("Failed"));
    failed.set(&["status", "reason"], json!(reason));
    failed.set(&["status", "message"], json!(format!("Pod {message}")));
    failed.set(&["status", "startTime"], json!(io.now().rfc3339()));
    match io.cx.client.update_status(&api::PODS, failed) {
        Err(status) if !status.is_not_found() => return Err(status),
        _ => {}
    }
    io.event(pod, node, EventType::Warning, reason, message, "");
    Ok(())
}

impl Controller for Agent {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&api::PODS, bound_pods),
            Watching::new(&api::NODES, new_and_gone),
            Watching::new(&api::CONFIG_MAPS, changed_config_map),
            Watching::new(&api::SECRETS, changed_secret),
            Watching::reading(&api::SERVICES),
            Watching::reading(&api::PERSISTENT_VOLUME_CLAIMS),
            Watching::reading(&api::PERSISTENT_VOLUMES),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if key.namespace().is_empty() {
            self.reconcile_node(cx, key.name())?;
        } else if key.name().contains('/') {
            self.reconcile_object(cx, key);
        } else {
            self.reconcile_pod(cx, key)?;
        }
        Ok(Requeue::Done)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Vec<Key>> {
        let now = cx.world.now();
        let mut keys = self.obey(cx);
        self.begin(now);
        self.look_again(now);
        for event in self.runtime.poll() {
            keys.extend(self.route(event, now));
        }
        keys.extend(self.due(now));
        keys.extend(self.after_recovery(cx));
        self.clean_up(cx);
        keys.extend(self.watch_pressure(cx));
        Some(keys)
    }

    fn next_wakeup(&self) -> Option<Time> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let runtime = self.runtime.next_event_at();
        let asks = self.ask_again.filter(|_| self.idle());
        let again = self.look_again_at.filter(|_| self.idle());
        let own = timer.into_iter().chain(runtime).chain(self.next_heartbeat);
        let own = own.chain(asks).chain(again).chain(self.leftovers.next());
        own.chain(self.pressure.next_look()).min()
    }
}
