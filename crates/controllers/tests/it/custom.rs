//! Custom resources: owned, owning, in a namespace that goes, under a definition that goes.

use api::{CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES, Resource};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{DeleteOptions, PatchKind};

use crate::cluster::{Cluster, NS};

const NAME: &str = "widgets.example.com";

fn define(cluster: &Cluster) -> &'static Resource {
    let definition = json!({
        "metadata": {"name": NAME},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    cluster.client.create(&CUSTOM_RESOURCE_DEFINITIONS, "", definition).unwrap();
    cluster.client.server().find("example.com", "v1", "widgets").unwrap()
}

fn owned_by(owner: &Value) -> Value {
    json!([{"apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(),
        "uid": owner.uid()}])
}

#[test]
fn they_own_and_are_owned() {
    for policy in ["Background", "Foreground"] {
        let mut cluster = Cluster::new(1);
        cluster.settle(1);
        let widgets = define(&cluster);
        let top = cluster.create(&CONFIG_MAPS, json!({"metadata": {"name": "top"}}));
        let metadata = json!({"name": "middle", "ownerReferences": owned_by(&top)});
        let middle = cluster.create(widgets, json!({"metadata": metadata}));
        let metadata = json!({"name": "bottom", "ownerReferences": owned_by(&middle)});
        cluster.create(&CONFIG_MAPS, json!({"metadata": metadata}));
        cluster.settle(1);
        assert_eq!(cluster.list(&CONFIG_MAPS).len(), 2);
        cluster.delete(&CONFIG_MAPS, "top", policy);
        cluster.settle(1);
        assert!(cluster.list(widgets).is_empty(), "{policy}");
        assert!(cluster.list(&CONFIG_MAPS).is_empty(), "{policy}");
        cluster.assert_quiet();
    }
}

#[test]
fn orphans_lose_their_reference_only() {
    let mut cluster = Cluster::new(2);
    let widgets = define(&cluster);
    let top = cluster.create(&CONFIG_MAPS, json!({"metadata": {"name": "top"}}));
    let metadata = json!({"name": "child", "ownerReferences": owned_by(&top)});
    cluster.create(widgets, json!({"metadata": metadata}));
    cluster.settle(1);
    cluster.delete(&CONFIG_MAPS, "top", "Orphan");
    cluster.settle(1);
    assert!(cluster.get(widgets, "child").owner_references().is_empty());
    assert!(cluster.list(&CONFIG_MAPS).is_empty());
}

#[test]
fn a_namespace_waits_for_their_finalizers() {
    let mut cluster = Cluster::new(3);
    let widgets = define(&cluster);
    let metadata = json!({"name": "held", "finalizers": ["example.com/hold"]});
    cluster.create(widgets, json!({"metadata": metadata}));
    cluster.client.delete(&NAMESPACES, "", NS, DeleteOptions::default()).unwrap();
    cluster.settle(30);
    assert!(cluster.get(widgets, "held").deletion_timestamp().is_some());
    cluster.patch(widgets, "held", json!({"metadata": {"finalizers": null}}));
    cluster.settle(30);
    assert_eq!(cluster.client.find(&NAMESPACES, "", NS).unwrap(), None);
}

#[test]
fn a_definition_goes_after_its_objects() {
    let mut cluster = Cluster::new(4);
    let widgets = define(&cluster);
    cluster.create(widgets, json!({"metadata": {"name": "free"}}));
    let metadata = json!({"name": "held", "finalizers": ["example.com/hold"]});
    cluster.create(widgets, json!({"metadata": metadata}));
    let crds = &CUSTOM_RESOURCE_DEFINITIONS;
    cluster.client.delete(crds, "", NAME, DeleteOptions::default()).unwrap();
    cluster.settle(30);
    let names: Vec<String> = cluster.list(widgets).iter().map(|w| w.name().to_owned()).collect();
    assert_eq!(names, ["held"]);
    let definition = cluster.client.get(crds, "", NAME).unwrap();
    assert_eq!(
        definition["metadata"]["finalizers"],
        json!(["customresourcecleanup.apiextensions.k8s.io"])
    );
    let free = json!({"metadata": {"finalizers": null}});
    cluster.client.patch(widgets, NS, "held", PatchKind::Merge, free).unwrap();
    cluster.settle(30);
    assert_eq!(cluster.client.find(crds, "", NAME).unwrap(), None);
    cluster.assert_quiet();
}
