//! An agent that is killed at any time, and nodes that fall silent.

use std::collections::BTreeSet;
use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::DeleteOptions;
use cri::sim::Strain;
use cri::{ContainerState, SandboxStatus};

use crate::fixture::{Fixture, condition, main_status};

/// Image and spec of each pod: what it is at the end does not depend on when things happen.
fn workload(fixture: &mut Fixture) {
    let never = json!({"restartPolicy": "Never"});
    let inits = json!([{"name": "a", "image": "brief:1"}, {"name": "b", "image": "brief:1"}]);
    let probe = json!({"readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 3}});
    for (name, image, spec) in [
        ("serves", "serves:1", json!({})),
        ("stumbles", "stumbles:1", json!({})),
        ("succeeds", "brief:1", json!({"restartPolicy": "Never", "initContainers": inits})),
        ("fails", "fails:1", never),
        ("goes", "serves:1", json!({"terminationGracePeriodSeconds": 5})),
    ] {
        let mut container = json!({"image": image});
        if image == "serves:1" {
            container["readinessProbe"] = probe["readinessProbe"].clone();
        }
        fixture.pod(name, &spec, &container);
    }
}

fn images() -> [(&'static str, &'static str); 4] {
    [
        ("serves:1", r#"{"pullSeconds": 3, "readyAfterSeconds": 4, "stopSeconds": 2}"#),
        ("stumbles:1", r#"{"exits": [{"code": 1, "afterSeconds": 2}, {"code": 2}, null]}"#),
        ("brief:1", r#"{"exit": {"afterSeconds": 4}}"#),
        ("fails:1", r#"{"exit": {"code": 5, "afterSeconds": 6, "message": "broken"}}"#),
    ]
}

/// Phase, readiness, restarts and exits of all pods.
fn outcome(fixture: &Fixture) -> Vec<String> {
    let pods = fixture.client().list(&api::PODS, "default").unwrap();
    let line = |pod: &std::sync::Arc<Value>| {
        let mut line = format!(
            "{} {} {}",
            pod.name(),
            pod.str_at(&["status", "phase"]),
            condition(pod, "Ready")
        );
        for list in ["initContainerStatuses", "containerStatuses"] {
            for status in pod.list_at(&["status", list]) {
                let terminated = status.at(&["state", "terminated"]);
                let code = terminated.and_then(|t| t.int_at(&["exitCode"]));
                let message = status.str_at(&["state", "terminated", "message"]);
                let restarts = status.int_at(&["restartCount"]).unwrap();
                line.push_str(&format!(" [{restarts} {code:?} {message}]"));
            }
        }
        line
    };
    pods.iter().map(line).collect()
}

#[test]
fn an_agent_killed_at_any_time_ends_up_the_same() {
    let undisturbed = {
        let mut fixture = Fixture::new(1, &images());
        workload(&mut fixture);
        fixture.run(10);
        let options = DeleteOptions::default();
        fixture.client().delete(&api::PODS, "default", "goes", options).unwrap();
        fixture.run(400);
        outcome(&fixture)
    };
    insta::assert_snapshot!(undisturbed.join("\n"), @r"
    fails Failed False [0 Some(5) broken]
    serves Running True [0 None ]
    stumbles Running True [2 None ]
    succeeds Succeeded False [0 Some(0) ] [0 Some(0) ] [0 Some(0) ]
    ");
    for seed in 0..200 {
        let mut fixture = Fixture::new(seed, &images());
        workload(&mut fixture);
        let mut deleted = false;
        for _ in 0..5 {
            let millis = 1 + fixture.world.random_below(12_000);
            let deadline = fixture.world.now() + Duration::from_millis(millis);
            fixture.driver.run_until(deadline, &mut |_| false);
            fixture.agent.crash();
            if !deleted && fixture.world.random_below(2) == 0 {
                deleted = true;
                let options = DeleteOptions::default();
                fixture.client().delete(&api::PODS, "default", "goes", options).unwrap();
            }
        }
        if !deleted {
            let options = DeleteOptions::default();
            fixture.client().delete(&api::PODS, "default", "goes", options).unwrap();
        }
        fixture.run(600);
        assert_eq!(outcome(&fixture), undisturbed, "seed {seed}");
    }
}

#[test]
fn what_nobody_owns_is_removed() {
    let mut fixture = Fixture::new(1, &images());
    workload(&mut fixture);
    let serves = |pod: &Value| condition(pod, "Ready") == "True";
    let pod = fixture.until("serves", serves);
    let ip = pod.str_at(&["status", "podIP"]).to_owned();
    // Its agent is away while the pod goes, and never hears of it.
    fixture.agent.stop_node("node1");
    let now = DeleteOptions::now(pod.uid());
    fixture.client().delete(&api::PODS, "default", "serves", now).unwrap();
    fixture.run(60);
    assert!(fixture.control.http_get(&ip, 80, "/").is_ok(), "containers run on");
    fixture.agent.crash();
    fixture.agent.start_node("node1");
    fixture.run(60);
    assert!(fixture.control.http_get(&ip, 80, "/").is_err(), "a new agent cleans up");
    assert!(fixture.metrics.pod(pod.uid()).is_empty());
}

#[test]
fn a_silent_node_does_nothing_until_it_speaks_again() {
    let mut fixture = Fixture::new(1, &images());
    fixture.agent.stop_node("node1");
    fixture.pod("late", &json!({}), &json!({"image": "serves:1"}));
    fixture.run(120);
    assert_eq!(fixture.get("late").unwrap().str_at(&["status", "phase"]), "Pending");
    assert!(fixture.client().find(&api::NODES, "", "node1").unwrap().is_none());
    fixture.agent.start_node("node1");
    fixture.until("late", |pod| condition(pod, "Ready") == "True");
    assert!(fixture.client().find(&api::NODES, "", "node1").unwrap().is_some());
}

#[test]
fn an_agent_that_begins_without_an_engine_asks_again() {
    let mut fixture = Fixture::new(1, &images());
    workload(&mut fixture);
    let before = fixture.until("serves", |pod| condition(pod, "Ready") == "True");
    // The agent that heard of it is not the one that must live with it.
    fixture.control.set_engine(Some("gone"));
    fixture.run(1);
    fixture.agent.crash();
    fixture.run(60);
    fixture.control.set_engine(None);
    fixture.run(60);
    let after = fixture.get("serves").unwrap();
    assert_eq!(main_status(&after)["containerID"], main_status(&before)["containerID"]);
    assert_eq!(condition(&after, "Ready"), "True");
}

#[test]
fn what_runs_on_a_silent_node_is_found_when_it_speaks_again() {
    let mut fixture = Fixture::new(1, &images());
    workload(&mut fixture);
    let before = fixture.until("serves", |pod| condition(pod, "Ready") == "True");
    fixture.agent.stop_node("node1");
    fixture.agent.crash();
    fixture.run(60);
    fixture.agent.start_node("node1");
    fixture.run(60);
    let after = fixture.get("serves").unwrap();
    assert_eq!(main_status(&after)["containerID"], main_status(&before)["containerID"]);
    assert_eq!(main_status(&after)["restartCount"], 0);
}

/// An engine under strain, as `seed` deals it out.
fn strain(seed: u64) -> Strain {
    Strain::new(world::World::simulated(seed), Duration::from_secs(20))
}

/// What the engine has that no pod has asked for: second instances, sandboxes of pods that are gone.
fn strays(fixture: &Fixture) -> Vec<String> {
    let (sandboxes, containers) = fixture.control.inventory();
    let pods = fixture.client().list(&api::PODS, "default").unwrap();
    let mut wanted = BTreeSet::new();
    for pod in &pods {
        for status in pod.list_at(&["status", "containerStatuses"]) {
            let id = status.str_at(&["containerID"]).trim_start_matches("sim://");
            wanted.insert(id.to_owned());
        }
    }
    let running = containers.iter().filter(|one| one.state == ContainerState::Running);
    let strange = running.filter(|one| !wanted.contains(&*one.id));
    let strange = strange.map(|one| format!("container {} {}", one.pod_uid, one.name));
    let gone = sandboxes.iter().filter(|one| !pods.iter().any(|pod| *pod.uid() == *one.pod_uid));
    strange.chain(gone.map(|one| format!("sandbox {}", one.pod_uid))).collect()
}

/// What an agent has asked for when it dies is done later, or refused to its successor at first.
#[test]
fn what_a_dead_agent_has_asked_a_slow_engine_for_is_cleaned_up() {
    for seed in 0..60 {
        let mut fixture = Fixture::new(seed, &images());
        workload(&mut fixture);
        fixture.control.set_strain(Some(strain(seed)));
        for round in 0..4 {
            let millis = 1 + fixture.world.random_below(12_000);
            let deadline = fixture.world.now() + Duration::from_millis(millis);
            fixture.driver.run_until(deadline, &mut |_| false);
            fixture.agent.crash();
            if round == 1 {
                let uid = fixture.get("goes").unwrap().uid().to_owned();
                let now = DeleteOptions::now(&uid);
                fixture.client().delete(&api::PODS, "default", "goes", now).unwrap();
            }
        }
        fixture.run(30);
        fixture.control.set_strain(None);
        fixture.run(600);
        assert_eq!(strays(&fixture), [""; 0], "seed {seed}");
    }
}

/// A pod whose agent may have asked a strained engine for the sandbox.
fn pod_that_begins(seed: u64) -> (Fixture, String) {
    let mut fixture = Fixture::new(seed, &images());
    fixture.run(60);
    fixture.control.set_strain(Some(strain(seed)));
    fixture.pod("serves", &json!({}), &json!({"image": "serves:1"}));
    let deadline = fixture.world.now() + Duration::from_millis(1 + 10 * seed);
    fixture.driver.run_until(deadline, &mut |_| false);
    let uid = fixture.get("serves").unwrap().uid().to_owned();
    (fixture, uid)
}

fn delete_at_once(fixture: &Fixture, uid: &str) {
    let now = DeleteOptions::now(uid);
    fixture.client().delete(&api::PODS, "default", "serves", now).unwrap();
}

#[test]
fn an_agent_that_finds_nothing_looks_again() {
    for seed in 0..40 {
        let (mut fixture, uid) = pod_that_begins(seed);
        // Neither the agent nor the one after it knows the pod at the end.
        fixture.agent.stop_node("node1");
        delete_at_once(&fixture, &uid);
        let deadline = fixture.world.now() + Duration::from_millis(1);
        fixture.driver.run_until(deadline, &mut |_| false);
        fixture.agent.crash();
        fixture.control.set_strain(None);
        fixture.run(120);
        assert_eq!(strays(&fixture), [""; 0], "seed {seed}");
    }
}

#[test]
fn what_comes_into_being_for_a_pod_that_is_over_is_removed() {
    for seed in 0..40 {
        let (mut fixture, uid) = pod_that_begins(seed);
        fixture.agent.crash();
        let mut failed = Value::clone(&fixture.get("serves").unwrap());
        failed["status"]["phase"] = json!("Failed");
        fixture.client().update_status(&api::PODS, failed).unwrap();
        fixture.control.set_strain(None);
        fixture.run(120);
        delete_at_once(&fixture, &uid);
        fixture.run(120);
        assert_eq!(strays(&fixture), [""; 0], "seed {seed}");
    }
}

/// A sandbox whose making is under way cannot be told from one that a dead agent had asked for.
#[test]
fn an_agent_that_cannot_tell_whose_a_sandbox_is_looks_again() {
    for seed in 0..200 {
        let (mut fixture, uid) = pod_that_begins(seed % 40);
        fixture.agent.crash();
        fixture.control.set_strain(Some(strain(1_000 + seed)));
        fixture.run(120);
        fixture.control.set_strain(None);
        fixture.run(120);
        delete_at_once(&fixture, &uid);
        fixture.run(120);
        assert_eq!(strays(&fixture), [""; 0], "seed {seed}");
    }
}

#[test]
fn what_nobody_owns_is_removed_when_a_silent_node_speaks_again() {
    let mut fixture = Fixture::new(1, &images());
    fixture.pod("serves", &json!({}), &json!({"image": "serves:1"}));
    let pod = fixture.until("serves", |pod| condition(pod, "Ready") == "True");
    fixture.agent.stop_node("node1");
    fixture.agent.crash();
    fixture.run(60);
    delete_at_once(&fixture, pod.uid());
    fixture.run(60);
    fixture.agent.start_node("node1");
    fixture.run(60);
    assert_eq!(strays(&fixture), [""; 0]);
}

/// An engine that gives up on a sandbox may have made it.
#[test]
fn a_sandbox_that_was_made_in_spite_of_an_error_is_removed() {
    for seed in 0..40 {
        let mut fixture = Fixture::new(seed, &images());
        fixture.run(60);
        fixture.control.set_strain(Some(strain(seed)));
        fixture.pod("serves", &json!({}), &json!({"image": "serves:1"}));
        fixture.run(60);
        fixture.control.set_strain(None);
        let uid = fixture.get("serves").unwrap().uid().to_owned();
        delete_at_once(&fixture, &uid);
        fixture.run(120);
        assert_eq!(strays(&fixture), [""; 0], "seed {seed}");
    }
}

#[test]
fn time_goes_on_while_an_engine_is_asked_what_there_is() {
    let mut fixture = Fixture::new(1, &images());
    workload(&mut fixture);
    fixture.run(10);
    for seed in 0..20 {
        fixture.control.set_engine(Some("gone"));
        fixture.agent.crash();
        fixture.run(3);
        fixture.control.set_strain(Some(strain(seed)));
        fixture.control.set_engine(None);
        let deadline = fixture.world.now() + Duration::from_secs(60);
        let mut turns = 0;
        fixture.driver.run_until(deadline, &mut |_| {
            turns += 1;
            turns > 10_000
        });
        assert!(turns < 10_000, "seed {seed}: time stands still");
        fixture.control.set_strain(None);
        fixture.run(60);
    }
}

#[test]
fn time_goes_on_while_a_pod_waits_for_an_engine_to_be_removed() {
    for seed in 0..40 {
        let mut fixture = Fixture::new(seed, &images());
        fixture.pod("serves", &json!({}), &json!({"image": "serves:1"}));
        let ready = |pod: &Value| condition(pod, "Ready") == "True";
        let uid = fixture.until("serves", ready).uid().to_owned();
        fixture.control.set_strain(Some(strain(seed)));
        delete_at_once(&fixture, &uid);
        fixture.run(15);
        fixture.control.set_strain(None);
        fixture.control.set_engine(Some("gone"));
        let deadline = fixture.world.now() + Duration::from_secs(60);
        let mut turns = 0;
        fixture.driver.run_until(deadline, &mut |_| {
            turns += 1;
            turns > 10_000
        });
        assert!(turns < 10_000, "seed {seed}: time stands still");
        fixture.control.set_engine(None);
        fixture.run(60);
        assert_eq!(strays(&fixture), [""; 0], "seed {seed}");
    }
}

#[test]
fn a_sandbox_that_somebody_has_removed_is_made_anew() {
    let mut fixture = Fixture::new(1, &images());
    fixture.pod("serves", &json!({}), &json!({"image": "serves:1"}));
    let deadline = fixture.world.now() + Duration::from_secs(60);
    let control = fixture.control.clone();
    assert!(fixture.driver.run_until(deadline, &mut |_| !control.inventory().0.is_empty()));
    let uid = fixture.get("serves").unwrap().uid().to_owned();
    control.lose_sandboxes(&uid);
    fixture.until("serves", |pod| condition(pod, "Ready") == "True");
    assert_eq!(strays(&fixture), [""; 0]);
}

#[test]
fn a_container_that_somebody_has_removed_before_it_began_does_not_count() {
    let mut fixture = Fixture::new(1, &images());
    fixture.pod("serves", &json!({}), &json!({"image": "serves:1"}));
    let deadline = fixture.world.now() + Duration::from_secs(60);
    let control = fixture.control.clone();
    assert!(fixture.driver.run_until(deadline, &mut |_| !control.inventory().1.is_empty()));
    assert_eq!(control.inventory().1[0].state, ContainerState::Created);
    let uid = fixture.get("serves").unwrap().uid().to_owned();
    control.lose_sandboxes(&uid);
    let pod = fixture.until("serves", |pod| condition(pod, "Ready") == "True");
    let container = main_status(&pod);
    assert_eq!(container.int_at(&["restartCount"]), Some(0));
    assert_eq!(container.at(&["lastState"]), Some(&json!({})));
    assert_eq!(strays(&fixture), [""; 0]);
}

#[test]
fn a_sandbox_in_which_nothing_was_made_is_not_taken_over() {
    let mut fixture = Fixture::new(1, &images());
    fixture.pod("serves", &json!({}), &json!({"image": "serves:1"}));
    let deadline = fixture.world.now() + Duration::from_secs(60);
    let control = fixture.control.clone();
    assert!(fixture.driver.run_until(deadline, &mut |_| !control.inventory().0.is_empty()));
    let (before, containers) = control.inventory();
    assert!(containers.is_empty());
    fixture.agent.crash();
    let pod = fixture.until("serves", |pod| condition(pod, "Ready") == "True");
    assert_eq!(main_status(&pod).int_at(&["restartCount"]), Some(0));
    let (after, _) = control.inventory();
    let ids = |all: &[SandboxStatus]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(after.len(), 1);
    assert_ne!(ids(&after), ids(&before));
    assert_eq!(strays(&fixture), [""; 0]);
}

/// What an agent has asked for when it dies hits nothing that its successors have come to use, and
/// what ends while none of them looks is not run again.
#[test]
fn agents_that_die_before_a_slow_engine_answers_end_up_the_same() {
    let mut calm = Fixture::new(1, &images());
    workload(&mut calm);
    calm.run(600);
    let expected = outcome(&calm);
    // The last one has failed.
    for seed in (0..60).chain([1_109]) {
        let mut fixture = Fixture::new(seed, &images());
        workload(&mut fixture);
        fixture.control.set_strain(Some(strain(seed)));
        for _ in 0..10 {
            let millis = 1 + fixture.world.random_below(15_000);
            let deadline = fixture.world.now() + Duration::from_millis(millis);
            fixture.driver.run_until(deadline, &mut |_| false);
            fixture.agent.crash();
        }
        fixture.control.set_strain(None);
        fixture.run(600);
        assert_eq!(outcome(&fixture), expected, "seed {seed}");
        assert_eq!(strays(&fixture), [""; 0], "seed {seed}");
    }
}
