//! Tables of the planner.

use apimachinery::{Text, json};
use world::Time;

use super::*;
use crate::probe::Kind;
use crate::record::{Exit, Instance};

/// The state of a container in a table: `-` never started, `r` running, `l` running and not live, `s` not
/// come up,
/// `h` running from an older spec, `c` created only, a number: exited with it.
fn record(pod: &Value, sandbox: &str, states: &str) -> PodRecord {
    let mut record = PodRecord::new(Time::default());
    let (id, ip) = ("s".into(), "10.128.0.2".into());
    record.sandbox = match sandbox {
        "none" => Sandbox::None,
        "ready" => Sandbox::Ready { id, ip },
        _ => Sandbox::Stopped { id, ip },
    };
    record.sandboxes = u32::from(sandbox != "none");
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let containers = lists.iter().flat_map(|list| pod.list_at(&["spec", list]));
    for (container, state) in containers.zip(states.split_whitespace()) {
        if state == "-" {
            continue;
        }
        let hash = container_hash(container);
        let code = state.parse::<i64>().ok();
        let entry = record.container_mut(container.str_at(&["name"]));
        entry.failed_probe = match state {
            "l" => Some(Kind::Liveness),
            "s" => Some(Kind::Startup),
            _ => None,
        };
        entry.current = Some(Instance {
            id: "i".into(),
            attempt: 0,
            image: Text::new(),
            image_id: Text::new(),
            created_at: Time::default(),
            started_at: (state != "c").then(Time::default),
            exit: code.map(|code| {
                let (reason, message, finished_at) = ("", String::new(), Time::default());
                Box::new(Exit { code, reason, message, finished_at })
            }),
            hash: if state == "h" { 1 } else { hash },
        });
    }
    record
}

fn pod(policy: &str, inits: usize) -> Value {
    let list = |prefix: &str, n: usize| -> Vec<Value> {
        (1..=n).map(|i| json!({"name": format!("{prefix}{i}"), "image": "x"})).collect()
    };
    json!({"spec": {
        "restartPolicy": policy,
        "initContainers": list("i", inits),
        "containers": list("c", 2),
    }})
}

fn text(actions: &[Action]) -> String {
    let word = |action: &Action| match action {
        Action::KillPod => "kill-pod".to_owned(),
        Action::CreateSandbox { attempt } => format!("sandbox({attempt})"),
        Action::Kill { name, .. } => format!("kill({name})"),
        Action::Start { name, .. } => format!("start({name})"),
    };
    actions.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn app_containers() {
    for (policy, sandbox, states, expected) in [
        ("Always", "none", "- -", "sandbox(0) start(c1) start(c2)"),
        ("Never", "none", "- -", "sandbox(0) start(c1) start(c2)"),
        ("Always", "ready", "- -", "start(c1) start(c2)"),
        ("Always", "ready", "r r", ""),
        ("Always", "ready", "r c", "start(c2)"),
        ("Always", "ready", "0 r", "start(c1)"),
        ("Always", "ready", "0 1", "start(c1) start(c2)"),
        ("OnFailure", "ready", "0 1", "start(c2)"),
        ("OnFailure", "ready", "0 r", ""),
        ("OnFailure", "ready", "0 0", "kill-pod"),
        ("Never", "ready", "0 r", ""),
        ("Never", "ready", "1 -", "start(c2)"),
        ("Never", "ready", "1 0", "kill-pod"),
        ("Always", "ready", "r l", "kill(c2) start(c2)"),
        ("OnFailure", "ready", "r l", "kill(c2) start(c2)"),
        ("Never", "ready", "r l", "kill(c2)"),
        ("Never", "ready", "0 l", "kill-pod"),
        ("Always", "ready", "s r", "kill(c1) start(c1)"),
        ("Always", "ready", "h r", "kill(c1) start(c1)"),
        ("Never", "ready", "h r", "kill(c1) start(c1)"),
        ("Always", "stopped", "137 r", "kill-pod sandbox(1) start(c1) start(c2)"),
        ("Always", "stopped", "137 137", "sandbox(1) start(c1) start(c2)"),
        ("OnFailure", "stopped", "0 137", "sandbox(1) start(c2)"),
        ("OnFailure", "stopped", "0 0", ""),
        ("Never", "stopped", "0 137", ""),
    ] {
        let pod = pod(policy, 0);
        let actions = plan(&pod, &record(&pod, sandbox, states), false);
        assert_eq!(text(&actions), expected, "{policy} {sandbox} {states}");
    }
}

#[test]
fn init_containers_come_first_and_one_by_one() {
    for (policy, sandbox, states, expected) in [
        ("Always", "none", "- - - -", "sandbox(0) start(i1)"),
        ("Always", "ready", "- - - -", "start(i1)"),
        ("Always", "ready", "r - - -", ""),
        ("Always", "ready", "0 - - -", "start(i2)"),
        ("Always", "ready", "1 - - -", "start(i1)"),
        ("OnFailure", "ready", "0 1 - -", "start(i2)"),
        ("Never", "ready", "1 - - -", "kill-pod"),
        ("Always", "ready", "0 0 - -", "start(c1) start(c2)"),
        ("Always", "ready", "0 0 r r", ""),
        ("Never", "stopped", "1 - - -", ""),
    ] {
        let pod = pod(policy, 2);
        let actions = plan(&pod, &record(&pod, sandbox, states), false);
        assert_eq!(text(&actions), expected, "{policy} {sandbox} {states}");
    }
}

#[test]
fn ephemeral_containers_are_started_once_and_keep_nothing_alive() {
    for (policy, states, expected) in [
        ("Always", "r r -", "start(e1)"),
        ("Always", "r 1 -", "start(e1) start(c2)"),
        ("Always", "r r c", "start(e1)"),
        ("Always", "r r r", ""),
        ("Always", "r r 1", ""),
        ("Never", "0 0 r", "kill-pod"),
        ("Never", "0 0 -", "kill-pod"),
    ] {
        let mut pod = pod(policy, 0);
        pod["spec"]["ephemeralContainers"] = json!([{"name": "e1", "image": "x"}]);
        let actions = plan(&pod, &record(&pod, "ready", states), false);
        assert_eq!(text(&actions), expected, "{policy} {states}");
    }
    let mut pod = pod("Always", 1);
    pod["spec"]["ephemeralContainers"] = json!([{"name": "e1", "image": "x"}]);
    let actions = plan(&pod, &record(&pod, "ready", "r - - -"), false);
    assert_eq!(text(&actions), "start(e1)", "init containers are not waited for");
}

#[test]
fn an_ending_pod_is_only_killed() {
    let pod = pod("Always", 0);
    for (sandbox, states, expected) in [
        ("ready", "r r", "kill-pod"),
        ("stopped", "1 r", "kill-pod"),
        ("stopped", "1 1", ""),
        ("none", "- -", ""),
    ] {
        assert_eq!(text(&plan(&pod, &record(&pod, sandbox, states), true)), expected);
        let mut failed = record(&pod, sandbox, states);
        failed.failed = Some(Box::new(("DeadlineExceeded".to_owned(), String::new())));
        assert_eq!(text(&plan(&pod, &failed, false)), expected);
    }
}

#[test]
fn kills_say_why_in_upstreams_words() {
    let pod = pod("Always", 0);
    let actions = plan(&pod, &record(&pod, "ready", "l r"), false);
    let message =
        "Container failed liveness probe.. Container will be killed and recreated.".to_owned();
    assert_eq!(actions[0], Action::Kill { name: "c1".into(), message });
}
