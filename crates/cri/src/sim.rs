//! Scripted containers on the virtual clock.
//!
//! [`SimRuntime`] runs nothing: what a container does is data, a [`Behaviour`] that [`SimImages`]
//! holds per image reference. Everything that takes time is an entry in one heap ordered by (time,
//! sequence number); [`ContainerRuntime::poll`] plays the entries that are due. [`SimControl`] lets a
//! scenario interfere (end a container, take the engine away) and ask a pod's HTTP server.
//!
//! Invariant: same seed and same calls, same events at the same times.
//! Invariant: nothing happens between two entries of the heap.

mod behaviour;
mod exec;
mod images;
mod shell;
mod state;
mod strain;

use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;
use world::{Time, World};

pub use self::behaviour::{
    Behaviour, ExecAnswer, Exit, HealthAt, HttpAnswer, HttpAnswerAt, LogLine, Login, UsageAt,
};
pub use self::images::SimImages;
use self::state::State;
pub use self::strain::Strain;
use crate::config::ContainerConfig;
use crate::logs::{Line, LineSource, LogOptions, LogStream, Logs, line_stream};
use crate::runtime::{
    Command, ContainerRuntime, ContainerStatus, Error, Event, SandboxStatus, Ticket, Wake,
};
use crate::stats::{ContainerUsage, PodMetrics};
use crate::stream::Streams;

/// The simulated runtime; clones are the same one, for an agent after another.
#[derive(Debug, Clone)]
pub struct SimRuntime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    world: World,
    state: Mutex<State>,
}

impl SimRuntime {
    /// A runtime whose images behave as `images` says.
    #[must_use]
    pub fn new(world: World, images: SimImages) -> Self {
        let state = Mutex::new(State::new(world.clone(), images));
        Self { shared: Arc::new(Shared { world, state }) }
    }

    /// The handle for scenarios.
    #[must_use]
    pub fn control(&self) -> SimControl {
        SimControl { shared: Arc::clone(&self.shared) }
    }
}

impl ContainerRuntime for SimRuntime {
    fn version(&self) -> String {
        concat!("sim://", env!("CARGO_PKG_VERSION")).to_owned()
    }

    fn scheme(&self) -> &'static str {
        "sim"
    }

    fn submit(&mut self, ticket: Ticket, command: Command) {
        self.shared.state.lock().submit(ticket, command);
    }

    fn poll(&mut self) -> Vec<Event> {
        self.shared.state.lock().poll()
    }

    fn next_event_at(&self) -> Option<Time> {
        self.shared.state.lock().next_event_at()
    }

    /// The virtual clock says when there is something to poll, except for what [`SimControl`] does.
    fn set_wake(&mut self, wake: Wake) {
        self.shared.state.lock().set_wake(wake);
    }

    fn command_of(&self, config: &ContainerConfig) -> Vec<String> {
        self.shared.state.lock().command_of(config)
    }

    fn logs(&self) -> Arc<dyn Logs> {
        Arc::new(SimLogs(Arc::clone(&self.shared)))
    }

    fn streams(&self) -> Arc<dyn Streams> {
        Arc::new(exec::SimStreams(Arc::clone(&self.shared)))
    }

    fn metrics(&self) -> Arc<dyn PodMetrics> {
        Arc::new(SimMetrics(Arc::clone(&self.shared)))
    }
}

/// Interference from outside the cluster, and a way in for its users.
#[derive(Debug, Clone)]
pub struct SimControl {
    shared: Arc<Shared>,
}

impl SimControl {
    /// Ends the running containers of pod `pod_uid` named `container` with `code`; gives their number.
    pub fn exit_container(&self, pod_uid: &str, container: &str, code: i64) -> usize {
        self.shared.state.lock().exit_now(pod_uid, container, code)
    }

    /// Removes the sandboxes of pod `pod_uid` as somebody does who tells nobody.
    pub fn lose_sandboxes(&self, pod_uid: &str) {
        self.shared.state.lock().lose_sandboxes(pod_uid);
    }

    /// Tells what is at `path` of the simulated host: `directory`, `file`, `socket file`, `character
    /// device`, `block device` or nothing (empty). Paths that were not told fit every pod.
    pub fn set_host_path(&self, path: &str, what: &str) {
        self.shared.state.lock().set_host_path(path, what);
    }

    /// Takes the engine away (with the reason) or brings it back.
    pub fn set_engine(&self, unavailable: Option<&str>) {
        self.shared.state.lock().set_engine(unavailable);
    }

    /// Puts the engine under strain, or takes it off; what was delayed stays delayed.
    pub fn set_strain(&self, strain: Option<Strain>) {
        self.shared.state.lock().set_strain(strain);
    }

    /// Everything that is there.
    #[must_use]
    pub fn inventory(&self) -> (Vec<SandboxStatus>, Vec<ContainerStatus>) {
        self.shared.state.lock().inventory()
    }

    /// Asks whatever listens on `ip`:`port` for `path`.
    ///
    /// # Errors
    /// [`Error::Connect`] when nothing answers there.
    pub fn http_get(&self, ip: &str, port: u16, path: &str) -> Result<HttpAnswer, Error> {
        self.shared.state.lock().http_by_ip(ip, port, path)
    }
}

/// The figures that the images' scripts name.
#[derive(Debug)]
struct SimMetrics(Arc<Shared>);

impl PodMetrics for SimMetrics {
    fn pod(&self, pod_uid: &str) -> Vec<ContainerUsage> {
        self.0.state.lock().usage(pod_uid, self.0.world.now())
    }

    fn presses(&self) -> bool {
        self.0.state.lock().presses()
    }
}

#[derive(Debug)]
struct SimLogs(Arc<Shared>);

impl Logs for SimLogs {
    fn open(&self, id: &str, options: &LogOptions) -> Result<LogStream, Error> {
        let source: Arc<dyn LineSource> = Arc::<Shared>::clone(&self.0);
        line_stream(source, id, options)
    }
}

impl LineSource for Shared {
    fn lines(&self, id: &str, from: usize) -> Option<(Vec<Line>, bool)> {
        self.state.lock().lines(id, from, self.world.now())
    }

    fn wake_on_line(&self, id: &str, waker: &Waker) {
        self.state.lock().follow(id, waker);
    }
}
