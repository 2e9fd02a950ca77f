//! Defaults of a DeploymentConfig.
//!
//! Mirrors: `pkg/apps/apis/apps/v1/defaults.go` of OpenShift 3.11.
//! Deviation: `revisionHistoryLimit` is filled on update too, not only on create; upstream leaves a
//! limit alone that a client takes away later.

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};

use super::{canonical_quantities, each, fill, is_filled_map, pod, within};

const TIMEOUT_SECONDS: i64 = 600;
const ACTIVE_DEADLINE_SECONDS: i64 = 21_600;
const DEFAULT_PERCENT: &str = "25%";

pub(super) fn apply(object: &mut Value) {
    if object.at(&["spec", "triggers"]).is_none_or(Value::is_null) {
        object.set(&["spec", "triggers"], json!([{"type": "ConfigChange"}]));
    }
    let labels = object.at(&["spec", "template", "metadata", "labels"]).cloned();
    let has_selector = object.at(&["spec", "selector"]).is_some_and(is_filled_map);
    if let Some(labels) = labels.filter(is_filled_map)
        && !has_selector
    {
        object.set(&["spec", "selector"], labels);
    }
    pod::template(object, &["spec", "template"]);
    hooks(object);
    fill(object, &["spec", "strategy"], json!({}));
    within(object, &["spec", "strategy"], strategy);
    fill(object, &["spec", "replicas"], json!(0));
    fill(object, &["spec", "test"], json!(false));
    fill(object, &["spec", "revisionHistoryLimit"], json!(10));
    let namespace = object.namespace().to_owned();
    each(object, &["spec", "triggers"], |trigger| image_trigger(trigger, &namespace));
    for counter in [
        "latestVersion",
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "availableReplicas",
        "unavailableReplicas",
    ] {
        fill(object, &["status", counter], json!(0));
    }
}

/// A template with one container is what hooks mean that name none.
fn hooks(object: &mut Value) {
    let containers = object.list_at(&["spec", "template", "spec", "containers"]);
    let [container] = containers else { return };
    let name = container.str_at(&["name"]).to_owned();
    for params in ["recreateParams", "rollingParams"] {
        for hook in ["pre", "mid", "post"] {
            within(object, &["spec", "strategy", params, hook], |hook| {
                within(hook, &["execNewPod"], |action| {
                    fill(action, &["containerName"], json!(name));
                });
                each(hook, &["tagImages"], |tag| fill(tag, &["containerName"], json!(name)));
            });
        }
    }
}

fn strategy(strategy: &mut Value) {
    fill(strategy, &["type"], json!("Rolling"));
    match strategy.str_at(&["type"]) {
        "Rolling" => fill(strategy, &["rollingParams"], json!({})),
        "Recreate" => fill(strategy, &["recreateParams"], json!({})),
        _ => {}
    }
    within(strategy, &["rollingParams"], rolling);
    within(strategy, &["recreateParams"], |params| {
        fill(params, &["timeoutSeconds"], json!(TIMEOUT_SECONDS));
    });
    fill(strategy, &["activeDeadlineSeconds"], json!(ACTIVE_DEADLINE_SECONDS));
    fill(strategy, &["resources"], json!({}));
    canonical_quantities(strategy, &["resources", "limits"]);
    canonical_quantities(strategy, &["resources", "requests"]);
}

fn rolling(params: &mut Value) {
    fill(params, &["updatePeriodSeconds"], json!(1));
    fill(params, &["intervalSeconds"], json!(1));
    fill(params, &["timeoutSeconds"], json!(TIMEOUT_SECONDS));
    let given = |field: &str| params.at(&[field]).filter(|value| !value.is_null()).cloned();
    let other_of = |value: &Value| {
        let zero = *value == 0 || value == "0" || value == "0%";
        if zero { json!(DEFAULT_PERCENT) } else { json!(0) }
    };
    let (unavailable, surge) = match (given("maxUnavailable"), given("maxSurge")) {
        (None, None) => (json!(DEFAULT_PERCENT), json!(DEFAULT_PERCENT)),
        (Some(unavailable), None) => {
            let surge = other_of(&unavailable);
            (unavailable, surge)
        }
        (None, Some(surge)) => (other_of(&surge), surge),
        (Some(unavailable), Some(surge)) => (unavailable, surge),
    };
    params.set(&["maxUnavailable"], unavailable);
    params.set(&["maxSurge"], surge);
}

fn image_trigger(trigger: &mut Value, namespace: &str) {
    within(trigger, &["imageChangeParams"], |params| {
        let from = params.at(&["from"]).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        if matches!(from.str_at(&["kind"]), "ImageStream" | "ImageRepository") {
            let name = format!("{}:latest", from.str_at(&["name"]));
            params.set(&["from", "kind"], json!("ImageStreamTag"));
            params.set(&["from", "name"], json!(name));
        }
        fill(params, &["from", "kind"], json!("ImageStreamTag"));
        if !namespace.is_empty() {
            fill(params, &["from", "namespace"], json!(namespace));
        }
    });
}
