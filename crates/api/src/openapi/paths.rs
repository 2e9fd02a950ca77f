//! Paths and operations of a group and version.
//!
//! kubectl looks for the patch operation of a kind: which media types it takes and whether it has
//! `dryRun` and `fieldValidation`.
//!
//! Invariant: an operation is listed exactly when the resource supports its verb.

use apimachinery::{Map, Value, json};

use super::root;
use super::schemas::{Components, gvk};
use crate::{Resource, Scope, Subresource, Verb};

/// Media types of a patch.
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// The paths of all resources of a document.
pub(super) fn paths(
    group: &str,
    version: &str,
    resources: &[&'static Resource],
    components: &mut Components,
) -> Value {
    let mut out = Map::new();
    let root = format!("/{}", root(group, version));
    for resource in resources {
        let scope = match resource.scope {
            Scope::Namespaced => "/namespaces/{namespace}",
            Scope::Cluster => "",
        };
        let collection = format!("{root}{scope}/{}", resource.plural);
        let item = format!("{collection}/{{name}}");
        let whole = Whole { resource, components };
        out.extend(whole.into_paths(&root, &collection, &item));
        for sub in resource.subresources {
            let body = Body::of_subresource(resource, sub);
            let operations = operations(&body, sub.verbs, Target::Item, components);
            let parameters = path_parameters(resource.scope, true);
            insert(&mut out, format!("{item}/{}", sub.name), operations, parameters);
        }
    }
    out.into()
}

/// A resource itself, without sub-resources.
struct Whole<'a> {
    resource: &'static Resource,
    components: &'a mut Components,
}

impl Whole<'_> {
    fn into_paths(self, root: &str, collection: &str, item: &str) -> Map {
        let Self { resource, components } = self;
        let body = Body::of_resource(resource);
        let mut out = Map::new();
        let many = operations(&body, resource.verbs, Target::Collection, components);
        insert(&mut out, collection.to_owned(), many, path_parameters(resource.scope, false));
        let one = operations(&body, resource.verbs, Target::Item, components);
        insert(&mut out, item.to_owned(), one, path_parameters(resource.scope, true));
        if resource.namespaced() && resource.supports(Verb::List) {
            let all = operations(&body, &[Verb::List], Target::Collection, components);
            insert(&mut out, format!("{root}/{}", resource.plural), all, Vec::new());
        }
        out
    }
}

fn insert(out: &mut Map, path: String, mut operations: Map, parameters: Vec<Value>) {
    if operations.is_empty() {
        return;
    }
    if !parameters.is_empty() {
        operations.insert("parameters".to_owned(), parameters.into());
    }
    out.insert(path, operations.into());
}

/// What operations take and give.
struct Body {
    group: String,
    version: String,
    kind: String,
    list: String,
    id: String,
    tag: String,
    /// A sub-resource: creating posts below the object, e.g. to `pods/x/eviction`.
    below: bool,
}

impl Body {
    fn of_resource(resource: &Resource) -> Self {
        Self::new(resource, resource.group, resource.version, resource.kind, "")
    }

    fn of_subresource(resource: &Resource, sub: &Subresource) -> Self {
        let group = sub.group.unwrap_or(resource.group);
        let version = sub.version.unwrap_or(resource.version);
        Self::new(resource, group, version, sub.kind, sub.name)
    }

    fn new(resource: &Resource, group: &str, version: &str, kind: &str, sub: &str) -> Self {
        let first = match resource.group {
            "" => "core",
            group => group.split('.').next().unwrap_or(group),
        };
        let scope = if resource.namespaced() { "Namespaced" } else { "" };
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            list: format!("{kind}List"),
            id: format!(
                "{}{}{scope}{}{}",
                camel(first),
                camel(resource.version),
                camel(resource.plural),
                camel(sub)
            ),
            tag: format!("{first}_{}", resource.version),
            below: !sub.is_empty(),
        }
    }
}

/// Which URL an operation belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Collection,
    Item,
}

fn operations(body: &Body, verbs: &[Verb], target: Target, components: &mut Components) -> Map {
    let mut out = Map::new();
    for verb in verbs {
        let (method, action, on) = match verb {
            Verb::Create => ("post", "post", Target::Collection),
            Verb::Delete => ("delete", "delete", Target::Item),
            Verb::DeleteCollection => ("delete", "deletecollection", Target::Collection),
            Verb::Get => ("get", "get", Target::Item),
            Verb::List => ("get", "list", Target::Collection),
            Verb::Patch => ("patch", "patch", Target::Item),
            Verb::Update => ("put", "put", Target::Item),
            Verb::Watch => continue,
        };
        if on == target || body.below {
            out.insert(method.to_owned(), operation(body, *verb, action, components));
        }
    }
    out
}

fn operation(body: &Body, verb: Verb, action: &str, components: &mut Components) -> Value {
    let given = if verb == Verb::List { &body.list } else { &body.kind };
    let own = components.add_kind(&body.group, &body.version, given);
    let ok = match &own {
        Some(schema) => {
            json!({"description": "OK", "content": {"application/json": {"schema": schema}}})
        }
        None => json!({"description": "OK"}),
    };
    let mut out = json!({
        "tags": [body.tag],
        "operationId": format!("{action}{}", body.id),
        "parameters": query_parameters(verb),
        "responses": {"200": ok},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk(&body.group, &body.version, &body.kind),
    });
    let content: Map = match verb {
        Verb::Patch => {
            let schema = components.add_patch();
            PATCHES.iter().map(|kind| ((*kind).to_owned(), json!({"schema": schema}))).collect()
        }
        Verb::Create | Verb::Update => {
            own.map(|schema| ("*/*".to_owned(), json!({"schema": schema}))).into_iter().collect()
        }
        Verb::Delete | Verb::DeleteCollection => components
            .add_kind("", "v1", "DeleteOptions")
            .map(|schema| ("*/*".to_owned(), json!({"schema": schema})))
            .into_iter()
            .collect(),
        Verb::Get | Verb::List | Verb::Watch => Map::new(),
    };
    if !content.is_empty() {
        let required = matches!(verb, Verb::Patch | Verb::Create | Verb::Update);
        out["requestBody"] = json!({"content": content, "required": required});
    }
    out
}

fn query_parameters(verb: Verb) -> Value {
    let names: &[(&str, &str)] = match verb {
        Verb::Create | Verb::Update => {
            &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")]
        }
        Verb::Patch => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("force", "boolean"),
        ],
        Verb::Delete => &[
            ("dryRun", "string"),
            ("gracePeriodSeconds", "integer"),
            ("orphanDependents", "boolean"),
            ("propagationPolicy", "string"),
        ],
        Verb::DeleteCollection => &[
            ("dryRun", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("propagationPolicy", "string"),
        ],
        Verb::List | Verb::Watch => &[
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ],
        Verb::Get => &[],
    };
    names.iter().map(|(name, kind)| parameter("query", name, kind)).collect()
}

fn path_parameters(scope: Scope, item: bool) -> Vec<Value> {
    let mut out = Vec::new();
    if item {
        out.push(parameter("path", "name", "string"));
    }
    if scope == Scope::Namespaced {
        out.push(parameter("path", "namespace", "string"));
    }
    out
}

fn parameter(place: &str, name: &str, kind: &str) -> Value {
    let mut out = json!({"name": name, "in": place, "schema": {"type": kind, "uniqueItems": true}});
    if place == "path" {
        out["required"] = true.into();
    }
    out
}

/// `core` → `Core`.
fn camel(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
