//! How one object stands, and because of what.
//!
//! Invariant: a finding that waits or has failed says why, or has a cause that does.

use serde::Serialize;

/// How an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// All is as it was asked for.
    Settled,
    /// It will go on by itself when something else happens.
    Waiting,
    /// Nothing goes on until a person does something.
    Held,
    /// It ended badly.
    Failed,
}

impl State {
    /// The word between an object and what is said of it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Settled => "is settled",
            Self::Waiting => "waits",
            Self::Held => "is held",
            Self::Failed => "has failed",
        }
    }
}

/// How one object stands, and because of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The object, as `kind/name`.
    pub object: String,
    /// How it stands.
    pub state: State,
    /// That, in a sentence.
    pub says: String,
    /// The rule that holds it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// What would help.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// The objects that it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Finding>,
}

impl Finding {
    /// A finding about `object`, `kind/name`.
    #[must_use]
    pub fn new(object: String, state: State, says: impl Into<String>) -> Self {
        let says = says.into();
        Self { object, state, says, rules: Vec::new(), help: Vec::new(), because: Vec::new() }
    }

    /// Nothing is wanting.
    #[must_use]
    pub fn settled(object: String, says: impl Into<String>) -> Self {
        Self::new(object, State::Settled, says)
    }

    /// It will go on by itself.
    #[must_use]
    pub fn waiting(object: String, says: impl Into<String>) -> Self {
        Self::new(object, State::Waiting, says)
    }

    /// Someone has to act.
    #[must_use]
    pub fn held(object: String, says: impl Into<String>) -> Self {
        Self::new(object, State::Held, says)
    }

    /// It ended badly.
    #[must_use]
    pub fn failed(object: String, says: impl Into<String>) -> Self {
        Self::new(object, State::Failed, says)
    }

    /// Names the rule.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// Says what would help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Names causes.
    #[must_use]
    pub fn because(mut self, causes: impl IntoIterator<Item = Finding>) -> Self {
        self.because.extend(causes);
        self
    }

    /// Whether anything is wanting.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state == State::Settled
    }

    /// The end of the chain: what holds everything above it.
    #[must_use]
    pub fn root(&self) -> &Finding {
        self.because.first().map_or(self, Finding::root)
    }
}
