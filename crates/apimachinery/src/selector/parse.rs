//! The grammar of label selectors: a lexer of bytes and a parser with one token of lookahead.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/labels/selector.go`, errors included.

use std::collections::BTreeSet;

use super::label::{Operator, Requirement};
use super::{Error, check_key};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    End,
    Error,
    Identifier,
    Open,
    Close,
    Comma,
    Not,
    Operator(Operator),
}

fn symbol(text: &str) -> Option<Token> {
    Some(match text {
        ")" => Token::Close,
        "," => Token::Comma,
        "!" => Token::Not,
        "(" => Token::Open,
        "==" => Token::Operator(Operator::DoubleEquals),
        "=" => Token::Operator(Operator::Equals),
        "!=" => Token::Operator(Operator::NotEquals),
        ">" => Token::Operator(Operator::GreaterThan),
        "<" => Token::Operator(Operator::LessThan),
        _ => return None,
    })
}

fn word(text: &str) -> Token {
    match text {
        "in" => Token::Operator(Operator::In),
        "notin" => Token::Operator(Operator::NotIn),
        _ => Token::Identifier,
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

/// Splits `text` into tokens, the last of which is the only [`Token::End`].
fn tokens(text: &str) -> Vec<(Token, &str)> {
    let mut tokens = Vec::new();
    let mut rest = text.split('\0').next().unwrap_or_default();
    loop {
        rest = rest.trim_start_matches(is_space);
        let Some(first) = rest.chars().next() else { break };
        let (token, length) = if is_special(first) {
            special(rest)
        } else {
            let end = rest.find(|c| is_special(c) || is_space(c)).unwrap_or(rest.len());
            (word(&rest[..end]), end)
        };
        tokens.push((token, &rest[..length]));
        rest = &rest[length..];
    }
    tokens.push((Token::End, ""));
    tokens
}

/// The longest symbol at the start of `text`, growing it as long as it stays one.
fn special(text: &str) -> (Token, usize) {
    let mut found = None;
    // No symbol has three letters; looking further would make long selectors slow.
    let run = text.chars().take(3).take_while(|c| is_special(*c)).count();
    for length in 1..=run {
        match symbol(&text[..length]) {
            Some(token) => found = Some((token, length)),
            None if found.is_some() => break,
            None => {}
        }
    }
    found.unwrap_or((Token::Error, run))
}

struct Parser<'a> {
    tokens: Vec<(Token, &'a str)>,
    position: usize,
}

/// Reads all requirements of a selector.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, Error> {
    let mut parser = Parser { tokens: tokens(text), position: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            (Token::Identifier | Token::Not, _) => {}
            (Token::End, _) => return Ok(requirements),
            (_, found) => {
                return unexpected(found, "expected: !, identifier, or 'end of string'");
            }
        }
        let requirement =
            parser.requirement().map_err(|error| Error::Requirement(Box::new(error)))?;
        requirements.push(requirement);
        match parser.next() {
            (Token::End, _) => return Ok(requirements),
            (Token::Comma, _) => {}
            (_, found) => return unexpected(found, "expected: ',' or 'end of string'"),
        }
        let (token, found) = parser.peek();
        if !matches!(token, Token::Identifier | Token::Not) {
            return unexpected(found, "expected: identifier after ','");
        }
    }
}

fn unexpected<T>(found: &str, expected: &'static str) -> Result<T, Error> {
    Err(Error::Unexpected { found: found.to_owned(), expected })
}

impl<'a> Parser<'a> {
    /// The next token where `in` and `notin` are names like any other.
    fn peek(&self) -> (Token, &'a str) {
        let (token, text) = self.tokens.get(self.position).copied().unwrap_or((Token::End, ""));
        match token {
            Token::Operator(Operator::In | Operator::NotIn) => (Token::Identifier, text),
            _ => (token, text),
        }
    }

    fn next(&mut self) -> (Token, &'a str) {
        let token = self.peek();
        self.position += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, Error> {
        let (mut token, mut key) = self.next();
        let absent = token == Token::Not;
        if absent {
            (token, key) = self.next();
        }
        if token != Token::Identifier {
            return unexpected(key, "expected: identifier");
        }
        check_key(key)?;
        if absent {
            return Requirement::new(key, Operator::DoesNotExist, BTreeSet::new());
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, BTreeSet::new());
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => BTreeSet::from([self.value()?.to_owned()]),
        };
        Requirement::new(key, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, Error> {
        let (token, text) = self.tokens.get(self.position).copied().unwrap_or((Token::End, ""));
        self.position += 1;
        match token {
            Token::Operator(operator) => Ok(operator),
            _ => unexpected(text, "expected: '=', '!=', '==', 'in', notin'"),
        }
    }

    fn value(&mut self) -> Result<&'a str, Error> {
        match self.peek() {
            (Token::End | Token::Comma, _) => Ok(""),
            (Token::Identifier, text) => {
                self.position += 1;
                Ok(text)
            }
            (_, found) => unexpected(found, "expected: identifier"),
        }
    }

    /// A parenthesised list; every place between commas is a value, the empty one included.
    fn values(&mut self) -> Result<BTreeSet<String>, Error> {
        let (token, found) = self.next();
        if token != Token::Open {
            return Err(Error::NoList(found.to_owned()));
        }
        let mut values = BTreeSet::new();
        match self.peek() {
            (Token::Identifier | Token::Comma, _) => {}
            (Token::Close, _) => {
                self.position += 1;
                return Ok(BTreeSet::from([String::new()]));
            }
            (_, found) => return unexpected(found, "expected: ',', ')' or identifier"),
        }
        loop {
            match self.next() {
                (Token::Identifier, text) => {
                    values.insert(text.to_owned());
                    match self.peek() {
                        (Token::Comma | Token::Close, _) => {}
                        (_, found) => return unexpected(found, "expected: ',' or ')'"),
                    }
                }
                (Token::Comma, _) => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match self.peek().0 {
                        Token::Close => {
                            values.insert(String::new());
                        }
                        Token::Comma => {
                            self.position += 1;
                            values.insert(String::new());
                            continue;
                        }
                        _ => {}
                    }
                }
                (_, found) => return unexpected(found, "expected: ',', or identifier"),
            }
            if self.peek().0 == Token::Close {
                self.position += 1;
                return Ok(values);
            }
        }
    }
}
