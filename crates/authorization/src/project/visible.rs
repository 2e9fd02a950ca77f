//! A watch of the projects that one user sees.
//!
//! It stands on the watch of all projects and on the store's events of roles and bindings: after one
//! of those it compares what the user sees with what it has shown.
//!
//! Deviation: a project that comes into view while its namespace does not change carries the
//! namespace's own resource version, which is older than the events around it.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use apimachinery::ObjectExt as _;
use apiserver::{
    ApiServer, Call, EventSource, HandlerContext, ListOptions, Stored, User, Watch, WatchEvent,
};
use store::{Wake, Watcher};

use super::sees;
use crate::rbac::{PREFIX, Rbac};

/// The source of the watch.
#[derive(Debug)]
pub(super) struct VisibleProjects {
    server: ApiServer,
    rbac: Rbac,
    user: User,
    selected: ListOptions,
    projects: Watch,
    /// `None` when its history was lost; a new one is opened then.
    policy: Option<Watcher<Stored>>,
    /// What was shown and not taken back, in its last state.
    shown: BTreeMap<String, Stored>,
    pending: VecDeque<WatchEvent>,
}

impl VisibleProjects {
    /// Filters `projects`, a watch of all that `selected` selects; `known` is what the caller has
    /// seen already.
    pub(super) fn new(
        cx: &HandlerContext<'_>,
        rbac: &Rbac,
        projects: Watch,
        selected: ListOptions,
        known: Vec<Stored>,
    ) -> Self {
        let store = cx.server.store();
        Self {
            server: cx.server.clone(),
            rbac: rbac.clone(),
            user: cx.call.user.clone(),
            selected,
            projects,
            policy: store.watch(PREFIX, store.revision()).ok(),
            shown: known.into_iter().map(|p| (p.value().name().to_owned(), p)).collect(),
            pending: VecDeque::new(),
        }
    }

    /// Queues what came into view and what went, if roles or bindings have changed.
    fn follow_policy(&mut self) {
        if self.projects.is_over() {
            return;
        }
        let changed = match &mut self.policy {
            Some(policy) => policy.next_batch(usize::MAX).map(|events| !events.is_empty()),
            None => Ok(true),
        };
        match changed {
            Ok(false) => return,
            Ok(true) if self.policy.is_some() => {}
            _ => {
                let store = self.server.store();
                self.policy = store.watch(PREFIX, store.revision()).ok();
            }
        }
        let call = Call::new(&self.user, &api::PROJECTS);
        let Ok(list) = self.server.list(&call, &self.selected) else { return };
        let mut visible: BTreeMap<_, _> =
            list.items.into_iter().map(|p| (p.value().name().to_owned(), p)).collect();
        for (_, gone) in self.shown.extract_if(.., |name, _| !visible.contains_key(name)) {
            self.pending.push_back(WatchEvent::Deleted(gone));
        }
        visible.retain(|name, _| !self.shown.contains_key(name));
        self.pending.extend(visible.values().cloned().map(WatchEvent::Added));
        self.shown.append(&mut visible);
    }

    /// An event of all projects as this user is to see it.
    fn translate(&mut self, event: WatchEvent) -> Option<WatchEvent> {
        match event {
            WatchEvent::Added(project) | WatchEvent::Modified(project) => {
                let name = project.value().name().to_owned();
                if !sees(&self.rbac, &self.user, &name) {
                    return self.shown.remove(&name).map(|_| WatchEvent::Deleted(project));
                }
                let known = self.shown.insert(name, project.clone()).is_some();
                let event = if known { WatchEvent::Modified } else { WatchEvent::Added };
                Some(event(project))
            }
            WatchEvent::Deleted(project) => {
                self.shown.remove(project.value().name()).map(|_| WatchEvent::Deleted(project))
            }
            other => Some(other),
        }
    }
}

impl EventSource for VisibleProjects {
    fn try_next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            // First the projects: what is shown for them is decided by the roles as they are now.
            match self.projects.try_next() {
                Some(event) => {
                    if let Some(event) = self.translate(event) {
                        return Some(event);
                    }
                }
                None => {
                    self.follow_policy();
                    if self.pending.is_empty() {
                        return None;
                    }
                }
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<WatchEvent> {
        loop {
            if let Some(event) = self.try_next() {
                return Poll::Ready(event);
            }
            let polled = match &mut self.policy {
                Some(policy) => policy.poll_next(cx),
                None => Poll::Pending,
            };
            match polled {
                Poll::Pending => {}
                // Whatever it is, the next look begins with all roles and bindings.
                Poll::Ready(_) => {
                    self.policy = None;
                    continue;
                }
            }
            match self.projects.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(event) => {
                    if let Some(event) = self.translate(event) {
                        return Poll::Ready(event);
                    }
                }
            }
        }
    }

    fn set_wake(&mut self, wake: Wake) {
        if let Some(policy) = &mut self.policy {
            policy.set_wake(wake.clone());
        }
        self.projects.set_wake(wake);
    }

    fn bookmark(&self) -> Option<WatchEvent> {
        self.projects.bookmark().filter(|_| self.pending.is_empty())
    }

    fn is_over(&self) -> bool {
        self.projects.is_over() && self.pending.is_empty()
    }
}
