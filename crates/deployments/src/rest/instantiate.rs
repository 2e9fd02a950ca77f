//! `deploymentconfigs/instantiate`: asks for a rollout by hand (`oc rollout latest`).
//!
//! Mirrors: `openshift/origin pkg/apps/apiserver/registry/instantiate/rest.go`.

use api::views::deployment_config::{image_changes, set_images};
use apimachinery::field::{self, Path};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, HandlerContext, RestHandler, Stored, Written};

use super::config;
use crate::rollout::{decode_config, rollout_name};
use crate::trigger::has_config_change;

/// How often the request is tried again when the config changes under it.
const ATTEMPTS: usize = 5;

#[derive(Debug)]
pub(super) struct Instantiate;

impl RestHandler for Instantiate {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        check(cx, &body)?;
        let mut last = Status::internal("the deployment config kept changing");
        for _ in 0..ATTEMPTS {
            match attempt(cx, &body) {
                Err(status) if status.is_conflict() => last = status,
                outcome => return outcome,
            }
        }
        Err(last)
    }
}

fn check(cx: &HandlerContext<'_>, body: &Value) -> Result<(), Status> {
    if !body.str_at(&["name"]).is_empty() {
        return Ok(());
    }
    let error =
        field::Error::required(&Path::new("name"), "name of the deployment config is missing");
    Err(Status::invalid("apps.openshift.io", "DeploymentRequest", cx.call.name, &[error]))
}

fn attempt(cx: &HandlerContext<'_>, body: &Value) -> Result<Written, Status> {
    let mut dc = config(cx)?;
    let name = dc.name().to_owned();
    if dc.bool_at(&["spec", "paused"]) {
        let path = Path::new("spec").child("paused");
        let text =
            format!("deployment config {name:?} is paused - unpause to request a new deployment");
        let error = field::Error::invalid(&path, true, &text);
        return Err(Status::invalid("apps.openshift.io", "DeploymentRequest", &name, &[error]));
    }
    let force = body.bool_at(&["force"]);
    if body.bool_at(&["latest"]) {
        let resolve = |params: &Value| resolve(cx, params);
        resolve_images(&mut dc, force, body.list_at(&["excludeTriggers"]), &resolve);
    }
    let latest = || latest_config(cx, &dc);
    let Some(details) = details(&dc, &latest, force)? else {
        return Ok(Written::created(Stored::new(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 204,
            "message": format!("deployment config {name:?} cannot be instantiated"),
        }))));
    };
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    dc.set(&["status", "latestVersion"], json!(version + 1));
    dc.set(&["status", "details"], details);
    let written = cx.server.update(&cx.redirect(&api::DEPLOYMENT_CONFIGS, ""), dc)?;
    Ok(Written::created(written.object))
}

/// Writes the image of every trigger's tag, as `resolve` finds it, into the template; `force` includes
/// manual triggers.
pub fn resolve_images(
    dc: &mut Value,
    force: bool,
    exclude: &[Value],
    resolve: &dyn Fn(&Value) -> Option<String>,
) {
    if exclude.iter().any(|kind| kind == "ImageChange") {
        return;
    }
    let paused = dc.bool_at(&["spec", "paused"]);
    let count = dc.list_at(&["spec", "triggers"]).len();
    for index in 0..count {
        let trigger = dc["spec"]["triggers"][index].clone();
        let Some(params) = trigger.get("imageChangeParams") else { continue };
        if !force && (paused || !params.bool_at(&["automatic"])) {
            continue;
        }
        let Some(image) = resolve(params) else { continue };
        if image == params.str_at(&["lastTriggeredImage"]) {
            continue;
        }
        dc["spec"]["triggers"][index]["imageChangeParams"]["lastTriggeredImage"] = json!(image);
        set_images(dc, params.list_at(&["containerNames"]), &image);
    }
}

/// The pull spec of a trigger's tag, read from the tag itself.
fn resolve(cx: &HandlerContext<'_>, params: &Value) -> Option<String> {
    let namespace = Some(params.str_at(&["from", "namespace"]))
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or(cx.call.namespace);
    let call = Call::new(cx.call.user, &api::IMAGE_STREAM_TAGS)
        .within(namespace)
        .named(params.str_at(&["from", "name"]));
    let tag = cx.server.get(&call).ok()?.value();
    let reference = tag.str_at(&["image", "dockerImageReference"]);
    Some(reference.to_owned()).filter(|reference| !reference.is_empty())
}

/// Why a rollout is allowed; `None` when nothing asks for one. `latest` gives the config of the latest
/// rollout, if there has been one.
///
/// # Errors
/// When an image is not known yet, or `latest` fails.
pub fn details(
    dc: &Value,
    latest: &dyn Fn() -> Result<Option<Value>, Status>,
    force: bool,
) -> Result<Option<Value>, Status> {
    let unresolved = |params: &Value| params.str_at(&["lastTriggeredImage"]).is_empty();
    if image_changes(dc).any(unresolved) {
        let name = dc.name();
        return Err(Status::bad_request(format!(
            "cannot trigger a deployment for {name:?} because it contains unresolved images"
        )));
    }
    let latest = latest()?;
    if force {
        return Ok(Some(json!({"message": "manual change", "causes": [{"type": "Manual"}]})));
    }
    let first = dc.int_at(&["status", "latestVersion"]).unwrap_or(0) == 0;
    let known = |params: &Value| {
        let Some(latest) = &latest else { return false };
        image_changes(latest).any(|old| {
            old.get("from") == params.get("from")
                && old.get("lastTriggeredImage") == params.get("lastTriggeredImage")
        })
    };
    let mut automatic = image_changes(dc).filter(|params| params.bool_at(&["automatic"]));
    if let Some(params) = automatic.find(|params| first || !known(params)) {
        let from = params.get("from").cloned().unwrap_or(Value::Null);
        let cause = json!({"type": "ImageChange", "imageTrigger": {"from": from}});
        return Ok(Some(json!({"message": "image change", "causes": [cause]})));
    }
    let template = ["spec", "template"];
    let differs = latest.as_ref().and_then(|latest| latest.at(&template)) != dc.at(&template);
    let config_change = has_config_change(dc) && (first || differs);
    let details = json!({"message": "config change", "causes": [{"type": "ConfigChange"}]});
    Ok(config_change.then_some(details))
}

/// The config of the latest rollout, which must exist when there has been one.
fn latest_config(cx: &HandlerContext<'_>, dc: &Value) -> Result<Option<Value>, Status> {
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    if version == 0 {
        return Ok(None);
    }
    let name = rollout_name(dc, version);
    let call = Call::new(cx.call.user, &api::REPLICATION_CONTROLLERS)
        .within(cx.call.namespace)
        .named(&name);
    let rc = cx.server.get(&call)?;
    Ok(decode_config(&rc.value()))
}
