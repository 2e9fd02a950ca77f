//! What the store promises, from outside: against a naive model, and case by case.

mod compaction;
mod concurrency;
mod lease;
mod model;
mod property;
mod range;
mod txn;
mod watch;

use store::{Options, Store};
use world::World;

/// A store of texts in a simulated world.
fn new_store() -> Store<String> {
    Store::new(World::simulated(1))
}

/// A store of texts that retains `revisions` revisions.
fn retaining(revisions: usize) -> Store<String> {
    Store::with_options(
        World::simulated(1),
        Options { retain_revisions: revisions, ..Options::default() },
    )
}

fn text(value: &str) -> String {
    value.to_owned()
}
