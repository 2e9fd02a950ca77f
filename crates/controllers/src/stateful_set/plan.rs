//! What a stateful set does next, and its status.
//!
//! [`plan`] walks the ordinals as upstream does and stops where upstream waits. An ordered set
//! takes one step at a time; a parallel one creates and deletes everything at once but still
//! updates pod by pod.
//!
//! Invariant: [`plan`] is pure; the status counts what the actions will have done.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_control.go`; `minReadySeconds`
//! and `availableReplicas`, which 1.11 does not know, as later releases do them.

use std::sync::Arc;
use std::time::Duration;

use api::views::pod::{is_terminating, phase};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::pod::{
    claims, identify, identity_matches, is_healthy, is_running_and_ready, make, ordinal, revision,
    storage_matches, store,
};
use crate::pod::available_in;

/// What a decision is made from.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The set.
    pub set: &'a Value,
    /// Its pods, terminating ones included.
    pub pods: &'a [Arc<Value>],
    /// The revision that the set rolls from.
    pub current: &'a Value,
    /// The revision of its template.
    pub update: &'a Value,
    /// How often names of revisions collided.
    pub collisions: i64,
    /// The present.
    pub now: Time,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Tell that a failed pod is made anew; its deletion follows.
    TellFailed(String),
    /// Create a pod, after the claims that are missing.
    Create { pod: Box<Value>, claims: Vec<Value> },
    /// Delete a pod.
    Delete(String),
    /// Give a pod back its identity, after the claims that are missing.
    Update { pod: Box<Value>, claims: Vec<Value> },
}

/// Steps in order and the status after them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Steps in order.
    pub actions: Vec<Action>,
    /// The status to write when all succeeded.
    pub status: Value,
    /// When to look again although nothing changed: a ready pod becomes available then.
    pub resync: Option<Duration>,
}

#[derive(Debug, Default)]
struct Counts {
    replicas: i64,
    ready: i64,
    available: i64,
    current: i64,
    updated: i64,
}

struct Sync<'a> {
    observed: &'a Observed<'a>,
    ordered: bool,
    counts: Counts,
    actions: Vec<Action>,
}

/// The pod at an ordinal: there, or yet to be made.
struct Replica {
    pod: Arc<Value>,
    created: bool,
}

/// What to do next.
#[must_use]
pub fn plan(observed: &Observed<'_>) -> Plan {
    let ordered = observed.set.str_at(&["spec", "podManagementPolicy"]) != "Parallel";
    let mut sync = Sync { observed, ordered, counts: Counts::default(), actions: Vec::new() };
    sync.count();
    let (mut replicas, condemned) = sync.partition();
    if observed.set.deletion_timestamp().is_none() {
        let unhealthy = first_unhealthy(&replicas, &condemned);
        let settled =
            sync.replicas(&mut replicas) && sync.condemned(&condemned, unhealthy.as_deref());
        if settled {
            sync.update(&replicas);
        }
    }
    let status = sync.status();
    let waits = observed.pods.iter().filter_map(|pod| sync.available_in(pod));
    let resync = waits.filter(|wait| !wait.is_zero()).min();
    Plan { actions: sync.actions, status, resync }
}

/// The name of the unhealthy pod with the lowest ordinal.
fn first_unhealthy(replicas: &[Replica], condemned: &[Arc<Value>]) -> Option<String> {
    let all = replicas.iter().map(|replica| &replica.pod).chain(condemned);
    let unhealthy = all.filter(|pod| !is_healthy(pod));
    unhealthy.min_by_key(|pod| ordinal(pod)).map(|pod| pod.name().to_owned())
}

impl Sync<'_> {
    fn bounds(&self) -> (i64, i64) {
        let start = self.observed.set.int_at(&["spec", "ordinals", "start"]).unwrap_or(0);
        (start, start + api::views::workload::replicas(self.observed.set))
    }

    fn count(&mut self) {
        for pod in self.observed.pods {
            self.counts.replicas += 1;
            if is_running_and_ready(pod) {
                self.counts.ready += 1;
            }
            if self.is_available(pod) {
                self.counts.available += 1;
            }
            if !is_terminating(pod) {
                self.count_revision(pod, 1);
            }
        }
    }

    /// How long until the pod has been ready for `minReadySeconds`; `None` when it is not ready.
    fn available_in(&self, pod: &Value) -> Option<Duration> {
        let seconds = api::views::workload::min_ready_seconds(self.observed.set);
        let runs = is_running_and_ready(pod).then_some(pod);
        runs.and_then(|pod| available_in(pod, seconds, self.observed.now))
    }

    fn is_available(&self, pod: &Value) -> bool {
        self.available_in(pod).is_some_and(|wait| wait.is_zero())
    }

    fn count_revision(&mut self, pod: &Value, by: i64) {
        if revision(pod) == self.observed.current.name() {
            self.counts.current += by;
        }
        if revision(pod) == self.observed.update.name() {
            self.counts.updated += by;
        }
    }

    /// The pods at the wanted ordinals, made where they are missing, and those beyond, ascending.
    fn partition(&self) -> (Vec<Replica>, Vec<Arc<Value>>) {
        let (start, end) = self.bounds();
        let at = |wanted: i64| self.observed.pods.iter().find(|pod| ordinal(pod) == wanted);
        let replicas = (start..end).map(|wanted| match at(wanted) {
            Some(pod) => Replica { pod: Arc::clone(pod), created: true },
            None => Replica { pod: Arc::new(self.make(wanted)), created: false },
        });
        let beyond = |pod: &&Arc<Value>| {
            let ordinal = ordinal(pod);
            ordinal >= end || (0..start).contains(&ordinal)
        };
        let mut condemned: Vec<_> = self.observed.pods.iter().filter(beyond).cloned().collect();
        condemned.sort_by_key(|pod| ordinal(pod));
        (replicas.collect(), condemned)
    }

    /// A pod that is missing: of the current revision below the partition, else of the new one.
    fn make(&self, ordinal: i64) -> Value {
        let set = self.observed.set;
        let rolling = set.str_at(&["spec", "updateStrategy", "type"]) != "OnDelete";
        let old = self.rolls_from().unwrap_or_else(|| {
            set.int_at(&["status", "currentReplicas"]).unwrap_or(0) + self.bounds().0
        });
        let from =
            if rolling && ordinal < old { self.observed.current } else { self.observed.update };
        make(set, from, ordinal)
    }

    /// The partition, where one is given.
    fn rolls_from(&self) -> Option<i64> {
        let rolling = self.observed.set.at(&["spec", "updateStrategy", "rollingUpdate"]);
        let rolling = rolling.filter(|rolling| rolling.is_object())?;
        Some(rolling.int_at(&["partition"]).unwrap_or(0))
    }

    /// Makes what is missing or has failed; gives whether there is nothing to wait for.
    fn replicas(&mut self, replicas: &mut [Replica]) -> bool {
        for replica in replicas {
            if replica.created && phase(&replica.pod) == "Failed" {
                self.give_up_failed(replica);
            }
            if !replica.created {
                let pod = Box::new((*replica.pod).clone());
                self.actions.push(Action::Create { pod, claims: self.claims(&replica.pod) });
                self.counts.replicas += 1;
                self.count_revision(&replica.pod, 1);
                if self.ordered {
                    return false;
                }
                continue;
            }
            let waits = is_terminating(&replica.pod) || !self.is_available(&replica.pod);
            if self.ordered && waits {
                return false;
            }
            self.keep_identity(&replica.pod);
        }
        true
    }

    fn give_up_failed(&mut self, replica: &mut Replica) {
        let name = replica.pod.name().to_owned();
        self.actions.push(Action::TellFailed(name.clone()));
        self.actions.push(Action::Delete(name));
        if !is_terminating(&replica.pod) {
            self.count_revision(&replica.pod, -1);
        }
        self.counts.replicas -= 1;
        *replica = Replica { pod: Arc::new(self.make(ordinal(&replica.pod))), created: false };
    }

    fn keep_identity(&mut self, pod: &Value) {
        let set = self.observed.set;
        if identity_matches(set, pod) && storage_matches(set, pod) {
            return;
        }
        let mut mended = pod.clone();
        identify(set, &mut mended);
        if !storage_matches(set, pod) {
            store(set, &mut mended);
        }
        self.actions.push(Action::Update { pod: Box::new(mended), claims: self.claims(pod) });
    }

    fn claims(&self, pod: &Value) -> Vec<Value> {
        claims(self.observed.set, ordinal(pod)).into_iter().map(|(_, claim)| claim).collect()
    }

    /// Deletes surplus pods from the highest ordinal; gives whether there is nothing to wait for.
    fn condemned(&mut self, condemned: &[Arc<Value>], first_unhealthy: Option<&str>) -> bool {
        for pod in condemned.iter().rev() {
            if is_terminating(pod) {
                if self.ordered {
                    return false;
                }
                continue;
            }
            let is_first = first_unhealthy == Some(pod.name());
            if self.ordered && !self.is_available(pod) && !is_first {
                return false;
            }
            self.actions.push(Action::Delete(pod.name().to_owned()));
            self.count_revision(pod, -1);
            if self.ordered {
                return false;
            }
        }
        true
    }

    /// Deletes the highest pod of an old revision down to the partition, unless one is unhealthy.
    fn update(&mut self, replicas: &[Replica]) {
        if self.observed.set.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
            return;
        }
        let from = self.rolls_from().unwrap_or(0);
        for replica in replicas.iter().rev().filter(|replica| ordinal(&replica.pod) >= from) {
            let pod = &replica.pod;
            if revision(pod) != self.observed.update.name() && !is_terminating(pod) {
                self.actions.push(Action::Delete(pod.name().to_owned()));
                self.counts.current -= 1;
                return;
            }
            if is_terminating(pod) || !self.is_available(pod) {
                return;
            }
        }
    }

    fn status(&self) -> Value {
        let (set, counts) = (self.observed.set, &self.counts);
        let update = self.observed.update.name();
        let rolling = set.str_at(&["spec", "updateStrategy", "type"]) != "OnDelete";
        let complete =
            rolling && counts.updated == counts.replicas && counts.ready == counts.replicas;
        let (current, revision) = if complete {
            (counts.updated, update)
        } else {
            (counts.current, self.observed.current.name())
        };
        let mut status = json!({
            "observedGeneration": set.generation(),
            "replicas": counts.replicas,
            "availableReplicas": counts.available,
            "currentRevision": revision,
            "updateRevision": update,
            "collisionCount": self.observed.collisions,
        });
        for (field, count) in [
            ("readyReplicas", counts.ready),
            ("currentReplicas", current),
            ("updatedReplicas", counts.updated),
        ] {
            if count != 0 {
                status[field] = json!(count);
            }
        }
        if let Some(conditions) = set.at(&["status", "conditions"]) {
            status["conditions"] = conditions.clone();
        }
        status
    }
}
