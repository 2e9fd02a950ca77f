//! The name of an object within its resource: what queues hold and reconcilers receive.
//!
//! Invariant: keys order by namespace, then name, so a namespace is one contiguous range.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use apimachinery::{ObjectExt as _, Value};

/// Stands between namespace and name. It is below whatever they may hold, so that a namespace comes
/// before those whose names begin with its own.
const SEPARATOR: char = '\0';

/// Longest key that is put together without an allocation of its own.
const SHORT: usize = 128;

/// Namespace (empty for cluster-scoped objects) and name.
///
/// Both are one text that clones share, so comparing keys is comparing texts once, and only pointers
/// where one key is a clone of the other.
#[derive(Clone)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of `namespace`/`name`.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(joined(namespace, name, |text| Arc::from(text)))
    }

    /// The key of `object`.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        Self::new(object.namespace(), object.name())
    }

    /// Namespace; empty for cluster-scoped objects.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.parts().0
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().1
    }

    /// Namespace and name.
    fn parts(&self) -> (&str, &str) {
        self.0.split_once(SEPARATOR).unwrap_or(("", &self.0))
    }

    /// Both as [`joined`] puts them together; equal keys have equal ones, and hash as they do.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// What `with` gives for the text of the key of `namespace`/`name`.
pub(crate) fn joined<R>(namespace: &str, name: &str, with: impl FnOnce(&str) -> R) -> R {
    let end = namespace.len() + 1 + name.len();
    let mut short = [0; SHORT];
    if let Some(both) = short.get_mut(..end) {
        both[..namespace.len()].copy_from_slice(namespace.as_bytes());
        both[namespace.len() + 1..].copy_from_slice(name.as_bytes());
        if let Ok(both) = std::str::from_utf8(both) {
            return with(both);
        }
    }
    with(&[namespace, name].join("\0"))
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || *self.0 == *other.0
    }
}

impl Eq for Key {}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, name) = self.parts();
        f.debug_struct("Key").field("namespace", &namespace).field("name", &name).finish()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, name) = self.parts();
        if namespace.is_empty() { f.write_str(name) } else { write!(f, "{namespace}/{name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_by_namespace_then_name() {
        let long = "n".repeat(SHORT);
        let parts = ["", "-", "a", "a-b", "a.b", "a0", "ab", "b", long.as_str()];
        for a in parts.iter().flat_map(|namespace| parts.map(|name| (*namespace, name))) {
            let key = Key::new(a.0, a.1);
            assert_eq!((key.namespace(), key.name()), a);
            for b in parts.iter().flat_map(|namespace| parts.map(|name| (*namespace, name))) {
                assert_eq!(key.cmp(&Key::new(b.0, b.1)), a.cmp(&b), "{a:?} {b:?}");
                assert_eq!(key == Key::new(b.0, b.1), a == b, "{a:?} {b:?}");
            }
        }
    }
}
