//! A configuration laid over an object.
//!
//! Invariant: what the configuration does not mention stays as it is.
//! Mirrors: `sigs.k8s.io/structured-merge-diff/v4/typed/merge.go`.

use std::collections::BTreeMap;

use crate::Value;

use super::list::items;
use super::schema::{ListKind, Schema, Shape, shape_of};
use super::set::Element;

/// Lays `config` over `live`.
pub(super) fn merge<S: Schema>(schema: S, live: Option<&Value>, config: &Value) -> Value {
    let Some(live) = live else { return config.clone() };
    match (shape_of(schema, config), live, config) {
        (Shape::Map, Value::Object(live), Value::Object(config)) => {
            let mut merged = live.clone();
            for (name, value) in config {
                let value = match schema.member(name) {
                    Some(member) => merge(member, live.get(name), value),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Shape::List(kind), Value::Array(_), Value::Array(_)) => {
            Value::from(merge_list(schema, kind, live, config))
        }
        _ => config.clone(),
    }
}

/// The document without the nulls that reading it drops.
pub(super) fn without_nulls<S: Schema>(schema: S, document: Value) -> Value {
    match document {
        Value::Object(map) => {
            let kept = map
                .into_iter()
                .filter(|(name, value)| !(value.is_null() && schema.drops_null(name)));
            let read = |(name, value): (crate::Text, Value)| match schema.member(&name) {
                Some(member) => (name, without_nulls(member, value)),
                None => (name, value),
            };
            Value::Object(kept.map(read).collect())
        }
        Value::Array(list) => {
            let element = schema.element();
            Value::Array(list.into_iter().map(|item| without_nulls(element, item)).collect())
        }
        other => other,
    }
}

/// Items keep the order of the configuration among themselves and of the object otherwise.
fn merge_list<S: Schema>(schema: S, kind: ListKind, live: &Value, config: &Value) -> Vec<Value> {
    let left = items(schema, kind, Some(live));
    let right = items(schema, kind, Some(config));
    let first = |items: &[(Element, &Value)]| {
        let mut map: BTreeMap<Element, Value> = BTreeMap::new();
        for (element, item) in items {
            map.entry(element.clone()).or_insert_with(|| (*item).clone());
        }
        map
    };
    let (in_left, in_right) = (first(&left), first(&right));
    let together =
        |element: &Element, item: &Value| merge(schema.element(), in_left.get(element), item);
    let shared: Vec<&Element> =
        right.iter().map(|(element, _)| element).filter(|e| in_left.contains_key(*e)).collect();
    let mut shared = shared.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if let (Some((ours, _)), Some((theirs, item))) = (left.get(l), right.get(r)) {
            if ours == theirs {
                merged.push(together(theirs, item));
                (l, r) = (l + 1, r + 1);
                shared.next_if(|next| *next == theirs);
                continue;
            }
            // Both have it, but the configuration wants another one first.
            if in_right.contains_key(ours) && shared.peek().is_some_and(|next| *next != ours) {
                l += 1;
                continue;
            }
        }
        if let Some((ours, item)) = left.get(l) {
            if !in_right.contains_key(ours) {
                merged.push((*item).clone());
                l += 1;
                continue;
            }
            if r >= right.len() {
                l += 1;
                continue;
            }
        }
        if let Some((theirs, item)) = right.get(r) {
            merged.push(together(theirs, item));
            r += 1;
            shared.next_if(|next| *next == theirs);
        }
    }
    merged
}
