//! Hooks around every strategy: when they run, and what a failed one means.

use apimachinery::json;
use world::SIMULATION_EPOCH;

use super::*;

/// Plays a rollout in which pods come and go at once and hooks end as `hook` says; gives what was
/// done, in order.
fn play(strategy: &Value, old: Option<i64>, hook: &dyn Fn(Moment) -> Result<(), String>) -> String {
    play_until(None, strategy, old, hook)
}

fn play_until(
    until: Option<Until>,
    strategy: &Value,
    old: Option<i64>,
    hook: &dyn Fn(Moment) -> Result<(), String>,
) -> String {
    let config = json!({"spec": {"strategy": strategy}});
    let mut planner = Strategy::for_config(&config, old.is_some()).unwrap().until(until);
    let (mut from, mut to, mut now) = (old, 0, SIMULATION_EPOCH);
    let (mut done, mut outcome) = (Vec::new(), None);
    for _ in 0..1_000 {
        let controller = |name: &str, n| Controller {
            name: name.to_owned(),
            replicas: n,
            created: n,
            available: n,
        };
        let observed = Observed {
            now,
            namespace: "p".to_owned(),
            from: from.map(|n| controller("app-1", n)),
            to: controller("app-2", to),
            desired: 2,
            old_pods: usize::try_from(from.unwrap_or(0)).unwrap(),
            hook: outcome.take(),
        };
        for action in planner.next(&observed) {
            match action {
                Action::Scale(Side::From, n) => (from, _) = (Some(n), done.push(format!("-{n}"))),
                Action::Scale(Side::To, n) => (to, _) = (n, done.push(format!("+{n}"))),
                Action::RunHook(moment) => {
                    done.push(moment.label().to_owned());
                    outcome = Some(hook(moment));
                }
                Action::Wake(at) => now = at,
                Action::Reached(text) => return format!("{} {text}", done.join(" ")),
                Action::Succeed => return format!("{} ok", done.join(" ")),
                Action::Fail(text) => return format!("{} failed: {text}", done.join(" ")),
                Action::Print(_) | Action::BeginUpdate | Action::EndUpdate => {}
            }
        }
    }
    panic!("the rollout never ended");
}

fn hooked(kind: &str, params: &str, moments: &[&str]) -> Value {
    let hooks: apimachinery::Map =
        moments.iter().map(|moment| ((*moment).to_owned(), json!({"tagImages": []}))).collect();
    json!({"type": kind, params: hooks})
}

#[test]
fn hooks_stand_where_upstream_runs_them() {
    let rolling = |moments: &[&str]| hooked("Rolling", "rollingParams", moments);
    let recreate = |moments: &[&str]| hooked("Recreate", "recreateParams", moments);
    let cases = [
        (rolling(&["pre", "post"]), None, "pre +2 post ok"),
        (rolling(&["pre"]), Some(2), "pre -1 +1 -0 +2 ok"),
        (rolling(&["post"]), Some(2), "-1 +1 -0 +2 post ok"),
        (rolling(&["mid"]), Some(2), "-1 +1 -0 +2 ok"),
        (recreate(&["pre", "mid", "post"]), None, "pre mid +2 post ok"),
        (recreate(&["pre", "mid", "post"]), Some(2), "pre -0 mid +1 +2 post ok"),
        (recreate(&[]), Some(2), "-0 +1 +2 ok"),
    ];
    for (strategy, old, expected) in cases {
        assert_eq!(play(&strategy, old, &|_| Ok(())), expected, "{strategy}");
    }
}

#[test]
fn a_hook_that_fails_ends_the_rollout_there() {
    let strategy = hooked("Recreate", "recreateParams", &["pre", "mid", "post"]);
    let cases = [
        (Moment::Pre, "pre failed: pre hook failed: no"),
        (Moment::Mid, "pre -0 mid failed: mid hook failed: no"),
        (Moment::Post, "pre -0 mid +1 +2 post failed: post hook failed: no"),
    ];
    for (bad, expected) in cases {
        let hook = |moment| if moment == bad { Err("no".to_owned()) } else { Ok(()) };
        assert_eq!(play(&strategy, Some(2), &hook), expected);
    }
}

#[test]
fn custom_strategies_run_elsewhere() {
    let config = json!({"spec": {"strategy": {"type": "Custom"}}});
    let error = Strategy::for_config(&config, false).unwrap_err();
    assert_eq!(error, "unsupported strategy type: Custom");
}

#[test]
fn a_deployer_may_go_up_to_a_condition_only() {
    let rolling = hooked("Rolling", "rollingParams", &["pre", "post"]);
    let recreate = hooked("Recreate", "recreateParams", &["pre", "mid", "post"]);
    let cases = [
        ("pre", &rolling, Some(2), "pre pre hook succeeded"),
        ("0%", &rolling, Some(2), "pre Reached 0% (before rollout)"),
        ("50%", &rolling, Some(2), "pre -1 +1 Reached 50% (currently 50%)"),
        ("51%", &rolling, Some(2), "pre -1 +1 -0 +2 Reached 51% (currently 100%)"),
        ("50%", &rolling, None, "pre +2 Reached 50%"),
        ("mid", &rolling, None, "pre mid hook succeeded"),
        ("pre", &recreate, Some(2), "pre pre hook succeeded"),
        ("0%", &recreate, Some(2), "pre -0 Reached 0% (no running pods)"),
        ("mid", &recreate, Some(2), "pre -0 mid mid hook succeeded"),
        ("50%", &recreate, Some(2), "pre -0 mid +1 Reached 50%"),
        ("100%", &recreate, Some(2), "pre -0 mid +1 +2 Reached 100%"),
        ("1%", &recreate, None, "pre mid +2 Reached 1%"),
    ];
    for (until, strategy, old, expected) in cases {
        let until = Until::parse(until);
        assert!(until.is_some());
        assert_eq!(play_until(until, strategy, old, &|_| Ok(())), expected);
    }
    assert_eq!([Until::parse("101%"), Until::parse("end"), Until::parse("%")], [None; 3]);
}
