//! Rollouts as people read them: who did what when, with how many old and new replicas.
//!
//! [`Recorder`] is shown every write (an object before and after) and keeps the story of each rollout
//! of each `DeploymentConfig`; [`text`] and [`svg`] tell it, and a [`Rollout`] is serialised as it is.
//!
//! Who acted follows from what was written: only the deployer scales while a rollout runs, only the
//! deployer controller moves phases, and so on. Who asked for a rollout by hand is for the audit trail
//! to say; here it is a `client`.
//!
//! Invariant: pure; the same writes at the same times give the same stories.
//! Invariant: what is kept is bounded, by [`MOST_ROLLOUTS`] and [`MOST_MOMENTS`].

mod changes;
pub mod serve;
pub mod svg;
pub mod text;

use std::collections::BTreeMap;

use apimachinery::{ObjectExt as _, Value};
use serde::{Deserialize, Serialize};
use world::Time;

use self::changes::{Cause, Seen, changes};
use crate::observe::max_unavailable;

/// How many rollouts of one `DeploymentConfig` are kept.
pub const MOST_ROLLOUTS: usize = 50;
/// How many moments of one rollout are kept.
pub const MOST_MOMENTS: usize = 2000;

/// For how long after its end a rollout is told of pods that come and go.
const AFTERMATH_SECONDS: u64 = 60;

/// One rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The cluster, when there are several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// The project.
    pub project: String,
    /// The `DeploymentConfig`.
    pub deployment_config: String,
    /// Which of its rollouts this is, from 1.
    pub version: i64,
    /// `Rolling`, `Recreate` or `Custom`.
    pub strategy: String,
    /// What set it off.
    pub why: String,
    /// The tags whose move set it off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagChange>,
    /// The images that the containers are to run.
    pub images: Vec<String>,
    /// `New`, `Pending`, `Running`, `Complete` or `Failed`.
    pub phase: String,
    /// Why it failed or was cancelled.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The fewest pods that must be ready, when the strategy promises any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<usize>,
    /// When it began.
    pub began: String,
    /// Seconds until it was complete or had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<String>,
    /// What happened, in order.
    pub moments: Vec<Moment>,
}

/// A tag that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagChange {
    /// `project/stream:tag`.
    pub tag: String,
    /// The digest of the image that it points to since.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Who moved it, if that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub moved_by: String,
}

/// Something that happened during a rollout, with the replicas as they were then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When.
    pub time: String,
    /// Seconds since the rollout began.
    pub after: String,
    /// Who did it.
    pub who: String,
    /// What kind of thing it was.
    pub kind: Kind,
    /// Replicas asked of older rollouts.
    pub old: i64,
    /// Replicas asked of this one.
    pub new: i64,
    /// Ready pods of older rollouts.
    pub old_ready: i64,
    /// Ready pods of this one.
    pub new_ready: i64,
    /// What happened.
    pub what: String,
}

/// The kinds of moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The rollout was set off.
    Begin,
    /// Its phase changed.
    Phase,
    /// Replicas were asked for or given up.
    Scale,
    /// Pods became ready or ceased to be.
    Ready,
    /// A hook began.
    HookBegin,
    /// A hook ended.
    HookEnd,
    /// Someone changed what is wanted.
    Change,
}

impl Rollout {
    /// `project/name`, with the cluster when there are several.
    #[must_use]
    pub fn subject(&self) -> String {
        let project = crate::place::joined(&self.cluster, &self.project);
        format!("{project}/{}", self.deployment_config)
    }

    /// Who moved which of the tags that set it off, as far as that is known.
    #[must_use]
    pub fn moves(&self) -> Vec<String> {
        let known = self.tags.iter().filter(|tag| !tag.moved_by.is_empty());
        known.map(|tag| format!("{} moved {}", tag.moved_by, tag.tag)).collect()
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Complete" | "Failed")
    }
}

/// Keeps the stories of all rollouts of one cluster.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    cluster: String,
    configs: BTreeMap<(String, String), Config>,
}

#[derive(Debug, Clone, Default)]
struct Config {
    /// By version: replicas asked for, and ready.
    replicas: BTreeMap<i64, (i64, i64)>,
    rollouts: Vec<Told>,
}

#[derive(Debug, Clone)]
struct Told {
    rollout: Rollout,
    began: Time,
    ended: Option<Time>,
}

impl Recorder {
    /// Nothing so far, of the cluster of this name (empty when there is only one).
    #[must_use]
    pub fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), configs: BTreeMap::new() }
    }

    /// Takes in one write at `now`.
    pub fn see(&mut self, now: Time, old: Option<&Value>, new: Option<&Value>) {
        let Some((name, seen)) = changes(old, new) else { return };
        let Some(object) = new.or(old) else { return };
        let key = (object.namespace().to_owned(), name);
        if seen.is_empty() && !self.configs.contains_key(&key) {
            return;
        }
        if object.kind() == "DeploymentConfig" && new.is_none() {
            self.configs.remove(&key);
            return;
        }
        let config = self.configs.entry(key).or_default();
        for change in seen {
            config.take(now, change, object, &self.cluster);
        }
    }

    /// The rollouts, by project and name, the oldest first.
    pub fn rollouts(&self) -> impl Iterator<Item = &Rollout> {
        self.configs.values().flat_map(|config| config.rollouts.iter().map(|told| &told.rollout))
    }
}

impl Config {
    fn take(&mut self, now: Time, seen: Seen, object: &Value, cluster: &str) {
        match seen {
            Seen::Begins { version, cause } => {
                let (who, what) = (cause.who, format!("rollout #{version} begins ({})", cause.why));
                self.rollouts.push(Told::new(now, object, version, cause, cluster));
                let excess = self.rollouts.len().saturating_sub(MOST_ROLLOUTS);
                self.rollouts.drain(..excess);
                self.tell(now, who, Kind::Begin, what);
            }
            Seen::Replicas { version, wanted, ready } => {
                self.replicas.insert(version, (wanted, ready));
            }
            Seen::Gone { version } => {
                self.replicas.remove(&version);
            }
            Seen::Phase { version, phase, reason } => {
                if let Some(told) = self.current().filter(|told| told.rollout.version == version) {
                    told.phase(now, &phase, reason);
                }
            }
            Seen::Moment { kind, who, what } => {
                // The deployer may scale before the phase is carried over from its pod.
                let under_way =
                    |told: &mut Told| matches!(told.rollout.phase.as_str(), "Pending" | "Running");
                let deploying = self.current().is_some_and(under_way);
                let who = match (kind, who) {
                    (Kind::Scale, "") if deploying => "deployer",
                    (Kind::Scale, "") => "deploymentconfig-controller",
                    (_, who) => who,
                };
                self.tell(now, who, kind, what);
            }
        }
    }

    fn current(&mut self) -> Option<&mut Told> {
        self.rollouts.last_mut()
    }

    fn tell(&mut self, now: Time, who: &str, kind: Kind, what: String) {
        let replicas = &self.replicas;
        let Some(told) = self.rollouts.last_mut() else { return };
        let late = |ended: Time| now.since(ended).as_secs() >= AFTERMATH_SECONDS;
        if told.ended.is_some_and(late) || told.rollout.moments.len() >= MOST_MOMENTS {
            return;
        }
        let version = told.rollout.version;
        let sum = |pick: fn(&(i64, i64)) -> i64| -> i64 {
            replicas.iter().filter(|(of, _)| **of != version).map(|(_, counts)| pick(counts)).sum()
        };
        let (new, new_ready) = replicas.get(&version).copied().unwrap_or_default();
        told.rollout.moments.push(Moment {
            time: now.rfc3339_micro(),
            after: seconds(told.began, now),
            who: who.to_owned(),
            kind,
            old: sum(|counts| counts.0),
            new,
            old_ready: sum(|counts| counts.1),
            new_ready,
            what,
        });
    }
}

impl Told {
    fn new(now: Time, dc: &Value, version: i64, cause: Cause, cluster: &str) -> Self {
        let replicas = usize::try_from(dc.int_at(&["spec", "replicas"]).unwrap_or(0)).unwrap_or(0);
        let strategy = dc.str_at(&["spec", "strategy", "type"]).to_owned();
        let promised = replicas.saturating_sub(max_unavailable(dc, replicas));
        let containers = dc.list_at(&["spec", "template", "spec", "containers"]).iter();
        let rollout = Rollout {
            cluster: cluster.to_owned(),
            project: dc.namespace().to_owned(),
            deployment_config: dc.name().to_owned(),
            version,
            at_least: Some(promised).filter(|_| strategy == "Rolling"),
            strategy,
            why: cause.why,
            tags: cause.tags,
            images: containers.map(|one| one.str_at(&["image"]).to_owned()).collect(),
            phase: "New".to_owned(),
            reason: String::new(),
            began: now.rfc3339_micro(),
            took: None,
            moments: Vec::new(),
        };
        Self { rollout, began: now, ended: None }
    }

    fn phase(&mut self, now: Time, phase: &str, reason: String) {
        phase.clone_into(&mut self.rollout.phase);
        self.rollout.reason = reason;
        if self.rollout.is_over() {
            self.ended = Some(now);
            self.rollout.took = Some(seconds(self.began, now));
        }
    }
}

fn seconds(from: Time, to: Time) -> String {
    format!("{:.3}", to.since(from).as_secs_f64())
}

#[cfg(test)]
mod tests;
