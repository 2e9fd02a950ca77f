//! The simulated engine: sandboxes, containers and the heap of what comes next.
//!
//! Invariant: the heap is ordered by (time, sequence number); entries with equal times are played in
//! the order in which they were made.

mod alike;
mod answers;
mod pulls;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apimachinery::Text;
use rustc_hash::FxHashMap;
use world::{Time, World};

use self::alike::{Alike, Kept};
use super::behaviour::{Behaviour, Exit, HttpAnswer, seconds};
use super::images::SimImages;
use super::shell::{Files, Place, Start, command, of_command};
use super::strain::{Fate, Strain};
use crate::config::{ContainerConfig, FileEntry, PodSandboxConfig, host_port};
use crate::logs::Line;
use crate::runtime::{
    Command, ContainerExit, ContainerState, ContainerStatus, Error, Event, Id, Reply,
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
    Started(Ticket, Id),
    Exit(Id, Exit, bool),
    Submitted(Ticket, Box<Command>),
}

pub(super) struct State {
    world: World,
    images: SimImages,
    pulled: BTreeSet<String>,
    /// How often a pull of an image has failed, by digest.
    failed_pulls: BTreeMap<String, u32>,
    /// Contents of volumes' files; equal ones are kept once.
    contents: BTreeSet<Arc<[u8]>>,
    /// What there is on the simulated host, where that was told.
    host_paths: BTreeMap<String, String>,
    heap: BTreeMap<(Time, u64), Entry>,
    sequence: u64,
    out: Vec<Event>,
    sandboxes: FxHashMap<Id, Box<Sandbox>>,
    /// Ids of the sandboxes of each pod, oldest first.
    pods: FxHashMap<Id, Vec<Id>>,
    containers: FxHashMap<Id, Box<Container>>,
    alike: Alike,
    /// How many running containers' use of memory changes by script.
    pressing: usize,
    /// Who holds which address.
    used_ips: FxHashMap<Ipv4Addr, Id>,
    last_ip: Ipv4Addr,
    /// Why the engine does not answer, while it does not.
    unavailable: Option<String>,
    strain: Option<Strain>,
    /// By how much longer the answers to these take.
    late: BTreeMap<Ticket, Duration>,
    /// What the answers to these are, although they are done.
    denied: BTreeMap<Ticket, Error>,
    followers: Vec<Follower>,
    wake: Option<Wake>,
}

#[derive(Debug)]
struct Sandbox {
    pod_uid: Id,
    pod_name: Text,
    attempt: u32,
    ip: Option<Ipv4Addr>,
    running: bool,
    /// The files of its volumes.
    volumes: BTreeMap<String, Vec<FileEntry>>,
    /// Ids of its containers.
    containers: Vec<Id>,
}

#[derive(Debug)]
struct Container {
    config: Kept,
    sandbox: Id,
    behaviour: Arc<Behaviour>,
    created_at: Time,
    started_at: Option<Time>,
    /// Where in the heap its next exit stands.
    ends: Option<(Time, u64)>,
    exit: Option<Box<ContainerExit>>,
    /// What a command in it finds and has written; made for the first one.
    files: Option<Files>,
}

/// Someone who reads a log as it grows.
struct Follower {
    id: Id,
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

/// The most of a log that stands in for a termination message.
const FALLBACK_LINES: usize = 80;
const FALLBACK_BYTES: usize = 2048;

impl Container {
    fn running_since(&self) -> Option<Time> {
        self.started_at.filter(|_| self.exit.is_none())
    }

    /// What it leaves as its termination message: what its script says, or after a failure the end of
    /// its log where the pod wants that.
    fn last_words(&self, exit: Exit, now: Time) -> String {
        let start = self.started_at.filter(|_| self.config.part.fallback_to_logs);
        let Some(start) = start.filter(|_| exit.message.is_empty() && exit.code != 0) else {
            return exit.message;
        };
        let lines = self.behaviour.lines(start, now);
        let last = lines.len().saturating_sub(FALLBACK_LINES);
        let text: String = lines[last..].iter().flat_map(|line| [&*line.text, "\n"]).collect();
        let from = text.len().saturating_sub(FALLBACK_BYTES);
        let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text[from..].to_owned()
    }

    fn age(&self, now: Time) -> Duration {
        self.started_at.map_or(Duration::ZERO, |start| now.since(start))
    }

    /// Whether the process answers probes and requests at `now`.
    fn answers(&self, now: Time) -> bool {
        self.running_since().is_some_and(|start| self.behaviour.answers(now.since(start)))
    }
}

/// Lists of ids have one entry for most pods: they get no more room than they need.
fn add(ids: &mut Vec<Id>, id: Id) {
    ids.reserve_exact(1);
    ids.push(id);
}

/// An address as texts have it; empty without one.
fn address(ip: Option<Ipv4Addr>) -> Text {
    let mut text = Text::new();
    if let Some(ip) = ip {
        write!(text, "{ip}").expect("writing to a text succeeds");
    }
    text
}

impl State {
    pub(super) fn new(world: World, images: SimImages) -> Self {
        Self {
            world,
            images,
            pulled: BTreeSet::new(),
            failed_pulls: BTreeMap::new(),
            contents: BTreeSet::new(),
            host_paths: BTreeMap::new(),
            heap: BTreeMap::new(),
            sequence: 0,
            out: Vec::new(),
            sandboxes: FxHashMap::default(),
            alike: Alike::default(),
            pods: FxHashMap::default(),
            containers: FxHashMap::default(),
            pressing: 0,
            used_ips: FxHashMap::default(),
            last_ip: Ipv4Addr::new(10, 128, 0, 1),
            unavailable: None,
            strain: None,
            late: BTreeMap::new(),
            denied: BTreeMap::new(),
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

    pub(super) fn set_strain(&mut self, strain: Option<Strain>) {
        self.strain = strain;
    }

    pub(super) fn submit(&mut self, ticket: Ticket, command: Command) {
        match self.strain.as_ref().map_or(Fate::Well, |strain| strain.fate_of(&command)) {
            Fate::Well => self.carry_out(ticket, command),
            Fate::Late(after) => {
                self.push(after, Entry::Submitted(ticket, Box::new(command)));
            }
            Fate::AnsweredLate(after) => {
                self.late.insert(ticket, after);
                self.carry_out(ticket, command);
            }
            Fate::Refused(after, error) => self.done(ticket, after, Err(error)),
            Fate::DoneAndRefused(after, error) => {
                self.late.insert(ticket, after);
                self.denied.insert(ticket, error);
                self.carry_out(ticket, command);
            }
        }
    }

    fn carry_out(&mut self, ticket: Ticket, command: Command) {
        if let Some(reason) = self.unavailable.clone() {
            return self.done(ticket, Duration::ZERO, Err(Error::Unavailable(reason)));
        }
        match command {
            Command::ImageStatus { image } => self.image_status(ticket, &image),
            Command::PullImage { image, credentials } => {
                self.pull(ticket, &image, &credentials);
            }
            Command::RunPodSandbox { config } => self.run_sandbox(ticket, *config),
            Command::StopPodSandbox { id } => self.stop_sandbox(ticket, &id),
            Command::RemovePodSandbox { id } => self.remove_sandbox(ticket, &id),
            Command::CreateContainer { sandbox, config } => self.create(ticket, sandbox, config),
            Command::StartContainer { id } => self.start(ticket, id),
            Command::StopContainer { id, grace } => self.stop(ticket, &id, grace),
            Command::RemoveContainer { id } => self.remove(ticket, &id),
            Command::WriteVolume { sandbox, volume, files, .. } => {
                self.write_volume(ticket, &sandbox, &volume, files);
            }
            Command::ExecSync { id, command } => self.exec(ticket, &id, &command),
            Command::HttpGet { id, request } => self.http(ticket, &id, &request),
            Command::TcpConnect { id, host, port, timeout } => {
                self.tcp(ticket, &id, (&host, port), timeout);
            }
            Command::List => self.list(ticket),
        }
    }

    fn run_sandbox(&mut self, ticket: Ticket, config: PodSandboxConfig) {
        if let Some(refused) = self.refused_volume(&config.volumes) {
            return self.done(ticket, Duration::ZERO, Err(refused));
        }
        let id = Id::from(self.world.hex(64));
        let ip = (!config.host_network).then(|| self.free_ip());
        let status = SandboxStatus {
            id: id.clone(),
            ip: address(ip),
            pod_uid: config.uid.clone(),
            attempt: config.attempt,
            running: true,
        };
        if let Some(ip) = ip {
            self.used_ips.insert(ip, id.clone());
        }
        let sandbox = Sandbox {
            pod_uid: Id::clone(&config.uid),
            pod_name: config.name,
            attempt: config.attempt,
            ip,
            running: true,
            volumes: self.kept(config.volumes),
            containers: Vec::new(),
        };
        add(self.pods.entry(config.uid).or_default(), Id::clone(&id));
        self.sandboxes.insert(id, Box::new(sandbox));
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
            self.end(&container, Exit::now(KILLED), false);
        }
        if let Some(sandbox) = self.sandboxes.get_mut(id) {
            sandbox.running = false;
        }
        self.done(ticket, self.jittered(40), Ok(Reply::Done));
    }

    fn remove_sandbox(&mut self, ticket: Ticket, id: &str) {
        self.forget_sandbox(id);
        self.done(ticket, self.jittered(40), Ok(Reply::Done));
    }

    /// Removes the sandboxes of a pod, and tells nobody.
    pub(super) fn lose_sandboxes(&mut self, pod_uid: &str) {
        let all = self.sandboxes.iter().filter(|(_, sandbox)| *sandbox.pod_uid == *pod_uid);
        let lost: Vec<Id> = all.map(|(id, _)| id.clone()).collect();
        lost.iter().for_each(|id| self.forget_sandbox(id));
    }

    fn forget_sandbox(&mut self, id: &str) {
        for container in self.inside(id) {
            self.end(&container, Exit::now(KILLED), false);
            self.containers.remove(&container);
        }
        if let Some(sandbox) = self.sandboxes.remove(id) {
            if let Some(ip) = sandbox.ip {
                self.used_ips.remove(&ip);
            }
            if let Some(ids) = self.pods.get_mut(&sandbox.pod_uid) {
                ids.retain(|other| **other != *id);
                if ids.is_empty() {
                    self.pods.remove(&sandbox.pod_uid);
                }
            }
        }
    }

    fn inside(&self, sandbox: &str) -> Vec<Id> {
        self.sandboxes.get(sandbox).map(|sandbox| sandbox.containers.clone()).unwrap_or_default()
    }

    /// What a container is started with, as far as that is known.
    pub(super) fn command_of(&self, config: &ContainerConfig) -> Vec<String> {
        command(&self.images.resolve(&config.image).behaviour, config)
    }

    fn create(&mut self, ticket: Ticket, sandbox: Id, config: Box<ContainerConfig>) {
        let Some(home) = self.sandboxes.get_mut(&sandbox).filter(|home| home.running) else {
            return self.done(
                ticket,
                Duration::ZERO,
                Err(Error::NoSuchContainer(sandbox.to_string())),
            );
        };
        let id = Id::from(self.world.hex(64));
        add(&mut home.containers, Id::clone(&id));
        let behaviour = Arc::clone(&self.images.resolve(&config.image).behaviour);
        let files = || volumes::seen(&config.mounts, Some(&home.volumes));
        let start = Start { hostname: &home.pod_name, now: self.world.now(), files: &files };
        let behaviour = of_command(&behaviour, &config, &start).map_or(behaviour, Arc::new);
        let container = Container {
            config: self.alike.keep(*config),
            sandbox,
            behaviour,
            created_at: self.world.now(),
            started_at: None,
            ends: None,
            exit: None,
            files: None,
        };
        self.containers.insert(Id::clone(&id), Box::new(container));
        self.done(ticket, self.jittered(60), Ok(Reply::Container(id)));
    }

    fn start(&mut self, ticket: Ticket, id: Id) {
        let Some(container) = self.containers.get(&id) else {
            return self.done(ticket, Duration::ZERO, Err(Error::NoSuchContainer(id.to_string())));
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

    fn stop(&mut self, ticket: Ticket, id: &Id, grace: Duration) {
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
                let exit = Exit::now(code);
                let place = self.push(after, Entry::Exit(Id::clone(id), exit, false));
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
            let removed = self.containers.remove(id);
            let home = removed.and_then(|container| self.sandboxes.get_mut(&container.sandbox));
            if let Some(home) = home {
                home.containers.retain(|other| **other != *id);
            }
            Ok(Reply::Done)
        };
        let after = self.jittered(20);
        self.done(ticket, after, result);
    }

    fn list(&mut self, ticket: Ticket) {
        let (sandboxes, containers) = self.inventory();
        self.done(ticket, Duration::ZERO, Ok(Reply::List { sandboxes, containers }));
    }

    pub(super) fn inventory(&self) -> (Vec<SandboxStatus>, Vec<ContainerStatus>) {
        let sandboxes = self.sandboxes.iter().map(|(id, sandbox)| SandboxStatus {
            id: Id::clone(id),
            ip: address(sandbox.ip),
            pod_uid: Id::clone(&sandbox.pod_uid),
            attempt: sandbox.attempt,
            running: sandbox.running,
        });
        let pod_uid = |c: &Container| self.sandboxes.get(&c.sandbox).map(|home| &home.pod_uid);
        let containers = self.containers.iter().map(|(id, c)| ContainerStatus {
            id: Id::clone(id),
            pod_uid: pod_uid(c).cloned().unwrap_or_default(),
            sandbox: Id::clone(&c.sandbox),
            name: c.config.part.name.clone(),
            attempt: c.config.part.attempt,
            annotations: Arc::clone(&c.config.part.annotations),
            created_at: c.created_at,
            started_at: c.started_at,
            state: match (c.started_at, &c.exit) {
                (_, Some(_)) => ContainerState::Exited,
                (Some(_), None) => ContainerState::Running,
                (None, None) => ContainerState::Created,
            },
            exit: c.exit.clone(),
        });
        let (mut sandboxes, mut containers): (Vec<_>, Vec<_>) =
            (sandboxes.collect(), containers.collect());
        sandboxes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        containers.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        (sandboxes, containers)
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
            Entry::Done(ticket, result) => match self.late.remove(&ticket) {
                Some(after) => self.done(ticket, after, result),
                None => {
                    let result = self.denied.remove(&ticket).map_or(result, Err);
                    self.out.push(Event::Done { ticket, result });
                }
            },
            Entry::Submitted(ticket, command) => self.carry_out(ticket, *command),
            Entry::Started(ticket, id) => self.started(ticket, &id, time),
            Entry::Exit(id, exit, oom) => self.end(&id, exit, oom),
        }
    }

    fn started(&mut self, ticket: Ticket, id: &Id, time: Time) {
        let Some(container) = self.containers.get_mut(id) else {
            let result = Err(Error::NoSuchContainer(id.to_string()));
            return self.out.push(Event::Done { ticket, result });
        };
        container.started_at = Some(time);
        self.pressing += usize::from(container.behaviour.presses());
        let ends = container.behaviour.exit_of(container.config.part.attempt);
        self.out.push(Event::Done { ticket, result: Ok(Reply::Started(time)) });
        if let Some((after, exit, oom)) = ends {
            let left = (time + after).since(self.world.now());
            let place = self.push(left, Entry::Exit(Id::clone(id), exit, oom));
            self.containers.get_mut(id).expect("found above").ends = Some(place);
        }
    }

    fn end(&mut self, id: &Id, exit: Exit, oom_killed: bool) {
        let finished_at = self.world.now();
        let running = self.containers.get_mut(id).filter(|c| c.running_since().is_some());
        let Some(container) = running else { return };
        if let Some(place) = container.ends.take() {
            self.heap.remove(&place);
        }
        let code = exit.code;
        let message = container.last_words(exit, finished_at);
        let exit =
            ContainerExit { id: Id::clone(id), exit_code: code, oom_killed, finished_at, message };
        container.exit = Some(Box::new(exit.clone()));
        self.pressing -= usize::from(container.behaviour.presses());
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
    pub(super) fn place(&mut self, id: &str) -> Option<Option<Place>> {
        let now = self.world.now();
        let container = self.containers.get_mut(id)?;
        let Some(start) = container.running_since() else { return Some(None) };
        let home = self.sandboxes.get(&container.sandbox);
        let volumes = home.map(|home| &home.volumes);
        let mounts = &container.config.part.mounts;
        let files = container.files.get_or_insert_with(|| volumes::seen(mounts, volumes));
        Some(Some(Place {
            hostname: home.map(|home| home.pod_name.to_string()).unwrap_or_default(),
            env: container.config.env.to_vec(),
            behaviour: Arc::clone(&container.behaviour),
            age: now.since(start),
            files: files.clone(),
        }))
    }

    /// Ids of the containers of pod `pod_uid`.
    fn of_pod(&self, pod_uid: &str) -> Vec<Id> {
        let sandboxes = self.pods.get(pod_uid).into_iter().flatten();
        sandboxes.flat_map(|id| self.inside(id)).collect()
    }

    pub(super) fn presses(&self) -> bool {
        self.pressing > 0
    }

    /// What the running containers of pod `pod_uid` use at `now`.
    pub(super) fn usage(&self, pod_uid: &str, now: Time) -> Vec<ContainerUsage> {
        let ids = self.of_pod(pod_uid).into_iter();
        let mut usage: Vec<ContainerUsage> = ids
            .filter_map(|id| {
                let container = self.containers.get(&id)?;
                let age = now.since(container.running_since()?);
                let (cpu_nano, memory_bytes) = container.behaviour.usage_at(age);
                let (pod_uid, name) = (pod_uid.to_owned(), container.config.part.name.to_string());
                let id = id.to_string();
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
        self.followers.push(Follower { id: Id::from(id), due, waker: waker.clone() });
        if let Some(wake) = &self.wake {
            wake();
        }
    }

    pub(super) fn exit_now(&mut self, pod_uid: &str, name: &str, code: i64) -> usize {
        let mut running = self.of_pod(pod_uid);
        running.retain(|id| {
            let named = self.containers.get(id).filter(|c| c.config.part.name == name);
            named.is_some_and(|c| c.running_since().is_some())
        });
        for id in &running {
            self.end(id, Exit::now(code), false);
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
        answering.map(|c| c.behaviour.http_answer(path, c.age(now))).ok_or_else(|| {
            let address = host_port(ip, port);
            Error::Connect(format!(
                "Get http://{address}{path}: dial tcp {address}: connect: connection refused"
            ))
        })
    }
}
