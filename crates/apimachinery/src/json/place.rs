//! Looking into a document by name and by index: `value["spec"]["containers"][0]`.

use std::ops::{Index, IndexMut};

use super::{Map, Text, Value};

static NULL: Value = Value::Null;

/// A member's name or an item's index.
pub trait Place {
    /// What is there in `value`.
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value>;
    /// What is there in `value`, to be changed.
    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value>;
    /// What is there in `value`; a missing member is put there as `null`.
    ///
    /// # Panics
    /// When there can be no such place: a member in a list or a text, an item beyond the last.
    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value;
}

impl Place for str {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.as_object()?.get(self)
    }

    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        value.as_object_mut()?.get_mut(self)
    }

    #[expect(clippy::panic, reason = "indexing what cannot be indexed is a mistake in the code")]
    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        match value {
            Value::Object(members) => members.entry(self).or_insert(Value::Null),
            other => panic!("no member {self:?} in {other}"),
        }
    }
}

macro_rules! name {
    ($($text:ty)*) => {$(
        impl Place for $text {
            fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
                self.as_str().of(value)
            }

            fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
                self.as_str().of_mut(value)
            }

            fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
                self.as_str().made(value)
            }
        }
    )*};
}

name!(String Text);

impl Place for usize {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.as_array()?.get(*self)
    }

    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        value.as_array_mut()?.get_mut(*self)
    }

    #[expect(clippy::panic, reason = "indexing what cannot be indexed is a mistake in the code")]
    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        match value {
            Value::Array(items) => &mut items[*self],
            other => panic!("no item {self} in {other}"),
        }
    }
}

impl<P: Place + ?Sized> Place for &P {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        (**self).of(value)
    }

    fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        (**self).of_mut(value)
    }

    fn made<'a>(&self, value: &'a mut Value) -> &'a mut Value {
        (**self).made(value)
    }
}

impl<P: Place> Index<P> for Value {
    type Output = Self;

    /// What is there; `null` when nothing is.
    fn index(&self, place: P) -> &Self {
        place.of(self).unwrap_or(&NULL)
    }
}

impl<P: Place> IndexMut<P> for Value {
    /// What is there, to be changed; see [`Place::made`].
    fn index_mut(&mut self, place: P) -> &mut Self {
        place.made(self)
    }
}

impl Value {
    /// The part that an RFC 6901 pointer names.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        steps(pointer)?.try_fold(self, |value, step| match value {
            Self::Object(members) => members.get(&step),
            Self::Array(items) => items.get(index_of(&step)?),
            _ => None,
        })
    }

    /// The part that an RFC 6901 pointer names, to be changed.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        steps(pointer)?.try_fold(self, |value, step| match value {
            Self::Object(members) => members.get_mut(&step),
            Self::Array(items) => items.get_mut(index_of(&step)?),
            _ => None,
        })
    }
}

fn steps(pointer: &str) -> Option<impl Iterator<Item = String>> {
    let is_whole = pointer.is_empty();
    let steps = pointer.strip_prefix('/').or_else(|| is_whole.then_some(""))?;
    let steps = steps.split('/').take(if is_whole { 0 } else { usize::MAX });
    Some(steps.map(|step| step.replace("~1", "/").replace("~0", "~")))
}

fn index_of(step: &str) -> Option<usize> {
    let leads = step.starts_with('+') || step.len() > 1 && step.starts_with('0');
    if leads { None } else { step.parse().ok() }
}
