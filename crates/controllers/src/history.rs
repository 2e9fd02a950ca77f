//! The history of a template: one `ControllerRevision` per template that a `StatefulSet` or a
//! `DaemonSet` has had, numbered from 1; the highest number is the current template.
//!
//! Clients undo a rollout by writing a revision's `data` back as a patch; the revision that is
//! equal to the template then gets the next number.
//!
//! Invariant: [`choose`] is pure; two revisions of one owner never hold the same data.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/history/controller_history.go`.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::{CONTROLLER_REVISIONS, Resource};
use apimachinery::hash::{fnv32, safe_encode};
use apimachinery::json;
use apimachinery::object::controller_owner_reference;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;
use controller_runtime::{Context, Error};

use crate::claim;

/// Label with the decimal hash of a revision's data.
pub const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The longest start of a revision's name.
const MAX_PREFIX: usize = 223;

/// Which revision an owner's template is.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// This one, as it is.
    Keep(Arc<Value>),
    /// This older one, which gets the number.
    Renumber(Arc<Value>, i64),
    /// None yet; the new one gets the number.
    Create(i64),
}

/// `revision`: the number.
#[must_use]
pub fn number(revision: &Value) -> i64 {
    revision.int_at(&["revision"]).unwrap_or(0)
}

/// Sorts by number, then age, then name.
pub fn sort(revisions: &mut [Arc<Value>]) {
    revisions.sort_by(|a, b| {
        (number(a), a.creation_timestamp(), a.name()).cmp(&(
            number(b),
            b.creation_timestamp(),
            b.name(),
        ))
    });
}

/// What a revision keeps of its owner: a patch that replaces the pod template.
#[must_use]
pub fn data(owner: &Value) -> Value {
    let mut template = owner.at(&["spec", "template"]).cloned().unwrap_or_default();
    template.set(&["$patch"], json!("replace"));
    json!({"spec": {"template": template}})
}

/// The pod template that `revision` holds.
#[must_use]
pub fn template(revision: &Value) -> Value {
    let mut template = revision.at(&["data", "spec", "template"]).cloned().unwrap_or_default();
    drop(template.remove(&["$patch"]));
    template
}

/// The revisions that hold the same as `revision`.
#[must_use]
pub fn equal(revisions: &[Arc<Value>], revision: &Value) -> Vec<Arc<Value>> {
    let same = |other: &&Arc<Value>| other.get("data") == revision.get("data");
    revisions.iter().filter(same).cloned().collect()
}

/// Finds the revision of `data` among the sorted `revisions`.
#[must_use]
pub fn choose(revisions: &[Arc<Value>], data: &Value) -> Choice {
    let next = revisions.last().map_or(1, |last| number(last) + 1);
    match revisions.iter().rfind(|revision| revision.get("data") == Some(data)) {
        None => Choice::Create(next),
        Some(same) if number(same) + 1 == next => Choice::Keep(Arc::clone(same)),
        Some(same) => Choice::Renumber(Arc::clone(same), next),
    }
}

/// FNV-1 over the data as Go writes it and the collisions so far.
#[must_use]
pub fn hash(data: &Value, collisions: Option<i64>) -> String {
    let mut bytes = go_json(data).into_bytes();
    if let Some(collisions) = collisions {
        bytes.extend(collisions.to_string().bytes());
    }
    fnv32(&bytes).to_string()
}

/// JSON as Go's encoder writes it: characters that HTML minds are escaped.
fn go_json(value: &Value) -> String {
    let mut text = String::new();
    for character in value.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => text.push(other),
        }
    }
    text
}

/// The name of the revision of `owner` with this decimal hash.
#[must_use]
pub fn name(owner: &str, hash: &str) -> String {
    let prefix = owner.get(..MAX_PREFIX).unwrap_or(owner);
    format!("{prefix}-{}", safe_encode(hash))
}

/// A revision of `owner`'s template, labelled with its `hash` under `label`.
#[must_use]
pub fn revision(owner: &Value, number: i64, label: &str, hash: &str) -> Value {
    let mut labels = owner.at(&["spec", "template", "metadata", "labels"]).cloned();
    labels = labels.filter(Value::is_object);
    let mut metadata = json!({
        "name": name(owner.name(), hash),
        "namespace": owner.namespace(),
        "labels": labels.take().unwrap_or_else(|| json!({})),
        "ownerReferences": [controller_owner_reference(owner)],
    });
    metadata.set(&["labels", label], json!(hash));
    if let Some(annotations) = owner.at(&["metadata", "annotations"]) {
        metadata.set(&["annotations"], annotations.clone());
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": data(owner),
        "revision": number,
    })
}

/// The sorted revisions of `owner`, which adopts those that nobody controls.
pub(crate) fn claimed(
    cx: &Context<'_>,
    (resource, owner): (&'static Resource, &Value),
    selector: &LabelSelector,
) -> Result<Vec<Arc<Value>>, Error> {
    let candidates = claim::candidates(cx, owner, selector, &CONTROLLER_REVISIONS);
    let claims = claim::claim(owner, selector, candidates.into_iter());
    claim::carry_out(cx, (resource, owner), &CONTROLLER_REVISIONS, &claims)?;
    let mut revisions = claims.owned;
    sort(&mut revisions);
    Ok(revisions)
}

/// Makes the current template's revision the one with the highest number. `make` builds a new one
/// for a number and a count of collisions; gives the revision and the collisions by now.
pub(crate) fn ensure(
    cx: &Context<'_>,
    owner: &Value,
    revisions: &[Arc<Value>],
    make: impl Fn(i64, i64) -> Value,
) -> Result<(Arc<Value>, i64), Error> {
    let mut collisions = owner.int_at(&["status", "collisionCount"]).unwrap_or(0);
    let number = match choose(revisions, &data(owner)) {
        Choice::Keep(revision) => return Ok((revision, collisions)),
        Choice::Renumber(revision, number) => {
            let mut renumbered = (*revision).clone();
            renumbered.set(&["revision"], json!(number));
            return Ok((cx.client.update(&CONTROLLER_REVISIONS, renumbered)?, collisions));
        }
        Choice::Create(number) => number,
    };
    loop {
        let revision = make(number, collisions);
        let namespace = owner.namespace();
        match cx.client.create(&CONTROLLER_REVISIONS, namespace, revision.clone()) {
            Ok(created) => return Ok((created, collisions)),
            Err(status) if status.is_already_exists() => {
                let there = cx.client.get(&CONTROLLER_REVISIONS, namespace, revision.name())?;
                if there.get("data") == revision.get("data")
                    && there.controller_ref().map(|owner| owner.str_at(&["uid"]))
                        == Some(owner.uid())
                {
                    return Ok((there, collisions));
                }
                collisions += 1;
            }
            Err(status) => return Err(status.into()),
        }
    }
}

/// The oldest of the sorted `revisions` beyond `limit`, counting only those not in use.
#[must_use]
pub fn surplus(revisions: &[Arc<Value>], live: &BTreeSet<&str>, limit: i64) -> Vec<String> {
    let idle: Vec<&Arc<Value>> =
        revisions.iter().filter(|revision| !live.contains(revision.name())).collect();
    let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    idle[..surplus].iter().map(|revision| revision.name().to_owned()).collect()
}

/// Deletes revisions; those already gone are no failure.
pub(crate) fn delete(cx: &Context<'_>, namespace: &str, names: &[String]) -> Result<(), Error> {
    for name in names {
        let options = DeleteOptions::default();
        if let Err(status) = cx.client.delete(&CONTROLLER_REVISIONS, namespace, name, options)
            && !status.is_not_found()
        {
            return Err(status.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
