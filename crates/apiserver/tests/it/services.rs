//! Addresses and node ports of services.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::{DeleteOptions, PatchKind};

use crate::cluster;

fn service(name: &str, spec: Value) -> Value {
    let mut spec = spec;
    spec["ports"] = json!([{"port": 80, "protocol": "TCP", "targetPort": 8080}]);
    json!({"metadata": {"name": name}, "spec": spec})
}

#[test]
fn the_api_has_the_first_address() {
    let client = cluster();
    let kubernetes = client.get(&api::SERVICES, "default", "kubernetes").unwrap();
    assert_eq!(kubernetes.str_at(&["spec", "clusterIP"]), "172.30.0.1");
}

#[test]
fn addresses_are_given_kept_and_given_back() {
    let client = cluster();
    let create =
        |name: &str, spec: Value| client.create(&api::SERVICES, "test", service(name, spec));
    let created = create("a", json!({})).unwrap();
    let ip = created.str_at(&["spec", "clusterIP"]).to_owned();
    assert!(ip.starts_with("172.30."));
    let taken = create("b", json!({"clusterIP": ip})).unwrap_err();
    assert_eq!(
        taken.message,
        format!(
            "Service \"b\" is invalid: spec.clusterIP: Invalid value: {ip:?}: provided IP is already allocated"
        )
    );
    let outside = create("b", json!({"clusterIP": "10.0.0.1"})).unwrap_err();
    assert!(outside.message.contains("provided IP is not in the valid range"));

    let patch = json!({"spec": {"clusterIP": "172.30.9.9"}});
    let fixed = client.patch(&api::SERVICES, "test", "a", PatchKind::Merge, patch).unwrap_err();
    assert!(
        fixed.message.contains("spec.clusterIP: Invalid value: \"172.30.9.9\": field is immutable"),
        "{}",
        fixed.message
    );
    let mut without = (*created).clone();
    without["spec"].as_object_mut().unwrap().remove("clusterIP");
    without.set(&["metadata", "labels", "x"], json!("y"));
    let kept = client.update(&api::SERVICES, without).unwrap();
    assert_eq!(kept.str_at(&["spec", "clusterIP"]), ip);

    client.delete(&api::SERVICES, "test", "a", DeleteOptions::default()).unwrap();
    create("b", json!({"clusterIP": ip})).unwrap();
}

#[test]
fn headless_and_external_services_have_no_address() {
    let client = cluster();
    let headless = service("h", json!({"clusterIP": "None"}));
    let headless = client.create(&api::SERVICES, "test", headless).unwrap();
    assert_eq!(headless.str_at(&["spec", "clusterIP"]), "None");
    let external = json!({"type": "ExternalName", "externalName": "example.com"});
    let external = client.create(&api::SERVICES, "test", service("e", external)).unwrap();
    assert_eq!(external.str_at(&["spec", "clusterIP"]), "");
}

#[test]
fn node_ports_are_unique_and_stay() {
    let client = cluster();
    let created =
        client.create(&api::SERVICES, "test", service("a", json!({"type": "NodePort"}))).unwrap();
    let port = created["spec"]["ports"][0]["nodePort"].as_i64().unwrap();
    assert!((30000..=32767).contains(&port));
    let mut other = service("b", json!({"type": "NodePort"}));
    other["spec"]["ports"][0]["nodePort"] = json!(port);
    let taken = client.create(&api::SERVICES, "test", other).unwrap_err();
    assert!(taken.message.contains("provided port is already allocated"));
    let mut without = (*created).clone();
    without["spec"]["ports"][0].as_object_mut().unwrap().remove("nodePort");
    let kept = client.update(&api::SERVICES, without).unwrap();
    assert_eq!(kept.resource_version(), created.resource_version());
    let patch = json!({"spec": {"type": "ClusterIP", "externalTrafficPolicy": null}});
    let changed = client.patch(&api::SERVICES, "test", "a", PatchKind::Merge, patch).unwrap();
    assert_eq!(changed["spec"]["ports"][0].get("nodePort"), None);
    let mut again = service("b", json!({"type": "NodePort"}));
    again["spec"]["ports"][0]["nodePort"] = json!(port);
    client.create(&api::SERVICES, "test", again).unwrap();
}
