//! The scheduler's own view of the API: a watch of each resource that decisions look at.
//!
//! Invariant: after a drain every write up to [`Feed::revision`] has been handed over, in order within
//! its resource.

use std::sync::Arc;

use api::Resource;
use apimachinery::Value;
use apiserver::{Client, ListOptions, Watch, WatchEvent};
use controller_runtime::Key;

use crate::snapshot::RESOURCES;

/// One watch a resource.
#[derive(Debug, Default)]
pub(super) struct Feed {
    watches: Vec<(&'static Resource, Watch)>,
    revision: u64,
}

impl Feed {
    /// The revision of the store that the last drain has reached.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Hands over what has happened since the last time; the object is `None` when it is gone. Gives
    /// whether nothing was missed; if something was, all must be read anew.
    pub(super) fn drain(
        &mut self,
        client: &Client,
        mut sink: impl FnMut(&'static Resource, &Key, Option<&Arc<Value>>),
    ) -> bool {
        let revision = client.server().store().revision();
        if revision == self.revision && !self.watches.is_empty() {
            return true;
        }
        if self.watches.is_empty() {
            for resource in RESOURCES {
                match client.watch(resource, "", &ListOptions::default()) {
                    Ok(watch) => self.watches.push((resource, watch)),
                    Err(status) => {
                        tracing::warn!(resource = resource.plural, %status, "watch failed");
                    }
                }
            }
        }
        for (resource, watch) in &mut self.watches {
            while let Some(event) = watch.try_next() {
                match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        let object = object.value();
                        sink(resource, &Key::of(&object), Some(&object));
                    }
                    WatchEvent::Deleted(object) => sink(resource, &Key::of(&object.value()), None),
                    WatchEvent::Bookmark(_) | WatchEvent::InitialEventsEnd(_) => {}
                    WatchEvent::Error(_) => return false,
                }
            }
        }
        self.revision = revision;
        true
    }
}
