//! Custom resources: kinds that a `CustomResourceDefinition` adds while the server runs.
//!
//! A definition is called `<plural>.<group>`, so a request for a resource that is not built in finds
//! its definition by one read of the store; nothing is registered and nothing can go stale.
//! Reading order: [`Definition`], `body` (decode, prune, default), `check` (validation), `rules` (in CEL), `strategy`
//! (of definitions and of their objects), `scale`, `columns`, `openapi`.
//!
//! Invariant: a [`Resource`] made for a version of a definition is kept for good and shared by all
//! that look the same; there are at most [`MAX_RESOURCES`] of them in a process.
//!
//! Deviation: a definition is established at once, not by a controller; webhooks do not convert;
//! definitions sent as `v1beta1` are
//! stored, and shown again, with everything per version.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/apiserver`.

pub(crate) mod body;
pub(crate) mod check;
pub(crate) mod columns;
pub(crate) mod openapi;
pub(crate) mod path;
mod rules;
pub(crate) mod scale;
pub(crate) mod strategy;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::decode::Mode;
use api::{Resource, Scope, Subresource};
use apimachinery::Value;
use apimachinery::field::ErrorList;
use apimachinery::{ObjectExt as _, Status};
use parking_lot::Mutex;
use store::Range;

use crate::call::ListOptions;
use crate::schema::{Body, Decoded};
use crate::selection::Selection;
use crate::server::ApiServer;
use crate::{key, schema};

/// How many different versions of custom resources a process may ever serve.
const MAX_RESOURCES: usize = 10_000;

/// A definition as stored.
#[derive(Debug, Clone)]
pub(crate) struct Definition(Arc<Value>);

impl Definition {
    pub(crate) fn group(&self) -> &str {
        self.0.str_at(&["spec", "group"])
    }

    pub(crate) fn plural(&self) -> &str {
        self.0.str_at(&["spec", "names", "plural"])
    }

    /// The versions that are served.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Value> {
        self.0.list_at(&["spec", "versions"]).iter().filter(|version| version.bool_at(&["served"]))
    }

    pub(crate) fn version(&self, name: &str) -> Option<&Value> {
        self.versions().find(|version| version.str_at(&["name"]) == name)
    }

    pub(crate) fn schema(&self, version: &str) -> Option<&Value> {
        self.version(version)?.at(&["schema", "openAPIV3Schema"])
    }

    /// Whether fields that no schema names are kept.
    pub(crate) fn preserves(&self) -> bool {
        self.0.bool_at(&["spec", "preserveUnknownFields"])
    }

    pub(crate) fn established(&self) -> bool {
        let conditions = self.0.list_at(&["status", "conditions"]);
        conditions.iter().any(|condition| {
            condition.str_at(&["type"]) == "Established" && condition.str_at(&["status"]) == "True"
        })
    }

    /// One version as it is served.
    pub(crate) fn resource(&self, version: &str) -> Option<&'static Resource> {
        let of = self.version(version)?;
        let names = |field: &str| {
            let list = self.0.list_at(&["spec", "names", field]);
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let text = |path: &[&str]| self.0.str_at(path).to_owned();
        let storage = self.0.list_at(&["spec", "versions"]).iter();
        let storage = storage.clone().find(|version| version.bool_at(&["storage"]))?;
        intern(Look {
            group: text(&["spec", "group"]),
            version: version.to_owned(),
            plural: text(&["spec", "names", "plural"]),
            singular: text(&["spec", "names", "singular"]),
            kind: text(&["spec", "names", "kind"]),
            cluster: text(&["spec", "scope"]) == "Cluster",
            short_names: names("shortNames"),
            categories: names("categories"),
            status: of.at(&["subresources", "status"]).is_some(),
            scale: of.at(&["subresources", "scale"]).is_some(),
            storage: storage.str_at(&["name"]).to_owned(),
        })
    }
}

/// All that a resource shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    group: String,
    version: String,
    plural: String,
    singular: String,
    kind: String,
    cluster: bool,
    short_names: Vec<String>,
    categories: Vec<String>,
    status: bool,
    scale: bool,
    storage: String,
}

/// The one resource that looks like this; `None` when there are too many already.
fn intern(look: Look) -> Option<&'static Resource> {
    static KNOWN: Mutex<BTreeMap<Look, &'static Resource>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock();
    if let Some(resource) = known.get(&look) {
        return Some(resource);
    }
    if known.len() >= MAX_RESOURCES {
        return None;
    }
    let text = |text: &String| -> &'static str { Box::leak(text.clone().into_boxed_str()) };
    let texts = |list: &[String]| -> &'static [&'static str] {
        Box::leak(list.iter().map(text).collect::<Vec<_>>().into_boxed_slice())
    };
    let kind = text(&look.kind);
    let mut subresources = Vec::new();
    if look.scale {
        subresources.push(Subresource::scale("autoscaling", "v1"));
    }
    if look.status {
        subresources.push(Subresource::status(kind));
    }
    let group = text(&look.group);
    let plain = Resource::in_namespace(
        group,
        text(&look.version),
        text(&look.plural),
        text(&look.singular),
        kind,
    );
    let resource: &'static Resource = Box::leak(Box::new(Resource {
        scope: if look.cluster { Scope::Cluster } else { Scope::Namespaced },
        short_names: texts(&look.short_names),
        categories: texts(&look.categories),
        subresources: Box::leak(subresources.into_boxed_slice()),
        storage: (group, text(&look.storage)),
        ..plain
    }));
    known.insert(look, resource);
    Some(resource)
}

/// The resource that a definition makes, in the version that its objects are stored in; `None` while
/// it is not established, or when it stands for something built in.
#[must_use]
pub fn custom_resource(definition: &Arc<Value>) -> Option<&'static Resource> {
    let definition = Definition(Arc::clone(definition));
    if !definition.established() || strategy::is_built_in(definition.group(), definition.plural()) {
        return None;
    }
    let mut versions = definition.versions();
    let stored = versions.find(|version| version.bool_at(&["storage"]));
    let version = stored.or_else(|| definition.versions().next())?;
    definition.resource(version.str_at(&["name"]))
}

/// Whether a resource is not built in.
pub(crate) fn is_custom(resource: &Resource) -> bool {
    resource.group.contains('.')
        && api::find(resource.group, resource.version, resource.plural).is_none()
}

impl ApiServer {
    /// The resource served at `group/version` under the URL word `plural`, built in or custom.
    #[must_use]
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
        let extension = |resource: &&&Resource| {
            (resource.group, resource.version, resource.plural) == (group, version, plural)
        };
        let known = api::find(group, version, plural);
        let known = known.or_else(|| self.extensions().iter().find(extension).copied());
        known.or_else(|| {
            let definition = self.definition_named(group, plural)?;
            definition.established().then(|| definition.resource(version)).flatten()
        })
    }

    /// Every resource served, built in and custom, in the order of discovery.
    #[must_use]
    pub fn resources(&self) -> Cow<'static, [&'static Resource]> {
        let custom: Vec<&'static Resource> = self
            .definitions()
            .iter()
            .filter(|definition| definition.established())
            .flat_map(|definition| {
                let versions = definition.versions();
                let names = versions.map(|version| version.str_at(&["name"]));
                names.filter_map(|name| definition.resource(name)).collect::<Vec<_>>()
            })
            .collect();
        if custom.is_empty() && self.extensions().is_empty() {
            return Cow::Borrowed(api::resources());
        }
        Cow::Owned([api::resources(), self.extensions(), &custom].concat())
    }

    /// The custom resources, each in the version that its objects are stored in.
    #[must_use]
    pub fn custom_resources(&self) -> Vec<&'static Resource> {
        self.definitions().iter().filter_map(|definition| custom_resource(&definition.0)).collect()
    }

    /// Every definition, by name.
    pub(crate) fn definitions(&self) -> Vec<Definition> {
        let prefix = key::collection(&api::CUSTOM_RESOURCE_DEFINITIONS, "");
        let found = self.store().range(&Range::prefix(&prefix)).map(|found| found.kvs);
        let found = found.unwrap_or_default();
        found.into_iter().map(|kv| Definition(kv.value.value())).collect()
    }

    /// The definition of a resource that is not built in.
    pub(crate) fn definition(&self, resource: &Resource) -> Option<Definition> {
        if !is_custom(resource) {
            return None;
        }
        self.definition_named(resource.group, resource.plural)
    }

    fn definition_named(&self, group: &str, plural: &str) -> Option<Definition> {
        if !group.contains('.') {
            return None;
        }
        let name = format!("{plural}.{group}");
        let key = key::object(&api::CUSTOM_RESOURCE_DEFINITIONS, "", &name);
        self.store().get(&key).map(|kv| Definition(kv.value.value()))
    }

    /// Decodes, prunes and defaults a body; gives the document in the storage version.
    pub(crate) fn decode(
        &self,
        resource: &'static Resource,
        body: Body,
        mode: Mode,
    ) -> Result<Decoded, Status> {
        match self.definition(resource) {
            Some(definition) => body::decode(&definition, resource, body, mode),
            None => schema::decode(resource, body, mode),
        }
    }

    /// The selectors of a request, with the fields that a definition calls selectable.
    pub(crate) fn selection(
        &self,
        resource: &Resource,
        options: &ListOptions,
    ) -> Result<Selection, Status> {
        if options.field_selector.is_empty() {
            return Selection::parse(resource, options);
        }
        let definition = self.definition(resource);
        let version = definition.as_ref().and_then(|of| of.version(resource.version));
        let fields = version.map_or(&[][..], |version| version.list_at(&["selectableFields"]));
        let path = |field: &Value| field.str_at(&["jsonPath"]).trim_start_matches('.').to_owned();
        Selection::parse_with(resource, &fields.iter().map(path).collect::<Vec<_>>(), options)
    }

    /// What a custom resource's own schema finds wrong with an object that replaces `old`. Rules are
    /// asked once the rest is sound.
    pub(crate) fn check_custom(
        &self,
        resource: &Resource,
        object: &Value,
        old: Option<&Value>,
    ) -> ErrorList {
        let definition = self.definition(resource);
        let schema = definition.as_ref().and_then(|of| of.schema(resource.version));
        let Some(schema) = schema else { return ErrorList::new() };
        let errors = check::check(schema, object, old);
        if errors.is_empty() { rules::check(schema, object, old) } else { errors }
    }
}
