//! The controller that serves the nodes of this process.
//!
//! Keys with a namespace are pods, keys without are nodes. Runtime events and timers come in through
//! `poll` and are handed to the pods' workers; a reconcile lets the workers of one key work on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apimachinery::{ObjectExt as _, Status};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching,
};
use cri::{Command, ContainerExit, ContainerRuntime, ContainerState, Event, Reply, Ticket};
use serde_json::{Value, json};
use world::Time;

use crate::admission::{Refusal, admit};
use crate::config::{AgentConfig, NodeConfig};
use crate::node_status;
use crate::worker::{Input, Io, Progress, Tickets, Worker};

/// Exit code of a container whose end nobody saw.
const UNSEEN: i64 = 137;

/// The node agent.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    runtime: Box<dyn ContainerRuntime>,
    workers: BTreeMap<Arc<str>, Worker>,
    /// Pod uids by key; more than one while a pod is replaced by another of its name.
    uids: BTreeMap<Key, BTreeSet<Arc<str>>>,
    tickets: Tickets,
    timers: BTreeSet<(Time, Arc<str>)>,
    timer_of: BTreeMap<Arc<str>, Time>,
    /// Why the engine cannot be used, while it cannot.
    trouble: Option<String>,
    listing: Option<Ticket>,
    next_heartbeat: Option<Time>,
    announced: BTreeSet<String>,
}

/// The agent for `config` on `runtime`, ready for a driver. The caller has set the runtime's wake
/// function where the runtime needs one.
#[must_use]
pub fn agents(config: AgentConfig, runtime: Box<dyn ContainerRuntime>) -> Box<dyn Controller> {
    Box::new(Agent::new(config, runtime))
}

fn bound_pods(_: &Caches, change: &Change) -> Vec<Key> {
    let pod = change.object();
    let bound = !pod.str_at(&["spec", "nodeName"]).is_empty();
    if bound { vec![Key::of(pod)] } else { Vec::new() }
}

/// A node that comes or goes; its status changes are the agent's own.
fn new_and_gone(_: &Caches, change: &Change) -> Vec<Key> {
    let came_or_went = change.old.is_none() || change.new.is_none();
    if came_or_went { vec![Key::of(change.object())] } else { Vec::new() }
}

impl Agent {
    /// An agent that serves the nodes of `config` on `runtime`.
    #[must_use]
    pub fn new(config: AgentConfig, runtime: Box<dyn ContainerRuntime>) -> Self {
        Self {
            config,
            runtime,
            workers: BTreeMap::new(),
            uids: BTreeMap::new(),
            tickets: Tickets::default(),
            timers: BTreeSet::new(),
            timer_of: BTreeMap::new(),
            trouble: None,
            listing: None,
            next_heartbeat: Some(Time::default()),
            announced: BTreeSet::new(),
        }
    }

    fn node_keys(&self) -> Vec<Key> {
        self.config.nodes.iter().map(|node| Key::new("", &node.name)).collect()
    }

    fn node(&self, name: &str) -> Option<&NodeConfig> {
        self.config.nodes.iter().find(|node| node.name == name)
    }

    /// Hands `event` to whom it concerns; gives the keys to look at.
    fn route(&mut self, event: Event, now: Time) -> Vec<Key> {
        match event {
            Event::Done { ticket, result } if self.listing == Some(ticket) => {
                self.listing = None;
                result.map(|reply| self.compare(&reply, now)).unwrap_or_default()
            }
            Event::Done { ticket, result } => match self.tickets.redeem(ticket) {
                Some((uid, purpose)) => self.hand(&uid, Input::Reply(purpose, result)),
                None => Vec::new(),
            },
            Event::ContainerExited(exit) => match self.tickets.owner(&exit.id) {
                Some(uid) => self.hand(&uid, Input::Exited(exit)),
                None => Vec::new(),
            },
            Event::SandboxExited { id } => match self.tickets.owner(&id) {
                Some(uid) => self.hand(&uid, Input::SandboxExited(id)),
                None => Vec::new(),
            },
            Event::EngineUnavailable { message } => {
                self.trouble = Some(message);
                self.node_keys()
            }
            Event::EngineAvailable => {
                self.trouble = None;
                let ticket = self.tickets.fresh();
                self.listing = Some(ticket);
                self.runtime.submit(ticket, Command::List);
                self.node_keys()
            }
        }
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
            .map(|c| c.id.as_str())
            .collect();
        for worker in self.workers.values_mut() {
            for id in worker.running_ids() {
                if running.contains(id.as_str()) {
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
                worker.push(Input::Exited(known.unwrap_or_else(unseen)));
            }
            let uid = Arc::clone(&worker.uid);
            for sandbox in sandboxes.iter().filter(|s| !s.running && *s.pod_uid == *uid) {
                worker.push(Input::SandboxExited(sandbox.id.clone()));
            }
            worker.mark_dirty();
        }
        self.workers.values().map(|worker| worker.key.clone()).collect()
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
            self.next_heartbeat = self.config.heartbeat.map(|period| now + period);
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
        let Some(config) = self.node(name).cloned() else { return Ok(()) };
        let node = match cx.caches.get(&api::NODES, "", name) {
            Some(node) => node,
            None => match cx.client.create(&api::NODES, "", node_status::document(&config)) {
                Ok(node) => node,
                Err(status) if status.is_already_exists() => {
                    cx.client.get(&api::NODES, "", name)?
                }
                Err(status) => return Err(status),
            },
        };
        let trouble = self.trouble.as_deref();
        let version = self.runtime.version();
        let status = node_status::status(&config, &node, &version, trouble, cx.world.now());
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

    fn reconcile_pod(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<(), Status> {
        let pod = cx.caches.get_key(&api::PODS, key);
        let mut failure = match &pod {
            Some(pod) => self.accept(cx, key, pod).err(),
            None => None,
        };
        let mut io = Io { cx, runtime: &mut *self.runtime, tickets: &mut self.tickets };
        let uids: Vec<Arc<str>> = self.uids.get(key).into_iter().flatten().cloned().collect();
        for uid in uids {
            let Some(worker) = self.workers.get_mut(&uid) else { continue };
            let own = pod.clone().filter(|pod| *pod.uid() == *uid);
            worker.observe(own, &mut io);
            match worker.run(&mut io) {
                Ok(Progress::Goes) => {}
                Ok(Progress::Finished) => {
                    io.tickets.disown(worker.owned());
                    self.workers.remove(&uid);
                }
                Err(status) => failure = Some(status),
            }
        }
        self.settle(key);
        failure.map_or(Ok(()), Err)
    }

    /// Gives a pod that is new to one of our nodes a worker, if the node takes it.
    fn accept(&mut self, cx: &mut Context<'_>, key: &Key, pod: &Arc<Value>) -> Result<(), Status> {
        let Some(node) = served(&self.config, pod) else { return Ok(()) };
        let ending = pod.deletion_timestamp().is_some();
        let over = api::views::pod::is_terminal(pod) && !ending;
        if over || self.workers.contains_key(pod.uid()) {
            return Ok(());
        }
        let mut io = Io { cx, runtime: &mut *self.runtime, tickets: &mut self.tickets };
        if !ending && let Err(refusal) = admitted(&self.workers, pod, node, &io) {
            return reject(pod, &refusal, &node.name, &mut io);
        }
        let worker = Worker::new(Arc::clone(pod), node.clone(), &io);
        self.uids.entry(key.clone()).or_default().insert(Arc::clone(&worker.uid));
        self.workers.insert(Arc::clone(&worker.uid), worker);
        Ok(())
    }

    /// Sets the timers of a key's workers and forgets the finished ones.
    fn settle(&mut self, key: &Key) {
        let uids: Vec<Arc<str>> = self.uids.get(key).into_iter().flatten().cloned().collect();
        for uid in uids {
            let timer = self.workers.get(&uid).map(Worker::next_timer);
            self.set_timer(&uid, timer.flatten());
            if timer.is_none()
                && let Some(uids) = self.uids.get_mut(key)
            {
                uids.remove(&uid);
            }
        }
        if self.uids.get(key).is_some_and(BTreeSet::is_empty) {
            self.uids.remove(key);
        }
    }
}

/// Whether `node` takes `pod` besides the pods that have workers already.
fn admitted(
    workers: &BTreeMap<Arc<str>, Worker>,
    pod: &Value,
    node: &NodeConfig,
    io: &Io<'_, '_>,
) -> Result<(), Refusal> {
    let bound = io.cx.caches.by_node(&api::PODS, &node.name);
    let taken = bound.iter().filter(|other| workers.contains_key(other.uid()));
    let others: Vec<&Value> =
        taken.filter(|other| !api::views::pod::is_terminal(other)).map(AsRef::as_ref).collect();
    let registered = io.cx.caches.get(&api::NODES, "", &node.name);
    let registered = registered.unwrap_or_else(|| Arc::new(node_status::document(node)));
    admit(pod, &others, node, &registered)
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

/// The node that `pod` is bound to, when it is one of ours.
fn served<'a>(config: &'a AgentConfig, pod: &Value) -> Option<&'a NodeConfig> {
    let name = pod.str_at(&["spec", "nodeName"]);
    config.nodes.iter().find(|node| node.name == name)
}

impl Controller for Agent {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&api::PODS, bound_pods),
            Watching::new(&api::NODES, new_and_gone),
            Watching::reading(&api::CONFIG_MAPS),
            Watching::reading(&api::SECRETS),
            Watching::reading(&api::SERVICES),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if key.namespace.is_empty() {
            self.reconcile_node(cx, &key.name)?;
        } else {
            self.reconcile_pod(cx, key)?;
        }
        Ok(Requeue::Done)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Vec<Key> {
        let mut keys = Vec::new();
        for event in self.runtime.poll() {
            keys.extend(self.route(event, cx.world.now()));
        }
        keys.extend(self.due(cx.world.now()));
        keys
    }

    fn next_wakeup(&self) -> Option<Time> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let runtime = self.runtime.next_event_at();
        timer.into_iter().chain(runtime).chain(self.next_heartbeat).min()
    }
}
