//! Claims and volumes.

use api::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES};
use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use controllers::persistent_volume::provision::default_class;

use crate::cluster::Cluster;

fn cluster() -> Cluster {
    let mut cluster = Cluster::new(1);
    cluster.driver.add(Box::new(controllers::persistent_volume::PersistentVolumeBinder::default()));
    cluster
}

fn volume(cluster: &Cluster, name: &str, size: &str, policy: &str) {
    let volume = json!({"metadata": {"name": name}, "spec": {
        "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": policy, "hostPath": {"path": "/srv"}}});
    cluster.client.create(&PERSISTENT_VOLUMES, "", volume).unwrap();
}

fn claim(cluster: &Cluster, name: &str, class: Option<&str>) {
    let mut claim = json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    if let Some(class) = class {
        claim["spec"]["storageClassName"] = json!(class);
    }
    cluster.create(&PERSISTENT_VOLUME_CLAIMS, claim);
}

fn class(cluster: &Cluster, mode: &str) {
    let mut class = default_class();
    class["volumeBindingMode"] = json!(mode);
    cluster.client.create(&STORAGE_CLASSES, "", class).unwrap();
}

fn phase(object: &Value) -> &str {
    object.str_at(&["status", "phase"])
}

#[test]
fn a_claim_gets_the_best_volume_and_leaves_it_by_its_policy() {
    let mut cluster = cluster();
    volume(&cluster, "big", "10Gi", "Retain");
    volume(&cluster, "small", "2Gi", "Recycle");
    cluster.settle(5);
    claim(&cluster, "data", None);
    cluster.settle(5);
    let data = cluster.get(&PERSISTENT_VOLUME_CLAIMS, "data");
    assert_eq!((phase(&data), data.str_at(&["spec", "volumeName"])), ("Bound", "small"));
    assert_eq!(data.str_at(&["status", "capacity", "storage"]), "2Gi");
    assert_eq!(data.annotation("pv.kubernetes.io/bind-completed"), Some("yes"));
    let small = cluster.client.get(&PERSISTENT_VOLUMES, "", "small").unwrap();
    assert_eq!(phase(&small), "Bound");
    assert_eq!(small.str_at(&["spec", "claimRef", "uid"]), data.uid());
    cluster.assert_quiet();

    cluster.delete(&PERSISTENT_VOLUME_CLAIMS, "data", "Background");
    cluster.settle(5);
    let small = cluster.client.get(&PERSISTENT_VOLUMES, "", "small").unwrap();
    assert_eq!(phase(&small), "Failed");
    assert_eq!(small.str_at(&["status", "message"]), "No recycler plugin found for the volume!");
    claim(&cluster, "more", None);
    cluster.settle(5);
    cluster.delete(&PERSISTENT_VOLUME_CLAIMS, "more", "Background");
    cluster.settle(5);
    let big = cluster.client.get(&PERSISTENT_VOLUMES, "", "big").unwrap();
    assert_eq!(phase(&big), "Released");
    cluster.assert_quiet();
}

#[test]
fn a_claim_waits_for_a_volume_and_says_so() {
    let mut cluster = cluster();
    claim(&cluster, "data", None);
    cluster.settle(5);
    assert_eq!(phase(&cluster.get(&PERSISTENT_VOLUME_CLAIMS, "data")), "Pending");
    assert_eq!(
        cluster.told("FailedBinding"),
        ["no persistent volumes available for this claim and no storage class is set"]
    );
    cluster.assert_quiet();
    volume(&cluster, "v", "1Gi", "Retain");
    cluster.settle(5);
    assert_eq!(phase(&cluster.get(&PERSISTENT_VOLUME_CLAIMS, "data")), "Bound");
}

#[test]
fn a_class_makes_volumes_and_takes_them_back() {
    let mut cluster = cluster();
    class(&cluster, "Immediate");
    claim(&cluster, "data", Some("standard"));
    cluster.settle(5);
    let data = cluster.get(&PERSISTENT_VOLUME_CLAIMS, "data");
    assert_eq!(phase(&data), "Bound");
    let name = format!("pvc-{}", data.uid());
    assert_eq!(data.str_at(&["spec", "volumeName"]), name);
    let told = format!("Successfully provisioned volume {name} using rehearse.io/volume");
    assert_eq!(cluster.told("ProvisioningSucceeded"), [told]);
    cluster.assert_quiet();
    cluster.delete(&PERSISTENT_VOLUME_CLAIMS, "data", "Background");
    cluster.settle(5);
    assert!(cluster.client.list(&PERSISTENT_VOLUMES, "").unwrap().is_empty());
}

#[test]
fn a_class_may_wait_for_the_first_consumer() {
    let mut cluster = cluster();
    class(&cluster, "WaitForFirstConsumer");
    claim(&cluster, "data", Some("standard"));
    cluster.settle(5);
    assert_eq!(phase(&cluster.get(&PERSISTENT_VOLUME_CLAIMS, "data")), "Pending");
    assert_eq!(
        cluster.told("WaitForFirstConsumer"),
        ["waiting for first consumer to be created before binding"]
    );
    let pod = json!({"metadata": {"name": "p"}, "spec": {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}});
    cluster.create(&PODS, pod);
    cluster.settle(30);
    assert_eq!(phase(&cluster.get(&PERSISTENT_VOLUME_CLAIMS, "data")), "Bound");
    cluster.assert_quiet();
}

#[test]
fn a_class_that_is_not_there_and_one_of_somebody_else() {
    let mut cluster = cluster();
    claim(&cluster, "data", Some("fast"));
    cluster.settle(5);
    assert_eq!(
        cluster.told("ProvisioningFailed"),
        ["storageclass.storage.k8s.io \"fast\" not found"]
    );
    let fast = json!({"metadata": {"name": "fast"}, "provisioner": "example.com/disk"});
    cluster.client.create(&STORAGE_CLASSES, "", fast).unwrap();
    cluster.settle(5);
    assert!(cluster.told("ExternalProvisioning")[0].contains("\"example.com/disk\""));
    cluster.assert_quiet();
}
