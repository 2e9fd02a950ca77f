//! What every container runtime must do alike.
//!
//! Each case is a function over a [`Bench`], which drives one runtime through the trait. The caller
//! brings a [`Harness`]: the runtime, a way to let time pass, and images for the few [`Program`]s that
//! the cases run. `sim` runs all cases in this crate's tests, `docker` when an engine answers.
//!
//! Invariant: a case uses nothing but the trait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ContainerConfig, HttpGet, PodSandboxConfig};
use crate::logs::LogOptions;
use crate::runtime::{
    Command, ContainerExit, ContainerRuntime, ContainerState, Error, Event, Id, Image, Reply,
    SandboxStatus, Ticket,
};

/// What a test image's program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Runs until SIGTERM, and obeys it.
    Obeys,
    /// Runs and ignores SIGTERM.
    Ignores,
    /// Ends at once with code 3.
    Fails,
    /// Writes the lines `one`, `two`, `three` and ends with code 0.
    Prints,
    /// Answers HTTP on port 8080: 200 `hello` for `/`, 404 for anything else.
    Serves,
    /// Leaves the termination message `why` and ends at once with code 4.
    Explains,
    /// Cannot be pulled.
    Missing,
    /// Is present and cannot be started.
    Broken,
}

/// What a test brings along.
pub trait Harness {
    /// The runtime under test.
    fn runtime(&mut self) -> &mut dyn ContainerRuntime;
    /// Lets time pass until something may have happened; false when nothing ever will.
    fn wait(&mut self) -> bool;
    /// An image reference, and the command to run in it, for `program`.
    fn program(&self, program: Program) -> (String, Vec<String>);
}

/// One case of the suite.
pub type Case = fn(&mut Bench<'_>) -> Result<(), String>;

/// The suite.
pub const CASES: &[(&str, Case)] = &[
    ("sandbox_has_an_address_of_its_own", sandbox_has_an_address_of_its_own),
    ("container_runs_until_stopped", container_runs_until_stopped),
    ("stop_kills_after_the_grace_period", stop_kills_after_the_grace_period),
    ("exit_code_is_reported", exit_code_is_reported),
    ("output_is_kept_until_removal", output_is_kept_until_removal),
    ("http_and_tcp_reach_the_container", http_and_tcp_reach_the_container),
    ("exec_runs_in_a_running_container", exec_runs_in_a_running_container),
    ("missing_image_is_an_error", missing_image_is_an_error),
    ("broken_program_fails_to_start", broken_program_fails_to_start),
    ("removed_sandbox_takes_its_containers", removed_sandbox_takes_its_containers),
    ("stop_and_remove_may_be_repeated", stop_and_remove_may_be_repeated),
    ("a_termination_message_is_reported", a_termination_message_is_reported),
    ("what_runs_can_be_found_again", what_runs_can_be_found_again),
    ("what_runs_can_be_measured", what_runs_can_be_measured),
];

/// Runs one case.
///
/// # Errors
/// What the runtime did wrong.
pub fn run(case: Case, harness: &mut dyn Harness) -> Result<(), String> {
    let mut bench = Bench { harness, next_ticket: 1, events: VecDeque::new() };
    case(&mut bench)
}

/// Drives the runtime: submits a command and waits for its end.
pub struct Bench<'a> {
    harness: &'a mut dyn Harness,
    next_ticket: Ticket,
    events: VecDeque<Event>,
}

impl std::fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("events", &self.events).finish_non_exhaustive()
    }
}

type CaseResult = Result<(), String>;

impl Bench<'_> {
    fn call(&mut self, command: Command) -> Result<Result<Reply, Error>, String> {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let text = format!("{command:?}");
        self.harness.runtime().submit(ticket, command);
        self.until(&text, |event| match event {
            Event::Done { ticket: of, result } if *of == ticket => Some(result.clone()),
            _ => None,
        })
    }

    fn done(&mut self, command: Command) -> Result<Reply, String> {
        let text = format!("{command:?}");
        self.call(command)?.map_err(|error| format!("{text} failed: {error}"))
    }

    /// Waits for the first event that `pick` takes and removes it.
    fn until<T>(&mut self, what: &str, pick: impl Fn(&Event) -> Option<T>) -> Result<T, String> {
        loop {
            if let Some(index) = self.events.iter().position(|event| pick(event).is_some()) {
                let event = self.events.remove(index).expect("position is inside");
                return pick(&event).ok_or_else(|| "picked twice".to_owned());
            }
            let new = self.harness.runtime().poll();
            let nothing = new.is_empty();
            self.events.extend(new);
            if nothing && !self.harness.wait() {
                return Err(format!("waited in vain for {what}; events {:?}", self.events));
            }
        }
    }

    fn exit_of(&mut self, id: &str) -> Result<ContainerExit, String> {
        self.until("the exit", |event| match event {
            Event::ContainerExited(exit) if *exit.id == *id => Some(exit.clone()),
            _ => None,
        })
    }

    fn sandbox(&mut self, name: &str) -> Result<SandboxStatus, String> {
        let config = PodSandboxConfig {
            name: name.into(),
            namespace: "conformance".into(),
            uid: format!("uid-{name}").into(),
            hostname: name.into(),
            ..PodSandboxConfig::default()
        };
        match self.done(Command::RunPodSandbox { config: Box::new(config) })? {
            Reply::Sandbox(status) => Ok(status),
            other => Err(format!("RunPodSandbox answered {other:?}")),
        }
    }

    fn image(&mut self, program: Program) -> Result<Image, String> {
        let (image, _) = self.harness.program(program);
        match self.done(Command::ImageStatus { image: image.clone() })? {
            Reply::Image(Some(found)) => Ok(found),
            other => Err(format!("ImageStatus of {image} answered {other:?}")),
        }
    }

    fn create(&mut self, sandbox: &SandboxStatus, program: Program) -> Result<Id, String> {
        let found = self.image(program)?;
        let (image, command) = self.harness.program(program);
        let config = ContainerConfig {
            name: "main".into(),
            pod_name: "pod".into(),
            pod_namespace: "conformance".into(),
            pod_uid: sandbox.pod_uid.clone(),
            image: image.into(),
            image_id: found.id,
            command: command.into(),
            annotations: Arc::new(BTreeMap::from([("example".to_owned(), "kept".to_owned())])),
            termination_message_path: "/dev/termination-log".into(),
            ..ContainerConfig::default()
        };
        let command =
            Command::CreateContainer { sandbox: sandbox.id.clone(), config: Box::new(config) };
        match self.done(command)? {
            Reply::Container(id) => Ok(id),
            other => Err(format!("CreateContainer answered {other:?}")),
        }
    }

    fn start(&mut self, sandbox: &SandboxStatus, program: Program) -> Result<Id, String> {
        let id = self.create(sandbox, program)?;
        match self.done(Command::StartContainer { id: id.clone() })? {
            Reply::Started(_) => Ok(id),
            other => Err(format!("StartContainer answered {other:?}")),
        }
    }

    fn state(&mut self, id: &str) -> Result<Option<ContainerState>, String> {
        match self.done(Command::List)? {
            Reply::List { containers, .. } => {
                Ok(containers.iter().find(|c| *c.id == *id).map(|c| c.state))
            }
            other => Err(format!("List answered {other:?}")),
        }
    }

    fn remove(&mut self, sandbox: &SandboxStatus) -> CaseResult {
        self.done(Command::StopPodSandbox { id: sandbox.id.clone() })?;
        self.done(Command::RemovePodSandbox { id: sandbox.id.clone() })?;
        Ok(())
    }

    fn log(&mut self, id: &str, options: &LogOptions) -> Result<String, String> {
        use std::future::Future as _;
        let logs = self.harness.runtime().logs();
        let mut stream = logs.open(id, options).map_err(|error| error.to_string())?;
        let mut text = String::new();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            let mut next = futures_util::StreamExt::next(&mut stream);
            match std::pin::Pin::new(&mut next).poll(&mut context) {
                std::task::Poll::Ready(Some(bytes)) => {
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
                std::task::Poll::Ready(None) => return Ok(text),
                std::task::Poll::Pending => {
                    let new = self.harness.runtime().poll();
                    let nothing = new.is_empty();
                    self.events.extend(new);
                    if nothing && !self.harness.wait() {
                        return Err(format!("the log of {id} does not end; so far {text:?}"));
                    }
                }
            }
        }
    }
}

fn ensure(condition: bool, message: impl FnOnce() -> String) -> CaseResult {
    if condition { Ok(()) } else { Err(message()) }
}

fn sandbox_has_an_address_of_its_own(bench: &mut Bench<'_>) -> CaseResult {
    let (one, two) = (bench.sandbox("one")?, bench.sandbox("two")?);
    ensure(one.ip.parse::<std::net::Ipv4Addr>().is_ok(), || format!("ip {:?}", one.ip))?;
    ensure(one.ip != two.ip, || format!("both have {}", one.ip))?;
    ensure(one.running, || "not running".to_owned())?;
    bench.remove(&one)?;
    bench.remove(&two)
}

fn container_runs_until_stopped(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("stopped")?;
    let id = bench.start(&sandbox, Program::Obeys)?;
    let state = bench.state(&id)?;
    ensure(state == Some(ContainerState::Running), || format!("{state:?} after start"))?;
    bench.done(Command::StopContainer { id: id.clone(), grace: Duration::from_secs(20) })?;
    let exit = bench.exit_of(&id)?;
    ensure(exit.exit_code != 137, || format!("exit code {}", exit.exit_code))?;
    let state = bench.state(&id)?;
    ensure(state == Some(ContainerState::Exited), || format!("{state:?} after stop"))?;
    bench.remove(&sandbox)
}

fn stop_kills_after_the_grace_period(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("killed")?;
    let id = bench.start(&sandbox, Program::Ignores)?;
    bench.done(Command::StopContainer { id: id.clone(), grace: Duration::from_secs(1) })?;
    let exit = bench.exit_of(&id)?;
    ensure(exit.exit_code == 137, || format!("exit code {}", exit.exit_code))?;
    ensure(!exit.oom_killed, || "reported as out of memory".to_owned())?;
    bench.remove(&sandbox)
}

fn exit_code_is_reported(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("fails")?;
    let id = bench.start(&sandbox, Program::Fails)?;
    let exit = bench.exit_of(&id)?;
    ensure(exit.exit_code == 3, || format!("exit code {}", exit.exit_code))?;
    bench.remove(&sandbox)
}

fn output_is_kept_until_removal(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("prints")?;
    let id = bench.start(&sandbox, Program::Prints)?;
    let followed = bench.log(&id, &LogOptions { follow: true, ..LogOptions::default() })?;
    ensure(followed == "one\ntwo\nthree\n", || format!("followed {followed:?}"))?;
    bench.exit_of(&id)?;
    let tail = bench.log(&id, &LogOptions { tail_lines: Some(1), ..LogOptions::default() })?;
    ensure(tail == "three\n", || format!("tail {tail:?}"))?;
    let stamped = LogOptions { timestamps: true, tail_lines: Some(1), ..LogOptions::default() };
    let stamped = bench.log(&id, &stamped)?;
    let time = stamped.split(' ').next().and_then(world::Time::parse_rfc3339);
    ensure(time.is_some() && stamped.ends_with(" three\n"), || format!("stamped {stamped:?}"))?;
    let limited = bench.log(&id, &LogOptions { limit_bytes: Some(5), ..LogOptions::default() })?;
    ensure(limited == "one\nt", || format!("limited {limited:?}"))?;
    bench.done(Command::RemoveContainer { id: id.clone() })?;
    let gone = bench.log(&id, &LogOptions::default());
    ensure(gone.as_ref().map_or(true, String::is_empty), || format!("after removal {gone:?}"))?;
    bench.remove(&sandbox)
}

fn http_and_tcp_reach_the_container(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("serves")?;
    let id = bench.start(&sandbox, Program::Serves)?;
    let request = |path: &str| HttpGet {
        scheme: "http".to_owned(),
        host: sandbox.ip.to_string(),
        port: 8080,
        path: path.to_owned(),
        headers: vec![("User-Agent".to_owned(), "kube-probe/1.11".to_owned())],
        timeout: Duration::from_secs(1),
    };
    let get = |path: &str| Command::HttpGet { id: id.clone(), request: Box::new(request(path)) };
    // A program may need a moment to listen.
    let mut answer = bench.call(get("/"))?;
    for _ in 0..50 {
        if answer.is_ok() {
            break;
        }
        bench.harness.wait();
        answer = bench.call(get("/"))?;
    }
    let hello = Ok(Reply::Http { status: 200, body: "hello".to_owned() });
    ensure(answer == hello, || format!("/ answered {answer:?}"))?;
    let other = bench.call(get("/nowhere"))?;
    let not_found = matches!(other, Ok(Reply::Http { status: 404, .. }));
    ensure(not_found, || format!("/nowhere answered {other:?}"))?;
    let tcp = Command::TcpConnect {
        id: id.clone(),
        host: sandbox.ip.to_string(),
        port: 8080,
        timeout: Duration::from_secs(1),
    };
    bench.done(tcp.clone())?;
    bench.done(Command::StopContainer { id: id.clone(), grace: Duration::from_secs(1) })?;
    bench.exit_of(&id)?;
    let refused = bench.call(tcp)?;
    let text = format!("dial tcp {}:8080: connect: connection refused", sandbox.ip);
    ensure(refused == Err(Error::Connect(text)), || format!("stopped, tcp gave {refused:?}"))?;
    let refused = bench.call(get("/"))?;
    let url = format!("http://{}:8080/", sandbox.ip);
    let text = format!("Get {url}: dial tcp {}:8080: connect: connection refused", sandbox.ip);
    ensure(refused == Err(Error::Connect(text)), || format!("stopped, http gave {refused:?}"))?;
    bench.remove(&sandbox)
}

fn exec_runs_in_a_running_container(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("exec")?;
    let id = bench.start(&sandbox, Program::Serves)?;
    let command = vec!["/bin/busybox".to_owned(), "true".to_owned()];
    let reply = bench.done(Command::ExecSync { id: id.clone(), command: command.clone() })?;
    ensure(matches!(reply, Reply::Exec { exit_code: 0, .. }), || format!("answered {reply:?}"))?;
    bench.done(Command::StopContainer { id: id.clone(), grace: Duration::from_secs(1) })?;
    let stopped = bench.call(Command::ExecSync { id, command })?;
    ensure(stopped.is_err(), || format!("in a stopped container {stopped:?}"))?;
    bench.remove(&sandbox)
}

fn missing_image_is_an_error(bench: &mut Bench<'_>) -> CaseResult {
    let (image, _) = bench.harness.program(Program::Missing);
    let status = bench.done(Command::ImageStatus { image: image.clone() })?;
    ensure(status == Reply::Image(None), || format!("ImageStatus answered {status:?}"))?;
    match bench.call(Command::PullImage { image, credentials: Vec::new() })? {
        Err(Error::Engine(text)) => {
            let prefix = "rpc error: code = Unknown desc = Error response from daemon: ";
            ensure(text.starts_with(prefix), || format!("error text {text:?}"))
        }
        other => Err(format!("PullImage answered {other:?}")),
    }
}

fn broken_program_fails_to_start(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("broken")?;
    let id = bench.create(&sandbox, Program::Broken)?;
    let started = bench.call(Command::StartContainer { id: id.clone() })?;
    let refused = matches!(started, Err(Error::Engine(_)));
    ensure(refused, || format!("start answered {started:?}"))?;
    bench.done(Command::RemoveContainer { id })?;
    bench.remove(&sandbox)
}

fn removed_sandbox_takes_its_containers(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("removed")?;
    let id = bench.start(&sandbox, Program::Obeys)?;
    bench.done(Command::StopPodSandbox { id: sandbox.id.clone() })?;
    bench.exit_of(&id)?;
    bench.done(Command::RemovePodSandbox { id: sandbox.id.clone() })?;
    let state = bench.state(&id)?;
    ensure(state.is_none(), || format!("still there: {state:?}"))
}

fn stop_and_remove_may_be_repeated(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("repeated")?;
    let id = bench.start(&sandbox, Program::Obeys)?;
    for _ in 0..2 {
        bench.done(Command::StopContainer { id: id.clone(), grace: Duration::from_secs(20) })?;
    }
    bench.exit_of(&id)?;
    for _ in 0..2 {
        bench.done(Command::RemoveContainer { id: id.clone() })?;
    }
    for _ in 0..2 {
        bench.done(Command::StopPodSandbox { id: sandbox.id.clone() })?;
        bench.done(Command::RemovePodSandbox { id: sandbox.id.clone() })?;
    }
    let twice = bench.events.iter().any(|event| matches!(event, Event::ContainerExited(_)));
    ensure(!twice, || format!("more than one exit: {:?}", bench.events))
}

fn a_termination_message_is_reported(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("explains")?;
    let id = bench.start(&sandbox, Program::Explains)?;
    let exit = bench.exit_of(&id)?;
    ensure(exit.exit_code == 4, || format!("exit {exit:?}"))?;
    ensure(exit.message.trim_end() == "why", || format!("message {:?}", exit.message))?;
    bench.remove(&sandbox)
}

fn what_runs_can_be_found_again(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("found")?;
    let id = bench.start(&sandbox, Program::Obeys)?;
    let Reply::List { sandboxes, containers } = bench.done(Command::List)? else {
        return Err("List answers with a list".to_owned());
    };
    let home = sandboxes.iter().find(|found| found.id == sandbox.id);
    ensure(home == Some(&sandbox), || format!("made {sandbox:?}, found {home:?}"))?;
    let found = containers.iter().find(|found| found.id == id).ok_or("the container is listed")?;
    let known = (found.pod_uid == sandbox.pod_uid) && found.name == "main" && found.attempt == 0;
    ensure(known && found.state == ContainerState::Running, || format!("found {found:?}"))?;
    let kept = found.annotations.get("example").map(String::as_str);
    ensure(kept == Some("kept"), || format!("annotations {:?}", found.annotations))?;
    let begun =
        found.started_at.is_some_and(|at| at.since(found.created_at) < Duration::from_secs(60));
    ensure(begun, || format!("times {found:?}"))?;
    bench.remove(&sandbox)
}

fn what_runs_can_be_measured(bench: &mut Bench<'_>) -> CaseResult {
    let sandbox = bench.sandbox("measured")?;
    let id = bench.start(&sandbox, Program::Serves)?;
    let metrics = bench.harness.runtime().metrics();
    let mut usage = metrics.pod(&sandbox.pod_uid);
    for _ in 0..50 {
        if !usage.is_empty() {
            break;
        }
        bench.harness.wait();
        usage = metrics.pod(&sandbox.pod_uid);
    }
    let [found] = usage.as_slice() else { return Err(format!("usage {usage:?}")) };
    ensure(*found.id == *id && found.name == "main", || format!("usage {found:?}"))?;
    ensure(found.memory_bytes > 0, || format!("no memory in use: {found:?}"))?;
    bench.remove(&sandbox)?;
    ensure(metrics.pod(&sandbox.pod_uid).is_empty(), || "usage after the end".to_owned())
}
