//! Autoscalers over loads that tests choose.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::{HORIZONTAL_POD_AUTOSCALERS, REPLICATION_CONTROLLERS};
use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use cri::{ContainerUsage, PodMetrics};
use world::Time;

use crate::cluster::{Cluster, template};

/// Every container uses so many thousandths of a CPU.
#[derive(Debug, Default)]
struct Load(AtomicU64);

impl PodMetrics for Load {
    fn pod(&self, pod_uid: &str) -> Vec<ContainerUsage> {
        vec![ContainerUsage {
            id: "c".to_owned(),
            pod_uid: pod_uid.to_owned(),
            name: "main".to_owned(),
            at: Time::default(),
            window: Duration::from_secs(30),
            cpu_nano: self.0.load(Ordering::Relaxed) * 1_000_000,
            memory_bytes: 1 << 20,
        }]
    }
}

fn cluster(requests: &Value) -> (Cluster, Arc<Load>) {
    let load = Arc::new(Load::default());
    load.0.store(50, Ordering::Relaxed);
    let cluster = Cluster::with_nodes(1, &["n"], Arc::clone(&load) as Arc<dyn PodMetrics>);
    let mut template = template("web", "web:1");
    template["spec"]["containers"][0]["resources"] = json!({"requests": requests});
    let rc = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "template": template}});
    cluster.create(&REPLICATION_CONTROLLERS, rc);
    let hpa = json!({"metadata": {"name": "web"}, "spec": {
        "scaleTargetRef": {"apiVersion": "v1", "kind": "ReplicationController", "name": "web"},
        "minReplicas": 1, "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 50}}}],
    }});
    cluster.create(&HORIZONTAL_POD_AUTOSCALERS, hpa);
    (cluster, load)
}

fn replicas(cluster: &Cluster) -> i64 {
    cluster.get(&REPLICATION_CONTROLLERS, "web").int_at(&["spec", "replicas"]).unwrap()
}

fn condition(cluster: &Cluster, kind: &str) -> String {
    let hpa = cluster.get(&HORIZONTAL_POD_AUTOSCALERS, "web");
    let condition = api::views::pod::condition(&hpa, kind).cloned().unwrap_or_default();
    format!("{} {}", condition.str_at(&["status"]), condition.str_at(&["reason"]))
}

#[test]
fn replicas_follow_the_load_within_the_windows() {
    let (mut cluster, load) = cluster(&json!({"cpu": "100m"}));
    cluster.settle(120);
    assert_eq!(replicas(&cluster), 2);
    assert_eq!(condition(&cluster, "ScalingActive"), "True ValidMetricFound");
    load.0.store(100, Ordering::Relaxed);
    cluster.settle(60);
    assert_eq!(replicas(&cluster), 4);
    assert_eq!(
        cluster.told("SuccessfulRescale"),
        ["New size: 4; reason: cpu resource utilization (percentage of request) above target"]
    );
    cluster.settle(60);
    assert_eq!(replicas(&cluster), 4, "growing again is forbidden for three minutes");
    assert_eq!(condition(&cluster, "AbleToScale"), "False BackoffBoth");
    cluster.settle(120);
    assert_eq!(replicas(&cluster), 8);
    load.0.store(10, Ordering::Relaxed);
    cluster.settle(240);
    assert_eq!(replicas(&cluster), 8, "shrinking is forbidden for five minutes");
    cluster.settle(120);
    assert_eq!(replicas(&cluster), 2);
    assert!(
        cluster
            .told("SuccessfulRescale")
            .contains(&"New size: 2; reason: All metrics below target".to_owned())
    );
}

#[test]
fn a_container_without_request_is_named() {
    let (mut cluster, _) = cluster(&json!({"memory": "1Mi"}));
    cluster.settle(120);
    assert_eq!(replicas(&cluster), 2);
    assert_eq!(condition(&cluster, "ScalingActive"), "False FailedGetResourceMetric");
    let told = cluster.told("FailedGetResourceMetric");
    assert!(told[0].starts_with("missing request for cpu on container main in pod dev/web-"));
}

#[test]
fn a_target_that_is_not_there_is_told_of_and_looked_for_again() {
    let (mut cluster, _) = cluster(&json!({"cpu": "100m"}));
    let patch = json!({"spec": {"scaleTargetRef": {"name": "other"}}});
    cluster.patch(&HORIZONTAL_POD_AUTOSCALERS, "web", patch);
    cluster.settle(60);
    assert_eq!(condition(&cluster, "AbleToScale"), "False FailedGetScale");
    assert_eq!(cluster.told("FailedGetScale")[0], "replicationcontrollers \"other\" not found");
}
