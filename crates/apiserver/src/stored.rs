//! What the store keeps for an API object: the document, and its bytes once somebody has asked for them,
//! or of an event what its document can be made from.
//!
//! The versions of an object, and objects made from one template, share what is the same in them
//! ([`apimachinery::json`]), so a document stays as it is for as long as it is kept.
//!
//! Invariant: a committed object's `metadata.resourceVersion` is the revision it was stored at; the
//! object in the event of a deletion carries the revision of the deletion.
//! Invariant: bytes and document say the same; all clones of a document share one serialisation.

use std::fmt;
use std::sync::{Arc, OnceLock};

use apimachinery::{ObjectExt as _, Text, Value};
use bytes::Bytes;
use store::Revision;

use crate::event;

/// What most objects take, so that writing them seldom moves them.
const EXPECTED_BYTES: usize = 4096;

/// An immutable API object; cheap to clone.
#[derive(Clone)]
pub struct Stored(Form);

#[derive(Clone)]
enum Form {
    Document(Arc<Document>),
    Event(Arc<event::Kept>),
}

struct Document {
    value: Arc<Value>,
    json: OnceLock<Bytes>,
    size: usize,
}

impl Stored {
    /// Wraps a document.
    #[must_use]
    pub fn new(value: Value) -> Self {
        let size = size_of_parts(&value);
        Self::with(Arc::new(value), size)
    }

    /// Wraps the next version of `old`; only what differs is looked at.
    pub(crate) fn revised(value: Value, old: &Self) -> Self {
        match &old.0 {
            Form::Document(document) => {
                let grown = growth(&document.value, &value);
                Self::with(Arc::new(value), document.size.saturating_add_signed(grown))
            }
            Form::Event(_) => Self::new(value),
        }
    }

    fn with(value: Arc<Value>, size: usize) -> Self {
        Self(Form::Document(Arc::new(Document { value, json: OnceLock::new(), size })))
    }

    /// An event, without its document.
    pub(crate) fn told(event: event::Kept) -> Self {
        Self(Form::Event(Arc::new(event)))
    }

    /// The event, if it is one and without its document.
    pub(crate) fn event(&self) -> Option<&event::Kept> {
        match &self.0 {
            Form::Document(_) => None,
            Form::Event(event) => Some(event),
        }
    }

    /// The document, in the version it was asked for (in the store: the storage version).
    #[must_use]
    pub fn value(&self) -> Arc<Value> {
        match &self.0 {
            Form::Document(document) => Arc::clone(&document.value),
            Form::Event(event) => Arc::new(event.document()),
        }
    }

    /// The document as JSON; of an object that is kept as a document it is serialised at most once for
    /// all clones.
    #[must_use]
    pub fn json(&self) -> Bytes {
        match &self.0 {
            Form::Document(document) => {
                document.json.get_or_init(|| serialise(&document.value)).clone()
            }
            Form::Event(event) => serialise(&event.document()),
        }
    }

    /// The document on its own.
    #[must_use]
    pub fn into_value(self) -> Value {
        match &self.0 {
            Form::Document(document) => (*document.value).clone(),
            Form::Event(event) => event.document(),
        }
    }

    fn stamp(&mut self, revision: Revision) {
        match &mut self.0 {
            Form::Event(event) => Arc::make_mut(event).revision = revision,
            Form::Document(shared) => {
                let revision = Value::from(revision.to_string());
                let size = shared.size;
                if let Some(document) = Arc::get_mut(shared) {
                    document.json = OnceLock::new();
                    let value = Arc::make_mut(&mut document.value);
                    value.set(&["metadata", "resourceVersion"], revision);
                    return;
                }
                let mut value = (*shared.value).clone();
                value.set(&["metadata", "resourceVersion"], revision);
                *self = Self::with(Arc::new(value), size);
            }
        }
    }
}

fn serialise(value: &Value) -> Bytes {
    let mut json = Vec::with_capacity(EXPECTED_BYTES);
    serde_json::to_writer(&mut json, value).unwrap_or_default();
    json.shrink_to_fit();
    Bytes::from(json)
}

/// Texts up to this length are within their handles.
const SHORT_TEXT: usize = 15;
/// What precedes shared texts, lists and maps in memory.
const HEADER: usize = 16;

/// About how many bytes a document takes besides its root when nothing of it is shared.
fn size_of_parts(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => size_of_text(text),
        Value::Array(items) => {
            HEADER + size_of_val(items.as_slice()) + items.iter().map(size_of_parts).sum::<usize>()
        }
        Value::Object(members) => {
            HEADER + members.iter().map(|(name, value)| size_of_member(name, value)).sum::<usize>()
        }
    }
}

/// By how much [`size_of_parts`] of `new` exceeds that of `old`.
fn growth(old: &Value, new: &Value) -> isize {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if old.is_same(new) => 0,
        (Value::Object(old), Value::Object(new)) => {
            let kept = new.iter().map(|(name, value)| match old.get(name) {
                Some(old) => growth(old, value),
                None => signed(size_of_member(name, value)),
            });
            let gone = old.iter().filter(|(name, _)| !new.contains_key(name));
            let gone = gone.map(|(name, value)| signed(size_of_member(name, value)));
            kept.sum::<isize>() - gone.sum::<isize>()
        }
        (old, new) => signed(size_of_parts(new)) - signed(size_of_parts(old)),
    }
}

fn signed(size: usize) -> isize {
    isize::try_from(size).unwrap_or(isize::MAX)
}

fn size_of_member(name: &str, value: &Value) -> usize {
    size_of::<(Text, Value)>() + size_of_text(name) + size_of_parts(value)
}

fn size_of_text(text: &str) -> usize {
    if text.len() > SHORT_TEXT { HEADER + text.len() } else { 0 }
}

impl store::Value for Stored {
    fn size(&self) -> usize {
        match &self.0 {
            Form::Document(document) => document.size,
            Form::Event(event) => event.size(),
        }
    }

    fn committed(&mut self, revision: Revision) {
        self.stamp(revision);
    }

    fn deleted(&mut self, revision: Revision) {
        self.stamp(revision);
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value(), f)
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;
    use store::Value as _;

    use super::*;

    #[test]
    fn a_revision_is_stamped_on_a_copy_of_its_own() {
        let revision = |stored: &Stored| stored.value().resource_version().to_owned();
        let mut first = Stored::new(json!({"kind": "Pod", "metadata": {"name": "a"}}));
        assert!(!first.json().is_empty());
        first.committed(3);
        let mut second = first.clone();
        second.deleted(4);
        assert_eq!((revision(&first), revision(&second)), ("3".to_owned(), "4".to_owned()));
        assert_eq!(first.json(), r#"{"kind":"Pod","metadata":{"name":"a","resourceVersion":"3"}}"#);
    }

    #[test]
    fn the_size_grows_with_what_is_said() {
        let of = |value: Value| Stored::new(value).size();
        let (short, long) = (of(json!({"a": "b"})), of(json!({"a": "b".repeat(1000)})));
        assert_eq!(long - short, 1000 + HEADER);
        assert!(of(json!([short, [long], {"x": []}])) > of(json!([])));
    }

    #[test]
    fn a_version_is_as_large_as_the_same_document_made_anew() {
        let long = "l".repeat(40);
        let old = json!({"a": {"b": 1, "c": [long, {"d": long}], "e": long}, "f": {"g": 2}});
        let mut new = old.clone();
        new["a"]["c"][1]["d"] = json!("short");
        new["a"].remove(&["e"]);
        new["f"]["another name that is long"] = json!([1, 2, 3]);
        new["h"] = json!({"i": long});
        for (old, new) in [(&old, &new), (&new, &old), (&old, &old), (&old, &json!({}))] {
            let revised = Stored::revised(new.clone(), &Stored::new(old.clone()));
            assert_eq!(revised.size(), Stored::new(new.clone()).size());
        }
    }
}
