//! Containers that end, crash or never come up.

use apimachinery::{ObjectExt as _, Value};

use crate::harness::simulated::Simulated;

const POD: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: it}
spec:
  containers: [{name: c, image: 'it:1'}]
";

/// What the STATUS column of a pod would have said over time, repetitions left out.
fn statuses(cluster: &mut Simulated) -> Vec<String> {
    let mut all = Vec::new();
    for write in cluster.history() {
        let ("Pod", Some(pod)) = (write.kind(), &write.new) else { continue };
        let state = &pod["status"]["containerStatuses"][0]["state"];
        let reason = |state: &Value| {
            ["waiting", "terminated"].iter().find_map(|kind| {
                let reason = state.at(&[kind, "reason"]).and_then(Value::as_str);
                reason.map(str::to_owned)
            })
        };
        let status = reason(state).unwrap_or_else(|| pod.str_at(&["status", "phase"]).to_owned());
        if all.last() != Some(&status) {
            all.push(status);
        }
    }
    all
}

#[test]
fn a_crash_loop_backs_off() {
    let mut cluster = Simulated::start(1);
    cluster.image("it:1", r#"{"exit": {"code": 1, "afterSeconds": 1}}"#);
    cluster.create("shop", POD);
    cluster.run_for(35);
    assert_eq!(
        statuses(&mut cluster),
        [
            "Pending",
            "ContainerCreating",
            "Running",
            "Error",
            "Running",
            "Error",
            "CrashLoopBackOff",
            "Running",
            "Error",
            "CrashLoopBackOff",
        ],
    );
    let pod = cluster.client().get(&api::PODS, "shop", "it").unwrap();
    let status = &pod["status"]["containerStatuses"][0];
    assert_eq!(status["restartCount"], 2);
    assert_eq!(
        status["state"]["waiting"]["message"].as_str().unwrap().split(" container").next(),
        Some("Back-off 20s restarting failed")
    );
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
}

#[test]
fn a_missing_image_backs_off() {
    let mut cluster = Simulated::start(1);
    cluster.image("it:1", r#"{"missing": true}"#);
    cluster.create("shop", POD);
    cluster.run_for(30);
    let statuses = statuses(&mut cluster);
    assert_eq!(
        statuses[..4],
        ["Pending", "ContainerCreating", "ErrImagePull", "ImagePullBackOff"],
        "{statuses:?}"
    );
}

/// The image appears at last; the pod recovers by itself.
#[test]
fn an_image_that_appears_later_is_run() {
    let mut cluster = Simulated::start(1);
    cluster.image("it:1", r#"{"missing": true}"#);
    cluster.create("shop", POD);
    cluster.run_for(60);
    cluster.image("it:1", "{}");
    cluster.until(400, "the pod runs", |client| {
        client.get(&api::PODS, "shop", "it").unwrap()["status"]["phase"] == "Running"
    });
}

#[test]
fn a_pod_that_ends_well_stays_ended() {
    let mut cluster = Simulated::start(1);
    cluster.image("it:1", r#"{"exit": {"afterSeconds": 5}}"#);
    cluster.create("shop", &POD.replace("spec:", "spec:\n  restartPolicy: OnFailure"));
    cluster.run_for(300);
    assert_eq!(statuses(&mut cluster), ["Pending", "ContainerCreating", "Running", "Completed"]);
}
