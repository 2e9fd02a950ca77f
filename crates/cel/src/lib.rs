//! The Common Expression Language as Kubernetes uses it for rules of custom resources.
//!
//! An expression is read ([`parse`]), checked against the types of its variables ([`check`]) and then
//! evaluated as often as needed ([`eval`]) with a budget, so that no rule can hold a server up.
//! [`Program`] is the three of them together. Values and types know no JSON and no schema: the caller
//! makes them.
//!
//! Why not a library: those there are for Rust evaluate without a bound of cost, check no types before
//! objects come and keep the places of an expression to themselves, all of which clients see.
//!
//! Invariant: evaluation ends: every step and every byte made costs something of the budget.
//! Invariant: pure; no clock, no randomness, no order but that of keys.
//!
//! Deviation: syntax errors have the place but not ANTLR's words; the cost of a rule is not estimated
//! when a definition is created, it is counted when the rule runs. Optional values, `url`, `ip`, `cidr`
//! and `format` are unknown functions here, so that a rule with them is refused and not passed over.
//!
//! Mirrors: github.com/google/cel-go, `k8s.io/apiserver/pkg/cel`.

pub mod check;
pub mod eval;
mod function;
mod macros;
mod operator;
pub mod parse;
mod time;
mod token;
pub mod value;

use std::collections::BTreeMap;

pub use check::Type;
pub use eval::{Budget, Error};
pub use parse::{Expression, Mistake};
pub use value::{Key, Value};

/// An expression that was read and checked.
#[derive(Debug, Clone)]
pub struct Program {
    expression: Expression,
    /// What it evaluates to.
    pub result: Type,
}

impl Program {
    /// Reads and checks `source` over variables of these types.
    ///
    /// # Errors
    /// Everything wrong with it, as cel-go prints it: place, text and the line with a mark.
    pub fn compile(source: &str, variables: &BTreeMap<String, Type>) -> Result<Self, String> {
        let printed = |mistakes: Vec<Mistake>| {
            let all: Vec<String> = mistakes.iter().map(|mistake| mistake.print(source)).collect();
            all.join("\n")
        };
        let expression = parse::parse(source).map_err(|mistake| printed(vec![mistake]))?;
        let result = check::check(&expression, variables).map_err(printed)?;
        Ok(Self { expression, result })
    }

    /// Whether the expression mentions the variable `name`.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        self.expression.mentions(name)
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// What goes wrong, a spent budget among it.
    pub fn run(
        &self,
        variables: &BTreeMap<String, Value>,
        budget: &mut Budget,
    ) -> Result<Value, Error> {
        eval::run(&self.expression, variables, budget)
    }
}

#[cfg(test)]
mod tests;
