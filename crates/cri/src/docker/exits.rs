//! Noticing that containers end and that the engine goes away.
//!
//! Invariant: the exit of a started container is reported once, whoever notices it first, and never
//! before the outcome of its start.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bollard::query_parameters::{EventsOptionsBuilder, LogsOptionsBuilder};
use futures_util::StreamExt as _;
use world::Time;

use super::{CLUSTER_LABEL, Shared, log, volume};
use crate::runtime::{ContainerExit, Event};

/// How often an engine that went away is asked whether it is back.
const RECONNECT: Duration = Duration::from_millis(500);

/// What is known about the containers made here.
#[derive(Debug, Default)]
pub(super) struct Lives {
    lives: BTreeMap<String, Life>,
}

/// What is known about a container from its creation on.
#[derive(Debug, Clone, Default)]
pub(super) struct Birth {
    /// The sandbox it lives in; `None` for a sandbox.
    pub(super) sandbox: Option<String>,
    pub(super) pod_uid: String,
    pub(super) name: String,
    pub(super) fallback_to_logs: bool,
    /// The file of the pod's own directory with its termination message; empty without one.
    pub(super) message_file: String,
}

#[derive(Debug)]
struct Life {
    birth: Birth,
    started: Option<Time>,
    /// For a sandbox: it has been asked to stop.
    ended: bool,
    /// An exit noticed before the outcome of the start was reported.
    early: Option<ContainerExit>,
}

impl Lives {
    pub(super) fn add(&mut self, id: &str, birth: Birth) {
        let life = Life { birth, started: None, ended: false, early: None };
        self.lives.insert(id.to_owned(), life);
    }

    /// The running containers of pod `pod_uid`: id, name and start.
    pub(super) fn running(&self, pod_uid: &str) -> Vec<(String, String, Time)> {
        let alive = |life: &Life| life.birth.pod_uid == pod_uid && !life.ended;
        let containers = self.lives.iter().filter(|(_, life)| alive(life));
        containers
            .filter(|(_, life)| life.birth.sandbox.is_some())
            .filter_map(|(id, life)| Some((id.clone(), life.birth.name.clone(), life.started?)))
            .collect()
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.lives.remove(id);
    }

    /// The containers of a sandbox.
    pub(super) fn inside(&self, sandbox: &str) -> Vec<String> {
        let inside = self.lives.iter().filter(|(_, l)| l.birth.sandbox.as_deref() == Some(sandbox));
        inside.map(|(id, _)| id.clone()).collect()
    }

    /// Notes that the start of `id` is reported; gives the exit that came before.
    pub(super) fn started(&mut self, id: &str, at: Time) -> Option<Event> {
        let life = self.lives.get_mut(id)?;
        life.started = Some(at);
        let exit = life.early.take()?;
        life.ended = true;
        Some(Event::ContainerExited(exit))
    }

    /// Notes that sandbox `id` is being stopped, so that its end is no news.
    pub(super) fn stopping(&mut self, id: &str) {
        if let Some(life) = self.lives.get_mut(id) {
            life.ended = true;
        }
    }

    /// Whether the end of `id` has not been reported yet.
    fn expects(&self, id: &str) -> bool {
        self.lives.get(id).is_some_and(|life| !life.ended)
    }

    fn ended(&mut self, exit: ContainerExit) -> Option<Event> {
        let life = self.lives.get_mut(&*exit.id).filter(|life| !life.ended)?;
        if life.birth.sandbox.is_none() {
            life.ended = true;
            return Some(Event::SandboxExited { id: exit.id });
        }
        if life.started.is_none() {
            life.early = Some(exit);
            return None;
        }
        life.ended = true;
        Some(Event::ContainerExited(exit))
    }
}

/// Looks at a container that has ended, and reports it unless that has been done.
pub(super) async fn report(shared: &Shared, id: &str) {
    if !shared.lives.lock().expects(id) {
        return;
    }
    if let Some(exit) = exit_of(shared, id).await {
        let mut lives = shared.lives.lock();
        let event = lives.ended(exit);
        shared.queue.push(event);
    }
}

/// How container `id` ended; `None` while it runs.
pub(super) async fn exit_of(shared: &Shared, id: &str) -> Option<ContainerExit> {
    let found = shared.docker.inspect_container(id, None).await.ok()?;
    let state = found.state?;
    if state.running == Some(true) {
        return None;
    }
    let exit_code = state.exit_code.unwrap_or_default();
    let birth = shared.lives.lock().lives.get(id).map(|life| life.birth.clone());
    let birth = birth.unwrap_or_default();
    let message = match &birth.sandbox {
        Some(sandbox) if !birth.message_file.is_empty() => {
            volume::message(shared, sandbox, &birth.message_file).await
        }
        _ => None,
    };
    let message = match message {
        Some(message) => message,
        None if birth.fallback_to_logs && exit_code != 0 => tail(shared, id).await,
        None => state.error.unwrap_or_default(),
    };
    let finished = state.finished_at.as_deref().and_then(Time::parse_rfc3339);
    Some(ContainerExit {
        id: id.into(),
        exit_code,
        oom_killed: state.oom_killed == Some(true),
        finished_at: finished.unwrap_or_else(|| shared.world.now()),
        message,
    })
}

/// When container `id` was started.
pub(super) async fn start_of(shared: &Shared, id: &str) -> Option<Time> {
    let found = shared.docker.inspect_container(id, None).await.ok()?;
    found.state?.started_at.as_deref().and_then(Time::parse_rfc3339)
}

/// The last 80 lines or 2048 bytes of a log.
async fn tail(shared: &Shared, id: &str) -> String {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("80").build();
    let mut output = std::pin::pin!(shared.docker.logs(id, Some(options)));
    let mut bytes = Vec::new();
    while let Some(Ok(piece)) = output.next().await {
        bytes.extend_from_slice(&log::bytes(piece));
    }
    let start = bytes.len().saturating_sub(2048);
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

/// Follows the engine's events until the runtime is dropped; comes back when the engine does.
pub(super) async fn watch(shared: Weak<Shared>) {
    // `missed`: events may have been missed, so that the listener has to look for itself.
    let (mut away, mut missed) = (false, false);
    while let Some(strong) = shared.upgrade() {
        if strong.docker.ping().await.is_err() {
            if !away {
                (away, missed) = (true, true);
                let message = "Cannot connect to the Docker daemon. Is the docker daemon running?";
                strong.queue.push([Event::EngineUnavailable { message: message.to_owned() }]);
            }
            drop(strong);
            world::edge::sleep(RECONNECT).await;
            continue;
        }
        away = false;
        if std::mem::replace(&mut missed, true) {
            strong.queue.push([Event::EngineAvailable]);
        }
        follow(strong).await;
        world::edge::sleep(Duration::from_millis(20)).await;
    }
}

async fn follow(shared: Arc<Shared>) {
    let filters = [
        ("type", "container".to_owned()),
        ("event", "die".to_owned()),
        ("label", format!("{CLUSTER_LABEL}={}", shared.cluster)),
    ];
    let filters = filters.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect();
    let options = EventsOptionsBuilder::default().filters(&filters).build();
    let mut events = std::pin::pin!(shared.docker.events(Some(options)));
    let weak = Arc::downgrade(&shared);
    drop(shared);
    while let Some(Ok(event)) = events.next().await {
        let Some(strong) = weak.upgrade() else { return };
        if let Some(id) = event.actor.and_then(|actor| actor.id) {
            drop(world::edge::spawn(async move { report(&strong, &id).await }));
        }
    }
}
