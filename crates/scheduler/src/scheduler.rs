//! The controller around the decision: keeps the facts, asks, binds, makes room and tells.
//!
//! It follows the API by watches of its own, so that the facts of a decision are those of the store
//! at one revision; which pod is tried next is the [`Queue`]'s say, whatever key the loop hands over.
//!
//! Invariant: a pod that was bound is in the snapshot before the next decision (assumed), even
//! though its change has not come back from the API yet.
//! Invariant: for every active pod the loop has been given a key.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/scheduler.go`.

mod feed;
mod outside;
mod write;

use std::sync::Arc;

use api::views::pod::{is_terminal, node_name};
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{Context, Controller, Error, EventType, Key, Requeue, Watching};
use world::Time;

use crate::DEFAULT_SCHEDULER;
use crate::decision::{Outcome, decide};
use crate::extender::{self, Caller, Choice, Next, Verb};
use crate::fast::Fast;
use crate::pod::PodInfo;
use crate::predicates::bindings;
use crate::preemption;
use crate::profile::Profile;
use crate::queue::{Queue, Standing};
use crate::scheduler::feed::Feed;
use crate::scheduler::outside::Outside;
pub use crate::scheduler::write::{REVISION_ANNOTATION, TURN_ANNOTATION};
use crate::snapshot::{RESOURCES, Snapshot};

/// Binds every pod that asks for the default scheduler to a node.
#[derive(Debug, Default)]
pub struct Scheduler {
    profile: Profile,
    snapshot: Snapshot,
    fast: Fast,
    queue: Queue,
    feed: Feed,
    outside: Outside,
    /// How many decisions were a matter of turns.
    turn: u64,
    /// Pods that have become active since the loop was told.
    tickets: Vec<Key>,
}

impl Scheduler {
    /// A scheduler that goes by `profile`. Its extenders are not asked: without
    /// [`Scheduler::with_caller`] they count as unreachable.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile, ..Self::default() }
    }

    /// Asks extenders by `caller`; `wake` wakes the loop when an answer is in.
    #[must_use]
    pub fn with_caller(
        mut self,
        caller: Arc<dyn Caller>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        self.outside = Outside::new(caller, wake);
        self
    }
}

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        DEFAULT_SCHEDULER
    }

    fn watches(&self) -> Vec<Watching> {
        // Only to be woken: what has changed is read from the feed.
        RESOURCES.map(Watching::reading).to_vec()
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, _: &Key) -> Result<Requeue, Error> {
        if let Some((key, pod)) = self.queue.pop() {
            self.schedule(cx, &key, &pod)?;
        }
        Ok(Requeue::Done)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Vec<Key>> {
        self.follow(cx);
        for key in self.outside.take_in() {
            self.queue.retry(&key);
            self.tickets.push(key);
        }
        self.tickets.extend(self.queue.release_due(cx.world.now()));
        Some(std::mem::take(&mut self.tickets))
    }

    fn next_wakeup(&self) -> Option<Time> {
        self.queue.next_due()
    }
}

/// Whether the pod has no node yet and asks for this scheduler.
fn is_waiting(pod: &Value) -> bool {
    let scheduler = pod.str_at(&["spec", "schedulerName"]);
    node_name(pod).is_empty()
        && !is_terminal(pod)
        && (scheduler.is_empty() || scheduler == DEFAULT_SCHEDULER)
}

impl Scheduler {
    /// Brings facts and queue up to the store.
    fn follow(&mut self, cx: &Context<'_>) {
        let Self { feed, snapshot, queue, outside, tickets, .. } = self;
        let complete = feed.drain(cx.client, |resource, key, object| {
            let news = snapshot.set(resource, key, object);
            if resource.plural == "pods" {
                match object {
                    Some(pod) if is_waiting(pod) => {
                        if queue.add(key, pod) {
                            outside.forget(key);
                            tickets.push(key.clone());
                        }
                    }
                    _ => {
                        queue.forget(key);
                        outside.forget(key);
                    }
                }
            }
            queue.move_on(news);
        });
        if !complete {
            self.snapshot = Snapshot::default();
            self.fast = Fast::default();
            self.feed = Feed::default();
            self.follow(cx);
        }
    }

    fn schedule(&mut self, cx: &mut Context<'_>, key: &Key, pod: &PodInfo) -> Result<(), Error> {
        if pod.pod.deletion_timestamp().is_some() {
            let message = format!("skip schedule deleting pod: {key}");
            write::tell(cx, &pod.pod, EventType::Warning, "FailedScheduling", &message);
            self.queue.forget(key);
            return Ok(());
        }
        let revision = self.feed.revision();
        let turn = self.turn;
        let fast = self.fast.choose(&self.profile, &mut self.snapshot, pod, turn);
        let (outcome, took_turn) = match fast {
            Some(choice) => (choice.outcome, choice.took_turn),
            None if self.profile.extenders.is_empty() => {
                let decision = decide(&self.profile, &self.snapshot, pod, turn);
                let took_turn = decision.took_turn();
                (decision.outcome, took_turn)
            }
            None => {
                let answers = self.outside.answers(key);
                match extender::next(&self.profile, &self.snapshot, pod, turn, answers) {
                    Next::Ask(questions) => {
                        for question in questions {
                            self.outside.ask(&self.profile, key, &question);
                        }
                        return Ok(());
                    }
                    Next::Decided(decision) => {
                        let took_turn = decision.took_turn();
                        (decision.outcome, took_turn)
                    }
                }
            }
        };
        match outcome {
            Outcome::Node(node) => {
                self.assign(cx, key, pod, &node, write::Facts { revision, turn, took_turn })
            }
            Outcome::Unschedulable(message) => {
                let Some(room) = self.room_for(key, pod) else { return Ok(()) };
                self.refuse(cx, key, pod, &message)?;
                self.make_room(cx, pod, room);
                Ok(())
            }
            Outcome::Failed(message) => self.refuse(cx, key, pod, &message),
        }
    }

    /// Puts the pod on a node, once its claims are bound there.
    fn assign(
        &mut self,
        cx: &mut Context<'_>,
        key: &Key,
        pod: &PodInfo,
        node: &str,
        facts: write::Facts,
    ) -> Result<(), Error> {
        let open = self.snapshot.node(node).map(|n| bindings(&self.snapshot.volumes, pod, n));
        if let Some(open) = open.filter(|open| !open.is_empty()) {
            // Tried again soon, whether the claims could be written or not.
            let written = write::bind_claims(cx, &open, node);
            self.outside.forget(key);
            self.queue.failed(key, cx.world.now());
            return written;
        }
        if let Some(question) = extender::binding(&self.profile, pod, node) {
            match self.outside.answer(key, question.extender, Verb::Bind).cloned() {
                None => {
                    self.outside.ask(&self.profile, key, &question);
                    return Ok(());
                }
                Some(Ok(answer)) if is_fine(&answer) => {
                    self.place(key, pod, node, facts);
                    write::scheduled(cx, &pod.pod, node, facts);
                    return Ok(());
                }
                Some(answer) => {
                    let text = answer.map_or_else(|text| text, |answer| answer.to_string());
                    return self.rejected(cx, key, pod, &text);
                }
            }
        }
        match cx.client.bind(&pod.pod, node) {
            Ok(()) => {
                self.place(key, pod, node, facts);
                write::scheduled(cx, &pod.pod, node, facts);
                Ok(())
            }
            Err(status) if status.is_not_found() => {
                self.queue.forget(key);
                Ok(())
            }
            Err(status) => self.rejected(cx, key, pod, &status.message),
        }
    }

    fn place(&mut self, key: &Key, pod: &PodInfo, node: &str, facts: write::Facts) {
        self.turn += u64::from(facts.took_turn);
        self.snapshot.nominated.remove(key);
        self.snapshot.place(key, pod, node);
        self.queue.forget(key);
        self.outside.forget(key);
    }

    fn rejected(
        &mut self,
        cx: &mut Context<'_>,
        key: &Key,
        pod: &PodInfo,
        text: &str,
    ) -> Result<(), Error> {
        let message = format!("Binding rejected: {text}");
        write::tell(cx, &pod.pod, EventType::Warning, "FailedScheduling", &message);
        self.outside.forget(key);
        self.queue.failed(key, cx.world.now());
        write::condition(cx, &pod.pod, "BindingRejected", text)
    }

    /// Says that the pod does not get a node for now.
    fn refuse(
        &mut self,
        cx: &mut Context<'_>,
        key: &Key,
        pod: &PodInfo,
        message: &str,
    ) -> Result<(), Error> {
        self.outside.forget(key);
        if self.queue.standing(key) == Some(Standing::Trying) {
            self.queue.failed(key, cx.world.now());
        }
        write::tell(cx, &pod.pod, EventType::Warning, "FailedScheduling", message);
        write::condition(cx, &pod.pod, "Unschedulable", message)
    }

    /// What less important pods could make way for; `None` when extenders must be heard first.
    fn room_for(&mut self, key: &Key, pod: &PodInfo) -> Option<Room> {
        let lesser = self.snapshot.least_priority().is_some_and(|least| least < pod.priority);
        if !lesser {
            return Some(Room::NotSought);
        }
        let decision = decide(&self.profile, &self.snapshot, pod, self.turn);
        let nodes = preemption::candidates(&self.profile, &self.snapshot, pod, &decision);
        let answers = self.outside.answers(key);
        match extender::choose(&self.profile, &self.snapshot, pod, nodes, answers) {
            Choice::Ask(question) => {
                self.outside.ask(&self.profile, key, &question);
                None
            }
            Choice::Among(nodes) => {
                Some(preemption::plan(&self.snapshot, pod, nodes).map_or(Room::None, Room::By))
            }
            Choice::Failed(text) => {
                tracing::warn!(%key, text, "an extender failed, nobody is preempted");
                Some(Room::NotSought)
            }
        }
    }

    /// Sends less important pods away, if that helps.
    fn make_room(&self, cx: &mut Context<'_>, pod: &PodInfo, room: Room) {
        let key = Key::of(&pod.pod);
        match room {
            Room::NotSought => {}
            Room::None => {
                let nominated = pod.pod.str_at(&["status", "nominatedNodeName"]);
                if !nominated.is_empty() && preemption::is_eligible(&self.snapshot, pod) {
                    write::nominate(cx, &key, None);
                }
            }
            Room::By(plan) => {
                write::nominate(cx, &key, Some(&plan.node));
                for victim in &plan.victims {
                    write::evict(cx, &victim.pod, &pod.pod, &plan.node);
                }
                for key in &plan.outranked {
                    write::nominate(cx, key, None);
                }
            }
        }
    }
}

/// Whether less important pods can make way for one that fits nowhere.
enum Room {
    /// There are none, or an extender failed.
    NotSought,
    /// It does not help.
    None,
    /// So.
    By(preemption::Plan),
}

/// Whether an extender says that it has bound the pod.
fn is_fine(answer: &Value) -> bool {
    let error = answer.get("error").or_else(|| answer.get("Error"));
    error.and_then(Value::as_str).unwrap_or_default().is_empty()
}
