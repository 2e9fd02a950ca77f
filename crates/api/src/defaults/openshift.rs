//! Defaults of the other OpenShift kinds.
//!
//! Mirrors: `pkg/{image,route,build,security}/apis/*/v1/defaults.go` of OpenShift 3.11.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::{canonical_quantities, each, fill, within};

pub(super) fn apply(kind: &str, object: &mut Value) {
    match kind {
        "ImageStream" => image_stream(object),
        "ImageStreamTag" => {
            fill(object, &["lookupPolicy", "local"], json!(false));
            within(object, &["tag"], tag_reference);
        }
        "ImageStreamImport" => each(object, &["spec", "images"], |image| {
            fill(image, &["referencePolicy", "type"], json!("Source"));
        }),
        "Route" => route(object),
        "BuildConfig" => build_config(object),
        "Build" => build_spec(object),
        "Project" => fill(object, &["status", "phase"], json!("Active")),
        "SecurityContextConstraints" => security_context_constraints(object),
        _ => {}
    }
}

fn image_stream(object: &mut Value) {
    fill(object, &["spec", "lookupPolicy", "local"], json!(false));
    each(object, &["spec", "tags"], tag_reference);
    within(object, &["spec"], |spec| {
        if let Some(tags) = spec.get_mut("tags").and_then(Value::as_array_mut) {
            tags.sort_by(|a, b| a.str_at(&["name"]).cmp(b.str_at(&["name"])));
        }
    });
    if object.at(&["status", "dockerImageRepository"]).is_none() {
        object.set(&["status", "dockerImageRepository"], json!(""));
    }
}

fn tag_reference(tag: &mut Value) {
    for field in ["annotations", "generation"] {
        if tag.at(&[field]).is_none() {
            tag.set(&[field], Value::Null);
        }
    }
    fill(tag, &["importPolicy"], json!({}));
    fill(tag, &["referencePolicy", "type"], json!("Source"));
}

fn route(object: &mut Value) {
    fill(object, &["spec", "to", "kind"], json!("Service"));
    fill(object, &["spec", "to", "weight"], json!(100));
    each(object, &["spec", "alternateBackends"], |backend| {
        fill(backend, &["kind"], json!("Service"));
        fill(backend, &["weight"], json!(100));
    });
    fill(object, &["spec", "wildcardPolicy"], json!("None"));
    within(object, &["spec", "tls"], |tls| {
        if tls.str_at(&["destinationCACertificate"]).is_empty() {
            fill(tls, &["termination"], json!("edge"));
        }
        match tls.str_at(&["termination"]) {
            "Reencrypt" => tls.set(&["termination"], json!("reencrypt")),
            "Edge" => tls.set(&["termination"], json!("edge")),
            "Passthrough" => tls.set(&["termination"], json!("passthrough")),
            _ => {}
        }
    });
    each(object, &["status", "ingress"], |ingress| {
        fill(ingress, &["wildcardPolicy"], json!("None"));
    });
}

fn build_config(object: &mut Value) {
    if object.at(&["spec", "triggers"]).is_none_or(Value::is_null) {
        object.set(&["spec", "triggers"], json!([]));
    }
    fill(object, &["spec", "runPolicy"], json!("Serial"));
    fill(object, &["spec", "successfulBuildsHistoryLimit"], json!(5));
    fill(object, &["spec", "failedBuildsHistoryLimit"], json!(5));
    each(object, &["spec", "triggers"], |trigger| {
        match trigger.str_at(&["type"]) {
            "github" => trigger.set(&["type"], json!("GitHub")),
            "generic" => trigger.set(&["type"], json!("Generic")),
            "imageChange" => trigger.set(&["type"], json!("ImageChange")),
            _ => {}
        }
        if trigger.str_at(&["type"]) == "ImageChange" {
            fill(trigger, &["imageChange"], json!({}));
        }
    });
    build_spec(object);
    fill(object, &["status", "lastVersion"], json!(0));
}

fn build_spec(object: &mut Value) {
    source_and_strategy_types(object);
    for (strategy, field) in
        [("sourceStrategy", "from"), ("dockerStrategy", "from"), ("customStrategy", "from")]
    {
        within(object, &["spec", "strategy", strategy], |strategy| {
            within(strategy, &[field], |from| fill(from, &["kind"], json!("ImageStreamTag")));
        });
    }
    within(object, &["spec", "output", "to"], |to| fill(to, &["kind"], json!("ImageStreamTag")));
    fill(object, &["spec", "resources"], json!({}));
    canonical_quantities(object, &["spec", "resources", "limits"]);
    canonical_quantities(object, &["spec", "resources", "requests"]);
    fill(object, &["spec", "postCommit"], json!({}));
    if object.at(&["spec", "nodeSelector"]).is_none() {
        object.set(&["spec", "nodeSelector"], Value::Null);
    }
}

/// The discriminators follow from which member is there.
fn source_and_strategy_types(object: &mut Value) {
    let has = |object: &Value, path: &[&str]| object.at(path).is_some_and(|value| !value.is_null());
    for (member, name) in
        [("git", "Git"), ("dockerfile", "Dockerfile"), ("binary", "Binary"), ("images", "Image")]
    {
        if has(object, &["spec", "source", member]) {
            fill(object, &["spec", "source", "type"], json!(name));
        }
    }
    for (member, name) in [
        ("dockerStrategy", "Docker"),
        ("sourceStrategy", "Source"),
        ("customStrategy", "Custom"),
        ("jenkinsPipelineStrategy", "JenkinsPipeline"),
    ] {
        if has(object, &["spec", "strategy", member]) {
            fill(object, &["spec", "strategy", "type"], json!(name));
        }
    }
    if object.str_at(&["spec", "strategy", "type"]) == "Docker" {
        fill(object, &["spec", "strategy", "dockerStrategy"], json!({}));
    }
}

fn security_context_constraints(object: &mut Value) {
    for field in ["allowHostDirVolumePlugin", "allowHostIPC", "allowHostNetwork", "allowHostPID"] {
        fill(object, &[field], json!(false));
    }
    for field in ["allowHostPorts", "allowPrivilegedContainer", "readOnlyRootFilesystem"] {
        fill(object, &[field], json!(false));
    }
    fill(object, &["supplementalGroups", "type"], json!("RunAsAny"));
    fill(object, &["fsGroup", "type"], json!("RunAsAny"));
}
