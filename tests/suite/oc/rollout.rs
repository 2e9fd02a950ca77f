//! `oc rollout latest|history|pause|undo`, `rollback`, `set env|probe|triggers|image`, `scale`,
//! `logs dc/x`, `debug`.

use apimachinery::{Value, json};

use super::{path, shop};
use crate::harness::raw::{Answer, Raw};

const PHASE: &str = "openshift.io/deployment.phase";

fn hello() -> Value {
    json!({
        "kind": "DeploymentConfig", "apiVersion": "apps.openshift.io/v1",
        "metadata": {"name": "hello", "labels": {"app": "hello"}},
        "spec": {
            "replicas": 1, "selector": {"app": "hello"},
            "strategy": {"type": "Rolling", "rollingParams":
                {"intervalSeconds": 1, "updatePeriodSeconds": 1, "timeoutSeconds": 120}},
            "triggers": [{"type": "ConfigChange"}],
            "template": {
                "metadata": {"labels": {"app": "hello"}},
                "spec": {"containers": [{"name": "hello", "image": "hello:v1"}]},
            },
        },
    })
}

fn dc(rest: &str) -> String {
    path("apps.openshift.io", &format!("deploymentconfigs/hello{rest}"))
}

/// Reads and writes again when someone else has written meanwhile, as clients do.
fn once_more_on_conflict(write: impl Fn() -> Answer) -> Value {
    let mut answers = std::iter::repeat_with(write).take(10);
    answers.find(|answer| answer.code != 409).unwrap().ok()
}

fn complete(alice: &Raw, version: u32) {
    alice.wait(&path("", "replicationcontrollers"), &format!("hello-{version}"), |rc| {
        rc["metadata"]["annotations"][PHASE] == "Complete"
    });
    alice.wait(&path("apps.openshift.io", "deploymentconfigs"), "hello", |dc| {
        dc["status"]["observedGeneration"] == dc["metadata"]["generation"]
    });
}

#[test]
fn rollouts_are_asked_for_paused_and_undone() {
    let (_cluster, _, alice) = shop();
    alice.post(&path("apps.openshift.io", "deploymentconfigs"), &hello()).ok();
    complete(&alice, 1);
    // Nothing has changed: an answer without a body.
    let request = |force: bool| {
        json!({"kind": "DeploymentRequest", "apiVersion": "apps.openshift.io/v1", "name": "hello",
            "latest": true, "force": force})
    };
    let nothing = alice.post(&dc("/instantiate"), &request(false));
    assert_eq!((nothing.code, nothing.text.as_str()), (204, ""));
    // oc rollout latest
    let asked = alice.post(&dc("/instantiate"), &request(true)).ok();
    assert_eq!(asked["status"]["latestVersion"], 2);
    assert_eq!(asked["status"]["details"]["message"], "manual change");
    complete(&alice, 2);
    // oc set env, oc set probe: patches whose lists are merged by name.
    let container =
        |change: Value| json!({"spec": {"template": {"spec": {"containers": [change]}}}});
    let env = container(json!({"name": "hello", "env": [{"name": "A", "value": "b"}]}));
    let changed = alice.patch(&dc(""), &env).ok();
    assert_eq!(changed["spec"]["template"]["spec"]["containers"][0]["image"], "hello:v1");
    complete(&alice, 3);
    let probe = container(json!({"name": "hello",
        "readinessProbe": {"httpGet": {"port": 8080, "path": "/"}}}));
    let changed = alice.patch(&dc(""), &probe).ok();
    let first = &changed["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(first["env"][0]["value"], "b");
    assert_eq!(first["readinessProbe"]["timeoutSeconds"], 1);
    complete(&alice, 4);
    // oc rollout history lists by label.
    let selector =
        "replicationcontrollers?labelSelector=openshift.io%2Fdeployment-config.name%3Dhello";
    let history = alice.get(&path("", selector)).ok();
    assert_eq!(history["items"].as_array().unwrap().len(), 4);
    // oc rollback, oc rollout undo: what it would be, then the write of it.
    let back = json!({"kind": "DeploymentConfigRollback", "apiVersion": "apps.openshift.io/v1",
        "name": "hello", "spec": {"from": {"name": "hello-2"}, "revision": 2,
            "includeTriggers": false, "includeTemplate": true, "includeReplicationMeta": false,
            "includeStrategy": false}});
    once_more_on_conflict(|| {
        let restored = alice.post(&dc("/rollback"), &back).ok();
        assert_eq!(restored["spec"]["template"]["spec"]["containers"][0]["env"], Value::Null);
        alice.put(&dc(""), &restored)
    });
    complete(&alice, 5);
    // oc rollout pause, then everything is refused.
    alice.patch(&dc(""), &json!({"spec": {"paused": true}})).ok();
    assert_eq!(
        alice.post(&dc("/instantiate"), &request(true)).refusal(),
        "422 DeploymentRequest.apps.openshift.io \"hello\" is invalid: spec.paused: Invalid value: true: deployment config \"hello\" is paused - unpause to request a new deployment"
    );
}

#[test]
fn a_config_is_scaled_and_debugged_as_oc_does() {
    let (_cluster, _, alice) = shop();
    alice.post(&path("apps.openshift.io", "deploymentconfigs"), &hello()).ok();
    // oc logs -f dc/hello: the deployer is waited for.
    alice.wait(&path("apps.openshift.io", "deploymentconfigs"), "hello", |dc| {
        dc["status"]["latestVersion"] == 1
    });
    let deployer = alice.get(&dc("/log?follow=true"));
    assert_eq!(deployer.code, 200, "{}", deployer.text);
    assert!(deployer.text.starts_with("--> Scaling hello-1 to 1"), "{}", deployer.text);
    for (query, refusal) in [
        ("previous=true", "400 no previous deployment exists for deploymentConfig \"hello\""),
        ("version=2", "400 invalid version for deploymentConfig \"hello\": 2"),
        (
            "version=1&previous=true",
            "422 DeploymentLogOptions.apps.openshift.io \"\" is invalid: previous: Invalid value: true: cannot use previous when a version is specified",
        ),
    ] {
        assert_eq!(alice.get(&dc(&format!("/log?{query}"))).refusal(), refusal);
    }
    complete(&alice, 1);
    let scaled = once_more_on_conflict(|| {
        let mut scale = alice.get(&dc("/scale")).ok();
        let kind = (&scale["kind"], &scale["apiVersion"]);
        assert_eq!(kind, (&json!("Scale"), &json!("extensions/v1beta1")));
        assert_eq!(scale["status"]["targetSelector"], "app=hello,deploymentconfig=hello");
        scale["spec"]["replicas"] = json!(3);
        alice.put(&dc("/scale"), &scale)
    });
    assert_eq!(scaled["spec"]["replicas"], 3);
    alice.wait(&path("apps.openshift.io", "deploymentconfigs"), "hello", |dc| {
        dc["status"]["availableReplicas"] == 3
    });
    // oc debug dc/hello: a pod from the template, whose command waits for whoever attaches.
    let pod = json!({"kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": "hello-debug", "annotations":
            {"debug.openshift.io/source-container": "hello",
             "debug.openshift.io/source-resource": "deploymentconfigs.apps.openshift.io/hello"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "hello", "image": "hello:v1",
            "command": ["/bin/sh"], "stdin": true, "tty": true}]}});
    alice.post(&path("", "pods"), &pod).ok();
    alice.wait(&path("", "pods"), "hello-debug", |pod| pod["status"]["phase"] == "Running");
    alice.delete(&path("", "pods/hello-debug?gracePeriodSeconds=0")).ok();
    assert_eq!(
        alice.get(&path("", "pods/hello-debug")).refusal(),
        "404 pods \"hello-debug\" not found"
    );
}
