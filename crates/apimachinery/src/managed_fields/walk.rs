//! Which fields a document has, which differ between two documents, and what is wrong with one.
//!
//! Mirrors: `sigs.k8s.io/structured-merge-diff/v4/typed` (`tofieldset.go`, `compare.go`,
//! `validate.go`).

use std::collections::BTreeMap;

use crate::{Map, Value};

use super::list::{element_of, items};
use super::schema::{ListKind, Schema, Shape, shape_of};
use super::set::{self, Element, Set};

/// How a new document differs from an old one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What only the new one has.
    pub added: Set,
    /// What both have with different values.
    pub modified: Set,
    /// What only the old one has.
    pub removed: Set,
}

impl Comparison {
    /// Whether the documents are equal.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// Leaves out what lies at or below the given paths.
    #[must_use]
    pub fn without(self, ignored: &Set) -> Self {
        Self {
            added: self.added.recursive_difference(ignored),
            modified: self.modified.recursive_difference(ignored),
            removed: self.removed.recursive_difference(ignored),
        }
    }
}

/// The fields that a document has: what an applied configuration owns.
#[must_use]
pub fn field_set<S: Schema>(schema: S, document: &Value) -> Set {
    let mut walk = Fields { path: Vec::new(), set: Set::default() };
    walk.visit(schema, document);
    walk.set
}

struct Fields {
    path: Vec<Element>,
    set: Set,
}

impl Fields {
    fn visit<S: Schema>(&mut self, schema: S, value: &Value) {
        match (shape_of(schema, value), value) {
            (Shape::Map, Value::Object(map)) => self.map(schema, map),
            (Shape::List(kind), Value::Array(list)) => self.list(schema, kind, list),
            (Shape::Map | Shape::List(_), _) => {}
            _ => self.set.insert(&self.path),
        }
    }

    fn map<S: Schema>(&mut self, schema: S, map: &Map) {
        for (name, value) in map {
            let Some(member) = schema.member(name) else { continue };
            self.path.push(set::field(name));
            self.visit(member, value);
            let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
            if empty || !schema.declares(name) {
                self.set.insert(&self.path);
            }
            self.path.pop();
        }
    }

    fn list<S: Schema>(&mut self, schema: S, kind: ListKind, list: &[Value]) {
        let mut seen: BTreeMap<Element, Option<&Value>> = BTreeMap::new();
        for item in list {
            let Ok(element) = element_of(schema, kind, item) else { continue };
            // Of items that share a name only the name is owned.
            seen.entry(element).and_modify(|only| *only = None).or_insert(Some(item));
        }
        for (element, item) in seen {
            self.path.push(element);
            if let Some(item) = item {
                self.visit(schema.element(), item);
            }
            self.set.insert(&self.path);
            self.path.pop();
        }
    }
}

/// What changes from `old` to `new`. Without an old document, everything is added to the zero
/// value of the kind.
#[must_use]
pub fn compare<S: Schema>(schema: S, old: Option<&Value>, new: &Value) -> Comparison {
    let mut walk = Compare { path: Vec::new(), found: Comparison::default() };
    walk.visit(schema, old.map_or(Old::Zero, Old::Is), Some(new));
    walk.found
}

/// A place in the old document.
#[derive(Debug, Clone, Copy)]
enum Old<'a> {
    Absent,
    /// Upstream's structs have it, with its zero value.
    Zero,
    Is(&'a Value),
}

impl<'a> Old<'a> {
    fn value(self) -> Option<&'a Value> {
        if let Self::Is(value) = self { Some(value) } else { None }
    }

    fn member<S: Schema>(self, schema: S, name: &str) -> Self {
        let absent = if schema.always(name) { Self::Zero } else { Self::Absent };
        match self {
            Self::Is(value) => value.get(name).map_or(absent, Self::Is),
            Self::Zero => absent,
            Self::Absent => Self::Absent,
        }
    }
}

struct Compare {
    path: Vec<Element>,
    found: Comparison,
}

impl Compare {
    fn visit<S: Schema>(&mut self, schema: S, old: Old<'_>, new: Option<&Value>) {
        let shapes = [old.value(), new].map(|value| value.map(|value| shape_of(schema, value)));
        let shape = match shapes {
            [Some(old), Some(new)] if old != new => Shape::Leaf,
            [Some(shape), _] | [None, Some(shape)] => shape,
            [None, None] => return,
        };
        let empty = |value: Option<&Value>| value.is_none_or(is_empty);
        if shape == Shape::Leaf || (empty(old.value()) && empty(new)) {
            self.leaf(old, new);
            return;
        }
        match shape {
            Shape::List(kind) => self.list(schema, kind, old, new),
            _ => self.map(schema, old, new),
        }
        if matches!(old, Old::Absent) {
            self.found.added.insert(&self.path);
        } else if new.is_none() {
            self.found.removed.insert(&self.path);
        }
    }

    fn leaf(&mut self, old: Old<'_>, new: Option<&Value>) {
        match (old, new) {
            (Old::Zero, Some(new)) if is_empty(new) => {}
            (Old::Absent | Old::Zero, Some(_)) => self.found.added.insert(&self.path),
            (Old::Is(_), None) => self.found.removed.insert(&self.path),
            (Old::Is(old), Some(new)) if old != new => self.found.modified.insert(&self.path),
            _ => {}
        }
    }

    fn map<S: Schema>(&mut self, schema: S, old: Old<'_>, new: Option<&Value>) {
        let none = Map::new();
        let old_map = old.value().and_then(Value::as_object).unwrap_or(&none);
        let new_map = new.and_then(Value::as_object).unwrap_or(&none);
        let gone = old_map.keys().filter(|name| !new_map.contains_key(name));
        for name in new_map.keys().chain(gone) {
            let Some(member) = schema.member(name) else { continue };
            let (before, after) = (old_map.get(name), new_map.get(name));
            if before.is_some() && before == after {
                continue;
            }
            self.path.push(set::field(name));
            self.visit(member, old.member(schema, name), after);
            self.path.pop();
        }
    }

    fn list<S: Schema>(&mut self, schema: S, kind: ListKind, old: Old<'_>, new: Option<&Value>) {
        let mut paired: BTreeMap<Element, [Vec<&Value>; 2]> = BTreeMap::new();
        for (side, list) in [old.value(), new].into_iter().enumerate() {
            for (element, item) in items(schema, kind, list) {
                paired.entry(element).or_default()[side].push(item);
            }
        }
        for (element, [before, after]) in paired {
            if before == after {
                continue;
            }
            self.path.push(element);
            match (before.as_slice(), after.as_slice()) {
                ([] | [_], [] | [_]) => {
                    let old = before.first().map_or(Old::Absent, |item| Old::Is(item));
                    self.visit(schema.element(), old, after.first().copied());
                }
                ([], _) => self.found.added.insert(&self.path),
                (_, []) => self.found.removed.insert(&self.path),
                _ => self.found.modified.insert(&self.path),
            }
            self.path.pop();
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Why a configuration cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, e.g. `.spec.containers`.
    pub path: String,
    /// What is wrong there.
    pub text: String,
}

/// What is wrong with a configuration: unknown fields, items that cannot be told apart.
#[must_use]
pub fn check<S: Schema>(schema: S, document: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_at(schema, document, "", &mut problems);
    problems
}

fn check_at<S: Schema>(schema: S, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    match (shape_of(schema, value), value) {
        (Shape::Map, Value::Object(map)) => {
            for (name, value) in map {
                let path = format!("{path}.{name}");
                match schema.member(name) {
                    Some(member) => check_at(member, value, &path, problems),
                    None => {
                        let text = "field not declared in schema".to_owned();
                        problems.push(Problem { path, text });
                    }
                }
            }
        }
        (Shape::List(kind), Value::Array(list)) => {
            let mut seen = BTreeMap::new();
            for (index, item) in list.iter().enumerate() {
                let element = match element_of(schema, kind, item) {
                    Ok(element) => element,
                    Err(text) => {
                        let text = format!("element {index}: {text}");
                        problems.push(Problem { path: path.to_owned(), text });
                        continue;
                    }
                };
                let here = set::readable(&element);
                if seen.insert(element, ()).is_some() {
                    let text = format!("duplicate entries for key {here}");
                    problems.push(Problem { path: path.to_owned(), text });
                }
                check_at(schema.element(), item, &format!("{path}{here}"), problems);
            }
        }
        _ => {}
    }
}
