//! `deployments/rollback` of the versions before apps/v1: asks the controller to go back.
//!
//! Invariant: the request is an annotation, as apps/v1 shows it, and no new generation.
//!
//! Mirrors: `kubernetes/pkg/registry/extensions/deployment/storage/storage.go` (`RollbackREST`).

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::Written;
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;

const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
const ATTEMPTS: usize = 100;

#[derive(Debug)]
pub(super) struct DeploymentRollback;

impl RestHandler for DeploymentRollback {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let name = name_of(&body);
        let errors = check(&body);
        if !errors.is_empty() {
            return Err(Status::invalid("extensions", "DeploymentRollback", name, &errors));
        }
        let call = cx.redirect(&api::DEPLOYMENTS, "");
        for _ in 0..ATTEMPTS {
            let current = cx.server.current(&call)?;
            let asked = ask(Value::clone(&current.value.value()), &body);
            let strategy = cx.server.strategy(&api::DEPLOYMENTS);
            let done = call.options.dry_run
                || cx.server.replace(strategy, &current, Stored::new(asked)).is_some();
            if done {
                return Ok(Written::created(Stored::new(json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 200,
                    "message": format!("rollback request for deployment {name:?} succeeded"),
                }))));
            }
        }
        Err(error::modified(call.resource, call.name))
    }
}

/// The name stands beside the kind, not in the metadata.
fn name_of(body: &Value) -> &str {
    body.str_at(&["name"])
}

fn check(body: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    if name_of(body).is_empty() {
        errors.push(Error::required(&Path::new("name"), "name is required"));
    }
    if let Some(revision) = revision(body).filter(|revision| *revision < 0) {
        let text = "must be greater than or equal to 0";
        errors.push(Error::invalid(&Path::new("rollback").child("version"), revision, text));
    }
    errors
}

fn revision(body: &Value) -> Option<i64> {
    body.int_at(&["rollbackTo", "revision"])
}

/// The deployment that is to go back, with the annotations that come with the request.
fn ask(mut deployment: Value, body: &Value) -> Value {
    for (key, value) in body.map_at(&["updatedAnnotations"]).into_iter().flatten() {
        deployment.set_annotation(key, value.as_str().unwrap_or_default());
    }
    deployment.set_annotation(ROLLBACK_TO, &revision(body).unwrap_or(0).to_string());
    deployment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiServer, Client, User};

    #[test]
    fn a_deployment_is_asked_to_go_back() {
        let server = ApiServer::builder(world::World::simulated(1)).build();
        let client = Client::new(server, User::system_admin());
        let object = json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "dev"}});
        client.create(&api::NAMESPACES, "", object).unwrap();
        let labels = json!({"app": "web"});
        let object = json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web"},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}});
        client.create(&api::DEPLOYMENTS, "dev", object).unwrap();
        let old = api::find_kind("extensions", "v1beta1", "Deployment").unwrap();
        let post = |name: &str, to: i64| {
            let body = json!({"kind": "DeploymentRollback", "apiVersion": "extensions/v1beta1",
                "name": name, "updatedAnnotations": {"by": "me"}, "rollbackTo": {"revision": to}});
            let done = client.subresource_create(old, "dev", "web", "rollback", body);
            done.map(|done| Value::clone(&done)).map_err(|status| status.message)
        };
        let done = post("web", 2).unwrap();
        assert_eq!(done["message"], "rollback request for deployment \"web\" succeeded");
        assert_eq!(done["code"], 200);
        let web = client.get(&api::DEPLOYMENTS, "dev", "web").unwrap();
        assert_eq!((web.annotation(ROLLBACK_TO), web.annotation("by")), (Some("2"), Some("me")));
        assert_eq!(web.generation(), 1);
        assert_eq!(
            post("", -1).unwrap_err(),
            "DeploymentRollback.extensions \"\" is invalid: [name: Required value: name is required, \
             rollback.version: Invalid value: -1: must be greater than or equal to 0]"
        );
    }
}
