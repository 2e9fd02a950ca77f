//! Fields taken out of an object.
//!
//! Mirrors: `sigs.k8s.io/structured-merge-diff/v4/typed/remove.go`.

use crate::{Map, Value};

use super::list::element_of;
use super::schema::{Schema, Shape, shape_of};
use super::set::{Set, field, field_name};

/// The document without the fields of the set; `None` when nothing is left of it.
pub(super) fn remove<S: Schema>(schema: S, value: &Value, gone: &Set) -> Option<Value> {
    match (shape_of(schema, value), value) {
        (Shape::Map, Value::Object(map)) if !map.is_empty() => {
            let kept = map.iter().filter_map(|(name, value)| {
                let element = field(name);
                let member = schema.member(name);
                keep(member, &element, value, gone).map(|value| (name.clone(), value))
            });
            let kept: Map = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        (Shape::List(kind), Value::Array(list)) if !list.is_empty() => {
            let kept = list.iter().filter_map(|item| match element_of(schema, kind, item) {
                Ok(element) => keep(Some(schema.element()), &element, item, gone),
                Err(_) => Some(item.clone()),
            });
            let kept: Vec<Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::from(kept))
        }
        _ => Some(value.clone()),
    }
}

fn keep<S: Schema>(schema: Option<S>, element: &str, value: &Value, gone: &Set) -> Option<Value> {
    if gone.has(element) {
        return None;
    }
    match (schema, gone.below(element)) {
        (Some(schema), Some(below)) => Some(remove(schema, value, below).unwrap_or(Value::Null)),
        _ => Some(value.clone()),
    }
}

/// Makes members of all declared fields that lead to members.
pub(super) fn with_named_fields<S: Schema>(schema: S, set: &Set) -> Set {
    let declared = |at: Option<S>, element: &str| {
        at.zip(field_name(element)).is_some_and(|(schema, name)| schema.declares(name))
    };
    let descend = |at: Option<S>, element: &str| {
        let schema = at?;
        match field_name(element) {
            Some(name) => schema.member(name),
            None => Some(schema.element()),
        }
    };
    set.with_members(Some(schema), &declared, &descend)
}
