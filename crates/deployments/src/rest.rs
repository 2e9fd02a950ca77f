//! What the API server does with `DeploymentConfig`s beyond storing them: storage rules and the
//! sub-resources `instantiate`, `rollback`, `scale` and `log`.
//!
//! Invariant: clients set `status.latestVersion` only to the number that follows the stored one.
//!
//! Mirrors: `openshift/origin pkg/apps/apiserver/registry`.

pub mod instantiate;
mod log;
pub mod rollback;
mod scale;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Builder, Strategy, StrategyContext};

/// Plugs strategy and sub-resources into an API server under construction.
#[must_use]
pub fn register(builder: Builder) -> Builder {
    builder
        .strategy(&api::DEPLOYMENT_CONFIGS, Box::new(DeploymentConfigStrategy))
        .handler(&api::DEPLOYMENT_CONFIGS, "instantiate", Box::new(instantiate::Instantiate))
        .handler(&api::DEPLOYMENT_CONFIGS, "rollback", Box::new(rollback::Rollback))
        .handler(&api::DEPLOYMENT_CONFIGS, "scale", Box::new(scale::Scale))
        .handler(&api::DEPLOYMENT_CONFIGS, "log", Box::new(log::Log))
}

/// Storage rules of `deploymentconfigs`.
#[derive(Debug)]
pub struct DeploymentConfigStrategy;

impl Strategy for DeploymentConfigStrategy {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        object.set(
            &["status"],
            json!({
                "latestVersion": 0, "observedGeneration": 0, "replicas": 0, "updatedReplicas": 0,
                "availableReplicas": 0, "unavailableReplicas": 0,
            }),
        );
        for params in image_change_params(object) {
            params.remove(&["lastTriggeredImage"]);
            let own = params.str_at(&["from", "namespace"]).is_empty();
            if own && params.str_at(&["from", "kind"]) == "ImageStreamTag" {
                params.set(&["from", "namespace"], json!(cx.namespace));
            }
        }
        Ok(())
    }

    fn prepare_for_update(
        &self,
        _: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        let version = |dc: &Value| dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
        let wanted = version(new);
        let details = new.at(&["status", "details"]).cloned();
        apiserver::strategy::copy_field(new, old, "status");
        if wanted == version(old) + 1 {
            new.set(&["status", "latestVersion"], json!(wanted));
            if let Some(details) = details {
                new.set(&["status", "details"], details);
            }
        }
        Ok(())
    }

    fn bumps_generation(&self, new: &Value, old: &Value) -> bool {
        let version = ["status", "latestVersion"];
        new.get("spec") != old.get("spec") || new.at(&version) != old.at(&version)
    }
}

fn image_change_params(dc: &mut Value) -> impl Iterator<Item = &mut Value> {
    let triggers = dc.pointer_mut("/spec/triggers").and_then(Value::as_array_mut);
    triggers.into_iter().flatten().filter_map(|trigger| trigger.get_mut("imageChangeParams"))
}

/// The object itself, read with the rights of the caller.
pub(crate) fn config(cx: &apiserver::HandlerContext<'_>) -> Result<Value, Status> {
    let call = cx.redirect(&api::DEPLOYMENT_CONFIGS, "");
    cx.server.get(&call).map(apiserver::Stored::into_value)
}
