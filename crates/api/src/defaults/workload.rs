//! Defaults of what runs pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, and their
//! autoscalers.
//!
//! Mirrors: `pkg/apis/{apps,extensions,batch,autoscaling}/*/defaults.go` of Kubernetes 1.11.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::{core, each, fill, labels_from_template, pod, selector_from_template, within};

const MATCH_LABELS: &[&str] = &["spec", "selector", "matchLabels"];

pub(super) fn apply(group: &str, version: &str, kind: &str, object: &mut Value) {
    match kind {
        "Deployment" => deployment(group, version, object),
        "ReplicaSet" => replica_set(group, object),
        "DaemonSet" => daemon_set(group, object),
        "StatefulSet" => stateful_set(version, object),
        "Job" => job(object),
        "CronJob" => cron_job(object),
        "HorizontalPodAutoscaler" => horizontal_pod_autoscaler(version, object),
        _ => {}
    }
}

fn labels_and_selector(object: &mut Value) {
    selector_from_template(object, MATCH_LABELS);
    labels_from_template(object);
}

fn deployment(group: &str, version: &str, object: &mut Value) {
    if group == "extensions" || version == "v1beta1" {
        labels_and_selector(object);
    }
    fill(object, &["spec", "replicas"], json!(1));
    pod::embedded_template(object, &["spec", "template"]);
    fill(object, &["spec", "strategy", "type"], json!("RollingUpdate"));
    if object.str_at(&["spec", "strategy", "type"]) == "RollingUpdate" {
        let surge = if group == "extensions" { json!(1) } else { json!("25%") };
        let path = ["spec", "strategy", "rollingUpdate", "maxUnavailable"];
        fill(object, &path, surge.clone());
        fill(object, &["spec", "strategy", "rollingUpdate", "maxSurge"], surge);
    }
    if group != "extensions" {
        let limit = if version == "v1beta1" { 2 } else { 10 };
        fill(object, &["spec", "revisionHistoryLimit"], json!(limit));
        fill(object, &["spec", "progressDeadlineSeconds"], json!(600));
    }
    fill(object, &["status"], json!({}));
}

fn replica_set(group: &str, object: &mut Value) {
    if group == "extensions" {
        labels_and_selector(object);
    }
    fill(object, &["spec", "replicas"], json!(1));
    pod::embedded_template(object, &["spec", "template"]);
    fill(object, &["status", "replicas"], json!(0));
}

fn daemon_set(group: &str, object: &mut Value) {
    let kind = if group == "extensions" {
        labels_and_selector(object);
        "OnDelete"
    } else {
        "RollingUpdate"
    };
    pod::embedded_template(object, &["spec", "template"]);
    fill(object, &["spec", "updateStrategy", "type"], json!(kind));
    if object.str_at(&["spec", "updateStrategy", "type"]) == "RollingUpdate" {
        fill(object, &["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"], json!(1));
    }
    fill(object, &["spec", "revisionHistoryLimit"], json!(10));
    for counter in
        ["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"]
    {
        fill(object, &["status", counter], json!(0));
    }
}

fn stateful_set(version: &str, object: &mut Value) {
    if version == "v1beta1" {
        labels_and_selector(object);
    }
    fill(object, &["spec", "podManagementPolicy"], json!("OrderedReady"));
    update_strategy(version, object);
    fill(object, &["spec", "replicas"], json!(1));
    fill(object, &["spec", "revisionHistoryLimit"], json!(10));
    pod::embedded_template(object, &["spec", "template"]);
    each(object, &["spec", "volumeClaimTemplates"], |claim| {
        if claim.at(&["metadata", "creationTimestamp"]).is_none() {
            claim.set(&["metadata", "creationTimestamp"], Value::Null);
        }
        core::persistent_volume_claim(claim);
        // What is embedded is of one kind; 3.11 does not write it down.
        drop(claim.remove(&["apiVersion"]));
        drop(claim.remove(&["kind"]));
    });
    fill(object, &["status", "replicas"], json!(0));
}

/// A type that a client wrote itself comes without a partition.
fn update_strategy(version: &str, object: &mut Value) {
    const KIND: &[&str] = &["spec", "updateStrategy", "type"];
    const ROLLING: &[&str] = &["spec", "updateStrategy", "rollingUpdate"];
    let given = !object.str_at(KIND).is_empty();
    let kind = if version == "v1beta1" { "OnDelete" } else { "RollingUpdate" };
    fill(object, KIND, json!(kind));
    let rolling = object.str_at(KIND) == "RollingUpdate";
    let described = object.at(ROLLING).is_some_and(|params| !params.is_null());
    if rolling && (described || !given) {
        fill(object, &["spec", "updateStrategy", "rollingUpdate", "partition"], json!(0));
    }
}

fn job(object: &mut Value) {
    if object.at(&["spec", "completions"]).is_none_or(Value::is_null)
        && object.at(&["spec", "parallelism"]).is_none_or(Value::is_null)
    {
        object.set(&["spec", "completions"], json!(1));
    }
    fill(object, &["spec", "parallelism"], json!(1));
    fill(object, &["spec", "backoffLimit"], json!(6));
    labels_from_template(object);
    pod::embedded_template(object, &["spec", "template"]);
    fill(object, &["status"], json!({}));
}

fn cron_job(object: &mut Value) {
    fill(object, &["spec", "concurrencyPolicy"], json!("Allow"));
    fill(object, &["spec", "suspend"], json!(false));
    fill(object, &["spec", "successfulJobsHistoryLimit"], json!(3));
    fill(object, &["spec", "failedJobsHistoryLimit"], json!(1));
    fill(object, &["spec", "jobTemplate"], json!({}));
    within(object, &["spec", "jobTemplate"], |template| {
        if template.at(&["metadata", "creationTimestamp"]).is_none() {
            template.set(&["metadata", "creationTimestamp"], Value::Null);
        }
        pod::embedded_template(template, &["spec", "template"]);
    });
    fill(object, &["status"], json!({}));
}

fn horizontal_pod_autoscaler(version: &str, object: &mut Value) {
    fill(object, &["spec", "minReplicas"], json!(1));
    let metrics = !object.list_at(&["spec", "metrics"]).is_empty();
    if version == "v1" {
        let annotation = object.annotation("autoscaling.alpha.kubernetes.io/metrics").is_some();
        if !annotation {
            fill(object, &["spec", "targetCPUUtilizationPercentage"], json!(80));
        }
    } else if !metrics && object.at(&["spec", "targetCPUUtilizationPercentage"]).is_none() {
        let resource = if version == "v2beta1" {
            json!({"name": "cpu", "targetAverageUtilization": 80})
        } else {
            json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}})
        };
        let metric = json!({"type": "Resource", "resource": resource});
        object.set(&["spec", "metrics"], json!([metric]));
    }
}
