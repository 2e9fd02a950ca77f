//! What a caller asks for and what comes back, independent of HTTP.

use std::collections::BTreeMap;

use api::Resource;
use api::decode::Mode;
use apimachinery::Value;

use crate::stored::Stored;
use crate::user::User;

/// Options of a write.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Whether to go through all checks and store nothing (`dryRun=All`).
    pub dry_run: bool,
    /// Who manages the fields written; nobody records them when it is empty.
    pub field_manager: String,
    /// The client's program, who stands for the manager where others manage fields already.
    pub user_agent: String,
    /// The sub-resource by which the request came when it is carried out on the object itself.
    pub through: String,
    /// Whether the caller may change what is there and create nothing.
    pub forbids_create: bool,
    /// Whether an apply takes fields from other managers.
    pub force: bool,
    /// What to do about unknown and duplicate fields.
    pub field_validation: Mode,
}

/// Who addresses what. `namespace` is empty for cluster scope and for all namespaces.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Who asks.
    pub user: &'a User,
    /// The resource, in the version it is served as.
    pub resource: &'static Resource,
    /// The namespace.
    pub namespace: &'a str,
    /// The name; empty for collections.
    pub name: &'a str,
    /// The sub-resource, e.g. `status`; empty for the resource itself.
    pub subresource: &'a str,
    /// How to write.
    pub options: WriteOptions,
}

impl<'a> Call<'a> {
    /// Addresses a whole collection; see [`Self::within`], [`Self::named`] and [`Self::subresource`].
    #[must_use]
    pub fn new(user: &'a User, resource: &'static Resource) -> Self {
        let options = WriteOptions::default();
        Self { user, resource, namespace: "", name: "", subresource: "", options }
    }

    /// Narrows to one namespace.
    #[must_use]
    pub fn within(mut self, namespace: &'a str) -> Self {
        self.namespace = namespace;
        self
    }

    /// Narrows to one object.
    #[must_use]
    pub fn named(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Addresses a sub-resource.
    #[must_use]
    pub fn subresource(mut self, subresource: &'a str) -> Self {
        self.subresource = subresource;
        self
    }
}

/// Which objects to list or watch, and as of when. The default asks for everything at present.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// `labelSelector`
    pub label_selector: String,
    /// `fieldSelector`
    pub field_selector: String,
    /// `limit`; 0 for all.
    pub limit: usize,
    /// `continue`; empty for the first page.
    pub continue_token: String,
    /// `resourceVersion`
    pub resource_version: String,
    /// `resourceVersionMatch`: empty, `Exact` or `NotOlderThan`.
    pub resource_version_match: String,
    /// `allowWatchBookmarks`
    pub allow_watch_bookmarks: bool,
    /// `sendInitialEvents`
    pub send_initial_events: Option<bool>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct ObjectList {
    /// The objects, in the order of their keys.
    pub items: Vec<Stored>,
    /// The revision of the list.
    pub resource_version: String,
    /// How to ask for the next page.
    pub continue_token: Option<String>,
    /// How many objects follow the page, when that is known.
    pub remaining: Option<usize>,
    /// A document to answer with instead of a list, e.g. the `Status` of `projectrequests`.
    pub instead: Option<Stored>,
}

/// How dependents of a deleted object are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They lose their reference and stay.
    Orphan,
    /// The garbage collector removes them afterwards.
    Background,
    /// They go first.
    Foreground,
    /// The resource takes no part in garbage collection.
    Unsupported,
}

/// What a deletion asks for (`DeleteOptions`).
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// `gracePeriodSeconds`
    pub grace_period_seconds: Option<i64>,
    /// `propagationPolicy` as sent.
    pub propagation_policy: Option<String>,
    /// `orphanDependents`, the older form.
    pub orphan_dependents: Option<bool>,
    /// `preconditions.uid`
    pub uid: Option<String>,
    /// `preconditions.resourceVersion`
    pub resource_version: Option<String>,
    /// `dryRun=All`
    pub dry_run: bool,
}

impl DeleteOptions {
    /// Removes dependents in the background, whatever the kind's default.
    #[must_use]
    pub fn background() -> Self {
        Self { propagation_policy: Some("Background".to_owned()), ..Self::default() }
    }

    /// Removes at once, provided the object is still the one with this uid.
    #[must_use]
    pub fn now(uid: &str) -> Self {
        Self {
            grace_period_seconds: Some(0),
            uid: Some(uid.to_owned()).filter(|uid| !uid.is_empty()),
            ..Self::default()
        }
    }

    /// Reads a `DeleteOptions` document.
    #[must_use]
    pub fn from_value(body: &Value) -> Self {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            grace_period_seconds: body.pointer("/gracePeriodSeconds").and_then(Value::as_i64),
            propagation_policy: text("/propagationPolicy"),
            orphan_dependents: body.pointer("/orphanDependents").and_then(Value::as_bool),
            uid: text("/preconditions/uid"),
            resource_version: text("/preconditions/resourceVersion"),
            dry_run: body
                .pointer("/dryRun")
                .and_then(Value::as_array)
                .is_some_and(|words| words.iter().any(|word| word == "All")),
        }
    }
}

/// The kinds of patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`
    Strategic,
    /// `application/apply-patch+yaml`: not a patch but the fields a manager wants.
    Apply,
}

/// The outcome of a create, update or patch.
#[derive(Debug, Clone)]
pub struct Written {
    /// The object as stored (or as it would be), or a `Status` document of a sub-resource.
    pub object: Stored,
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
    /// 200 or 201; sub-resources may answer otherwise.
    pub code: u16,
}

impl Written {
    /// 200 with `object`.
    #[must_use]
    pub fn ok(object: Stored) -> Self {
        Self { object, warnings: Vec::new(), code: 200 }
    }

    /// Adds warnings before those there are.
    #[must_use]
    pub fn with_warnings(mut self, mut warnings: Vec<String>) -> Self {
        warnings.append(&mut self.warnings);
        self.warnings = warnings;
        self
    }

    /// 201 with `object`.
    #[must_use]
    pub fn created(object: Stored) -> Self {
        Self { object, warnings: Vec::new(), code: 201 }
    }
}

/// The outcome of a deletion.
#[derive(Debug, Clone)]
pub enum Deleted {
    /// The object, which may live on for a while or show its last state.
    Object(Stored),
    /// A `Status` document of success.
    Status(Value),
}

impl Deleted {
    /// The document to answer with.
    #[must_use]
    pub fn into_stored(self) -> Stored {
        match self {
            Self::Object(object) => object,
            Self::Status(status) => Stored::new(status),
        }
    }
}

/// Parameters of a log request.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// `container`
    pub container: String,
    /// `follow`
    pub follow: bool,
    /// `previous`
    pub previous: bool,
    /// `timestamps`
    pub timestamps: bool,
    /// `sinceSeconds`
    pub since_seconds: Option<i64>,
    /// `sinceTime`, RFC 3339.
    pub since_time: Option<String>,
    /// `tailLines`
    pub tail_lines: Option<i64>,
    /// `limitBytes`
    pub limit_bytes: Option<i64>,
    /// Further parameters, e.g. `version` and `nowait` of deployment logs.
    pub more: BTreeMap<String, String>,
}
