//! The table as a strategic merge patch sees it.
//!
//! Invariant: adds no knowledge of its own; keys and strategies are the table's.

use apimachinery::patch::{FieldSchema, ListStrategy, PatchSchema};

use super::{Field, FieldKind, Type};

impl PatchSchema for Type {
    fn field(&self, name: &str) -> Option<FieldSchema<'_>> {
        let field = Self::field(self, name)?;
        Some(FieldSchema {
            strategy: strategy(field),
            retain_keys: field.patch.retain_keys,
            element: element(&field.kind),
        })
    }
}

/// A map with arbitrary keys: every key holds the same.
impl PatchSchema for FieldKind {
    fn field(&self, _name: &str) -> Option<FieldSchema<'_>> {
        let Self::Map(of) = self else { return None };
        Some(FieldSchema {
            strategy: ListStrategy::Atomic,
            retain_keys: false,
            element: element(of),
        })
    }
}

fn strategy(field: &'static Field) -> ListStrategy<'static> {
    let patch = field.patch;
    match field.merge_key {
        _ if patch.replace => ListStrategy::Replace,
        Some(key) if patch.merge => ListStrategy::Merge { key },
        None if patch.merge => ListStrategy::MergePrimitive,
        _ => ListStrategy::Atomic,
    }
}

fn element(kind: &'static FieldKind) -> Option<&'static dyn PatchSchema> {
    match kind {
        FieldKind::Object(of) => Some(*of),
        FieldKind::Map(_) => Some(kind),
        FieldKind::Array(of) => element(of),
        _ => None,
    }
}
