//! Several clusters in one process, each with its own API, store and nodes.
//!
//! Nothing passes from one to the other here: whoever drives them both moves what is to be moved.
//! Simulated ones must share one world, so that there is one clock; they are stepped in turn. Real
//! ones get a thread each.
//!
//! Invariant: a simulated clock moves only when no cluster has anything left to do now.
//! Invariant: no thread is left when [`run_together`] returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use controller_runtime::Step;
use world::Time;

use crate::Cluster;

/// Drives all `clusters` until `done` says so or `deadline` has come; gives whether `done` did. It is
/// asked after every step of a cluster in a simulated world, and after every change of one in a real
/// world.
pub fn run_together(
    clusters: &mut [Cluster],
    deadline: Time,
    done: &mut dyn FnMut() -> bool,
) -> bool {
    match clusters {
        [] => done(),
        [only] => only.run_until(deadline, done),
        [first, ..] if first.world().is_simulated() => in_turn(clusters, deadline, done),
        [first, others @ ..] => side_by_side(first, others, deadline, done),
    }
}

fn in_turn(clusters: &mut [Cluster], deadline: Time, done: &mut dyn FnMut() -> bool) -> bool {
    loop {
        if done() {
            return true;
        }
        let mut worked = false;
        let mut next: Option<Time> = None;
        for cluster in &mut *clusters {
            match cluster.driver.step() {
                Step::Worked => worked = true,
                Step::Idle { next: due } => next = next.into_iter().chain(due).min(),
            }
        }
        if worked {
            continue;
        }
        if done() {
            return true;
        }
        let passed = clusters.first().is_some_and(|one| one.driver.pass_time(next, deadline));
        if !passed {
            return false;
        }
    }
}

/// The first on this thread, which asks `done`; the others wake it when something changed.
fn side_by_side(
    first: &mut Cluster,
    others: &mut [Cluster],
    deadline: Time,
    done: &mut dyn FnMut() -> bool,
) -> bool {
    let stop = AtomicBool::new(false);
    let news = first.waker();
    let wakers: Vec<_> = others.iter().map(Cluster::waker).collect();
    std::thread::scope(|scope| {
        for cluster in others {
            let (news, stop) = (Arc::clone(&news), &stop);
            scope.spawn(move || {
                let mut seen = cluster.server().store().revision();
                let store = cluster.server().store().clone();
                cluster.run_until(deadline, &mut || {
                    let revision = store.revision();
                    if revision != seen {
                        seen = revision;
                        news();
                    }
                    stop.load(Ordering::SeqCst)
                });
            });
        }
        let reached = first.run_until(deadline, done);
        stop.store(true, Ordering::SeqCst);
        wakers.iter().for_each(|wake| wake());
        reached
    })
}
