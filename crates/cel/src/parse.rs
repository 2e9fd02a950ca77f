//! From tokens to an expression.
//!
//! Invariant: an expression is never higher than [`HEIGHT`], so that whoever walks it by recursion has
//! stack enough.

use crate::token::{Token, tokens};
use crate::value::Value;

/// How deep brackets and signs may nest; the reader needs several calls for each.
const DEPTH: usize = 50;

/// How many operators, fields and calls may stand above one another.
const HEIGHT: usize = 200;

/// The longest expression that is read.
const LENGTH: usize = 100_000;

/// Something wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Byte in the expression.
    pub at: usize,
    /// What.
    pub text: String,
}

impl Mistake {
    pub(crate) fn new(at: usize, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }

    pub(crate) fn syntax(at: usize, text: &str) -> Self {
        Self::new(at, format!("Syntax error: {text}"))
    }

    /// As cel-go prints it, with the line and a mark under the place.
    #[must_use]
    pub fn print(&self, source: &str) -> String {
        let before = source.get(..self.at).unwrap_or(source);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = source[start..].lines().next().unwrap_or_default();
        let column = before[start..].chars().count();
        format!(
            "ERROR: <input>:{}:{}: {}\n | {line}\n | {}^",
            before.matches('\n').count() + 1,
            column + 1,
            self.text,
            ".".repeat(column)
        )
    }
}

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub struct Expression {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
    height: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Literal(Value),
    Name(String),
    /// `operand.field`, or `has(operand.field)`.
    Select {
        operand: Box<Expression>,
        field: String,
        test: bool,
    },
    /// A function, method or operator (by cel-go's name, e.g. `_+_`).
    Call {
        target: Option<Box<Expression>>,
        name: String,
        arguments: Vec<Expression>,
    },
    List(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    /// `range.all(variable, body)` and its kind.
    Macro {
        name: Macro,
        range: Box<Expression>,
        variable: String,
        body: Vec<Expression>,
    },
}

/// What is done with the elements of a list or the keys of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Expression {
    fn new(at: usize, kind: Kind) -> Result<Self, Mistake> {
        let highest = |all: &[Self]| all.iter().map(|one| one.height).max().unwrap_or(0);
        let below = match &kind {
            Kind::Literal(_) | Kind::Name(_) => 0,
            Kind::Select { operand, .. } => operand.height,
            Kind::Call { target, arguments, .. } => {
                highest(arguments).max(target.as_ref().map_or(0, |target| target.height))
            }
            Kind::List(items) => highest(items),
            Kind::Map(entries) => {
                entries.iter().map(|(k, v)| k.height.max(v.height)).max().unwrap_or(0)
            }
            Kind::Macro { range, body, .. } => highest(body).max(range.height),
        };
        let height = below + 1;
        if height > HEIGHT { Err(too_deep(at, HEIGHT)) } else { Ok(Self { at, kind, height }) }
    }

    fn operator(at: usize, name: &str, arguments: Vec<Self>) -> Result<Self, Mistake> {
        Self::new(at, Kind::Call { target: None, name: name.to_owned(), arguments })
    }

    /// Whether `name` is read anywhere in it.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        let any = |all: &[Self]| all.iter().any(|one| one.mentions(name));
        match &self.kind {
            Kind::Literal(_) => false,
            Kind::Name(found) => found == name,
            Kind::Select { operand, .. } => operand.mentions(name),
            Kind::Call { target, arguments, .. } => {
                target.as_ref().is_some_and(|target| target.mentions(name)) || any(arguments)
            }
            Kind::List(items) => any(items),
            Kind::Map(entries) => entries.iter().any(|(k, v)| k.mentions(name) || v.mentions(name)),
            Kind::Macro { range, variable, body, .. } => {
                range.mentions(name) || (variable != name && any(body))
            }
        }
    }
}

fn too_deep(at: usize, limit: usize) -> Mistake {
    Mistake::new(at, format!("expression recursion limit exceeded: {limit}"))
}

/// Reads an expression.
///
/// # Errors
/// The first mistake in it.
pub fn parse(source: &str) -> Result<Expression, Mistake> {
    if source.len() > LENGTH {
        let text = format!(
            "expression code point size exceeds limit: size: {}, limit {LENGTH}",
            source.chars().count()
        );
        return Err(Mistake::new(0, text));
    }
    let mut parser = Parser { tokens: tokens(source)?, next: 0, depth: 0 };
    let expression = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("<EOF>")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

/// Binary operators by how loosely they bind, and what cel-go calls them.
const BINARY: &[&[(&str, &str)]] = &[
    &[("||", "_||_")],
    &[("&&", "_&&_")],
    &[
        ("==", "_==_"),
        ("!=", "_!=_"),
        ("<=", "_<=_"),
        (">=", "_>=_"),
        ("<", "_<_"),
        (">", "_>_"),
        ("in", "@in"),
    ],
    &[("+", "_+_"), ("-", "_-_")],
    &[("*", "_*_"), ("/", "_/_"), ("%", "_%_")],
];

/// Words that no identifier may be, besides the literals and `in`.
pub const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn at(&self) -> usize {
        self.tokens[self.next].0
    }

    fn is(&self, word: &str) -> bool {
        match self.peek() {
            Token::Sign(sign) => *sign == word,
            Token::Name(name) => name == word && word == "in",
            _ => false,
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.is(word);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Mistake> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}'"))) }
    }

    fn unexpected(&self, expected: &str) -> Mistake {
        let found = match self.peek() {
            Token::End => "<EOF>".to_owned(),
            Token::Sign(sign) => (*sign).to_owned(),
            Token::Name(name) => name.clone(),
            Token::Text(text) => format!("{text:?}"),
            Token::Bytes(_) => "b\"…\"".to_owned(),
            Token::Int(number) | Token::Uint(number) => number.to_string(),
            Token::Double(number) => number.to_string(),
        };
        let text = format!("mismatched input '{found}' expecting {expected}");
        Mistake::syntax(self.at(), &text)
    }

    /// `a ? b : c`, the loosest of all.
    fn expression(&mut self) -> Result<Expression, Mistake> {
        self.deeper()?;
        let condition = self.binary(0)?;
        let at = self.at();
        let whole = if self.take("?") {
            let yes = self.binary(0)?;
            self.expect(":")?;
            let no = self.expression()?;
            Expression::operator(at, "_?_:_", vec![condition, yes, no])?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn deeper(&mut self) -> Result<(), Mistake> {
        self.depth += 1;
        if self.depth > DEPTH { Err(too_deep(self.at(), DEPTH)) } else { Ok(()) }
    }

    fn binary(&mut self, level: usize) -> Result<Expression, Mistake> {
        let Some(operators) = BINARY.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let at = self.at();
            let Some((_, name)) = operators.iter().find(|(sign, _)| self.is(sign)) else {
                return Ok(left);
            };
            self.next += 1;
            let right = self.binary(level + 1)?;
            left = Expression::operator(at, name, vec![left, right])?;
        }
    }

    fn unary(&mut self) -> Result<Expression, Mistake> {
        let at = self.at();
        for (sign, name) in [("!", "!_"), ("-", "-_")] {
            if !self.take(sign) {
                continue;
            }
            if sign == "-"
                && let Some(literal) = self.negative()
            {
                let literal = Expression::new(at, Kind::Literal(literal))?;
                return self.members(literal);
            }
            self.deeper()?;
            let operand = self.unary()?;
            self.depth -= 1;
            return Expression::operator(at, name, vec![operand]);
        }
        let primary = self.primary()?;
        self.members(primary)
    }

    fn negative(&mut self) -> Option<Value> {
        let value = match self.peek() {
            Token::Int(number) => Value::Int(i64::try_from(-i128::from(*number)).ok()?),
            Token::Double(number) => Value::Double(-number),
            _ => return None,
        };
        self.next += 1;
        Some(value)
    }

    /// What follows an operand: fields, methods, indices.
    fn members(&mut self, mut operand: Expression) -> Result<Expression, Mistake> {
        loop {
            let at = self.at();
            if self.take("[") {
                let index = self.expression()?;
                self.expect("]")?;
                operand = Expression::operator(at, "_[_]", vec![operand, index])?;
            } else if self.take(".") {
                let Token::Name(field) = self.peek().clone() else {
                    return Err(self.unexpected("IDENTIFIER"));
                };
                self.next += 1;
                let open = self.at();
                operand = if self.take("(") {
                    let arguments = self.list(")")?;
                    method(open, operand, field, arguments)?
                } else {
                    let operand = Box::new(operand);
                    Expression::new(at, Kind::Select { operand, field, test: false })?
                };
            } else {
                return Ok(operand);
            }
        }
    }

    fn list(&mut self, end: &'static str) -> Result<Vec<Expression>, Mistake> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.expression()?);
            if !self.take(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn primary(&mut self) -> Result<Expression, Mistake> {
        let at = self.at();
        let token = self.peek().clone();
        self.next += usize::from(token != Token::End);
        let literal = |value| Expression::new(at, Kind::Literal(value));
        match token {
            Token::Int(number) => match i64::try_from(number) {
                Ok(number) => literal(Value::Int(number)),
                Err(_) => Err(Mistake::syntax(at, "invalid int literal")),
            },
            Token::Uint(number) => literal(Value::Uint(number)),
            Token::Double(number) => literal(Value::Double(number)),
            Token::Text(text) => literal(Value::String(text.into())),
            Token::Bytes(bytes) => literal(Value::Bytes(bytes.into())),
            Token::Name(name) => self.name(at, name),
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => Expression::new(at, Kind::List(self.list("]")?)),
            Token::Sign("{") => self.map(at),
            Token::Sign(".") => {
                let Token::Name(name) = self.peek().clone() else {
                    return Err(self.unexpected("IDENTIFIER"));
                };
                self.next += 1;
                self.name(at, name)
            }
            _ => {
                self.next -= usize::from(token != Token::End);
                Err(self.unexpected("{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"))
            }
        }
    }

    fn name(&mut self, at: usize, name: String) -> Result<Expression, Mistake> {
        let constant = match name.as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(constant) = constant {
            return Expression::new(at, Kind::Literal(constant));
        }
        if RESERVED.contains(&name.as_str()) || name == "in" {
            return Err(Mistake::syntax(at, &format!("reserved identifier: {name}")));
        }
        let open = self.at();
        if !self.take("(") {
            return Expression::new(at, Kind::Name(name));
        }
        let arguments = self.list(")")?;
        if name == "has" {
            let [only] = arguments.as_slice() else {
                return Err(Mistake::new(open, "invalid argument to has() macro"));
            };
            let Kind::Select { operand, field, test: false } = only.kind.clone() else {
                return Err(Mistake::new(open, "invalid argument to has() macro"));
            };
            return Expression::new(at, Kind::Select { operand, field, test: true });
        }
        Expression::new(open, Kind::Call { target: None, name, arguments })
    }

    fn map(&mut self, at: usize) -> Result<Expression, Mistake> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Expression::new(at, Kind::Map(entries))
    }
}

/// A method, or one of the macros that look like methods.
fn method(
    at: usize,
    target: Expression,
    name: String,
    mut arguments: Vec<Expression>,
) -> Result<Expression, Mistake> {
    let found = match (name.as_str(), arguments.len()) {
        ("all", 2) => Some(Macro::All),
        ("exists", 2) => Some(Macro::Exists),
        ("exists_one" | "existsOne", 2) => Some(Macro::ExistsOne),
        ("filter", 2) => Some(Macro::Filter),
        ("map", 2 | 3) => Some(Macro::Map),
        _ => None,
    };
    let Some(found) = found else {
        let target = Some(Box::new(target));
        return Expression::new(at, Kind::Call { target, name, arguments });
    };
    let variable = arguments.remove(0);
    let Kind::Name(variable) = variable.kind else {
        return Err(Mistake::new(variable.at, "argument must be a simple name"));
    };
    let range = Box::new(target);
    Expression::new(at, Kind::Macro { name: found, range, variable, body: arguments })
}
