//! Watches every write of a run: builds the timeline and holds rollouts to their availability.
//!
//! The rule: once all replicas of a Rolling `DeploymentConfig` have been ready, the number of ready
//! pods never falls under `replicas - maxUnavailable` (percentages rounded down) until `replicas` is
//! changed.
//!
//! Invariant: sees every write in order; looking on changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use apimachinery::{ObjectExt as _, Value, int_or_string};
use apiserver::{ApiServer, Stored, key};
use serde::Serialize;
use store::{EventKind, Watcher};
use world::{Time, World};

use crate::place::joined;
use crate::rollout::Recorder;
use crate::timeline::{Entry, moments};

/// A moment at which too few pods were ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Seconds since the rehearsal began.
    pub at: String,
    /// `project/deploymentconfig`.
    pub deployment_config: String,
    /// Ready pods at that moment.
    pub ready: usize,
    /// The fewest that are allowed.
    pub at_least: usize,
}

/// Follows the writes of one run.
#[derive(Debug)]
pub struct Observer {
    world: World,
    /// Name of the cluster; empty when there is only one.
    cluster: String,
    start: Time,
    watcher: Watcher<Stored>,
    /// What the keys of events begin with.
    events: String,
    /// The timeline so far.
    pub entries: Vec<Entry>,
    /// Broken availability so far.
    pub violations: Vec<Violation>,
    /// The rollouts so far.
    pub rollouts: Recorder,
    tracked: BTreeMap<(String, String), Tracked>,
    /// What last kept a pod from serving, by project and rollout.
    troubles: BTreeMap<(String, String), String>,
}

#[derive(Debug, Default)]
struct Tracked {
    replicas: usize,
    at_least: usize,
    /// All replicas were ready at some moment since `replicas` was last changed.
    armed: bool,
    ready: BTreeSet<String>,
}

impl Observer {
    /// Follows the writes of `server` from now on.
    ///
    /// # Errors
    /// When the store refuses the watch.
    pub fn new(world: &World, server: &ApiServer) -> Result<Self, store::Error> {
        let watcher = server.store().watch("/registry/", server.store().revision())?;
        Ok(Self {
            world: world.clone(),
            cluster: String::new(),
            start: world.now(),
            watcher,
            events: key::collection(&api::EVENTS, ""),
            entries: Vec::new(),
            violations: Vec::new(),
            rollouts: Recorder::default(),
            tracked: BTreeMap::new(),
            troubles: BTreeMap::new(),
        })
    }

    /// Says `cluster` with everything that is seen.
    #[must_use]
    pub fn named(mut self, cluster: &str) -> Self {
        cluster.clone_into(&mut self.cluster);
        self.rollouts = Recorder::new(cluster);
        self
    }

    /// When the run began.
    #[must_use]
    pub fn start(&self) -> Time {
        self.start
    }

    /// What last kept a pod of `rollout` from serving, as far as that was seen.
    #[must_use]
    pub fn trouble(&self, project: &str, rollout: &str) -> Option<&str> {
        let key = (project.to_owned(), rollout.to_owned());
        self.troubles.get(&key).map(String::as_str)
    }

    /// Takes in every write since the last call.
    ///
    /// # Errors
    /// When history was compacted under it, so that writes would be missed.
    pub fn catch_up(&mut self) -> Result<(), store::Error> {
        while let Some(event) = self.watcher.try_next()? {
            if event.kv.key.starts_with(&self.events) {
                // They say nothing that is looked for, and would have to be written out first.
                continue;
            }
            let old = event.prev.as_ref().map(|kv| kv.value.value());
            let new = (event.kind == EventKind::Put).then(|| event.kv.value.value());
            let (old, new) = (old.as_deref(), new.as_deref());
            let now = self.world.now();
            let Some(object) = new.or(old) else { continue };
            self.rollouts.see(now, old, new);
            for (name, text) in moments(old, new) {
                let entry = Entry::new(self.start, now, object.namespace(), &name, text);
                self.entries.push(entry.in_cluster(&self.cluster));
            }
            match object.kind() {
                "DeploymentConfig" => self.see_deployment_config(object, new.is_some()),
                "Pod" => self.see_pod(object, new.is_some(), now),
                _ => {}
            }
        }
        Ok(())
    }

    fn see_deployment_config(&mut self, dc: &Value, exists: bool) {
        let key = (dc.namespace().to_owned(), dc.name().to_owned());
        if !exists {
            self.tracked.remove(&key);
            return;
        }
        let replicas = usize::try_from(dc.int_at(&["spec", "replicas"]).unwrap_or(0)).unwrap_or(0);
        let tracked = self.tracked.entry(key).or_default();
        if tracked.replicas != replicas {
            tracked.replicas = replicas;
            tracked.armed = false;
        }
        tracked.at_least = replicas.saturating_sub(max_unavailable(dc, replicas));
    }

    fn see_pod(&mut self, pod: &Value, exists: bool, now: Time) {
        if let Some(trouble) = trouble(pod).filter(|_| exists) {
            let key = (pod.namespace().to_owned(), pod.label("deployment").to_owned());
            self.troubles.insert(key, trouble);
        }
        let key = (pod.namespace().to_owned(), pod.label("deploymentconfig").to_owned());
        let Some(tracked) = self.tracked.get_mut(&key) else { return };
        let serves = exists && pod.deletion_timestamp().is_none() && api::views::pod::is_ready(pod);
        if serves {
            tracked.ready.insert(pod.name().to_owned());
        } else {
            tracked.ready.remove(pod.name());
        }
        let ready = tracked.ready.len();
        tracked.armed |= tracked.replicas > 0 && ready >= tracked.replicas;
        if tracked.armed && ready < tracked.at_least {
            self.violations.push(Violation {
                at: format!("{:.3}", now.since(self.start).as_secs_f64()),
                deployment_config: format!("{}/{}", joined(&self.cluster, &key.0), key.1),
                ready,
                at_least: tracked.at_least,
            });
        }
    }
}

/// What keeps a pod that is meant to serve from serving; `None` when nothing does, or when it is too
/// early to say.
fn trouble(pod: &Value) -> Option<String> {
    if pod.deletion_timestamp().is_some() || api::views::pod::is_ready(pod) {
        return None;
    }
    let scheduled = api::views::pod::condition(pod, "PodScheduled");
    if let Some(condition) = scheduled.filter(|c| c.str_at(&["status"]) == "False") {
        return Some(format!("unschedulable: {}", condition.str_at(&["message"])));
    }
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    statuses.iter().find_map(|status| {
        let name = status.str_at(&["name"]);
        let state = |kind: &str, field: &str| status.str_at(&["state", kind, field]).to_owned();
        let waiting = state("waiting", "reason");
        if !waiting.is_empty() && !matches!(&*waiting, "ContainerCreating" | "PodInitializing") {
            return Some(format!("container {name}: {waiting}: {}", state("waiting", "message")));
        }
        if let Some(code) = status.int_at(&["state", "terminated", "exitCode"]) {
            return Some(format!("container {name} ended with exit code {code}"));
        }
        status.at(&["state", "running"])?;
        Some(format!("container {name} runs but is not ready"))
    })
}

/// How many pods a rollout of `dc` may take away; all of them for strategies other than Rolling.
pub(crate) fn max_unavailable(dc: &Value, replicas: usize) -> usize {
    if dc.str_at(&["spec", "strategy", "type"]) != "Rolling" {
        return replicas;
    }
    let total = i64::try_from(replicas).unwrap_or(i64::MAX);
    let resolve = |field: &str, up: bool| {
        let value = dc.at(&["spec", "strategy", "rollingParams", field]);
        value.and_then(|value| int_or_string::resolve(value, total, up).ok()).unwrap_or(0)
    };
    let (surge, unavailable) = (resolve("maxSurge", true), resolve("maxUnavailable", false));
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    usize::try_from(unavailable).unwrap_or(0)
}
