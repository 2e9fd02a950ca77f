//! Evaluation with a budget.
//!
//! Mirrors: the error texts of github.com/google/cel-go (`common/types`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::parse::{Expression, Kind};
use crate::value::{Key, Value};
use crate::{function, macros, operator};

/// How much an evaluation may still cost.
#[derive(Debug, Clone, Copy)]
pub struct Budget(u64);

impl Budget {
    /// So many units: about one a step, and one for ten bytes looked at or made.
    #[must_use]
    pub fn new(units: u64) -> Self {
        Self(units)
    }

    /// What is left.
    #[must_use]
    pub fn left(self) -> u64 {
        self.0
    }

    pub(crate) fn take(&mut self, units: u64) -> Result<(), Error> {
        match self.0.checked_sub(units) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
                Err(Error::Cost)
            }
        }
    }
}

/// Why an evaluation has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The budget is spent.
    #[error("operation cancelled: actual cost limit exceeded")]
    Cost,
    /// A field or key that is not there.
    #[error("no such key: {0}")]
    Key(String),
    /// An index beyond a list.
    #[error("index out of bounds: {0}")]
    Index(i64),
    /// A function that does not take these values.
    #[error("no such overload")]
    Overload,
    /// A variable that is not there.
    #[error("undeclared reference to '{0}' (in container '')")]
    Undeclared(String),
    /// A number that its type cannot hold.
    #[error("{0} overflow")]
    Overflow(&'static str),
    /// A division by 0.
    #[error("division by zero")]
    Division,
    /// A remainder of a division by 0.
    #[error("modulus by zero")]
    Modulus,
    /// A value that cannot become another type.
    #[error("type conversion error from '{0}' to '{1}'")]
    Convert(String, &'static str),
    /// What a function says of its arguments.
    #[error("{0}")]
    Argument(String),
}

/// The variables in sight.
pub(crate) struct Scope<'a> {
    outer: &'a BTreeMap<String, Value>,
    /// Variables of macros, the innermost last.
    pub(crate) inner: Vec<(String, Value)>,
    pub(crate) budget: &'a mut Budget,
}

pub(crate) fn run(
    expression: &Expression,
    variables: &BTreeMap<String, Value>,
    budget: &mut Budget,
) -> Result<Value, Error> {
    Scope { outer: variables, inner: Vec::new(), budget }.value(expression)
}

impl Scope<'_> {
    pub(crate) fn value(&mut self, expression: &Expression) -> Result<Value, Error> {
        self.budget.take(1)?;
        match &expression.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Name(name) => self.variable(name),
            Kind::Select { operand, field, test } => self.select(operand, field, *test),
            Kind::Call { target: None, name, arguments } => match (name.as_str(), &arguments[..]) {
                ("_&&_", [a, b]) => self.junction(a, b, false),
                ("_||_", [a, b]) => self.junction(a, b, true),
                ("_?_:_", [condition, yes, no]) => match self.value(condition)? {
                    Value::Bool(true) => self.value(yes),
                    Value::Bool(false) => self.value(no),
                    _ => Err(Error::Overload),
                },
                _ => {
                    let values = self.values(arguments)?;
                    self.charge(&values)?;
                    match operator::apply(name, &values) {
                        Some(result) => result,
                        None => function::global(name, &values),
                    }
                }
            },
            Kind::Call { target: Some(target), name, arguments } => {
                let mut values = vec![self.value(target)?];
                values.extend(self.values(arguments)?);
                self.charge(&values)?;
                function::method(name, &values, self.budget)
            }
            Kind::List(items) => Ok(Value::list(self.values(items)?)),
            Kind::Map(entries) => {
                let mut map = BTreeMap::new();
                for (key, value) in entries {
                    let key = Key::of(&self.value(key)?).ok_or(Error::Overload)?;
                    map.insert(key, self.value(value)?);
                }
                Ok(Value::Map(Arc::new(map)))
            }
            Kind::Macro { name, range, variable, body } => {
                let range = self.value(range)?;
                macros::run(self, *name, &range, variable, body)
            }
        }
    }

    fn values(&mut self, all: &[Expression]) -> Result<Vec<Value>, Error> {
        all.iter().map(|one| self.value(one)).collect()
    }

    fn charge(&mut self, values: &[Value]) -> Result<(), Error> {
        let flat = |value: &Value| match value {
            Value::List(_) | Value::Map(_) => value.weight(),
            other => other.weight() - 1,
        };
        self.budget.take(values.iter().map(flat).sum())
    }

    fn variable(&self, name: &str) -> Result<Value, Error> {
        let inner =
            self.inner.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value);
        if let Some(value) = inner.or_else(|| self.outer.get(name)) {
            return Ok(value.clone());
        }
        function::type_named(name)
            .map(Value::Type)
            .ok_or_else(|| Error::Undeclared(name.to_owned()))
    }

    fn select(&mut self, operand: &Expression, field: &str, test: bool) -> Result<Value, Error> {
        let Value::Map(map) = self.value(operand)? else { return Err(Error::Overload) };
        match (map.get(&Key::String(field.into())), test) {
            (found, true) => Ok(Value::Bool(found.is_some())),
            (Some(value), false) => Ok(value.clone()),
            (None, false) => Err(Error::Key(field.to_owned())),
        }
    }

    /// `&&` and `||`: an error on one side does not matter when the other decides.
    fn junction(
        &mut self,
        left: &Expression,
        right: &Expression,
        decides: bool,
    ) -> Result<Value, Error> {
        let left = truth(self.value(left));
        if left == Ok(decides) || left == Err(Error::Cost) {
            return left.map(Value::Bool);
        }
        let right = truth(self.value(right));
        if right == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        left.and(right).map(Value::Bool)
    }
}

pub(crate) fn truth(value: Result<Value, Error>) -> Result<bool, Error> {
    match value? {
        Value::Bool(flag) => Ok(flag),
        _ => Err(Error::Overload),
    }
}
