//! What a status may say.
//!
//! Mirrors: `Validate*Status` and `Validate*StatusUpdate` of `pkg/apis/{apps,batch,core,extensions,policy}`
//! in Kubernetes 1.11.

use std::net::IpAddr;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Value};

use super::checks;
use crate::Resource;

const DAEMON_SET: &[&str] = &[
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
];
const DEPLOYMENT: &[&str] = &[
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "collisionCount",
];
const REPLICA_SET: &[&str] = &[
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
];
const STATEFUL_SET: &[&str] = &[
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "observedGeneration",
    "collisionCount",
];

/// Checks the status of an object that is to replace `old`.
pub(super) fn update(resource: &Resource, new: &Value, old: &Value, errors: &mut ErrorList) {
    let Some(status) = new.get("status").filter(|status| !status.is_null()) else { return };
    let path = Path::new("status");
    let (counts, parts): (&[&str], &[&str]) = match resource.kind {
        "DaemonSet" => (DAEMON_SET, &[]),
        "Deployment" => (DEPLOYMENT, &["updatedReplicas", "readyReplicas", "availableReplicas"]),
        "ReplicaSet" | "ReplicationController" => {
            (REPLICA_SET, &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"])
        }
        "StatefulSet" => (STATEFUL_SET, &["readyReplicas", "currentReplicas", "updatedReplicas"]),
        "Job" => (&["active", "succeeded", "failed"], &[]),
        "PodDisruptionBudget" => (&["currentHealthy", "desiredHealthy", "expectedPods"], &[]),
        "Ingress" | "Service" => return load_balancer(status, &path, errors),
        _ => return,
    };
    for count in counts {
        checks::non_negative(status, &path, count, errors);
    }
    let read = |field: &str| status.int_at(&[field]).unwrap_or(0);
    for part in parts.iter().filter(|part| read(part) > read("replicas")) {
        let text = "cannot be greater than status.replicas";
        errors.push(Error::invalid(&path.child(part), read(part), text));
    }
    if parts.contains(&"availableReplicas") && read("availableReplicas") > read("readyReplicas") {
        let text = "cannot be greater than readyReplicas";
        let path = path.child("availableReplicas");
        errors.push(Error::invalid(&path, read("availableReplicas"), text));
    }
    if resource.kind == "PodDisruptionBudget" {
        allowed_disruptions(status, &path, errors);
    }
    if counts.contains(&"collisionCount") {
        collisions(status, old, &path, errors);
    }
}

/// Upstream names the field as its internal form does.
fn allowed_disruptions(status: &Value, path: &Path, errors: &mut ErrorList) {
    let allowed = apimachinery::json!({"podDisruptionsAllowed": status.get("disruptionsAllowed")});
    checks::non_negative(&allowed, path, "podDisruptionsAllowed", errors);
}

fn collisions(status: &Value, old: &Value, path: &Path, errors: &mut ErrorList) {
    let Some(before) = old.int_at(&["status", "collisionCount"]) else { return };
    let now = status.int_at(&["collisionCount"]).unwrap_or(0);
    if now < before {
        let text = "cannot be decremented";
        errors.push(Error::invalid(&path.child("collisionCount"), now, text));
    }
}

fn load_balancer(status: &Value, path: &Path, errors: &mut ErrorList) {
    for (index, entry) in status.list_at(&["loadBalancer", "ingress"]).iter().enumerate() {
        let path = path.child("loadBalancer").child("ingress").index(index);
        let (ip, hostname) = (entry.str_at(&["ip"]), entry.str_at(&["hostname"]));
        if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
            errors.push(Error::invalid(&path.child("ip"), ip, "must be a valid IP address"));
        }
        if hostname.is_empty() {
            continue;
        }
        let path = path.child("hostname");
        checks::dns_subdomain(hostname, &path, errors);
        if hostname.parse::<IpAddr>().is_ok() {
            let text = "must be a DNS name, not an IP address";
            errors.push(Error::invalid(&path, hostname, text));
        }
    }
}
