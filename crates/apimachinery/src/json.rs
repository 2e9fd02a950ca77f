//! The document type: JSON whose parts are shared until somebody changes them.
//!
//! A cluster keeps a hundred thousand documents that are mostly alike: the pods of one controller have
//! the containers of its template, the versions of one pod have the same spec. A [`Value`] is a handle;
//! cloning one copies no member, changing one copies only the maps and lists on the way to the change,
//! and comparing two that share parts does not look into them.
//!
//! The interface is that of `serde_json::Value`, with [`Text`], [`List`] and [`Map`] in the place of
//! `String`, `Vec` and the sorted map.
//!
//! Invariant: members come in the order of their names, so equal documents are written alike.

mod convert;
mod key;
mod list;
mod literal;
mod map;
mod memo;
mod place;
mod wire;

use std::fmt;

pub use serde_json::Number;

pub use self::key::{Name, Texts};
pub use self::list::List;
pub use self::literal::{Items, Lift, LiftSerialize, LiftValue, Members};
pub use self::map::{Entry, Iter, IterMut, Map};
pub use self::memo::Memo;
pub use self::place::Place;
pub use self::wire::{from_value, to_value};

/// What [`json!`](crate::json!) needs around an expression.
pub mod prelude {
    pub use super::{LiftSerialize as _, LiftValue as _};
}

/// A text: up to 15 bytes take no memory of their own, longer ones are shared by their clones.
pub type Text = ecow::EcoString;

/// A JSON document or a part of one; cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, whole or with a fraction.
    Number(Number),
    /// A text.
    String(Text),
    /// Items in order.
    Array(List),
    /// Members by name.
    Object(Map),
}

impl Value {
    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a truth value.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        matches!(self, Self::Bool(_))
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is a whole number of 64 bits with a sign.
    #[must_use]
    pub fn is_i64(&self) -> bool {
        self.as_number().is_some_and(Number::is_i64)
    }

    /// Whether it is a whole number of 64 bits without a sign.
    #[must_use]
    pub fn is_u64(&self) -> bool {
        self.as_number().is_some_and(Number::is_u64)
    }

    /// Whether it is a number with a fraction or an exponent.
    #[must_use]
    pub fn is_f64(&self) -> bool {
        self.as_number().is_some_and(Number::is_f64)
    }

    /// Whether it is a text.
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether it is a map.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// The truth value that it is.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The number that it is.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    /// The whole number that it is, if it fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The whole number without a sign that it is, if it fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    /// The number that it is, rounded where it must be.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number().and_then(Number::as_f64)
    }

    /// The text that it is.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The list that it is.
    #[must_use]
    pub fn as_array(&self) -> Option<&List> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The list that it is, to be changed.
    #[must_use]
    pub fn as_array_mut(&mut self) -> Option<&mut List> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The map that it is.
    #[must_use]
    pub fn as_object(&self) -> Option<&Map> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The map that it is, to be changed.
    #[must_use]
    pub fn as_object_mut(&mut self) -> Option<&mut Map> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The member of that name, or the item of that index.
    pub fn get<P: Place>(&self, place: P) -> Option<&Self> {
        place.of(self)
    }

    /// The member of that name, or the item of that index, to be changed.
    pub fn get_mut<P: Place>(&mut self, place: P) -> Option<&mut Self> {
        place.of_mut(self)
    }

    /// Leaves `null` in its place.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write =
            if f.alternate() { serde_json::to_string_pretty } else { serde_json::to_string };
        f.write_str(&write(self).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(truth) => write!(f, "Bool({truth})"),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::String(text) => write!(f, "String({text:?})"),
            Self::Array(items) => {
                f.write_str("Array ")?;
                fmt::Debug::fmt(items, f)
            }
            Self::Object(members) => {
                f.write_str("Object ")?;
                fmt::Debug::fmt(members, f)
            }
        }
    }
}

#[cfg(test)]
mod tests;
