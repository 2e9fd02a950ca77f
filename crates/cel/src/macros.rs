//! `all`, `exists`, `exists_one`, `filter`, `map`: what is done with each element.
//!
//! Invariant: each element costs at least one unit of the budget.

use crate::eval::{Error, Scope, truth};
use crate::parse::{Expression, Macro};
use crate::value::{Key, Value};

pub(crate) fn run(
    scope: &mut Scope<'_>,
    name: Macro,
    range: &Value,
    variable: &str,
    body: &[Expression],
) -> Result<Value, Error> {
    let items: Vec<Value> = match range {
        Value::List(items) => items.to_vec(),
        Value::Map(map) => map.keys().map(Key::value).collect(),
        _ => return Err(Error::Overload),
    };
    let mut kept = Vec::new();
    let mut matches = 0_usize;
    let mut failure = None;
    for item in items {
        scope.budget.take(1)?;
        scope.inner.push((variable.to_owned(), item.clone()));
        let outcome = one(scope, name, item, body);
        scope.inner.pop();
        match outcome {
            Ok(Some(Value::Bool(flag))) if is_question(name) => {
                matches += usize::from(flag);
                // One element may decide for all of them.
                if flag == (name == Macro::Exists) && name != Macro::ExistsOne {
                    return Ok(Value::Bool(flag));
                }
            }
            Ok(Some(value)) => kept.push(value),
            Ok(None) => {}
            // A later element may still decide.
            Err(error) if matches!(name, Macro::All | Macro::Exists) && error != Error::Cost => {
                failure.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match (name, failure) {
        (_, Some(error)) => Err(error),
        (Macro::All, None) => Ok(Value::Bool(true)),
        (Macro::Exists, None) => Ok(Value::Bool(false)),
        (Macro::ExistsOne, None) => Ok(Value::Bool(matches == 1)),
        (Macro::Filter | Macro::Map, None) => Ok(Value::list(kept)),
    }
}

fn is_question(name: Macro) -> bool {
    matches!(name, Macro::All | Macro::Exists | Macro::ExistsOne)
}

fn one(
    scope: &mut Scope<'_>,
    name: Macro,
    item: Value,
    body: &[Expression],
) -> Result<Option<Value>, Error> {
    match (name, body) {
        (Macro::Filter, [wanted]) => Ok(truth(scope.value(wanted))?.then_some(item)),
        (Macro::Map, [made]) => scope.value(made).map(Some),
        (Macro::Map, [wanted, made]) => {
            if truth(scope.value(wanted))? {
                scope.value(made).map(Some)
            } else {
                Ok(None)
            }
        }
        (_, [question]) => truth(scope.value(question)).map(|flag| Some(Value::Bool(flag))),
        _ => Err(Error::Overload),
    }
}
