//! Reading and writing the metadata that every object carries.
//!
//! [`ObjectExt`] adds these readings to a plain document. A reading of something absent or of the
//! wrong type gives the Go zero value (empty text, no entries), as upstream's typed structs do.
//!
//! Invariant: writers create missing parents and never touch sibling fields.

use crate::{Map, Text, Value, json};

/// Readings and writings of `apiVersion`, `kind`, `metadata` and arbitrary paths of a document.
///
/// Paths are given as slices of keys, e.g. `&["spec", "replicas"]`.
pub trait ObjectExt {
    /// The value at `path`, descending through maps only; `None` when absent.
    fn at(&self, path: &[&str]) -> Option<&Value>;
    /// The text at `path`, empty when absent.
    fn str_at(&self, path: &[&str]) -> &str;
    /// The same in the memory of the document.
    fn text_at(&self, path: &[&str]) -> Text;
    /// The integer at `path`.
    fn int_at(&self, path: &[&str]) -> Option<i64>;
    /// The boolean at `path`, false when absent.
    fn bool_at(&self, path: &[&str]) -> bool;
    /// The list at `path`, empty when absent.
    fn list_at(&self, path: &[&str]) -> &[Value];
    /// The map at `path`.
    fn map_at(&self, path: &[&str]) -> Option<&Map>;
    /// Sets the value at `path`, creating missing maps on the way.
    fn set(&mut self, path: &[&str], value: Value);
    /// Removes the value at `path`; gives it back when it was there.
    fn remove(&mut self, path: &[&str]) -> Option<Value>;

    /// `apiVersion`.
    fn api_version(&self) -> &str {
        self.str_at(&["apiVersion"])
    }
    /// `kind`.
    fn kind(&self) -> &str {
        self.str_at(&["kind"])
    }
    /// `metadata.name`.
    fn name(&self) -> &str {
        self.str_at(&["metadata", "name"])
    }
    /// `metadata.namespace`.
    fn namespace(&self) -> &str {
        self.str_at(&["metadata", "namespace"])
    }
    /// `metadata.uid`.
    fn uid(&self) -> &str {
        self.str_at(&["metadata", "uid"])
    }
    /// `metadata.resourceVersion`.
    fn resource_version(&self) -> &str {
        self.str_at(&["metadata", "resourceVersion"])
    }
    /// `metadata.generation`, 0 when absent.
    fn generation(&self) -> i64 {
        self.int_at(&["metadata", "generation"]).unwrap_or(0)
    }
    /// `metadata.creationTimestamp`.
    fn creation_timestamp(&self) -> &str {
        self.str_at(&["metadata", "creationTimestamp"])
    }
    /// `metadata.deletionTimestamp`, `None` while the object is not being deleted.
    fn deletion_timestamp(&self) -> Option<&str> {
        Some(self.str_at(&["metadata", "deletionTimestamp"])).filter(|text| !text.is_empty())
    }
    /// One label, empty when absent.
    fn label(&self, key: &str) -> &str {
        self.str_at(&["metadata", "labels", key])
    }
    /// One annotation, `None` when absent.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "annotations", key]).and_then(Value::as_str)
    }
    /// `metadata.labels`.
    fn labels(&self) -> Option<&Map> {
        self.map_at(&["metadata", "labels"])
    }
    /// Sets one annotation.
    fn set_annotation(&mut self, key: &str, value: &str) {
        self.set(&["metadata", "annotations", key], json!(value));
    }
    /// `metadata.ownerReferences`.
    fn owner_references(&self) -> &[Value] {
        self.list_at(&["metadata", "ownerReferences"])
    }
    /// The owner reference with `controller: true`.
    fn controller_ref(&self) -> Option<&Value> {
        self.owner_references().iter().find(|owner| owner.bool_at(&["controller"]))
    }
}

impl ObjectExt for Value {
    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, key| value.as_object()?.get(key))
    }

    fn str_at(&self, path: &[&str]) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn text_at(&self, path: &[&str]) -> Text {
        match self.at(path) {
            Some(Value::String(text)) => text.clone(),
            _ => Text::new(),
        }
    }

    fn int_at(&self, path: &[&str]) -> Option<i64> {
        self.at(path).and_then(Value::as_i64)
    }

    fn bool_at(&self, path: &[&str]) -> bool {
        self.at(path).and_then(Value::as_bool).unwrap_or_default()
    }

    fn list_at(&self, path: &[&str]) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(&[], crate::List::as_slice)
    }

    fn map_at(&self, path: &[&str]) -> Option<&Map> {
        self.at(path).and_then(Value::as_object)
    }

    fn set(&mut self, path: &[&str], value: Value) {
        if self.at(path) == Some(&value) {
            // What stays the same stays shared.
            return;
        }
        let mut place = self;
        for key in path {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(map) = place else { return };
            place = map.entry(*key).or_insert(Value::Null);
        }
        *place = value;
    }

    fn remove(&mut self, path: &[&str]) -> Option<Value> {
        self.at(path)?;
        let (last, parents) = path.split_last()?;
        let mut place = self;
        for key in parents {
            place = place.as_object_mut()?.get_mut(key)?;
        }
        place.as_object_mut()?.remove(last)
    }
}

/// An owner reference as controllers put it on what they create: `controller` and
/// `blockOwnerDeletion` both true.
#[must_use]
pub fn controller_owner_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner.api_version(),
        "kind": owner.kind(),
        "name": owner.name(),
        "uid": owner.uid(),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// A map of these members. Unlike `json!` it takes values as they are instead of writing them out
/// once more.
#[must_use]
pub fn map_of<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_of_absent_fields_are_zero() {
        let pod = json!({"metadata": {"name": "a"}});
        assert_eq!(pod.name(), "a");
        assert_eq!(pod.namespace(), "");
        assert_eq!(pod.deletion_timestamp(), None);
        assert!(pod.list_at(&["spec", "containers"]).is_empty());
    }

    #[test]
    fn set_creates_parents_and_remove_gives_back() {
        let mut pod = json!({});
        pod.set(&["metadata", "labels", "app"], json!("web"));
        assert_eq!(pod.label("app"), "web");
        assert_eq!(pod.remove(&["metadata", "labels", "app"]), Some(json!("web")));
        assert_eq!(pod.remove(&["spec", "x"]), None);
    }
}
