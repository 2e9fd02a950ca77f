//! The documents that tell clients which groups, versions and resources there are.
//!
//! Invariant: groups and versions keep the order of the resource table (it decides how a client
//! resolves a bare resource name); resources of one group version are sorted by name.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/discovery`.

use api::{Resource, Scope, Subresource, Verb};
use apimachinery::{Value, json};

use super::accept::Clause;

/// Version of the aggregated discovery documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregated {
    V2,
    V2beta1,
}

impl Aggregated {
    fn word(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2beta1 => "v2beta1",
        }
    }

    pub(crate) fn content_type(self) -> String {
        format!("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", self.word())
    }
}

/// The version of the aggregated documents to answer with; `None` for the plain ones.
///
/// A client that names a version must get exactly that one: it cannot read the other.
pub(crate) fn negotiate(clauses: &[Clause]) -> Option<Aggregated> {
    for clause in clauses.iter().filter(|clause| clause.admits("application/json")) {
        if clause.parameter("as").is_empty() {
            return None;
        }
        let known = clause.parameter("as") == "APIGroupDiscoveryList"
            && clause.parameter("g") == "apidiscovery.k8s.io";
        match clause.parameter("v") {
            "v2" if known => return Some(Aggregated::V2),
            "v2beta1" if known => return Some(Aggregated::V2beta1),
            _ => {}
        }
    }
    None
}

/// `/api`: the versions of the core group.
pub(crate) fn api_versions(resources: &[&Resource], address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": versions(resources, ""),
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis`: every named group.
pub(crate) fn group_list(resources: &[&Resource]) -> Value {
    let groups: Vec<Value> =
        groups(resources).into_iter().map(|name| group_body(resources, name)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/<name>`.
pub(crate) fn group(resources: &[&Resource], name: &str) -> Option<Value> {
    if name.is_empty() || versions(resources, name).is_empty() {
        return None;
    }
    let mut group = group_body(resources, name);
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Some(group)
}

/// `/oapi/v1`.
#[must_use]
pub fn oapi_list() -> Option<Value> {
    resource_list(crate::legacy::resources(), "", "v1")
}

/// `/api/v1` and `/apis/<group>/<version>`.
#[must_use]
pub fn resource_list(resources: &[&Resource], group: &str, version: &str) -> Option<Value> {
    let served = of_version(resources, group, version);
    if served.is_empty() {
        return None;
    }
    let mut entries: Vec<(String, Value)> = Vec::new();
    for resource in served {
        entries.push((resource.plural.to_owned(), resource_entry(resource)));
        for sub in resource.subresources {
            let name = format!("{}/{}", resource.plural, sub.name);
            entries.push((name.clone(), subresource_entry(resource, sub, &name)));
        }
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let entries: Vec<Value> = entries.into_iter().map(|(_, entry)| entry).collect();
    let group_version = apimachinery::gvk::api_version(group, version);
    let mut list =
        json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": entries});
    if !group.is_empty() {
        list["apiVersion"] = json!("v1");
    }
    Some(list)
}

/// The aggregated form of `/api` (`core`) or `/apis`.
pub(crate) fn aggregated(resources: &[&Resource], core: bool, version: Aggregated) -> Value {
    let names = if core { vec![""] } else { groups(resources) };
    let items: Vec<Value> = names.into_iter().map(|name| discovered(resources, name)).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{}", version.word()),
        "metadata": {},
        "items": items,
    })
}

/// The paths that `/` lists.
pub(crate) fn root_paths(resources: &[&Resource]) -> Value {
    let mut paths: Vec<String> = ["/api", "/apis", "/healthz", "/livez", "/openapi/v2"]
        .into_iter()
        .chain(["/openapi/v3", "/readyz", "/version", "/version/openshift"])
        .map(ToOwned::to_owned)
        .collect();
    for version in versions(resources, "") {
        paths.push(format!("/api/{version}"));
    }
    for group in groups(resources) {
        paths.push(format!("/apis/{group}"));
        for version in versions(resources, group) {
            paths.push(format!("/apis/{group}/{version}"));
        }
    }
    paths.sort();
    json!({"paths": paths})
}

fn groups(resources: &[&Resource]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for resource in resources {
        if !resource.group.is_empty() && !names.contains(&resource.group) {
            names.push(resource.group);
        }
    }
    names
}

fn versions(resources: &[&Resource], group: &str) -> Vec<&'static str> {
    let mut words = Vec::new();
    for resource in resources {
        if resource.group == group && !words.contains(&resource.version) {
            words.push(resource.version);
        }
    }
    words
}

fn of_version<'a>(resources: &[&'a Resource], group: &str, version: &str) -> Vec<&'a Resource> {
    let mut served: Vec<&Resource> = resources
        .iter()
        .copied()
        .filter(|resource| resource.group == group && resource.version == version)
        .collect();
    served.sort_by_key(|resource| resource.plural);
    served
}

fn group_body(resources: &[&Resource], name: &str) -> Value {
    let versions: Vec<Value> = versions(resources, name)
        .into_iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({"name": name, "versions": versions, "preferredVersion": preferred})
}

fn resource_entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": resource.plural,
        "singularName": "",
        "namespaced": resource.namespaced(),
        "kind": resource.kind,
        "verbs": words(resource.verbs),
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    entry
}

fn subresource_entry(resource: &Resource, sub: &Subresource, name: &str) -> Value {
    let mut entry = json!({
        "name": name,
        "singularName": "",
        "namespaced": resource.namespaced(),
        "kind": sub.kind,
        "verbs": words(sub.verbs),
    });
    if let Some(group) = sub.group.filter(|group| !group.is_empty()) {
        entry["group"] = json!(group);
    }
    if let Some(version) = sub.version {
        entry["version"] = json!(version);
    }
    entry
}

fn discovered(resources: &[&Resource], group: &str) -> Value {
    let versions: Vec<Value> = versions(resources, group)
        .into_iter()
        .map(|version| {
            let served: Vec<Value> = of_version(resources, group, version)
                .into_iter()
                .map(discovered_resource)
                .collect();
            json!({"version": version, "freshness": "Current", "resources": served})
        })
        .collect();
    let mut metadata = json!({"creationTimestamp": null});
    if !group.is_empty() {
        metadata["name"] = json!(group);
    }
    json!({"metadata": metadata, "versions": versions})
}

fn discovered_resource(resource: &Resource) -> Value {
    let scope = match resource.scope {
        Scope::Namespaced => "Namespaced",
        Scope::Cluster => "Cluster",
    };
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": response_kind(resource.group, resource.version, resource.kind),
        "scope": scope,
        "singularResource": resource.singular,
        "verbs": words(resource.verbs),
    });
    // Clients that read this form warn of a short name that two groups claim: only the group that
    // the objects belong to keeps it.
    if !resource.short_names.is_empty() && resource.group == resource.storage.0 {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    let mut subs: Vec<&Subresource> = resource.subresources.iter().collect();
    subs.sort_by_key(|sub| sub.name);
    if !subs.is_empty() {
        let subs: Vec<Value> = subs
            .into_iter()
            .map(|sub| {
                let group = sub.group.unwrap_or(resource.group);
                let version = sub.version.unwrap_or(resource.version);
                json!({
                    "subresource": sub.name,
                    "responseKind": response_kind(group, version, sub.kind),
                    "verbs": words(sub.verbs),
                })
            })
            .collect();
        entry["subresources"] = Value::from(subs);
    }
    entry
}

fn response_kind(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

fn words(verbs: &[Verb]) -> Vec<&'static str> {
    let mut words: Vec<&str> = verbs.iter().map(|verb| verb.as_str()).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests;
