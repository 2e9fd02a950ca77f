//! Containers that run inside this process.
//!
//! Some pods are served by a controller of our own instead of by a program in an image, above all the
//! deployer pod of a DeploymentConfig. Such a pod is a real Pod in a real sandbox; only its container
//! is *builtin*: its image name is registered here, or its command is known to be a script that calls
//! a registered program. A controller prints its log lines and ends it.
//!
//! [`Builtin`] is the shared handle, [`WithBuiltins`] the runtime wrapper that serves registered
//! images from it and everything else from the runtime inside.
//!
//! Invariant: a builtin container that is asked to stop and whose controller does nothing ends with
//! 143 when the grace period is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apimachinery::Text;
use parking_lot::Mutex;
use world::{Time, World};

use crate::config::ContainerConfig;
use crate::digest::sha256;
use crate::logs::{Line, LineSource, LogOptions, LogStream, Logs, line_stream};
use crate::runtime::{
    Command, ContainerExit, ContainerRuntime, ContainerState, ContainerStatus, Error, Event, Id,
    Image, Reply, Ticket, Wake,
};
use crate::script;
use crate::stats::PodMetrics;
use crate::stream::{Connecting, Process, Stdio, Streams, follow_lines};

/// Exit code of a process that SIGTERM ended.
const TERMINATED: i64 = 143;

/// A handle on the builtin containers; cheap to clone, shared by runtime and controllers.
#[derive(Debug, Clone)]
pub struct Builtin {
    state: Arc<State>,
}

/// A running builtin container, as its controller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltinContainer {
    /// Container id.
    pub id: String,
    /// Namespace of the pod.
    pub pod_namespace: String,
    /// Name of the pod.
    pub pod_name: String,
    /// Uid of the pod.
    pub pod_uid: String,
    /// Reference of the image.
    pub image: String,
    /// Command and arguments; empty for what the image does by itself.
    pub command: Vec<String>,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// Since when it runs.
    pub started_at: Time,
}

#[derive(Debug)]
struct State {
    world: World,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    images: BTreeSet<String>,
    programs: BTreeSet<String>,
    containers: BTreeMap<Id, Container>,
    /// Ids of the running containers, by uid of the pod.
    by_pod: BTreeMap<Id, BTreeSet<Id>>,
    /// Goes up whenever a container is started, is asked to stop or ends.
    changes: u64,
    events: VecDeque<Event>,
    wake: Option<Wake>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("containers", &self.containers).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Container {
    config: Box<ContainerConfig>,
    sandbox: Id,
    created_at: Time,
    started_at: Option<Time>,
    /// What its controller sees once it was started; made once, it is looked at in every turn.
    shown: Option<Arc<BuiltinContainer>>,
    /// When the grace period of a stop is over, and who waits for the stop.
    stop: Option<(Time, Vec<Ticket>)>,
    exit: Option<ContainerExit>,
    lines: Vec<Line>,
    wakers: Vec<Waker>,
}

impl Container {
    fn runs(&self) -> bool {
        self.started_at.is_some() && self.exit.is_none()
    }
}

impl Builtin {
    /// No images registered yet.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { state: Arc::new(State { world, inner: Mutex::default() }) }
    }

    /// Serves containers of `image` from here on.
    pub fn register(&self, image: &str) {
        self.state.inner.lock().images.insert(image.to_owned());
    }

    /// Serves containers whose script calls `program` from here on, whatever their image.
    pub fn register_program(&self, program: &str) {
        self.state.inner.lock().programs.insert(program.to_owned());
    }

    /// The containers that run, in order of their ids.
    #[must_use]
    pub fn running(&self) -> Vec<Arc<BuiltinContainer>> {
        let inner = self.state.inner.lock();
        let running = inner.containers.values().filter(|container| container.runs());
        running.filter_map(|container| container.shown.clone()).collect()
    }

    /// How often a container was started, was asked to stop or ended; as long as this stays the same
    /// there is nothing new to see.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state.inner.lock().changes
    }

    /// The running container of pod `pod_uid`.
    #[must_use]
    pub fn find(&self, pod_uid: &str) -> Option<Arc<BuiltinContainer>> {
        let inner = self.state.inner.lock();
        inner.running_of(pod_uid)?.1.shown.clone()
    }

    /// Writes one line to the log of pod `pod_uid`.
    ///
    /// # Panics
    /// Never: the container was found under the same lock.
    pub fn print(&self, pod_uid: &str, line: &str) {
        let mut inner = self.state.inner.lock();
        let time = self.state.world.now();
        let Some(id) = inner.running_of(pod_uid).map(|(id, _)| id.clone()) else { return };
        let container = inner.containers.get_mut(&id).expect("found above");
        container.lines.push(Line { time, text: line.to_owned() });
        wake_all(&mut container.wakers);
    }

    /// Whether the running container of pod `pod_uid` has written anything to its log.
    #[must_use]
    pub fn has_printed(&self, pod_uid: &str) -> bool {
        let inner = self.state.inner.lock();
        inner.running_of(pod_uid).is_some_and(|(_, container)| !container.lines.is_empty())
    }

    /// Ends the container of pod `pod_uid` with `code`.
    pub fn exit(&self, pod_uid: &str, code: i64) {
        let mut inner = self.state.inner.lock();
        let Some(id) = inner.running_of(pod_uid).map(|(id, _)| id.clone()) else { return };
        inner.end(&id, code, self.state.world.now());
    }

    /// Whether the container of pod `pod_uid` has been asked to stop.
    #[must_use]
    pub fn stopping(&self, pod_uid: &str) -> bool {
        let inner = self.state.inner.lock();
        inner.running_of(pod_uid).is_some_and(|(_, container)| container.stop.is_some())
    }
}

fn view(id: &str, config: &ContainerConfig, started_at: Time) -> BuiltinContainer {
    BuiltinContainer {
        id: id.to_owned(),
        pod_namespace: config.pod_namespace.to_string(),
        pod_name: config.pod_name.to_string(),
        pod_uid: config.pod_uid.to_string(),
        image: config.image.to_string(),
        command: config.command.iter().chain(&*config.args).cloned().collect(),
        env: config.env.to_vec(),
        started_at,
    }
}

fn wake_all(wakers: &mut Vec<Waker>) {
    for waker in wakers.drain(..) {
        waker.wake();
    }
}

impl Inner {
    fn running_of(&self, pod_uid: &str) -> Option<(&Id, &Container)> {
        let id = self.by_pod.get(pod_uid)?.first()?;
        self.containers.get_key_value(id).filter(|(_, container)| container.runs())
    }

    fn done(&mut self, ticket: Ticket, result: Result<Reply, Error>) {
        self.events.push_back(Event::Done { ticket, result });
        if let Some(wake) = &self.wake {
            wake();
        }
    }

    fn end(&mut self, id: &str, exit_code: i64, now: Time) {
        let Some(container) = self.containers.get_mut(id).filter(|c| c.runs()) else { return };
        let exit = ContainerExit {
            id: Id::from(id),
            exit_code,
            oom_killed: false,
            finished_at: now,
            message: String::new(),
        };
        container.exit = Some(exit.clone());
        wake_all(&mut container.wakers);
        let waiting = container.stop.take().map(|(_, tickets)| tickets).unwrap_or_default();
        let pod = container.config.pod_uid.clone();
        self.forget_running(&pod, id);
        self.events.push_back(Event::ContainerExited(exit));
        for ticket in waiting {
            self.done(ticket, Ok(Reply::Done));
        }
        if let Some(wake) = &self.wake {
            wake();
        }
    }

    fn forget_running(&mut self, pod_uid: &str, id: &str) {
        self.changes += 1;
        if let Some(ids) = self.by_pod.get_mut(pod_uid) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_pod.remove(pod_uid);
            }
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some(container) = self.containers.remove(id) {
            self.forget_running(&container.config.pod_uid, id);
        }
    }

    fn stop(&mut self, ticket: Ticket, id: &str, deadline: Time) {
        let Some(container) = self.containers.get_mut(id).filter(|c| c.runs()) else {
            return self.done(ticket, Ok(Reply::Done));
        };
        let (at, tickets) = container.stop.get_or_insert((deadline, Vec::new()));
        *at = (*at).min(deadline);
        tickets.push(ticket);
        self.changes += 1;
    }

    /// Ends the containers whose grace period is over.
    fn expire(&mut self, now: Time) {
        let expired: Vec<Id> = self
            .containers
            .iter()
            .filter(|(_, c)| c.runs() && c.stop.as_ref().is_some_and(|(at, _)| *at <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in expired {
            self.end(&id, TERMINATED, now);
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let running = self.containers.values().filter(|c| c.runs());
        running.filter_map(|c| c.stop.as_ref().map(|(at, _)| *at)).min()
    }

    fn statuses(&self) -> Vec<ContainerStatus> {
        let status = |(id, c): (&Id, &Container)| ContainerStatus {
            id: id.clone(),
            pod_uid: c.config.pod_uid.clone(),
            sandbox: Id::clone(&c.sandbox),
            name: c.config.name.clone(),
            attempt: c.config.attempt,
            annotations: Arc::clone(&c.config.annotations),
            created_at: c.created_at,
            started_at: c.started_at,
            state: match (c.started_at, &c.exit) {
                (_, Some(_)) => ContainerState::Exited,
                (Some(_), None) => ContainerState::Running,
                (None, None) => ContainerState::Created,
            },
            exit: c.exit.clone().map(Box::new),
        };
        self.containers.iter().map(status).collect()
    }
}

impl LineSource for State {
    fn lines(&self, id: &str, from: usize) -> Option<(Vec<Line>, bool)> {
        let inner = self.inner.lock();
        let container = inner.containers.get(id)?;
        let lines = container.lines.get(from..).unwrap_or_default().to_vec();
        Some((lines, container.exit.is_none()))
    }

    fn wake_on_line(&self, id: &str, waker: &Waker) {
        if let Some(container) = self.inner.lock().containers.get_mut(id) {
            container.wakers.push(waker.clone());
        }
    }
}

/// A runtime that serves registered images from a [`Builtin`] and everything else from `inner`.
#[derive(Debug)]
pub struct WithBuiltins<R> {
    inner: R,
    builtin: Builtin,
    /// Tickets of listings under way, to which builtin containers are added.
    listings: BTreeSet<Ticket>,
}

impl<R: ContainerRuntime> WithBuiltins<R> {
    /// Puts `builtin` in front of `inner`.
    pub fn new(inner: R, builtin: Builtin) -> Self {
        Self { inner, builtin, listings: BTreeSet::new() }
    }

    /// The runtime inside.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    fn knows(&self, id: &str) -> bool {
        self.builtin.state.inner.lock().containers.contains_key(id)
    }

    fn serves(&self, image: &str) -> bool {
        self.builtin.state.inner.lock().images.contains(image)
    }

    /// Whether `command` is a script that calls one of our programs.
    fn runs(&self, command: &[String]) -> bool {
        if command.is_empty() {
            return false;
        }
        let inner = self.builtin.state.inner.lock();
        let steps = script::of_shell(command).map(script::steps);
        let Some(Ok(steps)) = steps else { return inner.programs.contains(&command[0]) };
        let mut programs = steps.iter().filter_map(|step| step.words.first());
        programs.any(|word: &script::Word| {
            matches!(word.as_slice(), [script::Piece::Text(name)] if inner.programs.contains(name))
        })
    }

    /// Answers `command` when it is about a builtin image or container; gives it back otherwise.
    fn serve(&mut self, ticket: Ticket, command: Command) -> Option<Command> {
        match command {
            Command::ImageStatus { image } | Command::PullImage { image, .. }
                if self.serves(&image) =>
            {
                let found = Image {
                    id: sha256(image.as_bytes()).into(),
                    tag: image.into(),
                    repo_digest: Text::new(),
                    user: Text::new(),
                };
                self.done(ticket, Ok(Reply::Image(Some(found))));
            }
            Command::CreateContainer { sandbox, config } if self.serves(&config.image) => {
                self.create(ticket, sandbox, config);
            }
            Command::CreateContainer { sandbox, mut config } => {
                let command = self.inner.command_of(&config);
                if !self.runs(&command) {
                    return Some(Command::CreateContainer { sandbox, config });
                }
                (config.command, config.args) = (command.into(), Arc::default());
                self.create(ticket, sandbox, config);
            }
            Command::StartContainer { id } if self.knows(&id) => self.start(ticket, &id),
            Command::StopContainer { id, grace } if self.knows(&id) => {
                self.stop(ticket, &id, grace);
            }
            Command::RemoveContainer { id } if self.knows(&id) => {
                self.builtin.state.inner.lock().remove(&id);
                self.done(ticket, Ok(Reply::Done));
            }
            Command::ExecSync { id, .. } if self.knows(&id) => {
                self.done(ticket, Err(Error::Unsupported("exec in a builtin container")));
            }
            Command::HttpGet { id, request } if self.knows(&id) => {
                let text = format!("Get {}: connection refused", request.url());
                self.done(ticket, Err(Error::Connect(text)));
            }
            Command::TcpConnect { id, host, port, .. } if self.knows(&id) => {
                let text = format!("dial tcp {host}:{port}: connect: connection refused");
                self.done(ticket, Err(Error::Connect(text)));
            }
            other => return Some(other),
        }
        None
    }

    fn done(&self, ticket: Ticket, result: Result<Reply, Error>) {
        self.builtin.state.inner.lock().done(ticket, result);
    }

    fn create(&self, ticket: Ticket, sandbox: Id, config: Box<ContainerConfig>) {
        let id = Id::from(self.builtin.state.world.hex(64));
        let container = Container {
            config,
            sandbox,
            created_at: self.builtin.state.world.now(),
            started_at: None,
            shown: None,
            stop: None,
            exit: None,
            lines: Vec::new(),
            wakers: Vec::new(),
        };
        let mut inner = self.builtin.state.inner.lock();
        inner.containers.insert(id.clone(), container);
        inner.done(ticket, Ok(Reply::Container(id)));
    }

    fn start(&self, ticket: Ticket, id: &Id) {
        let now = self.builtin.state.world.now();
        let mut inner = self.builtin.state.inner.lock();
        if let Some(container) = inner.containers.get_mut(id) {
            container.started_at = Some(now);
            container.shown = Some(Arc::new(view(id, &container.config, now)));
            let pod = container.config.pod_uid.clone();
            inner.by_pod.entry(pod).or_default().insert(Id::clone(id));
            inner.changes += 1;
        }
        inner.done(ticket, Ok(Reply::Started(now)));
    }

    fn stop(&self, ticket: Ticket, id: &str, grace: Duration) {
        let deadline = self.builtin.state.world.now() + grace;
        self.builtin.state.inner.lock().stop(ticket, id, deadline);
    }

    /// Builtin containers go the way of their sandbox.
    fn follow_sandbox(&self, command: &Command) {
        let now = self.builtin.state.world.now();
        let mut inner = self.builtin.state.inner.lock();
        let (Command::StopPodSandbox { id } | Command::RemovePodSandbox { id }) = command else {
            return;
        };
        let inside: Vec<Id> = inner
            .containers
            .iter()
            .filter(|(_, c)| c.sandbox == *id)
            .map(|(id, _)| id.clone())
            .collect();
        for container in &inside {
            inner.end(container, TERMINATED, now);
        }
        if matches!(command, Command::RemovePodSandbox { .. }) {
            inside.iter().for_each(|container| inner.remove(container));
        }
    }

    fn complete(&mut self, mut event: Event) -> Event {
        if let Event::Done { ticket, result: Ok(Reply::List { containers, .. }) } = &mut event
            && self.listings.remove(ticket)
        {
            containers.extend(self.builtin.state.inner.lock().statuses());
        }
        event
    }
}

impl<R: ContainerRuntime> ContainerRuntime for WithBuiltins<R> {
    fn version(&self) -> String {
        self.inner.version()
    }

    fn scheme(&self) -> &'static str {
        self.inner.scheme()
    }

    fn submit(&mut self, ticket: Ticket, command: Command) {
        let Some(command) = self.serve(ticket, command) else { return };
        self.follow_sandbox(&command);
        if matches!(command, Command::List) {
            self.listings.insert(ticket);
        }
        self.inner.submit(ticket, command);
    }

    fn poll(&mut self) -> Vec<Event> {
        let mut events: Vec<Event> = {
            let mut inner = self.builtin.state.inner.lock();
            inner.expire(self.builtin.state.world.now());
            inner.events.drain(..).collect()
        };
        let from_inside = self.inner.poll();
        events.extend(from_inside.into_iter().map(|event| self.complete(event)));
        events
    }

    fn next_event_at(&self) -> Option<Time> {
        let inner = self.builtin.state.inner.lock();
        let own = if inner.events.is_empty() {
            inner.next_deadline()
        } else {
            Some(self.builtin.state.world.now())
        };
        own.into_iter().chain(self.inner.next_event_at()).min()
    }

    fn set_wake(&mut self, wake: Wake) {
        self.builtin.state.inner.lock().wake = Some(Arc::clone(&wake));
        self.inner.set_wake(wake);
    }

    fn logs(&self) -> Arc<dyn Logs> {
        Arc::new(BuiltinLogs { state: Arc::clone(&self.builtin.state), inner: self.inner.logs() })
    }

    fn streams(&self) -> Arc<dyn Streams> {
        let state = Arc::clone(&self.builtin.state);
        Arc::new(BuiltinStreams { state, inner: self.inner.streams() })
    }

    /// Builtin containers use nothing.
    fn metrics(&self) -> Arc<dyn PodMetrics> {
        self.inner.metrics()
    }
}

#[derive(Debug)]
struct BuiltinLogs {
    state: Arc<State>,
    inner: Arc<dyn Logs>,
}

impl Logs for BuiltinLogs {
    fn open(&self, id: &str, options: &LogOptions) -> Result<LogStream, Error> {
        if self.state.inner.lock().containers.contains_key(id) {
            let source: Arc<dyn LineSource> = Arc::<State>::clone(&self.state);
            return line_stream(source, id, options);
        }
        self.inner.open(id, options)
    }
}

/// Builtin containers have no programs, but their output can be joined.
#[derive(Debug)]
struct BuiltinStreams {
    state: Arc<State>,
    inner: Arc<dyn Streams>,
}

impl BuiltinStreams {
    fn knows(&self, id: &str) -> bool {
        self.state.inner.lock().containers.contains_key(id)
    }
}

impl Streams for BuiltinStreams {
    fn exec(&self, id: &str, command: &[String], stdio: Stdio) -> Result<Process, Error> {
        if self.knows(id) {
            return Err(Error::Unsupported("exec in a builtin container"));
        }
        self.inner.exec(id, command, stdio)
    }

    fn attach(&self, id: &str, stdio: Stdio) -> Result<Process, Error> {
        if self.knows(id) {
            let source: Arc<dyn LineSource> = Arc::<State>::clone(&self.state);
            return follow_lines(source, id, stdio);
        }
        self.inner.attach(id, stdio)
    }

    fn connect(&self, ip: &str, port: u16) -> Connecting {
        self.inner.connect(ip, port)
    }
}
