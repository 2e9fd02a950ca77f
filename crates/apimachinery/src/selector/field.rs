//! Field selectors: equalities on a few fields of an object.
//!
//! Invariant: requirements are sorted by their text, values are stored unescaped.

use std::fmt;

use super::Error;

/// How a field requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldOperator {
    /// `field=value` or `field==value`
    Equals,
    /// `field!=value`
    NotEquals,
}

/// One requirement, e.g. `status.phase!=Running`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field label, e.g. `metadata.name`.
    pub field: String,
    /// How to compare.
    pub operator: FieldOperator,
    /// The value, unescaped.
    pub value: String,
}

impl FieldRequirement {
    /// Whether a field with this value fulfils the requirement.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        (self.value == value) == (self.operator == FieldOperator::Equals)
    }
}

/// Chooses objects by fields. The default selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSelector {
    requirements: Vec<FieldRequirement>,
}

impl FieldSelector {
    /// Reads the text form; the empty text selects everything.
    ///
    /// # Errors
    /// When a term has no operator or a value is not escaped properly.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut terms = terms(text);
        terms.sort_unstable();
        let terms = terms.into_iter().filter(|term| !term.is_empty());
        Ok(Self {
            requirements: terms.map(|term| requirement(text, term)).collect::<Result<_, _>>()?,
        })
    }

    /// Selects objects whose `field` has `value`.
    #[must_use]
    pub fn equals(field: &str, value: &str) -> Self {
        let (field, value) = (field.to_owned(), value.to_owned());
        let operator = FieldOperator::Equals;
        Self { requirements: vec![FieldRequirement { field, operator, value }] }
    }

    /// Whether everything is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The requirements, all of which must hold.
    #[must_use]
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.requirements
    }

    /// The value `field` must have to be selected, if the selector demands one.
    #[must_use]
    pub fn required_value(&self, field: &str) -> Option<&str> {
        let mut demands = self.requirements.iter();
        let demand =
            demands.find(|have| have.field == field && have.operator == FieldOperator::Equals)?;
        Some(&demand.value)
    }

    /// Whether an object is selected, given how to read its fields; an absent field is empty.
    #[must_use]
    pub fn matches(&self, read: impl Fn(&str) -> String) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(&read(&requirement.field)))
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let operator = match requirement.operator {
                FieldOperator::Equals => "=",
                FieldOperator::NotEquals => "!=",
            };
            write!(f, "{comma}{}{operator}{}", requirement.field, escape(&requirement.value))?;
        }
        Ok(())
    }
}

/// Splits at commas that no backslash precedes.
fn terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn requirement(selector: &str, term: &str) -> Result<FieldRequirement, Error> {
    let Some(equal) = term.find('=') else {
        return Err(Error::Term { selector: selector.to_owned(), term: term.to_owned() });
    };
    let place = if term[..equal].ends_with('!') { equal - 1 } else { equal };
    let (field, rest) = term.split_at(place);
    let (operator, value) = if let Some(value) = rest.strip_prefix("!=") {
        (FieldOperator::NotEquals, value)
    } else {
        let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='));
        (FieldOperator::Equals, value.unwrap_or_default())
    };
    Ok(FieldRequirement { field: field.to_owned(), operator, value: unescape(value)? })
}

/// Puts a backslash before everything that has a meaning in a field selector.
#[must_use]
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | ',' | '=') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Takes the backslashes of [`escape`] away.
///
/// # Errors
/// When something is escaped that needs none, or not escaped that needs it.
pub fn unescape(value: &str) -> Result<String, Error> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                Some(c) => return Err(Error::Escape(format!("\\{c}"))),
                None => return Err(Error::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(Error::Unescaped(u32::from(c))),
            c => plain.push(c),
        }
    }
    Ok(plain)
}
