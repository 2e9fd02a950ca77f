//! A cluster at rest.

use cluster::Access;
use serde_json::json;

use crate::harness::simulated::Simulated;

/// What was written in the last hour.
fn written_in_an_hour(cluster: &mut Simulated) -> Vec<String> {
    let settled = cluster.history().len();
    cluster.run_for(3600);
    let written = cluster.history()[settled..].iter();
    written.map(|write| format!("{} {:?}", write.kind(), write.new)).collect()
}

/// So it is with every kind of workload at once, under every controller that a cluster has.
#[test]
fn nothing_is_written_when_every_kind_of_workload_rests() {
    for seed in 0..5 {
        let mut cluster = Simulated::with(seed, |config| config.access = Access::Policy);
        drop(cluster.image("web:1", r#"{"cpu": "80m"}"#));
        drop(cluster.image("work:1", r#"{"exit": {"code": 0, "afterSeconds": 2}}"#));
        drop(cluster.image("fails:1", r#"{"exit": {"code": 1, "afterSeconds": 2}}"#));
        let class = json!({"metadata": {"name": "made"}, "provisioner": "kubernetes.io/host-path",
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"});
        drop(cluster.client().create(&api::STORAGE_CLASSES, "", class).unwrap());
        let every = include_str!("../../../fixtures/manifests/workloads/every-kind.yaml");
        cluster.create("shop", every);
        cluster.create(
            "shop",
            "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: deployment}
spec: {minReplicas: 1, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: deployment}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}
",
        );
        cluster.run_for(1200);
        let pods = cluster.client().list(&api::PODS, "shop").unwrap();
        let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running").count();
        // rc 2, rs 2, deployment 3, dc 2, sts 2, ds on two nodes, one job that never ends.
        assert_eq!(running, 2 + 2 + 3 + 2 + 2 + 2 + 1, "seed {seed}");
        assert_eq!(written_in_an_hour(&mut cluster), Vec::<String>::new(), "seed {seed}");
    }
}

/// An hour in which nothing happens writes nothing: no controller fights another or itself.
#[test]
fn nothing_is_written_when_nothing_happens() {
    for seed in 0..10 {
        let mut cluster = Simulated::start(seed);
        for manifests in [
            include_str!("../../../fixtures/manifests/guestbook/cache.yaml"),
            include_str!("../../../fixtures/manifests/guestbook/frontend.yaml"),
            include_str!("../../../fixtures/manifests/openshift-hello/app.yaml"),
        ] {
            cluster.create("shop", manifests);
        }
        cluster.run_for(600);
        assert_eq!(written_in_an_hour(&mut cluster), Vec::<String>::new(), "seed {seed}");
    }
}
