//! Operators, by cel-go's names.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::eval::Error;
use crate::value::{Key, Value};

/// Applies an operator; `None` when `name` is none.
pub(crate) fn apply(name: &str, values: &[Value]) -> Option<Result<Value, Error>> {
    let result = match (name, values) {
        ("_==_", [a, b]) => Ok(Value::Bool(a == b)),
        ("_!=_", [a, b]) => Ok(Value::Bool(a != b)),
        ("_<_", [a, b]) => ordered(a, b, |order| order == Ordering::Less),
        ("_<=_", [a, b]) => ordered(a, b, |order| order != Ordering::Greater),
        ("_>_", [a, b]) => ordered(a, b, |order| order == Ordering::Greater),
        ("_>=_", [a, b]) => ordered(a, b, |order| order != Ordering::Less),
        ("@in", [item, all]) => within(item, all),
        ("_[_]", [of, index]) => at(of, index),
        ("!_", [Value::Bool(flag)]) => Ok(Value::Bool(!flag)),
        ("-_", [Value::Int(number)]) => {
            number.checked_neg().map(Value::Int).ok_or(Error::Overflow("integer"))
        }
        ("-_", [Value::Double(number)]) => Ok(Value::Double(-number)),
        ("_+_", [a, b]) => sum(a, b),
        ("_-_" | "_*_" | "_/_" | "_%_", [a, b]) => arithmetic(name, a, b),
        ("!_" | "-_", _) => Err(Error::Overload),
        _ => return None,
    };
    Some(result)
}

fn ordered(a: &Value, b: &Value, holds: impl Fn(Ordering) -> bool) -> Result<Value, Error> {
    match a.compare(b) {
        Some(order) => Ok(Value::Bool(holds(order))),
        // Not a number is neither more nor less.
        None if matches!((a, b), (Value::Double(_), _) | (_, Value::Double(_))) => {
            Ok(Value::Bool(false))
        }
        None => Err(Error::Overload),
    }
}

fn within(item: &Value, all: &Value) -> Result<Value, Error> {
    match all {
        Value::List(items) => Ok(Value::Bool(items.contains(item))),
        Value::Map(map) => Ok(Value::Bool(Key::of(item).is_some_and(|key| map.contains_key(&key)))),
        _ => Err(Error::Overload),
    }
}

fn at(of: &Value, index: &Value) -> Result<Value, Error> {
    match (of, Key::of(index)) {
        (Value::List(items), Some(Key::Int(number))) => {
            let found = usize::try_from(number).ok().and_then(|number| items.get(number));
            found.cloned().ok_or(Error::Index(number))
        }
        (Value::Map(map), Some(key)) => map.get(&key).cloned().ok_or_else(|| {
            Error::Key(match key {
                Key::Bool(flag) => flag.to_string(),
                Key::Int(number) => number.to_string(),
                Key::String(text) => text.to_string(),
            })
        }),
        _ => Err(Error::Overload),
    }
}

fn sum(a: &Value, b: &Value) -> Result<Value, Error> {
    let nanos = |a: &i64, b: &i64, what| a.checked_add(*b).ok_or(Error::Overflow(what));
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(Value::String(format!("{a}{b}").into())),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes([&**a, b].concat().into())),
        (Value::List(a), Value::List(b)) => Ok(Value::List(Arc::new([&a[..], b].concat()))),
        (Value::Duration(a), Value::Duration(b)) => nanos(a, b, "duration").map(Value::Duration),
        (Value::Timestamp(a), Value::Duration(b)) | (Value::Duration(b), Value::Timestamp(a)) => {
            nanos(a, b, "timestamp").map(Value::Timestamp)
        }
        _ => arithmetic("_+_", a, b),
    }
}

fn arithmetic(name: &str, a: &Value, b: &Value) -> Result<Value, Error> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => {
            let result = match name {
                "_+_" => a.checked_add(*b),
                "_-_" => a.checked_sub(*b),
                "_*_" => a.checked_mul(*b),
                "_/_" if *b == 0 => return Err(Error::Division),
                "_/_" => a.checked_div(*b),
                _ if *b == 0 => return Err(Error::Modulus),
                _ => a.checked_rem(*b),
            };
            result.map(Value::Int).ok_or(Error::Overflow("integer"))
        }
        (Value::Uint(a), Value::Uint(b)) => {
            let result = match name {
                "_+_" => a.checked_add(*b),
                "_-_" => a.checked_sub(*b),
                "_*_" => a.checked_mul(*b),
                "_/_" if *b == 0 => return Err(Error::Division),
                "_/_" => a.checked_div(*b),
                _ if *b == 0 => return Err(Error::Modulus),
                _ => a.checked_rem(*b),
            };
            result.map(Value::Uint).ok_or(Error::Overflow("unsigned integer"))
        }
        (Value::Double(a), Value::Double(b)) => match name {
            "_+_" => Ok(Value::Double(a + b)),
            "_-_" => Ok(Value::Double(a - b)),
            "_*_" => Ok(Value::Double(a * b)),
            "_/_" => Ok(Value::Double(a / b)),
            _ => Err(Error::Overload),
        },
        (Value::Duration(a), Value::Duration(b)) if name == "_-_" => {
            a.checked_sub(*b).map(Value::Duration).ok_or(Error::Overflow("duration"))
        }
        (Value::Timestamp(a), Value::Timestamp(b)) if name == "_-_" => {
            a.checked_sub(*b).map(Value::Duration).ok_or(Error::Overflow("duration"))
        }
        (Value::Timestamp(a), Value::Duration(b)) if name == "_-_" => {
            a.checked_sub(*b).map(Value::Timestamp).ok_or(Error::Overflow("timestamp"))
        }
        _ => Err(Error::Overload),
    }
}
