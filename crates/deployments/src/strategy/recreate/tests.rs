//! Walks through Recreate: with and without a predecessor, and what makes it fail.

use world::SIMULATION_EPOCH;

use super::*;
use crate::strategy::Controller;

/// Plays a rollout in which old pods take `gone` seconds to end and new ones `ready` to become
/// available (`None`: never); gives the log with the outcome last.
fn play(old: Option<i64>, desired: i64, gone: u64, ready: Option<u64>) -> Vec<String> {
    let mut recreate = Recreate::new(None);
    let mut now = SIMULATION_EPOCH;
    let (mut from, mut to) = (old, 0_i64);
    let (mut from_zero_at, mut made_at) = (None, now);
    let mut log = Vec::new();
    for _ in 0..10_000 {
        let is_gone = from_zero_at.is_some_and(|at| now.since(at) >= Duration::from_secs(gone));
        let is_ready = ready.is_some_and(|after| now.since(made_at) >= Duration::from_secs(after));
        let controller = |name: &str, replicas, available| Controller {
            name: name.to_owned(),
            replicas,
            created: replicas,
            available,
        };
        let observed = Observed {
            now,
            namespace: "p".to_owned(),
            from: from.map(|replicas| controller("app-1", replicas, replicas)),
            to: controller("app-2", to, if is_ready { to } else { 0 }),
            desired,
            old_pods: usize::from(old.is_some() && !is_gone),
            hook: None,
        };
        let mut wake = None;
        for action in recreate.next(&observed) {
            match action {
                Action::Scale(Side::From, count) => {
                    from = Some(count);
                    from_zero_at = Some(now);
                }
                Action::Scale(Side::To, count) => {
                    assert!(old.is_none() || is_gone, "two versions at once");
                    if to == 0 {
                        made_at = now;
                    }
                    to = count;
                }
                Action::Print(line) => log.push(line),
                Action::Wake(at) => wake = Some(at),
                Action::Reached(text) => log.push(text),
                Action::Succeed => log.push(format!("succeeded with {to}")),
                Action::Fail(text) => log.push(format!("failed: {text}")),
                Action::BeginUpdate | Action::EndUpdate | Action::RunHook(_) => {}
            }
        }
        let Some(at) = wake else { return log };
        // Availability changes wake the deployer before its timer.
        now = at.min(now + Duration::from_secs(1));
    }
    panic!("the rollout never ended");
}

#[test]
fn a_predecessor_goes_first_and_one_pod_is_checked() {
    assert_eq!(
        play(Some(2), 3, 5, Some(4)),
        [
            "--> Scaling app-1 down to zero",
            "--> Scaling app-2 to 1 before performing acceptance check",
            "--> Scaling app-2 to 3",
            "succeeded with 3",
        ]
    );
}

#[test]
fn the_first_rollout_makes_all_pods_and_checks_them() {
    assert_eq!(play(None, 2, 0, Some(3)), ["--> Scaling app-2 to 2", "succeeded with 2"]);
}

#[test]
fn nothing_wanted_is_done_at_once() {
    assert_eq!(play(None, 0, 0, None), ["succeeded with 0"]);
}

#[test]
fn pods_that_never_become_available_are_rejected() {
    assert_eq!(
        play(None, 1, 0, None),
        [
            "--> Scaling app-2 to 1",
            "failed: update acceptor rejected app-2: pods for rc 'p/app-2' took longer than 600 seconds to become available",
        ]
    );
}
