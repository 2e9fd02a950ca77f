//! The two operations on an object whose fields have managers: an update and an apply.
//!
//! Invariant: after an update the writer owns all it changed, and nobody else owns any of it.
//! Invariant: an apply changes nothing that another manager owns unless it is forced.
//! Mirrors: `sigs.k8s.io/structured-merge-diff/v4/merge/update.go`.

use std::collections::BTreeMap;

use crate::{Value, json};

use super::managers::{Entry, Identity, Managers, Operation};
use super::merge::{merge, without_nulls};
use super::remove::{remove, with_named_fields};
use super::schema::Schema;
use super::set::Set;
use super::walk::{Comparison, compare, field_set};
use crate::status::{Reason, Status};

/// A kind in the version of the request and in those of other managers.
pub trait Versions {
    /// What a version's fields are.
    type Schema: Schema;

    /// The schema of a version; `None` when it is not known (any more).
    fn schema(&self, api_version: &str) -> Option<Self::Schema>;

    /// A document of the request's version in another one.
    fn convert(&self, document: &Value, api_version: &str) -> Value;

    /// The fields that writes of this kind do not change, e.g. `status`.
    fn reset(&self) -> &Set;
}

/// Who writes, how and when.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The name.
    pub manager: &'a str,
    /// The version of the documents.
    pub api_version: &'a str,
    /// The sub-resource written through.
    pub subresource: &'a str,
    /// The instant, RFC 3339.
    pub now: &'a str,
}

/// A field that somebody else manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Who.
    pub manager: Identity,
    /// Which fields.
    pub fields: Set,
}

/// What no manager ever owns.
fn stripped() -> Set {
    const META: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut set = Set::of_fields(&[&["apiVersion"], &["kind"], &["metadata"]]);
    for name in META {
        set = set.union(&Set::of_fields(&[&["metadata", name]]));
    }
    set
}

/// Records who wrote `new` over `old` by anything but an apply.
pub fn track<V: Versions>(
    versions: &V,
    managers: &mut Managers,
    old: Option<&Value>,
    new: &Value,
    writer: &Writer<'_>,
) {
    let comparisons = Comparisons { versions, old, new, mine: writer.api_version };
    let found = settle(&comparisons, managers, None);
    let taken = found.modified.union(&found.added).recursive_difference(versions.reset());
    let taken = taken.difference(&stripped());
    if !taken.is_empty() {
        let api_version = writer.api_version;
        let id = Identity::new(writer.manager, Operation::Update, api_version, writer.subresource);
        let time = Some(writer.now.to_owned());
        let entry = managers.0.entry(id).or_insert_with(|| Entry {
            api_version: api_version.to_owned(),
            time: None,
            fields: Set::default(),
        });
        entry.fields = std::mem::take(&mut entry.fields).union(&taken);
        entry.time = time;
    }
    managers.cap();
}

/// Applies a configuration to an object.
///
/// Gives the new object and leaves the new managers in `managers`.
///
/// # Errors
/// The conflicts with others, when it is not forced.
pub fn apply<V: Versions>(
    versions: &V,
    managers: &mut Managers,
    live: &Value,
    config: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, Vec<Conflict>> {
    let Some(schema) = versions.schema(writer.api_version) else {
        return Ok(config.clone());
    };
    let id = Identity::new(writer.manager, Operation::Apply, "", writer.subresource);
    let last = managers.0.get(&id).cloned();
    let owned =
        field_set(schema, config).recursive_difference(versions.reset()).difference(&stripped());
    let mut after = managers.clone();
    let time = last.as_ref().and_then(|last| last.time.clone());
    let entry = Entry { api_version: writer.api_version.to_owned(), time, fields: owned.clone() };
    after.0.insert(id.clone(), entry);
    let merged = merge(schema, Some(live), config);
    let new = match &last {
        Some(last) if !last.fields.is_empty() => prune(schema, &merged, &after, &last.fields),
        _ => merged,
    };
    let comparisons =
        Comparisons { versions, old: Some(live), new: &new, mine: writer.api_version };
    let conflicts = conflicts(&comparisons, &after, &id);
    if !force && !conflicts.is_empty() {
        return Err(conflicts);
    }
    // What will be stored: a null that is nothing then is no change when it is applied again.
    let new = without_nulls(schema, new.clone());
    let comparisons = Comparisons { new: &new, ..comparisons };
    let found = settle(&comparisons, &mut after, Some(&id));
    let unchanged =
        found.is_same() && last.is_some_and(|last| last.fields == owned && last.time.is_some());
    if owned.is_empty() {
        after.0.remove(&id);
    } else if !unchanged && let Some(entry) = after.0.get_mut(&id) {
        entry.time = Some(writer.now.to_owned());
    }
    *managers = after;
    Ok(new)
}

/// The same two documents compared in each version that some manager knows them in.
struct Comparisons<'a, V> {
    versions: &'a V,
    old: Option<&'a Value>,
    new: &'a Value,
    mine: &'a str,
}

impl<V: Versions> Comparisons<'_, V> {
    fn in_version(&self, api_version: &str) -> Option<Comparison> {
        let schema = self.versions.schema(api_version)?;
        let found = if api_version == self.mine {
            compare(schema, self.old, self.new)
        } else {
            let old = self.old.map(|old| self.versions.convert(old, api_version));
            compare(schema, old.as_ref(), &self.versions.convert(self.new, api_version))
        };
        Some(found.without(self.versions.reset()))
    }

    /// The comparisons for all managers and for the request itself.
    fn all(&self, managers: &Managers) -> BTreeMap<String, Comparison> {
        let mut found = BTreeMap::new();
        let named = managers.0.values().map(|entry| entry.api_version.as_str());
        for version in named.chain([self.mine]) {
            if !found.contains_key(version)
                && let Some(comparison) = self.in_version(version)
            {
                found.insert(version.to_owned(), comparison);
            }
        }
        found
    }
}

fn conflicts<V: Versions>(
    comparisons: &Comparisons<'_, V>,
    managers: &Managers,
    writer: &Identity,
) -> Vec<Conflict> {
    let found = comparisons.all(managers);
    let mut conflicts = Vec::new();
    for (manager, entry) in managers.0.iter().filter(|(manager, _)| *manager != writer) {
        let Some(comparison) = found.get(&entry.api_version) else { continue };
        let changed = comparison.modified.clone().union(&comparison.added);
        let fields = entry.fields.intersection(&changed);
        if !fields.is_empty() {
            conflicts.push(Conflict { manager: manager.clone(), fields });
        }
    }
    conflicts
}

/// Takes from all managers but one what has changed; gives the changes in the request's version.
fn settle<V: Versions>(
    comparisons: &Comparisons<'_, V>,
    managers: &mut Managers,
    writer: Option<&Identity>,
) -> Comparison {
    let mut found = comparisons.all(managers);
    managers.0.retain(|manager, entry| {
        if Some(manager) == writer {
            return true;
        }
        // Entries of versions that are gone are of no use to anyone.
        let Some(changes) = found.get(&entry.api_version) else { return false };
        if !changes.is_same() {
            let taken = changes.modified.clone().union(&changes.added).union(&changes.removed);
            entry.fields = entry.fields.difference(&taken);
        }
        !entry.fields.is_empty()
    });
    found.remove(comparisons.mine).unwrap_or_default()
}

/// Removes what the configuration applied last had, the new one has not, and nobody else owns.
fn prune<S: Schema>(schema: S, merged: &Value, managers: &Managers, last: &Set) -> Value {
    let all = |value: &Value| with_named_fields(schema, &field_set(schema, value));
    let last = with_named_fields(schema, last);
    let without = |gone: &Set| remove(schema, merged, gone).unwrap_or(Value::Null);
    let everything = all(merged);
    let bare = all(&without(&last));
    let owned = managers.0.values().fold(Set::default(), |all, entry| all.union(&entry.fields));
    let owned = with_named_fields(schema, &owned);
    let kept = all(&without(&everything.difference(&bare.union(&owned))));
    without(&everything.difference(&kept).intersection(&last))
}

/// The answer to an apply that would change what others manage.
#[must_use]
pub fn conflict_status(conflicts: &[Conflict]) -> Status {
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for conflict in conflicts {
        let manager = conflict.manager.described();
        lines.push(format!("conflicts with {manager}:"));
        for path in conflict.fields.paths() {
            let message = format!("conflict with {manager}");
            causes.push(json!({
                "reason": "FieldManagerConflict", "message": message, "field": path}));
            lines.push(format!("- {path}"));
        }
    }
    let text = match causes.as_slice() {
        [only] => {
            let (message, field) = (only["message"].as_str(), only["field"].as_str());
            let (message, field) = (message.unwrap_or_default(), field.unwrap_or_default());
            format!("Apply failed with 1 conflict: {message}: {field}")
        }
        _ => format!("Apply failed with {} conflicts: {}", causes.len(), lines.join("\n")),
    };
    let mut status = Status::new(Reason::Conflict, text);
    status.details = json!({ "causes": causes });
    status
}

#[cfg(test)]
mod tests;
