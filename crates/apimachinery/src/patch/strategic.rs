//! Strategic merge patches: merging that knows which lists are sets and what their keys are.
//!
//! Maps merge field by field and null deletes. A list is replaced, unless its [`FieldSchema`] says
//! that its elements merge by a key (`containers` by `name`) or that it is a set of scalars
//! (`finalizers`). Directives steer the merge: `$patch: replace|delete`, `$retainKeys`,
//! `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/util/strategicpatch`.
//! Deviation: directives and nulls inside values that are new to the document are carried out, where
//! upstream leaves them for the decoder to drop.

mod list;

use std::fmt;

use crate::{Map, Value};

use crate::status::{Reason, Status};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder";
const DELETE_PRIMITIVES: &str = "$deleteFromPrimitiveList";

/// Structural facts that a strategic merge needs about one object type. Implemented by the schema
/// table of the `api` crate; object safe, so that types can refer to each other.
pub trait PatchSchema {
    /// How the field `name` merges; `None` when unknown (then a list is replaced, a map merged).
    ///
    /// For a map with arbitrary keys, such as labels, this is asked for its keys.
    fn field(&self, name: &str) -> Option<FieldSchema<'_>>;
}

/// How a field merges.
#[derive(Clone, Copy)]
pub struct FieldSchema<'a> {
    /// How a list (or, for [`ListStrategy::Replace`], a map) in the field merges.
    pub strategy: ListStrategy<'a>,
    /// Whether clients that compute patches send `$retainKeys` for the field. Applying a patch
    /// follows the directive, not this flag.
    pub retain_keys: bool,
    /// The type of the map, or of the elements of the list; `None` when it has no fields to know.
    pub element: Option<&'a dyn PatchSchema>,
}

impl fmt::Debug for FieldSchema<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { strategy, retain_keys, element } = self;
        write!(f, "FieldSchema({strategy:?}, {retain_keys}, {})", element.is_some())
    }
}

/// How a list merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListStrategy<'a> {
    /// The list is replaced as a whole; a map in the field merges. Upstream's default.
    #[default]
    Atomic,
    /// Elements are maps that merge when they agree in `key`.
    Merge {
        /// The field that identifies an element, e.g. `name` or `containerPort`.
        key: &'a str,
    },
    /// Elements are scalars that form a set.
    MergePrimitive,
    /// List and map are replaced as a whole.
    Replace,
}

/// Why a strategic merge patch does not apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `$patch` with an unknown word.
    #[error("unknown patch type: {directive} in map: {map}")]
    Directive {
        /// The word.
        directive: String,
        /// The map it is in, as Go prints it.
        map: String,
    },
    /// An element without the key of its list.
    #[error("map: {map} does not contain declared merge key: {key}")]
    MergeKey {
        /// The element, as Go prints it.
        map: String,
        /// The key.
        key: String,
    },
    /// `$retainKeys` that is no list.
    #[error("invalid patch format of retainKeys")]
    RetainKeysFormat,
    /// A field beside `$retainKeys` that it does not list.
    #[error("patch content doesn't match retainKeys list")]
    RetainKeysContent,
    /// `$deleteFromPrimitiveList` without field.
    #[error("invalid patch format of primitive list")]
    PrimitiveListFormat,
    /// `$setElementOrder` without field, or that is no list.
    #[error("invalid patch format of setElementOrder list")]
    ElementOrderFormat,
    /// The elements of a list are in another order than `$setElementOrder` says.
    #[error("The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n")]
    ElementOrder {
        /// The list, as Go prints it.
        patch: String,
        /// The order, as Go prints it.
        order: String,
    },
    /// `$patch: merge` in a list.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirective,
    /// A set of scalars that has maps in it.
    #[error("cannot merge lists without merge key for {0}")]
    NoMergeKey(String),
    /// A list in a list that merges.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// A value of another type than the patch needs.
    #[error("expected a {expected}, but received a {actual}")]
    Type {
        /// The type needed.
        expected: &'static str,
        /// The type found.
        actual: &'static str,
    },
}

impl Error {
    /// The answer to a client: 400 for a malformed patch, 422 for lists of lists, else 500.
    #[must_use]
    pub fn to_status(&self) -> Status {
        match self {
            Self::RetainKeysFormat | Self::PrimitiveListFormat | Self::ElementOrderFormat => {
                Status::bad_request(self.to_string())
            }
            Self::ListOfLists => {
                let text = "the server rejected our request due to an error in our request";
                let mut status = Status::new(Reason::Invalid, text);
                status.details = Value::Object(Map::new());
                status
            }
            _ => Status::new(Reason::Unknown, self.to_string()),
        }
    }

    fn merge_key(element: &Map, key: &str) -> Self {
        Self::MergeKey { map: go_map(element), key: key.to_owned() }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

fn go_map(map: &Map) -> String {
    let entries: Vec<String> =
        map.iter().map(|(key, value)| format!("{key}:{}", go_value(value))).collect();
    format!("map[{}]", entries.join(" "))
}

fn go_list(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(go_value).collect();
    format!("[{}]", items.join(" "))
}

/// A value as Go's `%v` prints it.
fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.to_string(),
        Value::Array(items) => go_list(items),
        Value::Object(map) => go_map(map),
        other => other.to_string(),
    }
}

/// Applies a strategic merge patch to a document of the type that `schema` describes.
///
/// # Errors
/// When the patch is malformed or does not fit the document.
pub fn strategic_merge(
    doc: &Value,
    patch: &Value,
    schema: &dyn PatchSchema,
) -> Result<Value, Error> {
    let (Value::Object(doc), Value::Object(patch)) = (doc, patch) else {
        let actual = type_name(if doc.is_object() { patch } else { doc });
        return Err(Error::Type { expected: "map", actual });
    };
    Ok(Value::Object(merge_map(doc.clone(), patch.clone(), Some(schema))?))
}

/// What the schema says about a field, with the defaults of unknown ones.
fn lookup<'a>(schema: Option<&'a dyn PatchSchema>, name: &str) -> FieldSchema<'a> {
    let unknown = FieldSchema { strategy: ListStrategy::Atomic, retain_keys: false, element: None };
    schema.and_then(|schema| schema.field(name)).unwrap_or(unknown)
}

fn merge_map(
    mut original: Map,
    mut patch: Map,
    schema: Option<&dyn PatchSchema>,
) -> Result<Map, Error> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => {
                let word = go_value(&directive);
                patch.insert(DIRECTIVE.to_owned(), directive);
                Err(Error::Directive { directive: word, map: go_map(&patch) })
            }
        };
    }
    if let Some(retained) = patch.remove(RETAIN_KEYS) {
        retain_keys(&mut original, &patch, &retained)?;
    }
    list::merge_ordered(&mut original, &mut patch, schema)?;
    for (key, value) in patch {
        if let Some(rest) = key.strip_prefix(DELETE_PRIMITIVES) {
            let name = rest.strip_prefix('/').ok_or(Error::PrimitiveListFormat)?;
            list::delete_primitives(&mut original, name, &value)?;
        } else if value.is_null() {
            original.remove(&key);
        } else {
            let have = original.remove(&key);
            let merged = merge_value(have, value, &key, lookup(schema, &key))?;
            original.insert(key, merged);
        }
    }
    Ok(original)
}

/// Merges one field; an absent or differently typed value counts as an empty one.
fn merge_value(
    original: Option<Value>,
    patch: Value,
    name: &str,
    field: FieldSchema<'_>,
) -> Result<Value, Error> {
    if field.strategy == ListStrategy::Replace {
        return Ok(patch);
    }
    match patch {
        Value::Object(patch) => {
            let original = match original {
                Some(Value::Object(map)) => map,
                _ => Map::new(),
            };
            Ok(Value::Object(merge_map(original, patch, field.element)?))
        }
        Value::Array(patch) if field.strategy != ListStrategy::Atomic => {
            let original = match original {
                Some(Value::Array(items)) => items.into(),
                _ => Vec::new(),
            };
            Ok(Value::from(list::merge(original, patch.into(), name, field)?))
        }
        other => Ok(other),
    }
}

/// Removes all fields that are not listed.
fn retain_keys(original: &mut Map, patch: &Map, retained: &Value) -> Result<(), Error> {
    let retained = retained.as_array().ok_or(Error::RetainKeysFormat)?;
    let listed = |key: &str| retained.iter().any(|name| name == key);
    let directive =
        |key: &str| key.starts_with(DELETE_PRIMITIVES) || key.starts_with(ELEMENT_ORDER);
    if patch.iter().any(|(key, value)| !value.is_null() && !directive(key) && !listed(key)) {
        return Err(Error::RetainKeysContent);
    }
    original.retain(|key, _| listed(key));
    Ok(())
}

#[cfg(test)]
mod tests;
