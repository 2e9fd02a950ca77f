//! Items in order.

use std::fmt;
use std::ops::{Deref, DerefMut};

use ecow::EcoVec;

use super::Value;

/// The items of a JSON list; clones share them until one changes.
#[derive(Clone, Default, Eq)]
pub struct List(EcoVec<Value>);

impl List {
    /// No items.
    #[must_use]
    pub const fn new() -> Self {
        Self(EcoVec::new())
    }

    /// The items.
    #[must_use]
    pub fn as_slice(&self) -> &[Value] {
        &self.0
    }

    /// Adds an item at the end.
    pub fn push(&mut self, item: Value) {
        self.0.push(item);
    }

    /// Takes the last item.
    pub fn pop(&mut self) -> Option<Value> {
        self.0.pop()
    }

    /// Puts an item at `index`, which must be at most the length.
    pub fn insert(&mut self, index: usize, item: Value) {
        self.0.insert(index, item);
    }

    /// Takes the item at `index`, which must be there.
    pub fn remove(&mut self, index: usize) -> Value {
        self.0.remove(index)
    }

    /// Keeps the items for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&Value) -> bool) {
        self.0.retain(|item| keep(item));
    }

    /// Keeps the first `length` items.
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl DerefMut for List {
    fn deref_mut(&mut self) -> &mut [Value] {
        self.0.make_mut()
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.as_slice(), other.as_slice()) || self.0 == other.0
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl From<Vec<Value>> for List {
    fn from(items: Vec<Value>) -> Self {
        Self(EcoVec::from(items))
    }
}

impl From<List> for Vec<Value> {
    fn from(list: List) -> Self {
        list.into_iter().collect()
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::from(items.into_iter().collect::<Vec<Value>>())
    }
}

impl Extend<Value> for List {
    fn extend<I: IntoIterator<Item = Value>>(&mut self, items: I) {
        self.0.extend(items);
    }
}

impl IntoIterator for List {
    type Item = Value;
    type IntoIter = ecow::vec::IntoIter<Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut List {
    type Item = &'a mut Value;
    type IntoIter = std::slice::IterMut<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl PartialEq<Vec<Value>> for List {
    fn eq(&self, other: &Vec<Value>) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl PartialEq<List> for Vec<Value> {
    fn eq(&self, other: &List) -> bool {
        self.as_slice() == other.as_slice()
    }
}
