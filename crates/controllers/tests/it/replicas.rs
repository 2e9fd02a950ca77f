//! Replication controllers and services.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::views::pod::condition;
use api::{ENDPOINT_SLICES, ENDPOINTS, EVENTS, PODS, REPLICATION_CONTROLLERS, SERVICES};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Operation};

use crate::cluster::{Cluster, template};

fn rc(replicas: i64) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"app": "web"},
            "template": template("web", "web:1")},
    })
}

#[test]
fn an_rc_scales_up_and_down_tells_of_it_and_then_is_quiet() {
    let mut cluster = Cluster::new(1);
    cluster.create(&REPLICATION_CONTROLLERS, rc(3));
    cluster.settle(60);
    assert_eq!(cluster.pods().len(), 3);
    let status = cluster.get(&REPLICATION_CONTROLLERS, "web").at(&["status"]).cloned();
    assert_eq!(
        status,
        Some(json!({"replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 3,
            "availableReplicas": 3, "observedGeneration": 1}))
    );
    let created = cluster.told("SuccessfulCreate");
    assert_eq!(created.len(), 3);
    assert!(created.iter().all(|message| message.starts_with("Created pod: web-")), "{created:?}");

    cluster.client.update_scale(&REPLICATION_CONTROLLERS, "dev", "web", 1).unwrap();
    cluster.settle(60);
    assert_eq!(cluster.list(&PODS).len(), 1);
    assert_eq!(cluster.told("SuccessfulDelete").len(), 2);
    cluster.assert_quiet();
}

#[test]
fn a_relabelled_pod_is_released_and_replaced_and_an_orphan_adopted() {
    let mut cluster = Cluster::new(2);
    cluster.create(&REPLICATION_CONTROLLERS, rc(2));
    cluster.settle(60);
    let name = cluster.pods()[0].name().to_owned();
    cluster.patch(&PODS, &name, json!({"metadata": {"labels": {"app": "debug"}}}));
    cluster.settle(60);
    assert_eq!(cluster.pods().len(), 3);
    assert!(cluster.get(&PODS, &name).owner_references().is_empty());

    cluster.patch(&PODS, &name, json!({"metadata": {"labels": {"app": "web"}}}));
    cluster.settle(60);
    assert_eq!(cluster.pods().len(), 2, "the adopted pod is one too many");
    assert!(cluster.pods().iter().all(|pod| pod.controller_ref().is_some()));
}

#[test]
fn min_ready_seconds_delay_availability() {
    let mut cluster = Cluster::new(3);
    let mut rc = rc(1);
    rc.set(&["spec", "minReadySeconds"], json!(120));
    cluster.create(&REPLICATION_CONTROLLERS, rc);
    cluster.settle(60);
    let available = |cluster: &Cluster| {
        let rc = cluster.get(&REPLICATION_CONTROLLERS, "web");
        assert_eq!(rc.int_at(&["status", "readyReplicas"]), Some(1));
        rc.int_at(&["status", "availableReplicas"])
    };
    assert_eq!(available(&cluster), None);
    cluster.settle(120);
    assert_eq!(available(&cluster), Some(1));
}

#[test]
fn refused_pods_are_a_condition_and_an_event_until_they_are_let_in() {
    let quota = Quota::default();
    let mut cluster = Cluster::with_admission(4, Some(Box::new(quota.clone())));
    quota.0.store(true, Ordering::Relaxed);
    cluster.create(&REPLICATION_CONTROLLERS, rc(5));
    cluster.settle(60);
    let refusal = "pods \"web\" is forbidden: exceeded quota: q";
    let events = cluster.list(&EVENTS);
    let failed: Vec<_> =
        events.iter().filter(|event| event.str_at(&["reason"]) == "FailedCreate").collect();
    assert_eq!(failed.len(), 1, "repeats are counted");
    assert_eq!(failed[0].str_at(&["message"]), format!("Error creating: {refusal}"));
    let attempts = failed[0].int_at(&["count"]).unwrap();
    assert!((2..20).contains(&attempts), "one pod a try, with back-off: {attempts}");
    let failure = |cluster: &Cluster| {
        let rc = cluster.get(&REPLICATION_CONTROLLERS, "web");
        condition(&rc, "ReplicaFailure").cloned()
    };
    let told = failure(&cluster).unwrap();
    assert_eq!(told["reason"], "FailedCreate");
    assert_eq!(told["message"], refusal);

    quota.0.store(false, Ordering::Relaxed);
    cluster.settle(120);
    assert_eq!(cluster.pods().len(), 5);
    assert_eq!(failure(&cluster), None);
}

/// Refuses pods while it is full.
#[derive(Debug, Default, Clone)]
struct Quota(Arc<AtomicBool>);

impl Admission for Quota {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let creates = request.operation == Operation::Create && request.call.subresource.is_empty();
        if self.0.load(Ordering::Relaxed) && creates && request.call.resource.plural == "pods" {
            return Err(Status::forbidden("", "pods", "web", "exceeded quota: q"));
        }
        Ok(())
    }
}

#[test]
fn endpoints_follow_the_ready_pods_of_a_service() {
    let mut cluster = Cluster::new(5);
    cluster.create(&REPLICATION_CONTROLLERS, rc(3));
    let ports = json!([{"name": "http", "port": 80, "targetPort": "http"}]);
    let spec = json!({"selector": {"app": "web"}, "ports": ports});
    cluster.create(&SERVICES, json!({"metadata": {"name": "web"}, "spec": spec}));
    cluster.settle(60);
    let endpoints = cluster.get(&ENDPOINTS, "web");
    let addresses = endpoints["subsets"][0].list_at(&["addresses"]);
    let mut ips: Vec<&str> = addresses.iter().map(|address| address.str_at(&["ip"])).collect();
    let pods = cluster.pods();
    let mut expected: Vec<&str> = pods.iter().map(|pod| pod.str_at(&["status", "podIP"])).collect();
    ips.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ips, expected);
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 8080);
    let slices = cluster.list(&ENDPOINT_SLICES);
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0].list_at(&["endpoints"]).len(), 3);

    cluster.client.update_scale(&REPLICATION_CONTROLLERS, "dev", "web", 0).unwrap();
    cluster.settle(60);
    assert_eq!(cluster.get(&ENDPOINTS, "web").at(&["subsets"]), None);
    cluster.assert_quiet();
    cluster.delete(&SERVICES, "web", "Background");
    cluster.settle(5);
    assert!(cluster.list(&ENDPOINTS).is_empty());
    assert!(cluster.list(&ENDPOINT_SLICES).is_empty());
}
