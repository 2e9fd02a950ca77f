//! Tables of (replicas, bounds, readiness) and the scale steps that follow, and the bounds over many
//! readiness patterns.

use apimachinery::json;
use world::{SIMULATION_EPOCH, World};

use super::*;

/// Plays an update in which a new pod becomes available `delay(index)` seconds after it was made;
/// gives the scale steps, e.g. `+1 -1`, and the log.
fn play(
    desired: i64,
    params: &Value,
    delay: &dyn Fn(usize) -> Option<u64>,
) -> (String, Vec<String>) {
    play_until(desired, params, delay, &mut { SIMULATION_EPOCH })
}

/// The same; `now` is when it ended.
fn play_until(
    desired: i64,
    params: &Value,
    delay: &dyn Fn(usize) -> Option<u64>,
    now: &mut Time,
) -> (String, Vec<String>) {
    let mut rolling = Rolling::new(Some(params));
    let (mut old, mut new) = (desired, 0_i64);
    let mut made: Vec<Time> = Vec::new();
    let (mut steps, mut log) = (Vec::new(), Vec::new());
    let (surge, unavailable) = resolve_fenceposts(Some(params), desired);
    for _ in 0..10_000 {
        let ready = |(index, at): (usize, &Time)| {
            delay(index).is_some_and(|seconds| *at + Duration::from_secs(seconds) <= *now)
        };
        let available = made.iter().enumerate().filter(|pod| ready(*pod)).count();
        let available = i64::try_from(available).unwrap();
        assert!(old + new <= desired + surge, "surge: {old} + {new}");
        assert!(old + available >= desired - unavailable - (new - available).max(0) || old == 0);
        let controller = |name: &str, replicas, available| Controller {
            name: name.to_owned(),
            replicas,
            created: replicas,
            available,
        };
        let observed = Observed {
            now: *now,
            namespace: "p".to_owned(),
            from: Some(controller("app-1", old, old)),
            to: controller("app-2", new, available),
            desired,
            old_pods: 0,
            hook: None,
        };
        let mut wake = None;
        for action in rolling.next(&observed) {
            match action {
                Action::Scale(Side::To, count) => {
                    steps.push(format!("+{count}"));
                    made.resize(usize::try_from(count).unwrap(), *now);
                    new = count;
                }
                Action::Scale(Side::From, count) => {
                    steps.push(format!("-{count}"));
                    old = count;
                    assert!(old + available >= desired - unavailable, "too few stay");
                }
                Action::Print(line) => log.push(line),
                Action::Wake(at) => wake = Some(at),
                Action::Reached(text) => return (steps.join(" "), [log, vec![text]].concat()),
                Action::Succeed => return (steps.join(" "), log),
                Action::Fail(text) => return (format!("{} failed: {text}", steps.join(" ")), log),
                Action::BeginUpdate | Action::EndUpdate | Action::RunHook(_) => {}
            }
        }
        *now = wake.expect("a strategy under way says when to ask again");
    }
    panic!("the update never ended");
}

fn params(surge: &Value, unavailable: &Value) -> Value {
    json!({"maxSurge": surge, "maxUnavailable": unavailable, "timeoutSeconds": 30})
}

#[test]
fn steps_follow_the_bounds() {
    let percent = params(&json!("25%"), &json!("25%"));
    let cases = [
        (2, percent.clone(), "+1 -1 +2 -0"),
        (1, percent.clone(), "+1 -0"),
        (4, params(&json!(1), &json!(0)), "+1 -3 +2 -2 +3 -1 +4 -0"),
        (2, params(&json!(0), &json!(1)), "-1 +1 -0 +2"),
        (3, params(&json!("100%"), &json!(0)), "+3 -0"),
        (0, percent, ""),
    ];
    for (desired, params, expected) in cases {
        let (steps, _) = play(desired, &params, &|_| Some(2));
        assert_eq!(steps, expected, "{desired} replicas, {params}");
    }
}

#[test]
fn the_log_reads_as_the_deployers() {
    let (_, log) = play(2, &params(&json!("25%"), &json!("25%")), &|_| Some(1));
    assert_eq!(
        log,
        [
            "--> Scaling up app-2 from 0 to 2, scaling down app-1 from 2 to 0 (keep 2 pods available, don't exceed 3 pods)",
            "    Scaling app-2 up to 1",
            "    Scaling app-1 down to 1",
            "    Scaling app-2 up to 2",
            "    Scaling app-1 down to 0",
        ]
    );
}

#[test]
fn pods_that_never_become_available_fail_the_update() {
    let (steps, _) = play(3, &params(&json!(1), &json!(0)), &|_| None);
    assert_eq!(steps, "+1 failed: timed out waiting for any update progress to be made");
}

/// A turn that changed something ends after the poll and, when it grew, the update period; from there
/// the timeout counts.
#[test]
fn the_timeout_counts_from_the_end_of_the_last_turn_that_changed_something() {
    for (surge, unavailable, steps, seconds) in [(1, 0, "+1", 32), (0, 1, "-2 +1", 34)] {
        let params = params(&json!(surge), &json!(unavailable));
        let mut ended = SIMULATION_EPOCH;
        let (told, _) = play_until(3, &params, &|_| None, &mut ended);
        let text = "failed: timed out waiting for any update progress to be made";
        assert_eq!(told, format!("{steps} {text}"));
        assert_eq!(ended.since(SIMULATION_EPOCH).as_secs(), seconds, "{steps}");
    }
}

#[test]
fn bounds_hold_for_any_readiness() {
    for seed in 0..500 {
        let world = World::simulated(seed);
        let desired = i64::try_from(1 + world.random_below(8)).unwrap();
        let surge = world.random_below(4);
        let unavailable =
            if surge == 0 { 1 + world.random_below(3) } else { world.random_below(3) };
        let delays: Vec<u64> = (0..10).map(|_| world.random_below(20)).collect();
        let params = params(&json!(surge), &json!(unavailable));
        let (steps, _) = play(desired, &params, &|index| delays.get(index).copied());
        assert!(!steps.contains("failed"), "seed {seed}: {steps}");
    }
}
