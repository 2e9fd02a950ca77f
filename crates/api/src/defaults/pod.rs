//! Defaults of pods and of pod templates, wherever they stand.
//!
//! Mirrors: `pkg/apis/core/v1/defaults.go` of Kubernetes 1.11.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::{canonical_quantities, each, fill, volume, within};
use crate::views::image;

/// Fills a Pod. Only bare pods, not templates, get requests from their limits.
pub(super) fn pod(object: &mut Value) {
    spec(object, &["spec"]);
    for list in ["containers", "initContainers"] {
        each(object, &["spec", list], requests_from_limits);
    }
    fill(object, &["status", "phase"], json!("Pending"));
}

/// Fills the pod template at `path`, which upstream always has as an embedded struct.
pub(super) fn embedded_template(object: &mut Value, path: &[&str]) {
    fill(object, path, json!({}));
    template(object, path);
}

/// Fills the pod template at `path`, when there is one.
pub(super) fn template(object: &mut Value, path: &[&str]) {
    within(object, path, |template| {
        fill(template, &["metadata"], json!({}));
        if template.at(&["metadata", "creationTimestamp"]).is_none() {
            template.set(&["metadata", "creationTimestamp"], Value::Null);
        }
        spec(template, &["spec"]);
    });
}

fn spec(object: &mut Value, path: &[&str]) {
    fill(object, path, json!({}));
    within(object, path, |spec| {
        service_account(spec);
        let host_network = spec.bool_at(&["hostNetwork"]);
        fill(spec, &["dnsPolicy"], json!("ClusterFirst"));
        fill(spec, &["restartPolicy"], json!("Always"));
        fill(spec, &["securityContext"], json!({}));
        fill(spec, &["terminationGracePeriodSeconds"], json!(30));
        fill(spec, &["schedulerName"], json!("default-scheduler"));
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            each(spec, &[list], |entry| container(entry, host_network));
        }
        each(spec, &["volumes"], volume::volume);
        drop_disabled(spec);
    });
}

/// Fields of features that OpenShift 3.11 has switched off are not stored.
///
/// Mirrors: `DropDisabledAlphaFields` of `pkg/api/pod` in Kubernetes 1.11.
fn drop_disabled(spec: &mut Value) {
    drop(spec.remove(&["shareProcessNamespace"]));
    drop(spec.remove(&["securityContext", "runAsGroup"]));
    for list in ["containers", "initContainers"] {
        each(spec, &[list], |container| {
            drop(container.remove(&["securityContext", "runAsGroup"]));
            drop(container.remove(&["volumeDevices"]));
        });
    }
    each(spec, &["volumes"], |volume| drop(volume.remove(&["emptyDir", "sizeLimit"])));
}

/// The old and the new name of the field always say the same.
fn service_account(spec: &mut Value) {
    let name = [&["serviceAccountName"], &["serviceAccount"]]
        .into_iter()
        .map(|path| spec.str_at(path))
        .find(|name| !name.is_empty())
        .map(str::to_owned);
    if let Some(name) = name {
        spec.set(&["serviceAccountName"], json!(name));
        spec.set(&["serviceAccount"], json!(name));
    }
}

fn container(container: &mut Value, host_network: bool) {
    let policy = image::default_pull_policy(container.str_at(&["image"]));
    fill(container, &["imagePullPolicy"], json!(policy));
    fill(container, &["terminationMessagePath"], json!("/dev/termination-log"));
    fill(container, &["terminationMessagePolicy"], json!("File"));
    fill(container, &["resources"], json!({}));
    canonical_quantities(container, &["resources", "limits"]);
    canonical_quantities(container, &["resources", "requests"]);
    each(container, &["ports"], |port| {
        fill(port, &["protocol"], json!("TCP"));
        if host_network && port.int_at(&["hostPort"]).unwrap_or(0) == 0 {
            let number = port.at(&["containerPort"]).cloned().unwrap_or_else(|| json!(0));
            port.set(&["hostPort"], number);
        }
    });
    each(container, &["env"], |variable| {
        within(variable, &["valueFrom", "fieldRef"], |field| {
            fill(field, &["apiVersion"], json!("v1"));
        });
    });
    for probe_name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        within(container, &[probe_name], probe);
    }
    for hook in ["postStart", "preStop"] {
        within(container, &["lifecycle", hook], handler);
    }
}

fn probe(probe: &mut Value) {
    for (field, default) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if probe.int_at(&[field]).unwrap_or(0) == 0 {
            probe.set(&[field], json!(default));
        }
    }
    handler(probe);
}

fn handler(handler: &mut Value) {
    within(handler, &["httpGet"], |action| {
        fill(action, &["path"], json!("/"));
        fill(action, &["scheme"], json!("HTTP"));
    });
}

fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container.map_at(&["resources", "limits"]).cloned() else { return };
    for (name, limit) in limits {
        fill(container, &["resources", "requests", &name], limit);
    }
}
