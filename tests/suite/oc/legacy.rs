//! The API before it had groups, as clients of 3.5 and older use it: `/oapi/v1`, `apiVersion: v1`.

use apimachinery::{Value, json};

use super::{path, shop};

const OAPI: &str = "/oapi/v1/namespaces/shop";

fn config(name: &str) -> Value {
    json!({
        "kind": "DeploymentConfig", "apiVersion": "v1", "metadata": {"name": name},
        "spec": {
            "replicas": 0, "selector": {"app": name}, "triggers": [{"type": "ConfigChange"}],
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "hello:v1"}]},
            },
        },
    })
}

#[test]
fn configs_are_the_same_objects_with_older_manners() {
    let (_cluster, _, alice) = shop();
    let configs = format!("{OAPI}/deploymentconfigs");
    let made = alice.post(&configs, &config("old")).ok();
    assert_eq!((&made["apiVersion"], &made["kind"]), (&json!("v1"), &json!("DeploymentConfig")));
    let grouped = path("apps.openshift.io", "deploymentconfigs");
    let same = alice.get(&format!("{grouped}/old")).ok();
    assert_eq!(same["apiVersion"], "apps.openshift.io/v1");
    assert_eq!(same["metadata"]["uid"], made["metadata"]["uid"]);
    // FIXME: 3.11 has this default for what is made through the group only.
    assert_eq!(same["spec"]["revisionHistoryLimit"], 10);
    // Sub-resources: `oc deploy --latest`, `oc scale`.
    alice.wait(&path("", "replicationcontrollers"), "old-1", |rc| {
        rc["metadata"]["annotations"]["openshift.io/deployment.phase"] == "Complete"
    });
    let request = json!({"kind": "DeploymentRequest", "apiVersion": "v1", "name": "old",
        "latest": true, "force": true});
    let asked = alice.post(&format!("{configs}/old/instantiate"), &request).ok();
    assert_eq!(
        (&asked["apiVersion"], &asked["status"]["latestVersion"]),
        (&json!("v1"), &json!(2))
    );
    let scale = alice.get(&format!("{configs}/old/scale")).ok();
    assert_eq!(scale["apiVersion"], "extensions/v1beta1");
    // Rollouts stay when their config goes.
    alice.wait(&path("", "replicationcontrollers"), "old-2", |_| true);
    alice.delete(&format!("{configs}/old")).ok();
    alice.wait_deleted(&grouped, "old");
    let kept = alice.wait(&path("", "replicationcontrollers"), "old-2", |rc| {
        rc["metadata"]["ownerReferences"].as_array().is_none_or(|list| list.is_empty())
    });
    assert_eq!(kept["metadata"]["name"], "old-2");
}

#[test]
fn what_is_history_is_not_served() {
    let (_cluster, admin, _) = shop();
    for gone in ["generatedeploymentconfigs", "deploymentconfigrollbacks", "imagestreams/x/layers"]
    {
        assert_eq!(admin.get(&format!("{OAPI}/{gone}")).code, 404, "{gone}");
    }
}

#[test]
fn streams_tags_and_imports_answer_without_group() {
    let (_cluster, _, alice) = shop();
    let tag = json!({"kind": "ImageStreamTag", "apiVersion": "v1", "metadata": {"name": "app:v1"},
        "tag": {"reference": true, "from": {"kind": "DockerImage", "name": "quay.io/a/b:1"}}});
    let put = alice.put(&format!("{OAPI}/imagestreamtags/app:v1"), &tag);
    assert_eq!(put.code, 201, "{}", put.text);
    assert_eq!(put.json()["apiVersion"], "v1");
    let stream = alice.get(&format!("{OAPI}/imagestreams/app")).ok();
    assert_eq!((&stream["apiVersion"], &stream["kind"]), (&json!("v1"), &json!("ImageStream")));
    let event = &stream["status"]["tags"][0]["items"][0];
    assert_eq!(event["dockerImageReference"], "quay.io/a/b:1");
    let import = json!({"kind": "ImageStreamImport", "apiVersion": "v1", "metadata": {"name": "app"},
        "spec": {"import": false, "images": [
            {"from": {"kind": "DockerImage", "name": "hello:v1"}, "to": {"name": "v2"}}]}});
    let done = alice.post(&format!("{OAPI}/imagestreamimports"), &import).ok();
    assert_eq!((&done["apiVersion"], &done["kind"]), (&json!("v1"), &json!("ImageStreamImport")));
    assert_eq!(done["status"]["images"][0]["status"]["status"], "Success", "{done}");
    let deleted = alice.delete(&format!("{OAPI}/imagestreamtags/app:v1"));
    assert_eq!(deleted.code, 200, "{}", deleted.text);
    let none = alice.get(&format!("{OAPI}/imagestreamtags")).ok();
    assert_eq!((&none["apiVersion"], &none["kind"]), (&json!("v1"), &json!("ImageStreamTagList")));
    // The groups want their own version.
    let wrong = alice.put(&path("image.openshift.io", "imagestreamtags/app:v1"), &tag);
    assert_eq!(wrong.code, 400, "{}", wrong.text);
}
