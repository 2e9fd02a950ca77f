//! Stateful sets, daemon sets, jobs and cron jobs on whole clusters, held against what a 3.11 master
//! was seen to do with the same manifests: the statuses it wrote and the events it told, in order.

use apimachinery::{ObjectExt as _, Value};

use crate::harness::simulated::Simulated;

const STATEFUL_SET: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec: {serviceName: web, replicas: 3, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'hello:v1', ports: [{containerPort: 8080}], readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 2}}]}}}
"#;

const DAEMON_SET: &str = r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: c, image: 'hello:v1'}]}}}
"#;

fn job(name: &str, image: &str, policy: &str, spec: &str) -> String {
    format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec: {{{spec} template: {{spec: {{restartPolicy: {policy}, containers: [{{name: main, image: '{image}'}}]}}}}}}
"
    )
}

/// What was told about an object, repeats included, as `<reason>: <message>` without the random ends
/// of pods' names.
fn told(sim: &mut Simulated, kind: &str, name: &str) -> Vec<String> {
    let about = |event: &&Value| {
        event.str_at(&["involvedObject", "kind"]) == kind
            && event.str_at(&["involvedObject", "name"]) == name
    };
    let writes = sim.history().iter().filter(|write| write.kind() == "Event");
    let events = writes.filter_map(|write| write.new.as_ref()).filter(about);
    let text = |event: &Value| {
        let message = event.str_at(&["message"]);
        let stem = match ["Created pod: ", "Deleted pod: "]
            .iter()
            .find_map(|verb| message.strip_prefix(verb))
        {
            Some(pod) => message.trim_end_matches(pod.rsplit('-').next().unwrap_or_default()),
            None => message,
        };
        format!("{}: {stem}", event.str_at(&["reason"]))
    };
    events.map(text).collect()
}

/// The statuses of an object, one after the other, as numbers of `fields`.
fn statuses(sim: &mut Simulated, kind: &str, name: &str, fields: &[&str]) -> Vec<String> {
    let writes = sim.history().iter().filter(|write| write.kind() == kind);
    let objects = writes.filter_map(|write| write.new.as_ref());
    let mut shown: Vec<String> = objects
        .filter(|object| object.name() == name)
        .map(|object| {
            let number = |field: &&str| object.int_at(&["status", field]).unwrap_or(0).to_string();
            fields.iter().map(number).collect::<Vec<_>>().join(" ")
        })
        .collect();
    shown.dedup();
    shown
}

fn patch(sim: &Simulated, resource: &'static api::Resource, name: &str, patch: &str) {
    let patch = serde_json::from_str(patch).unwrap();
    let kind = apiserver::PatchKind::Strategic;
    sim.client().patch(resource, "dev", name, kind, patch).unwrap();
}

fn version_two() -> &'static str {
    r#"{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"hello:v2"}]}}}}"#
}

#[test]
fn a_stateful_set_writes_the_statuses_of_a_recorded_master() {
    let mut sim = Simulated::start(1);
    sim.create("dev", STATEFUL_SET);
    sim.run_for(120);
    patch(&sim, &api::STATEFUL_SETS, "web", version_two());
    sim.run_for(300);
    sim.client().update_scale(&api::STATEFUL_SETS, "dev", "web", 1).unwrap();
    sim.run_for(120);
    let fields = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas"];
    assert_eq!(
        statuses(&mut sim, "StatefulSet", "web", &fields),
        [
            "0 0 0 0", "1 0 1 1", "2 1 2 2", "3 2 3 3", "3 3 3 3", // created
            "3 3 2 0", "3 2 2 0", "3 2 2 1", "3 3 1 1", "3 2 1 1", "3 2 1 2",
            "3 3 0 2", // image
            "3 2 0 2", "3 2 0 3", "3 3 3 3", //
            "3 3 2 2", "3 2 2 2", "2 2 1 1", "2 1 1 1", "1 1 1 1", // scaled down
        ]
    );
    let pod = |verb: &str, what: &str, pod: &str| {
        format!("Successful{what}: {verb} Pod {pod} in StatefulSet web successful")
    };
    let create = |name: &str| pod("create", "Create", name);
    let delete = |name: &str| pod("delete", "Delete", name);
    assert_eq!(
        told(&mut sim, "StatefulSet", "web"),
        [
            create("web-0"),
            create("web-1"),
            create("web-2"),
            delete("web-2"),
            create("web-2"),
            delete("web-1"),
            create("web-1"),
            delete("web-0"),
            create("web-0"),
            delete("web-2"),
            delete("web-1"),
        ]
    );
    let revisions = sim.client().list(&api::CONTROLLER_REVISIONS, "dev").unwrap();
    let named: Vec<String> = revisions
        .iter()
        .map(|revision| format!("{} {}", revision.name(), revision["revision"]))
        .collect();
    assert_eq!(named, ["web-564b6c66 1", "web-6d86585d7f 2"], "the very names");
}

#[test]
fn a_daemon_set_tells_what_a_recorded_master_tells() {
    let mut sim = Simulated::start(1);
    sim.run_for(5);
    sim.create("dev", DAEMON_SET);
    sim.run_for(60);
    patch(&sim, &api::DAEMON_SETS, "agent", version_two());
    sim.run_for(120);
    let events = told(&mut sim, "DaemonSet", "agent");
    let created = "SuccessfulCreate: Created pod: agent-";
    let deleted = "SuccessfulDelete: Deleted pod: agent-";
    assert_eq!(events, [created, created, deleted, created, deleted, created], "on two nodes");
    let ds = sim.client().get(&api::DAEMON_SETS, "dev", "agent").unwrap();
    assert_eq!(ds.annotation("deprecated.daemonset.template.generation"), Some("2"));
    let pods = sim.client().list(&api::PODS, "dev").unwrap();
    assert!(pods.iter().all(|pod| pod.label("pod-template-generation") == "2"));
    let tolerations: Vec<&str> = pods[0]
        .list_at(&["spec", "tolerations"])
        .iter()
        .take(4)
        .map(|toleration| toleration.str_at(&["key"]))
        .collect();
    assert_eq!(
        tolerations,
        [
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/unreachable",
            "node.kubernetes.io/disk-pressure",
            "node.kubernetes.io/memory-pressure"
        ]
    );
}

#[test]
fn jobs_end_as_on_a_recorded_master() {
    let mut sim = Simulated::start(1);
    drop(sim.image("base:ok", r#"{"exit": {"code": 0, "afterSeconds": 2}}"#));
    drop(sim.image("base:boom", r#"{"exit": {"code": 1, "afterSeconds": 1}}"#));
    sim.create("dev", &job("ok", "base:ok", "Never", ""));
    sim.create("dev", &job("three", "base:ok", "Never", "completions: 3, parallelism: 2,"));
    sim.create("dev", &job("fail-never", "base:boom", "Never", "backoffLimit: 2,"));
    sim.create("dev", &job("fail-onfailure", "base:boom", "OnFailure", "backoffLimit: 2,"));
    sim.create("dev", &job("deadline", "base:forever", "Never", "activeDeadlineSeconds: 10,"));
    sim.run_for(300);
    let fields = ["active", "succeeded", "failed"];
    let limit = "BackoffLimitExceeded: Job has reached the specified backoff limit";
    let created = |name: &str| format!("SuccessfulCreate: Created pod: {name}-");
    let deleted = |name: &str| format!("SuccessfulDelete: Deleted pod: {name}-");
    assert_eq!(statuses(&mut sim, "Job", "ok", &fields), ["0 0 0", "1 0 0", "0 1 0"]);
    assert_eq!(told(&mut sim, "Job", "ok"), [created("ok")]);
    assert_eq!(
        statuses(&mut sim, "Job", "three", &fields).last().map(String::as_str),
        Some("0 3 0")
    );
    assert_eq!(told(&mut sim, "Job", "three").len(), 3);
    let name = "fail-never";
    assert_eq!(statuses(&mut sim, "Job", name, &fields), ["0 0 0", "1 0 0", "1 0 1", "0 0 2"]);
    assert_eq!(told(&mut sim, "Job", name), [created(name), created(name), limit.to_owned()]);
    let name = "fail-onfailure";
    // The recorded master looked twice: pods that it had deleted then no longer counted.
    let twice = ["0 0 0", "1 0 0", "0 0 1", "0 0 0"];
    assert_eq!(statuses(&mut sim, "Job", name, &fields), twice);
    let limit = limit.to_owned();
    assert_eq!(told(&mut sim, "Job", name), [created(name), deleted(name), limit.clone(), limit]);
    let name = "deadline";
    assert_eq!(statuses(&mut sim, "Job", name, &fields), twice);
    let late = "DeadlineExceeded: Job was active longer than specified deadline".to_owned();
    assert_eq!(told(&mut sim, "Job", name), [created(name), deleted(name), late.clone(), late]);
}

#[test]
fn a_cron_job_tells_what_a_recorded_master_tells() {
    let mut sim = Simulated::start(1);
    drop(sim.image("base:ok", r#"{"exit": {"code": 0, "afterSeconds": 2}}"#));
    sim.create(
        "dev",
        "
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: tick}
spec: {schedule: '*/1 * * * *', successfulJobsHistoryLimit: 1, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: 'base:ok'}]}}}}}
",
    );
    let client = sim.client();
    sim.run_for(230);
    let reasons: Vec<String> = told(&mut sim, "CronJob", "tick")
        .iter()
        .map(|text| text.split(':').next().unwrap_or_default().to_owned())
        .collect();
    let (created, seen, deleted) = ("SuccessfulCreate", "SawCompletedJob", "SuccessfulDelete");
    assert_eq!(reasons[..5], [created, seen, created, seen, deleted]);
    let jobs = client.list(&api::JOBS, "dev").unwrap();
    assert!(jobs.len() <= 2);
    let status = client.get(&api::CRON_JOBS, "dev", "tick").unwrap();
    let last = world::Time::parse_rfc3339(status.str_at(&["status", "lastScheduleTime"])).unwrap();
    assert!(jobs.iter().any(|job| job.name() == format!("tick-{}", last.unix_seconds())));
}
