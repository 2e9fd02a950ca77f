//! Stories told from a few writes.

use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use world::{SIMULATION_EPOCH, Time};

use super::{Kind, Recorder, text};

/// Plays writes, each so many seconds after the one before.
#[derive(Default)]
struct Story {
    recorder: Recorder,
    now: Option<Time>,
    last: std::collections::BTreeMap<String, Value>,
}

impl Story {
    fn write(&mut self, seconds: f64, object: &Value) {
        let now = self.now.unwrap_or(SIMULATION_EPOCH) + Duration::from_secs_f64(seconds);
        self.now = Some(now);
        let key = format!("{}/{}", object.kind(), object.name());
        let old = self.last.insert(key, object.clone());
        self.recorder.see(now, old.as_ref(), Some(object));
    }

    fn told(&self) -> Vec<String> {
        self.recorder.rollouts().map(text::text).collect()
    }
}

fn config(version: i64, kind: &str) -> Value {
    json!({
        "kind": "DeploymentConfig", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 2, "strategy": {"type": "Rolling"}, "template": {"spec": {"containers": [
            {"name": "web", "image": "registry/shop/web@sha256:0123456789abcdef"}]}},
            "triggers": [{"type": "ImageChange", "imageChangeParams": {
                "lastTriggeredImage": "registry/shop/web@sha256:0123456789abcdef",
                "from": {"kind": "ImageStreamTag", "namespace": "shop", "name": "web:latest"}}}]},
        "status": {"latestVersion": version, "details": {"message": "image change", "causes": [
            {"type": kind, "imageTrigger": {"from": {
                "kind": "DockerImage", "name": "registry/shop/web@sha256:0123456789abcdef"}}}]}},
    })
}

fn rollout(version: i64, phase: &str, wanted: i64, ready: i64) -> Value {
    json!({
        "kind": "ReplicationController",
        "metadata": {"name": format!("web-{version}"), "namespace": "shop", "annotations": {
            "openshift.io/deployment-config.name": "web",
            "openshift.io/deployment-config.latest-version": version.to_string(),
            "openshift.io/deployment.phase": phase,
        }},
        "spec": {"replicas": wanted}, "status": {"readyReplicas": ready},
    })
}

fn hook(phase: &str) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": "web-2-hook-pre", "namespace": "shop", "labels": {
            "openshift.io/deployer-pod-for.name": "web-2",
            "openshift.io/deployer-pod.type": "hook-pre",
        }},
        "status": {"phase": phase},
    })
}

fn promotion() -> Story {
    let mut story = Story::default();
    story.write(0.0, &rollout(1, "Complete", 2, 2));
    story.write(0.0, &config(1, "ConfigChange"));
    story.write(9.0, &config(2, "ImageChange"));
    story.write(0.1, &rollout(2, "New", 0, 0));
    story.write(0.1, &rollout(2, "Pending", 0, 0));
    story.write(1.0, &rollout(2, "Running", 0, 0));
    story.write(0.0, &hook("Pending"));
    story.write(2.0, &hook("Succeeded"));
    story.write(0.5, &rollout(2, "Running", 1, 0));
    story.write(3.0, &rollout(2, "Running", 1, 1));
    story.write(0.0, &rollout(1, "Complete", 1, 2));
    story.write(0.3, &rollout(1, "Complete", 1, 1));
    story.write(0.0, &rollout(2, "Running", 2, 1));
    story.write(3.0, &rollout(2, "Running", 2, 2));
    story.write(0.0, &rollout(1, "Complete", 0, 1));
    story.write(0.5, &rollout(2, "Complete", 2, 2));
    story.write(0.5, &rollout(1, "Complete", 0, 0));
    story.write(90.0, &rollout(2, "Complete", 2, 1));
    story
}

#[test]
fn a_promotion_is_told_from_its_writes() {
    let told = promotion().told();
    assert_eq!(told.len(), 2);
    insta::assert_snapshot!(told[1], @r"
    shop/web rollout #2, Rolling: complete after 10.500 s
    why: image change: web:latest is sha256:0123456789ab
    image: registry/shop/web@sha256:0123456789abcdef
    began: 2018-10-11T12:00:09.000000Z

      AFTER  WHO                          OLD  NEW  READY  WHAT
     0.000s  deploymentconfig-controller    2    0    2+0  rollout #2 begins (image change: web:latest is sha256:0123456789ab)
     0.100s  deploymentconfig-controller    2    0    2+0  web-2 is New
     0.200s  deployer-controller            2    0    2+0  web-2 is Pending
     1.200s  deployer-controller            2    0    2+0  web-2 is Running
     1.200s  deployer                       2    0    2+0  hook pre begins (web-2-hook-pre)
     3.200s  hook                           2    0    2+0  hook pre has succeeded
     3.700s  deployer                       2    1    2+0  web-2 is scaled 0 -> 1
     6.700s  replication-controller         2    1    2+1  web-2 has 1 of 1 ready
     6.700s  deployer                       1    1    2+1  web-1 is scaled 2 -> 1
     7.000s  replication-controller         1    1    1+1  web-1 has 1 of 1 ready
     7.000s  deployer                       1    2    1+1  web-2 is scaled 1 -> 2
    10.000s  replication-controller         1    2    1+2  web-2 has 2 of 2 ready
    10.000s  deployer                       0    2    1+2  web-1 is scaled 1 -> 0
    10.500s  deployer-controller            0    2    1+2  web-2 is Complete
    11.000s  replication-controller         0    2    0+2  web-1 has 0 of 0 ready
    ");
}

#[test]
fn hooks_and_the_aftermath_belong_to_the_rollout() {
    let story = promotion();
    let second = story.recorder.rollouts().nth(1).unwrap();
    assert!(second.is_over());
    assert_eq!(second.at_least, Some(1));
    let hooks =
        second.moments.iter().filter(|one| matches!(one.kind, Kind::HookBegin | Kind::HookEnd));
    assert_eq!(hooks.count(), 2);
    assert_eq!(second.moments.last().unwrap().what, "web-1 has 0 of 0 ready");
}

#[test]
fn a_picture_is_well_formed_and_says_what_it_shows() {
    let story = promotion();
    let picture = super::svg::svg(story.recorder.rollouts().nth(1).unwrap());
    assert!(picture.starts_with("<svg "), "{picture}");
    assert!(picture.contains("role=\"img\"") && picture.contains("<title"), "{picture}");
    assert!(picture.contains("hook pre"), "{picture}");
    let opened = picture.matches("<g").count();
    assert_eq!(opened, picture.matches("</g>").count());
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
}

#[test]
fn what_is_told_is_bounded() {
    let mut story = Story::default();
    for version in 1..=60 {
        story.write(1.0, &config(version, "ConfigChange"));
    }
    let versions: Vec<i64> = story.recorder.rollouts().map(|one| one.version).collect();
    assert_eq!((versions.len(), versions[0]), (super::MOST_ROLLOUTS, 11));
    for count in 0..3000 {
        story.write(0.0, &rollout(60, "Running", count % 2, 0));
    }
    let last = story.recorder.rollouts().last().unwrap();
    assert_eq!(last.moments.len(), super::MOST_MOMENTS);
}

#[test]
fn a_rollout_by_hand_is_a_clients() {
    let mut story = Story::default();
    let mut dc = config(1, "Manual");
    dc.set(
        &["status", "details"],
        json!({"message": "manual change", "causes": [{"type": "Manual"}]}),
    );
    story.write(0.0, &dc);
    let told = story.recorder.rollouts().next().unwrap();
    assert_eq!(told.moments[0].who, "client");
    assert_eq!(told.why, "manual change");
}
