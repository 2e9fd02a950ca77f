//! Predicates about volumes, with the claims and volumes that upstream's tests have.

use std::sync::Arc;

use apimachinery::{Value, json};
use controller_runtime::Key;
use scheduler::Snapshot;
use scheduler::predicates::{self, Filter, MaxVolumeCount};

use crate::harness::{Outcome, Row, Suites, same};
use crate::scheduler::{PREDICATES, asked, fits, place};

const ZONE: &str = "failure-domain.beta.kubernetes.io/zone";

pub(crate) fn register(suites: &mut Suites) {
    for test in [
        "TestAWSDiskConflicts.L776",
        "TestGCEDiskConflicts.L723",
        "TestISCSIDiskConflicts.L894",
        "TestRBDDiskConflicts.L835",
    ] {
        suites.add(PREDICATES, test, |row| {
            let predicate = predicates::named("NoDiskConflict").expect("a predicate");
            same(&json!(asked(row, &*predicate) == Some(0)), row.arg("isOk"))
        });
    }
    suites.add(PREDICATES, "TestVolumeCountConflicts.L813", count);
    suites.add(PREDICATES, "TestVolumeCountConflicts.L795", count);
    for test in [
        "TestVolumeZonePredicate.L3635",
        "TestVolumeZonePredicateMultiZone.L3728",
        "TestVolumeZonePredicateWithVolumeBinding.L3848",
    ] {
        let multi = test.contains("Multi");
        suites.add(PREDICATES, test, move |row| zone(row, multi));
    }
}

fn set(snapshot: &mut Snapshot, resource: &'static api::Resource, object: Value) {
    let object = Arc::new(object);
    snapshot.set(resource, &Key::of(&object), Some(&object));
}

fn claim(snapshot: &mut Snapshot, namespace: &str, name: &str, volume: &str, class: &str) {
    let metadata = json!({"name": name, "namespace": namespace});
    let spec = json!({"volumeName": volume, "storageClassName": class});
    let claim = json!({"metadata": metadata, "spec": spec});
    set(snapshot, &api::PERSISTENT_VOLUME_CLAIMS, claim);
}

fn count(row: &Row<'_>) -> Outcome {
    let (filter, kind) = match row.text("filterName") {
        "EBS" => (Filter::Ebs, json!({"awsElasticBlockStore": {"volumeID": "ebsVol"}})),
        "GCE" => (Filter::GcePd, json!({"gcePersistentDisk": {"pdName": "gceVol"}})),
        _ => (Filter::AzureDisk, json!({"azureDisk": {"diskName": "azureVol"}})),
    };
    let limit = row.arg("maxVols").as_u64().and_then(|limit| usize::try_from(limit).ok());
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&Arc::new(json!({"metadata": {"name": "n"}})));
    let (some, none) = (
        format!("some{}Vol", row.text("filterName")),
        format!("someNon{}Vol", row.text("filterName")),
    );
    set(&mut snapshot, &api::PERSISTENT_VOLUMES, json!({"metadata": {"name": some}, "spec": kind}));
    let other = json!({"metadata": {"name": none}, "spec": {}});
    set(&mut snapshot, &api::PERSISTENT_VOLUMES, other);
    for (name, volume) in [
        (some.as_str(), some.as_str()),
        (&none, &none),
        ("pvcWithDeletedPV", "pvcWithDeletedPV"),
        ("anotherPVCWithDeletedPV", "anotherPVCWithDeletedPV"),
        ("unboundPVC", ""),
        ("anotherUnboundPVC", ""),
    ] {
        claim(&mut snapshot, "", name, volume, "");
    }
    place(&mut snapshot, row.arg("existingPods").as_array(), "n");
    let predicate = MaxVolumeCount::new(filter, limit);
    same(&json!(fits(&snapshot, row.arg("newPod"), "n", &predicate)), row.arg("fits"))
}

fn zone(row: &Row<'_>, multi: bool) -> Outcome {
    let mut snapshot = Snapshot::default();
    snapshot.set_node(&Arc::new(row.arg("Node").clone()));
    let third = if multi { (ZONE, "us-west1-a__us-west1-c") } else { (ZONE, "us-west1-c") };
    let second = if multi {
        (ZONE, "us-west1-b__us-west1-a")
    } else {
        ("failure-domain.beta.kubernetes.io/region", "us-west1-b")
    };
    for (name, (key, value)) in
        [("Vol_1", (ZONE, "us-west1-a")), ("Vol_2", second), ("Vol_3", third)]
    {
        let metadata = json!({"name": name, "labels": {key: value}});
        set(&mut snapshot, &api::PERSISTENT_VOLUMES, json!({"metadata": metadata}));
    }
    for (name, mode) in [("Class_Immediate", "Immediate"), ("Class_Wait", "WaitForFirstConsumer")] {
        let class = json!({"metadata": {"name": name}, "volumeBindingMode": mode});
        set(&mut snapshot, &api::STORAGE_CLASSES, class);
    }
    for (name, volume, class) in [
        ("PVC_1", "Vol_1", ""),
        ("PVC_2", "Vol_2", ""),
        ("PVC_3", "Vol_3", ""),
        ("PVC_4", "Vol_not_exist", ""),
        ("PVC_NoSC", "", "Class_0"),
        ("PVC_EmptySC", "", ""),
        ("PVC_WaitSC", "", "Class_Wait"),
        ("PVC_ImmediateSC", "", "Class_Immediate"),
    ] {
        claim(&mut snapshot, "default", name, volume, class);
    }
    let predicate = predicates::named("NoVolumeZoneConflict").expect("a predicate");
    let node = row.arg("Node")["metadata"]["name"].as_str().expect("a name");
    same(&json!(fits(&snapshot, row.arg("Pod"), node, &*predicate)), row.arg("Fits"))
}
