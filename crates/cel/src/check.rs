//! Types: what an expression over known variables may and may not do.
//!
//! Invariant: what is of an unknown type passes; it is looked at when there are values.
//!
//! Mirrors: the texts of github.com/google/cel-go (`checker`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::function::{GLOBALS, METHODS, type_named};
use crate::parse::{Expression, Kind, Macro, Mistake};
use crate::value::Value;

/// The type of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Anything.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    Quantity,
    List(Arc<Type>),
    /// A map from texts.
    Map(Arc<Type>),
    /// An object with these fields and no others.
    Object(Arc<BTreeMap<String, Type>>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(of) => write!(f, "list({of})"),
            Self::Map(of) => write!(f, "map(string, {of})"),
            other => f.write_str(match other {
                Self::Null => "null",
                Self::Bool => "bool",
                Self::Int => "int",
                Self::Uint => "uint",
                Self::Double => "double",
                Self::String => "string",
                Self::Bytes => "bytes",
                Self::Duration => "google.protobuf.Duration",
                Self::Timestamp => "google.protobuf.Timestamp",
                Self::Quantity => "kubernetes.Quantity",
                Self::Object(_) => "object",
                _ => "dyn",
            }),
        }
    }
}

pub(crate) fn check(
    expression: &Expression,
    variables: &BTreeMap<String, Type>,
) -> Result<Type, Vec<Mistake>> {
    let mut checker = Checker { outer: variables, inner: Vec::new(), mistakes: Vec::new() };
    let result = checker.of(expression);
    if checker.mistakes.is_empty() {
        return Ok(result);
    }
    checker.mistakes.sort_by_key(|mistake| mistake.at);
    Err(checker.mistakes)
}

struct Checker<'a> {
    outer: &'a BTreeMap<String, Type>,
    inner: Vec<(String, Type)>,
    mistakes: Vec<Mistake>,
}

impl Checker<'_> {
    fn wrong(&mut self, at: usize, text: impl Into<String>) -> Type {
        self.mistakes.push(Mistake::new(at, text));
        Type::Dyn
    }

    fn of(&mut self, expression: &Expression) -> Type {
        let at = expression.at;
        match &expression.kind {
            Kind::Literal(value) => literal(value),
            Kind::Name(name) => self.variable(at, name),
            Kind::Select { operand, field, test } => self.select(at, operand, field, *test),
            Kind::Call { target: None, name, arguments } => {
                let types: Vec<Type> = arguments.iter().map(|one| self.of(one)).collect();
                self.call(at, name, &types)
            }
            Kind::Call { target: Some(target), name, arguments } => {
                let of = self.of(target);
                let types: Vec<Type> = arguments.iter().map(|one| self.of(one)).collect();
                self.method(at, name, of, &types)
            }
            Kind::List(items) => {
                let types: Vec<Type> = items.iter().map(|one| self.of(one)).collect();
                Type::List(Arc::new(joined(&types)))
            }
            Kind::Map(entries) => {
                let mut values = Vec::new();
                for (key, value) in entries {
                    self.of(key);
                    values.push(self.of(value));
                }
                Type::Map(Arc::new(joined(&values)))
            }
            Kind::Macro { name, range, variable, body } => self.each(*name, range, variable, body),
        }
    }

    fn variable(&mut self, at: usize, name: &str) -> Type {
        let inner = self.inner.iter().rev().find(|(known, _)| known == name).map(|(_, of)| of);
        if let Some(of) = inner.or_else(|| self.outer.get(name)) {
            return of.clone();
        }
        if type_named(name).is_some() {
            return Type::Dyn;
        }
        self.wrong(at, format!("undeclared reference to '{name}' (in container '')"))
    }

    fn select(&mut self, at: usize, operand: &Expression, field: &str, test: bool) -> Type {
        let found = match self.of(operand) {
            Type::Object(fields) => match fields.get(field) {
                Some(of) => of.clone(),
                None => return self.wrong(at, format!("undefined field '{field}'")),
            },
            Type::Map(of) => (*of).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                let text = format!("type '{other}' does not support field selection");
                return self.wrong(at, text);
            }
        };
        if test { Type::Bool } else { found }
    }

    fn no_overload(&mut self, at: usize, name: &str, shown: &str) -> Type {
        self.wrong(at, format!("found no matching overload for '{name}' applied to '{shown}'"))
    }

    fn call(&mut self, at: usize, name: &str, types: &[Type]) -> Type {
        let operator = operator(name, types);
        match operator {
            Some(Some(result)) => return result,
            Some(None) => return self.no_overload(at, name, &listed(types)),
            None => {}
        }
        let Some((_, count, result)) = GLOBALS.iter().find(|(known, ..)| *known == name) else {
            return self.wrong(at, format!("undeclared reference to '{name}' (in container '')"));
        };
        let sized = |of: &Type| {
            matches!(
                of,
                Type::Dyn
                    | Type::String
                    | Type::Bytes
                    | Type::List(_)
                    | Type::Map(_)
                    | Type::Object(_)
            )
        };
        if types.len() != *count || (name == "size" && !types.iter().all(sized)) {
            return self.no_overload(at, name, &listed(types));
        }
        result.clone()
    }

    fn method(&mut self, at: usize, name: &str, of: Type, types: &[Type]) -> Type {
        let known = METHODS.iter().find(|(known, ..)| *known == name);
        let Some((_, least, most, result)) = known else {
            return self.wrong(at, format!("undeclared reference to '{name}' (in container '')"));
        };
        if !(*least..=*most).contains(&types.len()) || !has_method(&of, name) {
            return self.no_overload(at, name, &format!("{of}.{}", listed(types)));
        }
        match (name, of) {
            ("split" | "findAll", _) => Type::List(Arc::new(Type::String)),
            ("min" | "max" | "sum", Type::List(of)) => (*of).clone(),
            _ => result.clone(),
        }
    }

    fn each(
        &mut self,
        name: Macro,
        range: &Expression,
        variable: &str,
        body: &[Expression],
    ) -> Type {
        let element = match self.of(range) {
            Type::List(of) => (*of).clone(),
            Type::Map(_) => Type::String,
            Type::Dyn => Type::Dyn,
            other => {
                let text = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, \
                     map, or dynamic)"
                );
                return self.wrong(range.at, text);
            }
        };
        self.inner.push((variable.to_owned(), element.clone()));
        let types: Vec<Type> = body.iter().map(|one| self.of(one)).collect();
        self.inner.pop();
        let last = types.last().cloned().unwrap_or(Type::Dyn);
        let questions = if name == Macro::Map { &types[..types.len() - 1] } else { &types[..] };
        for (question, of) in body.iter().zip(questions) {
            if !matches!(of, Type::Bool | Type::Dyn) {
                self.no_overload(question.at, "_&&_", &format!("(bool, {of})"));
            }
        }
        match name {
            Macro::All | Macro::Exists | Macro::ExistsOne => Type::Bool,
            Macro::Filter => Type::List(Arc::new(element)),
            Macro::Map => Type::List(Arc::new(last)),
        }
    }
}

fn listed(types: &[Type]) -> String {
    let all: Vec<String> = types.iter().map(Type::to_string).collect();
    format!("({})", all.join(", "))
}

fn literal(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Double(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        _ => Type::Dyn,
    }
}

fn joined(types: &[Type]) -> Type {
    match types.split_first() {
        Some((first, rest)) if rest.iter().all(|of| of == first) => first.clone(),
        _ => Type::Dyn,
    }
}

fn alike(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Null, _) | (_, Type::Dyn | Type::Null) => true,
        (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => alike(a, b),
        (Type::Map(_), Type::Object(_)) | (Type::Object(_), Type::Map(_)) => true,
        (a, b) => a == b,
    }
}

/// The result of an operator; nothing inside when it does not take these, nothing at all when `name`
/// is no operator.
fn operator(name: &str, types: &[Type]) -> Option<Option<Type>> {
    use Type::{Bool, Bytes, Double, Duration, Dyn, Int, String, Timestamp, Uint};
    let unless = |fits: bool, of: Type| Some(fits.then_some(of));
    match (name, types) {
        ("_&&_" | "_||_", all) => unless(all.iter().all(|of| matches!(of, Bool | Dyn)), Bool),
        ("!_", [of]) => unless(matches!(of, Bool | Dyn), Bool),
        ("-_", [of]) => unless(matches!(of, Int | Double | Dyn), of.clone()),
        ("_?_:_", [condition, yes, no]) => {
            let fits = matches!(condition, Bool | Dyn) && alike(yes, no);
            unless(fits, if yes == no { yes.clone() } else { Dyn })
        }
        ("_==_" | "_!=_", [a, b]) => unless(alike(a, b), Bool),
        ("_<_" | "_<=_" | "_>_" | "_>=_", [a, b]) => {
            let number = |of: &Type| matches!(of, Int | Uint | Double);
            let ordered = |of: &Type| {
                matches!(of, Bool | String | Bytes | Duration | Timestamp | Dyn) || number(of)
            };
            let fits = alike(a, b) || (number(a) && number(b));
            unless(fits && ordered(a) && ordered(b), Bool)
        }
        ("@in", [item, all]) => match all {
            Type::List(of) => unless(alike(item, of), Bool),
            Type::Map(_) => unless(matches!(item, String | Dyn), Bool),
            of => unless(*of == Dyn, Bool),
        },
        ("_[_]", [of, index]) => match of {
            Type::List(of) => unless(matches!(index, Int | Uint | Dyn), (**of).clone()),
            Type::Map(of) => unless(matches!(index, String | Dyn), (**of).clone()),
            of => unless(*of == Dyn, Dyn),
        },
        ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [a, b]) => Some(arithmetic(name, a, b)),
        _ => None,
    }
}

fn arithmetic(name: &str, a: &Type, b: &Type) -> Option<Type> {
    use Type::{Bytes, Double, Duration, Dyn, Int, List, String, Timestamp, Uint};
    match (a, b) {
        (Dyn, _) | (_, Dyn) => Some(Dyn),
        (Int, Int) => Some(Int),
        (Uint, Uint) => Some(Uint),
        (Double, Double) if name != "_%_" => Some(Double),
        (String, String) if name == "_+_" => Some(String),
        (Bytes, Bytes) if name == "_+_" => Some(Bytes),
        (List(a), List(b)) if name == "_+_" && alike(a, b) => Some(List(Arc::clone(a))),
        (Duration, Duration) if matches!(name, "_+_" | "_-_") => Some(Duration),
        (Timestamp, Duration) if matches!(name, "_+_" | "_-_") => Some(Timestamp),
        (Duration, Timestamp) if name == "_+_" => Some(Timestamp),
        (Timestamp, Timestamp) if name == "_-_" => Some(Duration),
        _ => None,
    }
}

fn has_method(of: &Type, name: &str) -> bool {
    let lists = matches!(name, "isSorted" | "sum" | "min" | "max" | "join");
    let times = name.starts_with("get");
    let both = matches!(name, "indexOf" | "lastIndexOf" | "size");
    let quantities = matches!(
        name,
        "isInteger" | "asInteger" | "sign" | "compareTo" | "isGreaterThan" | "isLessThan"
    );
    match of {
        Type::Dyn => true,
        Type::String => !lists && !times && !quantities,
        Type::List(_) => lists || both,
        Type::Bytes | Type::Map(_) | Type::Object(_) => name == "size",
        Type::Duration | Type::Timestamp => times,
        Type::Quantity => quantities,
        _ => false,
    }
}
