//! Discovery over a small table of resources.

use api::resource::FULL;

use super::*;
use crate::http::accept::clauses;

const fn resource(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
) -> Resource {
    Resource {
        group,
        version,
        plural,
        singular: "",
        kind,
        scope: Scope::Namespaced,
        short_names: &[],
        categories: &[],
        verbs: FULL,
        subresources: &[],
        storage: (group, version),
    }
}

static PODS: Resource = resource("", "v1", "pods", "Pod");
static BINDINGS: Resource = resource("", "v1", "bindings", "Binding");
static NEW: Resource = Resource {
    subresources: &[Subresource {
        name: "scale",
        kind: "Scale",
        group: Some("autoscaling"),
        version: Some("v1"),
        verbs: &[Verb::Update, Verb::Get, Verb::Patch],
    }],
    short_names: &["deploy"],
    ..resource("apps", "v1", "deployments", "Deployment")
};
static OLD: Resource = resource("apps", "v1beta1", "deployments", "Deployment");
static ALL: &[&Resource] = &[&PODS, &NEW, &OLD, &BINDINGS];

#[test]
fn lists_are_sorted_and_groups_keep_their_order() {
    let core = resource_list(ALL, "", "v1").unwrap();
    assert_eq!(core["resources"][0]["name"], "bindings");
    assert_eq!(core.get("apiVersion"), None);
    let apps = resource_list(ALL, "apps", "v1").unwrap();
    assert_eq!(
        apps["resources"][1],
        json!({"name": "deployments/scale", "singularName": "", "namespaced": true,
               "kind": "Scale", "group": "autoscaling", "version": "v1",
               "verbs": ["get", "patch", "update"]})
    );
    let groups = group_list(ALL);
    assert_eq!(groups["groups"][0]["preferredVersion"]["groupVersion"], "apps/v1");
    assert_eq!(groups["groups"][0]["versions"][1]["version"], "v1beta1");
    assert_eq!(group(ALL, "nosuch"), None);
    assert_eq!(resource_list(ALL, "apps", "v2"), None);
}

#[test]
fn the_aggregated_form_has_the_version_asked_for() {
    let ask = |header: &str| negotiate(&clauses(Some(header)));
    let new = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
               application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
               application/json";
    let old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
               application/json";
    assert_eq!(ask(new), Some(Aggregated::V2));
    assert_eq!(ask(old), Some(Aggregated::V2beta1));
    assert_eq!(ask("application/json"), None);
    assert_eq!(ask("*/*"), None);
    let document = aggregated(ALL, false, Aggregated::V2beta1);
    assert_eq!(document["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    let scale = &document["items"][0]["versions"][0]["resources"][0]["subresources"][0];
    assert_eq!(
        scale["responseKind"],
        json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})
    );
    let core = aggregated(ALL, true, Aggregated::V2);
    assert_eq!(core["items"][0]["metadata"].get("name"), None);
}
