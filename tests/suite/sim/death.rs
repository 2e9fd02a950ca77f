//! Components that die while they work, and changes that lose against others: the cluster ends as if
//! nothing had happened.
//!
//! Here each component of a rollout dies after each of its writes in turn; `cargo xtask chaos` kills at
//! random, many times a run.
//!
//! Invariant: every death that was meant to happen did happen.

use std::collections::BTreeMap;
use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use cluster::Cluster;
use controller_runtime::Faults;

use crate::harness::simulated::Simulated;

/// Components that have a hand in a rollout.
const INVOLVED: &[&str] = &[
    "deploymentconfig-controller",
    "deployer-controller",
    "deployer",
    "replication-controller",
    "default-scheduler",
    "kubelet",
];

const ROLLING: &str = "{type: Rolling, rollingParams: {pre: HOOK, post: HOOK}}";
const RECREATE: &str = "{type: Recreate, recreateParams: {pre: HOOK, mid: HOOK, post: HOOK}}";
const HOOK: &str = "{failurePolicy: Abort, execNewPod: {containerName: c, command: [check]}}";

/// A cluster on which one rollout is over and a second has just been asked for.
fn second_rollout(strategy: &str) -> (Simulated, Faults) {
    let faults = Faults::default();
    let mut sim = Simulated::with(1, |config| config.faults = Some(faults.clone()));
    for image in ["hello:v1", "hello:v2"] {
        let hook = r#"{"exec": [{"command": ["check"]}]}"#;
        drop(sim.image(image, hook));
    }
    let strategy = strategy.replace("HOOK", HOOK);
    sim.create(
        "shop",
        &format!(
            "
apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{app: web}}
  strategy: {strategy}
  triggers: [{{type: ConfigChange}}]
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: c, image: 'hello:v1'}}]}}
"
        ),
    );
    sim.run_for(60);
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "hello:v2"}]}}}});
    let kind = apiserver::PatchKind::Merge;
    drop(sim.client().patch(&api::DEPLOYMENT_CONFIGS, "shop", "web", kind, image).unwrap());
    (sim, faults)
}

/// Lets the rollout end; gives how many components died.
fn live_on(cluster: &mut Cluster) -> usize {
    let deadline = cluster.world().now() + Duration::from_secs(90);
    let mut deaths = 0;
    while let Some(killed) = cluster.turn(deadline) {
        deaths += killed.len();
    }
    deaths
}

/// What a user sees of the end: rollouts with their phase and size, pods with their image and phase.
fn end(sim: &Simulated) -> BTreeMap<String, usize> {
    let client = sim.client();
    let mut lines = BTreeMap::new();
    let mut count = |line: String| *lines.entry(line).or_default() += 1;
    for rc in client.list(&api::REPLICATION_CONTROLLERS, "shop").unwrap() {
        let phase = rc.annotation("openshift.io/deployment.phase").unwrap_or_default();
        let (wanted, ready) = (&rc["spec"]["replicas"], &rc["status"]["readyReplicas"]);
        count(format!("{} {phase} {wanted} {ready}", rc.name()));
    }
    for pod in client.list(&api::PODS, "shop").unwrap() {
        let rc = pod.controller_ref().map_or_else(|| pod.name(), |owner| owner.str_at(&["name"]));
        let image = pod["spec"]["containers"][0].str_at(&["image"]);
        count(format!("pod of {rc} {image} {}", pod.str_at(&["status", "phase"])));
    }
    let dc = client.get(&api::DEPLOYMENT_CONFIGS, "shop", "web").unwrap();
    let status = |field: &str| dc["status"][field].clone();
    let fields = ["latestVersion", "readyReplicas", "updatedReplicas"].map(status);
    count(format!("dc {}", Value::from(fields.to_vec())));
    lines
}

#[track_caller]
fn survives_every_death(strategy: &str) {
    let (mut sim, _) = second_rollout(strategy);
    assert_eq!(live_on(&mut sim.cluster), 0);
    let expected = end(&sim);
    assert_eq!(expected.get("web-2 Complete 2 2"), Some(&1), "{expected:?}");
    for name in INVOLVED {
        let components = sim.cluster.components();
        let component = components.iter().position(|known| known == name).unwrap();
        for writes in 1.. {
            let (mut sim, faults) = second_rollout(strategy);
            faults.arm_after(component, writes);
            let deaths = live_on(&mut sim.cluster);
            if deaths == 0 {
                assert!(writes > 2, "{name} hardly wrote");
                break;
            }
            assert_eq!(end(&sim), expected, "{name} died after write {writes}");
        }
    }
}

#[test]
fn a_rolling_rollout_survives_every_death() {
    survives_every_death(ROLLING);
}

#[test]
fn a_recreate_rollout_survives_every_death() {
    survives_every_death(RECREATE);
}

/// A change that lost against another is made again.
#[test]
fn a_rollout_survives_every_conflict() {
    for strategy in [ROLLING, RECREATE] {
        let (mut sim, _) = second_rollout(strategy);
        assert_eq!(live_on(&mut sim.cluster), 0);
        let expected = end(&sim);
        for changes in 0.. {
            let (mut sim, faults) = second_rollout(strategy);
            faults.refuse(changes);
            assert_eq!(live_on(&mut sim.cluster), 0);
            if faults.disarm() {
                assert!(changes > 30, "there were only {changes} changes");
                break;
            }
            assert_eq!(end(&sim), expected, "change {changes} was in conflict");
        }
    }
}
