//! Readings of DeploymentConfigs that triggers, rollouts and rehearsals share.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::pod;

/// The parameters of every image change trigger, automatic or not.
pub fn image_changes(dc: &Value) -> impl Iterator<Item = &Value> {
    let triggers = dc.list_at(&["spec", "triggers"]).iter();
    triggers
        .filter(|trigger| trigger.str_at(&["type"]) == "ImageChange")
        .filter_map(|trigger| trigger.get("imageChangeParams"))
}

/// Namespace, stream and tag that a trigger of an object in `namespace` follows; empty texts when
/// it names no tag.
#[must_use]
pub fn trigger_source<'a>(params: &'a Value, namespace: &'a str) -> (&'a str, &'a str, &'a str) {
    let own = params.str_at(&["from", "namespace"]);
    let namespace = if own.is_empty() { namespace } else { own };
    let (name, tag) = params.str_at(&["from", "name"]).split_once(':').unwrap_or_default();
    (namespace, name, tag)
}

/// Writes `image` into the containers and init containers of the template that are named.
pub fn set_images(dc: &mut Value, names: &[Value], image: &str) {
    for list in ["initContainers", "containers"] {
        let containers = dc.pointer_mut("/spec/template/spec").and_then(|spec| spec.get_mut(list));
        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
            if names.iter().any(|name| name.as_str() == Some(container.str_at(&["name"]))) {
                container["image"] = json!(image);
            }
        }
    }
}

/// Whether `pod` belongs to the config `name`, serves (is ready) and is not on its way out.
#[must_use]
pub fn serves(pod: &Value, name: &str) -> bool {
    pod.label("deploymentconfig") == name
        && pod.deletion_timestamp().is_none()
        && pod::is_ready(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_containers_get_the_image() {
        let mut dc = json!({"spec": {"template": {"spec": {
            "containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}}}});
        set_images(&mut dc, &[json!("b"), json!("i")], "x");
        let spec = &dc["spec"]["template"]["spec"];
        assert_eq!(spec["containers"], json!([{"name": "a"}, {"name": "b", "image": "x"}]));
        assert_eq!(spec["initContainers"][0]["image"], "x");
    }

    #[test]
    fn a_trigger_names_its_source() {
        let params = json!({"from": {"name": "app:1"}});
        assert_eq!(trigger_source(&params, "p"), ("p", "app", "1"));
        let other = json!({"from": {"name": "app:1", "namespace": "q"}});
        assert_eq!(trigger_source(&other, "p"), ("q", "app", "1"));
        assert_eq!(trigger_source(&json!({}), "p"), ("p", "", ""));
    }
}
