//! The one loop: watch events into caches, keys into reconcilers, time forward when nothing is left.
//!
//! Invariant: one thread; a reconcile runs to its end before anything else happens in the core.
//! Invariant: in a simulated world the clock moves only when no key is ready and no event pending.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Wake;
use std::time::Duration;

use api::{CUSTOM_RESOURCE_DEFINITIONS, Resource};
use apimachinery::Status;
use apiserver::{ApiServer, Client, ListOptions, User, Watch, WatchEvent};
use parking_lot::{Condvar, Mutex};
use world::{Time, World};

use crate::cache::Caches;
use crate::controller::{Change, Context, Controller, Error, MapFn, Requeue};
use crate::fault::Faults;
use crate::key::Key;
use crate::queue::Queue;
use crate::recorder::Recorder;

/// What one turn of the loop did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A key was reconciled.
    Worked,
    /// Nothing is ready; the next timer is due then.
    Idle {
        /// When something will be ready, if anything is waiting for time to pass.
        next: Option<Time>,
    },
}

/// What was done since the start; neither clock nor machine comes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Keys that were reconciled.
    pub reconciles: u64,
    /// Objects that caches handed out.
    pub looked_at: u64,
}

/// Drives all controllers of a process over one API server.
#[derive(Debug)]
pub struct Driver {
    world: World,
    server: ApiServer,
    client: Client,
    caches: Caches,
    reflectors: Vec<Reflector>,
    controllers: Vec<Box<dyn Controller>>,
    /// The numbers of those that may hear of something outside the API.
    listening: Vec<usize>,
    queue: Queue,
    recorder: Recorder,
    parker: Arc<Parker>,
    news: News,
    /// The numbers of the reflectors that must list.
    unlisted: Vec<usize>,
    /// How often definitions had changed when the controllers were asked for new watches.
    seen_definitions: Option<u64>,
    seen_revision: u64,
    faults: Option<Faults>,
    killed: Vec<usize>,
    predecessor: Option<Predecessor>,
    reconciles: u64,
}

/// A controller that has a successor and does not know it yet: what it is about to do, with what it
/// knew then.
#[derive(Debug)]
struct Predecessor {
    index: usize,
    controller: Box<dyn Controller>,
    caches: Caches,
    key: Key,
    /// Steps until it goes on.
    steps: u64,
    /// Writes it makes then at most.
    writes: u64,
}

/// The numbers of the reflectors whose watches have something, told by whichever thread has written.
type News = Arc<Mutex<Vec<usize>>>;

/// What a reflector works with.
struct Reach<'a> {
    client: &'a Client,
    caches: &'a mut Caches,
    queue: &'a mut Queue,
    news: &'a News,
    /// Nobody waits in a simulated world.
    parker: Option<&'a Arc<Parker>>,
}

#[derive(Debug)]
struct Reflector {
    index: usize,
    resource: &'static Resource,
    watch: Option<Watch>,
    subscribers: Vec<(usize, MapFn)>,
}

/// Lets other threads wake the loop; a wake-up between two waits is not lost.
#[derive(Debug, Default)]
struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    fn wait(&self, at_most: Duration) {
        let mut woken = self.woken.lock();
        if !*woken {
            self.changed.wait_for(&mut woken, at_most);
        }
        *woken = false;
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.changed.notify_one();
    }
}

impl Driver {
    /// A driver without controllers, acting as `system:admin`.
    #[must_use]
    pub fn new(world: World, server: ApiServer) -> Self {
        let client = Client::new(server.clone(), User::system_admin());
        let recorder = Recorder::new(client.clone(), world.clone());
        Self {
            world,
            server,
            client,
            caches: Caches::default(),
            reflectors: Vec::new(),
            controllers: Vec::new(),
            listening: Vec::new(),
            queue: Queue::default(),
            recorder,
            parker: Arc::default(),
            news: News::default(),
            unlisted: Vec::new(),
            seen_definitions: None,
            seen_revision: 0,
            faults: None,
            killed: Vec::new(),
            predecessor: None,
            reconciles: 0,
        }
    }

    /// Adds a controller; objects that exist already reach it as creations on the next step.
    pub fn add(&mut self, controller: Box<dyn Controller>) {
        let index = self.controllers.len();
        for watching in controller.watches() {
            self.subscribe(watching.resource, index, watching.map);
        }
        self.controllers.push(controller);
        self.listening.push(index);
        self.seen_definitions = None;
    }

    /// Puts `controller` in the place of the one that was added as number `index` (from 0), as when a
    /// process is killed and another started: what the old one knew and wanted to look at again is
    /// gone, and everything that is there reaches the new one as a creation.
    pub fn replace(&mut self, index: usize, controller: Box<dyn Controller>) {
        self.put(index, controller);
    }

    /// Like [`Self::replace`], but the old one goes on: after `steps` more steps it works on a key that
    /// is ready now, with what it knows now, until it has made `writes` writes. Gives whether it will;
    /// it has nothing to do when no key is ready.
    pub fn usurp(
        &mut self,
        index: usize,
        controller: Box<dyn Controller>,
        (steps, writes): (u64, u64),
    ) -> bool {
        self.drain_watches();
        let key = self.queue.ready_of(index).cloned();
        let caches = key.is_some().then(|| self.caches.snapshot(&self.resources()));
        let old = self.put(index, controller);
        let Some((key, caches)) = key.zip(caches) else { return false };
        self.predecessor = Some(Predecessor { index, controller: old, caches, key, steps, writes });
        true
    }

    /// The numbers of the controllers that have a ready key.
    #[must_use]
    pub fn busy(&self) -> BTreeSet<usize> {
        self.queue.busy()
    }

    fn resources(&self) -> Vec<&'static Resource> {
        self.reflectors.iter().map(|reflector| reflector.resource).collect()
    }

    /// The watch of one resource, number `index` of those there are (round and round), is answered
    /// with "too old resource version": what was not heard yet is never heard, and all is listed anew.
    pub fn cut_watch(&mut self, index: usize) {
        let index = index % self.reflectors.len().max(1);
        if let Some(reflector) = self.reflectors.get_mut(index) {
            reflector.watch = None;
            self.unlisted.push(index);
            self.seen_revision = 0;
        }
    }

    fn put(&mut self, index: usize, controller: Box<dyn Controller>) -> Box<dyn Controller> {
        self.drain_watches();
        self.queue.forget_controller(index);
        for reflector in &mut self.reflectors {
            reflector.subscribers.retain(|(subscriber, _)| *subscriber != index);
        }
        for watching in controller.watches() {
            let found = self.reflectors.iter_mut().find(|one| one.is_of(watching.resource));
            let Some(reflector) = found else {
                self.subscribe(watching.resource, index, watching.map);
                continue;
            };
            reflector.subscribers.push((index, watching.map));
            for (key, object) in self.caches.iter(watching.resource, "") {
                let change = Change::under(key.clone(), None, Some(object));
                for key in (watching.map)(&self.caches, &change) {
                    self.queue.add((index, key));
                }
            }
        }
        self.listening = (0..self.controllers.len()).collect();
        self.seen_definitions = None;
        std::mem::replace(&mut self.controllers[index], controller)
    }

    /// Fills the caches before anything is done: a component that starts on a store which others have
    /// filled must not take what it has not heard of for gone.
    pub fn sync(&mut self) {
        self.drain_watches();
    }

    /// Lets `faults`, which must be among the server's admission rules, kill controllers.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = Some(faults);
    }

    /// The numbers of the controllers that were killed since the last call; they work on until they
    /// are replaced.
    pub fn take_killed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.killed)
    }

    /// The names of the controllers, by number.
    #[must_use]
    pub fn controllers(&self) -> Vec<&'static str> {
        self.controllers.iter().map(|controller| controller.name()).collect()
    }

    fn subscribe(&mut self, resource: &'static Resource, index: usize, map: MapFn) {
        if let Some(reflector) = self.reflectors.iter_mut().find(|one| one.is_of(resource)) {
            reflector.subscribers.push((index, map));
            // Listed anew, so that the newcomer hears of what is there.
            reflector.watch = None;
            self.unlisted.push(reflector.index);
        } else {
            self.caches.add_resource(resource);
            let subscribers = vec![(index, map)];
            let index = self.reflectors.len();
            self.reflectors.push(Reflector { index, resource, watch: None, subscribers });
            self.unlisted.push(index);
        }
        self.seen_revision = 0;
    }

    /// The caches, for looking on from outside.
    #[must_use]
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// What was done since the start.
    #[must_use]
    pub fn work(&self) -> Work {
        Work { reconciles: self.reconciles, looked_at: self.caches.looked_at() }
    }

    /// The client that controllers use.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A function that wakes the loop out of its wait; for edges with news.
    #[must_use]
    pub fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        let parker = Arc::clone(&self.parker);
        Arc::new(move || Wake::wake_by_ref(&parker))
    }

    /// Takes in all news, then reconciles one ready key.
    pub fn step(&mut self) -> Step {
        self.server.store().expire_leases();
        self.poll_controllers();
        self.drain_watches();
        self.queue.release_due(self.world.now());
        if self.let_predecessor_work() {
            return Step::Worked;
        }
        if let Some((index, key)) = self.queue.pop(&self.world) {
            self.reconcile(index, &key);
            return Step::Worked;
        }
        let wakeups = self.controllers.iter().filter_map(|c| c.next_wakeup());
        let lease = self.server.store().next_lease_deadline();
        Step::Idle { next: wakeups.chain(self.queue.next_due()).chain(lease).min() }
    }

    /// Runs until `done` says so (looked at after every step) or `deadline` has come; gives whether
    /// `done` was reached. Between steps a simulated clock jumps to the next timer, a real one is
    /// waited for.
    pub fn run_until(&mut self, deadline: Time, done: &mut dyn FnMut(&Self) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            let Step::Idle { next } = self.step() else { continue };
            if done(self) {
                return true;
            }
            if !self.pass_time(next, deadline) {
                return false;
            }
        }
    }

    /// Lets time pass until `next`, or `deadline` if that is earlier or nothing is waited for: jumps
    /// there in a simulated world, waits for it, or for news, in a real one. False when `deadline`
    /// has come already.
    pub fn pass_time(&self, next: Option<Time>, deadline: Time) -> bool {
        let now = self.world.now();
        if now >= deadline {
            return false;
        }
        let until = next.unwrap_or(deadline).min(deadline);
        if self.world.is_simulated() {
            self.world.advance_to(until);
        } else {
            self.parker.wait(until.since(now));
        }
        true
    }

    /// Runs until nothing is ready without letting time pass.
    pub fn settle(&mut self) {
        while self.step() == Step::Worked {}
    }

    fn poll_controllers(&mut self) {
        let definitions = Some(self.caches.changes(&CUSTOM_RESOURCE_DEFINITIONS));
        if std::mem::replace(&mut self.seen_definitions, definitions) != definitions {
            for index in 0..self.controllers.len() {
                for watching in self.controllers[index].new_watches(&self.caches) {
                    self.subscribe(watching.resource, index, watching.map);
                }
            }
        }
        let mut listening = std::mem::take(&mut self.listening);
        listening.retain(|&index| {
            let mut cx = Context {
                client: &self.client,
                caches: &self.caches,
                world: &self.world,
                recorder: &mut self.recorder,
                retries: 0,
            };
            enter(self.faults.as_ref(), index);
            let keys = self.controllers[index].poll(&mut cx);
            if leave(self.faults.as_ref()) {
                self.killed.push(index);
            }
            let listens = keys.is_some();
            for key in keys.into_iter().flatten() {
                self.queue.add((index, key));
            }
            listens
        });
        self.listening = listening;
    }

    /// Counts the steps of the controller that has a successor; gives whether it went on.
    fn let_predecessor_work(&mut self) -> bool {
        let Some(old) = &mut self.predecessor else { return false };
        if old.steps > 0 {
            old.steps -= 1;
            return false;
        }
        let Some(mut old) = self.predecessor.take() else { return false };
        let mut cx = Context {
            client: &self.client,
            caches: &old.caches,
            world: &self.world,
            recorder: &mut self.recorder,
            retries: 0,
        };
        if let Some(faults) = &self.faults {
            faults.enter_last(old.index, old.writes);
            // Whatever comes of it, nobody waits for it any more.
            drop(old.controller.reconcile(&mut cx, &old.key));
            faults.leave();
        }
        true
    }

    fn drain_watches(&mut self) {
        let revision = self.server.store().revision();
        let mut woken = std::mem::take(&mut *self.news.lock());
        if revision == self.seen_revision && woken.is_empty() {
            return;
        }
        woken.append(&mut self.unlisted);
        woken.sort_unstable();
        woken.dedup();
        let mut reach = Reach {
            client: &self.client,
            caches: &mut self.caches,
            queue: &mut self.queue,
            news: &self.news,
            parker: (!self.world.is_simulated()).then_some(&self.parker),
        };
        for index in woken {
            let reflector = &mut self.reflectors[index];
            reflector.drain(&mut reach);
            if reflector.watch.is_none() {
                self.unlisted.push(index);
            }
        }
        self.seen_revision = revision;
    }

    fn reconcile(&mut self, index: usize, key: &Key) {
        self.reconciles += 1;
        let item = (index, key.clone());
        let controller = &mut self.controllers[index];
        let mut cx = Context {
            client: &self.client,
            caches: &self.caches,
            world: &self.world,
            recorder: &mut self.recorder,
            retries: self.queue.retries(&item),
        };
        enter(self.faults.as_ref(), index);
        let result = if self.world.is_simulated() {
            controller.reconcile(&mut cx, key)
        } else {
            let call = AssertUnwindSafe(|| controller.reconcile(&mut cx, key));
            catch_unwind(call)
                .unwrap_or_else(|_| Err(Error::Retry(Status::internal("reconcile panicked"))))
        };
        if leave(self.faults.as_ref()) {
            self.killed.push(index);
        }
        let now = self.world.now();
        match result {
            Ok(Requeue::Done) => self.queue.forget(&item),
            Ok(Requeue::After(delay)) => {
                self.queue.forget(&item);
                self.queue.add_at(item, now + delay);
            }
            Err(Error::Retry(status)) => {
                let name = self.controllers[index].name();
                tracing::debug!(controller = name, %key, %status, "reconcile is retried");
                self.queue.add_rate_limited(item, now);
            }
            Err(Error::Terminal(reason)) => {
                let name = self.controllers[index].name();
                tracing::debug!(controller = name, %key, reason, "reconcile gave up");
                self.queue.forget(&item);
            }
        }
    }
}

fn enter(faults: Option<&Faults>, index: usize) {
    if let Some(faults) = faults {
        faults.enter(index);
    }
}

fn leave(faults: Option<&Faults>) -> bool {
    faults.is_some_and(Faults::leave)
}

impl Reflector {
    fn is_of(&self, resource: &Resource) -> bool {
        self.resource.plural == resource.plural && self.resource.storage.0 == resource.storage.0
    }

    fn drain(&mut self, reach: &mut Reach<'_>) {
        loop {
            let Some(watch) = &mut self.watch else {
                if let Err(status) = self.relist(reach) {
                    tracing::warn!(resource = self.resource.plural, %status, "list failed");
                    return;
                }
                continue;
            };
            match watch.try_next() {
                None => return,
                Some(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                    let change = reach.caches.upsert(self.resource, object.value());
                    self.notify(reach, &change);
                }
                Some(WatchEvent::Deleted(object)) => {
                    let key = Key::of(&object.value());
                    if let Some(change) = reach.caches.remove(self.resource, &key) {
                        self.notify(reach, &change);
                    }
                }
                Some(WatchEvent::Bookmark(_) | WatchEvent::InitialEventsEnd(_)) => {}
                Some(WatchEvent::Error(_)) => self.watch = None,
            }
        }
    }

    fn relist(&mut self, reach: &mut Reach<'_>) -> Result<(), Status> {
        let list = reach.client.list_with(self.resource, "", &ListOptions::default())?;
        let mut gone: BTreeSet<Key> = reach.caches.keys(self.resource).into_iter().collect();
        for object in list.items {
            let key = Key::of(&object.value());
            gone.remove(&key);
            let change = reach.caches.upsert(self.resource, object.value());
            self.notify(reach, &change);
        }
        for key in gone {
            if let Some(change) = reach.caches.remove(self.resource, &key) {
                self.notify(reach, &change);
            }
        }
        let options =
            ListOptions { resource_version: list.resource_version, ..ListOptions::default() };
        let mut watch = reach.client.watch(self.resource, "", &options)?;
        let (index, news) = (self.index, Arc::clone(reach.news));
        let parker = reach.parker.map(Arc::clone);
        watch.set_wake(Arc::new(move || {
            news.lock().push(index);
            if let Some(parker) = &parker {
                Wake::wake_by_ref(parker);
            }
        }));
        self.watch = Some(watch);
        Ok(())
    }

    fn notify(&self, reach: &mut Reach<'_>, change: &Change) {
        for (index, map) in &self.subscribers {
            for key in map(reach.caches, change) {
                reach.queue.add((*index, key));
            }
        }
    }
}
