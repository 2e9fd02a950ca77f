//! The sub-resources of `DeploymentConfig`s, hook pods, and hooks around a rolling update.

use std::time::Duration;

use apimachinery::{Value, json};
use deployments::hook::{Moment, make_pod};
use deployments::rest::instantiate::{details, resolve_images};
use deployments::rest::rollback::rolled_back;
use deployments::strategy::{Action, Controller, Observed, Strategy};
use deployments::{deployer_pod, rollout};

use crate::documents::{bare, same_document, without};
use crate::harness::{Outcome, Row, Suites, same};

const INSTANTIATE: &str = "openshift-deployments/dc-instantiate.json";
const ROLLBACK: &str = "openshift-deployments/dc-rollback.json";
const ROLLING: &str = "openshift-deployments/dc-rolling.json";
const SUPPORT: &str = "openshift-deployments/dc-support.json";
const DEPLOYER: &str = "openshift-deployments/dc-deployer-controller.json.gz";

pub(crate) fn register(suites: &mut Suites) {
    suites.add(INSTANTIATE, "TestCanTrigger.L696", can_trigger);
    suites.add(INSTANTIATE, "TestProcess_changeForNonAutomaticTag.L58", changed_tag);
    suites.add(INSTANTIATE, "TestProcess_matchScenarios.L233", |row| {
        let mut dc = config_with(row.arg("param"));
        let before = dc.clone();
        resolve_images(&mut dc, false, &[], &|_| Some("registry:5000/new@sha256:2".to_owned()));
        same(&json!(dc != before), row.arg("expected"))
    });
    suites.add(ROLLBACK, "GenerateRollback", rollback);
    suites.add(ROLLING, "TestRolling_deployRollingHooks.L204", |row| hooks(row, true));
    suites.add(ROLLING, "TestRolling_deployInitialHooks.L265", |row| hooks(row, false));
    suites.add(SUPPORT, "TestHookExecutor_makeHookPod.L498", hook_pod);
    suites.add(DEPLOYER, "makeDeployerContainer", |row| {
        let strategy = row.arg("strategy");
        let pod = deployer_pod::make(&json!({}), &json!({"spec": {"strategy": strategy}}));
        let container = &pod["spec"]["containers"][0];
        let own = ["OPENSHIFT_DEPLOYMENT_NAME", "OPENSHIFT_DEPLOYMENT_NAMESPACE"];
        // The controller of the recording adds a variable of its own.
        let env = |container: &Value| -> Vec<Value> {
            let all = container["env"].as_array().cloned().unwrap_or_default();
            let given = strategy["customParams"]["environment"].as_array();
            let foreign = |variable: &Value| {
                variable["name"] == "ENV1" && given.is_none_or(|given| !given.contains(variable))
            };
            all.into_iter()
                .filter(|variable| !own.iter().any(|own| variable["name"] == *own))
                .filter(|variable| !foreign(variable))
                .collect()
        };
        let want = row.result(0);
        let image = |container: &Value| match container["image"].as_str() {
            Some(image) if image.starts_with("openshift/origin-deployer") => Value::Null,
            _ => container["image"].clone(),
        };
        same(&container["command"], &want["command"])
            .and(|| same(&image(container), &image(want)))
            .and(|| same(&env(container), &env(want)))
    });
}

fn can_trigger(row: &Row<'_>) -> Outcome {
    // A row without it is rolled out as it is.
    let decoded = Some(row.arg("decoded")).filter(|dc| dc.is_object());
    let latest = || Ok(Some(bare(decoded.unwrap_or_else(|| row.arg("config")))));
    let got = details(&bare(row.arg("config")), &latest, row.arg("force") == true);
    let failed = same(&json!(got.is_err()), row.arg("expectedErr"));
    let details = got.ok().flatten();
    let causes = details.as_ref().map_or(Value::Null, |details| details["causes"].clone());
    failed
        .and(|| same(&json!(details.is_some()), row.arg("expected")))
        .and(|| same(&causes, row.arg("expectedCauses")))
}

fn config_with(params: &Value) -> Value {
    json!({
        "metadata": {"name": "config", "namespace": "default"},
        "spec": {
            "triggers": [{"type": "ImageChange", "imageChangeParams": params}],
            "template": {"spec": {"containers": [
                {"name": "container1", "image": "registry:8080/repo1:ref1"}]}},
        },
    })
}

fn changed_tag(row: &Row<'_>) -> Outcome {
    let params = json!({"containerNames": ["container1"], "lastTriggeredImage": "someotherresolveddockerimagereference",
        "from": {"kind": "ImageStreamTag", "name": "test-image-stream:latest"}});
    let mut dc = config_with(&params);
    let before = dc.clone();
    let exclude = row.arg("excludes").as_array().cloned().unwrap_or_default();
    let force = row.arg("force") == true;
    resolve_images(&mut dc, force, &exclude, &|_| Some("newly@sha256:1".to_owned()));
    same(&json!(dc != before), row.arg("expected"))
}

fn rollback(row: &Row<'_>) -> Outcome {
    if row.result(0).is_null() {
        // Copying in Go can fail.
        return Outcome::Skip;
    }
    let spec = row.arg("spec");
    let got = rolled_back(row.arg("from").clone(), row.arg("to"), spec, &json!({}));
    same_document(&bare(&got), &bare(row.result(0)))
}

/// A rollout whose hook ends as the row says, over pods that come and go at once.
fn hooks(row: &Row<'_>, predecessor: bool) -> Outcome {
    let config =
        json!({"spec": {"strategy": {"type": "Rolling", "rollingParams": row.arg("params")}}});
    let mut strategy = Strategy::for_config(&config, predecessor).expect("Rolling runs in process");
    let controller =
        |name: &str, n| Controller { name: name.to_owned(), replicas: n, created: n, available: n };
    let (mut from, mut to, mut now, mut hook) = (1, 0, world::SIMULATION_EPOCH, None);
    for _ in 0..1_000 {
        let observed = Observed {
            now,
            namespace: "p".to_owned(),
            from: predecessor.then(|| controller("config-1", from)),
            to: controller("config-2", to),
            desired: 1,
            old_pods: 0,
            hook: hook.take(),
        };
        for action in strategy.next(&observed) {
            match action {
                Action::Scale(deployments::strategy::Side::From, n) => from = n,
                Action::Scale(deployments::strategy::Side::To, n) => to = n,
                Action::RunHook(Moment::Pre | Moment::Mid | Moment::Post) => {
                    let fails = row.arg("hookShouldFail") == true;
                    hook = Some(if fails { Err("hook failed".to_owned()) } else { Ok(()) });
                }
                Action::Wake(at) => now = at,
                Action::Succeed => return same(&json!(false), row.arg("deploymentShouldFail")),
                Action::Fail(_) => return same(&json!(true), row.arg("deploymentShouldFail")),
                Action::Print(_) | Action::Reached(_) | Action::BeginUpdate | Action::EndUpdate => {
                }
            }
        }
    }
    Outcome::Fail("the rollout never ended".to_owned())
}

/// The rollout that upstream's tests of hook pods are about.
fn hook_pod(row: &Row<'_>) -> Outcome {
    let dc = json!({
        "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
        "metadata": {"name": "deployment", "namespace": "test"},
        "spec": {"selector": {"a": "b"}, "template": {"spec": {
            "containers": [{
                "name": "container1", "image": "registry:8080/repo1:ref1",
                "env": [{"name": "ENV1", "value": "VAL1"}], "imagePullPolicy": "IfNotPresent",
                "resources": {"limits": {"cpu": "10", "memory": "10M"}},
                "volumeMounts": [{"name": "volume-2", "readOnly": true, "mountPath": "/mnt/volume-2"}],
            }],
            "volumes": [{"name": "volume-1"}, {"name": "volume-2"}],
            "imagePullSecrets": [{"name": "secret-1"}],
        }}},
        "status": {"latestVersion": 1},
    });
    let strategy = json!({
        "labels": row.arg("strategyLabels"), "annotations": row.arg("strategyAnnotations")});
    let rc = rollout::make(&dc);
    match make_pod(row.arg("hook"), &rc, &strategy, "hook", Duration::ZERO) {
        Ok(pod) => same_document(
            &bare(&without(&pod, &["kind", "apiVersion"])),
            &bare(row.arg("expected")),
        ),
        Err(text) => Outcome::Fail(text),
    }
}
