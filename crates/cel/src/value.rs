//! What expressions work on.
//!
//! Invariant: equality is CEL's: numbers of different types are equal when their values are.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::quantity::Quantity;

/// A value. Copies share what is big.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Arc<Vec<Value>>),
    /// A map, or an object with those of its fields that are set.
    Map(Arc<BTreeMap<Key, Value>>),
    /// Nanoseconds.
    Duration(i64),
    /// Nanoseconds since 1970.
    Timestamp(i64),
    Quantity(Arc<Quantity>),
    /// A type, by name.
    Type(&'static str),
}

/// A key of a map. Unsigned keys are kept as signed ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Bool(bool),
    Int(i64),
    String(Arc<str>),
}

impl Key {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) => Self::Int(*number),
            Value::Uint(number) => Self::Int(i64::try_from(*number).ok()?),
            Value::String(text) => Self::String(Arc::clone(text)),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number within ±2^53")]
            Value::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Self::Int(*number as i64)
            }
            _ => return None,
        })
    }

    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::Int(*number),
            Self::String(text) => Value::String(Arc::clone(text)),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl Value {
    /// A list.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    /// A duration in Go's notation, e.g. `1h30m`.
    #[must_use]
    pub fn duration(text: &str) -> Option<Self> {
        crate::time::duration(text).map(Self::Duration)
    }

    /// A timestamp as RFC 3339 has it.
    #[must_use]
    pub fn timestamp(text: &str) -> Option<Self> {
        crate::time::timestamp(text).map(Self::Timestamp)
    }

    /// The name of its type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Type(_) => "type",
        }
    }

    /// Roughly how much work it is to look at all of it.
    pub(crate) fn weight(&self) -> u64 {
        let of = |length: usize| u64::try_from(length / 10).unwrap_or(u64::MAX) + 1;
        match self {
            Self::String(text) => of(text.len()),
            Self::Bytes(bytes) => of(bytes.len()),
            Self::List(items) => items.iter().map(Self::weight).sum::<u64>() + 1,
            Self::Map(map) => map.values().map(Self::weight).sum::<u64>() + 1,
            _ => 1,
        }
    }

    /// Which is greater; nothing where the two cannot be compared.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return a.compare(b);
        }
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Self::Duration(b)) | (Self::Timestamp(a), Self::Timestamp(b)) => {
                Some(a.cmp(b))
            }
            _ => None,
        }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Self::Int(number) => Some(Number::Whole(i128::from(*number))),
            Self::Uint(number) => Some(Number::Whole(i128::from(*number))),
            Self::Double(number) => Some(Number::Real(*number)),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "doubles are what they are compared with")]
    fn compare(self, other: Self) -> Option<Ordering> {
        let real = |number| match number {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        };
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => real(a).partial_cmp(&real(b)),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Quantity(a), Self::Quantity(b)) => a == b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (a, b) => a.compare(b) == Some(Ordering::Equal),
        }
    }
}
