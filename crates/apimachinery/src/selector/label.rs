//! Label selectors: requirements on the labels of an object, all of which must hold.
//!
//! Invariant: requirements are sorted by key, the values of a requirement are sorted and unique.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Map, Value};

use super::{Error, check_key, check_value, parse};
use crate::object::ObjectExt as _;

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `key in (a,b)`
    In,
    /// `key notin (a,b)`; true for objects without the key
    NotIn,
    /// `key=a`
    Equals,
    /// `key==a`
    DoubleEquals,
    /// `key!=a`; true for objects without the key
    NotEquals,
    /// `key`
    Exists,
    /// `!key`
    DoesNotExist,
    /// `key>1`
    GreaterThan,
    /// `key<1`
    LessThan,
}

/// One requirement, e.g. `tier in (a,b)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label key.
    pub key: String,
    /// How to compare.
    pub operator: Operator,
    /// What to compare with; empty for existence.
    pub values: BTreeSet<String>,
}

impl Requirement {
    /// Builds a requirement from parts, checking that they fit together.
    ///
    /// # Errors
    /// When the key or a value breaks the rules for labels, or the operator takes other values.
    pub fn new(key: &str, operator: Operator, values: BTreeSet<String>) -> Result<Self, Error> {
        check_key(key)?;
        let complaint = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals
                if values.len() != 1 =>
            {
                Some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                Some("values set must be empty for exists and does not exist")
            }
            Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            Operator::GreaterThan | Operator::LessThan
                if !values.iter().all(|value| value.parse::<i64>().is_ok()) =>
            {
                Some("for 'Gt', 'Lt' operators, the value must be an integer")
            }
            _ => None,
        };
        if let Some(text) = complaint {
            return Err(Error::Values(text));
        }
        values.iter().try_for_each(|value| check_value(value))?;
        Ok(Self { key: key.to_owned(), operator, values })
    }

    fn equals(key: &str, value: &str) -> Self {
        let values = BTreeSet::from([value.to_owned()]);
        Self { key: key.to_owned(), operator: Operator::Equals, values }
    }

    /// Whether labels fulfil this requirement.
    #[must_use]
    pub fn matches(&self, labels: Option<&Map>) -> bool {
        let value = labels.and_then(|map| map.get(&self.key));
        let value = value.map(|value| value.as_str().unwrap_or_default());
        let listed = value.is_some_and(|text| self.values.contains(text));
        let compare = |test: fn(&i64, &i64) -> bool| {
            let value = value.and_then(|text| text.parse().ok());
            let bound = self.values.first().and_then(|text| text.parse().ok());
            value.zip(bound).is_some_and(|(value, bound)| test(&value, &bound))
        };
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => listed,
            Operator::NotIn | Operator::NotEquals => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => compare(i64::gt),
            Operator::LessThan => compare(i64::lt),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let values = values.join(",");
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Chooses objects by their labels. The default selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector {
    nothing: bool,
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Selects every object.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects no object.
    #[must_use]
    pub fn nothing() -> Self {
        Self { nothing: true, requirements: Vec::new() }
    }

    /// Selects what fulfils all `requirements`.
    #[must_use]
    pub fn new(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { nothing: false, requirements }
    }

    /// Reads the text form; the empty text selects everything.
    ///
    /// # Errors
    /// When the text is not a selector.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self::new(parse::requirements(text)?))
    }

    /// A selector of equalities, as replication controllers and services have; an empty map selects
    /// everything.
    #[must_use]
    pub fn from_map(labels: &Map) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self::new(
            labels.iter().map(|(key, value)| Requirement::equals(key, &text(value))).collect(),
        )
    }

    /// Reads `{matchLabels, matchExpressions}`: null selects nothing, `{}` everything.
    ///
    /// # Errors
    /// When an expression has an unknown operator or unfit values.
    pub fn from_json(value: &Value) -> Result<Self, Error> {
        if value.is_null() {
            return Ok(Self::nothing());
        }
        let mut requirements = Vec::new();
        for (key, value) in value.map_at(&["matchLabels"]).into_iter().flatten() {
            let values = BTreeSet::from([value.as_str().unwrap_or_default().to_owned()]);
            requirements.push(Requirement::new(key, Operator::Equals, values)?);
        }
        for expression in value.list_at(&["matchExpressions"]) {
            let operator = match expression.str_at(&["operator"]) {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(Error::Operator(other.to_owned())),
            };
            let values = expression.list_at(&["values"]).iter();
            let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
            requirements.push(Requirement::new(expression.str_at(&["key"]), operator, values)?);
        }
        Ok(Self::new(requirements))
    }

    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: Option<&Map>) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether an object is selected.
    #[must_use]
    pub fn matches_object(&self, object: &Value) -> bool {
        self.matches(object.labels())
    }

    /// Whether everything is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }

    /// Whether nothing is selected, whatever its labels.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// The requirements, sorted by key.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Adds a requirement.
    pub fn add(&mut self, requirement: Requirement) {
        let place = self.requirements.partition_point(|have| have.key <= requirement.key);
        self.requirements.insert(place, requirement);
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}
