//! What has to be known of a kind to say who owns which part of its objects.
//!
//! Invariant: adds no knowledge of its own; a kind's table or a custom resource's schema answers.

use crate::Value;

/// How a value is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As a whole, whatever it is: scalars and atomic structures.
    Leaf,
    /// Field by field.
    Map,
    /// Item by item.
    List(ListKind),
    /// By what the value turns out to be: maps field by field, everything else as a whole.
    Deduced,
}

/// How the items of a list that is owned item by item are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// By their value.
    Set,
    /// By the fields that [`Schema::keys`] names.
    Map,
}

/// A place in the schema of a kind; cheap to copy.
pub trait Schema: Copy {
    /// How the value here is owned.
    fn shape(self) -> Shape;

    /// What stands under a key; `None` when there is no such field.
    fn member(self, name: &str) -> Option<Self>;

    /// Whether a key is a declared field, in contrast to a key of a free map.
    fn declares(self, name: &str) -> bool;

    /// Whether a declared field is there, with its zero value, even when it is not written.
    fn always(self, name: &str) -> bool;

    /// Whether a null here is the same as nothing, once the object is read.
    fn drops_null(self, _name: &str) -> bool {
        false
    }

    /// The items of a list.
    fn element(self) -> Self;

    /// The fields that tell the items of a list apart, each with what an absent one stands for.
    fn keys(self) -> Vec<(String, Option<Value>)>;
}

/// Nothing is known: every map is owned field by field.
#[derive(Debug, Clone, Copy)]
pub struct Deduced;

impl Schema for Deduced {
    fn shape(self) -> Shape {
        Shape::Deduced
    }

    fn member(self, _name: &str) -> Option<Self> {
        Some(self)
    }

    fn declares(self, _name: &str) -> bool {
        false
    }

    fn always(self, _name: &str) -> bool {
        false
    }

    fn element(self) -> Self {
        self
    }

    fn keys(self) -> Vec<(String, Option<Value>)> {
        Vec::new()
    }
}

/// The shape that a value has under a schema.
pub(super) fn shape_of<S: Schema>(schema: S, value: &Value) -> Shape {
    match schema.shape() {
        Shape::Deduced if value.is_object() => Shape::Map,
        Shape::Deduced => Shape::Leaf,
        shape => shape,
    }
}
