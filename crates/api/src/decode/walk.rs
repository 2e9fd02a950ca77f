//! One pass over a document along its type.
//!
//! Invariant: problems and errors come in document order; the first error is the one reported.

use std::fmt;

use apimachinery::{Map, Value};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Number;

use super::scalar;
use crate::schema::{Field, FieldKind, Presence, Type};

/// Where in the document the walk is.
#[derive(Debug)]
enum Step {
    Field(&'static Type, &'static str),
    Index(usize),
    Key(String),
}

/// The state of one decoding.
#[derive(Debug)]
pub(super) struct Walk {
    /// Whether `3.0` is no integer.
    exact: bool,
    path: Vec<Step>,
    outcome: Outcome,
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The error that stopped the walk.
    pub(super) aborted: Option<String>,
    /// The first error that did not.
    pub(super) saved: Option<String>,
    /// Unknown and duplicate fields.
    pub(super) problems: Vec<String>,
}

impl Walk {
    pub(super) fn new(exact: bool) -> Self {
        Self { exact, path: Vec::new(), outcome: Outcome::default() }
    }

    pub(super) fn document<'de, D: Deserializer<'de>>(
        &mut self,
        of: &'static Type,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        Node { walk: self, kind: FieldKind::Object(of), go: None }.deserialize(deserializer)
    }

    pub(super) fn into_outcome(self) -> Outcome {
        self.outcome
    }

    /// `spec.template.spec.containers[0].foo`.
    fn place(&self, last: &str) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Field(_, name) => push_name(&mut out, name),
                Step::Key(name) => push_name(&mut out, name),
                Step::Index(index) => out.push_str(&format!("[{index}]")),
            }
        }
        push_name(&mut out, last);
        out
    }

    fn problem(&mut self, what: &str, name: &str) {
        let place = self.place(name);
        self.outcome.problems.push(format!("{what} field {place:?}"));
    }

    fn save(&mut self, text: String) {
        self.outcome.saved.get_or_insert(text);
    }

    /// `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
    fn mismatch(&self, found: &str, wanted: &str) -> String {
        let mut names = Vec::new();
        let mut of = None;
        for step in &self.path {
            if let Step::Field(parent, name) = step {
                of = Some(*parent);
                names.push(*name);
            }
        }
        let place = match of {
            Some(of) => format!("struct field {}.{}", of.short_name(), names.join(".")),
            None => "value".to_owned(),
        };
        format!("json: cannot unmarshal {found} into Go {place} of type {wanted}")
    }
}

fn push_name(out: &mut String, name: &str) {
    if !out.is_empty() {
        out.push('.');
    }
    out.push_str(name);
}

/// One value and its type.
struct Node<'w> {
    walk: &'w mut Walk,
    kind: FieldKind,
    /// Go's name of the type, see [`Field::go`].
    go: Option<&'static str>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.kind {
            FieldKind::Any | FieldKind::RawExtension => {
                serde::Deserialize::deserialize(deserializer)
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl Node<'_> {
    /// Notes that a value of JSON type `found` stands where another type belongs.
    fn wrong<E: serde::de::Error>(self, found: &str) -> Result<Value, E> {
        let stops = match self.kind {
            FieldKind::Quantity => {
                return self.abort(apimachinery::quantity::Error::Format.to_string());
            }
            FieldKind::IntOrString => Some("int32"),
            FieldKind::Time | FieldKind::MicroTime => Some("string"),
            _ => None,
        };
        match stops {
            Some(wanted) => {
                let text = self.walk.mismatch(found, wanted);
                self.abort(text)
            }
            None => {
                let text = self.walk.mismatch(found, &scalar::go_type(self.kind, self.go));
                self.walk.save(text);
                Ok(Value::Null)
            }
        }
    }

    fn abort<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        self.walk.outcome.aborted = Some(text);
        Err(E::custom("stopped"))
    }

    fn integer<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        match self.kind {
            FieldKind::Integer { bits: 64 } => Ok(number.into()),
            FieldKind::Integer { .. } | FieldKind::IntOrString if i32::try_from(number).is_ok() => {
                Ok(number.into())
            }
            FieldKind::Number => Ok(number.into()),
            FieldKind::Quantity => self.quantity(&number.to_string()),
            FieldKind::Integer { .. } | FieldKind::IntOrString => {
                self.wrong(&format!("number {number}"))
            }
            _ => self.wrong("number"),
        }
    }

    fn quantity<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        match scalar::quantity(text) {
            Ok(canonical) => Ok(canonical.into()),
            Err(error) => self.abort(error),
        }
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&scalar::go_type(self.kind, self.go))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        match self.kind {
            FieldKind::Boolean => Ok(value.into()),
            _ => self.wrong("bool"),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.integer(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => match self.kind {
                FieldKind::Number => Ok(value.into()),
                FieldKind::Quantity => self.quantity(&value.to_string()),
                FieldKind::Integer { .. } | FieldKind::IntOrString => {
                    self.wrong(&format!("number {value}"))
                }
                _ => self.wrong("number"),
            },
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        match self.kind {
            FieldKind::Number => Ok(Number::from_f64(value).map_or(Value::Null, Value::Number)),
            FieldKind::Quantity => self.quantity(&value.to_string()),
            FieldKind::Integer { .. } | FieldKind::IntOrString => match scalar::integral(value) {
                Some(number) if !self.walk.exact => self.integer(number),
                _ => self.wrong(&format!("number {value:?}")),
            },
            _ => self.wrong("number"),
        }
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        match self.kind {
            FieldKind::String | FieldKind::IntOrString => Ok(value.into()),
            FieldKind::Quantity => self.quantity(value.trim()),
            FieldKind::Time | FieldKind::MicroTime => {
                match scalar::time(value, matches!(self.kind, FieldKind::MicroTime)) {
                    Ok(value) => Ok(value),
                    Err(error) => self.abort(error),
                }
            }
            FieldKind::Bytes => match scalar::bytes(value) {
                Ok(canonical) => Ok(canonical.into()),
                Err(error) => {
                    self.walk.save(error);
                    Ok(Value::Null)
                }
            },
            _ => self.wrong("string"),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let FieldKind::Array(of) = self.kind else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return self.wrong("array");
        };
        let mut out = Vec::new();
        loop {
            self.walk.path.push(Step::Index(out.len()));
            let element =
                seq.next_element_seed(Node { walk: self.walk, kind: *of, go: self.go })?;
            self.walk.path.pop();
            match element {
                Some(Value::Null) => out.push(scalar::zero(*of)),
                Some(value) => out.push(value),
                None => return Ok(Value::from(out)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        match self.kind {
            FieldKind::Object(of) => object(self.walk, of, map),
            FieldKind::Map(of) => entries(self.walk, *of, map),
            _ => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                self.wrong("object")
            }
        }
    }
}

fn object<'de, A: MapAccess<'de>>(
    walk: &mut Walk,
    of: &'static Type,
    mut map: A,
) -> Result<Value, A::Error> {
    let mut out = Map::new();
    let mut seen: u128 = 0;
    let mut unknown: Vec<String> = Vec::new();
    while let Some(name) = map.next_key_seed(Name(of))? {
        let (index, field) = match name {
            Known::Field(index, field) => (index, field),
            Known::Not(name) => {
                map.next_value::<IgnoredAny>()?;
                if !unknown.contains(&name) {
                    walk.problem("unknown", &name);
                    unknown.push(name);
                }
                continue;
            }
        };
        let bit = 1_u128.checked_shl(index).unwrap_or(0);
        if seen & bit != 0 {
            walk.problem("duplicate", field.name);
        }
        seen |= bit;
        walk.path.push(Step::Field(of, field.name));
        let value = map.next_value_seed(Node { walk, kind: field.kind, go: field.go })?;
        walk.path.pop();
        if is_written(field, &value) {
            out.insert(field.name.to_owned(), value);
        } else {
            out.remove(field.name);
        }
    }
    Ok(Value::Object(out))
}

fn entries<'de, A: MapAccess<'de>>(
    walk: &mut Walk,
    of: FieldKind,
    mut map: A,
) -> Result<Value, A::Error> {
    let mut out = Map::new();
    while let Some(key) = map.next_key::<String>()? {
        if out.contains_key(&key) {
            walk.problem("duplicate", &key);
        }
        walk.path.push(Step::Key(key));
        let value = map.next_value_seed(Node { walk, kind: of, go: None })?;
        let Some(Step::Key(key)) = walk.path.pop() else {
            return Err(A::Error::custom("unbalanced path"));
        };
        out.insert(key, if value.is_null() { scalar::zero(of) } else { value });
    }
    Ok(Value::Object(out))
}

/// Whether Go would write the member at all.
pub(super) fn is_written(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => false,
        _ if field.presence != Presence::OmitEmpty => true,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !(map.is_empty() && matches!(field.kind, FieldKind::Map(_))),
    }
}

/// Reads a member's name without copying the known ones.
struct Name(&'static Type);

enum Known {
    Field(u32, &'static Field),
    Not(String),
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Known;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Known, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Known;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Known, E> {
        let fields: &'static [Field] = self.0.fields;
        Ok(match fields.binary_search_by(|field| field.name.cmp(name)) {
            Ok(index) => Known::Field(u32::try_from(index).unwrap_or(u32::MAX), &fields[index]),
            Err(_) => Known::Not(name.to_owned()),
        })
    }
}
