//! What many containers have alike, kept once: the instances of one template have the same environment.
//!
//! Invariant: what is shared is equal to what it stands for.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use apimachinery::Text;
use rustc_hash::FxHashSet;

use crate::config::{ContainerConfig, Mount};

/// How many parts are looked through for the first time for those that nobody has any more.
const MANY: usize = 256;

/// What is kept of a container's configuration once it is made, besides what is its own.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) env: Arc<[(String, String)]>,
    pub(super) part: Arc<Part>,
}

/// What follows from the template alone.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) name: Text,
    pub(super) attempt: u32,
    pub(super) mounts: Arc<[Mount]>,
    pub(super) annotations: Arc<BTreeMap<String, String>>,
    pub(super) fallback_to_logs: bool,
}

/// The parts that there are.
#[derive(Debug, Default)]
pub(super) struct Alike {
    environments: Once<[(String, String)]>,
    parts: Once<Part>,
}

impl Alike {
    /// Of `config` what is kept, shared with all that have the same.
    pub(super) fn keep(&mut self, config: ContainerConfig) -> Kept {
        let ContainerConfig { name, attempt, mounts, annotations, env, fallback_to_logs, .. } =
            config;
        let part = Part { name, attempt, mounts, annotations, fallback_to_logs };
        Kept { env: self.environments.share(env), part: self.parts.share(Arc::new(part)) }
    }
}

/// Values of which no two are equal.
#[derive(Debug)]
struct Once<T: ?Sized> {
    known: FxHashSet<Arc<T>>,
    /// With how many to look for those that nobody has any more.
    most: usize,
}

impl<T: ?Sized> Default for Once<T> {
    fn default() -> Self {
        Self { known: FxHashSet::default(), most: MANY }
    }
}

impl<T: Hash + Eq + ?Sized> Once<T> {
    fn share(&mut self, new: Arc<T>) -> Arc<T> {
        if let Some(known) = self.known.get(&new) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.most {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.most = MANY.max(self.known.len() * 2);
        }
        self.known.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(value: &str) -> ContainerConfig {
        ContainerConfig {
            env: Arc::from([("A".to_owned(), value.to_owned())]),
            ..ContainerConfig::default()
        }
    }

    #[test]
    fn what_is_equal_is_kept_once() {
        let mut alike = Alike::default();
        let [one, other, equal] = ["1", "2", "1"].map(|value| alike.keep(config(value)));
        assert!(Arc::ptr_eq(&one.env, &equal.env) && !Arc::ptr_eq(&one.env, &other.env));
        assert_eq!((&*other.env, other.part.name.as_str()), (&*config("2").env, ""));
        assert!(Arc::ptr_eq(&one.part, &other.part));
    }

    #[test]
    fn what_nobody_has_any_more_is_forgotten() {
        let mut alike = Alike::default();
        let held = alike.keep(config("held"));
        for number in 0..3 * MANY {
            drop(alike.keep(config(&number.to_string())));
        }
        assert!(alike.environments.known.len() <= MANY);
        assert!(Arc::ptr_eq(&alike.keep(config("held")).env, &held.env));
    }
}
