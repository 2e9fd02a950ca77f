//! A Deployment on a whole cluster, held against what a 3.11 master was seen to do with the same
//! commands: the sizes of its replica sets one after the other.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::PatchKind;

use crate::harness::simulated::Simulated;

const HELLO: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, labels: {app: hello}}
spec: {replicas: 4, selector: {matchLabels: {app: hello}}, template: {metadata: {labels: {app: hello}}, spec: {containers: [{name: hello, image: 'hello:v1', ports: [{containerPort: 8080}], readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2, initialDelaySeconds: 1}}]}}}
";

/// The sizes of replica sets that were wanted since the write number `from`, as `<image> <size>`.
fn sizes(sim: &mut Simulated, from: usize) -> Vec<String> {
    let writes = sim.history()[from..].iter().filter(|write| write.kind() == "ReplicaSet");
    let replicas = |set: &Value| set.int_at(&["spec", "replicas"]);
    let changed = writes.filter_map(|write| {
        let new = write.new.as_ref()?;
        let before = write.old.as_ref().and_then(replicas);
        let image = &new["spec"]["template"]["spec"]["containers"][0]["image"];
        let image = image.as_str().unwrap().trim_start_matches("hello:");
        (before != replicas(new)).then(|| format!("{image} {}", replicas(new).unwrap_or(-1)))
    });
    changed.collect()
}

fn patch(sim: &Simulated, body: Value) {
    sim.client().patch(&api::DEPLOYMENTS, "dev", "hello", PatchKind::Strategic, body).unwrap();
}

fn image(name: &str) -> Value {
    let containers = json!([{"name": "hello", "image": name}]);
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

/// Does `act`, lets `seconds` pass and gives the sizes that were wanted meanwhile.
fn after(sim: &mut Simulated, seconds: u64, act: impl FnOnce(&Simulated)) -> Vec<String> {
    let from = sim.history().len();
    act(sim);
    sim.run_for(seconds);
    sizes(sim, from)
}

#[test]
fn a_deployment_takes_the_steps_of_a_recorded_master() {
    let mut sim = Simulated::start(1);
    drop(sim.image("never:1", r#"{"missing": true}"#));
    let steps = |text: &str| -> Vec<String> { text.split(", ").map(str::to_owned).collect() };
    assert_eq!(after(&mut sim, 9, |sim| sim.create("dev", HELLO)), steps("v1 4"));
    assert_eq!(
        after(&mut sim, 20, |sim| patch(sim, image("hello:v2"))),
        steps("v2 1, v1 3, v2 2, v1 2, v2 3, v1 1, v2 4, v1 0")
    );
    let undo = json!({"metadata": {"annotations": {"deprecated.deployment.rollback.to": "0"}}});
    assert_eq!(
        after(&mut sim, 26, |sim| patch(sim, undo)),
        steps("v1 1, v2 3, v1 2, v2 2, v1 3, v2 1, v1 4, v2 0")
    );
    let pause = json!({"spec": {"paused": true}});
    let none: [String; 0] = [];
    assert_eq!(after(&mut sim, 1, |sim| patch(sim, pause)), none);
    assert_eq!(after(&mut sim, 7, |sim| patch(sim, image("hello:v3"))), none);
    assert_eq!(
        after(&mut sim, 6, |sim| patch(sim, json!({"spec": {"replicas": 5}}))),
        steps("v1 5")
    );
    let resume = json!({"spec": {"paused": false}});
    assert_eq!(
        after(&mut sim, 20, |sim| patch(sim, resume)),
        steps("v3 2, v1 4, v3 3, v1 3, v3 4, v1 2, v3 5, v1 1, v1 0")
    );
    let deadline = json!({"spec": {"progressDeadlineSeconds": 15}});
    assert_eq!(after(&mut sim, 1, |sim| patch(sim, deadline)), none);
    assert_eq!(
        after(&mut sim, 26, |sim| patch(sim, image("never:1"))),
        steps("never:1 2, v3 4, never:1 3")
    );
    assert_eq!(
        after(&mut sim, 10, |sim| patch(sim, json!({"spec": {"replicas": 10}}))),
        steps("v3 7, never:1 6")
    );
    assert_eq!(
        after(&mut sim, 10, |sim| patch(sim, json!({"spec": {"replicas": 4}}))),
        steps("v3 3, never:1 2")
    );
    assert_eq!(after(&mut sim, 20, |sim| patch(sim, image("hello:v3"))), steps("never:1 0, v3 4"));
}
