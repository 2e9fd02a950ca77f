//! Server-side apply: a configuration laid over an object by someone who owns what it mentions.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/patch.go` (`applyPatcher`),
//! `k8s.io/apimachinery/pkg/util/managedfields/internal/{lastapplied*,skipnonapplied}.go`.
//! Deviation: applied to a virtual resource or to `scale`, a configuration is merged and owned by
//! nobody in particular.

use std::borrow::Cow;

use api::decode::Mode;
use apimachinery::field::{Error, Path};
use apimachinery::managed_fields::apply::Writer;
use apimachinery::managed_fields::{
    Conflict, Managers, Set, Versions as _, apply, check, compare, conflict_status, field_set,
    track,
};
use apimachinery::{Gvk, ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::admission::Operation;
use crate::call::{Call, PatchKind, Written};
use crate::managed::KindVersions;
use crate::read::check_storage;
use crate::server::ApiServer;
use crate::update::check_names;
use crate::{error, key, legacy, schema};

/// Attempts of an apply that carries no resource version.
const ATTEMPTS: usize = 6;
/// The manager of what was there before anybody applied.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// The manager that takes over from its own client-side applies.
const KUBECTL: &str = "kubectl";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl ApiServer {
    /// Applies `config`; creates the object when there is none.
    pub(crate) fn apply(&self, call: &Call<'_>, config: &Value) -> Result<Written, Status> {
        check_manager(call)?;
        if let Some(handler) = self.handler(call) {
            let cx = self.handler_context(call);
            return match handler.patch(&cx, PatchKind::Merge, config) {
                Err(status) if status.is_not_found() && call.subresource.is_empty() => {
                    self.check_may_create(call)?;
                    self.create(call, config.clone())
                }
                outcome => outcome,
            };
        }
        check_storage(call)?;
        let config = self.checked(call, config)?;
        for _ in 0..ATTEMPTS {
            let key = key::object(call.resource, call.namespace, call.name);
            if self.store().get(&key).is_some() || !call.subresource.is_empty() {
                let mut warnings = Vec::new();
                let written = self.rewrite_as_given(call, ATTEMPTS, &mut |old| {
                    let (wanted, warned) = self.applied(call, old, &config)?;
                    warnings = warned;
                    Ok(wanted)
                })?;
                return Ok(written.with_warnings(warnings));
            }
            match self.apply_new(call, &config) {
                // Created by someone else in between: then it can be changed.
                Err(status) if status.is_already_exists() => {}
                outcome => return outcome,
            }
        }
        Err(error::modified(call.resource, call.name))
    }

    fn apply_new(&self, call: &Call<'_>, config: &Value) -> Result<Written, Status> {
        self.check_may_create(call)?;
        if !config.uid().is_empty() {
            let text = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was \
                 found",
                config.uid()
            );
            let resource = call.resource;
            return Err(Status::conflict(resource.group, resource.plural, call.name, &text));
        }
        let (mut object, warnings) = self.applied(call, &Value::Null, config)?;
        object.remove(&["metadata", "resourceVersion"]);
        if call.resource.namespaced() {
            object.set(&["metadata", "namespace"], json!(call.namespace));
        }
        self.admit(call, Operation::Create, &mut object, None)?;
        let stored = self.create_admitted(call, object)?;
        let written = Written::created(self.present(call.resource, &stored));
        Ok(written.with_warnings(warnings))
    }

    /// The object, in the storage version, that an apply to `old` (null: none) wants.
    fn applied(
        &self,
        call: &Call<'_>,
        old: &Value,
        config: &Value,
    ) -> Result<(Value, Vec<String>), Status> {
        let resource = call.resource;
        let api_version = legacy::shape(resource).api_version();
        let now = self.world().now().rfc3339();
        let writer = self.writer(call, &call.options.field_manager, &api_version, &now);
        let versions = KindVersions::new(self, resource, call.subresource);
        let mut managers = Managers::of(old).unwrap_or_default();
        let mut live = match old {
            Value::Null => json!({}),
            old => schema::served(resource, old).into_owned(),
        };
        live.remove(&["metadata", "managedFields"]);
        if managers.0.is_empty() && !old.is_null() {
            let before = Writer { manager: BEFORE_FIRST_APPLY, subresource: "", ..writer };
            let all = KindVersions::new(self, resource, "");
            track(&&all, &mut managers, None, &live, &before);
        }
        let one = Apply { call, versions: &versions, live: &live, config, writer };
        let new = one.run(&mut managers)?;
        let mut decoded = self.decode(resource, new.into(), Mode::Ignore)?;
        check_names(call, &decoded.object)?;
        managers.write(&mut decoded.object);
        if same_but_times(&decoded.object, old) {
            return Ok((old.clone(), decoded.warnings));
        }
        Ok((decoded.object, decoded.warnings))
    }
}

/// One apply to one object.
struct Apply<'a> {
    call: &'a Call<'a>,
    versions: &'a KindVersions,
    live: &'a Value,
    config: &'a Value,
    writer: Writer<'a>,
}

impl Apply<'_> {
    fn run(&self, managers: &mut Managers) -> Result<Value, Status> {
        let (live, config) = (self.live, self.config);
        let writer = &self.writer;
        let mut attempt = |force| apply(&self.versions, managers, live, config, writer, force);
        let mut new = match attempt(self.call.options.force) {
            Ok(new) => new,
            Err(conflicts) if writer.manager == KUBECTL => {
                let left = beyond(&conflicts, &self.last_applied());
                if !left.is_empty() {
                    return Err(conflict_status(&left));
                }
                attempt(true).map_err(|conflicts| conflict_status(&conflicts))?
            }
            Err(conflicts) => return Err(conflict_status(&conflicts)),
        };
        // Clients that still apply on their own side find what was applied last.
        if writer.manager == KUBECTL && new.annotation(LAST_APPLIED).is_some() {
            let mut applied = config.clone();
            applied.remove(&["metadata", "annotations", LAST_APPLIED]);
            new.set_annotation(LAST_APPLIED, &format!("{applied}\n"));
        }
        Ok(new)
    }

    /// The fields that a client-side apply set and that nobody has changed since.
    fn last_applied(&self) -> Set {
        let read = self.live.annotation(LAST_APPLIED).and_then(|text| {
            let applied: Value = serde_json::from_str(text).ok()?;
            let schema = self.versions.schema(applied.api_version())?;
            let found = compare(schema, Some(&applied), self.live);
            let changed = found.modified.union(&found.added).union(&found.removed);
            Some(field_set(schema, &applied).difference(&changed))
        });
        read.unwrap_or_default()
    }
}

/// The conflicts about other fields than the allowed ones.
fn beyond(conflicts: &[Conflict], allowed: &Set) -> Vec<Conflict> {
    let rest = conflicts.iter().map(|conflict| Conflict {
        manager: conflict.manager.clone(),
        fields: conflict.fields.difference(allowed),
    });
    rest.filter(|conflict| !conflict.fields.is_empty()).collect()
}

/// Whether two objects differ in nothing but when their managers last wrote.
fn same_but_times(new: &Value, old: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        let entries = object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            entry.remove(&["time"]);
        }
        object
    };
    !old.is_null() && timeless(new) == timeless(old)
}

fn check_manager(call: &Call<'_>) -> Result<(), Status> {
    if !call.options.field_manager.is_empty() {
        return Ok(());
    }
    let error = Error::required(&Path::new("fieldManager"), "is required for apply patch");
    Err(Status::invalid("meta.k8s.io", "PatchOptions", "", &[error]))
}

impl ApiServer {
    /// The configuration, provided it is one of the kind and place of the call.
    fn checked<'a>(&self, call: &Call<'_>, config: &'a Value) -> Result<Cow<'a, Value>, Status> {
        let resource = call.resource;
        let (expected, sent) = (resource.api_version(), config.api_version());
        if sent != expected {
            return Err(Status::bad_request(format!(
                "Incorrect version specified in apply patch. Specified patch version: {sent}, \
                 expected: {expected}"
            )));
        }
        if config.at(&["metadata", "managedFields"]).is_some_and(|entries| !entries.is_null()) {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        let versions = KindVersions::new(self, resource, call.subresource);
        let problems = match (&versions).schema(&legacy::shape(resource).api_version()) {
            Some(schema) if config.kind() == resource.kind => check(schema, config),
            _ => {
                return Err(error::plain(format!(
                    "invalid object type: {expected}, Kind={}",
                    config.kind()
                )));
            }
        };
        if !problems.is_empty() {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| format!("{}: {}", problem.path, problem.text))
                .collect();
            let text = match lines.as_slice() {
                [only] => only.clone(),
                all => format!("errors:\n  {}", all.join("\n  ")),
            };
            let of = Gvk::from_api_version(&expected, resource.kind);
            let place = match call.namespace {
                "" => format!("/{}", call.name),
                namespace => format!("{namespace}/{}", call.name),
            };
            return Err(error::plain(format!(
                "failed to create typed patch object ({place}; {}, Kind={}): {text}",
                expected, of.kind
            )));
        }
        if config.name().is_empty() {
            let mut named = config.clone();
            named.set(&["metadata", "name"], json!(call.name));
            return Ok(Cow::Owned(named));
        }
        Ok(Cow::Borrowed(config))
    }
}
