//! What is said of workloads on whole clusters, on a virtual clock.

use std::time::Duration;

use api::{DEPLOYMENT_CONFIGS, DEPLOYMENTS, NAMESPACES, Resource};
use apimachinery::ObjectExt as _;
use apimachinery::yaml::load_documents;
use apimachinery::{Value, json};
use cluster::{Access, Cluster, Config, Runtime};
use cri::sim::SimImages;
use insta::assert_snapshot;
use scheduler::Profile;
use why::Question;
use world::World;

const NS: &str = "shop";

struct Stage {
    cluster: Cluster,
    images: SimImages,
}

impl Stage {
    fn new() -> Self {
        let images = SimImages::new();
        let mut config = Config::new(World::simulated(1), Runtime::Sim(images.clone()), 2);
        config.access = Access::Policy;
        let cluster = Cluster::start(config).unwrap();
        let stage = Self { cluster, images };
        let namespace = json!({"metadata": {"name": NS}});
        stage.cluster.client().create(&NAMESPACES, "", namespace).unwrap();
        stage
    }

    fn image(&self, reference: &str, behaviour: &Value) {
        self.images.add(reference, json::from_value(behaviour.clone()).unwrap());
    }

    fn run(&mut self, seconds: u64) {
        let deadline = self.cluster.world().now() + Duration::from_secs(seconds);
        self.cluster.run_until(deadline, &mut || false);
    }

    fn create(&self, yaml: &str) {
        for document in load_documents(yaml).unwrap() {
            let object = document.value;
            let version = object.str_at(&["apiVersion"]);
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let resource = api::find_kind(group, version, object.kind()).unwrap();
            self.cluster.client().create(resource, NS, object).unwrap();
        }
    }

    fn set_image(&self, resource: &'static Resource, image: &str) {
        let client = self.cluster.client();
        let mut object = (*client.get(resource, NS, "web").unwrap()).clone();
        object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        client.update(resource, object).unwrap();
    }

    fn why(&self, resource: &'static Resource, name: &str) -> String {
        let question = Question::new(resource, NS, name);
        let client = self.cluster.client();
        why::explain(client, &Profile::default(), question).unwrap().text()
    }
}

fn workload(head: &str, more: &str) -> String {
    format!(
        "{head}\nmetadata: {{name: web}}\nspec:\n  replicas: 2\n  {more}\n  template:\n    metadata: \
         {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - {{name: web, image: 'web:1', \
         resources: {{requests: {{cpu: 100m}}}}}}\n"
    )
}

fn deployment_config() -> String {
    let more =
        "selector: {app: web}\n  strategy: {type: Rolling}\n  triggers: [{type: ConfigChange}]";
    workload("apiVersion: apps.openshift.io/v1\nkind: DeploymentConfig", more)
}

#[test]
fn a_rollout_that_cannot_get_its_image() {
    let mut stage = Stage::new();
    stage.image("web:1", &json!({}));
    stage.image("web:2", &json!({"missing": true}));
    stage.create(&deployment_config());
    stage.run(60);
    assert_snapshot!(stage.why(&DEPLOYMENT_CONFIGS, "web"), @r"deploymentconfig/web is settled: rollout 1 is complete: 2 pods wanted, 2 available");
    stage.set_image(&DEPLOYMENT_CONFIGS, "web:2");
    stage.run(60);
    assert_snapshot!(stage.why(&DEPLOYMENT_CONFIGS, "web"), @r#"
deploymentconfig/web waits: rollout 2 is under way: 0 of 2 new pods available, 2 pods of older rollouts left
    rule: Rolling: at most 3 pods exist at a time (maxSurge), and an old one goes only while 2 stay available (maxUnavailable).
    rule: The deployer gives up when it has waited 600 s for a pod (timeoutSeconds); the rollout then fails and is undone.
  because replicationcontroller/web-2 waits: 0 of 1 pod is ready
    because pod/web-2-bmdpt is held: container "web" cannot get its image web:2: rpc error: code = Unknown desc = Error response from daemon: manifest for web:2 not found: manifest unknown: manifest unknown
        rule: A container starts when its image is there; a pull that failed is tried again after 10 s, then 20 s, 40 s and so on, at most 5 min.
        what helps: Correct the image's name, push it, or give the pod a pull secret
"#);
    let profile = Profile::default();
    let troubles = why::troubles(stage.cluster.client(), &profile, NS).unwrap();
    let ends: Vec<&str> = troubles.iter().map(|it| it.root().object.as_str()).collect();
    assert_eq!(ends, ["pod/web-2-bmdpt"]);
    stage.run(900);
    assert_snapshot!(stage.why(&DEPLOYMENT_CONFIGS, "web"), @r#"
deploymentconfig/web has failed: rollout 2 (config change) has failed; rollout 1 serves (2 pods ready)
    rule: After a failed rollout the last complete one gets its pods back; nothing is tried again by itself.
    what helps: See the deployer's log: oc -n shop logs web-2-deploy
    what helps: Try again: oc -n shop rollout retry dc/web (or oc rollout latest dc/web)
  because pod/web-2-bmdpt has failed: its last warning, before it was removed: Failed to pull image "web:2": rpc error: code = Unknown desc = Error response from daemon: manifest for web:2 not found: manifest unknown: manifest unknown
"#);
}

#[test]
fn a_deployment_whose_new_pods_crash_or_have_no_image() {
    let mut stage = Stage::new();
    stage.image("web:1", &json!({}));
    stage.image("web:2", &json!({"exit": {"code": 3, "afterSeconds": 1.0}}));
    stage.image("web:3", &json!({"missing": true}));
    let more = "progressDeadlineSeconds: 60\n  selector: {matchLabels: {app: web}}";
    stage.create(&workload("apiVersion: apps/v1\nkind: Deployment", more));
    stage.run(60);
    assert_snapshot!(stage.why(&DEPLOYMENTS, "web"), @r"deployment/web is settled: 2 pods of the current template available");
    stage.set_image(&DEPLOYMENTS, "web:3");
    stage.run(300);
    assert_snapshot!(stage.why(&DEPLOYMENTS, "web"), @r#"
deployment/web has failed: a rollout to replicaset/web-7cb576899f is under way: 0 of 2 new pods available, 2 pods of older templates left; its deadline passed 3 min ago
    rule: At most 3 pods may exist at a time (replicas 2 + maxSurge 25% = 1).
    rule: An old pod goes only while at least 2 pods stay available (replicas 2 - maxUnavailable 25% = 0); 2 are now.
    rule: A rollout without progress for 60 s counts as failed (progressDeadlineSeconds); it is not undone by itself.
    what helps: Mend what holds the pod below, or go back: kubectl -n shop rollout undo deployment/web
  because replicaset/web-7cb576899f waits: 0 of 1 pod is ready
    because pod/web-7cb576899f-cs9fn is held: container "web" cannot get its image web:3: rpc error: code = Unknown desc = Error response from daemon: manifest for web:3 not found: manifest unknown: manifest unknown
        rule: A container starts when its image is there; a pull that failed is tried again after 10 s, then 20 s, 40 s and so on, at most 5 min.
        what helps: Correct the image's name, push it, or give the pod a pull secret
"#);
    stage.set_image(&DEPLOYMENTS, "web:2");
    stage.run(300);
    assert_snapshot!(stage.why(&DEPLOYMENTS, "web"), @r#"
deployment/web waits: a rollout to replicaset/web-57ff4479c8 is under way: 0 of 2 new pods available, 0 pods of older templates left
  because replicaset/web-57ff4479c8 waits: 0 of 2 pods are ready
    because pod/web-57ff4479c8-7tb5k is held: container "web" ended with exit code 3, was started again 5 times and waits for its next turn
        rule: A container that ends is started again after 10 s, then 20 s, 40 s and so on, at most 5 min (restartPolicy).
        what helps: See what it said: kubectl -n shop logs web-57ff4479c8-7tb5k -c web --previous
"#);
}

#[test]
fn a_quota_that_is_used_up() {
    let mut stage = Stage::new();
    stage.image("web:1", &json!({}));
    stage.create(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: compute}\nspec: {hard: {requests.cpu: 100m}}\n",
    );
    stage.run(5);
    let more = "selector: {matchLabels: {app: web}}";
    stage.create(&workload("apiVersion: apps/v1\nkind: Deployment", more));
    stage.run(60);
    assert_snapshot!(stage.why(&DEPLOYMENTS, "web"), @r#"
deployment/web waits: a rollout to replicaset/web-77b5f687b9 is under way: 1 of 2 new pods available, 0 pods of older templates left
  because replicaset/web-77b5f687b9 is held: 2 wanted, 1 there, and a new one is refused: pods "web-77b5f687b9-" is forbidden: exceeded quota: compute, requested: requests.cpu=100m, used: requests.cpu=100m, limited: requests.cpu=100m
      rule: A ResourceQuota bounds what all pods of the project may ask for together.
      what helps: Delete other pods of the project, ask for less, or have the quota raised: kubectl describe quota
"#);
}
