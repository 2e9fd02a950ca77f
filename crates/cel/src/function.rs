//! Functions and methods: CEL's own, and those that Kubernetes adds for texts, lists and quantities.
//!
//! Invariant: [`GLOBALS`] and [`METHODS`] name all that [`global`] and [`method`] know; what is in
//! neither is refused when an expression is checked.

use std::sync::Arc;

use apimachinery::quantity::Quantity;

use crate::eval::{Budget, Error};
use crate::value::Value;
use crate::{check::Type, time};

/// Functions, how many arguments they take and what they give.
pub(crate) const GLOBALS: &[(&str, usize, Type)] = &[
    ("size", 1, Type::Int),
    ("int", 1, Type::Int),
    ("uint", 1, Type::Uint),
    ("double", 1, Type::Double),
    ("string", 1, Type::String),
    ("bytes", 1, Type::Bytes),
    ("bool", 1, Type::Bool),
    ("type", 1, Type::Dyn),
    ("dyn", 1, Type::Dyn),
    ("duration", 1, Type::Duration),
    ("timestamp", 1, Type::Timestamp),
    ("matches", 2, Type::Bool),
    ("quantity", 1, Type::Quantity),
    ("isQuantity", 1, Type::Bool),
];

/// Methods, how many arguments they take besides what they are called on, and what they give.
pub(crate) const METHODS: &[(&str, usize, usize, Type)] = &[
    ("size", 0, 0, Type::Int),
    ("contains", 1, 1, Type::Bool),
    ("startsWith", 1, 1, Type::Bool),
    ("endsWith", 1, 1, Type::Bool),
    ("matches", 1, 1, Type::Bool),
    ("charAt", 1, 1, Type::String),
    ("indexOf", 1, 2, Type::Int),
    ("lastIndexOf", 1, 2, Type::Int),
    ("lowerAscii", 0, 0, Type::String),
    ("upperAscii", 0, 0, Type::String),
    ("replace", 2, 3, Type::String),
    ("split", 1, 2, Type::Dyn),
    ("join", 0, 1, Type::String),
    ("substring", 1, 2, Type::String),
    ("trim", 0, 0, Type::String),
    ("find", 1, 1, Type::String),
    ("findAll", 1, 2, Type::Dyn),
    ("isSorted", 0, 0, Type::Bool),
    ("sum", 0, 0, Type::Dyn),
    ("min", 0, 0, Type::Dyn),
    ("max", 0, 0, Type::Dyn),
    ("getFullYear", 0, 0, Type::Int),
    ("getMonth", 0, 0, Type::Int),
    ("getDate", 0, 0, Type::Int),
    ("getDayOfMonth", 0, 0, Type::Int),
    ("getDayOfWeek", 0, 0, Type::Int),
    ("getHours", 0, 0, Type::Int),
    ("getMinutes", 0, 0, Type::Int),
    ("getSeconds", 0, 0, Type::Int),
    ("getMilliseconds", 0, 0, Type::Int),
    ("isInteger", 0, 0, Type::Bool),
    ("asInteger", 0, 0, Type::Int),
    ("sign", 0, 0, Type::Int),
    ("compareTo", 1, 1, Type::Int),
    ("isGreaterThan", 1, 1, Type::Bool),
    ("isLessThan", 1, 1, Type::Bool),
];

/// The names of types, which are values as well.
pub(crate) fn type_named(name: &str) -> Option<&'static str> {
    ["null_type", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "type"]
        .into_iter()
        .find(|known| *known == name)
}

pub(crate) fn global(name: &str, values: &[Value]) -> Result<Value, Error> {
    let [value] = values else {
        return match (name, values) {
            ("matches", [Value::String(text), Value::String(pattern)]) => matches(text, pattern),
            _ => Err(Error::Overload),
        };
    };
    match name {
        "size" => size(value),
        "dyn" => Ok(value.clone()),
        "type" => Ok(Value::Type(value.type_name())),
        "int" => int(value),
        "uint" => match int(value)? {
            Value::Int(number) => u64::try_from(number)
                .map(Value::Uint)
                .map_err(|_| Error::Overflow("unsigned integer")),
            _ => Err(Error::Overload),
        },
        "double" => double(value),
        "string" => text_of(value),
        "bytes" => match value {
            Value::String(text) => Ok(Value::Bytes(text.as_bytes().into())),
            Value::Bytes(_) => Ok(value.clone()),
            _ => Err(Error::Overload),
        },
        "bool" => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(text) => match &**text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
                other => Err(Error::Convert(other.to_owned(), "bool")),
            },
            _ => Err(Error::Overload),
        },
        "duration" | "timestamp" | "quantity" | "isQuantity" => read(name, value),
        _ => Err(Error::Overload),
    }
}

fn read(name: &str, value: &Value) -> Result<Value, Error> {
    let text = match value {
        Value::String(text) => text,
        Value::Duration(_) if name == "duration" => return Ok(value.clone()),
        Value::Timestamp(_) if name == "timestamp" => return Ok(value.clone()),
        Value::Int(seconds) if name == "timestamp" => {
            let nanos = seconds.checked_mul(1_000_000_000);
            return nanos.map(Value::Timestamp).ok_or(Error::Overflow("timestamp"));
        }
        _ => return Err(Error::Overload),
    };
    let wrong = |kind| Error::Convert(text.to_string(), kind);
    match name {
        "duration" => time::duration(text)
            .map(Value::Duration)
            .ok_or_else(|| wrong("google.protobuf.Duration")),
        "timestamp" => time::timestamp(text)
            .map(Value::Timestamp)
            .ok_or_else(|| wrong("google.protobuf.Timestamp")),
        "isQuantity" => Ok(Value::Bool(Quantity::parse(text).is_ok())),
        _ => Quantity::parse(text)
            .map(|quantity| Value::Quantity(Arc::new(quantity)))
            .map_err(|error| Error::Argument(error.to_string())),
    }
}

fn size(value: &Value) -> Result<Value, Error> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        _ => return Err(Error::Overload),
    };
    number(size)
}

fn number(size: usize) -> Result<Value, Error> {
    i64::try_from(size).map(Value::Int).map_err(|_| Error::Overflow("integer"))
}

fn int(value: &Value) -> Result<Value, Error> {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Uint(number) => {
            i64::try_from(*number).map(Value::Int).map_err(|_| Error::Overflow("integer"))
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
        Value::Double(number) if number.abs() < 9.2e18 => Ok(Value::Int(*number as i64)),
        Value::Double(_) => Err(Error::Overflow("integer")),
        Value::String(text) => {
            text.parse().map(Value::Int).map_err(|_| Error::Convert(text.to_string(), "int"))
        }
        Value::Timestamp(nanos) => Ok(Value::Int(nanos.div_euclid(1_000_000_000))),
        _ => Err(Error::Overload),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what a double can hold of it")]
fn double(value: &Value) -> Result<Value, Error> {
    match value {
        Value::Double(_) => Ok(value.clone()),
        Value::Int(number) => Ok(Value::Double(*number as f64)),
        Value::Uint(number) => Ok(Value::Double(*number as f64)),
        Value::String(text) => {
            text.parse().map(Value::Double).map_err(|_| Error::Convert(text.to_string(), "double"))
        }
        _ => Err(Error::Overload),
    }
}

fn text_of(value: &Value) -> Result<Value, Error> {
    let text = match value {
        Value::String(_) => return Ok(value.clone()),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| {
            Error::Argument("invalid UTF-8 in bytes, cannot convert to string".into())
        })?,
        Value::Quantity(quantity) => quantity.canonical(),
        other => time::show(other).ok_or(Error::Overload)?,
    };
    Ok(Value::String(text.into()))
}

fn matches(text: &str, pattern: &str) -> Result<Value, Error> {
    regex(pattern).map(|regex| Value::Bool(regex.is_match(text)))
}

fn regex(pattern: &str) -> Result<regex::Regex, Error> {
    const SIZE: usize = 1 << 20;
    let built = regex::RegexBuilder::new(pattern).size_limit(SIZE).build();
    built.map_err(|_| Error::Argument(format!("error parsing regexp: `{pattern}`")))
}

/// `values` begin with what the method is called on.
pub(crate) fn method(name: &str, values: &[Value], budget: &mut Budget) -> Result<Value, Error> {
    match values {
        [value] if name == "size" => size(value),
        [value] if name.starts_with("get") => time::part(name, value),
        [Value::String(text), arguments @ ..] => of_text(name, text, arguments, budget),
        [Value::List(items), arguments @ ..] => of_list(name, items, arguments, budget),
        [Value::Quantity(quantity), arguments @ ..] => of_quantity(name, quantity, arguments),
        _ => Err(Error::Overload),
    }
}

fn of_text(
    name: &str,
    text: &Arc<str>,
    arguments: &[Value],
    budget: &mut Budget,
) -> Result<Value, Error> {
    let string = |text: String| Ok(Value::String(text.into()));
    let strings = |parts: Vec<String>| {
        Ok(Value::list(parts.into_iter().map(|part| Value::String(part.into())).collect()))
    };
    match (name, arguments) {
        ("contains", [Value::String(part)]) => Ok(Value::Bool(text.contains(&**part))),
        ("startsWith", [Value::String(part)]) => Ok(Value::Bool(text.starts_with(&**part))),
        ("endsWith", [Value::String(part)]) => Ok(Value::Bool(text.ends_with(&**part))),
        ("matches", [Value::String(pattern)]) => matches(text, pattern),
        ("lowerAscii", []) => string(text.to_ascii_lowercase()),
        ("upperAscii", []) => string(text.to_ascii_uppercase()),
        ("trim", []) => string(text.trim().to_owned()),
        ("charAt", [Value::Int(at)]) => slice(text, *at, at.saturating_add(1)),
        ("substring", [Value::Int(from)]) => slice(text, *from, i64::MAX),
        ("substring", [Value::Int(from), Value::Int(to)]) => slice(text, *from, *to),
        ("indexOf" | "lastIndexOf", [Value::String(part), rest @ ..]) => {
            index_of(name, text, part, rest)
        }
        ("replace", [Value::String(from), Value::String(to), rest @ ..]) => {
            let most = match rest {
                [] => usize::MAX,
                [Value::Int(most)] => usize::try_from(*most).unwrap_or(usize::MAX),
                _ => return Err(Error::Overload),
            };
            let hits = text.matches(&**from).count().min(most);
            let made = text.len() + hits * to.len();
            budget.take(u64::try_from(made / 10).unwrap_or(u64::MAX))?;
            string(text.replacen(&**from, to, most))
        }
        ("split", [Value::String(by), rest @ ..]) => match rest {
            [] => strings(split(text, by, usize::MAX)),
            [Value::Int(0)] => strings(Vec::new()),
            [Value::Int(most)] => {
                strings(split(text, by, usize::try_from(*most).unwrap_or(usize::MAX)))
            }
            _ => Err(Error::Overload),
        },
        ("find", [Value::String(pattern)]) => {
            let found = regex(pattern)?;
            string(found.find(text).map_or("", |found| found.as_str()).to_owned())
        }
        ("findAll", [Value::String(pattern), rest @ ..]) => {
            let most = match rest {
                [] => usize::MAX,
                [Value::Int(most)] => usize::try_from(*most).unwrap_or(usize::MAX),
                _ => return Err(Error::Overload),
            };
            let found = regex(pattern)?;
            strings(found.find_iter(text).take(most).map(|it| it.as_str().to_owned()).collect())
        }
        _ => Err(Error::Overload),
    }
}

fn split(text: &str, by: &str, most: usize) -> Vec<String> {
    if by.is_empty() {
        return text.chars().map(String::from).collect();
    }
    text.splitn(most, by).map(str::to_owned).collect()
}

fn slice(text: &str, from: i64, to: i64) -> Result<Value, Error> {
    let length = text.chars().count();
    let whole = to == i64::MAX;
    let bound = |at: i64| usize::try_from(at).ok().filter(|at| *at <= length);
    let start =
        bound(from).ok_or_else(|| Error::Argument(format!("index out of range: {from}")))?;
    // The character behind the last one is the empty text.
    let end = match bound(to) {
        Some(end) => end,
        None if whole || (to == from.saturating_add(1) && start == length) => length,
        None => return Err(Error::Argument(format!("index out of range: {to}"))),
    };
    if end < start {
        let text = format!("invalid substring range. start: {from}, end: {to}");
        return Err(Error::Argument(text));
    }
    let part: String = text.chars().skip(start).take(end - start).collect();
    Ok(Value::String(part.into()))
}

fn index_of(name: &str, text: &str, part: &str, rest: &[Value]) -> Result<Value, Error> {
    let letters: Vec<char> = text.chars().collect();
    let wanted: Vec<char> = part.chars().collect();
    let fits = |at: &usize| letters[*at..].starts_with(&wanted);
    let from = match rest {
        [] => None,
        [Value::Int(from)] => match usize::try_from(*from).ok().filter(|at| *at <= letters.len()) {
            Some(from) => Some(from),
            None => return Err(Error::Argument(format!("index out of range: {from}"))),
        },
        _ => return Err(Error::Overload),
    };
    let found = if name == "indexOf" {
        (from.unwrap_or(0)..=letters.len()).find(fits)
    } else {
        (0..=from.unwrap_or(letters.len())).rev().find(fits)
    };
    found.map_or(Ok(Value::Int(-1)), number)
}

fn of_list(
    name: &str,
    items: &[Value],
    arguments: &[Value],
    budget: &mut Budget,
) -> Result<Value, Error> {
    match (name, arguments) {
        ("isSorted", []) => {
            let pairs = items.windows(2);
            let mut sorted = true;
            for pair in pairs {
                let order = pair[0].compare(&pair[1]).ok_or(Error::Overload)?;
                sorted &= order != std::cmp::Ordering::Greater;
            }
            Ok(Value::Bool(sorted))
        }
        ("sum", []) => {
            let Some((first, rest)) = items.split_first() else { return Ok(Value::Int(0)) };
            rest.iter().try_fold(first.clone(), |sum, item| {
                crate::operator::apply("_+_", &[sum, item.clone()]).unwrap_or(Err(Error::Overload))
            })
        }
        ("min" | "max", []) => {
            let wanted =
                if name == "min" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
            let Some((first, rest)) = items.split_first() else {
                return Err(Error::Argument(format!("{name} called on empty list")));
            };
            rest.iter().try_fold(first.clone(), |best, item| {
                let order = item.compare(&best).ok_or(Error::Overload)?;
                Ok(if order == wanted { item.clone() } else { best })
            })
        }
        ("indexOf", [item]) => {
            items.iter().position(|it| it == item).map_or(Ok(Value::Int(-1)), number)
        }
        ("lastIndexOf", [item]) => {
            items.iter().rposition(|it| it == item).map_or(Ok(Value::Int(-1)), number)
        }
        ("join", rest) => {
            let by: &str = match rest {
                [] => "",
                [Value::String(by)] => by,
                _ => return Err(Error::Overload),
            };
            let mut made = String::new();
            for (index, item) in items.iter().enumerate() {
                let Value::String(item) = item else { return Err(Error::Overload) };
                budget.take(u64::try_from((item.len() + by.len()) / 10).unwrap_or(u64::MAX))?;
                if index > 0 {
                    made.push_str(by);
                }
                made.push_str(item);
            }
            Ok(Value::String(made.into()))
        }
        _ => Err(Error::Overload),
    }
}

fn of_quantity(name: &str, quantity: &Quantity, arguments: &[Value]) -> Result<Value, Error> {
    let whole = quantity.milli_value() % 1000 == 0;
    match (name, arguments) {
        ("isInteger", []) => Ok(Value::Bool(whole)),
        ("asInteger", []) if whole => Ok(Value::Int(quantity.value())),
        ("asInteger", []) => Err(Error::Argument("cannot convert value to integer".to_owned())),
        ("sign", []) => Ok(Value::Int(match (quantity.is_zero(), quantity.is_negative()) {
            (true, _) => 0,
            (_, true) => -1,
            _ => 1,
        })),
        ("compareTo" | "isGreaterThan" | "isLessThan", [Value::Quantity(other)]) => {
            let order = quantity.cmp(other);
            Ok(match name {
                "isGreaterThan" => Value::Bool(order.is_gt()),
                "isLessThan" => Value::Bool(order.is_lt()),
                _ => Value::Int(order as i64),
            })
        }
        _ => Err(Error::Overload),
    }
}
