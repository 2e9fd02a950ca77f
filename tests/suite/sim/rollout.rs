//! Rollouts step by step, compared with what a real OpenShift 3.11 did with the same configuration.
//!
//! The expected orders were observed on a 3.11 cluster: four replicas of a web server with a readiness
//! probe, rolled out once, then again with a new image.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::harness::simulated::Simulated;

const HELLO: &str = r"
apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata:
  name: hello
  labels: {app: hello}
spec:
  replicas: 4
  selector: {app: hello}
  strategy: {type: Rolling}
  triggers: [{type: ConfigChange}]
  template:
    metadata:
      labels: {app: hello}
    spec:
      containers:
      - name: hello
        image: hello:v1
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2, initialDelaySeconds: 1}
";

const PHASE: &str = "openshift.io/deployment.phase";

/// Both rollouts of `hello` with `strategy` in place of the default one.
fn roll_out_twice(strategy: &Value) -> Simulated {
    roll_out_twice_with(1, strategy)
}

fn roll_out_twice_with(seed: u64, strategy: &Value) -> Simulated {
    let mut cluster = Simulated::start(seed);
    for image in ["hello:v1", "hello:v2"] {
        cluster.image(image, r#"{"startSeconds": 2}"#);
    }
    let manifest = HELLO.replace("{type: Rolling}", &strategy.to_string());
    cluster.create("hello", &manifest);
    until_ended(&mut cluster, "hello-1", "Complete");
    cluster.run_for(10);
    set_image(&cluster, "hello:v2");
    until_ended(&mut cluster, "hello-2", "Complete");
    cluster.run_for(60);
    cluster
}

fn set_image(cluster: &Simulated, image: &str) {
    let client = cluster.client();
    let dc = client.get(&api::DEPLOYMENT_CONFIGS, "hello", "hello").unwrap();
    let mut dc = Value::clone(&dc);
    dc["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    client.update(&api::DEPLOYMENT_CONFIGS, dc).unwrap();
}

fn until_ended(cluster: &mut Simulated, rc: &str, phase: &str) {
    cluster.until(900, &format!("{rc} is {phase}"), |client| {
        let rc = client.find(&api::REPLICATION_CONTROLLERS, "hello", rc).unwrap();
        rc.is_some_and(|rc| rc.annotation(PHASE) == Some(phase))
    });
}

/// Every change of a controller's size, with the ready pods of the second rollout at that moment.
fn scale_steps(cluster: &mut Simulated) -> Vec<String> {
    let mut ready = 0;
    let mut steps = Vec::new();
    for write in cluster.history() {
        let ("ReplicationController", Some(new)) = (write.kind(), &write.new) else { continue };
        if new.name() == "hello-2" {
            ready = new.int_at(&["status", "readyReplicas"]).unwrap_or(0);
        }
        let size = |rc: &Value| rc.int_at(&["spec", "replicas"]).unwrap_or(0);
        let (before, after) = (write.old.as_ref().map_or(0, size), size(new));
        if before != after {
            steps.push(format!("{} {before}->{after}, {ready} new ready", new.name()));
        }
    }
    steps
}

/// The phases of one rollout in order.
fn phases(cluster: &mut Simulated, name: &str) -> Vec<String> {
    let mut phases = Vec::new();
    for write in cluster.history() {
        let ("ReplicationController", Some(new)) = (write.kind(), &write.new) else { continue };
        let phase = new.annotation(PHASE).unwrap_or_default().to_owned();
        if new.name() == name && phases.last() != Some(&phase) {
            phases.push(phase);
        }
    }
    phases
}

/// Every change of a condition of the DeploymentConfig: type, status, reason, message.
fn conditions(cluster: &mut Simulated) -> Vec<String> {
    let mut changes = Vec::new();
    for write in cluster.history() {
        let ("DeploymentConfig", Some(new)) = (write.kind(), &write.new) else { continue };
        let of = |dc: &Value, kind: &str| {
            let all = dc.list_at(&["status", "conditions"]);
            let found = all.iter().find(|condition| condition.str_at(&["type"]) == kind);
            found.map(|condition| {
                let text = |field| condition.str_at(&[field]).to_owned();
                format!("{kind}={} {}: {}", text("status"), text("reason"), text("message"))
            })
        };
        for kind in ["Available", "Progressing"] {
            let now = of(new, kind);
            if now != write.old.as_ref().and_then(|old| of(old, kind)) {
                changes.extend(now);
            }
        }
    }
    changes
}

/// Reasons of the events about one object, in order of their creation.
fn events(cluster: &mut Simulated, kind: &str, name: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    for write in cluster.history() {
        let ("Event", None, Some(new)) = (write.kind(), &write.old, &write.new) else { continue };
        let about = &new["involvedObject"];
        if about["kind"] == kind && about["name"] == name {
            reasons.push(new.str_at(&["reason"]).to_owned());
        }
    }
    reasons
}

#[test]
fn the_default_strategy_surges_and_shrinks_in_turns() {
    let mut cluster = roll_out_twice(&json!({"type": "Rolling"}));
    assert_eq!(
        scale_steps(&mut cluster),
        [
            "hello-1 0->4, 0 new ready",
            "hello-2 0->1, 0 new ready",
            "hello-1 4->3, 0 new ready",
            "hello-2 1->2, 0 new ready",
            "hello-1 3->2, 1 new ready",
            "hello-2 2->3, 1 new ready",
            "hello-1 2->1, 2 new ready",
            "hello-2 3->4, 2 new ready",
            "hello-1 1->0, 3 new ready",
        ]
    );
    for rc in ["hello-1", "hello-2"] {
        assert_eq!(phases(&mut cluster, rc), ["New", "Pending", "Running", "Complete"], "{rc}");
    }
}

#[test]
fn a_rollout_without_unavailability_waits_for_every_new_pod() {
    let rolling = json!({"maxSurge": 1, "maxUnavailable": 0});
    let mut cluster = roll_out_twice(&json!({"type": "Rolling", "rollingParams": rolling}));
    assert_eq!(
        scale_steps(&mut cluster),
        [
            "hello-1 0->4, 0 new ready",
            "hello-2 0->1, 0 new ready",
            "hello-1 4->3, 1 new ready",
            "hello-2 1->2, 1 new ready",
            "hello-1 3->2, 2 new ready",
            "hello-2 2->3, 2 new ready",
            "hello-1 2->1, 3 new ready",
            "hello-2 3->4, 3 new ready",
            "hello-1 1->0, 4 new ready",
        ]
    );
}

#[test]
fn a_rollout_without_surge_makes_room_first() {
    let rolling = json!({"maxSurge": 0, "maxUnavailable": 1});
    let mut cluster = roll_out_twice(&json!({"type": "Rolling", "rollingParams": rolling}));
    assert_eq!(
        scale_steps(&mut cluster),
        [
            "hello-1 0->4, 0 new ready",
            "hello-1 4->3, 0 new ready",
            "hello-2 0->1, 0 new ready",
            "hello-1 3->2, 1 new ready",
            "hello-2 1->2, 1 new ready",
            "hello-1 2->1, 2 new ready",
            "hello-2 2->3, 2 new ready",
            "hello-1 1->0, 3 new ready",
            "hello-2 3->4, 3 new ready",
        ]
    );
}

#[test]
fn recreate_stops_everything_then_tries_one() {
    let mut cluster = roll_out_twice(&json!({"type": "Recreate"}));
    assert_eq!(
        scale_steps(&mut cluster),
        [
            "hello-1 0->4, 0 new ready",
            "hello-1 4->0, 0 new ready",
            "hello-2 0->1, 0 new ready",
            "hello-2 1->4, 1 new ready",
        ]
    );
}

/// Whether the pods of the first rollout were counted only after its phase had become `Running`: then,
/// and only then, progress is told. A deployer scales before or after the phase of its pod is carried
/// over; recordings of 3.11 have both orders.
fn first_progress_is_seen(cluster: &mut Simulated) -> bool {
    let mut phase = String::new();
    for write in cluster.history() {
        let Some(new) = &write.new else { continue };
        match write.kind() {
            "ReplicationController" if new.name() == "hello-1" => {
                new.annotation(PHASE).unwrap_or_default().clone_into(&mut phase);
            }
            "DeploymentConfig" if new.int_at(&["status", "updatedReplicas"]) > Some(0) => {
                return phase == "Running";
            }
            _ => {}
        }
    }
    panic!("no pod of the first rollout was ever counted");
}

#[test]
fn conditions_and_events_follow_the_rollout() {
    let seen: Vec<bool> = (1..=12).map(conditions_and_events_are_right).collect();
    assert!(seen.contains(&true) && seen.contains(&false), "both orders occur: {seen:?}");
}

/// With one seed; gives whether progress of the first rollout was told.
fn conditions_and_events_are_right(seed: u64) -> bool {
    let mut cluster = roll_out_twice_with(seed, &json!({"type": "Rolling"}));
    let waits = |n| {
        format!(
            "Progressing=Unknown : replication controller \"hello-{n}\" is waiting for pod \"hello-{n}-deploy\" to run"
        )
    };
    let created = |n| {
        format!(
            "Progressing=True NewReplicationControllerCreated: Created new replication controller \"hello-{n}\" for version {n}"
        )
    };
    let progresses = |n| {
        format!(
            "Progressing=True ReplicationControllerUpdated: replication controller \"hello-{n}\" is progressing"
        )
    };
    let done = |n| {
        format!(
            "Progressing=True NewReplicationControllerAvailable: replication controller \"hello-{n}\" successfully rolled out"
        )
    };
    let progress_is_seen = first_progress_is_seen(&mut cluster);
    let mut expected = vec![
        "Available=False : Deployment config does not have minimum availability.".to_owned(),
        created(1),
        waits(1),
    ];
    expected.extend(progress_is_seen.then(|| progresses(1)));
    expected.extend([
        "Available=True : Deployment config has minimum availability.".to_owned(),
        done(1),
        created(2),
        waits(2),
        progresses(2),
        done(2),
    ]);
    assert_eq!(conditions(&mut cluster), expected, "seed {seed}");
    assert_eq!(
        events(&mut cluster, "DeploymentConfig", "hello"),
        ["DeploymentCreated", "DeploymentCreated"]
    );
    let mut old = vec!["SuccessfulCreate"; 4];
    old.extend(["SuccessfulDelete"; 4]);
    assert_eq!(events(&mut cluster, "ReplicationController", "hello-1"), old);
    assert_eq!(events(&mut cluster, "ReplicationController", "hello-2"), ["SuccessfulCreate"; 4]);
    assert_eq!(
        events(&mut cluster, "Pod", "hello-1-deploy"),
        ["Scheduled", "Pulled", "Created", "Started"]
    );
    progress_is_seen
}

/// The rollout ends by its timeout; the new pod goes, the old ones never did.
#[test]
fn an_image_that_cannot_be_pulled_fails_the_rollout() {
    let rolling = json!({"intervalSeconds": 1, "updatePeriodSeconds": 1, "timeoutSeconds": 30});
    let mut cluster = Simulated::start(1);
    cluster.image("hello:v1", r#"{"startSeconds": 2}"#);
    cluster.image("hello:nosuchtag", r#"{"missing": true}"#);
    let strategy = json!({"type": "Rolling", "rollingParams": rolling});
    cluster.create("hello", &HELLO.replace("{type: Rolling}", &strategy.to_string()));
    until_ended(&mut cluster, "hello-1", "Complete");
    set_image(&cluster, "hello:nosuchtag");
    until_ended(&mut cluster, "hello-2", "Failed");
    cluster.run_for(60);
    assert_eq!(
        scale_steps(&mut cluster),
        [
            "hello-1 0->4, 0 new ready",
            "hello-2 0->1, 0 new ready",
            "hello-1 4->3, 0 new ready",
            "hello-2 1->2, 0 new ready",
            "hello-2 2->0, 0 new ready",
            "hello-1 3->4, 0 new ready"
        ]
    );
    assert_eq!(phases(&mut cluster, "hello-2"), ["New", "Pending", "Running", "Failed"]);
    let last = conditions(&mut cluster);
    assert!(
        last.contains(&"Progressing=False ProgressDeadlineExceeded: replication controller \"hello-2\" has failed progressing".to_owned()),
        "{last:#?}"
    );
    let ready = cluster.client().list(&api::PODS, "hello").unwrap();
    assert_eq!(ready.iter().filter(|pod| api::views::pod::is_ready(pod)).count(), 4);
}

/// A third configuration arrives while the second is rolled out: the second is cancelled, the third
/// begins and completes.
#[test]
fn a_newer_rollout_supersedes_one_that_is_under_way() {
    let mut cluster = Simulated::start(1);
    cluster.create("hello", HELLO);
    until_ended(&mut cluster, "hello-1", "Complete");
    set_image(&cluster, "hello:v2");
    until_ended(&mut cluster, "hello-2", "Running");
    set_image(&cluster, "hello:v3");
    until_ended(&mut cluster, "hello-3", "Complete");
    cluster.run_for(120);
    assert_eq!(phases(&mut cluster, "hello-2"), ["New", "Pending", "Running", "Failed"]);
    let client = cluster.client();
    let second = client.get(&api::REPLICATION_CONTROLLERS, "hello", "hello-2").unwrap();
    assert_eq!(second.annotation("openshift.io/deployment.cancelled"), Some("true"));
    assert_eq!(
        second.annotation("openshift.io/deployment.status-reason"),
        Some("newer deployment was found running")
    );
    let pods = client.list(&api::PODS, "hello").unwrap();
    let images: Vec<&str> = pods
        .iter()
        .filter(|pod| api::views::pod::is_ready(pod))
        .map(|pod| pod["spec"]["containers"][0]["image"].as_str().unwrap())
        .collect();
    assert_eq!(images, ["hello:v3"; 4]);
}

/// A deployer pod that cannot be made is tried 15 times more, over less than three minutes; then the
/// rollout is left alone.
#[test]
fn a_deployer_pod_that_quota_forbids_is_given_up_on() {
    let mut cluster = Simulated::with(1, |config| config.access = cluster::Access::Policy);
    let quota =
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {pods: '0'}}}";
    cluster.create("hello", quota);
    cluster.run_for(5);
    cluster.create("hello", HELLO);
    cluster.run_for(1200);
    let mut told: Vec<(String, i64, String)> = Vec::new();
    let about = |event: &Value| event["source"]["component"] == "deployer-controller";
    for event in cluster.client().list(&api::EVENTS, "hello").unwrap().iter().filter(|e| about(e)) {
        let count = event.int_at(&["count"]).unwrap();
        told.push((
            event.str_at(&["reason"]).to_owned(),
            count,
            event.str_at(&["message"]).to_owned(),
        ));
    }
    told.sort();
    let refusal = "pods \"hello-1-deploy\" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0";
    assert_eq!(
        told,
        [
            ("FailedCreate".to_owned(), 16, format!("Error creating deployer pod: {refusal}")),
            (
                "FailedRetry".to_owned(),
                1,
                format!(
                    "Stop retrying: couldn't create deployer pod for \"hello/hello-1\": {refusal}"
                )
            ),
        ]
    );
    let rc = cluster.client().get(&api::REPLICATION_CONTROLLERS, "hello", "hello-1").unwrap();
    assert_eq!(rc.annotation(PHASE), Some("New"), "nothing looks at it any more");
}
