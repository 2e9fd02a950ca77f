//! Which groups a user is in: an index of the `Group` objects.
//!
//! Nothing runs in the background: whoever asks looks first whether a group has changed.
//!
//! Invariant: an answer takes into account every write that was finished before the question.

use std::collections::{BTreeMap, BTreeSet};

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apiserver::{Stored, key};
use parking_lot::RwLock;
use store::{Range, Store, Watcher};

/// The groups of all users; it follows the first store that it is asked about.
#[derive(Debug, Default)]
pub struct Groups(RwLock<Followed>);

#[derive(Debug, Default)]
struct Followed {
    /// `None` before the first look and when the history was lost.
    watcher: Option<Watcher<Stored>>,
    of_user: BTreeMap<String, BTreeSet<String>>,
}

impl Groups {
    /// The names of the groups that list `user`, in order.
    #[must_use]
    pub fn of(&self, store: &Store<Stored>, user: &str) -> Vec<String> {
        let current =
            |followed: &Followed| followed.watcher.as_ref().is_some_and(|w| !w.has_news());
        let followed = self.0.read();
        if current(&followed) {
            return followed.groups_of(user);
        }
        drop(followed);
        let mut followed = self.0.write();
        if !current(&followed) {
            followed.reload(store);
        }
        followed.groups_of(user)
    }
}

impl Followed {
    fn groups_of(&self, user: &str) -> Vec<String> {
        self.of_user.get(user).into_iter().flatten().cloned().collect()
    }

    fn reload(&mut self, store: &Store<Stored>) {
        let prefix = key::collection(&api::GROUPS, "");
        let found = store.range(&Range::prefix(&*prefix)).expect("the present can be read");
        self.of_user.clear();
        for kv in &found.kvs {
            let group = &kv.value.value();
            for user in group.list_at(&["users"]).iter().filter_map(Value::as_str) {
                self.of_user.entry(user.to_owned()).or_default().insert(group.name().to_owned());
            }
        }
        self.watcher = store.watch(&prefix, found.revision).ok();
    }
}
