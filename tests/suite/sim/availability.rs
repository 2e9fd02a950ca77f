//! Promises about ready pods, held at every single write.

use std::collections::{BTreeMap, BTreeSet};

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::harness::simulated::Simulated;

const WEB: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
";

/// A rolling update of a Deployment never has fewer than `replicas - maxUnavailable` ready pods and
/// never asks for more than `replicas + maxSurge`, whatever the interleaving. (There may be one more
/// for a moment: the controllers of the two ReplicaSets act on their own.)
#[test]
fn a_deployment_keeps_its_bounds() {
    for seed in 0..20 {
        let mut cluster = Simulated::start(seed);
        for image in ["web:1", "web:2"] {
            cluster.image(image, r#"{"readyAfterSeconds": 3}"#);
        }
        cluster.create("shop", WEB);
        cluster.until(120, "4 ready", |client| {
            client.get(&api::DEPLOYMENTS, "shop", "web").unwrap()["status"]["readyReplicas"] == 4
        });
        let before = cluster.history().len();
        let patch = json!({"spec": {"template": {"spec": {
            "containers": [{"name": "web", "image": "web:2"}]}}}});
        let client = cluster.client();
        let strategic = apiserver::PatchKind::Strategic;
        client.patch(&api::DEPLOYMENTS, "shop", "web", strategic, patch).unwrap();
        cluster.until(300, "rolled out", |client| {
            let deployment = client.get(&api::DEPLOYMENTS, "shop", "web").unwrap();
            let status = &deployment["status"];
            status["observedGeneration"] == deployment["metadata"]["generation"]
                && status["updatedReplicas"] == 4
                && status["replicas"] == 4
                && status["availableReplicas"] == 4
        });
        let (fewest, most) = extremes(&mut cluster, before);
        assert!(fewest >= 3, "seed {seed}: {fewest} ready");
        assert!(most <= 5, "seed {seed}: asked for {most}");
    }
}

/// The fewest ready pods and the most that were asked for, after write number `since`.
fn extremes(cluster: &mut Simulated, since: usize) -> (usize, i64) {
    let (mut ready, mut sizes) = (BTreeSet::new(), BTreeMap::new());
    let (mut fewest, mut most) = (usize::MAX, 0);
    for (index, write) in cluster.history().iter().enumerate() {
        let Some(object) = write.new.as_ref().or(write.old.as_ref()) else { continue };
        let name = object.name().to_owned();
        match write.kind() {
            "Pod" if serves(write.new.as_ref()) => drop(ready.insert(name)),
            "Pod" => drop(ready.remove(&name)),
            "ReplicaSet" => drop(sizes.insert(name, object.int_at(&["spec", "replicas"]))),
            _ => continue,
        }
        if index >= since {
            fewest = fewest.min(ready.len());
            most = most.max(sizes.values().flatten().sum());
        }
    }
    (fewest, most)
}

fn serves(pod: Option<&Value>) -> bool {
    pod.is_some_and(|pod| pod.deletion_timestamp().is_none() && api::views::pod::is_ready(pod))
}

/// Endpoints list exactly the ready pods in the end, and none after the Deployment is scaled to 0.
#[test]
fn endpoints_follow_the_ready_pods() {
    let mut cluster = Simulated::start(1);
    cluster.create("shop", WEB);
    let addresses = |client: &apiserver::Client| {
        let endpoints = client.find(&api::ENDPOINTS, "shop", "web").unwrap();
        endpoints.map_or(0, |endpoints| {
            let subsets = endpoints.list_at(&["subsets"]);
            subsets.iter().map(|subset| subset.list_at(&["addresses"]).len()).sum()
        })
    };
    cluster.until(120, "4 addresses", |client| addresses(client) == 4);
    cluster.client().update_scale(&api::DEPLOYMENTS, "shop", "web", 0).unwrap();
    cluster.until(120, "no address", |client| addresses(client) == 0);
}

/// What belongs to a project goes with it; nothing of it stays in the store.
#[test]
fn a_deleted_project_leaves_nothing() {
    let mut cluster = Simulated::start(1);
    let dc = include_str!("../../../fixtures/manifests/openshift-hello/app.yaml");
    cluster.create("shop", WEB);
    cluster.create("shop", dc);
    cluster.until(120, "4 ready", |client| {
        client.get(&api::DEPLOYMENTS, "shop", "web").unwrap()["status"]["readyReplicas"] == 4
    });
    let client = cluster.client();
    let options = apiserver::DeleteOptions::default();
    client.delete(&api::PROJECTS, "", "shop", options).unwrap();
    cluster.until(600, "the project is gone", |client| {
        client.find(&api::NAMESPACES, "", "shop").unwrap().is_none()
    });
    let store = cluster.cluster.server().store();
    let all = store.range(&store::Range::prefix("/registry/")).unwrap();
    let left: Vec<&str> =
        all.kvs.iter().map(|kv| kv.key.as_ref()).filter(|key| key.contains("/shop")).collect();
    assert_eq!(left, Vec::<&str>::new());
}
