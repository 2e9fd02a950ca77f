//! Who depends on whom, by the uid of the owner.
//!
//! Invariant: `dependents` has the pair (owner, dependent) exactly when `owners` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use controller_runtime::Key;
use rustc_hash::FxHashMap;

/// The owners of one object, sorted by uid, with their keys where they are known.
type Owners = Vec<(Arc<str>, Option<Key>)>;

/// The ownership of all objects that have owners.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    owners: FxHashMap<Key, Owners>,
    dependents: FxHashMap<Arc<str>, Dependents>,
}

/// What one object owns.
#[derive(Debug, Default)]
struct Dependents {
    /// The owner's key as the first of them tells it.
    owner: Option<Key>,
    keys: BTreeSet<Key>,
}

impl Graph {
    /// Records the owners of the object under `key`, none when it is gone. Gives the keys of the
    /// owners that it no longer has.
    pub(crate) fn set(&mut self, key: &Key, owners: Vec<(String, Option<Key>)>) -> Vec<Key> {
        let owners: BTreeMap<String, Option<Key>> = owners.into_iter().collect();
        let before = self.owners.remove(key).unwrap_or_default();
        let mut lost = Vec::new();
        for (uid, owner) in before {
            if !owners.contains_key(&*uid) {
                self.forget(&uid, key);
                lost.extend(owner);
            }
        }
        let owners: Vec<_> =
            owners.into_iter().map(|(uid, owner)| self.depend(uid, owner, key)).collect();
        if !owners.is_empty() {
            self.owners.insert(key.clone(), owners);
        }
        lost
    }

    /// Notes that the object under `key` has the owner `uid`; gives what all dependents share of it.
    fn depend(&mut self, uid: String, owner: Option<Key>, key: &Key) -> (Arc<str>, Option<Key>) {
        let known = self.dependents.get_key_value(&*uid).map(|(uid, _)| Arc::clone(uid));
        let uid = known.unwrap_or_else(|| Arc::from(uid));
        let dependents = self.dependents.entry(Arc::clone(&uid)).or_default();
        if dependents.keys.is_empty() {
            dependents.owner.clone_from(&owner);
        }
        dependents.keys.insert(key.clone());
        let is_known = dependents.owner == owner;
        (uid, if is_known { dependents.owner.clone() } else { owner })
    }

    fn forget(&mut self, uid: &str, key: &Key) {
        if let Some(dependents) = self.dependents.get_mut(uid) {
            dependents.keys.remove(key);
            if dependents.keys.is_empty() {
                self.dependents.remove(uid);
            }
        }
    }

    /// The keys of the objects that `uid` owns.
    pub(crate) fn dependents(&self, uid: &str) -> impl Iterator<Item = Key> {
        self.dependents.get(uid).into_iter().flat_map(|found| found.keys.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> (String, Option<Key>) {
        (name.to_owned(), Some(Key::new("ns", name)))
    }

    #[test]
    fn both_directions_follow_every_change() {
        let mut graph = Graph::default();
        let pod = Key::new("ns", "pod");
        assert!(graph.set(&pod, vec![owner("a"), owner("b")]).is_empty());
        assert_eq!(graph.dependents("a").collect::<Vec<_>>(), std::slice::from_ref(&pod));
        assert_eq!(graph.set(&pod, vec![owner("b")]), [Key::new("ns", "a")]);
        assert_eq!(graph.dependents("a").count(), 0);
        assert_eq!(graph.set(&pod, vec![]), [Key::new("ns", "b")]);
        assert!(graph.owners.is_empty() && graph.dependents.is_empty());
    }
}
