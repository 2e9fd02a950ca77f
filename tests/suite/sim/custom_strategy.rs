//! Rollouts by a program of the user's: the Custom strategy, and `customParams` beside the others.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Call, Client, LogOptions, LogStream, PatchKind, User};
use futures_core::Stream as _;

use crate::harness::simulated::Simulated;

const PHASE: &str = "openshift.io/deployment.phase";
const REASON: &str = "openshift.io/deployment.status-reason";
const RCS: &api::Resource = &api::REPLICATION_CONTROLLERS;

/// A config whose pods are ready two seconds after they are started.
fn config(strategy: &Value) -> String {
    json!({
        "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2, "selector": {"app": "web"}, "strategy": strategy,
            "triggers": [{"type": "ConfigChange"}],
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
            },
        },
    })
    .to_string()
}

fn start(strategy: &Value) -> Simulated {
    let mut cluster = Simulated::start(1);
    cluster.image("web:v1", r#"{"startSeconds": 2}"#);
    cluster.image("web:v2", r#"{"startSeconds": 2}"#);
    // The image of a deployer that does all the work itself.
    let script = "echo Deploying $OPENSHIFT_DEPLOYMENT_NAME of $OPENSHIFT_DEPLOYMENT_NAMESPACE to \
                  $STAGE; oc scale rc/$OPENSHIFT_DEPLOYMENT_NAME --replicas=2 && sleep 5 && echo Done";
    let behaviour = json!({"pullSeconds": 1, "command": ["sh", "-c", script]});
    cluster.image("tools/deployer:1", &behaviour.to_string());
    cluster.create("shop", &config(strategy));
    cluster.run_for(1);
    cluster
}

fn roll_out_again(cluster: &Simulated) {
    let containers = json!([{"name": "web", "image": "web:v2"}]);
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let dc = &api::DEPLOYMENT_CONFIGS;
    cluster.client().patch(dc, "shop", "web", PatchKind::Merge, patch).unwrap();
}

fn until_ended(cluster: &mut Simulated, rc: &str, phase: &str) {
    cluster.until(120, &format!("{rc} is {phase}"), |client| {
        let rc = client.find(RCS, "shop", rc).unwrap();
        rc.is_some_and(|rc| rc.annotation(PHASE) == Some(phase))
    });
}

fn replicas(cluster: &Simulated, rc: &str) -> i64 {
    cluster.client().get(RCS, "shop", rc).unwrap().int_at(&["spec", "replicas"]).unwrap()
}

/// Opens the log of the deployer of `rc`, once there is one.
fn open_log(client: &Client, rc: &str, follow: bool) -> Option<LogStream> {
    let user = User::system_admin();
    let pod = format!("{rc}-deploy");
    let call = Call::new(&user, &api::PODS).within("shop").named(&pod).subresource("log");
    let options = LogOptions { follow, ..LogOptions::default() };
    client.server().log(&call, &options).ok()
}

/// Reads what there is.
fn read(stream: &mut LogStream, text: &mut Vec<u8>) {
    let mut task = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(piece)) = Pin::new(&mut *stream).poll_next(&mut task) {
        text.extend_from_slice(&piece);
    }
}

fn lines(text: Vec<u8>) -> Vec<String> {
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

/// Everything that the deployer of `rc` has written.
fn log(cluster: &Simulated, rc: &str) -> Vec<String> {
    let mut text = Vec::new();
    read(&mut open_log(&cluster.client(), rc, false).unwrap(), &mut text);
    lines(text)
}

fn custom(params: &Value) -> Value {
    json!({"type": "Custom", "customParams": params})
}

/// What the deployer of `rc` writes until the rollout is complete and its pod goes.
fn follow(cluster: &mut Simulated, rc: &str) -> Vec<String> {
    let (mut stream, mut text) = (None, Vec::new());
    let client = cluster.client();
    let deadline = cluster.cluster.world().now() + Duration::from_secs(120);
    let ended = cluster.cluster.run_until(deadline, &mut || {
        let pod = client.find(&api::PODS, "shop", &format!("{rc}-deploy")).unwrap();
        let runs = pod.is_some_and(|pod| pod.str_at(&["status", "phase"]) == "Running");
        if runs && stream.is_none() {
            stream = open_log(&client, rc, true);
        }
        if let Some(stream) = &mut stream {
            read(stream, &mut text);
        }
        let found = client.find(RCS, "shop", rc).unwrap();
        found.is_some_and(|rc| rc.annotation(PHASE) == Some("Complete"))
    });
    assert!(ended, "{rc} is not complete");
    lines(text)
}

#[test]
fn the_image_of_the_user_does_the_work() {
    let environment = json!([{"name": "STAGE", "value": "test"}]);
    let strategy = custom(&json!({"image": "tools/deployer:1", "environment": environment}));
    let mut cluster = start(&strategy);
    cluster.until(60, "the deployer runs", |client| {
        let pod = client.find(&api::PODS, "shop", "web-1-deploy").unwrap();
        pod.is_some_and(|pod| pod.str_at(&["status", "phase"]) == "Running")
    });
    let pod = cluster.client().get(&api::PODS, "shop", "web-1-deploy").unwrap();
    assert_eq!(pod["spec"]["serviceAccountName"], "deployer");
    assert_eq!(pod["spec"]["containers"][0]["image"], "tools/deployer:1");
    let env = pod.list_at(&["spec", "containers"])[0].list_at(&["env"]);
    let names: Vec<_> = env.iter().map(|entry| entry.str_at(&["name"])).collect();
    assert_eq!(names, ["STAGE", "OPENSHIFT_DEPLOYMENT_NAME", "OPENSHIFT_DEPLOYMENT_NAMESPACE"]);
    assert_eq!(
        follow(&mut cluster, "web-1"),
        ["Deploying web-1 of shop to test", "replicationcontroller/web-1 scaled", "Done"]
    );
    assert_eq!(replicas(&cluster, "web-1"), 2);
    // What the script leaves undone the controller does: the old rollout goes.
    roll_out_again(&cluster);
    until_ended(&mut cluster, "web-2", "Complete");
    cluster.run_for(5);
    assert_eq!((replicas(&cluster, "web-1"), replicas(&cluster, "web-2")), (0, 2));
    let dc = cluster.client().get(&api::DEPLOYMENT_CONFIGS, "shop", "web").unwrap();
    let conditions = dc.list_at(&["status", "conditions"]);
    let progressing = conditions.iter().find(|one| one.str_at(&["type"]) == "Progressing");
    assert_eq!(progressing.unwrap().str_at(&["reason"]), "NewReplicationControllerAvailable");
}

#[test]
fn a_script_that_fails_leaves_the_last_rollout_serving() {
    let command = |script: &str| json!(["/bin/sh", "-c", script]);
    let scale = "oc scale rc/$OPENSHIFT_DEPLOYMENT_NAME --replicas=2";
    let good = command(&format!("set -e; {scale}; sleep 3"));
    let mut cluster = start(&custom(&json!({"image": "tools/deployer:1", "command": good})));
    until_ended(&mut cluster, "web-1", "Complete");
    let bad = command(&format!("set -e; {scale}; sleep 3; echo Not good enough; exit 4"));
    let patch = json!({"spec": {"strategy": {"customParams": {"command": bad}}}});
    let client = cluster.client();
    client.patch(&api::DEPLOYMENT_CONFIGS, "shop", "web", PatchKind::Merge, patch).unwrap();
    roll_out_again(&cluster);
    until_ended(&mut cluster, "web-2", "Failed");
    cluster.run_for(10);
    assert_eq!(log(&cluster, "web-2"), ["replicationcontroller/web-2 scaled", "Not good enough"]);
    let pod = client.get(&api::PODS, "shop", "web-2-deploy").unwrap();
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["exitCode"], 4);
    assert_eq!((replicas(&cluster, "web-1"), replicas(&cluster, "web-2")), (2, 0));
    let rc = client.get(RCS, "shop", "web-2").unwrap();
    assert_eq!(rc.annotation(REASON), Some("config change"), "an exit code is no reason");
}

#[test]
fn a_script_may_watch_a_rolling_update_halfway() {
    let script =
        "set -e; openshift-deploy --until=50%; echo Halfway there; openshift-deploy; echo Complete";
    let command = json!(["/bin/sh", "-c", script]);
    let rolling = json!({"maxSurge": 1, "maxUnavailable": 0});
    let strategy =
        json!({"type": "Rolling", "rollingParams": rolling, "customParams": {"command": command}});
    let mut cluster = start(&strategy);
    let lines = follow(&mut cluster, "web-1");
    let first =
        ["--> Scaling web-1 to 2", "--> Reached 50%", "Halfway there", "--> Success", "Complete"];
    assert_eq!(lines, first);
    roll_out_again(&cluster);
    let lines = follow(&mut cluster, "web-2");
    let plan = "scaling down web-1 from";
    assert_eq!(
        lines,
        [
            &format!(
                "--> Scaling up web-2 from 0 to 2, {plan} 2 to 0 (keep 2 pods available, don't exceed 3 pods)"
            ),
            "    Scaling web-2 up to 1",
            "--> Reached 50% (currently 50%)",
            "Halfway there",
            &format!(
                "--> Scaling up web-2 from 1 to 2, {plan} 2 to 0 (keep 2 pods available, don't exceed 3 pods)"
            ),
            "    Scaling web-1 down to 1",
            "    Scaling web-2 up to 2",
            "    Scaling web-1 down to 0",
            "--> Success",
            "Complete",
        ]
    );
}

#[test]
fn a_custom_rollout_can_be_cancelled() {
    let command = json!(["sh", "-c", "sleep 600; echo never"]);
    let mut cluster = start(&custom(&json!({"image": "tools/deployer:1", "command": command})));
    cluster.until(60, "the rollout runs", |client| {
        let rc = client.find(RCS, "shop", "web-1").unwrap();
        rc.is_some_and(|rc| rc.annotation(PHASE) == Some("Running"))
    });
    let cancelled = json!({"metadata": {"annotations": {
        "openshift.io/deployment.cancelled": "true", REASON: "cancelled by the user"}}});
    cluster.client().patch(RCS, "shop", "web-1", PatchKind::Merge, cancelled).unwrap();
    until_ended(&mut cluster, "web-1", "Failed");
    cluster.run_for(30);
    assert!(cluster.client().find(&api::PODS, "shop", "web-1-deploy").unwrap().is_none());
    let events = cluster.client().list(&api::EVENTS, "shop").unwrap();
    let text = "Rollout for \"shop/web-1\" cancelled";
    assert!(events.iter().any(|event| event.str_at(&["message"]) == text));
}
