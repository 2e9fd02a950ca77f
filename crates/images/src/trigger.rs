//! The image trigger controller: writes the image a tag stands for into what is triggered by it.
//!
//! For every `DeploymentConfig` with automatic image change triggers all of them must resolve, else
//! nothing is touched; then `lastTriggeredImage` and the images of the named containers are written
//! at once. Paused configs are written as well: they roll out when resumed.
//!
//! Invariant: [`plan`] gives `None` when nothing would change, so that a quiet cluster is not written.
//!
//! Mirrors: `openshift/origin pkg/image/trigger/deploymentconfigs/deploymentconfigs.go`.

use api::views::deployment_config::{image_changes, set_images, trigger_source};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};

use crate::stream::resolve_pull_spec;

/// Keeps the images of `DeploymentConfig`s at what their triggers' tags point to.
#[derive(Debug, Default)]
pub struct ImageTriggerController;

impl Controller for ImageTriggerController {
    fn name(&self) -> &'static str {
        "image-trigger-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&api::DEPLOYMENT_CONFIGS, same_key),
            Watching::new(&api::IMAGE_STREAMS, triggered_by),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(dc) = cx.caches.get_key(&api::DEPLOYMENT_CONFIGS, key) else {
            return Ok(Requeue::Done);
        };
        if dc.deletion_timestamp().is_some() {
            return Ok(Requeue::Done);
        }
        let resolve = |namespace: &str, name: &str, tag: &str| {
            let stream = cx.caches.get(&api::IMAGE_STREAMS, namespace, name)?;
            resolve_pull_spec(&stream, tag)
        };
        if let Some(updated) = plan(&dc, &resolve) {
            cx.client.update(&api::DEPLOYMENT_CONFIGS, updated)?;
        }
        Ok(Requeue::Done)
    }
}

/// The configs that have a trigger on the changed stream.
fn triggered_by(caches: &Caches, change: &Change) -> Vec<Key> {
    let stream = change.object();
    let refers = |dc: &Value| {
        image_changes(dc).any(|params| {
            let (namespace, name, _) = trigger_source(params, dc.namespace());
            namespace == stream.namespace() && name == stream.name()
        })
    };
    let configs = caches.iter(&api::DEPLOYMENT_CONFIGS, "");
    configs.filter(|(_, dc)| refers(dc)).map(|(key, _)| key.clone()).collect()
}

/// The config with every automatic trigger's image filled in; `None` when that changes nothing or
/// some trigger has never resolved.
pub fn plan(dc: &Value, resolve: &dyn Fn(&str, &str, &str) -> Option<String>) -> Option<Value> {
    let mut updated: Option<Value> = None;
    for (index, trigger) in dc.list_at(&["spec", "triggers"]).iter().enumerate() {
        let Some(params) = trigger.get("imageChangeParams") else { continue };
        let from_tag = params.str_at(&["from", "kind"]) == "ImageStreamTag";
        if trigger.str_at(&["type"]) != "ImageChange"
            || !from_tag
            || !params.bool_at(&["automatic"])
        {
            continue;
        }
        let (namespace, name, tag) = trigger_source(params, dc.namespace());
        let last = Some(params.str_at(&["lastTriggeredImage"])).filter(|last| !last.is_empty());
        let image = resolve(namespace, name, tag).or_else(|| last.map(str::to_owned))?;
        let names = params.list_at(&["containerNames"]);
        if last == Some(image.as_str()) && have_image(updated.as_ref().unwrap_or(dc), names, &image)
        {
            continue;
        }
        let updated = updated.get_or_insert_with(|| dc.clone());
        updated["spec"]["triggers"][index]["imageChangeParams"]["lastTriggeredImage"] =
            json!(image);
        set_images(updated, names, &image);
    }
    updated
}

/// Whether every named container of the template has `image`. Asked at every change of a config.
fn have_image(dc: &Value, names: &[Value], image: &str) -> bool {
    ["initContainers", "containers"].iter().all(|list| {
        let named = |container: &&Value| {
            names.iter().any(|name| name.as_str() == Some(container.str_at(&["name"])))
        };
        let containers = dc.list_at(&["spec", "template", "spec", list]).iter();
        containers.filter(named).all(|container| container.str_at(&["image"]) == image)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dc(triggers: &Value) -> Value {
        json!({
            "metadata": {"name": "web", "namespace": "p"},
            "spec": {
                "triggers": triggers,
                "template": {"spec": {"containers": [{"name": "web", "image": " "}, {"name": "log", "image": "l"}]}},
            },
        })
    }

    fn trigger(tag: &str, automatic: bool) -> Value {
        json!({"type": "ImageChange", "imageChangeParams": {
            "automatic": automatic, "containerNames": ["web"],
            "from": {"kind": "ImageStreamTag", "name": tag, "namespace": "p"}}})
    }

    fn resolve(_: &str, name: &str, tag: &str) -> Option<String> {
        (name == "app").then(|| format!("r/p/app@{tag}"))
    }

    #[test]
    fn a_resolved_trigger_fills_the_named_container_once() {
        let updated = plan(&dc(&json!([trigger("app:latest", true)])), &resolve).unwrap();
        let containers = &updated["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers[0]["image"], "r/p/app@latest");
        assert_eq!(containers[1]["image"], "l");
        let params = &updated["spec"]["triggers"][0]["imageChangeParams"];
        assert_eq!(params["lastTriggeredImage"], "r/p/app@latest");
        assert_eq!(plan(&updated, &resolve), None);
    }

    #[test]
    fn one_unresolved_trigger_leaves_the_whole_config_alone() {
        let two = json!([trigger("app:latest", true), trigger("gone:latest", true)]);
        assert_eq!(plan(&dc(&two), &resolve), None);
    }

    #[test]
    fn a_manual_trigger_is_not_followed() {
        assert_eq!(plan(&dc(&json!([trigger("app:latest", false)])), &resolve), None);
    }

    #[test]
    fn a_tag_that_vanished_keeps_the_last_image() {
        let mut config = dc(&json!([trigger("gone:latest", true)]));
        config["spec"]["triggers"][0]["imageChangeParams"]["lastTriggeredImage"] = json!("old");
        let updated = plan(&config, &resolve).unwrap();
        assert_eq!(updated["spec"]["template"]["spec"]["containers"][0]["image"], "old");
    }
}
