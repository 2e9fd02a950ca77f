//! What the OpenAPI documents say of custom resources: enough for `explain`, `apply` and `diff`.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder`.

use api::Resource;
use apimachinery::ObjectExt as _;
use apimachinery::{Map, Value, json};

use super::Definition;
use crate::server::ApiServer;

impl ApiServer {
    /// Group, version and hash of each document about custom resources.
    pub(crate) fn custom_documents(&self) -> Vec<(String, String, String)> {
        let mut found: Vec<(String, String, String)> = Vec::new();
        for resource in self.resources().iter().filter(|resource| super::is_custom(resource)) {
            let (group, version) = (resource.group, resource.version);
            let known = found.iter().any(|(g, v, _)| g == group && v == version);
            if let Some(document) = self.custom_document(group, version).filter(|_| !known) {
                let text = document.to_string();
                let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
                found.push((group.to_owned(), version.to_owned(), format!("{hash:016X}")));
            }
        }
        found
    }

    /// The document of a group and version of custom resources.
    pub(crate) fn custom_document(&self, group: &str, version: &str) -> Option<Value> {
        let mut schemas = Map::new();
        let mut paths = Map::new();
        for resource in self.resources().iter().filter(|resource| super::is_custom(resource)) {
            if resource.group != group || resource.version != version {
                continue;
            }
            let definition = self.definition(resource)?;
            let name = schema_name(resource);
            schemas.insert(name.clone(), schema(resource, &definition));
            add_paths(resource, &name, &mut paths);
        }
        if schemas.is_empty() {
            return None;
        }
        if let Some(core) = api::openapi::v3_document("", "v1") {
            let all = core.at(&["components", "schemas"]).and_then(Value::as_object);
            let meta = all.into_iter().flatten();
            let meta = meta.filter(|(name, _)| name.contains(".apis.meta.v1."));
            schemas.extend(meta.map(|(name, schema)| (name.clone(), schema.clone())));
        }
        Some(json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
            "paths": paths,
            "components": {"schemas": schemas},
        }))
    }
}

/// `com.example.stable.v1.CronTab`
fn schema_name(resource: &Resource) -> String {
    let mut parts: Vec<&str> = resource.group.split('.').collect();
    parts.reverse();
    format!("{}.{}.{}", parts.join("."), resource.version, resource.kind)
}

fn gvk(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn schema(resource: &Resource, definition: &Definition) -> Value {
    let mut schema = definition
        .schema(resource.version)
        .cloned()
        .unwrap_or_else(|| json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
    let meta = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    schema.set(&["properties", "apiVersion"], json!({"type": "string"}));
    schema.set(&["properties", "kind"], json!({"type": "string"}));
    schema.set(&["properties", "metadata"], json!({"allOf": [{"$ref": meta}], "default": {}}));
    schema.set(&["x-kubernetes-group-version-kind"], json!([gvk(resource)]));
    schema
}

fn add_paths(resource: &Resource, schema: &str, paths: &mut Map) {
    let root = format!("/apis/{}/{}", resource.group, resource.version);
    let place = if resource.namespaced() {
        format!("{root}/namespaces/{{namespace}}/{}", resource.plural)
    } else {
        format!("{root}/{}", resource.plural)
    };
    let parameter = |name: &&str| {
        let kind = if *name == "force" { "boolean" } else { "string" };
        json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
    };
    let answer = json!({"200": {"description": "OK", "content": {"application/json": {
        "schema": {"$ref": format!("#/components/schemas/{schema}")}}}}});
    let operation = |action: &str, media: &[&str], names: &[&str]| {
        let mut of = json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk(resource),
            "parameters": names.iter().map(parameter).collect::<Vec<_>>(),
            "responses": answer,
        });
        if !media.is_empty() {
            let content: Map = media
                .iter()
                .map(|media| ((*media).to_owned(), json!({"schema": {"type": "object"}})))
                .collect();
            of["requestBody"] = json!({ "content": content });
        }
        of
    };
    let write = ["dryRun", "fieldManager", "fieldValidation"];
    let json_only = ["application/json"];
    let patches = [
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
    ];
    paths.insert(
        place.clone(),
        json!({
            "get": operation("list", &[], &["labelSelector", "fieldSelector", "limit", "watch"]),
            "post": operation("post", &json_only, &write),
        }),
    );
    paths.insert(
        format!("{place}/{{name}}"),
        json!({
            "get": operation("get", &[], &[]),
            "put": operation("put", &json_only, &write),
            "delete": operation("delete", &json_only, &["dryRun"]),
            "patch": operation("patch", &patches,
                &["dryRun", "fieldManager", "fieldValidation", "force"]),
        }),
    );
}
