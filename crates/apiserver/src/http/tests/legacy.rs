//! `/oapi/v1`: the same objects under their old names.

use apimachinery::json;

use super::client::Protocol;
use super::{admin, start};

const CONFIGS: &str = "/oapi/v1/namespaces/default/deploymentconfigs";
const GROUPED: &str = "/apis/apps.openshift.io/v1/namespaces/default/deploymentconfigs";

#[tokio::test]
async fn the_same_objects_have_no_group() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http1).await;
    let (_, list) = client.get("/oapi/v1").await;
    let entries = list["resources"].as_array().unwrap();
    let configs = entries.iter().find(|entry| entry["name"] == "deploymentconfigs").unwrap();
    assert_eq!((&configs["shortNames"], configs.get("categories")), (&json!(["dc"]), None));
    assert!(entries.iter().all(|entry| entry["name"] != "templateinstances"));
    assert_eq!(client.get("/oapi").await.1["versions"], json!(["v1"]));

    let config = json!({"kind": "DeploymentConfig", "apiVersion": "v1",
        "metadata": {"name": "web"}, "spec": {"unknown": 1, "replicas": 1,
        "selector": {"app": "web"}, "template": {"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}});
    let (code, made) = client.send("POST", CONFIGS, "application/json", &config.to_string()).await;
    assert_eq!((code, &made["apiVersion"]), (201, &json!("v1")), "{made}");
    assert_eq!(made["spec"]["strategy"]["type"], "Rolling");
    assert_eq!(made["spec"].get("unknown"), None);
    let (_, same) = client.get(&format!("{GROUPED}/web")).await;
    assert_eq!(same["apiVersion"], "apps.openshift.io/v1");
    assert_eq!(same["metadata"]["uid"], made["metadata"]["uid"]);
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c",
        "image": "i:2"}]}}}});
    let media = "application/strategic-merge-patch+json";
    let one = format!("{CONFIGS}/web");
    let (code, patched) = client.send("PATCH", &one, media, &patch.to_string()).await;
    assert_eq!((code, &patched["apiVersion"]), (200, &json!("v1")), "{patched}");
    let (_, list) = client.get(CONFIGS).await;
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&json!("DeploymentConfigList"), &json!("v1"))
    );
    // Dependents are orphaned unless the client says otherwise.
    let (_, gone) = client.send("DELETE", &one, "", "").await;
    assert_eq!(gone["metadata"]["finalizers"], json!(["orphan"]), "{gone}");
}

#[tokio::test]
async fn what_handlers_answer_has_no_group_either() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http1).await;
    let (code, project) = client.get("/oapi/v1/projects/default").await;
    assert_eq!((code, &project["apiVersion"]), (200, &json!("v1")), "{project}");
    let (_, list) = client.get("/oapi/v1/projects").await;
    assert_eq!((&list["apiVersion"], &list["kind"]), (&json!("v1"), &json!("ProjectList")));
    let (code, _) = client.get("/oapi/v1/securitycontextconstraints").await;
    assert_eq!(code, 404);
}
