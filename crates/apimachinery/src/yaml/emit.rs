//! Printing documents as YAML in Go's style: keys in natural order, lists at the indentation of
//! their key, quotes only where a plain text would mean something else.
//!
//! Mirrors: `gopkg.in/yaml.v2` (`encode.go`, `sorter.go`, `emitterc.go`).

mod scalar;

use std::cmp::Ordering;

use crate::{Map, Text, Value};
use serde_json::Number;

/// Longer keys are written as `? key` with the value on a line of its own.
const MAX_SIMPLE_KEY: usize = 128;

/// How times are printed: the only thing that Go's readers came to disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Quoted,
    Plain,
}

/// Prints a document so that every reader of YAML gets the same document back.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    print(value, Times::Quoted)
}

/// Prints a document as the server and the clients of OpenShift 3.11 do: times are not quoted.
#[must_use]
pub fn to_yaml_3_11(value: &Value) -> String {
    print(value, Times::Plain)
}

fn print(value: &Value, times: Times) -> String {
    let mut printer = Printer { out: String::new(), times };
    match value {
        Value::Object(map) if !map.is_empty() => printer.write_map(map, 0, false),
        Value::Array(items) if !items.is_empty() => printer.write_list(items, 0, false),
        other => printer.write_leaf(other, 2),
    }
    printer.out
}

struct Printer {
    out: String,
    times: Times,
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

impl Printer {
    /// Writes the entries of a map; with `inline` the cursor already stands where the first key goes.
    fn write_map(&mut self, map: &Map, indent: usize, mut inline: bool) {
        for (key, value) in sorted(map) {
            if !inline {
                pad(&mut self.out, indent);
            }
            inline = false;
            let simple = key.len() <= MAX_SIMPLE_KEY && !key.contains('\n');
            if !simple {
                self.out.push_str("? ");
            }
            scalar::write_key(&mut self.out, key, self.times);
            if !simple {
                self.out.push('\n');
                pad(&mut self.out, indent);
            }
            self.out.push(':');
            match value {
                Value::Object(map) if !map.is_empty() => {
                    self.out.push_str(if simple { "\n" } else { " " });
                    self.write_map(map, indent + 2, !simple);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.out.push_str(if simple { "\n" } else { " " });
                    self.write_list(items, if simple { indent } else { indent + 2 }, !simple);
                }
                other => {
                    self.out.push(' ');
                    self.write_leaf(other, indent + 2);
                }
            }
        }
    }

    fn write_list(&mut self, items: &[Value], indent: usize, mut inline: bool) {
        for item in items {
            if !inline {
                pad(&mut self.out, indent);
            }
            inline = false;
            self.out.push_str("- ");
            match item {
                Value::Object(map) if !map.is_empty() => self.write_map(map, indent + 2, true),
                Value::Array(items) if !items.is_empty() => {
                    self.write_list(items, indent + 2, true);
                }
                other => self.write_leaf(other, indent + 2),
            }
        }
    }

    /// Writes a scalar or something empty, and ends the line.
    fn write_leaf(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => self.out.push_str(&number_text(number)),
            Value::String(text) => scalar::write_text(&mut self.out, text, indent, self.times),
            Value::Array(_) => self.out.push_str("[]"),
            Value::Object(_) => self.out.push_str("{}"),
        }
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }
}

/// A number as Go prints it: whole ones without fraction or exponent, others with `%g`.
fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    if value.fract() == 0.0 && (i64::MIN as f64..u64::MAX as f64).contains(&value) {
        return format!("{}", value + 0.0);
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// The entries in natural order. Binary insertion, because the order need not be transitive.
fn sorted(map: &Map) -> Vec<(&Text, &Value)> {
    let mut entries: Vec<(&Text, &Value)> = Vec::with_capacity(map.len());
    for entry in map {
        let place = entries
            .binary_search_by(|have| natural_order(have.0, entry.0))
            .unwrap_or_else(|place| place);
        entries.insert(place, entry);
    }
    entries
}

/// Numbers within texts compare by value, letters come after everything else.
fn natural_order(left: &str, right: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut after_digits = false;
    for place in 0..a.len().min(b.len()) {
        if a[place] == b[place] {
            after_digits = a[place].is_ascii_digit();
            continue;
        }
        return match (a[place].is_alphabetic(), b[place].is_alphabetic()) {
            (true, true) => a[place].cmp(&b[place]),
            (true, false) => {
                if after_digits {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, true) => {
                if after_digits {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, false) => number_order(&a, &b, place),
        };
    }
    a.len().cmp(&b.len())
}

fn number_order(a: &[char], b: &[char], place: usize) -> Ordering {
    // A zero that follows other digits is part of their number, not the start of one.
    let zero = a[place] == '0' || b[place] == '0';
    let mut before = a[..place].iter().rev().take_while(|c| c.is_ascii_digit());
    let start = u64::from(zero && before.any(|c| *c != '0'));
    let number = |chars: &[char]| {
        let digits = chars[place..].iter().map_while(|c| c.to_digit(10));
        digits.fold((start, 0_usize), |(value, count), digit| {
            (value.wrapping_mul(10).wrapping_add(u64::from(digit)), count + 1)
        })
    };
    number(a).cmp(&number(b)).then_with(|| a[place].cmp(&b[place]))
}
