//! How a served resource is described: its names, scope, verbs and sub-resources.
//!
//! Invariant: descriptions are `static`; a `&'static Resource` identifies a served resource.

/// What may be done with a resource, in the words of discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Create,
    Delete,
    DeleteCollection,
    Get,
    List,
    Patch,
    Update,
    Watch,
}

impl Verb {
    /// The word in discovery and in access reviews.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Get => "get",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Update => "update",
            Self::Watch => "watch",
        }
    }
}

/// Every verb, for resources with full storage.
pub const FULL: &[Verb] = &[
    Verb::Create,
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Get,
    Verb::List,
    Verb::Patch,
    Verb::Update,
    Verb::Watch,
];

/// Whether objects live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Namespaced,
    Cluster,
}

/// A sub-resource such as `scale` or `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subresource {
    /// The path segment, e.g. `scale`.
    pub name: &'static str,
    /// Kind of the body, e.g. `Scale`.
    pub kind: &'static str,
    /// Group of the body's kind when it belongs elsewhere (`Some("autoscaling")` for `scale`).
    pub group: Option<&'static str>,
    /// Version of the body's kind when it belongs elsewhere.
    pub version: Option<&'static str>,
    pub verbs: &'static [Verb],
}

/// One resource as served under one group and version.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version, e.g. `v1`.
    pub version: &'static str,
    /// URL word, e.g. `deployments`.
    pub plural: &'static str,
    pub singular: &'static str,
    pub kind: &'static str,
    pub scope: Scope,
    pub short_names: &'static [&'static str],
    pub categories: &'static [&'static str],
    pub verbs: &'static [Verb],
    pub subresources: &'static [Subresource],
    /// Group and version that objects are stored in. Resources of the same plural with equal
    /// `storage` are views of the same stored objects.
    pub storage: (&'static str, &'static str),
}

/// Verbs of a `status` or `scale` sub-resource.
pub const STATUS_VERBS: &[Verb] = &[Verb::Get, Verb::Patch, Verb::Update];

impl Subresource {
    /// A sub-resource whose body's kind belongs to the parent's group and version.
    #[must_use]
    pub const fn new(name: &'static str, kind: &'static str, verbs: &'static [Verb]) -> Self {
        Self { name, kind, group: None, version: None, verbs }
    }

    /// The `status` sub-resource of `kind`.
    #[must_use]
    pub const fn status(kind: &'static str) -> Self {
        Self::new("status", kind, STATUS_VERBS)
    }

    /// A `scale` sub-resource whose body is `group/version Scale`.
    #[must_use]
    pub const fn scale(group: &'static str, version: &'static str) -> Self {
        Self::new("scale", "Scale", STATUS_VERBS).of(group, version)
    }

    /// Says that the body's kind belongs to `group/version`.
    #[must_use]
    pub const fn of(self, group: &'static str, version: &'static str) -> Self {
        Self { group: Some(group), version: Some(version), ..self }
    }
}

/// Descriptions are put together at compile time.
impl Resource {
    /// A namespaced resource with all verbs that is stored as it is served.
    #[must_use]
    pub const fn in_namespace(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        singular: &'static str,
        kind: &'static str,
    ) -> Self {
        Self {
            group,
            version,
            plural,
            singular,
            kind,
            scope: Scope::Namespaced,
            short_names: &[],
            categories: &[],
            verbs: FULL,
            subresources: &[],
            storage: (group, version),
        }
    }

    /// A cluster-scoped resource with all verbs that is stored as it is served.
    #[must_use]
    pub const fn in_cluster(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        singular: &'static str,
        kind: &'static str,
    ) -> Self {
        Self { scope: Scope::Cluster, ..Self::in_namespace(group, version, plural, singular, kind) }
    }

    /// The same resource served under another group and version; objects stay those of `self`.
    /// Categories are not taken over: `get all` is to show each object once.
    #[must_use]
    pub const fn served_as(&self, group: &'static str, version: &'static str) -> Self {
        Self {
            group,
            version,
            plural: self.plural,
            singular: self.singular,
            kind: self.kind,
            scope: self.scope,
            short_names: self.short_names,
            categories: &[],
            verbs: self.verbs,
            subresources: self.subresources,
            storage: self.storage,
        }
    }

    /// Sets the short names.
    #[must_use]
    pub const fn short(self, short_names: &'static [&'static str]) -> Self {
        Self { short_names, ..self }
    }

    /// Puts the resource in the category `all`.
    #[must_use]
    pub const fn in_all(self) -> Self {
        Self { categories: &["all"], ..self }
    }

    /// Sets the verbs.
    #[must_use]
    pub const fn only(self, verbs: &'static [Verb]) -> Self {
        Self { verbs, ..self }
    }

    /// Sets the sub-resources, sorted by name.
    #[must_use]
    pub const fn with(self, subresources: &'static [Subresource]) -> Self {
        Self { subresources, ..self }
    }

    /// Sets the group and version of the stored objects.
    #[must_use]
    pub const fn stored_as(self, group: &'static str, version: &'static str) -> Self {
        Self { storage: (group, version), ..self }
    }

    /// `v1` or `group/version` as served.
    #[must_use]
    pub fn api_version(&self) -> String {
        apimachinery::gvk::api_version(self.group, self.version)
    }

    /// `v1` or `group/version` as stored.
    #[must_use]
    pub fn storage_api_version(&self) -> String {
        apimachinery::gvk::api_version(self.storage.0, self.storage.1)
    }

    #[must_use]
    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// Kind of the list document, e.g. `PodList`.
    #[must_use]
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    #[must_use]
    pub fn supports(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }
}
