//! What many containers have alike, kept once: the instances of one template have the same environment.
//!
//! Invariant: what is shared is equal to what it stands for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::config::ContainerConfig;

/// How many of the newest containers others are compared with.
const REMEMBERED: usize = 16;

/// Parts of the newest containers.
#[derive(Debug, Default)]
pub(super) struct Alike {
    environments: VecDeque<Arc<[(String, String)]>>,
    annotations: VecDeque<Arc<BTreeMap<String, String>>>,
}

impl Alike {
    /// Lets `config` share what an earlier one has too.
    pub(super) fn share(&mut self, config: &mut ContainerConfig) {
        share(&mut self.environments, &mut config.env);
        share(&mut self.annotations, &mut config.annotations);
    }
}

fn share<T: PartialEq + ?Sized>(known: &mut VecDeque<Arc<T>>, new: &mut Arc<T>) {
    if let Some(equal) = known.iter().find(|known| *known == new) {
        *new = Arc::clone(equal);
        return;
    }
    if known.len() == REMEMBERED {
        known.pop_back();
    }
    known.push_front(Arc::clone(new));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_kept_once() {
        let mut alike = Alike::default();
        let config = |value: &str| ContainerConfig {
            env: Arc::from([("A".to_owned(), value.to_owned())]),
            ..ContainerConfig::default()
        };
        let (mut one, mut other, mut equal) = (config("1"), config("2"), config("1"));
        for config in [&mut one, &mut other, &mut equal] {
            alike.share(config);
        }
        assert!(Arc::ptr_eq(&one.env, &equal.env) && !Arc::ptr_eq(&one.env, &other.env));
        assert_eq!((&*other.env, one.name.as_str()), (&*config("2").env, ""));
        assert!(Arc::ptr_eq(&one.annotations, &other.annotations));
    }
}
