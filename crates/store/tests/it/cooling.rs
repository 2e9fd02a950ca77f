//! Cooling: every version is told once that it is not among the newest any more, none too early.

use std::sync::Arc;

use parking_lot::Mutex;
use store::{Options, Store, Value};
use world::World;

/// A value that writes down when it cools.
#[derive(Debug, Clone)]
struct Noted {
    name: u64,
    size: usize,
    cooled: Arc<Mutex<Vec<u64>>>,
}

impl PartialEq for Noted {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Value for Noted {
    fn size(&self) -> usize {
        self.size
    }

    fn cool(&self) {
        self.cooled.lock().push(self.name);
    }
}

/// What has cooled after values of `sizes` were put under keys of their own, or one.
fn cooled(options: Options, sizes: &[usize], one_key: bool) -> Vec<u64> {
    let store = Store::with_options(World::simulated(1), options);
    let cooled = Arc::default();
    for (name, size) in (0..).zip(sizes) {
        let key = if one_key { "a".to_owned() } else { format!("key-{name}") };
        store.put(&key, Noted { name, size: *size, cooled: Arc::clone(&cooled) });
    }
    cooled.lock().clone()
}

#[test]
fn a_version_cools_once_it_is_as_many_revisions_old() {
    let options = Options { warm_revisions: 3, ..Options::default() };
    assert_eq!(cooled(options, &[1; 3], false), [] as [u64; 0]);
    assert_eq!(cooled(options, &[1; 5], false), [0, 1]);
    assert_eq!(cooled(options, &[1; 5], true), [0, 1], "replaced versions as well");
}

#[test]
fn large_versions_cool_earlier_but_never_the_newest() {
    let options = Options { warm_bytes: 10, ..Options::default() };
    assert_eq!(cooled(options, &[4, 4], false), [] as [u64; 0]);
    assert_eq!(cooled(options, &[4, 4, 4], false), [0]);
    assert_eq!(cooled(options, &[4, 4, 100], false), [0, 1]);
}

#[test]
fn what_leaves_the_history_warm_cools_then() {
    let options = Options { retain_revisions: 2, ..Options::default() };
    assert_eq!(cooled(options, &[1; 5], false), [0, 1, 2]);
}

#[test]
fn deletions_cool_the_last_state_they_carry() {
    let options = Options { warm_revisions: 1, ..Options::default() };
    let store = Store::with_options(World::simulated(1), options);
    let cooled = Arc::default();
    let noted = |name| Noted { name, size: 1, cooled: Arc::clone(&cooled) };
    store.put("a", noted(1));
    store.delete("a", None).unwrap();
    store.put("b", noted(2));
    assert_eq!(*cooled.lock(), [1, 1], "the version and the deletion's");
}
