//! Selectors: which objects a list, a controller or a user means.
//!
//! [`LabelSelector`] chooses by labels (`app=web,tier in (a,b)`), [`FieldSelector`] by fields
//! (`metadata.name=a`). Both read and print the text forms that clients send.
//!
//! Invariant: parsing what a selector prints gives the same selector.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/labels`, `k8s.io/apimachinery/pkg/fields`.

mod field;
mod label;
mod parse;

pub use self::field::{FieldOperator, FieldRequirement, FieldSelector, escape, unescape};
pub use self::label::{LabelSelector, Operator, Requirement};

use std::collections::BTreeMap;

use crate::field::quote;
use crate::validation;

/// Why a selector cannot be read. The texts are what clients print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A label key breaks the rules.
    #[error("invalid label key {}: {complaints}", quote(.key))]
    Key {
        /// The key as written.
        key: String,
        /// What is wrong with it.
        complaints: String,
    },
    /// A label value breaks the rules.
    #[error("invalid label value: {}: {complaints}", quote(.value))]
    Value {
        /// The value as written.
        value: String,
        /// What is wrong with it.
        complaints: String,
    },
    /// An operator has too few, too many or unfit values.
    #[error("{0}")]
    Values(&'static str),
    /// A word of `matchExpressions` that is no operator.
    #[error("{} is not a valid pod selector operator", quote(.0))]
    Operator(String),
    /// A token where another was expected, between requirements.
    #[error("found '{found}', {expected}")]
    Unexpected {
        /// The token.
        found: String,
        /// What was expected there.
        expected: &'static str,
    },
    /// `in` or `notin` without a parenthesis.
    #[error("found '{0}' expected: '('")]
    NoList(String),
    /// An error within one requirement.
    #[error("unable to parse requirement: {0}")]
    Requirement(#[source] Box<Error>),
    /// A term of a plain `a=b,c=d` list that is not of that form.
    #[error("invalid selector: [{0}]")]
    Plain(String),
    /// A term of a field selector without operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Term {
        /// The whole selector.
        selector: String,
        /// The term.
        term: String,
    },
    /// A backslash before something that needs none.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// An operator or comma inside a value.
    #[error("invalid field selector: unescaped character in value: {0}")]
    Unescaped(u32),
}

fn check_key(key: &str) -> Result<(), Error> {
    let complaints = validation::qualified_name(key);
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Error::Key { key: key.to_owned(), complaints: complaints.join("; ") })
}

fn check_value(value: &str) -> Result<(), Error> {
    let complaints = validation::label_value(value);
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Error::Value { value: value.to_owned(), complaints: complaints.join("; ") })
}

/// Reads a plain list of labels, `a=b,c=d`, as commands take to set labels.
///
/// # Errors
/// When a term is not `key=value` or breaks the rules for labels.
pub fn parse_labels(text: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut labels = BTreeMap::new();
    if text.is_empty() {
        return Ok(labels);
    }
    for term in text.split(',') {
        let parts: Vec<&str> = term.split('=').collect();
        let [key, value] = *parts else { return Err(Error::Plain(parts.join(" "))) };
        let (key, value) = (key.trim(), value.trim());
        check_key(key)?;
        check_value(value)?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}

#[cfg(test)]
mod tests;
