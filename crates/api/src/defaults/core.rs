//! Defaults of the core group.
//!
//! Mirrors: `pkg/apis/core/v1/defaults.go` of Kubernetes 1.11.

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};
use base64::Engine as _;

use super::{
    canonical_quantities, each, fill, labels_from_template, pod, selector_from_template, volume,
    within,
};

pub(super) fn apply(kind: &str, object: &mut Value) {
    match kind {
        "Pod" => pod::pod(object),
        "PodTemplate" => pod::embedded_template(object, &["template"]),
        "ReplicationController" => replication_controller(object),
        "Service" => service(object),
        "Endpoints" => each(object, &["subsets"], |subset| {
            each(subset, &["ports"], |port| fill(port, &["protocol"], json!("TCP")));
        }),
        "Secret" => secret(object),
        "Namespace" => fill(object, &["status", "phase"], json!("Active")),
        "Node" => node(object),
        "PersistentVolume" => persistent_volume(object),
        "PersistentVolumeClaim" => persistent_volume_claim(object),
        "LimitRange" => limit_range(object),
        "ResourceQuota" => canonical_quantities(object, &["spec", "hard"]),
        "Event" => event(object),
        "SecurityContextConstraints" => super::openshift::apply(kind, object),
        _ => {}
    }
}

fn replication_controller(object: &mut Value) {
    selector_from_template(object, &["spec", "selector"]);
    labels_from_template(object);
    fill(object, &["spec", "replicas"], json!(1));
    pod::template(object, &["spec", "template"]);
    fill(object, &["status", "replicas"], json!(0));
}

fn service(object: &mut Value) {
    fill(object, &["spec", "sessionAffinity"], json!("None"));
    match object.str_at(&["spec", "sessionAffinity"]) {
        "ClientIP" => {
            let path = ["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"];
            fill(object, &path, json!(10_800));
        }
        "None" => {
            object.remove(&["spec", "sessionAffinityConfig"]);
        }
        _ => {}
    }
    fill(object, &["spec", "type"], json!("ClusterIP"));
    each(object, &["spec", "ports"], |port| {
        fill(port, &["protocol"], json!("TCP"));
        let unset = match port.at(&["targetPort"]) {
            None | Some(Value::Null) => true,
            Some(target) => target == "" || target == 0,
        };
        if unset {
            let number = port.at(&["port"]).cloned().unwrap_or_else(|| json!(0));
            port.set(&["targetPort"], number);
        }
    });
    if matches!(object.str_at(&["spec", "type"]), "NodePort" | "LoadBalancer") {
        fill(object, &["spec", "externalTrafficPolicy"], json!("Cluster"));
    }
    fill(object, &["status", "loadBalancer"], json!({}));
}

/// `stringData` is write-only: its texts end up in `data`, base64-encoded.
fn secret(object: &mut Value) {
    fill(object, &["type"], json!("Opaque"));
    let Some(Value::Object(texts)) = object.remove(&["stringData"]) else { return };
    for (key, text) in texts {
        let text = text.as_str().unwrap_or_default();
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        object.set(&["data", &key], json!(encoded));
    }
}

fn node(object: &mut Value) {
    fill(object, &["spec"], json!({}));
    fill(object, &["status"], json!({}));
    canonical_quantities(object, &["status", "capacity"]);
    canonical_quantities(object, &["status", "allocatable"]);
    if let Some(capacity) = object.at(&["status", "capacity"]).cloned() {
        fill(object, &["status", "allocatable"], capacity);
    }
}

fn persistent_volume(object: &mut Value) {
    fill(object, &["spec", "persistentVolumeReclaimPolicy"], json!("Retain"));
    within(object, &["spec"], volume::source);
    drop(object.remove(&["spec", "volumeMode"]));
    canonical_quantities(object, &["spec", "capacity"]);
    fill(object, &["status", "phase"], json!("Pending"));
}

/// Fills a claim, on its own or in a StatefulSet's `volumeClaimTemplates`.
pub(super) fn persistent_volume_claim(object: &mut Value) {
    // Block volumes are switched off in OpenShift 3.11.
    drop(object.remove(&["spec", "volumeMode"]));
    canonical_quantities(object, &["spec", "resources", "requests"]);
    canonical_quantities(object, &["spec", "resources", "limits"]);
    fill(object, &["status", "phase"], json!("Pending"));
}

fn limit_range(object: &mut Value) {
    each(object, &["spec", "limits"], |limit| {
        for field in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            canonical_quantities(limit, &[field]);
        }
        if limit.str_at(&["type"]) != "Container" {
            return;
        }
        for (from, to) in
            [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")]
        {
            for (name, quantity) in limit.map_at(&[from]).cloned().unwrap_or_else(Map::new) {
                fill(limit, &[to, &name], quantity);
            }
        }
    });
}

/// Upstream serialises these even when they are empty.
fn event(object: &mut Value) {
    fill(object, &["source"], json!({}));
    for field in ["firstTimestamp", "lastTimestamp", "eventTime"] {
        fill(object, &[field], Value::Null);
    }
    for field in ["reportingComponent", "reportingInstance"] {
        fill(object, &[field], json!(""));
    }
}
