//! Quantities of resources: `100m`, `1.5Gi`, `1e3`.
//!
//! A quantity is an exact number of nano units with a format to print it in. What is finer than one
//! nano is rounded away from zero when it is read.
//!
//! Invariant: no text and no arithmetic makes this module panic; results that do not fit saturate.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/api/resource`.
//! Deviation: numbers beyond 10^29 saturate, where upstream keeps arbitrary precision.

mod parse;

use std::cmp::Ordering;
use std::fmt;
use std::ops::{AddAssign, Neg, SubAssign};
use std::str::FromStr;

use crate::Value;

const NANOS: i128 = 1_000_000_000;

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text has the wrong shape.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// How a quantity prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `1k`, `100m`
    #[default]
    DecimalSi,
    /// `1Ki`
    BinarySi,
    /// `1e3`
    DecimalExponent,
}

/// An amount of a resource. Compares by amount alone, whatever the format.
#[derive(Debug, Clone, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
    /// The text it was read from, when upstream would print that very text again.
    text: Option<String>,
}

impl Quantity {
    /// A whole number of units.
    #[must_use]
    pub fn new(value: i64, format: Format) -> Self {
        Self::from_nanos(i128::from(value) * NANOS, format)
    }

    /// A number of thousandths, printed decimally (CPU).
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self::from_nanos(i128::from(millis) * (NANOS / 1000), Format::DecimalSi)
    }

    fn from_nanos(nanos: i128, format: Format) -> Self {
        Self { nanos, format, text: None }
    }

    /// Reads a quantity.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::quantity(text)
    }

    /// Reads a quantity of a document: a text or a plain number; null is zero.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Self::parse(text.trim()),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => Err(Error::Format),
        }
    }

    /// How it prints.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The amount in whole units, rounded away from zero.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.in_units_of(NANOS)
    }

    /// The amount in thousandths, rounded away from zero.
    #[must_use]
    pub fn milli_value(&self) -> i64 {
        self.in_units_of(NANOS / 1000)
    }

    fn in_units_of(&self, unit: i128) -> i64 {
        let whole = self.nanos / unit;
        let rounded = if self.nanos % unit == 0 { whole } else { whole + self.nanos.signum() };
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether the amount is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Whether the amount is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// The shortest text in the quantity's format, as an API server prints it.
    #[must_use]
    pub fn canonical(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let small = self.nanos.unsigned_abs() < 1024 * NANOS.unsigned_abs();
        match self.format {
            Format::BinarySi if !small && self.nanos % NANOS == 0 => binary(self.nanos / NANOS),
            Format::BinarySi | Format::DecimalSi => decimal(self.nanos, |exponent| {
                let index = usize::try_from((exponent + 9) / 3).unwrap_or_default();
                ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][index.min(9)].to_owned()
            }),
            Format::DecimalExponent => decimal(self.nanos, |exponent| {
                if exponent == 0 { String::new() } else { format!("e{exponent}") }
            }),
        }
    }
}

/// Prints with the largest power of a thousand that leaves an integer, at most 10^18.
fn decimal(nanos: i128, suffix: impl Fn(i32) -> String) -> String {
    let (mut mantissa, mut exponent) = (nanos, -9);
    while mantissa % 1000 == 0 && exponent < 18 {
        mantissa /= 1000;
        exponent += 3;
    }
    format!("{mantissa}{}", suffix(exponent))
}

/// Prints with the largest power of 1024 that leaves an integer.
fn binary(mut value: i128) -> String {
    let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut power = 0;
    while value % 1024 == 0 && power + 1 < suffixes.len() {
        value /= 1024;
        power += 1;
    }
    format!("{value}{}", suffixes[power])
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.pad(text),
            None => f.pad(&self.canonical()),
        }
    }
}

impl FromStr for Quantity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Quantity {
    /// A sum keeps the format of its first part that is not zero.
    fn accumulate(&mut self, nanos: i128, format: Format) {
        if self.is_zero() {
            self.format = format;
        }
        self.nanos = self.nanos.saturating_add(nanos);
        self.text = None;
    }
}

impl AddAssign<&Self> for Quantity {
    fn add_assign(&mut self, other: &Self) {
        self.accumulate(other.nanos, other.format);
    }
}

impl SubAssign<&Self> for Quantity {
    fn sub_assign(&mut self, other: &Self) {
        self.accumulate(other.nanos.saturating_neg(), other.format);
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self::from_nanos(self.nanos.saturating_neg(), self.format)
    }
}

#[cfg(test)]
mod tests;
