//! Following a collection: a cursor over the store's events, seen through selectors.
//!
//! An object that starts to match is added, one that stops matching is deleted, whatever the store
//! did with it.
//!
//! Mirrors: `k8s.io/apiserver/pkg/storage/etcd3/watcher.go`.
//!
//! Invariant: after an error a watch gives nothing more.
//! Invariant: the object of a deletion carries the revision of the event, so that a client can go on
//! from it.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use api::Resource;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use store::{Event, EventKind, Range, Revision, Wake, Watcher};

use crate::call::{Call, ListOptions};
use crate::read::{check_storage, parse_resource_version};
use crate::selection::Selection;
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::{error, key, list_options};

/// One event of a watch.
#[derive(Debug, Clone)]
pub enum WatchEvent {
    /// An object came into view.
    Added(Stored),
    /// An object changed.
    Modified(Stored),
    /// An object went out of view; this is its last state.
    Deleted(Stored),
    /// Everything up to this resource version has been sent.
    Bookmark(String),
    /// As [`Self::Bookmark`], at the end of the objects sent on request at the start: annotation
    /// `k8s.io/initial-events-end`.
    InitialEventsEnd(String),
    /// The watch is over.
    Error(Status),
}

/// How stored objects become those a caller sees.
#[derive(Clone)]
pub(crate) struct View {
    server: ApiServer,
    resource: &'static Resource,
    map: Option<fn(&Value) -> Value>,
}

impl View {
    pub(crate) fn show(&self, stored: &Stored) -> Stored {
        match self.map {
            Some(map) => Stored::new(map(&stored.value())),
            None => self.server.present(self.resource, stored),
        }
    }
}

/// Where the events of a watch come from when its handler makes them itself. The methods are those
/// of [`Watch`].
pub trait EventSource: Send + std::fmt::Debug {
    /// See [`Watch::try_next`].
    fn try_next(&mut self) -> Option<WatchEvent>;
    /// See [`Watch::poll_next`].
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<WatchEvent>;
    /// See [`Watch::set_wake`].
    fn set_wake(&mut self, wake: Wake);
    /// See [`Watch::bookmark`].
    fn bookmark(&self) -> Option<WatchEvent>;
    /// See [`Watch::is_over`].
    fn is_over(&self) -> bool;
}

/// A running watch.
#[derive(Debug)]
pub struct Watch(Box<dyn EventSource>);

/// The events of stored objects.
struct StoreEvents {
    view: View,
    selection: Selection,
    pending: VecDeque<WatchEvent>,
    watcher: Option<Watcher<Stored>>,
}

impl std::fmt::Debug for StoreEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreEvents")
            .field("resource", &self.view.resource.plural)
            .field("watcher", &self.watcher)
            .finish_non_exhaustive()
    }
}

impl ApiServer {
    /// Follows the objects that `options` select.
    ///
    /// Without a resource version, or with 0, all present objects are sent as added first. A version
    /// that is gone gives a watch whose one event is the error 410, as etcd-backed servers do.
    ///
    /// # Errors
    /// 400 for selectors and versions that cannot be read.
    pub fn watch(&self, call: &Call<'_>, options: &ListOptions) -> Result<Watch, Status> {
        if let Some(handler) = self.handler(call) {
            return handler.watch(&self.handler_context(call), options);
        }
        check_storage(call)?;
        let view = View { server: self.clone(), resource: call.resource, map: None };
        self.open_watch(view, call.resource, call.namespace, options)
    }

    /// Follows the objects of `resource` as `map` shows them.
    pub(crate) fn watch_mapped(
        &self,
        resource: &'static Resource,
        options: &ListOptions,
        map: fn(&Value) -> Value,
    ) -> Result<Watch, Status> {
        let view = View { server: self.clone(), resource, map: Some(map) };
        self.open_watch(view, resource, "", options)
    }

    fn open_watch(
        &self,
        view: View,
        resource: &'static Resource,
        namespace: &str,
        options: &ListOptions,
    ) -> Result<Watch, Status> {
        list_options::check_watch(options)?;
        let selection = self.selection(resource, options)?;
        let wanted = parse_resource_version(&options.resource_version)?;
        let mut prefix = key::collection(resource, namespace);
        if let Some(name) = selection.only_name()
            && (!namespace.is_empty() || !resource.namespaced())
        {
            prefix.push_str(name);
        }
        let send_initial = options.send_initial_events.unwrap_or(wanted == 0);
        let mut events = StoreEvents { view, selection, pending: VecDeque::new(), watcher: None };
        let after = if send_initial {
            events.load_initial(&prefix, options.send_initial_events == Some(true))?
        } else if wanted == 0 {
            self.store().revision()
        } else {
            wanted
        };
        match self.store().watch(&prefix, after) {
            Ok(watcher) => events.watcher = Some(watcher),
            Err(_) => events.pending.push_back(WatchEvent::Error(error::watch_expired())),
        }
        Ok(Watch::new(events))
    }
}

impl Watch {
    /// A watch whose events its handler makes.
    #[must_use]
    pub fn new(source: impl EventSource + 'static) -> Self {
        Self(Box::new(source))
    }

    /// The next event; `None` when nothing has happened that was not delivered.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        self.0.try_next()
    }

    /// The next event, or the promise to wake the task when there is one. A watch that is over stays
    /// pending.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<WatchEvent> {
        self.0.poll_next(cx)
    }

    /// Waits for the next event.
    pub async fn next(&mut self) -> WatchEvent {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Whether the watch has told its error.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// A bookmark at the newest revision up to which everything was delivered; to be sent now and
    /// then to clients that allow it.
    #[must_use]
    pub fn bookmark(&self) -> Option<WatchEvent> {
        self.0.bookmark()
    }

    /// Calls `wake` whenever events come in after all before were fetched.
    pub fn set_wake(&mut self, wake: Wake) {
        self.0.set_wake(wake);
    }
}

impl StoreEvents {
    /// Queues what exists; returns the revision that was read.
    fn load_initial(&mut self, prefix: &str, mark_end: bool) -> Result<Revision, Status> {
        let response = self
            .view
            .server
            .store()
            .range(&Range::prefix(prefix))
            .map_err(|error| error::unreadable_list(&error, false))?;
        for kv in response.kvs.iter().filter(|kv| self.selection.selects(&kv.value)) {
            self.pending.push_back(WatchEvent::Added(self.view.show(&kv.value)));
        }
        if mark_end {
            self.pending.push_back(WatchEvent::InitialEventsEnd(response.revision.to_string()));
        }
        Ok(response.revision)
    }

    fn fail(&mut self) -> WatchEvent {
        self.watcher = None;
        WatchEvent::Error(error::watch_expired())
    }

    fn translate(&self, event: &Event<Stored>) -> Option<WatchEvent> {
        let matched = |stored: &Stored| self.selection.selects(stored);
        let before = event.prev.as_ref().is_some_and(|prev| matched(&prev.value));
        if event.kind == EventKind::Delete {
            return before.then(|| WatchEvent::Deleted(self.view.show(&event.kv.value)));
        }
        match (before, matched(&event.kv.value)) {
            (false, true) => Some(WatchEvent::Added(self.view.show(&event.kv.value))),
            (true, true) => Some(WatchEvent::Modified(self.view.show(&event.kv.value))),
            (false, false) => None,
            (true, false) => {
                let prev = event.prev.as_ref()?;
                let mut last = (*prev.value.value()).clone();
                last.set(&["metadata", "resourceVersion"], json!(event.revision.to_string()));
                Some(WatchEvent::Deleted(self.view.show(&Stored::new(last))))
            }
        }
    }
}

impl EventSource for StoreEvents {
    fn try_next(&mut self) -> Option<WatchEvent> {
        if let Some(event) = self.pending.pop_front() {
            return Some(event);
        }
        loop {
            match self.watcher.as_mut()?.try_next() {
                Ok(event) => {
                    let event = event?;
                    if let Some(event) = self.translate(&event) {
                        return Some(event);
                    }
                }
                Err(_) => return Some(self.fail()),
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<WatchEvent> {
        loop {
            if let Some(event) = self.try_next() {
                return Poll::Ready(event);
            }
            let Some(watcher) = self.watcher.as_mut() else { return Poll::Pending };
            match watcher.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(self.fail()),
                Poll::Ready(Ok(event)) => {
                    if let Some(event) = self.translate(&event) {
                        return Poll::Ready(event);
                    }
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.watcher.is_none() && self.pending.is_empty()
    }

    fn bookmark(&self) -> Option<WatchEvent> {
        let watcher = self.watcher.as_ref().filter(|_| self.pending.is_empty())?;
        Some(WatchEvent::Bookmark(watcher.progress().to_string()))
    }

    fn set_wake(&mut self, wake: Wake) {
        if let Some(watcher) = &mut self.watcher {
            watcher.set_wake(wake);
        }
    }
}
