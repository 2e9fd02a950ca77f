//! What the store keeps for an API object: the document as a tree while it is young, as its bytes
//! afterwards.
//!
//! A tree takes six times the memory of its text. Whoever keeps an object for long keeps the
//! [`Stored`]; whoever looks at it asks for its [`Stored::value`] and lets go of it. A tree that
//! somebody still holds is handed out to others too, so an object is never there twice.
//!
//! Invariant: a committed object's `metadata.resourceVersion` is the revision it was stored at; the
//! object in the event of a deletion carries the revision of the deletion.
//! Invariant: bytes and tree say the same; all clones share one serialisation.
//! Invariant: no call goes out while a document's lock is held.

use std::fmt;
use std::sync::{Arc, Weak};

use apimachinery::ObjectExt as _;
use bytes::Bytes;
use parking_lot::Mutex;
use apimachinery::Value;
use store::Revision;

/// What most objects take, so that writing them seldom moves them.
const EXPECTED_BYTES: usize = 4096;
/// How deep a document may be to be read back from its text; the reader gives up at 128.
const DEPTH: usize = 100;

/// An immutable API object; cheap to clone.
#[derive(Clone)]
pub struct Stored(Arc<Document>);

struct Document {
    form: Mutex<Form>,
    measure: Measure,
}

enum Form {
    Tree { tree: Arc<Value>, json: Option<Bytes> },
    Packed { json: Bytes, tree: Weak<Value> },
}

impl Form {
    fn tree(&mut self) -> Arc<Value> {
        match self {
            Self::Tree { tree, .. } => Arc::clone(tree),
            Self::Packed { json, tree } => tree.upgrade().unwrap_or_else(|| {
                let value = serde_json::from_slice(json).expect("it was written from a tree");
                let read = Arc::new(value);
                *tree = Arc::downgrade(&read);
                read
            }),
        }
    }

    fn json(&mut self) -> Bytes {
        match self {
            Self::Tree { tree, json } => json.get_or_insert_with(|| serialise(tree)).clone(),
            Self::Packed { json, .. } => json.clone(),
        }
    }

    fn pack(&mut self) {
        let Self::Tree { tree, json } = self else { return };
        let json = json.take().unwrap_or_else(|| serialise(tree));
        *self = Self::Packed { json, tree: Arc::downgrade(tree) };
    }
}

fn serialise(tree: &Value) -> Bytes {
    let mut json = Vec::with_capacity(EXPECTED_BYTES);
    serde_json::to_writer(&mut json, tree).unwrap_or_default();
    json.shrink_to_fit();
    Bytes::from(json)
}

impl Stored {
    /// Wraps a document.
    #[must_use]
    pub fn new(value: Value) -> Self {
        let measure = Measure::of(&value);
        Self::young(Arc::new(value), measure)
    }

    fn young(tree: Arc<Value>, measure: Measure) -> Self {
        Self(Arc::new(Document { form: Mutex::new(Form::Tree { tree, json: None }), measure }))
    }

    /// The document, in the version it was asked for (in the store: the storage version). Read from
    /// its bytes when it is packed and nobody holds it; so hold it while you look at it, not longer.
    #[must_use]
    pub fn value(&self) -> Arc<Value> {
        self.0.form.lock().tree()
    }

    /// The document as JSON, serialised at most once for all clones.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.0.form.lock().json()
    }

    /// The document on its own, copied only when others hold it too.
    #[must_use]
    pub fn into_value(self) -> Value {
        let tree = match Arc::try_unwrap(self.0).map(|document| document.form.into_inner()) {
            Ok(Form::Tree { tree, .. }) => tree,
            Ok(mut packed) => packed.tree(),
            Err(shared) => shared.form.lock().tree(),
        };
        Arc::try_unwrap(tree).unwrap_or_else(|shared| (*shared).clone())
    }

    /// Whether both are one object, not only equal ones.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn stamp(&mut self, revision: Revision) {
        let revision = Value::from(revision.to_string());
        let write = |tree: &mut Arc<Value>| {
            Arc::make_mut(tree).set(&["metadata", "resourceVersion"], revision);
        };
        if let Some(document) = Arc::get_mut(&mut self.0)
            && let Form::Tree { tree, json } = document.form.get_mut()
        {
            write(tree);
            *json = None;
            return;
        }
        let mut tree = self.value();
        write(&mut tree);
        *self = Self::young(tree, self.0.measure);
    }
}

/// A node of the tree that a JSON object is: room for eleven members and some links.
const MAP_NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
/// How full such nodes are in the middle.
const MAP_NODE_MEMBERS: usize = 8;

/// What was found out about a document when it was wrapped.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// About how many bytes a tree takes besides its root, with its text, which goes out sooner or
    /// later.
    size: usize,
    /// Whether its text tells all: numbers with a fraction may be read back differently in the last
    /// digit, and what is nested very deep not at all.
    packs: bool,
}

impl Measure {
    fn of(value: &Value) -> Self {
        let mut measure = Self { size: 0, packs: true };
        measure.add(value, 0);
        measure
    }

    fn add(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.packs &= !number.is_f64(),
            Value::String(text) => self.size += text.len() * 2,
            Value::Array(items) => {
                self.size += size_of_val(items.as_slice());
                self.packs &= depth < DEPTH;
                items.iter().for_each(|item| self.add(item, depth + 1));
            }
            Value::Object(members) => {
                self.size += members.len().div_ceil(MAP_NODE_MEMBERS) * MAP_NODE;
                self.packs &= depth < DEPTH;
                for (key, value) in members {
                    self.size += key.len() * 2;
                    self.add(value, depth + 1);
                }
            }
        }
    }
}

impl store::Value for Stored {
    fn size(&self) -> usize {
        self.0.measure.size
    }

    fn committed(&mut self, revision: Revision) {
        self.stamp(revision);
    }

    fn deleted(&mut self, revision: Revision) {
        self.stamp(revision);
    }

    fn cool(&self) {
        if self.0.measure.packs {
            self.0.form.lock().pack();
        }
    }
}

/// A document that others hold as it is and that never was in a store.
impl From<Arc<Value>> for Stored {
    fn from(tree: Arc<Value>) -> Self {
        Self::young(tree, Measure { size: 0, packs: false })
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.value() == other.value()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value(), f)
    }
}

#[cfg(test)]
mod tests;
