//! What the agent knows about one pod's sandbox and containers.
//!
//! Invariant: a record changes only by what the runtime reported or by what the worker has begun.

use std::cell::RefCell;
use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;
use apimachinery::{Recent, Text, Value};
use cri::Id;
use world::Time;

use crate::backoff::Backoff;
use crate::probe::Kind;

/// One pod on this node.
#[derive(Debug, Clone, PartialEq)]
pub struct PodRecord {
    /// When the agent accepted the pod.
    pub started_at: Time,
    /// The pod's sandbox.
    pub sandbox: Sandbox,
    /// Number of sandboxes made so far.
    pub sandboxes: u32,
    /// Containers by name, init containers among them.
    pub containers: Containers,
    /// Back-off of pulls by image.
    pub pulls: BTreeMap<String, Backoff>,
    /// Why the agent itself ended the pod: reason and message.
    pub failed: Option<Box<(String, String)>>,
}

impl PodRecord {
    /// A pod accepted at `now`.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self {
            started_at: now,
            sandbox: Sandbox::None,
            sandboxes: 0,
            containers: Containers::default(),
            pulls: BTreeMap::new(),
            failed: None,
        }
    }

    /// The record of container `name`, when there is one.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ContainerRecord> {
        self.containers.get(name)
    }

    /// The record of container `name`, made when there is none.
    pub fn container_mut(&mut self, name: &str) -> &mut ContainerRecord {
        self.containers.get_or_new(name)
    }

    /// The running instances: name and container id.
    pub fn running(&self) -> impl Iterator<Item = (&str, &Instance)> {
        self.containers.iter().filter_map(|(name, record)| Some((name, record.running()?)))
    }

    /// The pod's own address; empty before the sandbox runs and in the host's network.
    #[must_use]
    pub fn ip(&self) -> &str {
        match &self.sandbox {
            Sandbox::None => "",
            Sandbox::Ready { ip, .. } | Sandbox::Stopped { ip, .. } => ip,
        }
    }
}

/// Few records by name, in the names' order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Containers(Vec<(Text, ContainerRecord)>);

impl Containers {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    fn get(&self, name: &str) -> Option<&ContainerRecord> {
        self.place(name).ok().map(|place| &self.0[place].1)
    }

    fn get_or_new(&mut self, name: &str) -> &mut ContainerRecord {
        let place = self.place(name).unwrap_or_else(|place| {
            self.0.reserve_exact(1);
            self.0.insert(place, (name.into(), ContainerRecord::default()));
            place
        });
        &mut self.0[place].1
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &ContainerRecord)> {
        self.0.iter().map(|(name, record)| (name.as_str(), record))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Text, &mut ContainerRecord)> {
        self.0.iter_mut().map(|(name, record)| (&*name, record))
    }
}

/// A pod's newest sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sandbox {
    /// None made, or the making failed.
    None,
    /// Running.
    Ready {
        /// Sandbox id.
        id: Id,
        /// Pod IP.
        ip: Text,
    },
    /// Stopped, not removed.
    Stopped {
        /// Sandbox id.
        id: Id,
        /// Pod IP it had.
        ip: Text,
    },
}

/// One container of a pod over all its instances.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerRecord {
    /// The newest instance.
    pub current: Option<Instance>,
    /// The instance before; its log stays readable.
    pub previous: Option<Box<Instance>>,
    /// Why the last start failed, until one succeeds: reason and message.
    pub waiting: Option<Box<(String, String)>>,
    /// Back-off of restarts.
    pub crash: Backoff,
    /// Result of the readiness probe; `None` without one.
    pub readiness: Option<bool>,
    /// Whether the startup probe has passed; `None` without one.
    pub started: Option<bool>,
    /// The probe that asks for a restart.
    pub failed_probe: Option<Kind>,
}

impl ContainerRecord {
    /// The newest instance, while it runs.
    #[must_use]
    pub fn running(&self) -> Option<&Instance> {
        self.current.as_ref().filter(|instance| instance.runs())
    }

    /// The exit of the newest instance that has ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<&Exit> {
        let newest_first = [self.current.as_ref(), self.previous.as_deref()];
        newest_first.into_iter().flatten().find_map(|instance| instance.exit.as_deref())
    }

    /// The number of the next instance.
    #[must_use]
    pub fn next_attempt(&self) -> u32 {
        self.current.as_ref().map_or(0, |instance| instance.attempt + 1)
    }
}

/// One instance of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The runtime's id.
    pub id: Id,
    /// Number of earlier instances.
    pub attempt: u32,
    /// The image as the engine names it.
    pub image: Text,
    /// `imageID` of the status.
    pub image_id: Text,
    /// When it was created.
    pub created_at: Time,
    /// When it was started; `None` until then and when that failed.
    pub started_at: Option<Time>,
    /// How it ended.
    pub exit: Option<Box<Exit>>,
    /// Hash of the container's part of the pod that it was made from.
    pub hash: u64,
}

impl Instance {
    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.started_at.is_some() && self.exit.is_none()
    }
}

/// The end of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Exit code.
    pub code: i64,
    /// `Completed`, `Error`, `OOMKilled` or `ContainerCannotRun`.
    pub reason: &'static str,
    /// Termination message.
    pub message: String,
    /// When.
    pub finished_at: Time,
}

/// What happens to a container that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Always started again.
    Always,
    /// Started again unless it succeeded.
    OnFailure,
    /// Left alone.
    Never,
}

impl RestartPolicy {
    /// Of `pod`.
    #[must_use]
    pub fn of(pod: &Value) -> Self {
        match pod.str_at(&["spec", "restartPolicy"]) {
            "Never" => Self::Never,
            "OnFailure" => Self::OnFailure,
            _ => Self::Always,
        }
    }

    /// Whether a container with this record is to be started (again).
    #[must_use]
    pub fn restarts(self, record: Option<&ContainerRecord>) -> bool {
        let Some(current) = record.and_then(|record| record.current.as_ref()) else { return true };
        match (&current.exit, current.started_at) {
            (None, Some(_)) => false,
            (None, None) => true,
            (Some(exit), _) => match self {
                Self::Always => true,
                Self::OnFailure => exit.code != 0,
                Self::Never => false,
            },
        }
    }
}

/// How events point at container `name` of `pod`; `None` when there is none.
///
/// Mirrors: `fieldPath` of `pkg/kubelet/container/ref.go`.
#[must_use]
pub fn field_path(pod: &Value, name: &str) -> Option<String> {
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let containers = pod.list_at(&["spec", list]);
        if let Some(at) = containers.iter().position(|c| c.str_at(&["name"]) == name) {
            return Some(if name.is_empty() {
                format!("spec.{list}[{at}]")
            } else {
                format!("spec.{list}{{{name}}}")
            });
        }
    }
    None
}

/// Hash of one container's part of a pod, by which a changed one is recognised.
#[must_use]
pub fn container_hash(container: &Value) -> u64 {
    thread_local! {
        static HASHES: RefCell<Recent<Value, u64>> = const { RefCell::new(Recent::new()) };
    }
    HASHES.with_borrow_mut(|hashes| {
        let known = hashes.get(|known| known == container);
        known.unwrap_or_else(|| {
            // FNV-1a; the number only has to be stable within this process.
            let text = container.to_string();
            let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            hashes.put(container.clone(), hash)
        })
    })
}
