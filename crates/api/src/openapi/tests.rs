//! What kubectl looks for in the documents.

use apimachinery::{Value, json};

use super::{fnv, v2_document, v2_protobuf, v3_document, v3_hash, v3_index};

#[test]
fn index_names_every_document_with_its_hash() {
    let index = v3_index();
    let paths = index["paths"].as_object().unwrap();
    let hash = v3_hash("apps", "v1").unwrap();
    assert_eq!(
        paths["apis/apps/v1"]["serverRelativeURL"],
        format!("/openapi/v3/apis/apps/v1?hash={hash}")
    );
    assert!(paths.contains_key("api/v1") && paths.contains_key("apis/apps.openshift.io/v1"));
    assert!(v3_document("apps", "v9").is_none() && v3_hash("apps", "v9").is_none());
}

#[test]
fn patch_operations_say_what_they_take() {
    let document = v3_document("apps", "v1").unwrap();
    let item = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    let patch = &document["paths"][item]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "apps", "kind": "Deployment", "version": "v1"})
    );
    assert_eq!(patch["x-kubernetes-action"], "patch");
    let content = patch["requestBody"]["content"].as_object().unwrap();
    assert!(content.contains_key("application/strategic-merge-patch+json"));
    assert!(content.contains_key("application/apply-patch+yaml"));
    let parameters = patch["parameters"].as_array().unwrap();
    for name in ["dryRun", "fieldValidation", "fieldManager", "force"] {
        assert!(parameters.iter().any(|parameter| parameter["name"] == name), "{name}");
    }
    let scale = &document["paths"][format!("{item}/scale")]["put"];
    assert_eq!(scale["x-kubernetes-group-version-kind"]["kind"], "Scale");
}

#[test]
fn schemas_carry_kinds_and_patch_keys() {
    let document = v3_document("apps", "v1").unwrap();
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"],
        json!([{"group": "apps", "kind": "Deployment", "version": "v1"}])
    );
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert_eq!(
        schemas["io.k8s.api.apps.v1.Deployment"]["properties"]["spec"],
        json!({"allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}],
            "default": {}})
    );
}

#[test]
fn references_lead_somewhere() {
    for (group, version) in super::group_versions() {
        let document = v3_document(group, version).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut queue = vec![&document];
        while let Some(value) = queue.pop() {
            match value {
                Value::Object(map) => queue.extend(map.values()),
                Value::Array(list) => queue.extend(list),
                Value::String(text) => {
                    if let Some(name) = text.strip_prefix("#/components/schemas/") {
                        assert!(schemas[name].is_object(), "{name}");
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_served_kind_has_a_type() {
    let mut missing = Vec::new();
    for resource in crate::resources() {
        let lists = resource.supports(crate::Verb::List).then(|| resource.list_kind());
        for kind in [Some(resource.kind.to_owned()), lists].into_iter().flatten() {
            if crate::schema::type_of(resource.group, resource.version, &kind).is_none() {
                missing.push(format!("{}/{} {kind}", resource.group, resource.version));
            }
        }
    }
    // Listing project requests answers a Status.
    assert_eq!(missing, ["project.openshift.io/v1 ProjectRequestList"]);
}

/// When this fails because documents look different now: raise `FORMAT`, or clients keep old ones.
#[test]
fn the_form_of_documents_is_what_the_hash_says() {
    let document = v3_document("coordination.k8s.io", "v1").unwrap().to_string();
    assert_eq!((super::FORMAT, fnv(document.as_bytes())), (1, 14_785_448_314_417_421_247));
}

#[test]
fn the_older_document_has_plain_references() {
    let document = v2_document();
    let spec = &document["definitions"]["io.k8s.api.apps.v1.DeploymentSpec"]["properties"];
    assert_eq!(
        spec["strategy"],
        json!({"$ref": "#/definitions/io.k8s.api.apps.v1.DeploymentStrategy",
            "x-kubernetes-patch-strategy": "retainKeys"})
    );
    let item = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    let patch = &document["paths"][item]["patch"];
    assert_eq!(patch["consumes"].as_array().unwrap().len(), 4);
    let body = patch["parameters"].as_array().unwrap().last().unwrap();
    assert_eq!(body["schema"]["$ref"], "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch");
    assert!(!document.to_string().contains("#/components"));
    // swagger = 1, "2.0"; info = 2.
    assert_eq!(v2_protobuf()[..6], [0x0a, 3, b'2', b'.', b'0', 0x12]);
}
