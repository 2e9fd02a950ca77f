//! `oc new-app`, `tag`, `set triggers`, `expose`, `create route`, `import-image`, `new-build`.

use apimachinery::{Value, json};

use super::{path, shop};

const BY: &str = "openshift.io/generated-by";

/// What `oc new-app --image-stream=web:v1` creates after the stream.
fn application() -> [(&'static str, &'static str, Value); 2] {
    let labels = json!({"app": "web", "deploymentconfig": "web"});
    let metadata = json!({"name": "web", "labels": {"app": "web"}, "creationTimestamp": null,
        "annotations": {BY: "OpenShiftNewApp"}});
    let config = json!({
        "kind": "DeploymentConfig", "apiVersion": "apps.openshift.io/v1", "metadata": metadata,
        "spec": {
            "replicas": 1, "selector": labels, "strategy": {"resources": {}}, "test": false,
            "triggers": [{"type": "ConfigChange"}, {"type": "ImageChange", "imageChangeParams": {
                "automatic": true, "containerNames": ["web"],
                "from": {"kind": "ImageStreamTag", "name": "web:v1"}}}],
            "template": {
                "metadata": {"creationTimestamp": null, "labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web:v1", "resources": {},
                    "ports": [{"containerPort": 8080, "protocol": "TCP"}]}]},
            },
        },
        "status": {"availableReplicas": 0, "latestVersion": 0, "observedGeneration": 0,
            "replicas": 0, "unavailableReplicas": 0, "updatedReplicas": 0},
    });
    let service = json!({
        "kind": "Service", "apiVersion": "v1", "metadata": metadata,
        "spec": {"selector": labels, "ports": [
            {"name": "8080-tcp", "port": 8080, "protocol": "TCP", "targetPort": 8080}]},
        "status": {"loadBalancer": {}},
    });
    [("apps.openshift.io", "deploymentconfigs", config), ("", "services", service)]
}

#[test]
fn a_mapping_made_by_hand_is_as_large_as_its_manifest_says() {
    let (_cluster, admin, alice) = shop();
    let range = json!({"kind": "LimitRange", "apiVersion": "v1", "metadata": {"name": "images"},
        "spec": {"limits": [{"type": "openshift.io/Image", "max": {"storage": "1Ki"}}]}});
    admin.post(&path("", "limitranges"), &range).ok();
    let stream = json!({"kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": "web"}});
    alice.post(&path("image", "imagestreams"), &stream).ok();
    let push = |size: u64| {
        let layers = json!([{"digest": "sha256:a", "size": size}]);
        let manifest =
            json!({"schemaVersion": 2, "config": {"digest": "sha256:c"}, "layers": layers});
        let mapping = json!({"kind": "ImageStreamMapping", "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": "web"}, "tag": "v1", "image": {
                "metadata": {"name": format!("sha256:{size:064}")},
                "dockerImageReference": "web", "dockerImageManifest": manifest.to_string(),
                "dockerImageMetadata": {"kind": "DockerImage", "apiVersion": "1.0", "Size": 1},
                "dockerImageLayers": [{"name": "sha256:a", "size": 1, "mediaType": ""}]}});
        alice.post(&path("image", "imagestreammappings"), &mapping)
    };
    assert_eq!(
        push(2048).refusal(),
        "403 imagestreammappings.image.openshift.io \"web\" is forbidden: requested usage of storage \
         exceeds the maximum limit per openshift.io/Image (2Ki > 1Ki)"
    );
    assert_eq!(push(1000).code, 201);
}

#[test]
fn a_new_application_runs_follows_its_tag_and_is_exposed() {
    let (cluster, _, alice) = shop();
    let digest = cluster.image("web:1", "{}");
    let second = cluster.image("web:2", r#"{"logs": ["second"]}"#);
    assert_ne!(digest, second);
    let stream = json!({"kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {BY: "OpenShiftNewApp"}},
        "spec": {"lookupPolicy": {"local": false}}, "status": {"dockerImageRepository": ""}});
    alice.post(&path("image", "imagestreams"), &stream).ok();
    let push = |digest: &str, tag: &str| {
        let mapping = json!({"kind": "ImageStreamMapping", "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": "web"}, "tag": tag, "image": {
                "metadata": {"name": digest}, "dockerImageReference": format!("web@{digest}"),
                "dockerImageMetadata": {"kind": "DockerImage", "apiVersion": "1.0"}}});
        assert_eq!(alice.post(&path("image", "imagestreammappings"), &mapping).code, 201);
    };
    push(&digest, "v1");
    for (group, resource, object) in application() {
        alice.post(&path(group, resource), &object).ok();
    }
    alice.wait(&path("apps.openshift.io", "deploymentconfigs"), "web", |dc| {
        dc["status"]["availableReplicas"] == 1
    });
    // What new-app asks to learn of an image's ports.
    let image = alice.get(&path("image", &format!("imagestreamimages/web@{digest}"))).ok();
    assert_eq!(image["image"]["metadata"]["name"], digest);
    // oc tag web:v2 web:v1 moves what is deployed.
    push(&second, "v2");
    let tag = json!({"kind": "ImageStreamTag", "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": "web:v1", "namespace": "shop"},
        "tag": {"name": "", "annotations": null, "generation": null, "importPolicy": {},
            "referencePolicy": {"type": "Source"},
            "from": {"kind": "ImageStreamImage", "name": format!("web@{second}")}}});
    alice.put(&path("image", "imagestreamtags/web:v1"), &tag).ok();
    let moved = alice.wait(&path("apps.openshift.io", "deploymentconfigs"), "web", |dc| {
        dc["status"]["latestVersion"] == 2 && dc["status"]["availableReplicas"] == 1
    });
    assert_eq!(moved["status"]["details"]["causes"][0]["type"], "ImageChange");
    // oc set triggers dc/web --manual
    let manual = json!({"spec": {"triggers": [{"type": "ImageChange", "imageChangeParams": {
        "containerNames": ["web"], "from": {"kind": "ImageStreamTag", "name": "web:v1"}}}]}});
    let changed = alice.patch(&path("apps.openshift.io", "deploymentconfigs/web"), &manual).ok();
    assert_eq!(changed["spec"]["triggers"].as_array().unwrap().len(), 1);
}

#[test]
fn routes_get_hosts_and_are_refused_twice() {
    let (_cluster, _, alice) = shop();
    let [_, (_, _, service)] = application();
    alice.post(&path("", "services"), &service).ok();
    assert_eq!(
        alice.get(&path("", "services/nosuch")).refusal(),
        "404 services \"nosuch\" not found"
    );
    let route = |name: &str, more: Value| {
        let mut route = json!({"kind": "Route", "apiVersion": "route.openshift.io/v1",
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"host": "", "to": {"kind": "", "name": "web", "weight": null},
                "port": {"targetPort": "8080-tcp"}},
            "status": {"ingress": null}});
        for (field, value) in more.as_object().unwrap() {
            route["spec"][field] = value.clone();
        }
        alice.post(&path("route", "routes"), &route)
    };
    let exposed = route("web", json!({})).ok();
    let spec = &exposed["spec"];
    assert!(spec["host"].as_str().unwrap().starts_with("web-shop."), "{spec}");
    assert_eq!(exposed["metadata"]["annotations"]["openshift.io/host.generated"], "true");
    assert_eq!(spec["to"], json!({"kind": "Service", "name": "web", "weight": 100}));
    assert_eq!(spec["wildcardPolicy"], "None");
    assert_eq!(
        route("web", json!({})).refusal(),
        "409 routes.route.openshift.io \"web\" already exists"
    );
    let named = route("web2", json!({"host": "www.example.com", "path": "/x"})).ok();
    assert_eq!(named["spec"]["host"], "www.example.com");
    for termination in ["edge", "passthrough", "reencrypt"] {
        let made = route(termination, json!({"tls": {"termination": termination}})).ok();
        assert_eq!(made["spec"]["tls"]["termination"], termination);
    }
}
