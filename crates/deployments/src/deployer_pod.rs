//! The pod `<rollout>-deploy`: how it is made from the rollout and its config.
//!
//! Invariant: the pod looks as it does on OpenShift 3.11, although its container runs in process.
//!
//! Mirrors: `openshift/origin pkg/apps/controller/deployer` (`makeDeployerPod`).

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};

use crate::keys;
use crate::rollout::deployer_pod_name;

/// Name of the deployer pod's container.
pub const CONTAINER: &str = "deployment";

/// Seconds that a deployer pod may run when the strategy does not say.
pub(crate) const MAX_RUN_SECONDS: i64 = 21_600;

/// The deployer pod of rollout `rc`, made from the config it was rolled out with.
#[must_use]
pub fn make(rc: &Value, config: &Value) -> Value {
    let strategy = config.at(&["spec", "strategy"]).cloned().unwrap_or_else(|| json!({}));
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": deployer_pod_name(rc.name()),
            "namespace": rc.namespace(),
            "labels": with_extra(&strategy, "labels", &[(keys::DEPLOYER_POD_FOR, rc.name())]),
            "annotations": with_extra(&strategy, "annotations", &[
                (keys::DEPLOYMENT_NAME, rc.name()),
                (keys::CONFIG_NAME, config.name()),
            ]),
            "ownerReferences": [owner_reference(rc)],
        },
        "spec": spec(rc, &strategy),
    })
}

/// How deployer and hook pods name their rollout: an owner, but not their controller.
#[must_use]
pub fn owner_reference(rc: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "name": rc.name(),
        "uid": rc.uid(),
    })
}

/// The strategy's own labels or annotations, overruled by `ours`.
pub(crate) fn with_extra(strategy: &Value, field: &str, ours: &[(&str, &str)]) -> Map {
    let mut map = strategy.map_at(&[field]).cloned().unwrap_or_default();
    for (key, value) in ours {
        map.insert((*key).to_owned(), json!(value));
    }
    map
}

/// What lets the pod be placed and its image pulled is the rollout's template's, not the strategy's.
fn spec(rc: &Value, strategy: &Value) -> Value {
    let custom = strategy.get("customParams");
    let image = custom.map(|custom| custom.str_at(&["image"])).filter(|image| !image.is_empty());
    let mut env =
        custom.map(|custom| custom.list_at(&["environment"]).to_vec()).unwrap_or_default();
    env.push(json!({"name": "OPENSHIFT_DEPLOYMENT_NAME", "value": rc.name()}));
    env.push(json!({"name": "OPENSHIFT_DEPLOYMENT_NAMESPACE", "value": rc.namespace()}));
    let mut container = json!({
        "name": CONTAINER,
        "image": image.unwrap_or(keys::DEPLOYER_IMAGE),
        "imagePullPolicy": "IfNotPresent",
        "env": env,
        "resources": strategy.get("resources").cloned().unwrap_or_else(|| json!({})),
    });
    if let Some(command) = custom.and_then(|custom| custom.get("command")) {
        container["command"] = command.clone();
    }
    let deadline = strategy.int_at(&["activeDeadlineSeconds"]).unwrap_or(MAX_RUN_SECONDS);
    let mut spec = json!({
        "containers": [container],
        "activeDeadlineSeconds": deadline,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 10,
        "serviceAccountName": "deployer",
        "shareProcessNamespace": false,
    });
    let template = rc.at(&["spec", "template", "spec"]);
    for field in ["dnsPolicy", "dnsConfig", "imagePullSecrets", "tolerations", "nodeSelector"] {
        if let Some(value) = template.and_then(|template| template.get(field)) {
            spec[field] = value.clone();
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_is_the_one_clients_look_for() {
        let rc = json!({
            "metadata": {"name": "web-2", "namespace": "p", "uid": "u"},
            "spec": {"template": {"spec": {"nodeSelector": {"zone": "1"}, "dnsPolicy": "Default"}}},
        });
        let config = json!({
            "metadata": {"name": "web"},
            "spec": {
                "strategy": {"type": "Rolling", "labels": {"team": "a", keys::DEPLOYER_POD_FOR: "x"}},
                "template": {"spec": {"nodeSelector": {"zone": "2"}}},
            },
        });
        let pod = make(&rc, &config);
        assert_eq!(pod.name(), "web-2-deploy");
        assert_eq!(pod.label(keys::DEPLOYER_POD_FOR), "web-2");
        assert_eq!(pod.label("team"), "a");
        assert_eq!(pod["spec"]["activeDeadlineSeconds"], 21_600);
        assert_eq!(pod["spec"]["nodeSelector"]["zone"], "1");
        assert_eq!(pod["spec"]["dnsPolicy"], "Default");
        assert_eq!(pod["spec"]["containers"][0]["image"], keys::DEPLOYER_IMAGE);
        assert!(pod.controller_ref().is_none());
    }
}
