//! One lifecycle hook under way: its pod is created and followed, its output copied into the
//! deployer's log; or its tags are written.
//!
//! Invariant: output of the hook stands between the lines that announce its beginning and its end.
//!
//! Mirrors: `openshift/origin pkg/apps/strategy/support/lifecycle.go` (`Execute`).

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Call, LogOptions, LogStream};
use controller_runtime::{Context, EventType};
use futures_core::Stream as _;
use world::Time;

use super::Log;
use super::rollouts::Rollouts;
use crate::hook::{self, FailurePolicy, Moment};
use crate::rollout::deployer_pod_name;

/// How soon a hook that was begun is looked at; most tags are written by then.
pub(super) const FIRST_LOOK: Duration = Duration::ZERO;
/// How often new output is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked for once the pod has ended.
const LAST_LOOKS: Duration = Duration::from_millis(100);
/// How long after the end of the pod its output is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A hook under way.
#[derive(Debug)]
pub(super) struct HookRun {
    moment: Moment,
    policy: FailurePolicy,
    state: State,
}

/// Where a hook stands.
#[derive(Debug)]
pub(super) enum Progress {
    /// It runs; look again after so long, or when its pod changes.
    LookAgain(Duration),
    /// It is over, with the error that the rollout ends with.
    Ended(Result<(), String>),
}

#[derive(Debug)]
enum State {
    Pod(PodRun),
    Ended(Result<(), String>),
}

#[derive(Debug)]
struct PodRun {
    name: String,
    /// The pod was made by this run, not found.
    created: bool,
    /// The pod has been seen running, or was made by this run.
    fresh: bool,
    restarts: i64,
    output: Option<Output>,
    ended_at: Option<Time>,
}

/// What a container writes, as far as it has been read.
struct Output {
    /// Absent when it could not be opened.
    stream: Option<LogStream>,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("over", &self.stream.is_none()).finish_non_exhaustive()
    }
}

impl HookRun {
    /// Says that the hook begins, and begins it.
    pub(super) fn begin(
        cx: &mut Context<'_>,
        config: &Value,
        rollouts: &Rollouts,
        moment: Moment,
        log: Log<'_>,
    ) -> Self {
        let rc = &rollouts.to;
        let Some(hook) = hook::find(config, moment) else {
            let state = State::Ended(Ok(()));
            return Self { moment, policy: FailurePolicy::Abort, state };
        };
        let component = deployer_pod_name(rc.name());
        let text = hook::started(moment, hook, rc);
        cx.recorder.event(&component, config, EventType::Normal, "Started", &text);
        let state = if hook.get("execNewPod").is_some_and(Value::is_object) {
            match create_pod(cx, config, hook, rc, moment) {
                Ok(run) => {
                    log.print(&format!("--> {}: Running hook pod ...", moment.label()));
                    State::Pod(run)
                }
                Err(text) => State::Ended(Err(text)),
            }
        } else {
            State::Ended(tag_images(cx, hook, rc, moment, log))
        };
        Self { moment, policy: FailurePolicy::of(hook), state }
    }

    /// Looks how far the hook is; its end is told by an event.
    pub(super) fn go_on(
        &mut self,
        cx: &mut Context<'_>,
        rollouts: &Rollouts,
        log: Log<'_>,
    ) -> Progress {
        let rc = &rollouts.to;
        let result = match &mut self.state {
            State::Pod(run) => match run.go_on(cx, rc, self.moment.label(), log) {
                Progress::Ended(result) => result,
                running @ Progress::LookAgain(_) => return running,
            },
            State::Ended(result) => result.clone(),
        };
        let (event_type, reason, text, outcome) = match result {
            Ok(()) => (EventType::Normal, "Completed", hook::completed(self.moment, rc), Ok(())),
            Err(error) => {
                let (text, outcome) = hook::failed(self.moment, self.policy, rc, &error);
                (EventType::Warning, "Failed", text, outcome)
            }
        };
        if let Ok(config) = rollouts.config() {
            let component = deployer_pod_name(rc.name());
            cx.recorder.event(&component, &config, event_type, reason, &text);
        }
        Progress::Ended(outcome)
    }
}

/// Creates the pod of `hook`, or finds it there.
fn create_pod(
    cx: &Context<'_>,
    config: &Value,
    hook: &Value,
    rc: &Value,
    moment: Moment,
) -> Result<PodRun, String> {
    let strategy = config.at(&["spec", "strategy"]).unwrap_or(&Value::Null);
    let deployer = cx.caches.get(&api::PODS, rc.namespace(), &deployer_pod_name(rc.name()));
    let started =
        deployer.and_then(|pod| Time::parse_rfc3339(pod.str_at(&["status", "startTime"])));
    let elapsed = started.map_or(Duration::ZERO, |started| cx.world.now().since(started));
    let pod = hook::make_pod(hook, rc, strategy, moment.suffix(), elapsed)?;
    let name = pod.name().to_owned();
    let created = match cx.client.create(&api::PODS, rc.namespace(), pod) {
        Ok(_) => true,
        Err(status) if status.is_already_exists() => false,
        Err(status) => {
            return Err(format!("couldn't create lifecycle pod for {}: {status}", rc.name()));
        }
    };
    Ok(PodRun { name, created, fresh: created, restarts: 0, output: None, ended_at: None })
}

/// Writes every tag; what fails is told together.
fn tag_images(
    cx: &Context<'_>,
    hook: &Value,
    rc: &Value,
    moment: Moment,
    log: Log<'_>,
) -> Result<(), String> {
    let mut errors = Vec::new();
    for tagging in hook::taggings(hook, rc) {
        let written = tagging.and_then(|tagging| {
            let namespace = Some(tagging.namespace.as_str()).filter(|given| !given.is_empty());
            let object = json!({
                "apiVersion": "image.openshift.io/v1",
                "kind": "ImageStreamTag",
                "metadata": {
                    "name": tagging.name, "namespace": namespace.unwrap_or_else(|| rc.namespace())},
                "tag": {"from": {"kind": "DockerImage", "name": tagging.image}},
            });
            let written = cx.client.update(&api::IMAGE_STREAM_TAGS, object);
            written.map(|_| tagging).map_err(|status| status.to_string())
        });
        match written {
            Ok(tagging) => {
                let (label, to) =
                    (moment.label(), format!("{}/{}", tagging.namespace, tagging.name));
                log.print(&format!("--> {label}: Tagged {:?} into {to}", tagging.image));
            }
            Err(text) => errors.push(text),
        }
    }
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(format!("[{}]", errors.join(", "))),
    }
}

impl PodRun {
    fn go_on(&mut self, cx: &Context<'_>, rc: &Value, label: &str, log: Log<'_>) -> Progress {
        let Some(pod) = cx.caches.get(&api::PODS, rc.namespace(), &self.name) else {
            return Progress::LookAgain(LOOK);
        };
        match pod.str_at(&["status", "phase"]) {
            "Running" => {
                self.fresh = true;
                self.follow(cx, &pod, label, log);
                Progress::LookAgain(LOOK)
            }
            phase @ ("Succeeded" | "Failed") => {
                self.end(cx, &pod, phase == "Succeeded", label, log)
            }
            _ => Progress::LookAgain(LOOK),
        }
    }

    /// Copies what was written since; a container that was started again begins a new output.
    fn follow(&mut self, cx: &Context<'_>, pod: &Value, label: &str, log: Log<'_>) {
        let restarts = restarts(pod);
        if restarts > self.restarts {
            self.restarts = restarts;
            if let Some(mut output) = self.output.take() {
                output.copy(log);
            }
            log.print(&format!("--> {label}: Retrying hook pod (retry #{restarts})"));
        }
        self.open(cx, pod, log);
        if let Some(output) = &mut self.output {
            output.copy(log);
        }
    }

    fn open(&mut self, cx: &Context<'_>, pod: &Value, log: Log<'_>) {
        if self.output.is_some() {
            return;
        }
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let call = Call::new(cx.client.user(), &api::PODS)
            .within(pod.namespace())
            .named(pod.name())
            .subresource("log");
        let stream = cx.client.server().log(&call, &options).map_err(|status| {
            let name = pod.name();
            log.print(&format!("warning: Unable to retrieve hook logs from {name}: {status}"));
        });
        self.output = Some(Output { stream: stream.ok(), rest: Vec::new() });
    }

    fn end(
        &mut self,
        cx: &Context<'_>,
        pod: &Value,
        succeeded: bool,
        label: &str,
        log: Log<'_>,
    ) -> Progress {
        let result = || {
            let why = pod.str_at(&["status", "message"]).to_owned();
            if succeeded { Ok(()) } else { Err(why) }
        };
        if !self.fresh {
            if succeeded {
                log.print(&format!("--> {label}: Hook pod already succeeded"));
            }
            return Progress::Ended(result());
        }
        let now = cx.world.now();
        let ended_at = *self.ended_at.get_or_insert_with(|| {
            if !self.created {
                log.print(&format!("--> {label}: Hook pod is already running ..."));
            }
            now
        });
        self.open(cx, pod, log);
        let over = self.output.as_mut().is_none_or(|output| output.copy(log));
        if !over && now.since(ended_at) < PATIENCE {
            return Progress::LookAgain(LAST_LOOKS);
        }
        log.print(&format!("--> {label}: {}", if succeeded { "Success" } else { "Failed" }));
        Progress::Ended(result())
    }
}

fn restarts(pod: &Value) -> i64 {
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    statuses.iter().filter_map(|status| status.int_at(&["restartCount"])).sum()
}

impl Output {
    /// Copies the lines that are there; whether no more will come.
    fn copy(&mut self, log: Log<'_>) -> bool {
        let mut task = TaskContext::from_waker(Waker::noop());
        while let Some(stream) = &mut self.stream {
            match Pin::new(stream).poll_next(&mut task) {
                Poll::Ready(Some(piece)) => self.rest.extend_from_slice(&piece),
                Poll::Ready(None) => self.stream = None,
                Poll::Pending => break,
            }
        }
        let over = self.stream.is_none();
        let lines = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let whole = if over { self.rest.len() } else { lines };
        let text: Vec<u8> = self.rest.drain(..whole).collect();
        log.print(&String::from_utf8_lossy(&text));
        over
    }
}
