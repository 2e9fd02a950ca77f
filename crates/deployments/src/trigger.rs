//! Whether a `DeploymentConfig` asks for a new rollout, and why.
//!
//! Invariant: pure; the same config and the same latest rollout give the same decision.
//!
//! Mirrors: `openshift/origin pkg/apps/controller/deploymentconfig` (`triggerActivated`).

use std::collections::BTreeSet;

use api::views::deployment_config::image_changes;
use apimachinery::{ObjectExt as _, Value};
use apimachinery::{Value as Json, json};

use crate::rollout::decode_template;

/// The outcome of looking at the triggers.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing asks for a rollout, or not yet.
    Skip,
    /// Roll out, recording this as `status.details`.
    Trigger {
        /// `{message, causes}`.
        details: Json,
    },
}

/// Whether some trigger is a `ConfigChange`.
#[must_use]
pub fn has_config_change(dc: &Value) -> bool {
    triggers(dc).any(|trigger| trigger.str_at(&["type"]) == "ConfigChange")
}

fn triggers(dc: &Value) -> impl Iterator<Item = &Value> {
    dc.list_at(&["spec", "triggers"]).iter()
}

/// Looks at the triggers of `dc`; `latest` is the rollout of `status.latestVersion`, if it exists.
#[must_use]
pub fn decide(dc: &Value, latest: Option<&Value>) -> Decision {
    let has_image_change = image_changes(dc).next().is_some();
    let config_change = has_config_change(dc);
    if !has_image_change && !config_change {
        return Decision::Skip;
    }
    if dc.int_at(&["status", "latestVersion"]).unwrap_or(0) == 0 {
        let resolved = |params: &Value| !params.str_at(&["lastTriggeredImage"]).is_empty();
        return if image_changes(dc).all(resolved) { by_config() } else { Decision::Skip };
    }
    let Some(latest) = latest else { return Decision::Skip };
    if has_image_change {
        let new_images = images_missing_in(dc, latest);
        if !new_images.is_empty() {
            return by_images(&new_images);
        }
    }
    if config_change && decode_template(latest).as_ref() != dc.at(&["spec", "template"]) {
        return by_config();
    }
    Decision::Skip
}

/// Images of containers (init containers are not looked at) that the latest rollout does not have.
fn images_missing_in(dc: &Value, latest: &Value) -> Vec<String> {
    let images = |object: &Value| -> Vec<String> {
        let containers = object.list_at(&["spec", "template", "spec", "containers"]);
        containers.iter().map(|container| container.str_at(&["image"]).trim().to_owned()).collect()
    };
    let known: BTreeSet<String> = images(latest).into_iter().collect();
    images(dc).into_iter().filter(|image| !known.contains(image)).collect()
}

fn by_config() -> Decision {
    let details = json!({"message": "config change", "causes": [{"type": "ConfigChange"}]});
    Decision::Trigger { details }
}

fn by_images(images: &[String]) -> Decision {
    let cause = |image: &String| {
        let from = json!({"kind": "DockerImage", "name": image});
        json!({"type": "ImageChange", "imageTrigger": {"from": from}})
    };
    let causes: Vec<Json> = images.iter().map(cause).collect();
    Decision::Trigger { details: json!({"message": "image change", "causes": causes}) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout;

    fn dc(latest: i64, triggers: &Value, image: &str) -> Value {
        json!({
            "metadata": {"name": "web", "namespace": "p"},
            "spec": {"triggers": triggers, "template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
            "status": {"latestVersion": latest},
        })
    }

    fn image_trigger(last: &str) -> Value {
        json!({"type": "ImageChange", "imageChangeParams": {"automatic": true, "lastTriggeredImage": last}})
    }

    fn message(decision: &Decision) -> &str {
        match decision {
            Decision::Skip => "skip",
            Decision::Trigger { details } => details.str_at(&["message"]),
        }
    }

    #[test]
    fn the_first_rollout_waits_for_every_image() {
        let config = json!({"type": "ConfigChange"});
        let cases = [
            (json!([]), "skip"),
            (json!([config]), "config change"),
            (json!([config, image_trigger("")]), "skip"),
            (json!([image_trigger("a@1")]), "config change"),
        ];
        for (triggers, expected) in cases {
            assert_eq!(message(&decide(&dc(0, &triggers, "a"), None)), expected, "{triggers}");
        }
    }

    #[test]
    fn later_rollouts_compare_with_the_latest() {
        let config = json!([{"type": "ConfigChange"}]);
        let images = json!([image_trigger("a@1")]);
        let latest = rollout::make(&dc(1, &config, "a@1"));
        let cases = [
            (dc(1, &config, "a@1"), "skip"),
            (dc(1, &config, "a@2"), "config change"),
            (dc(1, &images, "a@2"), "image change"),
            (dc(1, &images, "a@1"), "skip"),
        ];
        for (dc, expected) in cases {
            assert_eq!(message(&decide(&dc, Some(&latest))), expected);
        }
        assert_eq!(decide(&dc(1, &config, "a@2"), None), Decision::Skip);
    }

    #[test]
    fn only_the_template_counts_for_a_config_change() {
        let config = json!([{"type": "ConfigChange"}]);
        let latest = rollout::make(&dc(1, &config, "a@1"));
        let mut scaled = dc(1, &config, "a@1");
        scaled["spec"]["replicas"] = json!(9);
        assert_eq!(decide(&scaled, Some(&latest)), Decision::Skip);
        scaled["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A"}]);
        assert_eq!(message(&decide(&scaled, Some(&latest))), "config change");
    }
}
