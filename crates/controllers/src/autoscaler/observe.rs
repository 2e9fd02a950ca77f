//! What an autoscaler looks at: the scale of its target and the load of the pods.

use std::sync::Arc;

use api::views::pod::{is_ready, phase};
use api::{DEPLOYMENT_CONFIGS, Resource};
use apimachinery::quantity::Quantity;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::Context;
use cri::PodMetrics;

use super::replicas::Sample;

/// The target of an autoscaler.
#[derive(Debug)]
pub(super) struct Scaled {
    pub(super) resource: &'static Resource,
    pub(super) name: String,
    /// `spec.replicas` of its scale.
    pub(super) wanted: i64,
    /// `status.replicas` of its scale.
    pub(super) current: i64,
    pub(super) selector: String,
}

/// Reads the scale that the autoscaler names.
pub(super) fn scaled(cx: &Context<'_>, hpa: &Value) -> Result<Scaled, String> {
    let reference = &hpa["spec"]["scaleTargetRef"];
    let (kind, name) = (reference.str_at(&["kind"]), reference.str_at(&["name"]));
    let (group, version) = match reference.api_version().split_once('/') {
        Some(parts) => parts,
        None => ("", reference.api_version()),
    };
    // Old autoscalers name deployment configs without their group.
    let old = kind == DEPLOYMENT_CONFIGS.kind && group.is_empty();
    let found = if old {
        Some(&DEPLOYMENT_CONFIGS)
    } else {
        api::resources::find_kind(group, version, kind)
    };
    let resource =
        found.ok_or_else(|| format!("no matches for kind \"{kind}\" in group \"{group}\""))?;
    let scale = cx.client.subresource_get(resource, hpa.namespace(), name, "scale");
    let scale = scale.map_err(|status| status.message)?;
    let selector = match scale.at(&["status", "selector"]) {
        Some(Value::String(text)) => text.to_string(),
        _ => scale.str_at(&["status", "targetSelector"]).to_owned(),
    };
    Ok(Scaled {
        resource,
        name: name.to_owned(),
        wanted: scale.int_at(&["spec", "replicas"]).unwrap_or(0),
        current: scale.int_at(&["status", "replicas"]).unwrap_or(0),
        selector,
    })
}

/// What is known about the load of each pod.
pub(super) fn samples(
    pods: &[Arc<Value>],
    resource: &str,
    metrics: &dyn PodMetrics,
) -> Vec<Sample> {
    let sample = |pod: &Arc<Value>| Sample {
        namespace: pod.namespace().to_owned(),
        name: pod.name().to_owned(),
        request: request(pod, resource),
        ready: phase(pod) == "Running" && is_ready(pod),
        failed: phase(pod) == "Failed",
        usage: usage(pod, resource, metrics),
    };
    pods.iter().map(sample).collect()
}

fn request(pod: &Value, resource: &str) -> Result<i64, String> {
    let mut sum = 0;
    for container in pod.list_at(&["spec", "containers"]) {
        let request = container.at(&["resources", "requests", resource]);
        let request = request.and_then(|value| Quantity::from_json(value).ok());
        sum += request.ok_or_else(|| container.str_at(&["name"]).to_owned())?.milli_value();
    }
    Ok(sum)
}

/// Thousandths that all containers of the pod use together; `None` unless all were measured.
fn usage(pod: &Value, resource: &str, metrics: &dyn PodMetrics) -> Option<i64> {
    let measured = metrics.pod(pod.uid());
    let mut sum = 0_i64;
    for container in pod.list_at(&["spec", "containers"]) {
        let name = container.str_at(&["name"]);
        let figures = measured.iter().find(|figures| figures.name == name)?;
        let milli = match resource {
            "cpu" => figures.cpu_nano.div_ceil(1_000_000),
            "memory" => figures.memory_bytes.saturating_mul(1000),
            _ => return None,
        };
        sum = sum.saturating_add(i64::try_from(milli).unwrap_or(i64::MAX));
    }
    Some(sum)
}
