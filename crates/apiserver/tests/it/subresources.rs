//! Binding, scale, eviction, log.

use apimachinery::ObjectExt as _;
use apimachinery::json;
use apiserver::{Call, LogOptions, User};

use crate::{bind, cluster, create_pod};

#[test]
fn a_pod_is_bound_once() {
    let client = cluster();
    create_pod(&client, "p");
    bind(&client, "p");
    let pod = client.get(&api::PODS, "test", "p").unwrap();
    assert_eq!(pod.str_at(&["spec", "nodeName"]), "n1");
    assert_eq!(pod["status"]["conditions"][0]["type"], "PodScheduled");
    let binding = json!({"metadata": {"name": "p"}, "target": {"name": "n2"}});
    let twice = client.subresource_create(&api::PODS, "test", "p", "binding", binding).unwrap_err();
    assert_eq!(
        twice.message,
        "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \
         \"n1\""
    );
}

#[test]
fn a_bound_pod_that_is_written_back_does_not_change() {
    let client = cluster();
    create_pod(&client, "p");
    bind(&client, "p");
    let pod = client.get(&api::PODS, "test", "p").unwrap();
    let written = client.update_status(&api::PODS, (*pod).clone()).unwrap();
    assert_eq!(written, pod);
}

#[test]
fn scale_shows_and_sets_replicas() {
    let client = cluster();
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    client.create(&api::DEPLOYMENTS, "test", deployment).unwrap();
    let scale = client.subresource_get(&api::DEPLOYMENTS, "test", "d", "scale").unwrap();
    assert_eq!(scale.api_version(), "autoscaling/v1");
    assert_eq!(scale["spec"]["replicas"], 2);
    assert_eq!(scale["status"]["selector"], "app=web");
    let scale = client.update_scale(&api::DEPLOYMENTS, "test", "d", 5).unwrap();
    assert_eq!(scale["spec"]["replicas"], 5);
    let deployment = client.get(&api::DEPLOYMENTS, "test", "d").unwrap();
    assert_eq!(deployment["spec"]["replicas"], 5);
    assert_eq!(deployment.generation(), 2);
    let negative = client.update_scale(&api::DEPLOYMENTS, "test", "d", -1).unwrap_err();
    assert_eq!(
        negative.message,
        "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than \
         or equal to 0"
    );
}

#[test]
fn an_evicted_pod_is_deleted() {
    let client = cluster();
    create_pod(&client, "p");
    let eviction =
        json!({"kind": "Eviction", "apiVersion": "policy/v1beta1", "metadata": {"name": "p"}});
    let status = client.subresource_create(&api::PODS, "test", "p", "eviction", eviction).unwrap();
    assert_eq!((&status["status"], &status["code"]), (&json!("Success"), &json!(201)));
    assert!(client.get(&api::PODS, "test", "p").unwrap_err().is_not_found());
}

#[test]
fn logs_name_what_is_missing() {
    let client = cluster();
    create_pod(&client, "p");
    bind(&client, "p");
    let user = User::system_admin();
    let log = |container: &str| {
        let options = LogOptions { container: container.to_owned(), ..LogOptions::default() };
        let call = Call::new(&user, &api::PODS).within("test").named("p").subresource("log");
        client.server().log(&call, &options).err().unwrap().message
    };
    assert_eq!(log("x"), "container x is not valid for pod p");
    assert_eq!(log(""), "container \"c\" in pod \"p\" is not available");
}

#[test]
fn a_pods_status_touches_nothing_else() {
    let client = cluster();
    let created = create_pod(&client, "p");
    let mut body = (*created).clone();
    body["spec"]["containers"][0]["image"] = json!("other");
    body.set(
        &["metadata", "ownerReferences"],
        json!([{"apiVersion": "v1", "kind": "X",
        "name": "x", "uid": "1"}]),
    );
    body["status"] = json!({"phase": "Running"});
    let updated = client.update_status(&api::PODS, body).unwrap();
    assert_eq!(updated["spec"], created["spec"]);
    assert!(updated.owner_references().is_empty());
    assert_eq!(updated["status"], json!({"phase": "Running"}));
}

#[test]
fn templates_are_processed_and_not_stored() {
    let client = cluster();
    let template = json!({
        "kind": "Template", "apiVersion": "template.openshift.io/v1", "metadata": {"name": "t"},
        "parameters": [{"name": "NAME", "value": "web"},
            {"name": "KEY", "generate": "expression", "from": "[a-z]{8}"}],
        "objects": [{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "${NAME}"}}],
    });
    let done = client.create(&api::PROCESSED_TEMPLATES, "test", template).unwrap();
    assert_eq!(done.str_at(&["kind"]), "Template");
    assert_eq!(done["objects"][0]["metadata"]["name"], "web");
    assert_eq!(done["parameters"][1]["value"].as_str().map(str::len), Some(8));
    assert!(client.list(&api::TEMPLATES, "test").unwrap().is_empty());
}

#[test]
fn image_streams_show_pull_secrets_and_layers() {
    let client = cluster();
    client.create(&api::IMAGE_STREAMS, "test", json!({"metadata": {"name": "s"}})).unwrap();
    for (name, kind) in [("a", "Opaque"), ("b", "kubernetes.io/dockercfg")] {
        let secret =
            json!({"metadata": {"name": name}, "type": kind, "data": {".dockercfg": "e30="}});
        client.create(&api::SECRETS, "test", secret).unwrap();
    }
    let secrets = client.subresource_get(&api::IMAGE_STREAMS, "test", "s", "secrets").unwrap();
    let names: Vec<&str> = secrets.list_at(&["items"]).iter().map(|item| item.name()).collect();
    assert_eq!((secrets.kind(), names), ("SecretList", vec!["b"]));
    let layers = client.subresource_get(&api::IMAGE_STREAMS, "test", "s", "layers").unwrap();
    assert_eq!((layers.kind(), &layers["images"]), ("ImageStreamLayers", &json!({})));
    assert!(client.subresource_get(&api::IMAGE_STREAMS, "test", "x", "secrets").is_err());
}
