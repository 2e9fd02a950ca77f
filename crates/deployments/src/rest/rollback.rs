//! `deploymentconfigs/rollback`: the config as it would be after going back. Nothing is stored; the
//! client writes what it gets.
//!
//! Mirrors: `openshift/origin pkg/apps/apiserver/registry/rollback/rest.go`.

use apimachinery::field::{self, Path};
use apimachinery::json;
use apimachinery::validation::dns1123_subdomain;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, HandlerContext, RestHandler, Stored, Written};

use super::config;
use crate::rollout::{decode_config, rollout_name};

#[derive(Debug)]
pub(super) struct Rollback;

impl RestHandler for Rollback {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let errors = check(&body);
        if !errors.is_empty() {
            let (group, kind) = ("apps.openshift.io", "DeploymentConfigRollback");
            return Err(Status::invalid(group, kind, body.str_at(&["name"]), &errors));
        }
        let refuse = |text: &str| refusal(cx.call.name, text);
        let dc = config(cx).map_err(|status| {
            let name = cx.call.name;
            refuse(&format!("cannot get deployment config {name:?}: {status}"))
        })?;
        let latest = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
        let target = target_version(&dc, &body, latest).map_err(|text| refuse(&text))?;
        let name = rollout_name(&dc, target);
        let call = Call::new(cx.call.user, &api::REPLICATION_CONTROLLERS)
            .within(cx.call.namespace)
            .named(&name);
        let rc = cx.server.get(&call).map_err(|status| refuse(&status.message))?;
        let Some(target) = decode_config(&rc.value()) else {
            let text = "couldn't decode deployment config from deployment: the annotation cannot \
                        be read";
            return Err(refuse(text));
        };
        let wanted = body.get("spec").cloned().unwrap_or(Value::Null);
        Ok(Written::created(Stored::new(rolled_back(dc, &target, &wanted, &body))))
    }
}

/// What is wrong with a request to go back.
///
/// Mirrors: `openshift/origin pkg/apps/apis/apps/validation` (`ValidateDeploymentConfigRollback`).
#[must_use]
pub fn check(body: &Value) -> field::ErrorList {
    let mut errors = field::ErrorList::new();
    let path = Path::new("name");
    let name = body.str_at(&["name"]);
    if name.is_empty() {
        errors.push(field::Error::required(&path, "name of the deployment config is missing"));
    } else if !dns1123_subdomain(name).is_empty() {
        let text = "name of the deployment config is invalid";
        errors.push(field::Error::invalid(&path, name, text));
    }
    if let Some(revision) = body.int_at(&["spec", "revision"]).filter(|revision| *revision < 0) {
        let path = Path::new("spec").child("revision");
        errors.push(field::Error::invalid(&path, revision, "must be non-negative"));
    }
    errors
}

/// The version to go back to.
fn target_version(dc: &Value, body: &Value, latest: i64) -> Result<i64, String> {
    let place = format!("{}/{}", dc.namespace(), dc.name());
    match (latest, body.int_at(&["spec", "revision"]).unwrap_or(0)) {
        (0, _) => Err("cannot rollback an undeployed config".to_owned()),
        (1, _) => Err(format!("no previous deployment exists for {place:?}")),
        (latest, 0) => Ok(latest - 1),
        (latest, wanted) if wanted == latest => {
            Err(format!("version {wanted} is already the latest"))
        }
        (_, wanted) => Ok(wanted),
    }
}

/// The config with those parts of `target` that are wanted: `wanted` is the `spec` of the request
/// `body`.
#[must_use]
pub fn rolled_back(mut dc: Value, target: &Value, wanted: &Value, body: &Value) -> Value {
    let parts: [(&str, &[&str]); 4] = [
        ("includeTemplate", &["template"]),
        ("includeReplicationMeta", &["replicas", "selector"]),
        ("includeTriggers", &["triggers"]),
        ("includeStrategy", &["strategy"]),
    ];
    for (flag, fields) in parts {
        for field in fields.iter().filter(|_| wanted.bool_at(&[flag])) {
            match target.at(&["spec", field]) {
                Some(value) => dc.set(&["spec", field], value.clone()),
                None => drop(dc.remove(&["spec", field])),
            }
        }
    }
    for (key, value) in body.map_at(&["updatedAnnotations"]).into_iter().flatten() {
        dc.set(&["metadata", "annotations", key], value.clone());
    }
    // A tag that moves meanwhile must not undo the rollback.
    let triggers = dc.pointer_mut("/spec/triggers").and_then(Value::as_array_mut);
    for trigger in triggers.into_iter().flatten() {
        if let Some(params) = trigger.get_mut("imageChangeParams").filter(|p| p.is_object()) {
            // False is left out on the wire.
            params.remove(&["automatic"]);
        }
    }
    let next = dc.int_at(&["status", "latestVersion"]).unwrap_or(0) + 1;
    dc.set(&["status", "latestVersion"], json!(next));
    dc
}

fn refusal(name: &str, text: &str) -> Status {
    let error = field::Error::invalid(&Path::new("name"), name, text);
    Status::invalid("apps.openshift.io", "DeploymentConfigRollback", name, &[error])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dc() -> Value {
        json!({
            "metadata": {"name": "web", "namespace": "t"},
            "spec": {"replicas": 3, "template": {"v": 2}, "strategy": {"type": "Rolling"},
                "triggers": [{"type": "ImageChange", "imageChangeParams": {"automatic": true}}]},
            "status": {"latestVersion": 4},
        })
    }

    #[test]
    fn only_what_is_wanted_goes_back_and_triggers_stop() {
        let target = json!({"spec": {"replicas": 1, "template": {"v": 1},
            "strategy": {"type": "Recreate"}}});
        let wanted = json!({"includeTemplate": true});
        let body = json!({"updatedAnnotations": {"a": "b"}});
        let after = rolled_back(dc(), &target, &wanted, &body);
        assert_eq!(after["spec"]["template"], json!({"v": 1}));
        assert_eq!((&after["spec"]["replicas"], after.annotation("a")), (&json!(3), Some("b")));
        let params = &after["spec"]["triggers"][0]["imageChangeParams"];
        assert_eq!(params.get("automatic"), None);
        assert_eq!(after["status"]["latestVersion"], 5);
    }

    #[test]
    fn there_must_be_something_to_go_back_to() {
        let to = |latest, revision: i64| {
            target_version(&dc(), &json!({"spec": {"revision": revision}}), latest)
        };
        assert_eq!(to(0, 0), Err("cannot rollback an undeployed config".to_owned()));
        assert_eq!(to(1, 0), Err("no previous deployment exists for \"t/web\"".to_owned()));
        assert_eq!(to(4, 4), Err("version 4 is already the latest".to_owned()));
        assert_eq!((to(4, 0), to(4, 2)), (Ok(3), Ok(2)));
    }
}
