//! The simulated engine: sandboxes, containers and the heap of what comes next.
//!
//! Invariant: the heap is ordered by (time, sequence number); entries with equal times are played in
//! the order in which they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use world::{Time, World};

use super::behaviour::{Behaviour, Exit, HttpAnswer, seconds};
use super::images::SimImages;
use super::shell::{Files, Place};
use crate::config::{ContainerConfig, HttpGet, PodSandboxConfig};
use crate::logs::Line;
use crate::runtime::{
    Command, ContainerExit, ContainerState, ContainerStatus, Error, Event, Image, Reply,
    SandboxStatus, Ticket, Wake,
};
use crate::stats::ContainerUsage;

/// Exit code of a process that SIGTERM ended.
const TERMINATED: i64 = 143;
/// Exit code of a process that SIGKILL ended.
const KILLED: i64 = 137;

/// What the heap holds.
#[derive(Debug)]
enum Entry {
    Done(Ticket, Result<Reply, Error>),
    Started(Ticket, String),
    Exit(String, Exit, bool),
}

pub(super) struct State {
    world: World,
    images: SimImages,
    pulled: BTreeSet<String>,
    heap: BTreeMap<(Time, u64), Entry>,
    sequence: u64,
    out: Vec<Event>,
    sandboxes: BTreeMap<String, Sandbox>,
    /// Ids of the sandboxes of each pod, oldest first.
    pods: BTreeMap<String, Vec<String>>,
    containers: BTreeMap<String, Container>,
    /// Who holds which address.
    used_ips: BTreeMap<Ipv4Addr, String>,
    last_ip: Ipv4Addr,
    /// Why the engine does not answer, while it does not.
    unavailable: Option<String>,
    followers: Vec<Follower>,
    wake: Option<Wake>,
}

#[derive(Debug)]
struct Sandbox {
    pod_uid: String,
    ip: Option<Ipv4Addr>,
    running: bool,
    /// Ids of its containers, removed ones among them.
    containers: Vec<String>,
}

#[derive(Debug)]
struct Container {
    config: Box<ContainerConfig>,
    behaviour: Arc<Behaviour>,
    started_at: Option<Time>,
    /// Where in the heap its next exit stands.
    ends: Option<(Time, u64)>,
    exit: Option<ContainerExit>,
    /// What commands have written in it.
    files: Files,
}

/// Someone who reads a log as it grows.
struct Follower {
    id: String,
    due: Option<Time>,
    waker: Waker,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("heap", &self.heap)
            .field("sandboxes", &self.sandboxes)
            .field("containers", &self.containers)
            .finish_non_exhaustive()
    }
}

impl Container {
    fn running_since(&self) -> Option<Time> {
        self.started_at.filter(|_| self.exit.is_none())
    }

    /// Whether the process answers probes and requests at `now`.
    fn answers(&self, now: Time) -> bool {
        self.running_since().is_some_and(|start| self.behaviour.answers(now.since(start)))
    }
}

impl State {
    pub(super) fn new(world: World, images: SimImages) -> Self {
        Self {
            world,
            images,
            pulled: BTreeSet::new(),
            heap: BTreeMap::new(),
            sequence: 0,
            out: Vec::new(),
            sandboxes: BTreeMap::new(),
            pods: BTreeMap::new(),
            containers: BTreeMap::new(),
            used_ips: BTreeMap::new(),
            last_ip: Ipv4Addr::new(10, 128, 0, 1),
            unavailable: None,
            followers: Vec::new(),
            wake: None,
        }
    }

    pub(super) fn set_wake(&mut self, wake: Wake) {
        self.wake = Some(wake);
    }

    fn push(&mut self, after: Duration, entry: Entry) -> (Time, u64) {
        self.sequence += 1;
        let place = (self.world.now() + after, self.sequence);
        self.heap.insert(place, entry);
        place
    }

    fn done(&mut self, ticket: Ticket, after: Duration, result: Result<Reply, Error>) {
        self.push(after, Entry::Done(ticket, result));
    }

    /// `millis` lengthened by up to a quarter, so that seeds explore interleavings.
    fn jittered(&self, millis: u64) -> Duration {
        Duration::from_micros(millis * 1000 + self.world.random_below(millis * 250 + 1))
    }

    pub(super) fn submit(&mut self, ticket: Ticket, command: Command) {
        if let Some(reason) = self.unavailable.clone() {
            return self.done(ticket, Duration::ZERO, Err(Error::Unavailable(reason)));
        }
        match command {
            Command::ImageStatus { image } => self.image_status(ticket, &image),
            Command::PullImage { image } => self.pull(ticket, &image),
            Command::RunPodSandbox { config } => self.run_sandbox(ticket, &config),
            Command::StopPodSandbox { id } => self.stop_sandbox(ticket, &id),
            Command::RemovePodSandbox { id } => self.remove_sandbox(ticket, &id),
            Command::CreateContainer { sandbox, config } => self.create(ticket, sandbox, config),
            Command::StartContainer { id } => self.start(ticket, id),
            Command::StopContainer { id, grace } => self.stop(ticket, &id, grace),
            Command::RemoveContainer { id } => self.remove(ticket, &id),
            Command::ExecSync { id, .. } => self.exec(ticket, &id),
            Command::HttpGet { id, request } => self.http(ticket, &id, &request),
            Command::TcpConnect { id, host, port, .. } => self.tcp(ticket, &id, &host, port),
            Command::List => self.list(ticket),
        }
    }

    fn image_status(&mut self, ticket: Ticket, image: &str) {
        let found = self.images.resolve(image);
        let behaviour = &found.behaviour;
        let absent =
            behaviour.missing || behaviour.pull_error.is_some() || behaviour.pull_seconds.is_some();
        let present = !absent || self.pulled.contains(&found.digest);
        let image = present.then(|| self.image(image));
        self.done(ticket, Duration::ZERO, Ok(Reply::Image(image)));
    }

    fn image(&self, reference: &str) -> Image {
        let found = self.images.resolve(reference);
        Image {
            repo_digest: format!("{}@{}", found.repository, found.digest),
            id: found.digest,
            tag: found.tag,
            user: found.behaviour.user.clone().unwrap_or_default(),
        }
    }

    fn pull(&mut self, ticket: Ticket, reference: &str) {
        let found = self.images.resolve(reference);
        let failure = match &found.behaviour.pull_error {
            Some(text) => Some(text.clone()),
            None if found.behaviour.missing => Some(format!(
                "rpc error: code = Unknown desc = Error response from daemon: manifest for \
                 {reference} not found: manifest unknown: manifest unknown"
            )),
            None => None,
        };
        if let Some(text) = failure {
            return self.done(ticket, self.jittered(300), Err(Error::Engine(text)));
        }
        self.pulled.insert(found.digest);
        let after = found.behaviour.pull_seconds.map_or_else(|| self.jittered(200), seconds);
        let image = self.image(reference);
        self.done(ticket, after, Ok(Reply::Image(Some(image))));
    }

    fn run_sandbox(&mut self, ticket: Ticket, config: &PodSandboxConfig) {
        let id = self.world.hex(64);
        let ip = (!config.host_network).then(|| self.free_ip());
        let status = SandboxStatus {
            id: id.clone(),
            ip: ip.map(|ip| ip.to_string()).unwrap_or_default(),
            pod_uid: config.uid.clone(),
            running: true,
        };
        if let Some(ip) = ip {
            self.used_ips.insert(ip, id.clone());
        }
        let (pod_uid, containers) = (config.uid.clone(), Vec::new());
        self.pods.entry(pod_uid.clone()).or_default().push(id.clone());
        self.sandboxes.insert(id, Sandbox { pod_uid, ip, running: true, containers });
        self.done(ticket, self.jittered(400), Ok(Reply::Sandbox(status)));
    }

    /// The next address of 10.128.0.0/14 that no sandbox holds; freed ones come round last.
    fn free_ip(&mut self) -> Ipv4Addr {
        const FIRST: u32 = 0x0a80_0002;
        const LAST: u32 = 0x0a83_fffe;
        let mut ip = u32::from(self.last_ip);
        loop {
            ip = if ip >= LAST { FIRST } else { ip + 1 };
            let free = !self.used_ips.contains_key(&Ipv4Addr::from(ip));
            if free && (1..255).contains(&(ip & 0xff)) {
                self.last_ip = Ipv4Addr::from(ip);
                return self.last_ip;
            }
        }
    }

    fn stop_sandbox(&mut self, ticket: Ticket, id: &str) {
        for container in self.inside(id) {
            self.end(
                &container,
                Exit { code: KILLED, after_seconds: 0.0, message: String::new() },
                false,
            );
        }
        if let Some(sandbox) = self.sandboxes.get_mut(id) {
            sandbox.running = false;
        }
        self.done(ticket, self.jittered(40), Ok(Reply::Done));
    }

    fn remove_sandbox(&mut self, ticket: Ticket, id: &str) {
        for container in self.inside(id) {
            self.end(
                &container,
                Exit { code: KILLED, after_seconds: 0.0, message: String::new() },
                false,
            );
            self.containers.remove(&container);
        }
        if let Some(sandbox) = self.sandboxes.remove(id) {
            if let Some(ip) = sandbox.ip {
                self.used_ips.remove(&ip);
            }
            if let Some(ids) = self.pods.get_mut(&sandbox.pod_uid) {
                ids.retain(|other| other != id);
                if ids.is_empty() {
                    self.pods.remove(&sandbox.pod_uid);
                }
            }
        }
        self.done(ticket, self.jittered(40), Ok(Reply::Done));
    }

    fn inside(&self, sandbox: &str) -> Vec<String> {
        self.sandboxes.get(sandbox).map(|sandbox| sandbox.containers.clone()).unwrap_or_default()
    }

    fn create(&mut self, ticket: Ticket, sandbox: String, config: Box<ContainerConfig>) {
        let Some(home) = self.sandboxes.get_mut(&sandbox).filter(|home| home.running) else {
            return self.done(ticket, Duration::ZERO, Err(Error::NoSuchContainer(sandbox)));
        };
        let id = self.world.hex(64);
        home.containers.push(id.clone());
        let behaviour = self.images.resolve(&config.image).behaviour;
        let container = Container {
            config,
            behaviour,
            started_at: None,
            ends: None,
            exit: None,
            files: Files::default(),
        };
        self.containers.insert(id.clone(), container);
        self.done(ticket, self.jittered(60), Ok(Reply::Container(id)));
    }

    fn start(&mut self, ticket: Ticket, id: String) {
        let Some(container) = self.containers.get(&id) else {
            return self.done(ticket, Duration::ZERO, Err(Error::NoSuchContainer(id)));
        };
        if let Some(text) = container.behaviour.start_error.clone() {
            return self.done(ticket, self.jittered(100), Err(Error::Engine(text)));
        }
        let after = match container.behaviour.start_seconds {
            Some(start) => seconds(start),
            None => self.jittered(900),
        };
        self.push(after, Entry::Started(ticket, id));
    }

    fn stop(&mut self, ticket: Ticket, id: &str, grace: Duration) {
        let Some(container) = self.containers.get(id).filter(|c| c.running_since().is_some())
        else {
            return self.done(ticket, Duration::ZERO, Ok(Reply::Done));
        };
        let obeys = container.behaviour.stop_seconds.map_or(Duration::from_millis(100), seconds);
        let code = if obeys <= grace {
            container.behaviour.stop_code.unwrap_or(TERMINATED)
        } else {
            KILLED
        };
        let after = obeys.min(grace);
        let planned = container.ends;
        let at = self.world.now() + after;
        let mut done_after = after;
        match planned {
            // It ends by itself before.
            Some((time, _)) if time <= at => done_after = time.since(self.world.now()),
            _ => {
                if let Some(place) = planned {
                    self.heap.remove(&place);
                }
                let exit = Exit { code, after_seconds: 0.0, message: String::new() };
                let place = self.push(after, Entry::Exit(id.to_owned(), exit, false));
                self.containers.get_mut(id).expect("found above").ends = Some(place);
            }
        }
        self.done(ticket, done_after, Ok(Reply::Done));
    }

    fn remove(&mut self, ticket: Ticket, id: &str) {
        let runs = self.containers.get(id).is_some_and(|c| c.running_since().is_some());
        let result = if runs {
            Err(Error::Engine(format!(
                "Error response from daemon: You cannot remove a running container {id}. Stop the \
                 container before attempting removal or force remove"
            )))
        } else {
            self.containers.remove(id);
            Ok(Reply::Done)
        };
        let after = self.jittered(20);
        self.done(ticket, after, result);
    }

    fn exec(&mut self, ticket: Ticket, id: &str) {
        let now = self.world.now();
        let result = match self.containers.get(id) {
            Some(container) if container.running_since().is_some() => {
                let healthy = container.answers(now);
                let output = if healthy { "" } else { "not ready\n" };
                Ok(Reply::Exec { exit_code: i64::from(!healthy), output: output.to_owned() })
            }
            Some(_) => Err(Error::Engine(format!(
                "Error response from daemon: Container {id} is not running"
            ))),
            None => Err(Error::NoSuchContainer(id.to_owned())),
        };
        self.done(ticket, self.jittered(20), result);
    }

    fn http(&mut self, ticket: Ticket, id: &str, request: &HttpGet) {
        let now = self.world.now();
        let answering = self.containers.get(id).filter(|c| c.answers(now));
        let result = match answering {
            Some(container) => {
                let answer = container.behaviour.http_answer(&request.path);
                Ok(Reply::Http { status: answer.status, body: answer.body })
            }
            None => Err(Error::Connect(format!(
                "Get {}: dial tcp {}:{}: connect: connection refused",
                request.url(),
                request.host,
                request.port
            ))),
        };
        self.done(ticket, self.jittered(2), result);
    }

    fn tcp(&mut self, ticket: Ticket, id: &str, host: &str, port: u16) {
        let now = self.world.now();
        let result = if self.containers.get(id).is_some_and(|c| c.answers(now)) {
            Ok(Reply::Done)
        } else {
            let text = format!("dial tcp {host}:{port}: connect: connection refused");
            Err(Error::Connect(text))
        };
        self.done(ticket, self.jittered(2), result);
    }

    fn list(&mut self, ticket: Ticket) {
        let sandboxes = self.sandboxes.iter().map(|(id, sandbox)| SandboxStatus {
            id: id.clone(),
            ip: sandbox.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            pod_uid: sandbox.pod_uid.clone(),
            running: sandbox.running,
        });
        let containers = self.containers.iter().map(|(id, c)| ContainerStatus {
            id: id.clone(),
            pod_uid: c.config.pod_uid.clone(),
            name: c.config.name.clone(),
            attempt: c.config.attempt,
            state: match (c.started_at, &c.exit) {
                (_, Some(_)) => ContainerState::Exited,
                (Some(_), None) => ContainerState::Running,
                (None, None) => ContainerState::Created,
            },
            exit: c.exit.clone(),
        });
        let reply =
            Reply::List { sandboxes: sandboxes.collect(), containers: containers.collect() };
        self.done(ticket, Duration::ZERO, Ok(reply));
    }

    pub(super) fn poll(&mut self) -> Vec<Event> {
        let now = self.world.now();
        while let Some(entry) = self.heap.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((time, _), entry) = entry.remove_entry();
            self.play(time, entry);
        }
        self.wake_followers(now);
        std::mem::take(&mut self.out)
    }

    fn play(&mut self, time: Time, entry: Entry) {
        match entry {
            Entry::Done(ticket, result) => self.out.push(Event::Done { ticket, result }),
            Entry::Started(ticket, id) => self.started(ticket, &id, time),
            Entry::Exit(id, exit, oom) => self.end(&id, exit, oom),
        }
    }

    fn started(&mut self, ticket: Ticket, id: &str, time: Time) {
        let Some(container) = self.containers.get_mut(id) else {
            let result = Err(Error::NoSuchContainer(id.to_owned()));
            return self.out.push(Event::Done { ticket, result });
        };
        container.started_at = Some(time);
        let ends = container.behaviour.exit_of(container.config.attempt);
        self.out.push(Event::Done { ticket, result: Ok(Reply::Started(time)) });
        if let Some((after, exit, oom)) = ends {
            let left = (time + after).since(self.world.now());
            let place = self.push(left, Entry::Exit(id.to_owned(), exit, oom));
            self.containers.get_mut(id).expect("found above").ends = Some(place);
        }
    }

    fn end(&mut self, id: &str, exit: Exit, oom_killed: bool) {
        let finished_at = self.world.now();
        let running = self.containers.get_mut(id).filter(|c| c.running_since().is_some());
        let Some(container) = running else { return };
        if let Some(place) = container.ends.take() {
            self.heap.remove(&place);
        }
        let exit = ContainerExit {
            id: id.to_owned(),
            exit_code: exit.code,
            oom_killed,
            finished_at,
            message: exit.message,
        };
        container.exit = Some(exit.clone());
        self.out.push(Event::ContainerExited(exit));
    }

    pub(super) fn next_event_at(&self) -> Option<Time> {
        if !self.out.is_empty() {
            return Some(self.world.now());
        }
        let heap = self.heap.first_key_value().map(|((time, _), _)| *time);
        heap.into_iter().chain(self.followers.iter().filter_map(|f| f.due)).min()
    }

    fn wake_followers(&mut self, now: Time) {
        let containers = &self.containers;
        self.followers.retain(|follower| {
            let ended = containers.get(&follower.id).is_none_or(|c| c.exit.is_some());
            let due = ended || follower.due.is_some_and(|due| due <= now);
            if due {
                follower.waker.wake_by_ref();
            }
            !due
        });
    }

    pub(super) fn lines(&self, id: &str, from: usize, now: Time) -> Option<(Vec<Line>, bool)> {
        let container = self.containers.get(id)?;
        let Some(start) = container.started_at else { return Some((Vec::new(), true)) };
        let end = container.exit.as_ref().map_or(now, |exit| exit.finished_at);
        let mut lines = container.behaviour.lines(start, end);
        lines.drain(..from.min(lines.len()));
        Some((lines, container.exit.is_none()))
    }

    /// What a command in container `id` finds there; `Some(None)` when it does not run.
    pub(super) fn place(&self, id: &str) -> Option<Option<Place>> {
        let container = self.containers.get(id)?;
        Some(container.running_since().map(|_| Place {
            hostname: container.config.pod_name.clone(),
            env: container.config.env.clone(),
            behaviour: Arc::clone(&container.behaviour),
            files: container.files.clone(),
        }))
    }

    /// Ids of the containers of pod `pod_uid`.
    fn of_pod(&self, pod_uid: &str) -> Vec<String> {
        let sandboxes = self.pods.get(pod_uid).into_iter().flatten();
        sandboxes.flat_map(|id| self.inside(id)).collect()
    }

    /// What the running containers of pod `pod_uid` use at `now`.
    pub(super) fn usage(&self, pod_uid: &str, now: Time) -> Vec<ContainerUsage> {
        let ids = self.of_pod(pod_uid).into_iter();
        let mut usage: Vec<ContainerUsage> = ids
            .filter_map(|id| {
                let container = self.containers.get(&id)?;
                let age = now.since(container.running_since()?);
                let (cpu_nano, memory_bytes) = container.behaviour.usage_at(age);
                let (pod_uid, name) = (pod_uid.to_owned(), container.config.name.clone());
                let window = Duration::from_secs(30);
                Some(ContainerUsage { id, pod_uid, name, at: now, window, cpu_nano, memory_bytes })
            })
            .collect();
        usage.sort_by(|a, b| a.name.cmp(&b.name));
        usage
    }

    pub(super) fn follow(&mut self, id: &str, waker: &Waker) {
        let now = self.world.now();
        let container = self.containers.get(id);
        let due = container
            .and_then(|c| c.running_since().map(|start| (c, start)))
            .and_then(|(c, start)| c.behaviour.next_line_after(start, now));
        self.followers.push(Follower { id: id.to_owned(), due, waker: waker.clone() });
        if let Some(wake) = &self.wake {
            wake();
        }
    }

    pub(super) fn exit_now(&mut self, pod_uid: &str, name: &str, code: i64) -> usize {
        let mut running = self.of_pod(pod_uid);
        running.retain(|id| {
            let named = self.containers.get(id).filter(|c| c.config.name == name);
            named.is_some_and(|c| c.running_since().is_some())
        });
        for id in &running {
            self.end(id, Exit { code, after_seconds: 0.0, message: String::new() }, false);
        }
        if let Some(wake) = &self.wake {
            wake();
        }
        running.len()
    }

    pub(super) fn set_engine(&mut self, unavailable: Option<&str>) {
        let event = match unavailable {
            Some(message) => Event::EngineUnavailable { message: message.to_owned() },
            None => Event::EngineAvailable,
        };
        if self.unavailable.as_deref() != unavailable {
            self.unavailable = unavailable.map(str::to_owned);
            self.out.push(event);
            if let Some(wake) = &self.wake {
                wake();
            }
        }
    }

    pub(super) fn http_by_ip(&self, ip: &str, port: u16, path: &str) -> Result<HttpAnswer, Error> {
        let now = self.world.now();
        let holder = ip.parse().ok().and_then(|ip: Ipv4Addr| self.used_ips.get(&ip));
        let sandbox = holder.and_then(|id| self.sandboxes.get(id)).filter(|s| s.running);
        let answering = sandbox.and_then(|sandbox| {
            let inside = sandbox.containers.iter().filter_map(|id| self.containers.get(id));
            inside.into_iter().find(|container| container.answers(now))
        });
        answering.map(|c| c.behaviour.http_answer(path)).ok_or_else(|| {
            Error::Connect(format!(
                "Get http://{ip}:{port}{path}: dial tcp {ip}:{port}: connect: connection refused"
            ))
        })
    }
}
