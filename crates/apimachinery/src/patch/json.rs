//! JSON patch (RFC 6902): operations applied one after the other.
//!
//! Mirrors: `github.com/evanphx/json-patch`, texts of errors included. Paths need no leading slash
//! there, only some slash.

use crate::Value;

use super::type_name;

/// The most operations of one patch.
pub const MAX_OPERATIONS: usize = 10_000;
/// The most bytes (as JSON) that all `copy` operations of a patch may add.
pub const MAX_COPIED: usize = 3 << 20;

/// Why a JSON patch does not apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The patch is no list of objects.
    #[error("json: cannot unmarshal {found} into Go value of type jsonpatch.{expected}")]
    Shape {
        /// What was found.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// Too many operations.
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    Operations(usize),
    /// Copies of copies.
    #[error(
        "Unable to copy, the accumulated size increase of JSON copy is {0}, exceeding the limit \
         {MAX_COPIED}"
    )]
    Copied(usize),
    /// An unknown `op`.
    #[error("Unexpected kind: {0}")]
    Kind(String),
    /// A parent of the place is not there.
    #[error("jsonpatch {operation} operation does not apply: {missing}: {path}")]
    Missing {
        /// The `op`.
        operation: &'static str,
        /// What is missing.
        missing: &'static str,
        /// Where.
        path: String,
    },
    /// Nothing to remove.
    #[error("Unable to remove nonexistent key: {0}")]
    Nonexistent(String),
    /// An index beyond the list.
    #[error("Unable to access invalid index: {0}")]
    Index(i64),
    /// A key where a list needs an index.
    #[error("strconv.Atoi: parsing {0:?}: invalid syntax")]
    IndexSyntax(String),
    /// A test that fails.
    #[error("Testing value {0} failed")]
    Test(String),
}

struct Operation<'a> {
    path: &'a str,
    from: &'a str,
    value: &'a Value,
}

/// Applies all operations to `doc`, which is left half-changed on error.
pub(super) fn apply(doc: &mut Value, patch: &Value) -> Result<(), Error> {
    let Value::Array(operations) = patch else {
        return Err(Error::Shape { found: type_name(patch), expected: "Patch" });
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(Error::Operations(operations.len()));
    }
    let mut copied = 0;
    for operation in operations {
        let Value::Object(map) = operation else {
            return Err(Error::Shape { found: type_name(operation), expected: "operation" });
        };
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or("unknown");
        let value = map.get("value").unwrap_or(&Value::Null);
        let operation = Operation { path: text("path"), from: text("from"), value };
        match text("op") {
            "add" => operation.add(doc)?,
            "remove" => operation.remove(doc)?,
            "replace" => operation.replace(doc)?,
            "move" => operation.relocate(doc)?,
            "copy" => operation.copy(doc, &mut copied)?,
            "test" => operation.test(doc)?,
            other => return Err(Error::Kind(other.to_owned())),
        }
    }
    Ok(())
}

impl Operation<'_> {
    fn add(&self, doc: &mut Value) -> Result<(), Error> {
        let (parent, key) = find(doc, self.path).ok_or_else(|| self.missing("add"))?;
        insert(parent, key, self.value.clone())
    }

    fn remove(&self, doc: &mut Value) -> Result<(), Error> {
        let (parent, key) = find(doc, self.path).ok_or_else(|| self.missing("remove"))?;
        take(parent, &key).map(drop)
    }

    fn replace(&self, doc: &mut Value) -> Result<(), Error> {
        let (parent, key) = find(doc, self.path).ok_or_else(|| self.missing("replace"))?;
        let missing = || missing("replace", "doc is missing key", self.path);
        *get(parent, &key).ok().flatten().ok_or_else(missing)? = self.value.clone();
        Ok(())
    }

    fn relocate(&self, doc: &mut Value) -> Result<(), Error> {
        let missing_from = || missing("move", "doc is missing from path", self.from);
        let (parent, key) = find(doc, self.from).ok_or_else(missing_from)?;
        let value = take(parent, &key)?;
        let missing_path = || missing("move", "doc is missing destination path", self.path);
        let (parent, key) = find(doc, self.path).ok_or_else(missing_path)?;
        insert(parent, key, value)
    }

    fn copy(&self, doc: &mut Value, copied: &mut usize) -> Result<(), Error> {
        let missing_from = || missing("copy", "doc is missing from path", self.from);
        let (parent, key) = find(doc, self.from).ok_or_else(missing_from)?;
        let source = get(parent, &key)?.ok_or_else(missing_from)?;
        *copied += source.to_string().len();
        if *copied > MAX_COPIED {
            return Err(Error::Copied(*copied));
        }
        let value = source.clone();
        let missing_path = || missing("copy", "doc is missing destination path", self.path);
        let (parent, key) = find(doc, self.path).ok_or_else(missing_path)?;
        insert(parent, key, value)
    }

    /// An absent value equals null.
    fn test(&self, doc: &mut Value) -> Result<(), Error> {
        let missing = || missing("test", "is missing path", self.path);
        let (parent, key) = find(doc, self.path).ok_or_else(missing)?;
        let found = get(parent, &key)?.map_or(&Value::Null, |value| value);
        if found == self.value { Ok(()) } else { Err(Error::Test(self.path.to_owned())) }
    }

    fn missing(&self, operation: &'static str) -> Error {
        missing(operation, "doc is missing path", self.path)
    }
}

fn missing(operation: &'static str, missing: &'static str, path: &str) -> Error {
    Error::Missing { operation, missing, path: path.to_owned() }
}

/// The map or list that holds the place, and its key there.
fn find<'a>(doc: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let decode = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let mut parts = path.split('/');
    parts.next();
    let parts: Vec<String> = parts.map(decode).collect();
    let (key, parents) = parts.split_last()?;
    let mut place = doc;
    for part in parents {
        place = get(place, part).ok()??;
    }
    (place.is_object() || place.is_array()).then(|| (place, key.clone()))
}

/// An index into a list; a negative one counts from the end.
fn index(key: &str, length: usize) -> Result<usize, Error> {
    let number: i64 = key.parse().map_err(|_| Error::IndexSyntax(key.to_owned()))?;
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let place = if number < 0 { number.saturating_add(length) } else { number };
    if place >= length {
        return Err(Error::Index(number));
    }
    usize::try_from(place).map_err(|_| Error::Index(number))
}

fn get<'a>(parent: &'a mut Value, key: &str) -> Result<Option<&'a mut Value>, Error> {
    match parent {
        Value::Object(map) => Ok(map.get_mut(key)),
        Value::Array(list) => {
            let place = index(key, list.len())?;
            Ok(list.get_mut(place))
        }
        _ => Ok(None),
    }
}

fn insert(parent: &mut Value, key: String, value: Value) -> Result<(), Error> {
    match parent {
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => list.insert(index(&key, list.len() + 1)?, value),
        Value::Object(map) => {
            map.insert(key, value);
        }
        _ => {}
    }
    Ok(())
}

fn take(parent: &mut Value, key: &str) -> Result<Value, Error> {
    match parent {
        Value::Array(list) => Ok(list.remove(index(key, list.len())?)),
        Value::Object(map) => map.remove(key).ok_or_else(|| Error::Nonexistent(key.to_owned())),
        _ => Err(Error::Nonexistent(key.to_owned())),
    }
}
